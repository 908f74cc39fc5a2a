//! The lines of an input, with odd blanks made plain and their numbers kept.
//!
//! Refuses to change what is inside a literal: only line ends, tabs, odd blanks and invisible characters around go.

use crate::error::{Error, Excerpt, Kind};
use std::borrow::Cow;

/// One line and where it stood.
#[derive(Debug, Clone)]
pub(in crate::plan) struct Line<'a> {
    pub(in crate::plan) text: Cow<'a, str>,
    /// Counted from 1.
    pub(in crate::plan) number: usize,
    /// Blanks that stood at its end.
    pub(in crate::plan) trailing: usize,
}

/// Columns of white space in front of `text`.
pub(in crate::plan) fn indent(text: &str) -> usize {
    text.bytes().take_while(|byte| *byte == b' ').count()
}

/// Splits the input.
pub(super) fn lines(input: &str) -> Vec<Line<'_>> {
    let odd = !input.is_ascii() || input.contains(['\t', '#']);
    let tabbed = odd && is_tabbed(input);
    let split = input.split('\n').enumerate();
    split
        .map(|(at, raw)| {
            let text = if odd { plain(raw, tabbed) } else { Cow::Borrowed(raw.trim_ascii_end()) };
            let trailing = raw.len() - raw.trim_end_matches(' ').len();
            Line { text, number: at + 1, trailing }
        })
        .collect()
}

/// The lines as one text again, each where it was.
pub(super) fn joined(lines: &[Line]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|line| line.text.len() + 1).sum());
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text.push_str(&line.text);
    }
    text
}

/// An error at a whole line.
pub(in crate::plan) fn error(line: &Line, label: impl Into<String>) -> Error {
    Error::new(Kind::Input, "read the plan").at(Excerpt {
        origin: "plan".to_owned(),
        first_line: line.number,
        text: line.text.clone().into_owned(),
        start: super::line::indent(&line.text),
        end: line.text.len(),
        label: label.into(),
    })
}

/// Whether a character is blank to the eye, though no space.
fn odd_blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Whether a tab stands in front of every line of the plan, as auto_explain puts it; the first may have lost it.
fn is_tabbed(input: &str) -> bool {
    let telling = |line: &&str| line.contains("->") || line.contains("(cost=") || line.contains("(actual ");
    let (mut seen, mut bare) = (0, 0);
    for (at, line) in input.split('\n').filter(telling).enumerate() {
        seen += 1;
        bare += usize::from(at > 0 && !line.starts_with('\t') && !line.starts_with("#011"));
    }
    seen > 0 && bare == 0
}

/// Tabs and odd blanks as spaces; invisible characters gone; an arrow that a chat made pretty as `->`.
fn plain(raw: &str, tabbed: bool) -> Cow<'_, str> {
    let text = raw.trim_end_matches(|c: char| c.is_whitespace() || c == '\u{200b}');
    // syslog writes a tab as `#011`.
    let text = if tabbed {
        text.strip_prefix("#011").or_else(|| text.strip_prefix('\t')).unwrap_or(text)
    } else {
        text
    };
    let arrows = ["→", "–>", "—>", "−>", "⇒"];
    let invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{2060}' | '\u{ad}');
    let plain_already = !text.contains(|c: char| matches!(c, '\t' | '…') || odd_blank(c) || invisible(c))
        && !arrows.iter().any(|arrow| text.trim_start().starts_with(arrow));
    if plain_already {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let digit = |c: char| c.is_ascii_digit();
    // Inside a literal every character is the user's.
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                quoted = !quoted;
                out.push(c);
            }
            c if quoted => out.push(c),
            '\t' => out.push_str("        "),
            // A word processor makes one character of `0.00..1.00`.
            '…' if out.ends_with(digit) && chars.peek().copied().is_some_and(digit) => out.push_str(".."),
            c if odd_blank(c) => out.push(' '),
            c if invisible(c) => {}
            c => out.push(c),
        }
    }
    let start = indent(&out);
    if let Some(arrow) = arrows.iter().find(|arrow| out[start..].starts_with(**arrow)) {
        out.replace_range(start..start + arrow.len(), "->");
    }
    Cow::Owned(out)
}
