//! The command line from outside: the real binary, real servers, exit codes, messages, streams.
//!
//! Refuses to let a password appear anywhere: every run is checked for it.
#![allow(clippy::disallowed_methods)] // Tests are an edge.

mod anonymize;
mod connecting;
mod diff;
mod executing;
mod ignoring;
mod input;
mod output;
mod schema;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod team;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Database, database, majors};

/// The password of a role of ours, right or wrong: no run may show it.
const PASSWORD: &str = "hunter2-Geheim";

/// One run of the binary, in an empty folder and environment.
struct Run {
    command: Command,
    stdin: Vec<u8>,
    home: tempfile::TempDir,
}

/// What a run left.
struct Ran {
    code: i32,
    out: String,
    err: String,
    home: tempfile::TempDir,
}

/// A run without a server.
fn pgproof(args: &[&str]) -> Run {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args(args).current_dir(home.path()).env_clear().env("HOME", home.path());
    command.env("PGCONNECT_TIMEOUT", "20");
    Run { command, stdin: Vec::new(), home }
}

/// A run of `explain` on a database.
fn explain(database: &Database, args: &[&str]) -> Run {
    let mut run = pgproof(&["explain"]);
    run.command.args(args).env("DATABASE_URL", &database.url);
    run
}

impl Run {
    fn env(mut self, name: &str, value: &str) -> Run {
        self.command.env(name, value);
        self
    }

    fn stdin(mut self, bytes: &[u8]) -> Run {
        self.stdin = bytes.to_vec();
        self
    }

    /// A file in the folder that the run starts in.
    fn file(self, name: &str, bytes: &[u8]) -> Run {
        std::fs::write(self.home.path().join(name), bytes).expect("written");
        self
    }

    fn run(mut self) -> Ran {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("its standard input");
        // A run that reads nothing closes it early.
        let _ = stdin.write_all(&self.stdin);
        drop(stdin);
        let output = child.wait_with_output().expect("the binary ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (out, err) = (text(output.stdout), text(output.stderr));
        for stream in [&out, &err] {
            assert!(!stream.contains(PASSWORD), "a password is shown:\n{stream}");
            assert!(!stream.contains("panicked"), "{stream}");
            assert!(!stream.contains("os error"), "{stream}");
        }
        Ran { code: output.status.code().expect("no signal"), out, err, home: self.home }
    }

    /// A run that succeeds and says nothing on standard error.
    fn succeeds(self) -> Ran {
        let ran = self.run();
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        ran
    }

    /// A run that fails with nothing on standard output, and with these words on standard error in order.
    fn fails(self, code: i32, words: &[&str]) -> Ran {
        let ran = self.run();
        assert_eq!(ran.out, "", "standard output carries the report only; standard error: {}", ran.err);
        ran.failed(code, words);
        ran
    }
}

impl Ran {
    fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        let mut rest = self.err.as_str();
        for word in words {
            let at = rest.find(word).unwrap_or_else(|| panic!("lacks, in order: {word}\n{}", self.err));
            rest = &rest[at + word.len()..];
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }

    fn path(&self) -> &Path {
        self.home.path()
    }
}

/// The newest major of this machine.
fn newest() -> u32 {
    *majors().last().expect("a major")
}

/// A database with a table of 20,000 orders, and one more that is slow to read for few of its rows.
fn shop(major: u32) -> Database {
    let database = database(major);
    database.execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text);
         INSERT INTO orders SELECT i, i % 1000, 'note ' || i FROM generate_series(1, 20000) i;
         CREATE SEQUENCE numbers",
    );
    database.execute("ANALYZE orders");
    database
}
