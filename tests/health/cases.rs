//! Hard cases: DDL, and which of its indexes may go because of which. Every index that is not named must stay.

/// One schema of its own.
pub struct Case {
    pub name: &'static str,
    /// The first major that has what it needs.
    pub since: u32,
    pub ddl: &'static str,
    /// (index, the one that does its work): exactly these may go.
    pub goes: &'static [(&'static str, &'static str)],
}

const fn case(name: &'static str, ddl: &'static str, goes: &'static [(&'static str, &'static str)]) -> Case {
    Case { name, since: 13, ddl, goes }
}

const fn since(major: u32, case: Case) -> Case {
    Case { since: major, ..case }
}

/// Structure alone decides.
pub const COVERED: &[Case] = &[
    case(
        "the same twice: the older one stays",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a)",
        &[("i2", "i1")],
    ),
    case(
        "the same three times: one stays",
        "CREATE TABLE t (a int); CREATE INDEX z ON t (a); CREATE INDEX y ON t (a); CREATE INDEX x ON t (a)",
        &[("y", "z"), ("x", "z")],
    ),
    case(
        "read backward it is the same",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a DESC)",
        &[("i2", "i1")],
    ),
    case(
        "two columns both reversed",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a, b DESC); CREATE INDEX i2 ON t (a DESC, b)",
        &[("i2", "i1")],
    ),
    case(
        "one of two columns reversed is another order",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a, b); CREATE INDEX i2 ON t (a, b DESC)",
        &[],
    ),
    case(
        "NULLS FIRST alone is another order",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a NULLS FIRST)",
        &[],
    ),
    case(
        "DESC NULLS LAST is ASC NULLS FIRST read backward",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t (a NULLS FIRST); CREATE INDEX i2 ON t (a DESC NULLS LAST)",
        &[("i2", "i1")],
    ),
    case(
        "a prefix",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a, b)",
        &[("i1", "i2")],
    ),
    case(
        "a prefix read backward",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a DESC); CREATE INDEX i2 ON t (a, b)",
        &[("i1", "i2")],
    ),
    case(
        "a suffix is none",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (b); CREATE INDEX i2 ON t (a, b)",
        &[],
    ),
    case(
        "other order of columns",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a, b); CREATE INDEX i2 ON t (b, a)",
        &[],
    ),
    case(
        "a chain ends at the longest",
        "CREATE TABLE t (a int, b int, c int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a, b); CREATE INDEX i3 ON t (a, b, c)",
        &[("i1", "i3"), ("i2", "i3")],
    ),
    case(
        "a column that begins like another",
        "CREATE TABLE t (a int, ab int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (ab, a)",
        &[],
    ),
    case(
        "the primary key covers",
        "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)); CREATE INDEX i1 ON t (a)",
        &[("i1", "t_pkey")],
    ),
    case(
        "a plain twin of the primary key goes",
        "CREATE TABLE t (a int PRIMARY KEY); CREATE INDEX i1 ON t (a)",
        &[("i1", "t_pkey")],
    ),
    case(
        "a unique twin of the primary key goes",
        "CREATE TABLE t (a int PRIMARY KEY); CREATE UNIQUE INDEX i1 ON t (a)",
        &[("i1", "t_pkey")],
    ),
    case(
        "a unique prefix enforces more",
        "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX i1 ON t (a); CREATE UNIQUE INDEX i2 ON t (a, b)",
        &[],
    ),
    case(
        "a unique index outlives a plain twin that is older",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t (a); CREATE UNIQUE INDEX i2 ON t (a)",
        &[("i1", "i2")],
    ),
    case(
        "a deferrable constraint enforces less than a unique index",
        "CREATE TABLE t (a int, CONSTRAINT u UNIQUE (a) DEFERRABLE); CREATE UNIQUE INDEX i1 ON t (a)",
        &[],
    ),
    case(
        "a plain twin of a deferrable constraint goes",
        "CREATE TABLE t (a int, CONSTRAINT u UNIQUE (a) DEFERRABLE); CREATE INDEX i1 ON t (a)",
        &[("i1", "u")],
    ),
    case(
        "two constraints: none may be dropped as an index",
        "CREATE TABLE t (a int PRIMARY KEY, CONSTRAINT u UNIQUE (a))",
        &[],
    ),
    case(
        "the one a foreign key chose stays",
        "CREATE TABLE p (a int NOT NULL); CREATE UNIQUE INDEX i1 ON p (a); CREATE TABLE c (a int REFERENCES p (a)); CREATE UNIQUE INDEX i2 ON p (a)",
        &[("i2", "i1")],
    ),
    case(
        "the newer one that a foreign key chose stays",
        "CREATE TABLE p (a int NOT NULL); CREATE UNIQUE INDEX i2 ON p (a); CREATE TABLE c (a int REFERENCES p (a)); CREATE INDEX i1 ON p (a)",
        &[("i1", "i2")],
    ),
    case(
        "INCLUDE within INCLUDE",
        "CREATE TABLE t (a int, b int, c int); CREATE INDEX i1 ON t (a) INCLUDE (b); CREATE INDEX i2 ON t (a) INCLUDE (b, c)",
        &[("i1", "i2")],
    ),
    case(
        "INCLUDE covers none",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a) INCLUDE (b)",
        &[("i1", "i2")],
    ),
    case(
        "an INCLUDE column is no key",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a, b); CREATE INDEX i2 ON t (a) INCLUDE (b)",
        &[("i2", "i1")],
    ),
    case(
        "another INCLUDE column",
        "CREATE TABLE t (a int, b int, c int); CREATE INDEX i1 ON t (a) INCLUDE (b); CREATE INDEX i2 ON t (a) INCLUDE (c)",
        &[],
    ),
    case(
        "another INCLUDE column behind a longer key",
        "CREATE TABLE t (a int, b int, c int); CREATE INDEX i1 ON t (a) INCLUDE (c); CREATE INDEX i2 ON t (a, b)",
        &[],
    ),
    case(
        "another operator class",
        "CREATE TABLE t (a text); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a text_pattern_ops)",
        &[],
    ),
    case(
        "an operator class of another name and the same work",
        "CREATE TABLE t (a varchar); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a varchar_ops)",
        &[("i2", "i1")],
    ),
    case(
        "another collation",
        "CREATE TABLE t (a text); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a COLLATE \"C\")",
        &[],
    ),
    case(
        "another collation behind a longer key",
        "CREATE TABLE t (a text COLLATE \"C\", b int); CREATE INDEX i1 ON t (a COLLATE \"POSIX\"); CREATE INDEX i2 ON t (a, b)",
        &[],
    ),
    case(
        "the same predicate",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a) WHERE b > 0; CREATE INDEX a_much_longer_name ON t (a) WHERE b > 0",
        &[("a_much_longer_name", "i1")],
    ),
    case(
        "another predicate",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a) WHERE b > 0; CREATE INDEX i2 ON t (a) WHERE b > 1",
        &[],
    ),
    case(
        "a full index is no cover of a partial one, nor the other way",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a) WHERE b > 0; CREATE INDEX i2 ON t (a)",
        &[],
    ),
    case(
        "a partial prefix",
        "CREATE TABLE t (a int, b int, c int); CREATE INDEX i1 ON t (a) WHERE c > 0; CREATE INDEX i2 ON t (a, b) WHERE c > 0",
        &[("i1", "i2")],
    ),
    case(
        "a partial unique index enforces for its rows alone",
        "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX i1 ON t (a) WHERE b > 0; CREATE UNIQUE INDEX i2 ON t (a)",
        &[],
    ),
    case(
        "the same expression",
        "CREATE TABLE t (a text); CREATE INDEX i1 ON t (lower(a)); CREATE INDEX a_much_longer_name ON t (lower(a))",
        &[("a_much_longer_name", "i1")],
    ),
    case(
        "another expression",
        "CREATE TABLE t (a text); CREATE INDEX i1 ON t (lower(a)); CREATE INDEX i2 ON t (upper(a))",
        &[],
    ),
    case(
        "an expression and its column",
        "CREATE TABLE t (a text, b int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (lower(a), b)",
        &[],
    ),
    case(
        "an expression with statistics of its own grain",
        "CREATE TABLE t (a text); CREATE INDEX i1 ON t (lower(a)); CREATE INDEX i2 ON t (lower(a)); ALTER INDEX i2 ALTER COLUMN 1 SET STATISTICS 1000",
        &[("i1", "i2")],
    ),
    case(
        "hash beside B-tree",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t USING hash (a); CREATE INDEX i2 ON t (a)",
        &[],
    ),
    case(
        "two hash indexes",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t USING hash (a); CREATE INDEX i2 ON t USING hash (a)",
        &[("i2", "i1")],
    ),
    case(
        "a prefix of GIN is another index",
        "CREATE TABLE t (a int[], b int[]); CREATE INDEX i1 ON t USING gin (a); CREATE INDEX i2 ON t USING gin (a, b)",
        &[],
    ),
    case(
        "two GIN indexes",
        "CREATE TABLE t (a int[]); CREATE INDEX i1 ON t USING gin (a); CREATE INDEX i2 ON t USING gin (a) WITH (fastupdate = off)",
        &[("i2", "i1")],
    ),
    case(
        "GIN of another operator class",
        "CREATE TABLE t (a jsonb); CREATE INDEX i1 ON t USING gin (a); CREATE INDEX i2 ON t USING gin (a jsonb_path_ops)",
        &[],
    ),
    case(
        "BRIN of another grain",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t USING brin (a); CREATE INDEX i2 ON t USING brin (a) WITH (pages_per_range = 16)",
        &[],
    ),
    case(
        "options of an operator class",
        "CREATE TABLE t (a tsvector); CREATE INDEX i1 ON t USING gist (a); CREATE INDEX i2 ON t USING gist (a tsvector_ops (siglen = 400))",
        &[],
    ),
    case(
        "another fill factor is no difference",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a) WITH (fillfactor = 70)",
        &[("i2", "i1")],
    ),
    case(
        "the replica identity stays",
        "CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX i1 ON t (a); CREATE UNIQUE INDEX i2 ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX i2",
        &[("i1", "i2")],
    ),
    case(
        "the CLUSTER mark stays",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a); ALTER TABLE t CLUSTER ON i2",
        &[("i1", "i2")],
    ),
    case(
        "a marked prefix stays",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a, b); ALTER TABLE t CLUSTER ON i1",
        &[],
    ),
    case(
        "an exclusion constraint stays, and covers its twin",
        "CREATE TABLE t (a int4range, EXCLUDE USING gist (a WITH &&)); CREATE INDEX i1 ON t USING gist (a)",
        &[("i1", "t_a_excl")],
    ),
    case(
        "other tables",
        "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON u (a)",
        &[],
    ),
    case(
        "a materialized view",
        "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a, 2 AS b; CREATE UNIQUE INDEX i1 ON m (a); CREATE INDEX i2 ON m (a)",
        &[("i2", "i1")],
    ),
    case(
        "a partitioned table is judged as a whole",
        "CREATE TABLE t (a int, b int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20); CREATE INDEX i1 ON t (b); CREATE INDEX i2 ON t (b, a)",
        &[("i1", "i2")],
    ),
    case(
        "a partition's own index beside the attached one",
        "CREATE TABLE t (a int, b int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE INDEX i1 ON t (b); CREATE INDEX own ON t1 (b)",
        &[("own", "t1_b_idx")],
    ),
    case(
        "an attached part stays beside an older one of the partition",
        "CREATE TABLE t (a int, b int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE INDEX own ON t1 (b, a); CREATE INDEX i1 ON t (b)",
        &[],
    ),
    case(
        "an unfinished partitioned index is no cover",
        "CREATE TABLE t (a int, b int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE INDEX i1 ON t (b); CREATE INDEX i2 ON ONLY t (b, a)",
        &[],
    ),
    case(
        "names that need quotes",
        "CREATE TABLE \"T 1\" (\"A b\" int, \"select\" int); CREATE INDEX \"I 1\" ON \"T 1\" (\"A b\"); CREATE INDEX \"I 2\" ON \"T 1\" (\"A b\", \"select\")",
        &[("I 1", "I 2")],
    ),
    case(
        "two pairs in one table",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a); CREATE INDEX i3 ON t (b); CREATE INDEX i4 ON t (b, a)",
        &[("i2", "i1"), ("i3", "i4")],
    ),
    since(
        15,
        case(
            "NULLS NOT DISTINCT enforces more",
            "CREATE TABLE t (a int); CREATE UNIQUE INDEX i1 ON t (a); CREATE UNIQUE INDEX i2 ON t (a) NULLS NOT DISTINCT",
            &[],
        ),
    ),
    since(
        15,
        case(
            "two that take NULLs for equal",
            "CREATE TABLE t (a int); CREATE UNIQUE INDEX i1 ON t (a) NULLS NOT DISTINCT; CREATE UNIQUE INDEX i2 ON t (a) NULLS NOT DISTINCT",
            &[("i2", "i1")],
        ),
    ),
    case(
        "a comment and a tablespace's worth of things to restore",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a) WITH (fillfactor = 80) WHERE b > 0; COMMENT ON INDEX i1 IS 'it''s for the report'; CREATE INDEX i2 ON t (a, b) WHERE b > 0",
        &[("i1", "i2")],
    ),
];

