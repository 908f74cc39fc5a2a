//! Where the report goes, in which format and colour, and with which exit code.

use super::{explain, newest, pgproof, schema, shop};
use crate::support::Database;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

/// A query that a rule has something to say about.
pub const SLOW: &str = "select count(*) from visits where page = 7";

pub fn busy_shop() -> Database {
    let database = shop(newest());
    database
        .execute("CREATE TABLE visits AS SELECT i AS id, i % 9000 AS page FROM generate_series(1, 400000) i");
    database.execute("ANALYZE visits");
    database
}

#[test]
fn json_is_what_the_schema_says() {
    let database = busy_shop();
    let printed = pgproof(&["schema"]).succeeds().json();
    let ran = explain(&database, &["--format", "json", SLOW]).succeeds();
    let report = ran.json();
    assert_eq!(report["findings"][0]["rule"], "seq-scan-discards-rows");
    assert_eq!(report["proposals"][0]["kind"], "create-index");
    schema::check(&printed, &report);
    let bare = pgproof(&["explain", "--capture", "c.json", "--format", "json"]);
    let empty =
        explain(&database, &["--save-capture", "c.json", "--analyze", "never", "select $1::int"]).succeeds();
    let capture = std::fs::read(empty.path().join("c.json")).expect("the capture");
    schema::check(&printed, &bare.file("c.json", &capture).succeeds().json());
}

