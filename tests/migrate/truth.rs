//! What DDL locks, rewrites, reads and builds, row by row, on every major.
//!
//! A row tells all that happens to tables of before, and nothing else may. Of views, indexes and sequences it tells what
//! it is about.

use crate::support::{database, majors};
use crate::{migrations, traced, words};
use pgproof::migrate::Framework;
use std::ops::RangeInclusive;
use std::sync::Mutex;

/// What is there before each statement. All tables are empty: what is counted is that they are read. The other side of a
/// foreign key is not, where nothing refers to it.
const BASE: &str = "
    CREATE TABLE p (id int PRIMARY KEY, code int);
    CREATE TABLE t (id int PRIMARY KEY, n int, nn int NOT NULL, s varchar(10), x text, m numeric(10,2), ts timestamp,
        p_id int, checked int, CONSTRAINT t_checked CHECK (checked IS NOT NULL));
    CREATE INDEX t_s ON t (s);
    CREATE UNIQUE INDEX t_nn ON t (nn);
    CREATE UNIQUE INDEX t_n ON t (n);
    CREATE TABLE c (id int PRIMARY KEY, p_id int CONSTRAINT c_p REFERENCES p, seen int CONSTRAINT c_seen CHECK (seen > 0));
    CREATE TABLE seen (a int, b int);
    CREATE VIEW v AS SELECT a FROM seen;
    CREATE MATERIALIZED VIEW mv AS SELECT id FROM p;
    CREATE UNIQUE INDEX mv_id ON mv (id);
    CREATE TABLE parted (id int NOT NULL, at int) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
    CREATE TABLE loose (id int NOT NULL, at int);
    CREATE TABLE fitting (id int NOT NULL CHECK (id >= 10 AND id < 20), at int);
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE TABLE moods (m mood);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN plain AS int;
    CREATE TABLE domained (a plain);
    CREATE SEQUENCE numbers;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touched BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE UNLOGGED TABLE unlogged (a int);
    CREATE ROLE pgproof_truth";

/// A statement and what it does.
struct Row {
    sql: &'static str,
    /// As [`words`] writes it, joined by commas; in brackets what is no table.
    does: &'static str,
    majors: RangeInclusive<u32>,
}

const fn row(sql: &'static str, does: &'static str) -> Row {
    Row { sql, does, majors: 13..=18 }
}

const fn on(majors: RangeInclusive<u32>, sql: &'static str, does: &'static str) -> Row {
    Row { sql, does, majors }
}

