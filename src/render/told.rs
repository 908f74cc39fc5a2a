//! What the formats for other programs share: the order of findings, their places, and who answers them.
//!
//! Refuses to know a format.

use crate::finding::{Finding, Location, Severity};
use crate::report::Report;
use crate::words::counted;

/// The findings, loudest first; among equals the report's order stays. Numbers are those of the report.
pub(super) fn loudest(report: &Report) -> Vec<(usize, &Finding)> {
    let mut findings: Vec<(usize, &Finding)> = report.findings.iter().enumerate().collect();
    findings.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
    findings
}

/// As reports spell a severity.
pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// For each finding the proposals that answer it, by their numbers in the report.
pub(super) fn answers(report: &Report) -> Vec<Vec<usize>> {
    let mut answers = vec![Vec::new(); report.findings.len()];
    for (number, judged) in report.proposals.iter().enumerate() {
        for &finding in &judged.proposal.answers {
            answers.get_mut(finding).into_iter().for_each(|list: &mut Vec<usize>| list.push(number));
        }
    }
    answers
}

/// What is true, why it costs and what to do about it, as one text.
pub(super) fn sentences(finding: &Finding) -> String {
    let parts = [&finding.what, &finding.why, &finding.help];
    parts.into_iter().filter(|part| !part.is_empty()).map(|part| ended(part)).collect::<Vec<_>>().join(" ")
}

/// The sentence with a full stop where it has no end.
fn ended(sentence: &str) -> String {
    let stop = if sentence.ends_with(['.', '!', '?', ':', ';']) { "" } else { "." };
    format!("{sentence}{stop}")
}

/// How many findings there are, in words: `2 errors, 1 warning`, or `no findings`.
pub(super) fn total(report: &Report) -> String {
    let summary = report.summary();
    let words = [(summary.errors, "error"), (summary.warnings, "warning"), (summary.infos, "info")];
    let words: Vec<String> =
        words.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| counted(n as f64, word)).collect();
    if words.is_empty() { "no findings".to_owned() } else { words.join(", ") }
}

/// `path:line`, as editors and terminals take it.
pub(super) fn at(place: &Location) -> String {
    format!("{}:{}", place.path, place.line)
}

/// The text in at most `most` bytes, with an ellipsis where it was cut, never within a character.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub('…'.len_utf8());
    let kept = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= room).last();
    format!("{}…", &text[..kept.unwrap_or(0)])
}

/// Text as XML and HTML take it: marks escaped, characters that neither may hold replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// What should be done, as SQL: the proposals that answer a finding.
pub(super) fn remedies(report: &Report, answers: &[usize]) -> String {
    let sql = answers.iter().flat_map(|&number| &report.proposals[number].proposal.apply);
    sql.map(|sql| format!("{sql};")).collect::<Vec<_>>().join("\n")
}
