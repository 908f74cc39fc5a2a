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
    accepted(out, report, style);
    for (index, one) in report.suppressions.iter().enumerate() {
        if one.file.is_some() && one.status == Status::Applied {
            continue;
        }
        let place = place(report, one);
        let line = match one.status {
            Status::Applied => {
                let findings = report.suppressed.iter().filter(|s| s.by == index).count();
                let until = one.until.as_ref().map_or(String::new(), |day| format!(", until {day}"));
                let number = counted(findings as f64, "finding");
                format!("ignored: {number} of {}{place}{until}: {}", one.rule, one.reason)
            }
            Status::Merged => format!("merged: {}{place}: {}; {}", one.called(), one.why, one.help),
            Status::Idle => format!("not tested: {}{place}: {}", one.called(), one.why),
            _ => {
                let force = if one.in_force() { "is needless" } else { "is not in force" };
                let head = format!("{}{place} {force}", one.called());
                format!("{}: {head}: {}; {}", paint(style, AnsiColor::Yellow, "warning"), one.why, one.help)
            }
        };
        let _ = writeln!(out, "{}", wrap(&line, style.width, "", "  "));
    }
}

/// The entries that met their findings: those of one reason are told together.
fn accepted(out: &mut String, report: &Report, style: &Style) {
    let mut groups: Vec<(&Suppression, usize)> = Vec::new();
    let met = report.suppressions.iter().filter(|one| one.status == Status::Applied);
    for one in met.filter(|one| one.file.is_some()) {
        let alike = |(first, _): &&mut (&Suppression, usize)| {
            (&first.rule, &first.reason, &first.until) == (&one.rule, &one.reason, &one.until)
        };
        match groups.iter_mut().find(alike) {
            Some((_, often)) => *often += 1,
            None => groups.push((one, 1)),
        }
    }
    for (one, often) in groups {
        let until = one.until.as_ref().map_or(String::new(), |day| format!(" until {day}"));
        let line =
            format!("accepted{until}: {} of {}: {}", counted(often as f64, "finding"), one.rule, one.reason);
        let _ = writeln!(out, "{}", wrap(&line, style.width, "", "  "));
    }
}

fn place(report: &Report, one: &Suppression) -> String {
    if let (Some(path), Some(line)) = (&one.file, one.line) {
        return format!(" at {path}:{line}");
    }
    let origin = one.statement.and_then(|at| report.statements.get(at)).map(|s| &s.origin);
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
    let accepted = report.suppressed.iter().filter(|s| report.suppressions[s.by].file.is_some()).count();
    for (number, word) in [(report.suppressed.len() - accepted, "ignored"), (accepted, "accepted")] {
        if number > 0 {
            let _ = write!(words, "; {number} {word}");
        }
    }
    for (of_file, noun) in [(false, "pgproof:ignore comment"), (true, "accepted finding")] {
        let here = |s: &&Suppression| s.troubled() && s.file.is_some() == of_file;
        let troubled = report.suppressions.iter().filter(here).count();
        if troubled > 0 {
            let _ = write!(words, "; {} to mend", counted(troubled as f64, noun));
        }
    }
    words
}
