//! Markdown: what a comment on a pull request shows, and that it is short enough to be one.

use super::{hostile, many, ordinary, silent, written};
use pgproof::render::markdown::{COMMENT, SUMMARY, render};

/// The text outside fences and spans of code, line by line.
fn prose(text: &str) -> String {
    let (mut out, mut fence) = (String::new(), None::<usize>);
    for line in text.lines() {
        let ticks = line.chars().take_while(|c| *c == '`').count();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(open) if ticks >= open && line.len() == ticks => fence = None,
            Some(_) => {}
            None => out.push_str(&format!("{}\n", without_spans(line))),
        }
    }
    assert_eq!(fence, None, "a fence is open at the end:\n{text}");
    out
}

fn without_spans(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('`') {
        let escaped = rest[..at].ends_with('\\');
        let ticks = rest[at..].chars().take_while(|c| *c == '`').count();
        let after = &rest[at + ticks..];
        let runs = after
            .match_indices(&"`".repeat(ticks))
            .map(|(at, _)| at)
            .find(|at| !after[..*at].ends_with('`') && !after[at + ticks..].starts_with('`'));
        match runs.filter(|_| !escaped) {
            Some(end) => {
                out.push_str(&rest[..at]);
                rest = &after[end + ticks..];
            }
            None => {
                out.push_str(&rest[..at + ticks]);
                rest = after;
            }
        }
    }
    out + rest
}

#[test]
fn a_comment_can_be_found_again_and_says_what_to_do() {
    let text = written(&ordinary(), "markdown");
    assert!(text.starts_with("<!-- pgproof -->\n## pgproof: 1 "), "{text}");
    for part in
        ["`seq-scan-discards-rows`", "`db/queries.sql:7`", "```sql\nCREATE INDEX CONCURRENTLY", "To undo:"]
    {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(written(&silent(), "markdown").contains("## pgproof: no findings"));
}

#[test]
fn names_do_not_become_markup() {
    let text = written(&hostile(), "markdown");
    let prose = prose(&text);
    for bad in ["<script", "</script", "@team", "#1", "```", "\n## @", "\u{7}"] {
        assert!(!prose.contains(bad), "{bad:?} stands outside code:\n{prose}");
    }
    let headings = prose.lines().filter(|line| line.starts_with('#')).count();
    assert_eq!(headings, 2, "the report's and the finding's:\n{prose}");
}

#[test]
fn a_comment_is_cut_where_github_would_refuse_it() {
    let report = many(&ordinary(), 30_000);
    for most in [COMMENT, SUMMARY] {
        let text = render(&report, most);
        assert!(text.len() <= most && text.len() > most / 2, "{} of {most} bytes", text.len());
        let shown = text.lines().filter(|line| line.starts_with("### f")).count();
        assert!(
            text.contains(&format!("and {} more findings, cut off here", thousands(30_000 - shown))),
            "{shown}"
        );
        assert!(text.lines().filter(|line| line.starts_with("### f")).all(|line| line.contains(" error ")));
        assert_eq!(text.contains("<summary>Not judged"), !report.skipped.is_empty(), "the end is kept");
        prose(&text);
    }
}

fn thousands(number: usize) -> String {
    pgproof::words::count(number as f64)
}
