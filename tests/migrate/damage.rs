//! Files that are damaged, and servers that lack what migrations take for granted: what is said, and with which code.

use crate::support::{Database, database, majors};
use pgproof::migrate::{Framework, Migration, Problem, read};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// The migrations among files, and what is odd about these.
pub fn problems_of(framework: Framework, all: &[(&str, &str)]) -> (Vec<Migration>, Vec<Problem>) {
    read(&crate::files(all), framework).unwrap_or_else(|e| panic!("{e}: {}", e.causes().join(": ")))
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, bytes).expect("written");
}

const SCHEMA: &[u8] = b"CREATE TABLE t (id int PRIMARY KEY, n int);
    CREATE TABLE p (id int PRIMARY KEY, t_id int REFERENCES t DEFERRABLE INITIALLY DEFERRED);";

/// `check` of these files, `base/…` being those of the base.
fn check(db: &Database, files: &[(&str, &[u8])], more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "schema.sql", SCHEMA);
    files.iter().for_each(|(name, bytes)| put(folder.path(), name, bytes));
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args(["check", "m", "--quiet", "--format", "json", "--schema", "schema.sql"]);
    command.args(["--server", &db.url, "--disposable"]).args(more).current_dir(folder.path());
    if files.iter().any(|(name, _)| name.starts_with("base/")) {
        command.args(["--base", "base"]);
    }
    command.output().expect("run pgproof")
}

