//! `pgproof demo` as people run it: the built program, a server of its own, and nothing left behind.

#![allow(clippy::disallowed_methods)] // Tests are an edge.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A folder that the server's account may enter, in which only this test's servers live.
fn temporary_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("open it");
    folder
}

fn demo(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.arg("demo").args(args).env("TMPDIR", folder).current_dir(folder).stdin(Stdio::null());
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    demo(folder, args).output().expect("run pgproof")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Neither a process nor a folder of the demo's is left.
fn assert_nothing_left(folder: &Path) {
    support::eventually("the server's folder is gone", || servers(folder).is_empty());
    support::eventually("the server's processes are gone", || support::processes_in(folder).is_empty());
}

fn servers(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("read the folder").flatten();
    let ours = entries.filter(|e| e.file_name().to_string_lossy().starts_with(pgproof::scratch::PREFIX));
    ours.map(|e| e.path()).collect()
}

fn of_statement<'a>(report: &'a Value, list: &str, statement: &str) -> Vec<&'a Value> {
    let all = report[list].as_array().expect("a list").iter();
    all.filter(|item| match item["serves"].as_array() {
        Some(serves) => serves.iter().any(|s| s == statement),
        None => item["statement"] == statement,
    })
    .collect()
}

#[test]
fn the_demo_finds_six_troubles_proves_its_remedies_and_leaves_nothing() {
    let folder = temporary_folder();
    let output = run(folder.path(), &["--output", "report.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    assert_nothing_left(folder.path());

    let json = std::fs::read_to_string(folder.path().join("report.json")).expect("the report as JSON");
    let report: Value = serde_json::from_str(&json).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let rules: BTreeSet<&str> = findings.iter().filter_map(|f| f["rule"].as_str()).collect();
    assert!(rules.len() >= 6, "{rules:?}");
    for proposal in report["proposals"].as_array().expect("proposals") {
        let verdict = &proposal["verdict"];
        let measured = verdict["speedup"]["median"].is_f64();
        assert!(measured || verdict["outcome"] == "planner-declined", "{proposal}");
    }
    let confirmed = |statement: &str| {
        let mine = of_statement(&report, "proposals", statement);
        mine.into_iter().filter(|p| p["verdict"]["outcome"] == "confirmed").count()
    };
    for statement in ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s9"] {
        assert!(confirmed(statement) >= 1, "{statement}: {json}");
    }
    for healthy in ["s12", "s13"] {
        assert!(of_statement(&report, "proposals", healthy).is_empty(), "{healthy}: {json}");
        assert!(of_statement(&report, "findings", healthy).is_empty(), "{healthy}: {json}");
    }

    let stdout = text(&output.stdout);
    let start = "A throwaway PostgreSQL ";
    assert!(stdout.starts_with(start), "{stdout}");
    assert!(stdout.trim_end().ends_with("the server is stopped and its files are gone"), "{stdout}");
    assert!(!stdout.contains('\x1b') && !stdout.contains("pgproof_trial_"), "{stdout}");
    assert!(stdout.contains("── in short"), "{stdout}");
}

#[test]
fn an_account_page_without_an_index_gets_exactly_the_one_that_it_needs() {
    let folder = temporary_folder();
    let output = run(folder.path(), &["--orders", "150000", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("nothing but JSON");
    let proposals = of_statement(&report, "proposals", "s1");
    let [proposal] = proposals[..] else { panic!("{proposals:?}") };
    let apply = proposal["apply"][0].as_str().expect("DDL");
    assert!(apply.starts_with("CREATE INDEX CONCURRENTLY ") && apply.ends_with("(user_id, created_at DESC)"));
    assert_eq!(proposal["verdict"]["outcome"], "confirmed", "{proposal}");
    assert!(proposal["verdict"]["speedup"]["median"].as_f64() > Some(10.0), "{proposal}");
    assert_nothing_left(folder.path());
}

#[test]
fn a_kept_server_runs_until_the_printed_command_stops_it() {
    let folder = temporary_folder();
    let output = run(folder.path(), &["--orders", "20000", "--keep"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    let after = |start: &str| {
        let line = stdout.lines().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no line starts with {start:?} in:\n{stdout}"))
    };
    let url = after("  psql ").trim_matches('\'');
    let count = support::query_text(url, "SELECT count(*) FROM orders");
    assert_eq!(count, [[Some("20000".to_owned())]]);
    let stop = stdout.lines().last().expect("the last line").trim();
    let stopped = Command::new("/bin/sh").args(["-c", stop]).status().expect("run the stop command");
    assert!(stopped.success(), "{stop}");
    assert_nothing_left(folder.path());
}

/// Starts the demo and waits until its server accepts connections.
fn started(folder: &Path) -> Child {
    let mut command = demo(folder, &[]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start pgproof");
    support::eventually("the demo's server runs", || {
        servers(folder).iter().any(|server| server.join("data/postmaster.pid").exists())
    });
    child
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    for (signal, code) in [("INT", Some(130)), ("KILL", None)] {
        let folder = temporary_folder();
        let mut child = started(folder.path());
        let pid = child.id().to_string();
        let sent = Command::new("/bin/kill").args(["-s", signal, &pid]).status().expect("run kill");
        assert!(sent.success());
        assert_eq!(child.wait().expect("wait for pgproof").code(), code, "{signal}");
        assert_nothing_left(folder.path());
    }
}
