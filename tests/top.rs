//! `pgproof top` on real servers: every version of pg_stat_statements, windows, rights, and an application of Django's.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod support;

use serde_json::Value;
use std::process::{Command, Output};
use support::{Database, majors, server_with};

const COUNTING: (&str, &str) = ("shared_preload_libraries", "pg_stat_statements");

/// A database with authors and their books, counted from here on.
fn shop(major: u32, settings: &[(&str, &str)]) -> Database {
    let settings: Vec<(&str, &str)> = [COUNTING].into_iter().chain(settings.iter().copied()).collect();
    let shop = server_with(major, &settings).database();
    shop.execute(
        "CREATE TABLE authors (id int PRIMARY KEY, name text, country int);
         CREATE TABLE books (id int PRIMARY KEY, author_id int REFERENCES authors, title text);
         INSERT INTO authors SELECT i, 'a' || i, 1 + i % 10 FROM generate_series(1, 200) i;
         INSERT INTO books SELECT i, 1 + i % 200, repeat('t', 100) || i FROM generate_series(1, 20000) i",
    );
    shop.execute("ANALYZE");
    shop
}

fn reset(shop: &Database) {
    shop.execute(
        "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()",
    );
}

fn pgproof(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args(arguments).current_dir(std::env::temp_dir()).output().expect("run pgproof")
}

fn top(url: &str, flags: &[&str]) -> Output {
    pgproof(&[&["top", "-d", url, "--format", "json"], flags].concat())
}

fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// The statement whose text contains these words.
fn statement<'a>(report: &'a Value, words: &str) -> Option<&'a Value> {
    let statements = report["statements"].as_array().expect("statements");
    statements.iter().find(|s| s["text"].as_str().is_some_and(|text| text.contains(words)))
}

