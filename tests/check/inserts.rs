//! INSERTs that are planned and cannot be executed, on the oldest and the newest major.
//!
//! Refuses to look at other statements.

use super::{Folder, list, support};

const BASE: &str = "
CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, gone int, note text);
ALTER TABLE t DROP COLUMN gone;
CREATE TABLE p (id bigint, day date NOT NULL, v int) PARTITION BY RANGE (day);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW tv AS SELECT id, a FROM t;
CREATE TABLE src (a int, n text);
CREATE TABLE filled (a int, b int);
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := 1; RETURN NEW; END $$;
CREATE TRIGGER fill BEFORE INSERT ON filled FOR EACH ROW EXECUTE FUNCTION fill();
CREATE TABLE always (a int, b int NOT NULL);
";

const NEW: &str = "
SET lock_timeout = '2s';
ALTER TABLE t ALTER note SET NOT NULL;
ALTER TABLE p ADD COLUMN k int NOT NULL DEFAULT 1;
ALTER TABLE p ALTER k DROP DEFAULT;
ALTER TABLE filled ALTER b SET NOT NULL;
ALTER TABLE src ADD CONSTRAINT written CHECK (n IS NOT NULL) NOT VALID;
";

/// Those that leave out what they have to fill, however they say it.
const BREAK: [&str; 12] = [
    "INSERT INTO t (a) VALUES (1), (2)",
    "INSERT INTO t (a) SELECT a FROM src WHERE a > $1",
    "INSERT INTO t (a) SELECT 1 UNION ALL SELECT 2",
    "WITH x AS (INSERT INTO t (a) VALUES ($1) RETURNING id) SELECT id FROM x",
    "INSERT INTO tv (a) VALUES ($1)",
    "INSERT INTO t (a) VALUES ($1) ON CONFLICT (id) DO UPDATE SET a = 2",
    "INSERT INTO t (a, note) VALUES ($1, NULL)",
    "INSERT INTO t (a, note) VALUES ($1, DEFAULT)",
    "INSERT INTO p (id, day) VALUES ($1, $2)",
    "INSERT INTO p1 (id, day) VALUES ($1, $2)",
    "INSERT INTO t DEFAULT VALUES",
    "INSERT INTO src (a) VALUES ($1)",
];

/// Those that fill it, those of which nobody can say, and one that never ran.
const STAY: [&str; 7] = [
    "INSERT INTO t (a, note) VALUES ($1, $2)",
    "INSERT INTO t (a, note) SELECT a, n FROM src ORDER BY a LIMIT 10",
    "INSERT INTO p VALUES ($1, $2, $3, $4)",
    "INSERT INTO t (note) VALUES (COALESCE(NULL, $1))",
    "INSERT INTO filled (a) VALUES ($1)",
    "INSERT INTO always (a) VALUES ($1)",
    "INSERT INTO src (a, n) VALUES ($1, $2)",
];

#[test]
fn an_insert_that_leaves_out_what_takes_no_null_is_broken() {
    let majors = support::majors();
    for major in [majors.first(), majors.last()].into_iter().flatten() {
        let db = support::database(*major);
        let folder = Folder::new();
        folder.write("base/1.sql", BASE);
        folder.write("head/1.sql", BASE);
        folder.write("head/2.sql", NEW);
        let queries: String = BREAK.iter().chain(&STAY).map(|query| format!("{query};\n")).collect();
        folder.write("queries.sql", &queries);
        let args = [
            "check",
            "head",
            "--base",
            "base",
            "--queries",
            "queries.sql",
            "--server",
            &db.url,
            "--disposable",
        ];
        let report = folder.report(&args);
        let broken: Vec<&str> = list(&report, "statements")
            .iter()
            .filter(|statement| statement["outcome"] == "broken")
            .filter_map(|statement| statement["text"].as_str())
            .collect();
        assert_eq!(broken, BREAK, "{major}");
    }
}
