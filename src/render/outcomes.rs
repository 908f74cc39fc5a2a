//! What became of the queries, in one line.
//!
//! Refuses to list them: those that somebody should look at have findings.

use super::Style;
use super::text::bold;
use crate::gate::Outcome;
use crate::report::Report;
use std::fmt::Write as _;

const ALL: [Outcome; 12] = [
    Outcome::Broken,
    Outcome::Regressed,
    Outcome::OverBudget,
    Outcome::Worse,
    Outcome::NewUnindexed,
    Outcome::Changed,
    Outcome::Better,
    Outcome::Tie,
    Outcome::New,
    Outcome::Unchanged,
    Outcome::Planned,
    Outcome::Unplanned,
];

/// Appends how many queries there are of each outcome; nothing where none was compared.
pub(super) fn outcomes(out: &mut String, report: &Report, style: &Style) {
    let of = |outcome| report.statements.iter().filter(|s| s.outcome == Some(outcome)).count();
    let counts: Vec<String> = ALL
        .iter()
        .map(|&outcome| (of(outcome), outcome.name()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if !counts.is_empty() {
        let _ = writeln!(out, "{} {}", bold(style, "queries:"), counts.join(", "));
    }
}
