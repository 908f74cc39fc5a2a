//! `pgproof health` on whole clusters: a standby that reads, a crash, who holds vacuum back, a tablespace.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod node;
#[path = "../support/mod.rs"]
mod support;

use node::{Cluster, cluster};
use serde_json::Value;
use std::process::{Command, Output};
use std::time::Duration;
use support::TestServer;

/// The tests' servers run without autovacuum and fsync.
const OURS: &str = "rules.autovacuum-off = \"off\"\nrules.crash-loses-data = \"off\"\n";
/// With no window, whatever was never scanned is unused.
const NO_WINDOW: &str = "[thresholds.unused-index]\nwindow-days = 0\nmin-size = 0\n";

fn health(url: &str, config: &str, args: &[&str]) -> Output {
    of_any_server(url, &format!("{OURS}{config}"), args)
}

fn of_any_server(url: &str, config: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("pgproof.toml"), config).expect("write the settings");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args(["health", "--quiet", "--format", "json", "-d", url]).args(args).current_dir(folder.path());
    command.output().expect("run pgproof")
}

fn judged(url: &str, config: &str, args: &[&str]) -> Value {
    let output = health(url, config, args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {error}"))
}

fn list<'a>(report: &'a Value, key: &str) -> Vec<&'a Value> {
    report[key].as_array().into_iter().flatten().collect()
}

/// The findings of a rule.
fn found<'a>(report: &'a Value, rule: &str) -> Vec<&'a Value> {
    list(report, "findings").into_iter().filter(|f| f["rule"] == rule).collect()
}

/// What a rule would need to judge.
fn needs(report: &Value, rule: &str) -> String {
    let skipped = list(report, "skipped").into_iter().filter(|s| s["rule"] == rule);
    skipped.filter_map(|s| s["needs"].as_str()).collect::<Vec<&str>>().join("\n")
}

fn evidence<'a>(finding: &'a Value, label: &str) -> &'a Value {
    let all = list(finding, "evidence").into_iter();
    all.filter(|e| e["label"] == label).map(|e| &e["value"]).next().unwrap_or(&Value::Null)
}

fn applied(report: &Value) -> Vec<&str> {
    list(report, "proposals").into_iter().flat_map(|p| list(p, "apply")).filter_map(Value::as_str).collect()
}

/// A table with two indexes that the primary never reads, and one that nobody reads.
const SHOP: &[&str] = &[
    "CREATE TABLE orders (id int PRIMARY KEY, a int, b int)",
    "INSERT INTO orders SELECT i, i % 100, i % 100 FROM generate_series(1, 20000) i",
    "CREATE INDEX read_there ON orders (a)",
    "CREATE INDEX read_nowhere ON orders (b)",
    "VACUUM ANALYZE orders",
];

fn each(url: &str, statements: &[&str]) {
    statements.iter().for_each(|sql| support::execute(url, sql));
}

/// A primary and a standby that streams from it, through a slot.
fn streaming(major: u32) -> Cluster {
    let mut cluster = cluster(major, &[("autovacuum", "off")]);
    cluster.add_standby("replica", "hot_standby_feedback = on\nwal_receiver_status_interval = 1");
    cluster.primary.start();
    each(
        &cluster.primary.url("postgres"),
        &["SELECT pg_create_physical_replication_slot('replica')", "CREATE DATABASE shop"],
    );
    each(&cluster.primary.url("shop"), SHOP);
    cluster.standby().start();
    let there = cluster.standby().url("shop");
    support::eventually("the standby has the index", || {
        support::try_query(&there, "SELECT 'read_nowhere'::regclass").is_ok()
    });
    cluster
}

