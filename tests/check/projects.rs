//! Projects that are harder to tell apart: several folders, views, functions and roles, columns of another type.
//!
//! Refuses to repeat what the pages of the rules show.

use super::{Folder, Project, SCHEMAS, list, outcomes, support};
use std::collections::BTreeMap;

#[test]
fn folders_of_one_project_are_told_apart() {
    let folder = Folder::new();
    let files = [
        ("users/0001_init.sql", "CREATE TABLE u (id int);"),
        ("users/0002_more.sql", "ALTER TABLE u ADD COLUMN a int;"),
        ("shop/0001_init.sql", "CREATE TABLE s (id int);"),
    ];
    for (path, text) in files {
        folder.write(path, text);
        folder.write(&format!("base/{path}"), text);
    }
    folder.write("shop/0002_more.sql", "SET lock_timeout = '2s';\nDROP TABLE u;\n");
    let run = |args: &[&str]| folder.report(&[&["check"], args, &["--base", "base"]].concat());
    let report = run(&["users", "shop"]);
    let [only] = list(&report, "findings") else { panic!("{}", report["findings"]) };
    assert_eq!(
        (only["rule"].as_str(), only["location"]["path"].as_str()),
        (Some("drop-breaks-clients"), Some("shop/0002_more.sql"))
    );
    // A file by itself says nothing of the rest of its folder.
    let report = run(&["shop/0002_more.sql"]);
    assert!(list(&report, "findings").iter().all(|f| f["rule"] != "migration-history-rewritten"), "{report}");
}

#[test]
fn a_view_a_function_and_a_role_have_their_culprits() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    project.write(
        "queries.sql",
        "SELECT * FROM seen WHERE id = 1;\nSELECT twice(1), id FROM orders WHERE id = 1;\n",
    );
    project.write("migrations/0000_before.sql", "SELECT 1;");
    let schema = format!(
        "{};\nCREATE VIEW seen AS SELECT id, user_id FROM orders;\n\
         CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';\n",
        SCHEMAS[0].ddl
    );
    project.write("schema.sql", &schema);
    let role = format!("checker_{}", std::process::id());
    let report = project.report(&format!(
        "CREATE ROLE {role};\nSET lock_timeout = '2s';\nALTER TABLE orders ADD COLUMN x int;\nDROP VIEW seen;\n\
         ALTER TABLE orders ADD COLUMN y int;\nDROP FUNCTION twice(int);\nALTER TABLE orders ADD COLUMN z int;\n\
         GRANT SELECT ON orders TO {role};\n"
    ));
    let lines: BTreeMap<String, u64> = list(&report, "statements")
        .iter()
        .filter(|s| s["outcome"] == "broken")
        .map(|s| {
            (s["text"].as_str().unwrap_or_default().to_owned(), s["culprit"]["line"].as_u64().unwrap_or(0))
        })
        .collect();
    let lines: Vec<u64> = lines.into_values().collect();
    assert_eq!(lines, [4, 6], "{report}");
    // The role was of this check, and is gone with it.
    let left = project.db.query_text(&format!("SELECT 1::text FROM pg_roles WHERE rolname = '{role}'"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_column_of_another_type_keeps_no_values_of_the_old_one() {
    let db = support::database(support::majors()[0]);
    let ddl =
        "CREATE TYPE st AS ENUM ('a', 'b');\nCREATE TABLE t (id int, s st NOT NULL, v varchar(9), n int);\n";
    let data = "INSERT INTO t SELECT i, CASE WHEN i % 9 > 0 THEN 'a' ELSE 'b' END::st, i % 50, i % 50 \
                FROM generate_series(1, 20000) i";
    let pieces = pgproof::sql::split(ddl).expect("SQL");
    db.execute_each(&pieces.iter().map(|p| p.text.to_owned()).collect::<Vec<_>>());
    db.execute_each(&[data.to_owned(), "VACUUM ANALYZE t".to_owned()]);
    let project = Project { db, folder: tempfile::tempdir().expect("a folder") };
    project.write("schema.sql", ddl);
    project.write(
        "queries.sql",
        "SELECT id FROM t WHERE s = 'a';\nSELECT id FROM t WHERE v = '7';\nSELECT id FROM t WHERE n = '7';\n",
    );
    let packed = project.run(&["pack", "--quiet", "-o", "pack.json", "-d", &project.db.url]);
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    for retype in ["s TYPE text", "v TYPE int USING v::int", "v TYPE text", "n TYPE text", "n TYPE bigint"] {
        let report = project.report(&format!("ALTER TABLE t ALTER COLUMN {retype};\n"));
        assert!(outcomes(&report).len() == 3, "{retype}: {report}");
    }
}

/// A program that runs while the new one is deployed asks what the old files say.
#[test]
fn a_query_that_is_being_replaced_is_tried_as_it_was() {
    let folder = Folder::new();
    folder.write("db/migrations/1_a.sql", "CREATE TABLE t (id int, a int, b int);\n");
    folder.write(
        "db/queries/t.sql",
        "-- name: put :exec\nINSERT INTO t (id) VALUES ($1);\n\n-- name: get :one\nSELECT a FROM t WHERE id = $1;\n",
    );
    folder.write("db/queries/gone.sql", "-- name: all :many\nSELECT b FROM t;\n");
    folder.commit();
    folder.write(
        "db/migrations/2_b.sql",
        "SET lock_timeout = '1s';\nALTER TABLE t DROP COLUMN b;\nALTER TABLE t ADD COLUMN kind int NOT NULL DEFAULT 1;\n\
         ALTER TABLE t ALTER COLUMN kind DROP DEFAULT;\n",
    );
    // One is only moved, one is written anew, and one is gone.
    folder.write(
        "db/queries/t.sql",
        "-- name: get :one\nSELECT a FROM t WHERE id = $1;\n\n-- name: put :exec\nINSERT INTO t (id, kind) VALUES ($1, $2);\n",
    );
    std::fs::remove_file(folder.0.path().join("db/queries/gone.sql")).expect("removed");
    let db = support::database(support::majors()[0]);
    db.execute_each(&["CREATE TABLE t (id int, a int, b int)".to_owned()]);
    assert!(folder.run(&["pack", "--quiet", "-d", &db.url, "-o", "pack.json"]).status.success());
    let args = ["check", "db/migrations", "--base", "HEAD", "--queries", "db/queries"];
    let server = ["--server", &db.url, "--disposable"];
    // With a pack each query has values too, but for those of before.
    for more in [&[][..], &["--pack", "pack.json"]] {
        let report = folder.report(&[&args[..], &server, more].concat());
        let told: Vec<(&str, &str, u64)> = list(&report, "findings")
            .iter()
            .filter(|f| f["rule"] == "statement-breaks-query")
            .map(|f| {
                let text = |key: &str| f[key].as_str().unwrap_or_default();
                (text("severity"), text("what"), f["location"]["line"].as_u64().unwrap_or(0))
            })
            .collect();
        let says = |what: &str| {
            told.iter().find(|(_, said, _)| said.contains(what)).map(|(severity, _, line)| (*severity, *line))
        };
        assert_eq!(
            says("put, the query that db/queries/t.sql:2 has in HEAD fails"),
            Some(("warning", 4)),
            "{told:?}"
        );
        assert_eq!(
            says("all, the query that db/queries/gone.sql:2 has in HEAD can no"),
            Some(("warning", 2)),
            "{told:?}"
        );
        assert_eq!((told.len(), list(&report, "statements").len()), (2, 4), "{told:?}");
    }
}
