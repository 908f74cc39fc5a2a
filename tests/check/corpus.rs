//! Queries out of a server's logs and out of `.sqlx`, as `fixtures/corpus/record` recorded them.

use super::{Project, list, outcomes, schemas::Schema, support};
use pgproof::corpus::{Query, is_log, merged, read};
use std::path::{Path, PathBuf};

const SHOP: Schema = Schema {
    name: "logged",
    ddl: include_str!("../../fixtures/corpus/schema.sql"),
    data: include_str!("../../fixtures/corpus/data.sql"),
    queries: &[],
};

const LOGS: &[&str] = &[
    "stderr.log",
    "csvlog.csv",
    "jsonlog.json",
    "syslog.log",
    "statement.log",
    "auto_explain.log",
    "auto_explain-json.log",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(name)
}

fn queries(name: &str) -> (Vec<Query>, Vec<String>) {
    let text = std::fs::read_to_string(fixture(name)).expect(name);
    assert!(is_log(&text), "{name}");
    let mut skipped = Vec::new();
    let queries = read(name, &text, &mut skipped).unwrap_or_else(|e| panic!("{name}: {:?}", e.causes()));
    (queries, skipped.into_iter().map(|s| s.why).collect())
}

#[test]
fn every_form_of_a_log_tells_the_same_queries() {
    let first = "SELECT id, total\nFROM orders\nWHERE user_id = 42\n  AND status = 'it''s \"open\", \\n'\nORDER BY \
                 created_at DESC LIMIT 20";
    for name in LOGS {
        let (queries, skipped) = queries(name);
        // The fourth ran in the extended protocol, three times: it was parsed once and bound three times.
        let words: Vec<&str> = queries.iter().map(|q| &q.text[..12]).collect();
        assert_eq!(words, ["SELECT id, t", "SELECT u.ema", "UPDATE order", "SELECT count"], "{name}");
        assert_eq!(queries[0].text, first, "{name}");
        assert_eq!(queries[0].places.len(), 2, "{name}");
        assert_eq!(queries[3].places.len(), 3, "{name}");
        assert_eq!(queries[3].text, "SELECT count(*)\n\tFROM orders WHERE user_id = $1", "{name}");
        let others = match name.starts_with("auto_explain") {
            true => "1 logged statement is none that could be planned: EXPLAIN",
            false => {
                "5 logged statements are none that could be planned: BEGIN, COMMIT, CREATE, EXPLAIN, SET"
            }
        };
        assert_eq!(skipped, [others], "{name}");
    }
    let all = merged(LOGS.iter().flat_map(|name| queries(name).0).collect());
    assert_eq!(all.len(), 4);
}

#[test]
fn a_logged_query_that_loses_its_index_is_told_with_its_place() {
    let project = Project::of(support::majors()[0], &SHOP);
    let log = std::fs::read_to_string(fixture("stderr.log")).expect("the log");
    // The server has another database, with tables of its own.
    let elsewhere = log.replace("orders", "invoices").replace("users", "customers");
    project.write("logs/app.log", &format!("{log}{elsewhere}"));
    project.write("logs/other.log", "an application's own line\n");
    project.write("logs/data.csv", "id,name\n1,a\n");
    // The same query, named, is that of the log.
    project.write("queries.sql", "-- name: of_user\nselect count(*) from orders where user_id = @id;\n");
    let output = project.check(
        "SET lock_timeout = '2s';\nDROP INDEX orders_user;\n",
        &["--queries", "logs", "--format", "json", "--fail-on", "never"],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let outcomes = outcomes(&report);
    let regressed: Vec<&str> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.as_str() == "regressed")
        .map(|(text, _)| &text[..12])
        .collect();
    assert_eq!(outcomes.values().filter(|outcome| *outcome != "unplanned").count(), 4, "{outcomes:?}");
    assert!(list(&report, "findings").iter().all(|f| f["rule"] != "queries-unplanned"), "{report}");
    assert!(report["gaps"].to_string().contains("those of other databases"), "{}", report["gaps"]);
    assert_eq!(regressed, ["SELECT id, t", "select count"], "{outcomes:?}");
    let findings = serde_json::to_string(&report["findings"]).expect("JSON");
    assert!(findings.contains("of_user") && findings.contains("logs/app.log"), "{findings}");
    let gaps: Vec<&str> = list(&report, "gaps").iter().filter_map(|gap| gap["what"].as_str()).collect();
    let told: Vec<&&str> = gaps.iter().filter(|gap| gap.starts_with("logs/")).collect();
    assert_eq!(told.len(), 1, "{gaps:?}");

    let damaged = |name: &str, text: &[u8], said: &str| {
        std::fs::write(project.folder.path().join(name), text).expect("written");
        let output = project.check("SELECT 1;\n", &["--queries", name]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(name) && error.contains(said) && error.contains("help"), "{error}");
    };
    damaged("cut.log", b"[1] LOG:  statement: SELECT 1\n[1] LOG:  statement: SELECT 'x\n", "line 2");
    damaged("none.log", b"[1] LOG:  checkpoint starting: time\n", "line 1");
    damaged("other.log", b"an application's own line\n", "line 1");
    damaged("binary.log", b"[1] LOG:  statement: SELECT 1\n\xff\xfe\0\n", "line 2");
}

#[test]
fn types_of_sqlx_are_asked_with_where_the_server_cannot_tell_them() {
    for major in support::majors() {
        let project = Project::of(major, &SHOP);
        for file in std::fs::read_dir(fixture(".sqlx")).expect("the folder") {
            let file = file.expect("a file").path();
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&file).expect("JSON");
            project.write(&format!(".sqlx/{name}"), &text);
            let untyped = text.replace("\"Left\"", "\"Unknown\"");
            project.write(&format!("untyped/{name}"), &untyped);
        }
        project.write("queries.sql", "");
        let planned = |folder: &str| {
            let more = ["--queries", folder, "--format", "json", "--fail-on", "never"];
            let output = project.check("SET lock_timeout = '2s';\nDROP INDEX orders_user;\n", &more);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let all: Vec<String> = outcomes(&report).into_values().collect();
            // Each query that got worse is advised on, with or without types of its own.
            let advised = list(&report, "proposals").iter().filter(|p| p["kind"] == "create-index");
            let advised: usize = advised.filter_map(|p| p["answers"].as_array()).map(Vec::len).sum();
            let worse = all.iter().filter(|outcome| *outcome == "regressed").count();
            // Without types, 16 and later plan what they will not prepare.
            assert!(
                folder != ".sqlx" || advised >= worse,
                "{major}: {advised} of {worse}: {}",
                report["proposals"]
            );
            all
        };
        assert_eq!(planned(".sqlx"), ["unchanged", "unchanged", "regressed", "regressed"], "{major}");
        let untyped = planned("untyped");
        // From 16 on, EXPLAIN (GENERIC_PLAN) lets a parameter be of no type at all.
        let unplanned = if major < 16 { 3 } else { 1 };
        let count = untyped.iter().filter(|outcome| *outcome == "unplanned").count();
        assert_eq!(count, unplanned, "{major}: {untyped:?}");
    }
}