#[test]
fn what_a_standby_reads_is_not_dropped() {
    for major in support::majors() {
        let mut cluster = streaming(major);
        let there = cluster.standby().url("shop");
        for _ in 0..5 {
            support::execute(&there, "SET enable_seqscan = off; SELECT sum(b) FROM orders WHERE a = 7");
        }
        support::eventually("the standby has counted", || {
            let scans =
                support::query_text(&there, "SELECT pg_stat_get_numscans('read_there'::regclass)::text");
            scans[0][0].as_deref() == Some("5")
        });
        let here = cluster.primary.url("shop");
        // Somebody reads elsewhere, and was not asked.
        let alone = judged(&here, NO_WINDOW, &[]);
        assert!(found(&alone, "unused-index").is_empty(), "{major}: {alone:#}");
        assert!(needs(&alone, "unused-index").contains("--also URL"), "{major}: {}", alone["skipped"]);
        let both = judged(&here, NO_WINDOW, &["--also", &there]);
        let indexes: Vec<&Value> = found(&both, "unused-index").iter().map(|f| &f["index"]).collect();
        assert_eq!(indexes, ["public.read_nowhere"], "{major}: {both:#}");
        let drops: Vec<&str> = applied(&both).into_iter().filter(|sql| sql.starts_with("DROP")).collect();
        assert_eq!(drops, ["DROP INDEX CONCURRENTLY public.read_nowhere"], "{major}");
        // The standby itself cannot judge what is done on the primary, and says so.
        let itself = judged(&there, NO_WINDOW, &[]);
        for rule in
            ["unused-index", "dead-rows", "transaction-holds-horizon", "transaction-ids-near-wraparound"]
        {
            assert!(needs(&itself, rule).starts_with("the primary"), "{major} {rule}: {}", itself["skipped"]);
        }
        whose_node_it_is(major, &mut cluster);
        slots(major, &mut cluster);
    }
}

