//! `pgproof health` on real servers: hard cases, what each role sees, and that every drop can be taken back.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod cases;
#[path = "../support/mod.rs"]
mod support;

use cases::{COVERED, Case, UNUSED};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Output};
use support::Database;

/// With no window, whatever was never scanned is unused.
const NO_WINDOW: &str = "[thresholds.unused-index]\nwindow-days = 0\nmin-size = 0\n";

/// Runs the binary as a user would; `config` is its pgproof.toml.
fn health(url: &str, config: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    // The tests' servers run without autovacuum and fsync.
    let ours = "rules.autovacuum-off = \"off\"\nrules.crash-loses-data = \"off\"\n";
    std::fs::write(folder.path().join("pgproof.toml"), format!("{ours}{config}"))
        .expect("write the settings");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args(["health", "--quiet", "-d", url]).args(args).current_dir(folder.path());
    command.output().expect("run pgproof")
}

fn judged(url: &str, config: &str, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
    let output = health(url, config, &args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {error}"))
}

fn list<'a>(report: &'a Value, key: &str) -> &'a [Value] {
    report[key].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A database with a schema for each case that this major has.
fn built(major: u32, cases: &[Case]) -> Database {
    let db = support::database(major);
    for (number, case) in cases.iter().enumerate().filter(|(_, case)| case.since <= major) {
        let mut statements = vec![format!("CREATE SCHEMA c{number}"), format!("SET search_path = c{number}")];
        statements.extend(pgproof::sql::split(case.ddl).expect("SQL").iter().map(|p| p.text.to_owned()));
        db.execute_each(&statements);
    }
    settled(&db);
    db
}

/// Waits until the sessions before this are gone and what they counted can be seen.
fn settled(db: &Database) {
    support::eventually("the sessions have ended", || {
        db.query_text("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
            == [[Some("0".to_owned())]]
    });
    if db.major < 15 {
        // The collector's file may be half a second old, and nothing tells when it is not.
        std::thread::sleep(std::time::Duration::from_millis(700));
    }
}

/// (schema, index, cover) of every drop that is proposed.
fn drops(report: &Value) -> BTreeSet<(String, String, String)> {
    let finding =
        |id: &str| list(report, "findings").iter().find(|f| text(&f["id"]) == id).expect("the finding");
    let name = |qualified: &str| {
        let parts = split_name(qualified);
        (parts[0].clone(), parts[1].clone())
    };
    let mut all = BTreeSet::new();
    for proposal in list(report, "proposals").iter().filter(|p| text(&p["kind"]) == "drop-index") {
        let found = finding(text(&proposal["answers"][0]));
        let (schema, index) = name(text(&found["index"]));
        let cover = list(found, "evidence").iter().find(|e| text(&e["label"]) == "covered by");
        let cover = cover.map_or(String::new(), |e| name(text(&e["value"])).1);
        assert!(!list(proposal, "undo").is_empty(), "no way back: {proposal}");
        assert_eq!(text(&proposal["applicability"]), "review");
        all.insert((schema, index, cover));
    }
    all
}

/// `schema.name` as it is, without quotes.
fn split_name(qualified: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for c in qualified.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => parts.last_mut().expect("a part").push(c),
        }
    }
    parts
}

fn expected(major: u32, cases: &[Case]) -> BTreeSet<(String, String, String)> {
    let mut all = BTreeSet::new();
    for (number, case) in cases.iter().enumerate().filter(|(_, case)| case.since <= major) {
        let one =
            |(index, cover): &(&str, &str)| (format!("c{number}"), (*index).to_owned(), (*cover).to_owned());
        all.extend(case.goes.iter().map(one));
    }
    all
}

fn compare(major: u32, cases: &[Case], report: &Value) {
    let (got, wanted) = (drops(report), expected(major, cases));
    let told = |(schema, index, cover): &(String, String, String)| {
        let case = &cases[schema[1..].parse::<usize>().expect("a case")];
        format!("{}: {index} because of `{cover}`\n    {}", case.name, case.ddl)
    };
    let wrong: Vec<String> = got.difference(&wanted).map(|one| format!("WRONG {}", told(one))).collect();
    let missed: Vec<String> = wanted.difference(&got).map(|one| format!("missed {}", told(one))).collect();
    assert!(
        wrong.is_empty() && missed.is_empty(),
        "PostgreSQL {major}\n{}\n{}",
        wrong.join("\n"),
        missed.join("\n")
    );
}

