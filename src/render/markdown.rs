//! A report as Markdown, for a comment on a pull request or the summary of a CI step.
//!
//! Refuses to be longer than its reader takes, and to let a name in it become markup, a mention or a link.

use super::text::{before_after, facts, outcome, reason};
use super::{Style, diff, ranking, suppressed, told, tree};
use crate::finding::{Finding, Location};
use crate::identity;
use crate::report::{Judged, Report};
use crate::units::Millis;
use crate::words::{brief, counted, duration};
use std::fmt::Write as _;

/// Bytes that a comment on GitHub is sure to take: it takes 65,536 characters.
pub const COMMENT: usize = 65_000;
/// Bytes that the summary of a step on GitHub takes.
pub const SUMMARY: usize = 1024 * 1024;

/// By this line a script finds the comment that it is to edit.
const MARKER: &str = "<!-- pgproof -->";
/// Bytes of one text at most: a statement, a plan, a list of gaps.
const LONGEST: usize = 6_000;
/// Bytes kept for the line that says what was left out.
const POINTER: usize = 200;
/// Lines of a list below the findings.
const LISTED: usize = 20;
/// What is said of plans and comparisons is text: as wide as a comment shows.
const PLAIN: Style = Style { width: 100, color: false, verbose: false, quiet: false };

/// The report in at most `most` bytes: what does not fit is counted, the quietest first.
pub fn render(report: &Report, most: usize) -> String {
    let mut out = format!("{MARKER}\n## pgproof: {}\n\n", told::total(report));
    let end = end(report);
    let room = most.saturating_sub(end.len() + POINTER);
    let places = identity::places(report);
    let answers = told::answers(report);
    let mut shown = vec![false; report.proposals.len()];
    let mut left_out = 0;
    let mut table = diff::diff(report, &PLAIN).unwrap_or_default();
    if let Some(workload) = &report.workload {
        ranking::ranking(&mut table, report, workload, &PLAIN);
    }
    if !table.is_empty() {
        let text = format!("{}\n", fenced("text", &told::cut(&table, 4 * LONGEST)));
        if out.len() + text.len() <= room {
            out.push_str(&text);
        }
    }
    for (number, found) in told::loudest(report) {
        let mut block = String::new();
        finding(&mut block, report, number, found, places[number].as_ref());
        let mut told_here = Vec::new();
        for &answer in &answers[number] {
            if shown[answer] {
                let _ = writeln!(block, "Answered by p{}, above.\n", answer + 1);
            } else {
                proposal(&mut block, answer, &report.proposals[answer]);
                told_here.push(answer);
            }
        }
        // Once one is left out, the others are too: a quieter one may not take a louder one's place.
        if left_out > 0 || out.len() + block.len() > room {
            left_out += 1;
            continue;
        }
        out.push_str(&block);
        told_here.into_iter().for_each(|answer| shown[answer] = true);
    }
    if left_out > 0 {
        let findings = counted(left_out as f64, "more finding");
        let _ = writeln!(
            out,
            "**… and {findings}, cut off here:** the report in another format, such as JSON or HTML, has all.\n"
        );
    } else {
        plans(&mut out, report, room);
    }
    out.push_str(&end);
    out
}

fn finding(out: &mut String, report: &Report, number: usize, found: &Finding, place: Option<&Location>) {
    let saves = found.saves.map_or(String::new(), |s| format!(", up to {} to recover", duration(s)));
    let _ =
        writeln!(out, "### f{} {} {}{saves}\n", number + 1, told::word(found.severity), code(&found.rule));
    let statement = found.at.statement.and_then(|index| report.statements.get(index));
    let texts = [place.map(told::at), statement.map(|s| brief(&s.text, 200))];
    let spans: Vec<String> = texts.into_iter().flatten().map(|text| code(&text)).collect();
    if !spans.is_empty() {
        let _ = writeln!(out, "{}\n", spans.join(" "));
    }
    for part in [&found.what, &found.why, &found.help].into_iter().filter(|part| !part.is_empty()) {
        let _ = writeln!(out, "{}\n", escaped(&told::cut(part, LONGEST)));
    }
    for also in &found.also {
        let _ = writeln!(out, "- also {}: {}", code(&also.rule), escaped(&also.what));
    }
    if !found.also.is_empty() {
        out.push('\n');
    }
}