/// Another cluster, another database, and a right that is missing.
fn whose_node_it_is(major: u32, cluster: &mut Cluster) {
    let (here, there) = (cluster.primary.url("shop"), cluster.standby().url("shop"));
    let other = support::database(major);
    let refused = |also: &str, words: &str| {
        let output = health(&here, NO_WINDOW, &["--also", also]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{major}: {error}");
        assert!(error.contains(words) && error.contains("help:"), "{major}: {error}");
    };
    refused(&other.url, "it is of another cluster: its system identifier is");
    refused(&cluster.standby().url("postgres"), "it was asked for another database");
    each(
        &here,
        &[
            "CREATE ROLE watcher LOGIN IN ROLE pg_monitor",
            "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
        ],
    );
    let watched = |node: &node::Node| node.url_as("watcher", "shop");
    support::eventually("the standby knows the role", || {
        support::try_query(&watched(cluster.standby.as_ref().expect("a standby")), "SELECT 1").is_ok()
    });
    support::eventually("the standby knows the right", || {
        let sql = "SELECT has_function_privilege('watcher', 'pg_control_system()', 'EXECUTE')::text";
        support::query_text(&there, sql)[0][0].as_deref() == Some("false")
    });
    let also = watched(cluster.standby());
    let report = judged(&watched(&cluster.primary), NO_WINDOW, &["--also", &also]);
    let gaps: Vec<&str> = list(&report, "gaps").iter().filter_map(|gap| gap["what"].as_str()).collect();
    let told = gaps.iter().any(|gap| gap.starts_with("whether ") && gap.contains("is of this cluster"));
    assert!(told, "{major}: {gaps:?}");
    assert_eq!(found(&report, "unused-index").len(), 1, "{major}: it is judged all the same");
}

/// The slot of the standby: it holds vacuum back while somebody reads there, and keeps WAL once it is away.
fn slots(major: u32, cluster: &mut Cluster) {
    let here = cluster.primary.url("shop");
    let config =
        "[thresholds.transaction-holds-horizon]\nxids = 0\n[thresholds.slot-retains-wal]\nmin-size = 1000\n";
    support::eventually("the standby tells what it may still read", || {
        let xmin = "SELECT xmin::text FROM pg_replication_slots";
        support::query_text(&here, xmin)[0][0].is_some()
    });
    let report = judged(&here, config, &[]);
    let holders: Vec<&Value> =
        found(&report, "transaction-holds-horizon").into_iter().map(|f| evidence(f, "name")).collect();
    assert!(holders.iter().any(|name| *name == "replica"), "{major}: {holders:?}");
    assert!(found(&report, "slot-retains-wal").is_empty(), "{major}: its reader is there: {report:#}");
    cluster.standby().stop();
    support::eventually("the slot is free", || {
        let active = "SELECT active::text FROM pg_replication_slots";
        support::query_text(&here, active)[0][0].as_deref() == Some("false")
    });
    support::execute(&here, "INSERT INTO orders SELECT i, 1, 1 FROM generate_series(20001, 30000) i");
    let report = judged(&here, config, &[]);
    let slot = found(&report, "slot-retains-wal");
    assert_eq!(slot.len(), 1, "{major}: {report:#}");
    assert_eq!((evidence(slot[0], "slot"), evidence(slot[0], "reader")), (&"replica".into(), &"away".into()));
    assert!(!applied(&report).iter().any(|sql| sql.contains("slot")), "{major}: it is never dropped");
}

#[test]
fn after_a_crash_counting_starts_anew_and_says_so() {
    for major in support::majors() {
        let mut cluster = cluster(major, &[("autovacuum", "off")]);
        cluster.primary.start();
        let url = cluster.primary.url("postgres");
        each(&url, SHOP);
        support::execute(&url, "SET enable_seqscan = off; SELECT sum(b) FROM orders WHERE a = 7");
        let scans = || {
            support::query_text(&url, "SELECT pg_stat_get_numscans('read_there'::regclass)::text")[0][0]
                .clone()
        };
        support::eventually("the scan is counted", || scans().as_deref() == Some("1"));
        // Long enough to be told from what comes after the crash.
        std::thread::sleep(Duration::from_secs(3));
        let moment = |args: &[&str]| {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("capture.json");
            let mut all = vec!["--save-capture", path.to_str().expect("UTF-8")];
            all.extend(args);
            let report = judged(&url, "", &all);
            let text = std::fs::read_to_string(&path).expect("a capture");
            let capture: Value = serde_json::from_str(&text).expect("JSON");
            (report, capture["snapshot"]["moment"].clone())
        };
        let before = moment(&[]).1["counting_seconds"].as_f64().expect("counted since");
        cluster.primary.crash();
        let crashed = std::time::Instant::now();
        cluster.primary.start();
        // 15 and later empty the counters when recovery begins; the collector of older ones reads no file.
        assert_eq!(scans().as_deref(), Some("0"), "{major}: a crash empties the counters");
        let (report, after) = moment(&[]);
        let seconds = after["counting_seconds"].as_f64().expect("counted since");
        let most = crashed.elapsed().as_secs_f64() + 1.0;
        assert!(before >= 3.0 && seconds <= most, "{major}: {before} s, then {seconds} s of {most}");
        assert!(found(&report, "unused-index").is_empty(), "{major}: {report:#}");
        let needs = needs(&report, "unused-index");
        assert!(needs.contains("crashed"), "{major}: {needs}");
    }
}

/// Forty thousand rows, of which many are dead, and a table that wants to be frozen early.
const DEAD: &[&str] = &[
    "CREATE TABLE orders (id int PRIMARY KEY, state text)",
    "INSERT INTO orders SELECT i, 'old' FROM generate_series(1, 40000) i",
    "CREATE TABLE early (id int) WITH (autovacuum_freeze_max_age = 100000)",
    "INSERT INTO early VALUES (1)",
    "VACUUM ANALYZE orders",
];

#[test]
fn who_keeps_vacuum_back_is_named_by_every_rule_that_meets_it() {
    let config = "[thresholds.dead-rows]\nheld-seconds = 0\n[thresholds.transaction-holds-horizon]\nidle-seconds = 0\n";
    for major in support::majors() {
        let db = support::server_with(major, &[("max_prepared_transactions", "5")]).database();
        DEAD.iter().for_each(|sql| db.execute(sql));
        let prepared = format!("forgotten_{}", db.name);
        for way in ["idle", "prepared"] {
            // It has written: between two statements it has no snapshot, and holds vacuum back all the same.
            let begin = ["BEGIN", "INSERT INTO early VALUES (2)"].map(str::to_owned);
            let staying = match way {
                "idle" => Some(db.stay(&begin)),
                _ => {
                    let [begin, insert] = begin;
                    db.execute_each(&[begin, insert, format!("PREPARE TRANSACTION '{prepared}'")]);
                    None
                }
            };
            db.execute_each(&[
                "DO $$ BEGIN FOR i IN 1..160000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$",
                "DELETE FROM orders WHERE id % 2 = 0",
            ]);
            let seen = "SELECT pg_stat_get_dead_tuples('orders'::regclass)::text";
            support::eventually("the dead are counted", || {
                db.query_text(seen)[0][0].as_ref().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0) >= 20_000
            });
            let report = judged(&db.url, config, &[]);
            let horizon = found(&report, "transaction-holds-horizon");
            assert_eq!(horizon.len(), 1, "{major} {way}: {report:#}");
            let (kind, name) = (evidence(horizon[0], "kind"), evidence(horizon[0], "name"));
            let holder = format!("{} {}", kind.as_str().expect("a kind"), name.as_str().expect("a name"));
            match way {
                "idle" => {
                    let pid = db.query_text("SELECT pid::text FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()");
                    assert_eq!(
                        holder,
                        format!("transaction process {}", pid[0][0].as_ref().expect("a process"))
                    );
                }
                _ => assert_eq!(holder, format!("prepared transaction {prepared}")),
            }
            for rule in ["dead-rows", "transaction-ids-near-wraparound"] {
                let told = found(&report, rule);
                assert_eq!(told.len(), 1, "{major} {way} {rule}: {report:#}");
                assert_eq!(
                    evidence(told[0], "held back by"),
                    &Value::from(holder.clone()),
                    "{major} {way} {rule}"
                );
            }
            assert!(applied(&report).iter().all(|sql| !sql.starts_with("VACUUM")), "{major}: {report:#}");
            if way == "idle" {
                unseen(&db, config);
            }
            // Once it is gone, VACUUM is the remedy of both, and ends both.
            drop(staying);
            if way == "prepared" {
                db.execute(&format!("ROLLBACK PREPARED '{prepared}'"));
            }
            support::eventually("nobody is in a transaction", || {
                let others = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
                db.query_text(others)[0][0].as_deref() == Some("0")
            });
            let report = judged(&db.url, config, &[]);
            let vacuums: Vec<&str> = applied(&report);
            assert!(vacuums.contains(&"VACUUM (ANALYZE) public.orders"), "{major} {way}: {vacuums:?}");
            assert!(vacuums.contains(&"VACUUM (FREEZE) public.early"), "{major} {way}: {vacuums:?}");
            db.execute_each(&vacuums);
            support::eventually("all is clean", || {
                let report = judged(&db.url, config, &[]);
                ["dead-rows", "transaction-ids-near-wraparound"]
                    .iter()
                    .all(|rule| found(&report, rule).is_empty())
            });
            db.execute("INSERT INTO orders SELECT i, 'new' FROM generate_series(2, 40000, 2) i");
            db.execute("VACUUM ANALYZE orders");
        }
    }
}

