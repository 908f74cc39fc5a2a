//! What a trial refuses, bounds and admits: locks, old snapshots, planners that decline, counters that must stay.

// Tests start processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod prove_support;
mod support;

use prove_support::{InTheWay, QUERY, catalog, explain, fill, pgproof, shop};
use support::{execute, majors, query_text, server};

const FEW: u32 = 120_000;

/// The oldest and the newest major: what is tested here differs little between them.
fn ends() -> Vec<u32> {
    let all = majors();
    let mut ends = vec![*all.first().expect("a server"), *all.last().expect("a server")];
    ends.dedup();
    ends
}

#[test]
fn a_lock_that_would_be_held_too_long_is_refused_and_one_that_is_ends() {
    for major in ends() {
        let shop = shop(major, FEW);
        let before = catalog(&shop.url);
        let run = explain(&shop.url, QUERY, &["--prove", "rollback", "--max-block", "50ms"]);
        let (outcome, _, reason) = run.verdict();
        assert_eq!((run.code, outcome.as_str()), (Some(0), "not-tried"), "{run}");
        assert!(reason.contains("--max-block 0.1 s") || reason.contains("--prove concurrently"), "{reason}");
        // Who queues for a lock blocks others behind it: that counts.
        let writer = InTheWay::new(&shop.url, "BEGIN; LOCK TABLE orders IN ROW EXCLUSIVE MODE");
        let started = std::time::Instant::now();
        let run =
            explain(&shop.url, QUERY, &["--prove", "rollback", "--max-block", "1s", "--lock-timeout", "30s"]);
        assert!(started.elapsed().as_secs() < 15, "{run}");
        let (outcome, _, reason) = run.verdict();
        assert_eq!((run.code, outcome.as_str()), (Some(0), "not-tried"), "{run}");
        assert!(reason.contains("longer than --max-block allows"), "{reason}");
        drop(writer);
        assert_eq!(catalog(&shop.url), before);
    }
}