fn failure(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_version_of_the_extension_is_read_wherever_its_schema_is() {
    for major in majors() {
        let shop = shop(major, &[]);
        let versions = shop.query_text(
            "SELECT version FROM pg_available_extension_versions WHERE name = 'pg_stat_statements'",
        );
        let versions: Vec<String> = versions.into_iter().filter_map(|row| row[0].clone()).collect();
        let minor = |version: &str| version[2..].parse::<u32>().expect("1.x");
        for version in versions.iter().filter(|version| minor(version) >= 7) {
            shop.execute("CREATE SCHEMA \"The \"\"stats\"");
            shop.execute(&format!(
                "CREATE EXTENSION pg_stat_statements SCHEMA \"The \"\"stats\" VERSION '{version}'"
            ));
            shop.call(30, &["SELECT title FROM books WHERE id = $1"]);
            let report = report(&top(&shop.url, &["--no-explain", "-n", "50"]));
            let stats =
                &statement(&report, "WHERE id = $1").unwrap_or_else(|| panic!("{major} {version}"))["stats"];
            let since = |first: u32, name: &str| {
                assert_eq!(
                    stats[name].is_null(),
                    minor(version) < first,
                    "{major} {version}: {name} in {stats}"
                );
            };
            assert!(stats["calls"].as_f64().is_some_and(|calls| calls >= 30.0), "{stats}");
            assert!(stats["total_exec_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{stats}");
            since(8, "plans");
            since(8, "wal_bytes");
            since(10, "jit_ms");
            assert_eq!(report["workload"]["evictions"].is_null(), minor(version) < 9, "{major} {version}");
            assert_eq!(
                report["workload"]["window_seconds"].is_null(),
                minor(version) < 9,
                "{major} {version}"
            );
            shop.execute("DROP EXTENSION pg_stat_statements; DROP SCHEMA \"The \"\"stats\"");
        }
    }
}

#[test]
fn without_the_extension_the_error_says_what_to_do() {
    for major in majors() {
        let (code, text) = failure(&top(&shop(major, &[]).url, &[]));
        assert!(code == Some(3) && text.contains("help: CREATE EXTENSION pg_stat_statements"), "{text}");
        let unloaded = support::database(major);
        let (code, text) = failure(&top(&unloaded.url, &[]));
        assert!(
            code == Some(3) && text.contains("add pg_stat_statements to shared_preload_libraries"),
            "{text}"
        );
        unloaded.execute("CREATE EXTENSION pg_stat_statements");
        let (code, text) = failure(&top(&unloaded.url, &[]));
        assert!(
            code == Some(3) && text.contains("shared_preload_libraries = 'pg_stat_statements'"),
            "{text}"
        );
    }
}

#[test]
fn leading_statements_are_explained_and_their_remedies_are_theirs() {
    for major in majors() {
        let shop = shop(major, &[]);
        shop.execute("CREATE EXTENSION pg_stat_statements");
        reset(&shop);
        shop.call(10, &["SELECT id, name FROM authors WHERE country = $1"]);
        shop.call(200, &["SELECT id, title FROM books WHERE author_id = $1"]);
        shop.call(3, &["SELECT count(*) FROM books WHERE id > $1 AND now() > now() - interval '1 day'"]);
        shop.execute("BEGIN; CREATE TABLE t (a int); COMMIT");
        let report = report(&top(&shop.url, &[]));
        let books = statement(&report, "WHERE author_id = $1").expect("the leading statement");
        assert_eq!(books["id"], "s1", "{report:#}");
        let findings = report["findings"].as_array().expect("findings");
        let rules: Vec<&str> =
            findings.iter().filter(|f| f["statement"] == "s1").filter_map(|f| f["rule"].as_str()).collect();
        assert!(rules.contains(&"n-plus-one") && rules.contains(&"seq-scan-discards-rows"), "{rules:?}");
        // An estimate weighs as much as its statement does.
        let weight = "of the window's time, at most";
        assert!(findings.iter().any(|f| f["evidence"].to_string().contains(weight)), "{findings:#?}");
        let proposals = report["proposals"].as_array().expect("proposals");
        let applied: Vec<&str> = proposals.iter().filter_map(|p| p["apply"][0].as_str()).collect();
        assert!(
            applied.contains(&"SELECT id, title, author_id FROM books WHERE author_id = ANY($1)"),
            "{applied:?}"
        );
        let index = "CREATE INDEX CONCURRENTLY books_author_id_idx ON public.books USING btree (author_id)";
        assert!(applied.contains(&index), "{applied:?}");
        let rewrite = proposals.iter().find(|p| p["kind"] == "rewrite").expect("the query for all keys");
        assert!(
            rewrite["verdict"]["reason"].as_str().is_some_and(|r| r.starts_with("the server planned it"))
        );
        // `interval $2` is no SQL; it is explained all the same.
        let interval = statement(&report, "count(*)").expect("the count");
        assert!(!interval["plans"].as_array().expect("plans").is_empty(), "{:#}", report["gaps"]);
        assert_eq!(report["gaps"].as_array().map(Vec::len), Some(0), "{:#}", report["gaps"]);
        // What we ask ourselves is no statement of the application's.
        let own =
            |s: &Value| s["text"].as_str().is_some_and(|t| t.contains("pg_catalog") || t.contains("EXPLAIN"));
        let again = self::report(&top(&shop.url, &["-n", "100"]));
        let ours: Vec<&Value> =
            again["statements"].as_array().expect("some").iter().filter(|s| own(s)).collect();
        assert!(ours.is_empty(), "{major}: {ours:#?}");
    }
}

#[test]
fn windows_are_between_two_readings() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (old, new) = (file("old.json"), file("new.json"));
    for major in majors() {
        let shop = shop(major, &[]);
        shop.execute("CREATE EXTENSION pg_stat_statements");
        shop.call(40, &["SELECT title FROM books WHERE id = $1"]);
        report(&top(&shop.url, &["--no-explain", "--save", &old]));
        shop.call(7, &["SELECT title FROM books WHERE id = $1", "SELECT name FROM authors WHERE id = $1"]);
        let since = report(&top(&shop.url, &["--no-explain", "--since", &old, "--save", &new]));
        let known = &statement(&since, "FROM books").expect("it was called")["stats"];
        assert_eq!(known["calls"], 7.0, "{since:#}");
        assert!(known["before_mean_exec_ms"].as_f64().is_some(), "{known}");
        let fresh = &statement(&since, "FROM authors").expect("it was called")["stats"];
        assert!(fresh["calls"] == 7.0 && fresh["before_mean_exec_ms"].is_null(), "{fresh}");
        assert!(statement(&since, "INSERT").is_none(), "what stood still is left out: {since:#}");
        // Two files say the same without a server.
        let diff = report(&pgproof(&["top", "--diff", &old, &new, "--format", "json"]));
        assert_eq!(statement(&diff, "FROM books").expect("it was called")["stats"]["calls"], 7.0);
        let (code, text) = failure(&pgproof(&["top", "--diff", &new, &old]));
        assert!(code == Some(2) && text.contains("name the older one first"), "{text}");
        let other = server_with(major, &[COUNTING]).database();
        other.execute("CREATE EXTENSION pg_stat_statements");
        let (code, text) = failure(&top(&other.url, &["--since", &old]));
        assert!(code == Some(2) && text.contains("name readings of one database"), "{text}");
        // After a reset of this database's entries, each starts from zero.
        reset(&shop);
        shop.call(5, &["SELECT title FROM books WHERE id = $1"]);
        let after = report(&top(&shop.url, &["--no-explain", "--since", &new]));
        let stats = &statement(&after, "FROM books").expect("it was called")["stats"];
        assert!(stats["calls"] == 5.0 && stats["partial"] == true, "{stats}");
    }
    std::fs::write(&old, "{\"format\": 99}").expect("write");
    let (code, text) = failure(&pgproof(&["top", "--diff", &old, &new]));
    assert!(code == Some(2) && text.contains("use a newer pgproof"), "{text}");
    std::fs::write(&old, "nonsense").expect("write");
    let (code, text) = failure(&pgproof(&["top", "--diff", &old, &new]));
    assert!(code == Some(2) && text.contains("pgproof top --save"), "{text}");
}

#[test]
fn an_interval_tells_what_happened_meanwhile() {
    let shop = shop(*majors().last().expect("a server"), &[]);
    shop.execute("CREATE EXTENSION pg_stat_statements");
    shop.call(40, &["SELECT title FROM books WHERE id = $1"]);
    let done = std::sync::atomic::AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                shop.call(1, &["SELECT name FROM authors WHERE id = $1"]);
            }
        });
        let output = top(&shop.url, &["--no-explain", "--interval", "1s"]);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        output
    });
    let report = report(&output);
    assert!(statement(&report, "FROM authors").is_some() && statement(&report, "FROM books").is_none());
    let seconds = report["workload"]["window_seconds"].as_f64().expect("a window");
    assert!((1.0..30.0).contains(&seconds), "{seconds}");
}

