//! What can go wrong with packs and twins, and what a pack must not tell.

use crate::schemas::SCHEMAS;
use crate::support;
use crate::{binaries, filled, ran};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The first major of this machine is as good as any here.
fn major() -> u32 {
    support::majors()[0]
}

/// A folder with the shop's schema and its pack.
fn packed() -> (support::Database, tempfile::TempDir) {
    let db = filled(major(), &SCHEMAS[0]);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("schema.sql"), SCHEMAS[0].ddl).expect("write");
    ran(&["pack", "--quiet", "-d", &db.url, "-o", "pack.json"], folder.path());
    (db, folder)
}

fn explaining(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.current_dir(folder);
    command.args(["explain", "--quiet", "--pack", "pack.json", "--schema", "schema.sql"]);
    if !more.contains(&"--postgres") && !more.contains(&"--server") {
        command.args(["--postgres", &binaries(major())]);
    }
    command.args(more);
    command
}

fn explain(folder: &Path, more: &[&str]) -> Output {
    explaining(folder, more).output().expect("run")
}

fn refused(output: &Output, code: i32, words: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    for word in words {
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn what_does_not_fit_is_said_and_leaves_no_server() {
    let (_db, folder) = packed();
    let at = |name: &str| folder.path().join(name);
    let pack = std::fs::read_to_string(at("pack.json")).expect("the pack");
    let query = "SELECT * FROM orders WHERE id = 1";

    std::fs::write(at("pack.json"), pack.replace("\"pgproof_pack\": 1", "\"pgproof_pack\": 2"))
        .expect("write");
    refused(&explain(folder.path(), &[query]), 2, &["its format is 2", "newer pgproof"]);

    std::fs::write(at("pack.json"), &pack[..pack.len() / 2]).expect("write");
    refused(&explain(folder.path(), &[query]), 2, &["read the pack pack.json", "pgproof pack"]);
    std::fs::write(at("pack.json"), &pack).expect("write");

    // All migrations are new, so that the pack has nothing to be of.
    std::fs::create_dir(at("m")).expect("made");
    std::fs::write(at("m/1.sql"), SCHEMAS[0].ddl).expect("write");
    let bin = binaries(major());
    let mut check = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    check.args(["check", "m", "--pack", "pack.json", "--postgres", &bin]).current_dir(folder.path());
    refused(&check.output().expect("run"), 2, &["has none of its 3 tables", "--base", "--schema"]);

    std::fs::write(at("schema.sql"), "CREATE TABLE another (id int);").expect("write");
    refused(&explain(folder.path(), &[query]), 2, &["has none of its 3 tables"]);

    std::fs::write(at("schema.sql"), "CREATE TABLE orders (id int);\n\nCREATE TABL x (id int);")
        .expect("write");
    refused(&explain(folder.path(), &[query]), 2, &["schema.sql:3"]);

    std::fs::write(at("schema.sql"), "CREATE TABLE orders (id int, note text DEFAULT 'it").expect("write");
    refused(&explain(folder.path(), &[query]), 2, &["line 1"]);
    std::fs::write(at("schema.sql"), SCHEMAS[0].ddl).expect("write");

    let nowhere = explain(folder.path(), &["--postgres", "/nonexistent/bin", query]);
    refused(&nowhere, 3, &["/nonexistent/bin", "help:"]);
    refused(&explain(folder.path(), &["--analyze", "always", query]), 2, &["holds no rows"]);
    refused(&explain(folder.path(), &["SELECT * FROM no_such_table"]), 2, &["no_such_table"]);
}

#[test]
fn roles_and_extensions_that_are_not_here_do_not_stop_a_twin() {
    let (_db, folder) = packed();
    let schema = format!(
        "\\restrict abc\nSET default_table_access_method = heap;\nCREATE EXTENSION no_such_extension;\n{}\n\
         ALTER TABLE orders OWNER TO \"the shop\";\nGRANT SELECT ON orders TO reader, \"Other\";\n\\unrestrict abc\n",
        SCHEMAS[0].ddl
    );
    std::fs::write(folder.path().join("schema.sql"), schema).expect("write");
    let output = explain(folder.path(), &["--format", "json", "SELECT * FROM orders WHERE id = 1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let gaps = report["gaps"].to_string();
    assert!(gaps.contains("no_such_extension") && gaps.contains("schema.sql:3"), "{gaps}");
    assert!(!gaps.contains("the shop"), "{gaps}");
}

#[test]
fn an_index_is_proposed_and_costed_without_touching_production() {
    let (db, folder) = packed();
    let query = "SELECT * FROM items WHERE quantity = 9 AND product = 7";
    let output = explain(folder.path(), &["--format", "json", query]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let proposals = report["proposals"].as_array().expect("proposals");
    for proposal in proposals {
        assert_eq!(proposal["verdict"]["method"], "twin", "{proposal}");
        assert!(proposal["verdict"]["build_ms"].is_null() || proposal["verdict"]["outcome"] != "confirmed");
    }
    let query = "SELECT id FROM orders WHERE note = 'x'";
    let output = explain(folder.path(), &["--format", "json", query]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["verdict"]["outcome"], "predicted", "{report}");
    let cost = |key: &str| proposal["expected"][key].as_f64().expect("a cost");
    assert!(cost("cost_after") * 10.0 < cost("cost_before"), "{proposal}");
    // What the source itself says once it has that index.
    let apply = proposal["apply"][0].as_str().expect("DDL").replace(" CONCURRENTLY", "");
    db.execute(&apply);
    let real = db.query_text(&format!("EXPLAIN (FORMAT JSON) {query}"))[0][0].clone().expect("a plan");
    let real: Value = serde_json::from_str(&real).expect("JSON");
    let real = real[0]["Plan"]["Total Cost"].as_f64().expect("a cost");
    let off = cost("cost_after") / real;
    assert!((0.8..1.25).contains(&off), "{} on the twin, {real} really", cost("cost_after"));
}

#[test]
fn a_given_server_is_used_only_when_it_is_disposable_and_left_as_it_was() {
    let (db, folder) = packed();
    let query = "SELECT * FROM orders WHERE id = 1";
    refused(&explain(folder.path(), &["--server", &db.url, query]), 2, &["--disposable"]);
    let databases = "SELECT datname::text FROM pg_database ORDER BY 1";
    // What a killed run left goes with the next one, and nothing else of that name does.
    db.execute_each(&[
        "CREATE DATABASE pgproof_left_behind_4194305".to_owned(),
        "COMMENT ON DATABASE pgproof_left_behind_4194305 IS 'pgproof 4194305'".to_owned(),
        "CREATE ROLE left_behind_4194305".to_owned(),
        "COMMENT ON ROLE left_behind_4194305 IS 'pgproof 4194305'".to_owned(),
        "CREATE DATABASE pgproof".to_owned(),
    ]);
    let output = explain(folder.path(), &["--server", &db.url, "--disposable", query]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after = db.query_text(databases);
    assert!(!after.iter().flatten().flatten().any(|name| name.starts_with("pgproof_")), "{after:?}");
    assert!(after.contains(&vec![Some("pgproof".to_owned())]), "{after:?}");
    let roles = db.query_text("SELECT 1::text FROM pg_roles WHERE rolname = 'left_behind_4194305'");
    assert!(roles.is_empty(), "{roles:?}");
    db.execute_each(&["DROP DATABASE pgproof".to_owned()]);
}

#[test]
fn what_a_killed_run_left_goes_with_the_next_one() {
    let (db, folder) = packed();
    let args = ["--server", &db.url, "--disposable", "SELECT * FROM orders WHERE id = 1"];
    let mut child =
        explaining(folder.path(), &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run");
    let made = format!(
        "SELECT datname::text FROM pg_database WHERE shobj_description(oid, 'pg_database') = 'pgproof {}'",
        child.id()
    );
    while db.query_text(&made).is_empty() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it was seen");
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(!db.query_text(&made).is_empty());
    // Until its connections are gone, it may be alive.
    let connected =
        format!("SELECT 1::text FROM pg_stat_activity WHERE application_name = 'pgproof {}'", child.id());
    while !db.query_text(&connected).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(explain(folder.path(), &args).status.success());
    assert!(db.query_text(&made).is_empty());
}

#[test]
fn a_redacted_pack_holds_no_value_and_keeps_the_plans() {
    let db = filled(major(), &SCHEMAS[2]);
    let folder = tempfile::tempdir().expect("a folder");
    let ddl = SCHEMAS[2].ddl;
    std::fs::write(folder.path().join("schema.sql"), ddl).expect("write");
    ran(&["pack", "--quiet", "-d", &db.url, "-o", "plain.json"], folder.path());
    ran(&["pack", "--quiet", "--redact", "-d", &db.url, "-o", "pack.json"], folder.path());
    ran(&["pack", "--quiet", "--redact", "-d", &db.url, "-o", "again.json"], folder.path());
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("the pack");
    let (plain, redacted) = (read("plain.json"), read("pack.json"));
    for value in ["Document 1", "region3", "city3", "term1", "lang", "2015-01-01"] {
        assert!(plain.contains(value), "{value} is in no statistics: this test is blind to it");
        assert!(!redacted.contains(value), "{value}");
    }
    assert!(
        redacted.contains("{published,archived") || redacted.contains("published"),
        "labels are the schema's"
    );
    assert_eq!(redacted, read("again.json"), "two packs of one database are equal");
    // Joins, groups and orders do not ask for a value: they plan as before.
    let queries = [
        "SELECT region, city, count(*) FROM documents GROUP BY region, city",
        "SELECT d.id, c.text FROM documents d JOIN comments c ON c.document = d.id WHERE d.state = 'draft'",
        "SELECT * FROM documents ORDER BY updated_at DESC LIMIT 20",
        "SELECT * FROM comments c JOIN documents d ON d.id = c.document ORDER BY c.id LIMIT 5",
    ];
    for query in queries {
        let output = explain(folder.path(), &["--prove", "off", "--format", "json", query]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let twin = report["statements"][0]["plans"][0]["total_cost"].as_f64().expect("a cost");
        let source = db.query_text(&format!("EXPLAIN (FORMAT JSON) {query}"))[0][0].clone().expect("a plan");
        let source: Value = serde_json::from_str(&source).expect("JSON");
        let ratio = twin / source[0]["Plan"]["Total Cost"].as_f64().expect("a cost");
        assert!((0.95..1.05).contains(&ratio), "{query}: x {ratio}");
    }
}

#[test]
fn a_pack_needs_the_owner_or_says_what_it_lacks() {
    for major in support::majors() {
        let db = support::database(major);
        db.execute(
            "CREATE TABLE t (id int PRIMARY KEY, kind text, tags text[]); \
             INSERT INTO t SELECT g, 'k' || g % 5, ARRAY['x' || g % 9] FROM generate_series(1, 5000) g; \
             CREATE STATISTICS s (ndistinct) ON id, kind FROM t; ANALYZE t",
        );
        let role = format!("packer_{major}_{}", std::process::id());
        db.execute(&format!("CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET search_path = public"));
        let url = db.url.replace("user=postgres", &format!("user={role}"));
        let folder = tempfile::tempdir().expect("a folder");
        let pack = || -> Value {
            let output = ran(&["pack", "--quiet", "-d", &url], folder.path());
            serde_json::from_slice(&output.stdout).expect("JSON")
        };
        let column = |pack: &Value| pack["relations"][0]["columns"].as_array().map_or(0, Vec::len);
        let stranger = pack();
        assert_eq!(column(&stranger), 0, "{major}");
        assert!(stranger["gaps"].to_string().contains("pg_read_all_data"), "{major}: {}", stranger["gaps"]);
        assert_eq!(stranger["relations"][0]["rows"], 5000.0, "sizes are everybody's");
        db.execute(&format!("ALTER TABLE t OWNER TO {role}"));
        let owner = pack();
        assert_eq!(column(&owner), 3, "{major}: {owner}");
        let whole: Value = {
            let output = ran(&["pack", "--quiet", "-d", &db.url], folder.path());
            serde_json::from_slice(&output.stdout).expect("JSON")
        };
        assert_eq!(owner["relations"][0]["columns"], whole["relations"][0]["columns"], "{major}");
        assert!(owner["gaps"].to_string().contains("extended"), "{major}");
        db.execute(&format!("ALTER TABLE t OWNER TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

#[test]
fn a_full_disk_ends_with_an_error_and_without_a_server() {
    // A filesystem of ten megabytes: initdb alone needs more. Where none can be mounted there is nothing to see.
    let small = tempfile::tempdir().expect("a folder");
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=10m", "tmpfs"]).arg(small.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        return;
    }
    let (_db, folder) = packed();
    let bin = binaries(major());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args([
        "explain",
        "--quiet",
        "--pack",
        "pack.json",
        "--schema",
        "schema.sql",
        "--postgres",
        &bin,
        "SELECT 1",
    ]);
    let output =
        command.env("TMPDIR", small.path()).current_dir(folder.path()).output().expect("run pgproof");
    let left = std::fs::read_dir(small.path()).expect("the folder").count();
    let _ = Command::new("umount").arg(small.path()).status();
    refused(&output, 3, &["error:"]);
    assert_eq!(left, 0, "a server's folder is left");
}