/// Every index with what its definition does not say.
const CATALOG: &str = "
SELECT pg_get_indexdef(i.indexrelid), i.indisvalid::text, i.indisclustered::text, i.indisreplident::text,
  obj_description(i.indexrelid, 'pg_class'), c.reltablespace::text, (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid),
  (SELECT string_agg(a.attnum || '=' || a.attstattarget, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";

fn statements(report: &Value, key: &str) -> Vec<String> {
    let proposals = list(report, "proposals").iter().filter(|p| text(&p["kind"]) == "drop-index");
    proposals.flat_map(|p| list(p, key)).map(|sql| text(sql).to_owned()).collect()
}

/// Applies every drop, expects none to be left, and takes all of them back.
fn there_and_back(db: &Database, config: &str, report: &Value) {
    let before = db.query_text(CATALOG);
    db.execute_each(&statements(report, "apply"));
    settled(db);
    let after = judged(&db.url, config, &[]);
    assert_eq!(drops(&after), BTreeSet::new(), "PostgreSQL {}: more to drop than was said", db.major);
    db.execute_each(&statements(report, "undo"));
    assert_eq!(db.query_text(CATALOG), before, "PostgreSQL {}", db.major);
}

#[test]
fn what_another_index_does_goes_and_nothing_else() {
    assert!(COVERED.len() + UNUSED.len() >= 40);
    for major in support::majors() {
        let db = built(major, COVERED);
        let report = judged(&db.url, "", &[]);
        compare(major, COVERED, &report);
        there_and_back(&db, "", &report);
    }
}

#[test]
fn what_nobody_reads_goes_and_nothing_else() {
    for major in support::majors() {
        let db = built(major, UNUSED);
        let report = judged(&db.url, NO_WINDOW, &[]);
        compare(major, UNUSED, &report);
        there_and_back(&db, NO_WINDOW, &report);
    }
}

/// The catalog of the privileges' test: a finding of every kind that needs a right.
const SHOP: &[&str] = &[
    "CREATE TABLE users (id int PRIMARY KEY, name text)",
    "CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, total int)",
    "INSERT INTO users SELECT i, 'name ' || i FROM generate_series(1, 2000) i",
    "INSERT INTO orders SELECT i, 1 + i % 1900, i FROM generate_series(1, 30000) i",
    "DELETE FROM users WHERE id > 1950",
    "CREATE INDEX by_total ON orders (total)",
    "CREATE INDEX by_total_again ON orders (total)",
    "CREATE INDEX broken ON users (name)",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass",
    // Sets reltuples, which shows everybody from 14 on whether a table was ever looked at.
    "VACUUM users",
    "VACUUM orders",
];

fn rules_of(report: &Value, key: &str) -> BTreeSet<String> {
    list(report, key).iter().map(|one| text(&one["rule"]).to_owned()).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The URL of a database for a role; everybody is trusted.
fn as_role(url: &str, role: &str) -> String {
    let config: tokio_postgres::Config = url.parse().expect("the server's URL");
    let host = match &config.get_hosts()[0] {
        tokio_postgres::config::Host::Tcp(host) => host.clone(),
        tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
    };
    let port = config.get_ports().first().map_or(5432, |port| *port);
    format!("host={host} port={port} dbname={} user={role}", config.get_dbname().expect("a database"))
}

#[test]
fn each_role_sees_what_it_may_and_is_told_what_it_may_not() {
    for major in support::majors() {
        let db = support::database(major);
        let (plain, monitor, owner) =
            (format!("plain_{}", db.name), format!("monitor_{}", db.name), format!("owner_{}", db.name));
        db.execute_each(SHOP);
        db.execute_each(&[
            format!("CREATE ROLE {plain} LOGIN"),
            format!("CREATE ROLE {monitor} LOGIN IN ROLE pg_monitor"),
            format!("CREATE ROLE {owner} LOGIN"),
            format!("ALTER TABLE users OWNER TO {owner}"),
            format!("ALTER TABLE orders OWNER TO {owner}"),
        ]);
        settled(&db);
        let structure = ["duplicate-index", "invalid-index", "foreign-key-without-index"];
        for (role, reads) in
            [(&plain, false), (&monitor, false), (&owner, true), (&"postgres".to_owned(), true)]
        {
            let report = judged(&as_role(&db.url, role), "", &[]);
            let (found, skipped) = (rules_of(&report, "findings"), rules_of(&report, "skipped"));
            // Without pg_stat_statements nobody knows the statements; nothing else is missing.
            let gaps: Vec<&str> = list(&report, "gaps").iter().map(|gap| text(&gap["what"])).collect();
            let known = gaps.iter().filter(|gap| gap.starts_with("which statements need the indexes"));
            assert_eq!((gaps.len(), known.count()), (1, 1), "{major} {role}: {gaps:?}");
            assert!(found.is_superset(&set(&structure)), "{major} {role}: {found:?}");
            assert_eq!(found.contains("never-analyzed"), reads, "{major} {role}: {found:?}");
            assert_eq!(skipped.contains("never-analyzed"), !reads, "{major} {role}: {skipped:?}");
            assert!(skipped.contains("unused-index"), "{major} {role}: the window is short: {skipped:?}");
            let owns = list(&report, "proposals").iter().flat_map(|p| list(p, "remarks"));
            let told = owns.filter(|remark| text(remark).contains("does not own")).count();
            assert_eq!(told == 0, reads, "{major} {role}: {told} remarks");
            let clean: BTreeSet<String> =
                list(&report, "clean").iter().map(|rule| text(rule).to_owned()).collect();
            assert!(clean.is_disjoint(&found) && clean.is_disjoint(&skipped), "{major} {role}");
        }
        for role in [&plain, &monitor] {
            db.execute(&format!("DROP ROLE {role}"));
        }
        db.execute(&format!("REASSIGN OWNED BY {owner} TO postgres; DROP ROLE {owner}"));
    }
}

#[test]
fn an_index_that_is_being_built_is_not_called_broken() {
    for major in support::majors() {
        let db = support::database(major);
        let plain = format!("builder_{}", db.name);
        db.execute_each(&[
            "CREATE TABLE t (a int)".to_owned(),
            "INSERT INTO t SELECT generate_series(1, 500)".to_owned(),
            "ANALYZE t".to_owned(),
            format!("CREATE ROLE {plain} LOGIN"),
        ]);
        // The build waits for this transaction, which may still see rows without it.
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let slow =
                    "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t; SELECT pg_sleep(25)";
                support::try_query(&db.url, slow).is_err()
            });
            let activity = |what: &str| {
                let sql = format!(
                    "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%{what}%' AND pid <> pg_backend_pid() AND datname = current_database()"
                );
                db.query_text(&sql)[0][0].as_deref() == Some("1")
            };
            support::eventually("the reader reads", || activity("pg_sleep(25)"));
            let building =
                scope.spawn(|| support::try_query(&db.url, "CREATE INDEX CONCURRENTLY slowly ON t (a)"));
            let waiting = "SELECT count(*)::text FROM pg_index WHERE NOT indisvalid";
            support::eventually("the build waits", || db.query_text(waiting)[0][0].as_deref() == Some("1"));
            let report = judged(&db.url, "", &[]);
            assert_eq!(list(&report, "findings").len(), 0, "{major}: {report}");
            assert!(list(&report, "clean").iter().any(|rule| text(rule) == "invalid-index"), "{major}");
            let report = judged(&as_role(&db.url, &plain), "", &[]);
            assert_eq!(list(&report, "findings").len(), 0, "{major}: {report}");
            assert!(rules_of(&report, "skipped").contains("invalid-index"), "{major}: {}", report["skipped"]);
            db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(25)%' AND pid <> pg_backend_pid()");
            assert!(reading.join().expect("the reader"), "it was ended");
            building.join().expect("the build").expect("it is built");
        });
        db.execute(&format!("DROP ROLE {plain}"));
    }
}
