//! A report as a person reads it in a terminal: the query, the tree, findings, proposals, before and after.
//!
//! Refuses to repeat: what the tree shows is not said again in words.

use super::{Style, diff, outcomes, overview, ranking, suppressed, tree};
use crate::capture::{Mode, OriginKind};
use crate::finding::{Finding, Severity};
use crate::plan::Plan;
use crate::proposals::{Applicability, Change, trial_name};
use crate::prove::{Method, Outcome, Sample, median, percentile};
use crate::report::{Judged, Report, Statement};
use crate::units::{Bytes, Millis};
use crate::words::{brief, count, counted, duration, size, times};
use anstyle::{AnsiColor, Style as Ansi};
use std::collections::HashSet;
use std::fmt::Write as _;
use tabled::builder::Builder;
use tabled::settings::Style as TableStyle;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Padding};

/// Lines of a statement that are shown; the rest is counted.
const SHOWN_LINES: usize = 12;
/// Findings of a statement that are told in full; the rest is counted.
const SHOWN_FINDINGS: usize = 20;

/// The report as text.
pub fn render(report: &Report, style: &Style) -> String {
    let mut out = String::new();
    if let Some(mut text) = diff::diff(report, style) {
        suppressed::suppressions(&mut text, report, style);
        return text;
    }
    if let Some(workload) = &report.workload {
        ranking::ranking(&mut out, report, workload, style);
    }
    for (index, statement) in report.statements.iter().enumerate() {
        let told = report.findings.iter().any(|f| f.at.statement == Some(index));
        // A statement of a migration is here for its comments alone.
        if (statement.outcome.is_some() || statement.plans.is_empty()) && report.workload.is_none() && !told {
            continue;
        }
        match report.workload {
            Some(_) if !style.verbose => in_brief(&mut out, report, index, statement, style),
            _ => self::statement(&mut out, report, index, statement, style),
        }
    }
    findings(&mut out, report, None, style);
    proposals(&mut out, report, None, style);
    if !style.quiet {
        tried(&mut out, report);
        checked(&mut out, report, style);
        gaps(&mut out, report, style);
    } else if !report.gaps.is_empty() {
        let things = counted(report.gaps.len() as f64, "thing");
        let _ = writeln!(out, "not seen: {things}; without --quiet they are listed\n");
    }
    suppressed::suppressions(&mut out, report, style);
    outcomes::outcomes(&mut out, report, style);
    let compared = report.statements.iter().any(|s| s.outcome.is_some())
        || report.statements.iter().all(|s| s.plans.is_empty());
    if report.statements.len() > 1 && report.workload.is_none() && !compared {
        overview::overview(&mut out, report, style);
    }
    summary(&mut out, report, style);
    out
}

fn statement(out: &mut String, report: &Report, index: usize, statement: &Statement, style: &Style) {
    if report.statements.len() > 1 || matches!(statement.origin.kind, OriginKind::File | OriginKind::Log) {
        let place = match (&statement.origin.path, statement.origin.line) {
            (Some(path), Some(line)) => format!("  {path}:{line}"),
            _ => String::new(),
        };
        let title = statement.title.as_ref().map_or(String::new(), |title| format!("  {title}"));
        let number = format!("── {} of {}{place}{title}", index + 1, report.statements.len());
        let _ = writeln!(out, "{}", bold(style, &shorten(&number, style.width)));
    }
    if !style.quiet {
        for line in statement.text.lines().take(SHOWN_LINES) {
            let _ = writeln!(out, "  {}", shorten(line, style.width * 4));
        }
        let more = statement.text.lines().count().saturating_sub(SHOWN_LINES);
        if more > 0 {
            let _ = writeln!(out, "  … {} more", counted(more as f64, "line"));
        }
        out.push('\n');
    }
    for (run, planned) in statement.plans.iter().enumerate() {
        if !style.quiet {
            let mut marks = tree::Marks::new();
            let here = |f: &Finding| f.at.statement == Some(index) && f.at.run == Some(run);
            for (number, found) in report.findings.iter().enumerate().filter(|(_, f)| here(f)) {
                if let Some(node) = found.at.node {
                    let mark = marks.entry(node).or_default();
                    mark.names.push(format!("f{}", number + 1));
                    if number < SHOWN_FINDINGS {
                        mark.told.extend([found.what.clone(), found.why.clone()]);
                    }
                }
            }
            // Of several runs, the plans that something is said about; of the others the time is enough.
            let told = report.findings.iter().any(|f| f.at.statement == Some(index));
            let shown = style.verbose || !marks.is_empty() || (run == 0 && !told);
            for line in
                tree::lines(planned, &marks, style).iter().filter(|_| shown || statement.plans.len() == 1)
            {
                let _ = writeln!(out, "{}", line.trim_end());
            }
            let timing = timing(planned, statement.plans.len() > 1);
            // Of a query that was compared, values that nothing is said about are of no interest.
            if !timing.is_empty() && (shown || statement.outcome.is_none()) {
                let _ = writeln!(out, "{timing}");
            }
            if let Some(why) = &planned.not_executed {
                let _ =
                    writeln!(out, "{}", bold(style, &format!("not executed, so these are estimates: {why}")));
            }
            if shown || statement.outcome.is_none() {
                out.push('\n');
            }
        }
    }
    findings(out, report, Some(index), style);
    for note in &statement.notes {
        let _ = writeln!(out, "{}", wrap(note, style.width, "", "  "));
    }
    if !statement.notes.is_empty() {
        out.push('\n');
    }
    proposals(out, report, Some(index), style);
}