fn newest() -> Database {
    database(*majors().last().expect("a major"))
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// (code, words on either stream that must be there).
fn says(files: &[(&str, &[u8])], more: &[&str], code: i32, words: &[&str]) {
    let output = check(&newest(), files, more);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(output.status.code(), Some(code), "{files:?}\n{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "lacks {word}: {text}"));
}

#[test]
fn damaged_files_end_with_two_and_their_place() {
    for (bytes, words) in [
        (&b"SELECT 1;\nSELECT 'a;\n"[..], &["m/1.sql", "line 2", "never closed"][..]),
        (b"SELECT $x$ 1;\n", &["line 1", "dollar quote"]),
        (b"/* SELECT 1;\n", &["line 1", "comment"]),
        (b"SELECT '\xe9';\n", &["m/1.sql", "UTF-8"]),
        (b"SELECT 1;\0\n", &["line 1", "NUL"]),
        (b"SELECT 1;\nCOPY t FROM stdin;\n1\t2\n", &["line 2", "COPY"]),
    ] {
        says(&[("m/1.sql", bytes)], &[], 2, words);
    }
    says(&[("m/readme.txt", b"x")], &[], 2, &["no .sql file"]);
    says(&[("m/init.sql", b"SELECT 1;")], &["--framework", "flyway"], 2, &["none of the 1 files", "flyway"]);
    says(&[("m/1.sql", b"SELECT 1;")], &["--framework", "rails"], 2, &["known ones", "plain"]);
    let twice = [("m/1_a.up.sql", &b"SELECT 1;"[..]), ("m/01_b.up.sql", b"SELECT 1;")];
    says(&twice, &[], 2, &["one version"]);
}

#[test]
fn marks_and_line_ends_of_windows_move_no_line() {
    let output = check(
        &newest(),
        &[(
            "m/1.sql",
            b"\xef\xbb\xbfALTER TABLE t\r\n  ADD COLUMN z int;\r\nALTER TABLE nosuch ADD a int;\r\n",
        )],
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    let report = report(&output);
    let fails = &report["findings"][0];
    assert_eq!(
        (&fails["rule"], &fails["location"]["line"]),
        (&"migration-fails".into(), &3.into()),
        "{report}"
    );
}

#[test]
fn a_new_migration_that_fails_is_a_finding_and_one_of_the_base_is_not() {
    let bad: &[u8] = b"ALTER TABLE nosuch ADD a int;\n";
    says(&[("m/1.sql", bad)], &[], 1, &["migration-fails", "nosuch"]);
    says(&[("m/1.sql", bad), ("base/1.sql", bad)], &[], 3, &["base/1.sql", "line 1", "nosuch"]);
    let late: &[u8] = b"CREATE TABLE a (id int PRIMARY KEY);
CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
INSERT INTO b VALUES (7);\n";
    for framework in ["sqlx", "plain", "dbmate"] {
        let text = [if framework == "dbmate" { &b"-- migrate:up\n"[..] } else { b"" }, late].concat();
        let file = [("m/20240101000000_a.sql", &text[..])];
        says(&file, &["--framework", framework], 1, &["migration-fails", "foreign key"]);
    }
    let explicit = [b"BEGIN;\n", late, b"COMMIT;\n"].concat();
    says(&[("m/1.sql", &explicit)], &[], 1, &["migration-fails", "\"line\": 4"]);
}

/// Whether a statement about rows runs where tables are empty tells nothing of production.
#[test]
fn what_asks_for_rows_of_production_is_left_out_and_told() {
    let told = |files: &[(&str, &[u8])], more: &[&str], place: &str| {
        let output = check(&newest(), files, more);
        let report = report(&output);
        assert_eq!(output.status.code(), Some(0), "{report}");
        let gaps = report["gaps"].to_string();
        assert!(gaps.contains(place) && gaps.contains("where tables are empty"), "{gaps}");
        assert_eq!(report["gaps"].as_array().map(Vec::len), Some(1), "{gaps}");
        report
    };
    let asks: [&[u8]; 10] = [
        b"INSERT INTO p VALUES (1, 7) -- the first one\n;",
        b"WITH n AS (SELECT 7 AS n) INSERT INTO p SELECT 1, n FROM n;",
        b"INSERT INTO t (id) VALUES ((SELECT max(id) FROM t));",
        b"SELECT setval(pg_get_serial_sequence('s', 'id'), (SELECT count(*) FROM s));",
        b"DO $$ DECLARE r t; BEGIN SELECT * INTO STRICT r FROM t WHERE id = 1; END $$;",
        b"DO $$ BEGIN IF NOT EXISTS (SELECT FROM t) THEN RAISE EXCEPTION 'no rows'; END IF; END $$;",
        b"DO $$ BEGIN EXECUTE (SELECT string_agg(id::text, ',') FROM t); END $$;",
        b"SELECT 100 / count(*) FROM t;",
        b"DO $$ BEGIN EXECUTE format('ALTER TABLE s ALTER id SET DEFAULT %s', (SELECT max(id) FROM t)); END $$;",
        b"SET statement_timeout = '200ms'; DO $$ BEGIN WHILE (SELECT max(id) FROM t) IS NULL LOOP END LOOP; END $$; RESET statement_timeout;",
    ];
    let serial: &[u8] = b"CREATE TABLE s (id bigserial);\n";
    let after: &[u8] = b"\nALTER TABLE t DROP COLUMN n;\n";
    for ask in asks {
        for framework in ["plain", "sqlx", "dbmate"] {
            let up: &[u8] = if framework == "dbmate" { b"-- migrate:up\n" } else { b"" };
            let text = [up, serial, ask, after].concat();
            let name = "m/20240101000000_a.sql";
            let line = if framework == "dbmate" { 3 } else { 2 };
            let place = format!("_a.sql:{line}: ");
            let report = told(&[(name, &text)], &["--framework", framework], &place);
            let text = report["findings"].to_string();
            assert!(text.contains("drop-breaks-clients"), "{}: {text}", String::from_utf8_lossy(ask));
        }
        let first = [serial, ask].concat();
        told(
            &[("m/1.sql", &first), ("base/1.sql", &first), ("m/2.sql", b"ALTER TABLE t ADD a int;")],
            &[],
            "1.sql:2: ",
        );
    }
    // In a transaction that sqlx makes, what is put off to its end is found; circles close there.
    let circle: &[u8] = b"CREATE TABLE a (id int PRIMARY KEY, b int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
INSERT INTO b VALUES (1, 1);
INSERT INTO a VALUES (1, 1);";
    says(&[("m/20240101000000_a.sql", circle)], &["--framework", "sqlx"], 0, &["\"gaps\": []"]);
    let own: &[u8] = b"CREATE TABLE a (id int PRIMARY KEY);\nCREATE TABLE b (a int REFERENCES a);\nINSERT INTO b VALUES (1);";
    says(&[("m/1.sql", own)], &[], 1, &["migration-fails", "\"line\": 3"]);
    says(&[("m/1.sql", b"INSERT INTO t VALUES (NULL, 1);")], &[], 1, &["migration-fails"]);
    // What comes of it is not there for others: that is no finding, and has a remedy.
    let makes: &[u8] = b"DO $$ BEGIN ASSERT EXISTS (SELECT FROM t); CREATE TABLE u (id int); END $$;\nALTER TABLE u ADD a int;";
    says(&[("m/1.sql", makes)], &[], 3, &["line 2", "assertion failed", "tables are empty"]);
}

#[test]
fn what_this_server_lacks_is_made_or_left_out_and_told() {
    let extension: &[u8] = b"BEGIN;\nCREATE TABLE e (a int);\nCREATE EXTENSION no_such_extension;\nCOMMIT;\n";
    for files in [
        vec![("m/1.sql", extension), ("m/2.sql", &b"CREATE INDEX ON e (a);"[..])],
        vec![("m/1.sql", extension), ("base/1.sql", extension), ("m/2.sql", b"CREATE INDEX ON e (a);")],
    ] {
        let output = check(&newest(), &files, &[]);
        let report = report(&output);
        assert_eq!(output.status.code(), Some(0), "{report}");
        let gaps = report["gaps"].to_string();
        assert!(gaps.contains("1.sql:3: ") && gaps.contains("no_such_extension"), "{gaps}");
    }
    // Whether what follows would run nobody can say: that is no finding.
    let asks: &[u8] = b"CREATE EXTENSION no_such_extension; SELECT 1;\nCREATE TABLE g (g no_such_type(3));\n";
    let words = ["line ", "type \"no_such_type\"", "no_such_extension", "--postgres docker:IMAGE"];
    says(&[("m/1.sql", asks)], &[], 3, &words);
    let (first, second) = asks.split_at(46);
    says(&[("m/1.sql", first), ("base/1.sql", first), ("m/2.sql", second)], &[], 3, &words);
    let schema: &[u8] = b"CREATE EXTENSION no_such_extension;\nCREATE TABLE t (g no_such_type);\n";
    let needs: &[u8] = b"ALTER TABLE t ADD COLUMN a int;\n";
    says(&[("schema.sql", schema), ("m/1.sql", needs)], &[], 3, &["relation \"t\"", "no_such_extension"]);
    // The statement beside it on its line is run.
    let beside: &[u8] = b"CREATE EXTENSION no_such_extension; DROP TABLE nobody_made;\n";
    says(&[("m/1.sql", beside)], &[], 3, &["nobody_made"]);
    let roles: &[u8] = b"GRANT SELECT ON t TO pgproof_reader;\nALTER TABLE t OWNER TO \"Pgproof Owner\";\n";
    let made =
        ["\"findings\"", "a.sql:1: ERROR: role \\\"pgproof_reader\\\" does not exist; one was made here"];
    says(&[("m/20240101000000_a.sql", roles)], &["--framework", "sqlx"], 0, &made);
    // What the base names is there.
    let same = [("m/1.sql", roles), ("base/1.sql", roles), ("m/2.sql", roles)];
    says(&same, &[], 0, &["\"gaps\": []"]);
    says(&[("m/1.sql", b"DROP ROLE pgproof_nobody_made;\n")], &[], 1, &["migration-fails"]);
}

/// A loop that waits for rows would have no end: on both sides a statement runs half a minute at most.
#[test]
fn statements_have_a_timeout_whatever_a_migration_before_them_set() {
    let asks: &[u8] = b"DO $$ BEGIN IF current_setting('statement_timeout') <> '30s' THEN DROP TABLE nosuch; END IF; END $$;";
    let sets: &[u8] = b"SET statement_timeout = 0;";
    let new = [("m/1.sql", sets), ("m/2.sql", asks)];
    says(&new, &[], 0, &["\"gaps\": []"]);
    let base = [("base/1.sql", sets), ("base/2.sql", asks), ("m/3.sql", sets)];
    says(&[&new[..], &base].concat(), &[], 0, &["\"gaps\": []"]);
}

#[test]
fn roles_that_a_schema_names_go_with_the_run() {
    let db = newest();
    let schema = [SCHEMA, b"GRANT SELECT ON t TO pgproof_of_a_schema;"].concat();
    let files: [(&str, &[u8]); 2] =
        [("schema.sql", &schema), ("m/1.sql", b"REVOKE SELECT ON t FROM pgproof_of_a_schema;")];
    assert_eq!(report(&check(&db, &files, &[]))["gaps"].as_array().map(Vec::len), Some(0));
    assert!(
        db.query_text("SELECT rolname::text FROM pg_roles WHERE rolname = 'pgproof_of_a_schema'").is_empty()
    );
}

#[test]
fn a_quiet_run_says_that_something_was_not_seen() {
    let db = newest();
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "m/1.sql", b"SELECT 1 / count(*) FROM pg_class WHERE relname = 'nosuch';");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args(["check", "m", "--quiet", "--server", &db.url, "--disposable"]).current_dir(folder.path());
    let text = command.output().expect("run pgproof").stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("not seen: 1 thing"), "{text}");
}

#[test]
fn placeholders_reach_both_sides() {
    let (one, two): (&[u8], &[u8]) = (b"CREATE TABLE ${a} (n int);", b"ALTER TABLE ${a} DROP COLUMN n;");
    let files = [("base/V1__a.sql", one), ("m/V1__a.sql", one), ("m/V2__b.sql", two)];
    says(&files, &["--placeholder", "a=filled"], 0, &["public.filled.n is dropped"]);
    says(&files, &[], 2, &["base/V1__a.sql", "line 1", "--placeholder a=VALUE"]);
    says(&files, &["--placeholder", "a"], 2, &["--placeholder NAME=VALUE"]);
}

#[test]
fn a_migration_of_the_base_that_is_gone_or_edited_is_told() {
    let (one, two): (&[u8], &[u8]) = (b"CREATE TABLE a (id int);", b"CREATE TABLE a (id bigint);");
    let files = [("m/1.sql", two), ("base/1.sql", one), ("base/2.sql", b"SELECT 1;")];
    let words = ["m/1.sql", "base/2.sql", "1 migration of the base is gone, and 1 migration was edited"];
    says(&files, &[], 0, &words);
    says(&files, &[], 0, &["column id of public.a: integer where the base ran, bigint by the files"]);
    // A repeatable one runs again.
    let view: &[u8] = b"CREATE OR REPLACE VIEW v AS SELECT id FROM t;";
    let index: &[u8] = b"CREATE INDEX t_n ON t (n);";
    let files =
        [("m/V1__a.sql", one), ("base/V1__a.sql", one), ("m/R__v.sql", index), ("base/R__v.sql", view)];
    says(&files, &[], 0, &["index-not-concurrent"]);
}