#[test]
fn an_index_is_made_again_where_it_was() {
    for major in support::majors() {
        let TestServer::Local(server) = support::server(major) else { continue };
        let db = support::database(major);
        let folder = node::folder_of(server, &format!("fast_{}", db.name));
        let name = format!("Fast {}", db.name);
        db.execute(&format!("CREATE TABLESPACE \"{name}\" LOCATION '{}'", folder.display()));
        db.execute("CREATE TABLE orders (id int PRIMARY KEY, a int)");
        db.execute("CREATE INDEX kept ON orders (a)");
        db.execute(&format!("CREATE INDEX twin ON orders (a) TABLESPACE \"{name}\" WHERE a > 0"));
        db.execute(&format!("CREATE INDEX twin_again ON orders (a) TABLESPACE \"{name}\" WHERE a > 0"));
        let report = judged(&db.url, "", &[]);
        assert_eq!(applied(&report), ["DROP INDEX CONCURRENTLY public.twin_again"], "{major}: {report:#}");
        let undo: Vec<&str> =
            list(list(&report, "proposals")[0], "undo").into_iter().filter_map(Value::as_str).collect();
        assert!(undo[0].contains(&format!("TABLESPACE \"{name}\" WHERE")), "{major}: {undo:?}");
        let places = "SELECT indexname::text, tablespace::text, indexdef FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1";
        let before = db.query_text(places);
        db.execute_each(&applied(&report));
        db.execute_each(&undo);
        assert_eq!(db.query_text(places), before, "{major}");
        let url = db.url.clone();
        drop(db);
        let maintenance = server.url("postgres");
        assert!(support::try_query(&url, "SELECT 1").is_err(), "the database is gone");
        support::execute(&maintenance, &format!("DROP TABLESPACE \"{name}\""));
    }
}