/// Judged with a window of no length: what use decides. The cover is empty where nobody needs one.
pub const UNUSED: &[Case] = &[
    case(
        "never scanned",
        "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE INDEX i1 ON t (a)",
        &[("i1", "")],
    ),
    case(
        "scanned",
        "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 3000) i; CREATE INDEX i1 ON t (a); SET enable_seqscan = off; SELECT * FROM t WHERE a = 7; SELECT * FROM t WHERE a = 8",
        &[],
    ),
    case(
        "scanned through a bitmap",
        "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i % 50 FROM generate_series(1, 3000) i; CREATE INDEX i1 ON t (a); SET enable_seqscan = off; SET enable_indexscan = off; SELECT * FROM t WHERE a = 7",
        &[],
    ),
    case("a unique index enforces", "CREATE TABLE t (a int); CREATE UNIQUE INDEX i1 ON t (a)", &[]),
    case("a constraint enforces", "CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE)", &[]),
    case(
        "an exclusion constraint enforces",
        "CREATE TABLE t (a int4range, EXCLUDE USING gist (a WITH &&))",
        &[],
    ),
    case(
        "it serves a foreign key",
        "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int REFERENCES p); CREATE INDEX i1 ON c (a)",
        &[],
    ),
    case(
        "it serves a foreign key of two columns in another order",
        "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE c (x int, a int, b int, FOREIGN KEY (a, b) REFERENCES p); CREATE INDEX i1 ON c (b, a, x)",
        &[],
    ),
    case(
        "it serves a foreign key for rows that have one",
        "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int REFERENCES p); CREATE INDEX i1 ON c (a) WHERE a IS NOT NULL",
        &[],
    ),
    case(
        "a predicate that leaves rows of the key out",
        "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int REFERENCES p, b int); CREATE INDEX i1 ON c (a) WHERE b > 0; CREATE INDEX i2 ON c (a)",
        &[("i1", "")],
    ),
    case(
        "a key's second column first serves nothing",
        "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE c (x int, a int, b int, FOREIGN KEY (a, b) REFERENCES p); CREATE INDEX i1 ON c (x, a, b)",
        &[("i1", "")],
    ),
    case("an expression keeps statistics", "CREATE TABLE t (a text); CREATE INDEX i1 ON t (lower(a))", &[]),
    case(
        "the CLUSTER mark",
        "CREATE TABLE t (a int); CREATE INDEX i1 ON t (a); ALTER TABLE t CLUSTER ON i1",
        &[],
    ),
    case(
        "part of a partitioned index",
        "CREATE TABLE t (a int, b int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (5000); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (5000) TO (9999); INSERT INTO t SELECT i, i FROM generate_series(1, 9000) i; CREATE INDEX i1 ON t (b); SET enable_seqscan = off; SELECT * FROM t1 WHERE b = 7; SELECT * FROM t1 WHERE b = 8",
        &[],
    ),
    case(
        "a partitioned index that no partition uses",
        "CREATE TABLE t (a int, b int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20); CREATE INDEX i1 ON t (b)",
        &[("i1", "")],
    ),
    case(
        "a partition's index serves the whole table's key",
        "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE t (k int, a int REFERENCES p) PARTITION BY RANGE (k); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE INDEX i1 ON t1 (a)",
        &[],
    ),
    case(
        "the cover is unused: it goes, and the used one stays",
        "CREATE TABLE t (a int, b int); INSERT INTO t SELECT i, i FROM generate_series(1, 3000) i; CREATE INDEX i1 ON t (a); SET enable_seqscan = off; SELECT * FROM t WHERE a = 7; SELECT * FROM t WHERE a = 8; CREATE INDEX i2 ON t (a, b)",
        &[("i2", "")],
    ),
    case(
        "a pair that nobody uses goes whole",
        "CREATE TABLE t (a int, b int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a, b)",
        &[("i1", ""), ("i2", "")],
    ),
    case(
        "a twin of a constraint goes for the constraint",
        "CREATE TABLE t (a int PRIMARY KEY); CREATE INDEX i1 ON t (a)",
        &[("i1", "t_pkey")],
    ),
    case(
        "only planned with",
        "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT i, i FROM generate_series(1, 20000) i; CREATE INDEX i1 ON t (a); ANALYZE t; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off; EXPLAIN SELECT * FROM t WHERE a > 19990; EXPLAIN SELECT * FROM t WHERE a > 19991",
        &[],
    ),
    case(
        "alive for checks of a foreign key alone",
        "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int REFERENCES p); INSERT INTO p SELECT generate_series(1, 500); CREATE INDEX i1 ON c (a); DELETE FROM p WHERE a < 5",
        &[],
    ),
    case(
        "a materialized view",
        "CREATE MATERIALIZED VIEW m AS SELECT i AS a, i AS b FROM generate_series(1, 100) i; CREATE UNIQUE INDEX i1 ON m (a); CREATE INDEX i2 ON m (b)",
        &[("i2", "")],
    ),
];