/// A statement of a ranking: its findings and proposals, where it has any; with -v everything.
fn in_brief(out: &mut String, report: &Report, index: usize, statement: &Statement, style: &Style) {
    if !report.findings.iter().any(|f| f.at.statement == Some(index)) {
        return;
    }
    let number = format!("── {}  ", index + 1);
    let text = brief(&statement.text, style.width.saturating_sub(number.chars().count()));
    let _ = writeln!(out, "{}", bold(style, &format!("{number}{text}")));
    findings(out, report, Some(index), style);
    proposals(out, report, Some(index), style);
}

/// The findings of a statement, or of the database.
fn findings(out: &mut String, report: &Report, statement: Option<usize>, style: &Style) {
    let answers = report.proposals.iter().flat_map(|judged| &judged.proposal.answers);
    let answered: HashSet<usize> = answers.copied().collect();
    let mine = || report.findings.iter().enumerate().filter(|(_, f)| f.at.statement == statement);
    let most = if style.verbose { usize::MAX } else { SHOWN_FINDINGS };
    for (number, found) in mine().take(most) {
        finding(out, number, found, answered.contains(&number), style);
    }
    let more = mine().skip(most).count();
    if more > 0 {
        let _ =
            writeln!(out, "… {} with less to recover: -v shows them\n", counted(more as f64, "more finding"));
    }
}

/// The proposals for a statement, or for the database.
fn proposals(out: &mut String, report: &Report, statement: Option<usize>, style: &Style) {
    let all = report.proposals.iter().enumerate();
    let mine: Vec<(usize, &Judged)> = all.filter(|(_, j)| j.proposal.statement == statement).collect();
    for (number, judged) in &mine {
        proposal(out, *number, judged, style);
    }
    if statement.is_some() {
        alternatives(out, &mine);
    }
}

/// Several remedies that help one statement seldom add up: which one to start with.
fn alternatives(out: &mut String, judged: &[(usize, &Judged)]) {
    let mut helped: Vec<(f64, usize)> = judged
        .iter()
        .filter(|(_, j)| j.verdict.outcome == Outcome::Confirmed)
        .filter_map(|(number, j)| Some((j.verdict.speedup?.median, number + 1)))
        .collect();
    helped.sort_by(|a, b| b.0.total_cmp(&a.0));
    if let [(_, best), rest @ ..] = &helped[..]
        && !rest.is_empty()
    {
        let others: Vec<String> = rest.iter().map(|(_, number)| format!("p{number}")).collect();
        let _ = writeln!(
            out,
            "each was tried alone: p{best} helps most; {} may add little to it\n",
            others.join(" and ")
        );
    }
}

