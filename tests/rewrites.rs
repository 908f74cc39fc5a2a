//! Rewrites proven: rows compared on one snapshot, then timed; where rows differ, that is the verdict.

// Tests start processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod prove_support;
mod support;

use prove_support::{catalog, explain, pgproof};
use support::{execute, majors, server};

/// The oldest and the newest major: what is tested here differs little between them.
fn ends() -> Vec<u32> {
    let all = majors();
    let mut ends = vec![*all.first().expect("a server"), *all.last().expect("a server")];
    ends.dedup();
    ends
}

/// Users and orders, of which some have no buyer.
fn shop(major: u32) -> support::Database {
    let shop = server(major).database();
    for sql in [
        "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL)",
        "CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, buyer int, total int NOT NULL)",
        "INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 200) i",
        "INSERT INTO orders SELECT i, 1 + i % 200, nullif(101 + i, 300), i % 997 FROM generate_series(1, 10000) i",
        "ANALYZE users, orders",
    ] {
        execute(&shop.url, sql);
    }
    for setting in ["max_parallel_workers_per_gather = 0", "work_mem = '64kB'"] {
        execute(&shop.url, &format!("ALTER DATABASE {} SET {setting}", shop.name));
    }
    shop
}

/// The verdict on the proposal that is a rewrite: outcome, method, reason.
fn verdict(report: &serde_json::Value) -> (String, String, String) {
    let proposals = report["proposals"].as_array().expect("proposals");
    let rewrite = proposals.iter().find(|p| p["kind"] == "rewrite").unwrap_or_else(|| panic!("{report:#}"));
    let word = |name: &str| rewrite["verdict"][name].as_str().unwrap_or_default().to_owned();
    (word("outcome"), word("method"), word("reason"))
}

const COUNTS: &str =
    "SELECT u.name, (SELECT count(*) FROM orders o WHERE o.user_id = u.id AND o.total > 500) FROM users u";

#[test]
fn a_rewrite_with_the_same_rows_is_confirmed_and_nothing_is_built() {
    for major in ends() {
        let shop = shop(major);
        let before = catalog(&shop.url);
        let run = explain(&shop.url, COUNTS, &[]);
        let (outcome, method, _) = verdict(&run.json());
        assert_eq!((outcome.as_str(), method.as_str()), ("confirmed", "rewrite"), "{run}");
        assert_eq!(catalog(&shop.url), before);
        let text = pgproof(&shop.url, &["explain", COUNTS]);
        assert!(text.stdout.contains("LEFT JOIN (SELECT o.user_id, count(*)"), "{text}");
    }
}

#[test]
fn parameters_keep_their_values() {
    for major in ends() {
        let shop = shop(major);
        let sql = "SELECT u.name, (SELECT sum(o.total) FROM orders o WHERE o.user_id = u.id AND o.total > $2) FROM users u WHERE u.id > $1";
        let run = explain(&shop.url, sql, &["--param", "100", "--param", "500"]);
        let (outcome, method, _) = verdict(&run.json());
        assert_eq!((outcome.as_str(), method.as_str()), ("confirmed", "rewrite"), "{run}");
        // Without values it is executed with those of the statistics, and none is left out of the rewrite.
        let run = explain(&shop.url, sql, &[]);
        let proposals = run.json()["proposals"].clone();
        let rewrites = proposals.as_array().expect("a list").iter().filter(|p| p["kind"] == "rewrite");
        assert!(
            rewrites.into_iter().all(|p| p["apply"][0].as_str().is_some_and(|s| s.contains("$1"))),
            "{run}"
        );
    }
}

#[test]
fn other_rows_are_the_verdict_whatever_the_time() {
    for major in ends() {
        let shop = shop(major);
        // One buyer is NULL: NOT IN keeps no row at all, NOT EXISTS keeps a hundred.
        let run = explain(&shop.url, "SELECT id FROM users WHERE id NOT IN (SELECT buyer FROM orders)", &[]);
        let (outcome, method, reason) = verdict(&run.json());
        assert_eq!((outcome.as_str(), method.as_str()), ("results-differ", "rewrite"), "{run}");
        assert!(reason.contains("the statement 0"), "{reason}");
        let rewrite = &run.json()["proposals"][0];
        assert_eq!(rewrite["applicability"], "display", "{run}");
        let text = pgproof(
            &shop.url,
            &["explain", "SELECT id FROM users WHERE id NOT IN (SELECT buyer FROM orders)"],
        );
        assert!(text.stdout.contains("results differ, not recommended"), "{text}");
    }
}

#[test]
fn without_proof_nothing_is_executed_twice() {
    let shop = shop(ends()[0]);
    let run = explain(&shop.url, COUNTS, &["--prove", "off"]);
    assert_eq!(verdict(&run.json()).0, "not-tried", "{run}");
}
