//! `pgproof check` as a pipeline runs it: every index of a schema dropped in turn, histories squashed, runs repeated,
//! and what can go wrong.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod corpus;
mod gate;
mod inserts;
mod projects;
#[path = "../twin/schemas.rs"]
#[allow(dead_code)]
mod schemas;
#[path = "../support/mod.rs"]
mod support;

use schemas::{SCHEMAS, Schema};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

/// A folder of files that `pgproof` is run in.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// All files as they are now, as the first commit of a repository.
    fn commit(&self) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        for args in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "base"]] {
            let output = Command::new("git").args(identity).args(args).current_dir(self.0.path()).output();
            assert!(output.expect("git runs").status.success(), "git {args:?}");
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        command.args(args).current_dir(self.0.path()).output().expect("run pgproof")
    }

    fn report(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--format", "json", "--quiet"]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

struct Project {
    db: support::Database,
    folder: tempfile::TempDir,
}

impl Project {
    /// A project whose base is the schema, with its pack and its queries.
    fn of(major: u32, schema: &Schema) -> Project {
        let db = support::database(major);
        for text in [schema.ddl, schema.data, "VACUUM ANALYZE"] {
            let pieces = pgproof::sql::split(text).expect("SQL");
            db.execute_each(&pieces.iter().map(|p| p.text.to_owned()).collect::<Vec<_>>());
        }
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project { db, folder };
        project.write("schema.sql", schema.ddl);
        let queries: String = schema.queries.iter().map(|query| format!("{query};\n")).collect();
        project.write("queries.sql", &queries);
        let packed = project.run(&["pack", "--quiet", "-o", "pack.json", "-d", &project.db.url]);
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        command.args(args).current_dir(self.folder.path()).output().expect("run pgproof")
    }

    /// `check` of one new migration, on the server of the test.
    fn check(&self, migration: &str, more: &[&str]) -> Output {
        self.write("migrations/0001_new.sql", migration);
        let mut args =
            vec!["check", "migrations", "--quiet", "--schema", "schema.sql", "--pack", "pack.json"];
        args.extend(["--queries", "queries.sql", "--server", &self.db.url, "--disposable"]);
        args.extend(more);
        self.run(&args)
    }

    fn report(&self, migration: &str) -> Value {
        let output = self.check(migration, &["--format", "json", "--fail-on", "never"]);
        assert!(output.status.success(), "{migration}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

fn list<'a>(report: &'a Value, key: &str) -> &'a [Value] {
    report[key].as_array().map_or(&[], Vec::as_slice)
}

/// Outcomes by the text of the query.
fn outcomes(report: &Value) -> BTreeMap<String, String> {
    list(report, "statements")
        .iter()
        .filter(|statement| statement["outcome"].is_string())
        .map(|s| {
            (
                s["text"].as_str().unwrap_or_default().to_owned(),
                s["outcome"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

/// The indexes that a plan of the source names, its nodes all the way down.
fn named(plan: &Value, into: &mut Vec<String>) {
    into.extend(plan["Index Name"].as_str().map(str::to_owned));
    for child in plan["Plans"].as_array().into_iter().flatten() {
        named(child, into);
    }
}

/// Which indexes each query uses at the source.
fn used(project: &Project, schema: &Schema) -> BTreeMap<String, Vec<String>> {
    let explain = |query: &str| {
        let cell =
            project.db.query_text(&format!("EXPLAIN (FORMAT JSON) {query}"))[0][0].clone().expect("a plan");
        let plan: Value = serde_json::from_str(&cell).expect("JSON");
        let mut names = Vec::new();
        named(&plan[0]["Plan"], &mut names);
        names
    };
    schema.queries.iter().map(|query| ((*query).to_owned(), explain(query))).collect()
}

/// Whether the partition's index is of the partitioned one: `readings_1_sensor_at_idx` of `readings_sensor_at`.
fn belongs(index: &str, dropped: &str) -> bool {
    index == dropped
        || (dropped == "readings_sensor_at" && index.ends_with("_sensor_at_idx"))
        || (dropped == "readings_at" && index.ends_with("_at_idx") && !index.contains("sensor"))
}

#[test]
fn who_loses_an_index_is_told_with_the_drop_and_nobody_else_is() {
    let majors = support::majors();
    let ends: BTreeSet<u32> =
        [majors.iter().min(), majors.iter().max()].into_iter().flatten().copied().collect();
    for (major, schema) in ends.iter().flat_map(|major| SCHEMAS.iter().map(|schema| (*major, schema))) {
        let project = Project::of(major, schema);
        let uses = used(&project, schema);
        let indexes = project.db.query_text(
            "SELECT c.relname::text, n.nspname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname NOT LIKE 'pg%' AND NOT c.relispartition AND NOT EXISTS \
             (SELECT FROM pg_constraint k WHERE k.conindid = c.oid) ORDER BY 1",
        );
        for row in indexes {
            let (Some(index), Some(namespace)) = (&row[0], &row[1]) else { continue };
            let qualified = pgproof::sql::ident::qualified(namespace, index);
            let migration =
                format!("SET lock_timeout = '2s';\nSELECT 1;\nDROP INDEX {qualified};\nSELECT 2;\n");
            let report = project.report(&migration);
            for (query, outcome) in outcomes(&report) {
                let loses = uses[&query].iter().any(|used| belongs(used, index));
                let silent = ["unchanged", "tie", "better"].contains(&outcome.as_str());
                assert!(
                    loses || outcome == "unchanged",
                    "{major} {}: without {index}: {outcome}: {query}",
                    schema.name
                );
                if loses {
                    assert_ne!(outcome, "unchanged", "{major} {}: without {index}: {query}", schema.name);
                }
                let statement = list(&report, "statements")
                    .iter()
                    .find(|s| s["text"] == query.as_str())
                    .expect("the query");
                if !silent {
                    assert_eq!(statement["culprit"]["line"], 3, "{index}: {query}: {statement}");
                }
            }
        }
    }
}

#[test]
fn another_name_or_another_history_is_a_tie() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    let report = project.report(
        "SET lock_timeout = '2s';\nALTER INDEX orders_user RENAME TO other;\n\
         CREATE INDEX CONCURRENTLY again ON items (product);\nDROP INDEX CONCURRENTLY items_product;\n",
    );
    for (query, outcome) in outcomes(&report) {
        assert!(["unchanged", "tie"].contains(&outcome.as_str()), "{outcome}: {query}");
    }
    assert!(
        list(&report, "findings").iter().all(|f| f["rule"] != "plan-regressed"),
        "{}",
        report["findings"]
    );
}

#[test]
fn a_squashed_history_is_a_tie() {
    let schema = &SCHEMAS[0];
    let project = Project::of(support::majors()[0], schema);
    let pieces: Vec<&str> = pgproof::sql::split(schema.ddl).expect("SQL").iter().map(|p| p.text).collect();
    let (first, second) = pieces.split_at(pieces.len() / 2);
    project.write("base/1_first.sql", &format!("{};\n", first.join(";\n")));
    project.write("base/2_second.sql", &format!("{};\n", second.join(";\n")));
    project.write("migrations/3_all.sql", schema.ddl);
    let flags = ["--server", &project.db.url, "--disposable", "--format", "json", "--fail-on", "never"];
    let mut args = vec!["check", "migrations", "--base", "base", "--pack", "pack.json", "--quiet"];
    args.extend(["--queries", "queries.sql"]);
    args.extend(flags);
    let squashed = || -> Value {
        let output = project.run(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let report = squashed();
    let outcomes = outcomes(&report);
    assert!(!outcomes.is_empty());
    for (query, outcome) in outcomes {
        assert!(["unchanged", "tie"].contains(&outcome.as_str()), "{outcome}: {query}");
    }
    let told = |report: &Value| -> Vec<String> {
        list(report, "findings").iter().map(|f| format!("{}: {}", f["rule"], f["what"])).collect()
    };
    let [only] = &told(&report)[..] else { panic!("{:#?}", told(&report)) };
    assert!(only.contains("migration-history-rewritten") && only.contains("is the same"), "{only}");

    // What is behind it is new; that it fails on an empty database, where an index is called otherwise, is told.
    project.write(
        "migrations/3_all.sql",
        &schema.ddl.replace("CREATE INDEX orders_user ", "CREATE INDEX other "),
    );
    project.write("migrations/4_more.sql", "SET lock_timeout = '2s';\nDROP INDEX orders_user;\n");
    let report = squashed();
    let regressed = list(&report, "findings").iter().find(|f| f["rule"] == "plan-regressed").expect("told");
    assert_eq!(regressed["location"]["path"], "migrations/4_more.sql");
    assert!(told(&report).iter().any(|f| f.contains("fail on an empty database")), "{:#?}", told(&report));
}

#[test]
fn two_runs_are_equal_byte_for_byte() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    let migration = "DROP INDEX orders_user;\nALTER TABLE orders ALTER COLUMN total TYPE numeric(12,3);\n\
                     CREATE INDEX items_q ON items (quantity);\n";
    for format in ["text", "json", "markdown", "sarif", "junit", "github", "gitlab", "html"] {
        let once = project.check(migration, &["--format", format]);
        let again = project.check(migration, &["--format", format]);
        assert_eq!(once.status.code(), Some(1), "{}", String::from_utf8_lossy(&once.stderr));
        let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text(&once), text(&again), "{format}");
    }
}

#[test]
fn what_fails_says_so_with_the_right_code_and_leaves_nothing() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    let error = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    // A head that fails is a finding.
    let broken = project.check("ALTER TABLE no_such ADD COLUMN a int;\n", &["--format", "json"]);
    assert_eq!(broken.status.code(), Some(1), "{}", error(&broken));
    let report: Value = serde_json::from_slice(&broken.stdout).expect("JSON");
    assert_eq!(report["findings"][0]["rule"], "migration-fails");
    assert_eq!(report["findings"][0]["location"]["line"], 1);
    assert!(report["gaps"].to_string().contains("not planned"), "{}", report["gaps"]);

    // A query for a table that goes.
    project.write("queries.sql", "SELECT * FROM items WHERE order_id = $1;\n");
    let gone = project.check("SET lock_timeout = '1s';\nDROP TABLE items;\n", &["--format", "json"]);
    assert_eq!(gone.status.code(), Some(1), "{}", error(&gone));
    let report: Value = serde_json::from_slice(&gone.stdout).expect("JSON");
    let breaks =
        list(&report, "findings").iter().find(|f| f["rule"] == "statement-breaks-query").expect("told");
    assert_eq!(breaks["location"]["line"], 2);

    // A base that fails is the environment's trouble.
    project.write("base/0000_base.sql", "CREATE TABLE a (id int);\nALTER TABLE b ADD COLUMN x int;\n");
    let base = project.check("SELECT 1;\n", &["--base", "base"]);
    assert_eq!(base.status.code(), Some(3), "{}", error(&base));
    assert!(error(&base).contains("line 2"), "{}", error(&base));

    // Files that are none.
    let unclosed = project.check("SELECT 'x;\n", &[]);
    assert_eq!(unclosed.status.code(), Some(2), "{}", error(&unclosed));
    assert!(error(&unclosed).contains("0001_new.sql"), "{}", error(&unclosed));
    let framework = project.check("SELECT 1;\n", &["--framework", "rails"]);
    assert_eq!(framework.status.code(), Some(2), "{}", error(&framework));
    let revision = project.check("SELECT 1;\n", &["--base", "no/such/revision"]);
    assert_eq!(revision.status.code(), Some(2), "{}", error(&revision));
    let nowhere = project.run(&["check", "migrations", "--postgres", "/nonexistent"]);
    assert_eq!(nowhere.status.code(), Some(3), "{}", error(&nowhere));
    let databases =
        project.db.query_text("SELECT count(*)::text FROM pg_database WHERE datname LIKE 'pgproof%'");
    drop(databases);
}

#[test]
fn a_plan_that_read_nothing_regresses_where_it_reads_a_table() {
    let schema = Schema {
        name: "constraint",
        ddl: "CREATE TABLE users (id int PRIMARY KEY, deleted_at timestamptz NOT NULL, note text);",
        data: "INSERT INTO users SELECT g, now(), repeat('x', 100) FROM generate_series(1, 90000) g;",
        queries: &["SELECT * FROM users WHERE deleted_at IS NULL"],
    };
    for major in support::majors().into_iter().filter(|major| *major >= 17) {
        let project = Project::of(major, &schema);
        let report = project
            .report("SET lock_timeout = '1s';\nALTER TABLE users ALTER COLUMN deleted_at DROP NOT NULL;\n");
        let all: Vec<String> = outcomes(&report).into_values().collect();
        assert_eq!(all, ["regressed"], "{major}");
    }
}

#[test]
fn comments_are_heard_and_needless_ones_told() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    project.write("queries.sql", "SELECT 1;");
    let migration = "-- pgproof:ignore index-not-concurrent reason=\"at night\" until=2999-01-01\n\
                     CREATE INDEX items_q ON items (quantity);\n\
                     -- pgproof:ignore blocking-rewrite reason=\"none\"\nANALYZE items;\n";
    let report = project.report(migration);
    let rules: Vec<&str> = list(&report, "findings").iter().filter_map(|f| f["rule"].as_str()).collect();
    assert!(!rules.contains(&"index-not-concurrent"), "{rules:?}");
    let statuses: Vec<&str> =
        list(&report, "suppressions").iter().filter_map(|s| s["status"].as_str()).collect();
    assert_eq!(statuses, ["applied", "unused"]);
}

#[test]
fn small_tables_are_no_trouble_and_large_ones_are() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    let severity = |migration: &str, rule: &str| {
        let report = project.report(migration);
        let finding = list(&report, "findings").iter().find(|f| f["rule"] == rule).cloned();
        finding.map(|f| f["severity"].as_str().unwrap_or_default().to_owned())
    };
    let rewrite = "SET lock_timeout = '1s';\nALTER TABLE orders ALTER COLUMN total TYPE numeric(14,4);\n";
    assert_eq!(severity(rewrite, "blocking-rewrite").as_deref(), Some("warning"));
    let pack = std::fs::read_to_string(project.folder.path().join("pack.json")).expect("the pack");
    // A hundred times as large, and a hundredth.
    let scaled = |factor: f64| {
        let mut pack: Value = serde_json::from_str(&pack).expect("JSON");
        for relation in pack["relations"].as_array_mut().expect("relations") {
            for key in ["pages", "rows", "blocks"] {
                if let Some(number) = relation[key].as_f64() {
                    relation[key] = (number * factor).ceil().into();
                }
            }
        }
        project.write("pack.json", &pack.to_string());
    };
    scaled(100.0);
    assert_eq!(severity(rewrite, "blocking-rewrite").as_deref(), Some("error"));
    scaled(0.01);
    assert_eq!(severity(rewrite, "blocking-rewrite").as_deref(), Some("info"));
}

/// The commands of the pipelines in the README, with the names of a pipeline filled in.
fn pipelines() -> Vec<String> {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let lines = readme.lines().filter_map(|line| {
        let at = line.find("pgproof check ")?;
        ["- run: ", "- "]
            .iter()
            .any(|start| line.trim_start().starts_with(start))
            .then(|| line[at..].to_owned())
    });
    lines.map(|l| l.replace("origin/${{ github.base_ref }}", "HEAD").replace("FETCH_HEAD", "HEAD")).collect()
}

#[test]
fn the_pipelines_of_the_readme_run() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let output =
            Command::new("git").args(identity).args(args).current_dir(project.folder.path()).output();
        assert!(output.expect("git runs").status.success(), "git {args:?}");
    };
    std::fs::rename(project.folder.path().join("pack.json"), project.folder.path().join("shop.pack.json"))
        .expect("moved");
    project.write("db/migrations/0001_base.sql", SCHEMAS[0].ddl);
    project.write("db/queries/shop.sql", "-- name: open_orders\nSELECT * FROM orders WHERE user_id = $1;\n");
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "base"]);
    project.write("db/migrations/0002_new.sql", "SET lock_timeout = '2s';\nDROP INDEX orders_user;\n");
    let pipelines = pipelines();
    assert_eq!(pipelines.len(), 2, "{pipelines:?}");
    for (command, file) in pipelines.iter().zip(["pgproof.sarif", "quality.json"]) {
        let mut words: Vec<&str> = command.split_whitespace().skip(1).collect();
        words.extend(["--server", &project.db.url, "--disposable"]);
        let output = project.run(&words);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("plan-regressed"), "{command}: {said}");
        let written = std::fs::read_to_string(project.folder.path().join(file)).expect(file);
        assert!(
            written.contains("plan-regressed") && written.contains("db/migrations/0002_new.sql"),
            "{written}"
        );
    }
}

#[test]
fn git_tells_what_is_new() {
    let folder = Folder::new();
    folder.write("db/migrations/20240101000000_a.sql", "CREATE TABLE t (id int);\n");
    folder.commit();
    folder.write("db/migrations/20240202000000_b.sql", "CREATE INDEX t_id ON t (id);\n");
    let report = folder.report(&["check", "db/migrations", "--base", "HEAD"]);
    let finding =
        list(&report, "findings").iter().find(|f| f["rule"] == "index-not-concurrent").expect("told");
    assert_eq!(finding["location"]["path"], "db/migrations/20240202000000_b.sql");
}