const ROWS: &[Row] = &[
    // Columns.
    row("ALTER TABLE t ADD COLUMN a int", "t AX"),
    row("ALTER TABLE t ADD COLUMN a int DEFAULT 7", "t AX"),
    row("ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 7", "t AX"),
    row("ALTER TABLE t ADD COLUMN a timestamptz NOT NULL DEFAULT now()", "t AX"),
    row("ALTER TABLE t ADD COLUMN a timestamptz DEFAULT clock_timestamp()", "t AX rewrite scan"),
    row("ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()", "t AX rewrite scan"),
    row("ALTER TABLE t ADD COLUMN a serial", "t AX rewrite scan"),
    row("ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS IDENTITY", "t AX rewrite scan"),
    row("ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (n * 2) STORED", "t AX rewrite scan"),
    on(18..=18, "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (n * 2) VIRTUAL", "t AX"),
    row("ALTER TABLE t ADD COLUMN a positive", "t AX rewrite scan"),
    row("ALTER TABLE t ADD COLUMN a plain", "t AX"),
    row("ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", "t AX scan"),
    row("ALTER TABLE t ADD COLUMN a int DEFAULT 7 CHECK (a > 0)", "t AX scan"),
    row("ALTER TABLE t ADD COLUMN a int REFERENCES p", "p SRX, t AX"),
    row("ALTER TABLE t ADD COLUMN a int DEFAULT 7 REFERENCES p", "p SRX, t AX scan"),
    row("ALTER TABLE t ADD COLUMN a int UNIQUE", "t AX scan build"),
    row("ALTER TABLE t DROP COLUMN x", "t AX"),
    row("ALTER TABLE t ALTER COLUMN nn DROP NOT NULL", "t AX"),
    row("ALTER TABLE t ALTER COLUMN n SET DEFAULT 5", "t AX"),
    row("ALTER TABLE t ALTER COLUMN n TYPE bigint", "t AX rewrite scan"),
    row("ALTER TABLE t ALTER COLUMN s TYPE varchar(20)", "t AX"),
    row("ALTER TABLE t ALTER COLUMN s TYPE text", "t AX"),
    row("ALTER TABLE t ALTER COLUMN m TYPE numeric(12,2)", "t AX"),
    row("ALTER TABLE t ALTER COLUMN m TYPE numeric", "t AX"),
    row("ALTER TABLE t ALTER COLUMN s TYPE varchar(5)", "t AX rewrite scan"),
    row("ALTER TABLE t ALTER COLUMN x TYPE varchar(50)", "t AX rewrite scan"),
    row("ALTER TABLE t ALTER COLUMN m TYPE numeric(12,3)", "t AX rewrite scan"),
    row("SET timezone = 'UTC'; ALTER TABLE t ALTER COLUMN ts TYPE timestamptz", "t AX"),
    row(
        "SET timezone = 'Europe/Berlin'; ALTER TABLE t ALTER COLUMN ts TYPE timestamptz",
        "t AX rewrite scan",
    ),
    row("ALTER TABLE seen ALTER COLUMN a TYPE bigint", "fails 0A000"),
    row("ALTER TABLE t ALTER COLUMN n SET NOT NULL", "t AX scan"),
    row("ALTER TABLE t ALTER COLUMN checked SET NOT NULL", "t AX"),
    on(18..=18, "ALTER TABLE t ADD CONSTRAINT t_n_nn NOT NULL n NOT VALID", "t AX"),
    // Constraints.
    row("ALTER TABLE t ADD CONSTRAINT k CHECK (n > 0)", "t AX scan"),
    row("ALTER TABLE t ADD CONSTRAINT k CHECK (n > 0) NOT VALID", "t AX"),
    row(
        "ALTER TABLE t ADD CONSTRAINT k CHECK (n > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k",
        "t SUX scan",
    ),
    row("ALTER TABLE c DROP CONSTRAINT c_seen", "c AX"),
    row("ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p", "p SRX, t SRX scan"),
    row("ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p NOT VALID", "p SRX, t SRX"),
    row(
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k",
        "p RS, t SUX scan",
    ),
    row("ALTER TABLE c DROP CONSTRAINT c_p", "c AX, p AX"),
    row("ALTER TABLE t ADD CONSTRAINT k UNIQUE (p_id)", "t AX scan build"),
    row("ALTER TABLE t ADD CONSTRAINT k EXCLUDE (p_id WITH =)", "t AX scan build"),
    row("ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX t_nn", "t AX"),
    row("ALTER TABLE seen ADD PRIMARY KEY (a)", "seen AX scan build"),
    row("ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY USING INDEX t_nn", "t AX"),
    row("ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY USING INDEX t_n", "t AX scan"),
    // Tables.
    row("CREATE TABLE new (id int REFERENCES p)", "p SRX"),
    row("DROP TABLE c", "c AX gone, p AX"),
    row("CREATE TABLE new AS SELECT * FROM t", "t AS scan"),
    row("CREATE TABLE new (LIKE t INCLUDING ALL)", "t AS"),
    row("ALTER TABLE t RENAME TO other", "t AX"),
    row("ALTER TABLE t RENAME COLUMN n TO other", "t AX"),
    row("ALTER TABLE c RENAME CONSTRAINT c_seen TO other", "c AX"),
    row("ALTER TABLE t OWNER TO pgproof_truth", "t AX"),
    row("ALTER TABLE t REPLICA IDENTITY FULL", "t AX"),
    row("CREATE SCHEMA other; ALTER TABLE t SET SCHEMA other", "t AX"),
    row("ALTER TABLE t ALTER COLUMN x SET STORAGE EXTERNAL", "t AX"),
    on(14..=18, "ALTER TABLE t ALTER COLUMN x SET COMPRESSION pglz", "t AX"),
    on(15..=18, "ALTER TABLE t SET ACCESS METHOD heap", "t AX"),
    row("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "t AX"),
    row("CREATE POLICY own ON t USING (true)", "t AX"),
    row("CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "t AX"),
    row("ALTER TABLE t ALTER COLUMN n SET STATISTICS 500", "t SUX"),
    row("CREATE STATISTICS st ON n, nn FROM t", "t SUX"),
    row("ALTER TABLE t SET (fillfactor = 70)", "t SUX"),
    row("ALTER TABLE t SET (autovacuum_enabled = off)", "t SUX"),
    row("ALTER TABLE t CLUSTER ON t_s", "t SUX"),
    row("COMMENT ON TABLE t IS 'x'", "t SUX"),
    row("CREATE PUBLICATION pub FOR TABLE t", "t SUX"),
    row("ANALYZE t", "t SUX"),
    row("VACUUM t", "t SUX"),
    row("VACUUM FULL t", "t AX rewrite scan"),
    row("CLUSTER t USING t_s", "t AX rewrite scan"),
    row("ALTER TABLE t SET UNLOGGED", "t AX rewrite scan"),
    row("ALTER TABLE unlogged SET LOGGED", "unlogged AX rewrite scan"),
    row("TRUNCATE t", "t AX rewrite scan"),
    row("LOCK TABLE t IN EXCLUSIVE MODE", "t X"),
    on(13..=17, "GRANT SELECT ON t TO pgproof_truth", ""),
    on(18..=18, "GRANT SELECT ON t TO pgproof_truth", "t AS"),
    // Partitions.
    row("CREATE TABLE new PARTITION OF parted FOR VALUES FROM (20) TO (30)", "parted AX"),
    on(14..=18, "ALTER TABLE parted DETACH PARTITION parted_1", "parted AX, parted_1 AX"),
    on(13..=13, "ALTER TABLE parted DETACH PARTITION parted_1", "parted AX, parted_1 SUX"),
    row("DROP TABLE parted_1", "parted AX, parted_1 AX gone"),
    row(
        "ALTER TABLE parted ATTACH PARTITION loose FOR VALUES FROM (10) TO (20)",
        "loose AX scan, parted SUX",
    ),
    row("ALTER TABLE parted ATTACH PARTITION fitting FOR VALUES FROM (10) TO (20)", "fitting AX, parted SUX"),
    // And AX on the partition, for the moment of its last step, which nothing here can make last.
    on(14..=18, "ALTER TABLE parted DETACH PARTITION parted_1 CONCURRENTLY", "parted SUX, parted_1 AX"),
    row("CREATE INDEX i ON parted (at)", "parted S build, parted_1 S scan build"),
    row("CREATE INDEX i ON ONLY parted (at)", "parted S build"),
    // Indexes.
    row("CREATE INDEX i ON t (x)", "t S scan build"),
    row("CREATE INDEX CONCURRENTLY i ON t (x)", "t SUX scan build"),
    row("DROP INDEX t_s", "t AX, (t_s AX gone)"),
    row("DROP INDEX CONCURRENTLY t_s", "t SUX, (t_s SUX gone)"),
    row("REINDEX INDEX t_s", "t S scan, (t_s AX rewrite)"),
    row("REINDEX TABLE t", "t S scan, (t_s AX rewrite)"),
    row("REINDEX INDEX CONCURRENTLY t_s", "t SUX scan"),
    row("ALTER INDEX t_s RENAME TO other", "(t_s SUX)"),
    // Triggers, views, types, functions, sequences.
    row("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch()", "t SRX"),
    row("ALTER TABLE c DISABLE TRIGGER touched", "c SRX"),
    row("DROP TRIGGER touched ON c", "c AX"),
    row("DROP FUNCTION touch() CASCADE", "c AX"),
    row("CREATE OR REPLACE VIEW v AS SELECT a, b FROM seen", "seen AS, (v AX)"),
    row("REFRESH MATERIALIZED VIEW mv", "mv AX rewrite scan, p AS scan"),
    row("REFRESH MATERIALIZED VIEW CONCURRENTLY mv", "mv X scan, p AS scan"),
    row("ALTER DOMAIN plain ADD CHECK (VALUE > 0)", "domained S scan"),
    row("ALTER DOMAIN plain ADD CHECK (VALUE > 0) NOT VALID", ""),
    row("ALTER TYPE mood ADD VALUE 'calm'", ""),
    row("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", ""),
    row("ALTER SEQUENCE numbers RESTART", "(numbers SRX rewrite)"),
    // Rows.
    row("UPDATE t SET n = 1", "t RX scan rows"),
    row("DELETE FROM t", "t RX scan rows"),
    row("UPDATE t SET n = 1 WHERE id = 5", "t RX rows"),
    row("INSERT INTO t (id, nn, checked) VALUES (1, 1, 1)", "t RX"),
    row("DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN a serial'; END $$", "t AX rewrite scan"),
];

#[test]
fn each_row_of_the_table_is_true_on_every_major() {
    let wrong = Mutex::new(Vec::new());
    let jobs: Vec<(u32, &Row)> = majors()
        .into_iter()
        .flat_map(|m| ROWS.iter().filter(move |r| r.majors.contains(&m)).map(move |r| (m, r)))
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(&(major, row)) =
                    jobs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    if let Some(line) = differs(major, row) {
                        wrong.lock().expect("no thread panicked").push(line);
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().expect("no thread panicked");
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), jobs.len(), wrong.join("\n"));
}

fn differs(major: u32, row: &Row) -> Option<String> {
    let db = database(major);
    let base: Vec<&str> = BASE.split(";\n").collect();
    let base: Vec<&str> = base.into_iter().filter(|sql| !sql.contains("CREATE ROLE")).collect();
    db.execute_each(&base);
    db.execute(
        "DO $$ BEGIN CREATE ROLE pgproof_truth; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    );
    let all = traced(&db, &migrations(Framework::Plain, &[("1.sql", row.sql)]));
    let last = all.last().expect("a statement was traced");
    let told = match &last.failure {
        Some(failure) => format!("fails {}", failure.sqlstate.as_deref().unwrap_or("-")),
        None => {
            let mut told: Vec<String> = last.effects.iter().filter(|e| e.table).map(words).collect();
            told.sort();
            let others: Vec<String> =
                last.effects.iter().filter(|e| !e.table).map(|e| format!("({})", words(e))).collect();
            told.extend(row.does.split(", ").filter(|w| others.iter().any(|o| o == w)).map(str::to_owned));
            told.join(", ")
        }
    };
    (told != row.does)
        .then(|| format!("{major}: {}\n      expected {}\n           got {told}", row.sql, row.does))
}
