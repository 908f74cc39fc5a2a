//! Proofs on real servers: what each mode finds, what it leaves behind, and what it refuses.

// Tests start processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod prove_support;
mod support;

use prove_support::{APPLY, QUERY, catalog, explain, fill, shop};
use support::{majors, query_text};

/// More than a million, as the issue asks.
const MANY: u32 = 1_200_000;
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
