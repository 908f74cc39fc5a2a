//! All statements at a glance: what ails each, what helps most, and by how much.
//!
//! Refuses to list alternatives: of several remedies the best proven one stands for its statement.

use super::Style;
use super::text::{bold, paint, shorten};
use crate::proposals::Change;
use crate::prove::{Outcome, Sample, median};
use crate::report::{Judged, Report};
use crate::units::Millis;
use crate::words::{duration, times};
use anstyle::AnsiColor;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// One statement's line.
struct Row {
    number: String,
    trouble: String,
    remedy: String,
    time: String,
    verdict: String,
    helped: bool,
}

/// Appends the table: one line per statement, or two where remedies are too long for the width.
pub(super) fn overview(out: &mut String, report: &Report, style: &Style) {
    let rows: Vec<Row> = (0..report.statements.len()).map(|index| row(report, index)).collect();
    let width = |of: fn(&Row) -> &str| rows.iter().map(|r| of(r).chars().count()).max().unwrap_or(0);
    let number = width(|r| &r.number);
    let trouble = width(|r| &r.trouble);
    let time = width(|r| &r.time);
    let verdict = width(|r| &r.verdict);
    let remedy = width(|r| &r.remedy);
    let one_line = number + trouble + time + verdict + remedy + 8 <= style.width;
    let _ = writeln!(out, "{}", bold(style, "── in short"));
    for row in &rows {
        let head = format!("{:>number$}  {:trouble$}", row.number, row.trouble);
        let verdict = match row.helped {
            true => paint(style, AnsiColor::Green, &format!("{:>verdict$}", row.verdict)),
            false => format!("{:>verdict$}", row.verdict),
        };
        let end = format!("{:>time$}  {verdict}", row.time);
        let _ = match one_line {
            true => writeln!(out, "{head}  {:remedy$}  {end}", row.remedy),
            false => writeln!(out, "{head}  {end}"),
        };
        if !one_line && !row.remedy.is_empty() {
            let _ = writeln!(out, "{:number$}  {}", "", shorten(&row.remedy, style.width - number - 2));
        }
    }
}

fn row(report: &Report, index: usize) -> Row {
    let mine = report.proposals.iter().filter(|j| j.proposal.statement == Some(index));
    let best = mine.max_by(|a, b| better(a, b));
    let finding = match best {
        Some(judged) => judged.proposal.answers.first().and_then(|&i| report.findings.get(i)),
        None => report.findings.iter().find(|f| f.at.statement == Some(index)),
    };
    let middle = |samples: &[Sample]| median(&samples.iter().map(|s| s.ms).collect::<Vec<_>>());
    let (before, after) =
        best.map_or((None, None), |j| (middle(&j.verdict.before), middle(&j.verdict.after)));
    let plain =
        report.statements[index].plans.first().and_then(|p| p.plan.execution_time.or(p.plan.duration));
    Row {
        number: (index + 1).to_string(),
        trouble: finding.map_or("none", |f| &*f.rule).to_owned(),
        remedy: best.map_or(String::new(), remedy),
        time: match (before.map(Millis).or(plain), after) {
            (Some(before), Some(after)) => format!("{} → {}", duration(before), duration(Millis(after))),
            (Some(before), None) => duration(before),
            _ => String::new(),
        },
        verdict: best.map_or("nothing to propose".to_owned(), verdict),
        helped: best.is_some_and(|j| j.verdict.outcome == Outcome::Confirmed),
    }
}

/// Proven remedies first, the fastest of them before the others.
fn better(a: &Judged, b: &Judged) -> Ordering {
    let rank = |judged: &Judged| match judged.verdict.outcome {
        Outcome::Confirmed => 4,
        Outcome::Predicted => 3,
        Outcome::Undecided => 2,
        Outcome::NotTried => 1,
        Outcome::NoBetter | Outcome::PlannerDeclined | Outcome::ResultsDiffer => 0,
    };
    let speed = |judged: &Judged| judged.verdict.speedup.map_or(0.0, |s| s.median);
    rank(a).cmp(&rank(b)).then(speed(a).total_cmp(&speed(b)))
}

fn remedy(judged: &Judged) -> String {
    match &judged.proposal.change {
        Change::CreateIndex(index) => {
            let keys: Vec<String> = index.keys.iter().map(|key| key.sql()).collect();
            let only = index.predicate.as_ref().map_or(String::new(), |p| format!(" WHERE {p}"));
            format!("index on {} ({}){only}", index.table, keys.join(", "))
        }
        Change::Analyze { relation, .. } => format!("ANALYZE {relation}"),
        Change::CreateStatistics { relation, columns, .. } if !columns.is_empty() => {
            format!("statistics on {relation} ({})", columns.join(", "))
        }
        Change::CreateStatistics { relation, .. } => format!("statistics on an expression of {relation}"),
        Change::Setting { name, value } => format!("{name} = {value}"),
        Change::Rewrite { .. } => "the statement in other words".to_owned(),
        Change::DropIndex { name, .. } => format!("drop {name}"),
        Change::Reindex { name, .. } => format!("REINDEX {name}"),
        Change::Validate { name, .. } => format!("VALIDATE {name}"),
        Change::Vacuum { relation, .. } => format!("VACUUM {relation}"),
        Change::Migration { .. } => "the migration in other words".to_owned(),
    }
}

fn verdict(judged: &Judged) -> String {
    match judged.verdict.outcome {
        Outcome::Confirmed => judged.verdict.speedup.map_or("confirmed".to_owned(), |s| times(s.median)),
        Outcome::NoBetter => "no better".to_owned(),
        Outcome::Undecided => "undecided".to_owned(),
        Outcome::PlannerDeclined => "declined".to_owned(),
        Outcome::ResultsDiffer => "results differ".to_owned(),
        Outcome::Predicted => "predicted".to_owned(),
        Outcome::NotTried => "not tried".to_owned(),
    }
}
