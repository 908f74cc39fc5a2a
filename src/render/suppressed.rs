//! What comments asked to ignore, one line each, and the comments that somebody has to mend.
//!
//! Refuses to tell an ignored finding again: its rule, its number and its reason are enough.

use super::Style;
use super::text::{paint, wrap};
use crate::capture::OriginKind;
use crate::report::Report;
use crate::suppress::{Status, Suppression};
use crate::words::counted;
use anstyle::AnsiColor;
use std::fmt::Write as _;

/// Appends the lines; they are no part of what `--quiet` leaves out, because they decide on the exit code.
pub(super) fn suppressions(out: &mut String, report: &Report, style: &Style) {
    for (index, one) in report.suppressions.iter().enumerate() {
        let place = place(report, one);
        let line = match one.status {
            Status::Applied => {
                let findings = report.suppressed.iter().filter(|s| s.by == index).count();
                let until = one.until.as_ref().map_or(String::new(), |day| format!(", until {day}"));
                let number = counted(findings as f64, "finding");
                format!("ignored: {number} of {}{place}{until}: {}", one.rule, one.reason)
            }
            Status::Idle => format!("not tested: pgproof:ignore {}{place}: {}", one.rule, one.why),
            _ => {
                let name = if one.rule.is_empty() { "" } else { " " };
                let force = if one.in_force() { "is needless" } else { "is not in force" };
                let head = format!("pgproof:ignore{name}{}{place} {force}", one.rule);
                format!("{}: {head}: {}; {}", paint(style, AnsiColor::Yellow, "warning"), one.why, one.help)
            }
        };
        let _ = writeln!(out, "{}", wrap(&line, style.width, "", "  "));
    }
}

fn place(report: &Report, one: &Suppression) -> String {
    let origin = report.statements.get(one.statement).map(|s| &s.origin);
    match (origin.map(|o| (o.kind, o.path.as_deref())), one.line) {
        (Some((_, Some(path))), Some(line)) => format!(" at {path}:{line}"),
        (Some((OriginKind::Argument, _)), _) | (None, _) => String::new(),
        (_, Some(line)) => format!(" on line {line}"),
        (_, None) => String::new(),
    }
}

/// The end of the summary: how many were ignored, how many comments need mending.
pub(super) fn summary(report: &Report) -> String {
    let mut words = String::new();
    if !report.suppressed.is_empty() {
        let _ = write!(words, "; {} ignored", report.suppressed.len());
    }
    let troubled = report.suppressions.iter().filter(|s| s.troubled()).count();
    if troubled > 0 {
        let _ = write!(words, "; {} to mend", counted(troubled as f64, "pgproof:ignore comment"));
    }
    words
}
