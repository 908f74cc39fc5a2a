//! Reports in the formats of other programs: real captures, replayed by the binary, read back as their readers do.
//!
//! Refuses to compare whole texts: what is held to is what a reader relies on.
#![allow(clippy::disallowed_methods)] // Tests are an edge.

mod github;
mod machines;
mod markdown;

use pgproof::analyse::analyse;
use pgproof::finding::Severity;
use pgproof::report::Report;
use pgproof::rules::Config;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a name may hold: the ends of everything that a format puts around it.
pub const HOSTILE: &str =
    "x]]>\n::error::50%25,a:b</script><script>alert('1')</script>&amp;```\n## @team #1 |*_` é\u{202e}\u{7}";
/// The same in a path, which has one line.
pub const HOSTILE_PATH: &str = "db/a,b:c%25 <i>&\"'`é.sql";

/// A capture that was recorded from a server for a case on a rule's page.
pub fn capture(case: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures").join(format!("{case}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let recorded: Value = serde_json::from_str(&text).expect("a recorded case");
    recorded["capture"].clone()
}

/// A finding with proposals, in line 7 of a file.
pub fn ordinary() -> Value {
    let mut capture = capture("seq-scan-discards-rows/names-that-need-quotes");
    capture["statements"][0]["origin"] = json!({"kind": "file", "path": "db/queries.sql", "line": 7});
    capture
}

/// The same with names that want to be markup, commands and ends of strings.
pub fn hostile() -> Value {
    let mut capture = ordinary();
    let quoted = serde_json::to_string(HOSTILE).expect("a string");
    let text = capture.to_string().replace("Order Lines", quoted.trim_matches('"'));
    capture = serde_json::from_str(&text).expect("still a capture");
    capture["statements"][0]["origin"]["path"] = json!(HOSTILE_PATH);
    capture
}

/// What was recorded, with nothing to say.
pub fn silent() -> Value {
    capture("seq-scan-discards-rows/a-small-table")
}

/// The report on a capture.
pub fn report(capture: &Value) -> Report {
    analyse(&serde_json::from_str(&capture.to_string()).expect("a capture"), &Config::default())
        .expect("a report")
}

/// A report's findings so often that no reader takes them all, a third of each severity.
pub fn many(capture: &Value, times: usize) -> Report {
    let mut report = report(capture);
    let real = report.findings.clone();
    assert!(!real.is_empty(), "the capture has findings");
    report.findings = real.iter().cycle().take(times).cloned().collect();
    for (number, finding) in report.findings.iter_mut().enumerate() {
        finding.severity = [Severity::Info, Severity::Warning, Severity::Error][number % 3];
    }
    report
}

/// A folder with a capture in it, for runs of the binary.
pub struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    pub fn of(capture: &Value) -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("capture.json"), capture.to_string()).expect("written");
        Folder { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// `pgproof explain --capture` with flags and an environment; its standard output.
    pub fn run(&self, flags: &[&str], environment: &[(&str, &str)]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        command.args(["explain", "--capture", "capture.json"]).args(flags);
        command.current_dir(self.folder.path()).env_clear().envs(environment.iter().copied());
        let ran = command.output().expect("the binary runs");
        let err = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{flags:?}: {err}");
        String::from_utf8(ran.stdout).expect("UTF-8")
    }
}

/// A capture in a format, written twice: what is written is the same both times.
pub fn written(capture: &Value, format: &str) -> String {
    let folder = Folder::of(capture);
    let flags = ["--format", format];
    let once = folder.run(&flags, &[]);
    assert_eq!(once, folder.run(&flags, &[]), "{format} differs from run to run");
    once
}
