//! Annotations of GitHub Actions: workflow commands, one line each, on standard output.
//!
//! Refuses to say more than GitHub shows: it drops what goes beyond its limits without a word, so the loudest come
//! first and the last line of each kind counts the others.

use super::told;
use crate::finding::Severity;
use crate::identity;
use crate::report::Report;
use crate::words::counted;
use std::fmt::Write as _;

/// Annotations of each kind that a step may have.
const MOST: usize = 10;
/// Bytes of a message: GitHub shows 4 kB.
const MESSAGE: usize = 4_000;

/// The report as annotations. What `::` starts is a command: nothing else starts a line.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let places = identity::places(report);
    let troubled: Vec<String> = report
        .suppressions
        .iter()
        .filter(|one| one.troubled())
        .map(|one| format!("{}: {}; {}", one.called(), one.why, one.help))
        .collect();
    let summary = report.summary();
    let fits = summary.errors <= MOST && summary.warnings + troubled.len() <= MOST && summary.infos <= MOST;
    let mut left_out = 0;
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let command = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let mut given = 0;
        for (number, finding) in told::loudest(report).into_iter().filter(|(_, f)| f.severity == severity) {
            // One notice is kept for the line that counts what was left out.
            if given == MOST - usize::from(severity == Severity::Info && !fits) {
                left_out += 1;
                continue;
            }
            given += 1;
            let place = places[number].as_ref().map_or(String::new(), |place| {
                format!("file={},line={},endLine={},", property(&place.path), place.line, place.end_line)
            });
            let title = property(&told::cut(&finding.rule, 200));
            let message = message(&told::cut(&told::sentences(finding), MESSAGE));
            let _ = writeln!(out, "::{command} {place}title=pgproof%3A {title}::{message}");
        }
        if severity == Severity::Warning {
            let room = MOST - given;
            for line in troubled.iter().take(room) {
                let _ = writeln!(out, "::warning title=pgproof::{}", message(&told::cut(line, MESSAGE)));
            }
            left_out += troubled.len().saturating_sub(room);
        }
    }
    if left_out > 0 {
        let more = counted(left_out as f64, "more annotation");
        let _ = writeln!(
            out,
            "::notice title=pgproof::{more} left out, for GitHub shows {MOST} of each kind: the step's summary, or the \
             report in another format, has all"
        );
    }
    let gaps = report.gaps.len() + report.skipped.len();
    let unseen =
        if gaps == 0 { String::new() } else { format!("; {} not looked at", counted(gaps as f64, "thing")) };
    let _ = writeln!(out, "pgproof: {}{unseen}", told::total(report));
    out
}

/// The text of a command.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of one of its properties.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
