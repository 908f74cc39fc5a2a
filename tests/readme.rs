//! The README is true: its commands run, and what it shows of their output is what they print.
//!
//! Numbers, bars and spaces may differ from machine to machine; words may not.
#![allow(clippy::disallowed_methods)] // Tests are an edge.

mod support;

use regex::Regex;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tokio_postgres::config::Host;

/// The table that the README's queries read: a popular customer, a year of orders.
const SHOP: &str = "
    CREATE TABLE orders (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        user_id integer NOT NULL,
        status text NOT NULL,
        total numeric(10, 2) NOT NULL,
        created_at timestamptz NOT NULL
    );
    INSERT INTO orders (user_id, status, total, created_at)
    SELECT 1 + i::bigint * 7919 % 500, CASE i % 100 WHEN 0 THEN 'returned' ELSE 'paid' END, i % 500,
        now() - (600000 - i) * interval '50 seconds'
    FROM generate_series(1, 600000) AS i;
    VACUUM ANALYZE orders;";

/// A command of the README and the lines that it shows of its output.
struct Shown {
    command: String,
    output: Vec<String>,
}

fn console_blocks(readme: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => shown.push(Shown { command: command.to_owned(), output: Vec::new() }),
                (None, Some(last)) => last.output.push(line.to_owned()),
                (None, None) => panic!("output without a command: {line}"),
            },
        }
    }
    shown
}

/// Lines that must be printed as shown: not the plan itself, whose shape is the planner's, major by major, and whose
/// columns follow what is in it.
fn told(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty()
        && line != "…"
        && !line.contains('└')
        && !line.ends_with("  Limit")
        && !line.ends_with("  node")
}

/// A line without what differs between machines: digits, bars, the width of gaps, the number of a unit.
fn shape(line: &str) -> String {
    let mut text = line.to_owned();
    for (pattern, word) in [(r"[\s█-▏]+", " "), (r"\d[\d.,]*", "#"), (r"# (ms|s)\b", "# time")] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, word).into_owned();
    }
    text.trim().to_owned()
}

/// A folder that the commands may write to, with the fixtures where a clone has them.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    std::fs::create_dir_all(&folder).expect("a folder");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    match std::os::unix::fs::symlink(fixtures, folder.join("fixtures")) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => panic!("{e}"),
        _ => folder,
    }
}

fn run(command: &str) -> Output {
    let server = support::server(*support::majors().last().expect("a major"));
    let url = server.url("shop");
    let config: tokio_postgres::Config = url.parse().expect("the server's URL");
    let host = match &config.get_hosts()[0] {
        Host::Tcp(host) => host.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    let binary = Path::new(env!("CARGO_BIN_EXE_pgproof"));
    let path = format!(
        "{}:{}",
        binary.parent().expect("its folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    Command::new("sh")
        .current_dir(folder())
        .args(["-c", &format!("{command} 2>&1")])
        .env("PATH", path)
        .env("PGHOST", host)
        .env("PGPORT", config.get_ports().first().map_or(5432, |p| *p).to_string())
        .env("PGUSER", config.get_user().unwrap_or("postgres"))
        .env("PGPASSWORD", config.get_password().map_or("", |p| std::str::from_utf8(p).expect("UTF-8")))
        .env("COLUMNS", "110")
        .output()
        .expect("run sh")
}

#[test]
fn the_commands_run_and_print_what_is_shown() {
    let server = support::server(*support::majors().last().expect("a major"));
    support::execute(&server.url("postgres"), "CREATE DATABASE shop");
    for statement in SHOP.split(';').filter(|s| !s.trim().is_empty()) {
        support::execute(&server.url("shop"), statement);
    }
    let readme = std::fs::read_to_string("README.md").expect("README.md");
    let blocks = console_blocks(&readme);
    assert!(blocks.len() >= 6, "the README shows {} commands", blocks.len());
    for shown in blocks {
        let output = run(&shown.command);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}\n{text}", shown.command);
        let printed: Vec<String> = text.lines().map(shape).collect();
        let mut rest = &printed[..];
        for line in shown.output.iter().filter(|l| told(l)) {
            let wanted = shape(line);
            let at = rest.iter().position(|p| *p == wanted);
            let at = at.unwrap_or_else(|| {
                panic!("{}\nlacks, in order:\n{line}\nas: {wanted}\n{text}", shown.command)
            });
            rest = &rest[at + 1..];
        }
    }
}

#[test]
fn the_readme_names_the_commands_that_a_fresh_clone_starts_with() {
    let readme = std::fs::read_to_string("README.md").expect("README.md");
    for command in ["cargo run --release -- demo", "cargo test", "cargo install --path ."] {
        assert!(readme.contains(command), "{command}");
    }
}
