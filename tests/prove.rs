//! Proofs on real servers: what each mode finds, what it leaves behind, and what it refuses.

// Tests start processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod prove_support;
mod support;

use prove_support::{APPLY, QUERY, catalog, explain, fill, shop};
use support::{majors, query_text, server};

/// More than a million, as the issue asks.
const MANY: u32 = 1_100_000;
const FEW: u32 = 120_000;

fn each_major(test: impl Fn(u32) + Sync) {
    for major in majors() {
        eprintln!("PostgreSQL {major}");
        test(major);
    }
}

#[test]
fn the_index_is_proposed_and_confirmed_and_then_not_proposed_again() {
    each_major(|major| {
        let shop = shop(major, MANY);
        let before = catalog(&shop.url);
        let run = explain(&shop.url, QUERY, &["--prove", "rollback"]);
        assert_eq!(run.code, Some(0), "{run}");
        let proposal = run.proposal();
        assert_eq!(proposal["apply"], serde_json::json!([APPLY]), "{run}");
        assert_eq!(run.verdict().0, "confirmed", "{run}");
        let speedup = proposal["verdict"]["speedup"]["median"].as_f64().expect("a speed-up");
        eprintln!("PostgreSQL {major}: {speedup:.0} times as fast");
        assert!(speedup >= 10.0, "{run}");
        assert_eq!(catalog(&shop.url), before, "PostgreSQL {major}");
        fill(&shop.url, APPLY);
        let plan = query_text(&shop.url, &format!("EXPLAIN {QUERY}"));
        let plan: Vec<&str> = plan.iter().filter_map(|row| row[0].as_deref()).collect();
        assert!(plan.iter().all(|line| !line.contains("Sort")), "{plan:?}");
        assert!(plan.iter().any(|line| line.contains("Index Scan using")), "{plan:?}");
        for name in ["orders_user_id_created_at_idx", "ascending"] {
            let run = explain(&shop.url, QUERY, &["--prove", "rollback"]);
            let report = run.json();
            assert_eq!((run.code, report["proposals"].as_array().map(Vec::len)), (Some(0), Some(0)), "{run}");
            let text = prove_support::pgproof(&shop.url, &["explain", QUERY]).stdout;
            assert!(text.contains("nothing to propose") && text.contains(name), "{text}");
            if name != "ascending" {
                fill(
                    &shop.url,
                    "DROP INDEX orders_user_id_created_at_idx;\nCREATE INDEX ascending ON orders (user_id, created_at)",
                );
            }
        }
    });
}

#[test]
fn an_index_is_built_concurrently_and_dropped_or_kept() {
    each_major(|major| {
        let shop = shop(major, FEW);
        let before = catalog(&shop.url);
        let run = explain(&shop.url, QUERY, &["--prove", "concurrently"]);
        assert_eq!((run.code, run.verdict().0.as_str()), (Some(0), "confirmed"), "{run}");
        assert!(run.stderr.contains("SHARE UPDATE EXCLUSIVE lock on public.orders"), "{run}");
        assert_eq!(catalog(&shop.url), before, "PostgreSQL {major}");
        let kept = explain(&shop.url, QUERY, &["--prove", "concurrently", "--keep"]);
        assert_eq!((kept.code, kept.verdict().0.as_str()), (Some(0), "confirmed"), "{kept}");
        let names = query_text(
            &shop.url,
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid \
                                           AND indrelid = 'orders'::regclass ORDER BY 1",
        );
        let names: Vec<&str> = names.iter().filter_map(|row| row[0].as_deref()).collect();
        assert_eq!(names, ["orders_pkey", "orders_user_id_created_at_idx"], "{kept}");
    });
}

#[test]
fn a_clone_takes_the_trial_and_the_original_is_no_clone() {
    each_major(|major| {
        let (shop, copy) = (shop(major, FEW), shop(major, FEW));
        let before = (catalog(&shop.url), catalog(&copy.url));
        let run = explain(&shop.url, QUERY, &["--prove", "clone", "--clone-url", &copy.url]);
        assert_eq!(run.verdict(), ("confirmed".into(), "clone".into(), String::new()), "{run}");
        assert_eq!((catalog(&shop.url), catalog(&copy.url)), before);
        let same = explain(&shop.url, QUERY, &["--prove", "clone", "--clone-url", &shop.url]);
        assert_eq!((same.code, same.verdict().0.as_str()), (Some(2), "not-tried"), "{same}");
        assert!(same.stderr.contains("the database under examination itself"), "{same}");
    });
}