#[test]
fn nested_statements_are_not_counted_twice() {
    for major in majors() {
        let shop = shop(major, &[("pg_stat_statements.track", "all")]);
        shop.execute("CREATE EXTENSION pg_stat_statements");
        shop.execute(
            "CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN 1; END $$",
        );
        reset(&shop);
        shop.call(3, &["SELECT slow()"]);
        let report = report(&top(&shop.url, &["--no-explain"]));
        let total = report["workload"]["total_exec_ms"].as_f64().expect("a total");
        let nested = statement(&report, "pg_sleep").is_some();
        if major == 13 {
            // Version 1.8 does not tell them apart, and that is said.
            assert!(
                nested && report["gaps"][0]["what"].as_str().is_some_and(|w| w.contains("counted twice"))
            );
        } else {
            assert!(!nested && total < 250.0, "{report:#}");
            assert_eq!(report["workload"]["nested_statements"], 1, "{report:#}");
        }
    }
}

#[test]
fn each_role_sees_what_it_may_and_is_told_the_rest() {
    for major in majors() {
        let shop = shop(major, &[]);
        shop.execute("CREATE EXTENSION pg_stat_statements");
        let name = &shop.name;
        for (role, grant) in [("plain", ""), ("monitor", "GRANT pg_monitor TO")] {
            shop.execute(&format!("CREATE ROLE {name}_{role} LOGIN"));
            if !grant.is_empty() {
                shop.execute(&format!("{grant} {name}_{role}"));
            }
        }
        shop.call(30, &["SELECT title FROM books WHERE id = $1"]);
        let (old_reset, asked) = (
            "SELECT stats_reset::text FROM pg_stat_database WHERE datname = current_database()",
            |role: &str| {
                let url = shop.url.replace("user=postgres", &format!("user={name}_{role}"));
                assert_ne!(url, shop.url, "the role is in the URL");
                report(&top(&url, &["-n", "50"]))
            },
        );
        let before = shop.query_text(old_reset);
        let plain = asked("plain");
        assert!(statement(&plain, "FROM books").is_none(), "{plain:#}");
        let gap = plain["gaps"][0]["what"].as_str().expect("a gap");
        assert!(gap.contains(&format!("GRANT pg_read_all_stats TO {name}_plain")), "{gap}");
        assert!(plain["workload"]["hidden_entries"].as_u64().is_some_and(|n| n > 0), "{plain:#}");
        let monitor = asked("monitor");
        assert!(statement(&monitor, "FROM books").is_some(), "{monitor:#}");
        let gaps: Vec<&str> =
            monitor["gaps"].as_array().expect("gaps").iter().filter_map(|g| g["sqlstate"].as_str()).collect();
        assert!(gaps.contains(&"42501"), "it may not read the tables: {monitor:#}");
        assert_eq!(shop.query_text(old_reset), before, "nothing was reset");
        shop.execute(&format!("DROP ROLE {name}_plain; DROP ROLE {name}_monitor"));
    }
}

#[test]
fn what_was_thrown_out_is_reported() {
    for major in majors().into_iter().filter(|major| *major >= 14) {
        let shop = shop(major, &[("pg_stat_statements.max", "100")]);
        shop.execute("CREATE EXTENSION pg_stat_statements");
        let many: String = (0..300).map(|i| format!("SELECT 1 AS a{i} FROM books LIMIT 0;")).collect();
        // The server tells statements apart by their tables and columns, not by what they are called.
        let many = many
            + &(0..300)
                .map(|i| format!("CREATE TABLE t{i} (a int); SELECT * FROM t{i};"))
                .collect::<String>();
        shop.execute(&many);
        let report = report(&top(&shop.url, &["--no-explain"]));
        assert!(report["workload"]["evictions"].as_i64().is_some_and(|n| n > 0), "{:#}", report["workload"]);
    }
}

