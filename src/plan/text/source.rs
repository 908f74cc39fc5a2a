//! The lines of a paste without what clients put around them: frames, borders, wrap marks, quotes, line numbers.
//!
//! Refuses to change what is inside a line.

use std::borrow::Cow;

/// One line of a plan and where it stood.
pub(super) struct Line<'a> {
    pub(super) text: Cow<'a, str>,
    /// Byte offset in the input.
    pub(super) start: usize,
    /// Counted from 1.
    pub(super) number: usize,
}

impl Line<'_> {
    /// Columns of white space in front.
    pub(super) fn indent(&self) -> usize {
        self.text.chars().take_while(|c| *c == ' ').count()
    }
}

/// Splits the input and takes off what does not belong to the plan.
pub(super) fn lines(input: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let mut lines = Vec::new();
    for (at, raw) in input.split('\n').enumerate() {
        let text = raw.strip_suffix('\r').unwrap_or(raw);
        let text = if at == 0 { text.trim_start_matches('\u{feff}') } else { text };
        lines.push(Line { text: plain(text), start, number: at + 1 });
        start += raw.len() + 1;
    }
    unframe(&mut lines);
    lines
}

/// Tabs and non-breaking spaces as spaces; a syslog tab is `#011`.
fn plain(text: &str) -> Cow<'_, str> {
    let odd = text.contains(['\t', '\u{a0}']) || text.starts_with("#011");
    let text = text.trim_end();
    if !odd {
        return Cow::Borrowed(text);
    }
    let text = text.strip_prefix("#011").unwrap_or(text);
    // auto_explain indents the whole plan by one tab.
    let text = text.strip_prefix('\t').unwrap_or(text);
    Cow::Owned(text.replace('\t', "        ").replace('\u{a0}', " "))
}

fn unframe(lines: &mut [Line<'_>]) {
    // A GUI quotes every line; in JSON some lines are a string and nothing else.
    let quoted = |line: &Line| {
        line.text.trim().len() > 1 && line.text.trim().starts_with('"') && line.text.trim().ends_with('"')
    };
    let all_quoted = lines.iter().all(|line| line.text.trim().is_empty() || quoted(line));
    for line in lines.iter_mut() {
        let text = line.text.trim();
        let rule = text.len() >= 3
            && text.chars().all(|c| {
                matches!(
                    c,
                    '-' | '+'
                        | '─'
                        | '═'
                        | '┌'
                        | '┐'
                        | '└'
                        | '┘'
                        | '├'
                        | '┤'
                        | '╔'
                        | '╗'
                        | '╚'
                        | '╝'
                        | '╠'
                        | '╣'
                        | '='
                        | '┬'
                        | '┴'
                        | '┼'
                )
            });
        let count = text.starts_with('(') && (text.ends_with(" rows)") || text.ends_with(" row)"));
        if rule || count || text.trim_matches(['|', '│', '║', ' ', '"']) == "QUERY PLAN" {
            line.text = Cow::Borrowed("");
            continue;
        }
        for (left, right) in [('|', '|'), ('│', '│'), ('║', '║'), ('"', '"')] {
            let inner = text.strip_prefix(left).and_then(|t| t.strip_suffix(right));
            if let Some(inner) = inner.filter(|_| text.len() > 1 && (left != '"' || all_quoted)) {
                let inner = inner.trim_end().trim_end_matches(['+', '↵']).trim_end();
                let inner = if left == '"' { inner.replace("\"\"", "\"") } else { inner.to_owned() };
                line.text = Cow::Owned(inner);
                break;
            }
        }
        // psql marks a line feed inside a cell at the end of the line.
        let marked = line.text.trim_end_matches(['+', '↵', '¶']);
        if marked.len() < line.text.len() && marked.ends_with(' ') {
            line.text = Cow::Owned(marked.trim_end().to_owned());
        }
    }
}

/// Why this line says that the plan is not whole.
pub(super) fn truncated(text: &str) -> Option<&'static str> {
    text.contains("[Your log message was truncated]").then_some("the log cut this plan off here")
}