#[test]
fn hypopg_is_asked_where_it_is_and_forgets() {
    each_major(|major| {
        let shop = shop(major, FEW);
        let available = query_text(&shop.url, "SELECT 1 FROM pg_available_extensions WHERE name = 'hypopg'");
        if available.is_empty() {
            eprintln!("PostgreSQL {major} has no HypoPG here: `--prove hypothetical` says so");
            let run = explain(&shop.url, QUERY, &["--prove", "hypothetical"]);
            assert!(run.verdict().2.contains("CREATE EXTENSION hypopg"), "{run}");
            return;
        }
        fill(&shop.url, "CREATE EXTENSION hypopg");
        let before = catalog(&shop.url);
        let run = explain(&shop.url, QUERY, &["--pool", "2"]);
        let (outcome, method, _) = run.verdict();
        assert_eq!((outcome.as_str(), method.as_str()), ("predicted", "hypothetical"), "{run}");
        assert_eq!(catalog(&shop.url), before);
    });
}

#[test]
fn a_partitioned_parent_is_tried_in_both_modes() {
    each_major(|major| {
        let shop = server(major).database();
        fill(
            &shop.url,
            "CREATE TABLE orders (id bigint, user_id int, created_at timestamptz, note text, PRIMARY KEY (id)) \
             PARTITION BY RANGE (id);\n\
             CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (80000);\n\
             CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (80000) TO (200000);\n\
             INSERT INTO orders SELECT i, CASE WHEN i % 20 = 0 THEN 123 ELSE i % 1000 END, \
             now() - i % 1000 * interval '9 hours', 'left at the door, with the neighbours, number ' || i \
             FROM generate_series(1, 160000) i;\n\
             ANALYZE orders",
        );
        let before = catalog(&shop.url);
        for mode in ["rollback", "concurrently"] {
            let run = explain(&shop.url, QUERY, &["--prove", mode, "--keep"]);
            assert_eq!((run.code, run.verdict().0.as_str()), (Some(0), "confirmed"), "{run}");
            let proposal = run.proposal();
            let apply = proposal["apply"].to_string();
            let order = [
                "ON ONLY public.orders",
                "CONCURRENTLY orders_1",
                "CONCURRENTLY orders_2",
                "ATTACH PARTITION",
            ];
            let places: Vec<usize> =
                order.iter().map(|w| apply.find(w).unwrap_or_else(|| panic!("{w}: {apply}"))).collect();
            assert!(places.is_sorted(), "{apply}");
            assert_eq!(proposal["undo"].as_array().map(Vec::len), Some(1), "{run}");
            assert!(run.stderr.contains("each partition"), "{run}");
            assert_eq!(catalog(&shop.url)[..3], before[..3], "PostgreSQL {major}, {mode}");
        }
    });
}

#[test]
fn an_index_for_a_foreign_key_shows_in_the_time_alone() {
    each_major(|major| {
        let shop = server(major).database();
        fill(
            &shop.url,
            "CREATE TABLE users (id int PRIMARY KEY, parent int REFERENCES users);\n\
             INSERT INTO users SELECT i, 1 + i % 900 FROM generate_series(1, 20000) i;\n\
             ANALYZE users",
        );
        let delete = "DELETE FROM users WHERE id > 19900";
        let run = explain(&shop.url, delete, &["--allow-writes"]);
        assert!(run.verdict().2.contains("--prove rollback"), "{run}");
        let before = catalog(&shop.url);
        let run = explain(&shop.url, delete, &["--allow-writes", "--prove", "rollback"]);
        assert_eq!((run.code, run.verdict().0.as_str()), (Some(0), "confirmed"), "{run}");
        assert!(run.proposal()["apply"][0].as_str().is_some_and(|sql| sql.contains("(parent)")), "{run}");
        assert_eq!(catalog(&shop.url), before, "PostgreSQL {major}");
    });
}