/// Recorded by `fixtures/workloads/record` from an application that Django's ORM asks for.
#[test]
fn the_n_plus_one_of_an_orm_is_found_and_its_mended_version_is_clean() {
    let of = |name: &str| {
        let path = format!("{}/fixtures/workloads/{name}.json", env!("CARGO_MANIFEST_DIR"));
        report(&pgproof(&["top", "--capture", &path, "--format", "json"]))
    };
    let found = |report: &Value| -> Vec<String> {
        let findings = report["findings"].as_array().expect("findings");
        findings.iter().map(|f| format!("{} {}", f["rule"], f["relation"])).collect()
    };
    let naive = of("django-naive");
    assert_eq!(found(&naive), ["\"n-plus-one\" \"shop_author\"", "\"n-plus-one\" \"shop_book\""]);
    assert_eq!(found(&of("django-fixed")), Vec::<String>::new());
}

/// `health` asks of each index that may go whether a statement that was counted is planned with it.
#[test]
fn drops_are_held_against_the_known_statements() {
    for major in majors() {
        let shop = shop(major, &[]);
        shop.execute(
            "CREATE EXTENSION pg_stat_statements;
             CREATE INDEX books_author_idx ON books (author_id);
             CREATE INDEX books_author_again_idx ON books (author_id);
             CREATE INDEX books_title_idx ON books (title);
             CREATE INDEX books_title_id_idx ON books (title, id)",
        );
        shop.execute("ANALYZE books");
        reset(&shop);
        shop.call(
            5,
            &["SELECT id FROM books WHERE author_id = $1", "SELECT now() - interval '1 day' WHERE $1 > 0"],
        );
        // Not a statement that can be planned any more.
        shop.execute("CREATE TABLE gone (a int)");
        shop.execute("SELECT a FROM gone JOIN books ON a = id");
        shop.execute("DROP TABLE gone");
        let report = report(&pgproof(&["health", "-d", &shop.url, "--format", "json"]));
        let proposals = report["proposals"].as_array().expect("proposals");
        let remark = |index: &str| -> String {
            let apply = format!("DROP INDEX CONCURRENTLY public.{index}");
            let proposal = proposals.iter().find(|p| p["apply"][0] == apply.as_str());
            let remarks = proposal.unwrap_or_else(|| panic!("{apply} in {report:#}"))["remarks"].clone();
            remarks.as_array().and_then(|all| all.last()?.as_str().map(str::to_owned)).expect("a remark")
        };
        let title = remark("books_title_idx");
        let clean = "checked: of 1 known statement on these tables none is planned with it, 1 more could not be planned";
        assert_eq!(title, clean, "{major}");
        let duplicate =
            proposals.iter().find(|p| p["apply"][0].as_str().is_some_and(|a| a.contains("author")));
        let author = duplicate.expect("one of two equal ones")["remarks"].to_string();
        assert!(author.contains("of 1 known statement on these tables"), "{major}: {author}");
    }
}

#[test]
fn a_reading_of_another_server_is_refused_and_an_old_one_is_read() {
    for major in majors() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        let (one, other, old) = (path("one"), path("other"), path("old"));
        let urls = ["64MB", "65MB"].map(|buffers| {
            let url = server_with(major, &[COUNTING, ("shared_buffers", buffers)]).url("postgres");
            support::execute(&url, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
            url
        });
        for (url, file) in urls.iter().zip([&one, &other]) {
            report(&top(url, &["--no-explain", "--save", file]));
        }
        let of_another = |output: &Output| {
            let (code, text) = failure(output);
            assert!(code == Some(2) && text.contains("is of another server"), "{major}: {text}");
        };
        of_another(&top(&urls[1], &["--no-explain", "--since", &one]));
        of_another(&pgproof(&["top", "--diff", &one, &other]));
        report(&top(&urls[0], &["--no-explain", "--since", &one]));
        // Readings of before the identifier was kept: nobody knows whose they are.
        let mut saved: Value =
            serde_json::from_str(&std::fs::read_to_string(&one).expect("the reading")).expect("JSON");
        assert!(saved["source"]["system"].as_str().is_some_and(|id| id.len() > 10), "{saved}");
        saved["source"].as_object_mut().expect("an object").remove("system");
        std::fs::write(&old, saved.to_string()).expect("write");
        report(&top(&urls[0], &["--no-explain", "--since", &old]));
        report(&pgproof(&["top", "--diff", &old, &other, "--format", "json"]));
    }
}