#[test]
fn files_take_the_format_of_their_name() {
    let database = busy_shop();
    let ran = explain(&database, &["-q", SLOW, "--output", "x.json", "--output", "y.txt"]).succeeds();
    let file = |name: &str| std::fs::read_to_string(ran.path().join(name)).expect(name);
    let json: serde_json::Value = serde_json::from_str(&file("x.json")).expect("JSON");
    assert_eq!(json["format"], 1);
    assert_eq!(file("y.txt"), ran.out);
    assert!(ran.out.contains("seq-scan-discards-rows"), "{}", ran.out);
    let names: Vec<_> =
        std::fs::read_dir(ran.path()).expect("the folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
    let ran = explain(&database, &["select 1", "--format", "json", "--output", "x.data"]).succeeds();
    let text = std::fs::read_to_string(ran.path().join("x.data")).expect("x.data");
    assert!(text.starts_with('{') && !ran.out.starts_with('{'), "--format pairs with --output first");
}

#[test]
fn places_that_take_no_file_are_refused_before_the_server_is_asked() {
    let refused = |code: i32, args: &[&str], words: &[&str]| {
        let mut all = vec!["explain", "-h", "127.0.0.1", "-p", "1", "select 1"];
        all.extend(args);
        pgproof(&all).fails(code, words);
    };
    refused(
        2,
        &["--output", "x.png"],
        &[
            "failed to choose a format for x.png",
            "its extension is none of .txt, .json, .md",
            "help: name the format",
        ],
    );
    refused(
        3,
        &["--output", "none/x.json"],
        &["failed to write none/x.json", "there is no folder none", "help: name a file in a folder"],
    );
    refused(3, &["--save-capture", "none/x.json"], &["there is no folder none", "help:"]);
    let run = pgproof(&["explain", "-h", "127.0.0.1", "-p", "1", "select 1", "--output", "shut/x.json"]);
    let shut = run.home.path().join("shut");
    std::fs::create_dir(&shut).expect("a folder");
    std::fs::set_permissions(&shut, PermissionsExt::from_mode(0o555)).expect("closed");
    // SAFETY: geteuid cannot fail. Root may write anywhere.
    let words = if unsafe { libc::geteuid() } == 0 { "Connection refused" } else { "takes no file" };
    run.fails(3, &[words, "help:"]);
}

#[test]
fn findings_decide_the_exit_code_where_asked() {
    let database = busy_shop();
    let code = |args: &[&str]| {
        let mut all = vec![SLOW];
        all.extend(args);
        let ran = explain(&database, &all).run();
        assert_eq!(ran.err, "");
        ran.code
    };
    assert_eq!(code(&[]), 0);
    assert_eq!(code(&["--fail-on", "info"]), 1);
    let severe = "seq-scan-discards-rows=warning";
    assert_eq!(code(&["--rule", severe, "--fail-on", "warning"]), 1);
    assert_eq!(code(&["--rule", severe, "--fail-on", "error"]), 0);
    assert_eq!(code(&["--rule", "seq-scan-discards-rows=off", "--fail-on", "info"]), 0);
    assert_eq!(code(&["--only", "sort-spills-to-disk", "--fail-on", "info"]), 0);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let database = shop(newest());
    for args in [&["explain", "select * from orders"][..], &["schema"], &["man"], &["rule"]] {
        let mut run = pgproof(args).env("DATABASE_URL", &database.url);
        let mut child = run
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        // The reader goes before the first byte.
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn colours_come_when_asked_for_and_never_into_files_or_pipes() {
    let database = shop(newest());
    let colour = |args: &[&str], no_color: Option<&str>| {
        let mut all = vec!["select * from orders", "--output", "x.txt"];
        all.extend(args);
        let mut run = explain(&database, &all);
        if let Some(value) = no_color {
            run = run.env("NO_COLOR", value);
        }
        let ran = run.succeeds();
        let file = std::fs::read_to_string(ran.path().join("x.txt")).expect("x.txt");
        assert!(!file.contains('\u{1b}'), "a file has no colours");
        ran.out.contains('\u{1b}')
    };
    assert!(!colour(&[], None), "a pipe has no colours");
    assert!(colour(&["--color", "always"], None));
    assert!(colour(&["--color", "always"], Some("1")), "the flag is nearer than the variable");
    assert!(!colour(&["--color", "never"], None));
    let ran = explain(&database, &["--color", "always", "select nope from orders"]).run();
    assert!(ran.err.contains('\u{1b}'), "{}", ran.err);
    let ran = explain(&database, &["select nope from orders"]).run();
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
}

#[test]
fn help_version_completions_and_man_pages() {
    for flag in ["-?", "--help"] {
        let ran = pgproof(&[flag]).succeeds();
        assert!(ran.out.contains("Usage: pgproof") && ran.out.contains("explain"), "{}", ran.out);
        let ran = pgproof(&["explain", flag]).succeeds();
        for words in ["Usage: pgproof explain", "-h, --host <HOST>", "--param <VALUE>", "--prove <MODE>"] {
            assert!(ran.out.contains(words), "lacks {words}: {}", ran.out);
        }
    }
    // `-h` is the host, as in every PostgreSQL client.
    pgproof(&["explain", "-h", "/no/folder", "-U", "a", "select 1"]).fails(3, &["/no/folder"]);
    let version = format!("pgproof {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        assert_eq!(pgproof(&[flag]).succeeds().out, version);
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = pgproof(&["completions", shell]).succeeds();
        assert!(ran.out.contains("save-capture"), "{shell}: {}", ran.out);
    }
    pgproof(&["completions", "tcsh"]).fails(2, &["invalid value 'tcsh'", "bash"]);
    let page = pgproof(&["man"]).succeeds().out;
    for words in [".TH pgproof 1", ".SH EXPLAIN", "save\\-capture", ".SH DEMO"] {
        assert!(page.contains(words), "the man page lacks {words}");
    }
    let ran = pgproof(&[]).run();
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("Usage: pgproof"), "{}", ran.err);
}

#[test]
fn rules_are_listed_and_their_pages_printed() {
    let list = pgproof(&["rule"]).succeeds().out;
    assert!(list.lines().count() >= 6, "{list}");
    for line in list.lines() {
        let name = line.split_whitespace().next().expect("a name");
        let page = pgproof(&["rule", name]).succeeds().out;
        assert!(page.contains(name), "{page}");
    }
}