#[test]
fn an_old_snapshot_leaves_it_undecided() {
    for major in ends() {
        let shop = shop(major, FEW);
        let old =
            InTheWay::new(&shop.url, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders");
        execute(&shop.url, "UPDATE orders SET created_at = created_at + interval '1 second' WHERE id <= 20");
        let run = explain(&shop.url, QUERY, &["--prove", "rollback"]);
        let (outcome, _, reason) = run.verdict();
        assert_eq!((run.code, outcome.as_str()), (Some(0), "undecided"), "{run}");
        assert!(reason.contains("indcheckxmin"), "{run}");
        drop(old);
        assert_eq!(explain(&shop.url, QUERY, &["--prove", "rollback"]).verdict().0, "confirmed");
    }
}

#[test]
fn a_planner_that_declines_is_believed() {
    for major in ends() {
        let shop = shop(major, FEW);
        for setting in ["enable_indexscan", "enable_bitmapscan", "enable_indexonlyscan"] {
            execute(&shop.url, &format!("ALTER DATABASE {} SET {setting} = off", shop.name));
        }
        let before = catalog(&shop.url);
        for mode in ["rollback", "concurrently"] {
            let run = explain(&shop.url, QUERY, &["--prove", mode]);
            assert_eq!((run.code, run.verdict().0.as_str()), (Some(0), "planner-declined"), "{run}");
            let text = pgproof(&shop.url, &["explain", QUERY, "--prove", mode]).stdout;
            assert!(text.contains("not recommended"), "{text}");
        }
        assert_eq!(catalog(&shop.url), before);
    }
}

#[test]
fn settings_of_the_role_and_the_database_do_not_end_a_trial() {
    for major in ends() {
        let shop = shop(major, FEW);
        let newer = if major >= 17 { &["transaction_timeout = '80ms'"][..] } else { &[] };
        let ours =
            ["default_transaction_read_only = on", "statement_timeout = '20ms'", "lock_timeout = '1ms'"];
        for setting in ours.iter().chain(newer) {
            let sql = format!("ALTER DATABASE {} SET {setting}", shop.name);
            execute(&server(major).url("postgres"), &sql);
        }
        for mode in ["rollback", "concurrently"] {
            let run = explain(&shop.url, QUERY, &["--prove", mode]);
            assert_eq!((run.code, run.verdict().0.as_str()), (Some(0), "confirmed"), "{run}");
        }
    }
}

#[test]
fn somebody_elses_table_is_not_tried() {
    for major in ends() {
        let shop = shop(major, FEW);
        let role = format!("reader_{}", shop.name);
        fill(&shop.url, &format!("CREATE ROLE {role} LOGIN;\nGRANT SELECT ON orders TO {role}"));
        let url = shop.url.replace("user=postgres", &format!("user={role}"));
        for mode in ["rollback", "concurrently"] {
            let run = explain(&url, QUERY, &["--prove", mode]);
            assert_eq!((run.code, run.verdict().0.as_str()), (Some(0), "not-tried"), "{run}");
            assert!(run.verdict().2.contains("does not own public.orders"), "{run}");
        }
        execute(&shop.url, &format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

#[test]
fn a_drop_that_must_wait_too_long_is_named_and_done_later() {
    let major = *majors().last().expect("a server");
    let shop = shop(major, FEW);
    let before = catalog(&shop.url);
    let words = ["explain", "--format", "json", QUERY, "--prove", "concurrently", "--time-budget", "1s"];
    let writer = InTheWay::new(&shop.url, "BEGIN; LOCK TABLE orders IN ROW EXCLUSIVE MODE");
    let run = pgproof(&shop.url, &words);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.stderr.contains("help: it is left behind: run `DROP INDEX CONCURRENTLY"), "{run}");
    assert!(run.verdict().2.contains("it took longer than 1 s"), "{run}");
    drop(writer);
    // Looking leaves it and says so; a mode that builds drops it first.
    let looking = explain(&shop.url, QUERY, &[]);
    assert!(looking.stderr.contains("left behind") && looking.stderr.contains("pgproof doctor"), "{looking}");
    let next = explain(&shop.url, QUERY, &["--prove", "rollback"]);
    assert!(next.stderr.contains("dropped public.pgproof_trial_"), "{next}");
    assert_eq!(next.verdict().0, "confirmed", "{next}");
    assert_eq!(catalog(&shop.url), before);
}

#[test]
fn work_mem_is_tried_for_our_transaction_alone() {
    for major in ends() {
        let shop = shop(major, FEW);
        execute(&shop.url, &format!("ALTER DATABASE {} SET work_mem = '64kB'", shop.name));
        let run = explain(&shop.url, "SELECT id FROM orders ORDER BY note, id", &[]);
        let proposals = run.json()["proposals"].clone();
        let setting = proposals.as_array().and_then(|p| p.iter().find(|p| p["kind"] == "setting"));
        let verdict = &setting.unwrap_or_else(|| panic!("no setting: {run}"))["verdict"];
        assert_eq!(verdict["method"], "setting", "{run}");
        assert!(verdict["after"]["runs_ms"].as_array().is_some_and(|runs| !runs.is_empty()), "{run}");
        assert_eq!(query_text(&shop.url, "SHOW work_mem")[0][0].as_deref(), Some("64kB"));
    }
}

#[test]
fn fresh_statistics_are_tried_and_the_counters_stay() {
    for major in ends() {
        let shop = server(major).database();
        // Planned as ten rows and one per customer, 40,000 of which are there: each fetches the customer anew.
        fill(
            &shop.url,
            "CREATE TABLE customers (id int PRIMARY KEY, name text);\n\
             INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 60000) i;\n\
             ANALYZE customers;\n\
             CREATE TABLE visits (customer_id int, kind int, note text) WITH (autovacuum_enabled = off);\n\
             INSERT INTO visits SELECT i, i % 1000, 'note ' || i FROM generate_series(1, 60000) i;\n\
             ANALYZE visits;\n\
             UPDATE visits SET kind = 7",
        );
        // Up to 14 a collector counts, half a second behind.
        let counted = |row: &Vec<Option<String>>| row[2].as_deref() == Some("60000");
        support::eventually("the update is counted", || catalog(&shop.url).iter().any(counted));
        let before = catalog(&shop.url);
        let sql = "SELECT count(name) FROM visits JOIN customers ON id = customer_id WHERE kind = 7";
        let run = explain(&shop.url, sql, &["--prove", "rollback"]);
        let report = run.json();
        let proposals = report["proposals"].as_array().expect("proposals");
        let analyze = proposals.iter().find(|p| p["kind"] == "analyze").unwrap_or_else(|| panic!("{run}"));
        assert_eq!(analyze["verdict"]["method"], "rollback", "{run}");
        assert_ne!(analyze["verdict"]["outcome"], "not-tried", "{run}");
        let modified = |rows: Vec<Vec<Option<String>>>| -> Vec<_> {
            rows.into_iter().filter(|row| row[0].as_deref() != Some("size")).collect()
        };
        assert_eq!(modified(catalog(&shop.url)), modified(before), "{run}");
    }
}

#[test]
fn an_index_that_is_used_and_does_not_help_is_not_recommended() {
    for major in ends() {
        let shop = shop(major, FEW);
        // Nearly all of the time goes where no index helps.
        let sql = "SELECT count(*), (SELECT sum(sqrt(n)) FROM generate_series(1, 500000) n) FROM orders \
                   WHERE user_id = 124 AND created_at > now() - interval '300 days'";
        let only = ["--only", "seq-scan-discards-rows"];
        let run = explain(&shop.url, sql, &[&["--prove", "rollback", "--runs", "3"], &only[..]].concat());
        // On a machine that is busy with something else the interval may be too wide for a verdict.
        let outcome = run.verdict().0;
        assert!(run.code == Some(0) && ["no-better", "undecided"].contains(&outcome.as_str()), "{run}");
        assert_eq!(run.proposal()["verdict"]["method"], "rollback", "{run}");
    }
}