#[test]
fn a_rule_about_the_database_is_as_loud_as_the_team_wants() {
    for major in support::majors() {
        let db = support::database(major);
        db.execute("CREATE UNLOGGED TABLE cache (id int); INSERT INTO cache SELECT generate_series(1, 100)");
        db.execute("ANALYZE cache");
        let told = |config: &str| {
            let output = health(&db.url, config, &["--fail-on", "error"]);
            let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
            let severity = found(&report, "unlogged-table").first().map(|f| f["severity"].clone());
            (output.status.code(), severity)
        };
        assert_eq!(told(""), (Some(0), Some("info".into())), "{major}");
        assert_eq!(told("rules.unlogged-table = \"error\"\n"), (Some(1), Some("error".into())), "{major}");
        assert_eq!(told("rules.unlogged-table = \"off\"\n"), (Some(0), None), "{major}");
    }
}

/// The tables of pgbench at scale 1, as it leaves them.
const BENCH: &[&str] = &[
    "CREATE TABLE branches (bid int PRIMARY KEY, balance int, filler char(88))",
    "CREATE TABLE tellers (tid int PRIMARY KEY, bid int, balance int, filler char(84))",
    "CREATE TABLE accounts (aid int PRIMARY KEY, bid int, balance int, filler char(84))",
    "CREATE TABLE history (tid int, bid int, aid int, delta int, at timestamp)",
    "INSERT INTO branches VALUES (1, 0, '')",
    "INSERT INTO tellers SELECT i, 1, 0, '' FROM generate_series(1, 10) i",
    "INSERT INTO accounts SELECT i, 1, 0, '' FROM generate_series(1, 100000) i",
];