/// `several`: the statement has other runs, with other values.
fn timing(planned: &crate::report::Planned, several: bool) -> String {
    let plan = &planned.plan;
    let values: Vec<String> = planned
        .parameters
        .iter()
        .enumerate()
        .map(|(at, value)| {
            format!("${} = {}", at + 1, value.as_ref().map_or("NULL".into(), |v| format!("'{v}'")))
        })
        .collect();
    let mode = match (planned.mode, values.is_empty()) {
        (Mode::Generic, true) => "generic plan, no parameter values".to_owned(),
        (Mode::Generic, false) => format!("generic plan with {}", shorten(&values.join(", "), 60)),
        (Mode::Analyzed | Mode::Estimated, false) if several => {
            format!("with {}", shorten(&values.join(", "), 60))
        }
        _ => String::new(),
    };
    let part = |label: &str, time: Option<Millis>| time.map(|t| format!("{label} {}", duration(t)));
    let parts: Vec<String> = [
        part("execution", plan.execution_time.or(plan.duration)),
        part("planning", plan.planning_time),
        part("JIT", plan.jit.as_ref().and_then(|j| j.total)),
        part(
            "triggers",
            plan.triggers.as_ref().filter(|t| !t.is_empty()).map(|t| t.iter().filter_map(|t| t.time).sum()),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let parts = Some(parts.join(", ")).filter(|parts| !parts.is_empty());
    Some(mode).filter(|mode| !mode.is_empty()).into_iter().chain(parts).collect::<Vec<_>>().join("; ")
}

/// `answered`: a proposal below says what to do.
fn finding(out: &mut String, number: usize, finding: &Finding, answered: bool, style: &Style) {
    let word = match finding.severity {
        Severity::Error => paint(style, AnsiColor::Red, "error"),
        Severity::Warning => paint(style, AnsiColor::Yellow, "warning"),
        Severity::Info => paint(style, AnsiColor::Cyan, "info"),
    };
    let saves = finding.saves.map_or(String::new(), |s| format!(", up to {} to recover", duration(s)));
    let place = finding.location.as_ref().map_or(String::new(), |at| format!(" at {}:{}", at.path, at.line));
    let _ = writeln!(out, "f{} {word} {}{place}{saves}", number + 1, bold(style, &finding.rule));
    let lines = [("", &finding.what), ("", &finding.why), ("help: ", &finding.help)];
    let shown =
        |label: &str, line: &str| !line.is_empty() && (label.is_empty() || !answered || style.verbose);
    for (label, line) in lines.into_iter().filter(|(label, line)| shown(label, line)) {
        let _ = writeln!(out, "{}", wrap(&format!("{label}{line}"), style.width, "   ", "   "));
    }
    for also in &finding.also {
        let line = format!("also {}: {}", also.rule, also.what);
        let _ = writeln!(out, "{}", wrap(&line, style.width, "   ", "   "));
    }
    if style.verbose {
        for evidence in &finding.evidence {
            let value = match &evidence.value {
                crate::finding::Value::Number(n) => count(*n),
                crate::finding::Value::Text(text) => text.clone(),
            };
            let _ = writeln!(out, "     {}: {value} {}", evidence.label, evidence.unit);
        }
    }
    out.push('\n');
}

fn proposal(out: &mut String, number: usize, judged: &Judged, style: &Style) {
    let proposal = &judged.proposal;
    let answers: Vec<String> = proposal.answers.iter().map(|i| format!("f{}", i + 1)).collect();
    let (word, color) = outcome(judged);
    let head = format!("p{} for {}: ", number + 1, answers.join(", "));
    let _ = writeln!(out, "{head}{}", paint(style, color, &word));
    for line in &proposal.apply {
        let _ = writeln!(out, "   {}", bold(style, &format!("{line};")));
    }
    let table = before_after(judged).filter(|_| judged.recommended() || style.verbose);
    if let Some(reason) = reason(judged, table.is_none()) {
        let _ = writeln!(out, "{}", wrap(&reason, style.width, "   ", "   "));
    }
    for line in table.iter().flat_map(|table| table.lines()) {
        let _ = writeln!(out, "   {}", line.trim_end());
    }
    if judged.recommended() {
        if let Some(plan) = &judged.plan_after {
            let _ = writeln!(
                out,
                "{}",
                wrap(&plan_after(judged, plan), style.width, "   plan:   ", "           ")
            );
        }
        for line in &proposal.undo {
            let _ = writeln!(out, "   undo:   {line};");
        }
        for line in facts(judged) {
            let _ = writeln!(out, "{}", wrap(&line, style.width, "   ", "           "));
        }
    }
    out.push('\n');
}

/// Why the verdict is what it is, with the medians where no table shows them.
pub(super) fn reason(judged: &Judged, medians: bool) -> Option<String> {
    let verdict = &judged.verdict;
    let reason = verdict.reason.clone()?;
    let middle = |samples: &[Sample]| median(&samples.iter().map(|s| s.ms).collect::<Vec<_>>());
    Some(match (middle(&verdict.before), middle(&verdict.after)) {
        (Some(before), Some(after)) if medians => {
            format!("{reason}: {} before, {} after", duration(Millis(before)), duration(Millis(after)))
        }
        _ => reason,
    })
}

/// The plan with the change in place, under the names that will stay.
fn plan_after(judged: &Judged, plan: &Plan) -> String {
    let line = tree::line(plan);
    match &judged.proposal.change {
        Change::CreateIndex(index) => line.replace(&trial_name(judged.proposal.key()), &index.name),
        _ => line,
    }
}

pub(super) fn outcome(judged: &Judged) -> (String, AnsiColor) {
    let verdict = &judged.verdict;
    let speed = verdict.speedup.map_or(String::new(), |s| {
        format!(", {} as fast ({} to {})", times(s.median), times(s.low), times(s.high))
    });
    let kept = if judged.kept { "; kept under its final name" } else { "" };
    match verdict.outcome {
        Outcome::Confirmed => (format!("confirmed{speed}{kept}"), AnsiColor::Green),
        Outcome::NoBetter => ("no better, not recommended".to_owned(), AnsiColor::Red),
        Outcome::Undecided => (format!("undecided{speed}"), AnsiColor::Yellow),
        Outcome::PlannerDeclined => ("the planner declined it, not recommended".to_owned(), AnsiColor::Red),
        Outcome::ResultsDiffer => ("results differ, not recommended".to_owned(), AnsiColor::Red),
        Outcome::Predicted => ("predicted".to_owned(), AnsiColor::Cyan),
        Outcome::NotTried => ("not tried".to_owned(), AnsiColor::Yellow),
    }
}

pub(super) fn facts(judged: &Judged) -> Vec<String> {
    let proposal = &judged.proposal;
    let mut lines = Vec::new();
    if !proposal.locks.is_empty() {
        lines.push(format!("locks:  {}", proposal.locks.join("; ")));
    }
    let mut costs = Vec::new();
    let setting = matches!(proposal.change, Change::Setting { .. });
    let built = !setting && !matches!(judged.verdict.method, Method::Hypothetical | Method::Twin);
    // A setting's size is its value, which the statement to run tells.
    if let Some(bytes) = judged.size_bytes.filter(|_| !setting) {
        let about = if built && judged.verdict.build_ms.is_some() { "" } else { "about " };
        costs.push(format!("{about}{}", size(Bytes(bytes))));
    }
    if let Some(write) = &proposal.write_cost {
        costs.push(format!(
            "about {} more per 1,000 rows written",
            duration(Millis(write.extra_ms_per_1000_writes))
        ));
        if let Some(ratio) = write.writes_per_read {
            costs.push(format!("{} rows written per scan so far", count(ratio)));
        }
        if write.blocks_hot_updates == Some(true) {
            costs.push("updates of its columns are no longer HOT".to_owned());
        }
    }
    if let Some(ms) = judged.verdict.build_ms.filter(|_| built) {
        costs.push(format!("built in {}", duration(Millis(ms))));
    }
    if !costs.is_empty() {
        lines.push(format!("costs:  {}", costs.join(", ")));
    }
    if proposal.applicability != Applicability::Safe {
        lines.push("review: for a person to weigh, not for a script to apply".to_owned());
    }
    lines.extend(proposal.remarks.iter().map(|r| format!("note:   {r}")));
    lines
}

pub(super) fn before_after(judged: &Judged) -> Option<String> {
    let verdict = &judged.verdict;
    let mut table = Builder::default();
    table.push_record(["", "median", "p95", "blocks", "runs"]);
    for (name, samples) in [("before", &verdict.before), ("after", &verdict.after)] {
        let ms: Vec<f64> = samples.iter().map(|s| s.ms).collect();
        let blocks: Vec<f64> = samples.iter().filter_map(|s| s.blocks).map(|b| b as f64).collect();
        table.push_record([
            name.to_owned(),
            duration(Millis(median(&ms)?)),
            duration(Millis(percentile(&ms, 0.95)?)),
            median(&blocks).map_or("-".to_owned(), count),
            ms.len().to_string(),
        ]);
    }
    let mut table = table.build();
    table
        .with(TableStyle::blank())
        .with(Padding::new(0, 2, 0, 0))
        .with(Modify::new(Columns::new(1..)).with(Alignment::right()));
    Some(table.to_string())
}

fn gaps(out: &mut String, report: &Report, style: &Style) {
    let shown: Vec<_> = report.gaps.iter().filter(|g| !g.what.starts_with("not executed")).collect();
    for gap in shown {
        let _ = writeln!(out, "{}", wrap(&format!("not seen: {}", gap.what), style.width, "", "  "));
    }
}

/// Which migrations were tried, and as whose.
fn tried(out: &mut String, report: &Report) {
    if let Some(tried) = &report.migrations {
        let base = match tried.applied {
            0 => String::new(),
            n => format!(" after {n} of the base"),
        };
        let new = counted(tried.new as f64, "new migration");
        let _ = writeln!(out, "checked: {new}{base} ({})", tried.framework);
    }
}

/// Of the rules about the database: what is clean, and what nobody could judge.
fn checked(out: &mut String, report: &Report, style: &Style) {
    // Of statements, the rules that need an execution are many, and the plan says that there was none.
    if !report.statements.is_empty() {
        return;
    }
    if !report.clean.is_empty() {
        let line = format!("checked and clean: {}", report.clean.join(", "));
        let _ = writeln!(out, "{}", wrap(&line, style.width, "", "  "));
    }
    for skipped in &report.skipped {
        let line = format!("not judged: {} needs {}", skipped.rule, skipped.needs);
        let _ = writeln!(out, "{}", wrap(&line, style.width, "", "  "));
    }
}

fn summary(out: &mut String, report: &Report, style: &Style) {
    let summary = report.summary();
    let total = report.findings.len();
    let confirmed = report.proposals.iter().filter(|j| j.verdict.outcome == Outcome::Confirmed).count();
    let recommended = report.proposals.iter().filter(|j| j.recommended()).count();
    let mut line = match total {
        0 => "no findings".to_owned(),
        _ => {
            let words = [(summary.errors, "error"), (summary.warnings, "warning"), (summary.infos, "info")];
            let words: Vec<String> =
                words.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| counted(n as f64, word)).collect();
            format!("{} ({})", counted(total as f64, "finding"), words.join(", "))
        }
    };
    if !report.proposals.is_empty() {
        line.push_str(&format!("; {}", counted(report.proposals.len() as f64, "proposal")));
        line.push_str(&format!(", {confirmed} confirmed"));
        if recommended < report.proposals.len() {
            line.push_str(&format!(", {} not recommended", report.proposals.len() - recommended));
        }
    }
    line.push_str(&suppressed::summary(report));
    let _ = writeln!(out, "{}", bold(style, &line));
}

pub(super) fn bold(style: &Style, text: &str) -> String {
    let ansi = Ansi::new().bold();
    if style.color { format!("{ansi}{text}{ansi:#}") } else { text.to_owned() }
}

pub(super) fn paint(style: &Style, color: AnsiColor, text: &str) -> String {
    let ansi = Ansi::new().bold().fg_color(Some(color.into()));
    if style.color { format!("{ansi}{text}{ansi:#}") } else { text.to_owned() }
}

pub(super) fn shorten(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// Breaks a sentence at spaces; a word longer than the line stays whole.
pub(crate) fn wrap(text: &str, width: usize, first: &str, rest: &str) -> String {
    let mut out = first.to_owned();
    let mut column = first.chars().count();
    let mut fresh = true;
    for word in text.split(' ') {
        let len = word.chars().count();
        if !fresh && column + 1 + len > width {
            out.push('\n');
            out.push_str(rest);
            column = rest.chars().count();
            fresh = true;
        }
        if !fresh {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
        fresh = false;
    }
    out
}