fn proposal(out: &mut String, number: usize, judged: &Judged) {
    let proposal = &judged.proposal;
    let _ = writeln!(out, "**p{}: {}**\n", number + 1, escaped(&outcome(judged).0));
    let table = before_after(judged).filter(|_| judged.recommended());
    if let Some(reason) = reason(judged, table.is_none()) {
        let _ = writeln!(out, "{}\n", escaped(&reason));
    }
    let statements = |lines: &[String]| lines.iter().map(|line| format!("{line};\n")).collect::<String>();
    if !proposal.apply.is_empty() {
        out.push_str(&fenced("sql", &told::cut(&statements(&proposal.apply), LONGEST)));
    }
    if !judged.recommended() {
        out.push('\n');
        return;
    }
    if let Some(table) = table {
        let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
        out.push_str(&fenced("text", &lines.join("\n")));
    }
    if !proposal.undo.is_empty() {
        let _ = writeln!(out, "To undo:\n");
        out.push_str(&fenced("sql", &told::cut(&statements(&proposal.undo), LONGEST)));
    }
    for line in facts(judged) {
        let _ = writeln!(out, "- {}", escaped(&line));
    }
    out.push('\n');
}

/// The plans, folded away, as long as there is room.
fn plans(out: &mut String, report: &Report, room: usize) {
    for (index, statement) in report.statements.iter().enumerate() {
        let Some(planned) = statement.plans.first() else { continue };
        let time = planned.plan.execution_time.or(planned.plan.duration);
        let time = time.map_or(String::new(), |Millis(ms)| format!(", {}", duration(Millis(ms))));
        let tree: Vec<String> = tree::lines(planned, &tree::Marks::new(), &PLAIN);
        let lines: Vec<&str> = tree.iter().map(|line| line.trim_end()).collect();
        let block = format!(
            "<details><summary>Plan of statement {}{time}</summary>\n\n{}{}\n</details>\n\n",
            index + 1,
            fenced("sql", &told::cut(&statement.text, LONGEST)),
            fenced("text", &told::cut(&lines.join("\n"), LONGEST)),
        );
        if out.len() + block.len() > room {
            let _ = writeln!(out, "The plans of the other statements had no room here.\n");
            return;
        }
        out.push_str(&block);
    }
}

/// What was not looked at, and the comments that somebody has to mend: never cut off by findings.
fn end(report: &Report) -> String {
    let mut out = String::new();
    let skipped = report.skipped.iter().map(|s| format!("{} needs {}", s.rule, s.needs)).collect();
    list(&mut out, "Not judged", skipped);
    list(&mut out, "Not seen", report.gaps.iter().map(|gap| gap.what.clone()).collect());
    let mut lines = String::new();
    suppressed::suppressions(&mut lines, report, &Style { width: usize::MAX, ..PLAIN });
    list(&mut out, "Suppressions", lines.lines().map(str::to_owned).collect());
    out
}

fn list(out: &mut String, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "<details><summary>{title}: {}</summary>\n", lines.len());
    for line in lines.iter().take(LISTED) {
        let _ = writeln!(out, "- {}", escaped(&told::cut(line, 300)));
    }
    if let Some(more) = lines.len().checked_sub(LISTED).filter(|more| *more > 0) {
        let _ = writeln!(out, "- … {more} more");
    }
    let _ = writeln!(out, "\n</details>\n");
}

/// Text that stays text: no markup, no tag, no mention, no reference, no link.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    // A link is recognised by what stands in front of its address.
    let text = text.replace("://", ":\u{200b}//").replace("www.", "www\u{200b}.");
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '!' => {
                out.push('\\');
                out.push(c);
            }
            // GitHub looks for mentions and references after the markup is gone: only what parts them helps.
            '@' | '#' => {
                out.push(c);
                out.push('\u{200b}');
            }
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A span of code, in more backticks than the text has in a row.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let ticks = "`".repeat(longest_run(&text) + 1);
    let room = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{room}{text}{room}{ticks}")
}

/// A block of code, in a fence that the text does not hold.
fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let text = text.replace('\r', "");
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