#[test]
fn of_a_server_as_it_comes_nothing_is_said() {
    for major in support::majors() {
        // What a server comes with, where ours comes without.
        let db = support::server_with(major, &[("autovacuum", "on"), ("fsync", "on")]).database();
        BENCH.iter().for_each(|sql| db.execute(sql));
        // What ANALYZE counts is right only once the session that loaded has told what it did.
        support::eventually("the rows are counted", || {
            let loaded = "SELECT pg_stat_get_tuples_inserted('accounts'::regclass)::text";
            db.query_text(loaded)[0][0].as_deref() == Some("100000")
        });
        db.execute("VACUUM ANALYZE");
        db.call(
            200,
            &[
                "UPDATE accounts SET balance = balance + 1 WHERE aid = $1",
                "UPDATE branches SET balance = balance + $1",
                "INSERT INTO history VALUES (1, 1, $1, 1, now())",
            ],
        );
        if major < 15 {
            // The collector's file may be half a second old, and nothing tells when it is not.
            std::thread::sleep(Duration::from_millis(700));
        }
        let output = of_any_server(&db.url, "", &[]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(list(&report, "findings"), Vec::<&Value>::new(), "{major}");
        let clean = list(&report, "clean");
        for rule in ["autovacuum-off", "crash-loses-data", "work-mem-exceeds-memory", "slot-retains-wal"] {
            assert!(
                clean.iter().any(|one| *one == rule),
                "{major}: {rule} is not clean: {}",
                report["skipped"]
            );
        }
    }
}

/// To a role that may not see since when others' transactions stand, that is not judged, and not clean.
fn unseen(db: &support::Database, config: &str) {
    let role = format!("plain_{}", db.name);
    db.execute(&format!("CREATE ROLE {role} LOGIN"));
    let TestServer::Local(server) = support::server_with(db.major, &[("max_prepared_transactions", "5")])
    else {
        return;
    };
    let socket = server.socket_dir().expect("a socket").display();
    let url = format!("host={socket} port={} dbname={} user={role}", server.port(), db.name);
    let report = judged(&url, config, &[]);
    assert!(found(&report, "transaction-holds-horizon").is_empty(), "{}: {report:#}", db.major);
    let needs = needs(&report, "transaction-holds-horizon");
    assert!(needs.starts_with("GRANT pg_read_all_stats"), "{}: {needs}", db.major);
    db.execute(&format!("DROP ROLE {role}"));
}

#[test]
fn ids_are_looked_at_in_every_database_and_the_oldest_tables_are_told() {
    // Twenty transactions are as good as two hundred million.
    let config = "[thresholds.transaction-ids-near-wraparound]\noverdue = 0.0000001\n";
    for major in support::majors() {
        let db = support::server_with(major, &[("max_prepared_transactions", "5")]).database();
        let at = |config: &str| {
            let report = judged(&db.url, config, &[]);
            let told = found(&report, "transaction-ids-near-wraparound").into_iter().cloned();
            told.collect::<Vec<Value>>()
        };
        let databases = |told: &[Value]| {
            let names = told.iter().map(|f| evidence(f, "database").as_str().unwrap_or("").to_owned());
            names.filter(|name| !name.is_empty()).collect::<Vec<String>>()
        };
        db.execute("DO $$ BEGIN FOR i IN 1..100 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$");
        // Nothing in it but catalogs, which were frozen when the server was made.
        let told = at(config);
        for name in [db.name.as_str(), "postgres", "template1"] {
            assert!(databases(&told).iter().any(|one| one == name), "{major} {name}: {told:#?}");
        }
        let here = told.iter().find(|f| evidence(f, "database") == db.name.as_str()).expect("this database");
        assert!(
            here["help"].as_str().is_some_and(|help| help.contains("it is a catalog")),
            "{major}: {here}"
        );
        let urgent = at(&format!("{config}error-age = 1\n"));
        assert!(urgent.iter().all(|f| f["severity"] == "error"), "{major}: {urgent:#?}");
        for number in 1..=12 {
            db.execute(&format!("CREATE TABLE t{number} (a int)"));
        }
        db.execute("DO $$ BEGIN FOR i IN 1..100 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$");
        let report = judged(&db.url, config, &[]);
        let told = found(&report, "transaction-ids-near-wraparound");
        let tables: Vec<&&Value> = told.iter().filter(|f| f["relation"].is_string()).collect();
        assert_eq!(tables.len(), 10, "{major}: {report:#}");
        let more =
            |f: &Value| f["what"].as_str().is_some_and(|what| what.contains("2 tables that are overdue too"));
        assert_eq!(tables.iter().filter(|f| more(f)).count(), 1, "{major}: {tables:#?}");
        assert_eq!(applied(&report).len(), 10, "{major}: each of them can be frozen");
    }
}
