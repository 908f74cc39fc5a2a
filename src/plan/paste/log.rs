//! Finds the entries of auto_explain in a server's log: stderr, syslog, csvlog, jsonlog, with whatever prefix.
//!
//! Refuses to read plans: an entry is a text, where it stood and how long the statement took.

use super::super::json_lexer::Lexer;
use super::continuation::{behind, shared_prefix};
use crate::units::Millis;

/// One `duration: … plan:` entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// What follows `plan:`, without the log's own indentation.
    pub(super) body: String,
    /// Line of the input on which the entry begins, counted from 1.
    pub(super) line: usize,
    /// Time of the whole statement.
    pub(super) duration: Option<Millis>,
}

/// Whether there is such an entry at all.
pub(super) fn is_log(text: &str) -> bool {
    text.contains("plan:") && text.match_indices("duration: ").any(|(at, _)| header(&text[at..]).is_some())
}

/// Every entry, in order.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let decoded;
    let text = if text.contains("#012") || text.contains("#011") {
        // syslog writes a line feed as `#012`, a tab as `#011`.
        decoded = text.replace("#012", "\n").replace("#011", "\t");
        &decoded
    } else {
        text
    };
    let mut entries = Vec::new();
    let (mut at, mut counted, mut line) = (0, 0, 1);
    while let Some(found) = text[at..].find("duration: ").map(|n| at + n) {
        let Some((duration, length)) = header(&text[found..]) else {
            at = found + 1;
            continue;
        };
        line += text[counted..found].matches('\n').count();
        counted = found;
        let start = found + length;
        let (body, end) = match text[..found].chars().next_back() {
            Some('"') => quoted(text, found, length),
            _ => indented(text, found, start),
        };
        entries.push(Entry { body, line, duration });
        at = end.max(start);
    }
    entries
}

/// `duration: 0.030 ms  plan:`: the time, and the length of these words.
fn header(text: &str) -> Option<(Option<Millis>, usize)> {
    let rest = text.strip_prefix("duration: ")?;
    let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let duration = rest[..digits].parse().ok().map(Millis);
    let rest = rest[digits..].strip_prefix(" ms")?;
    let blanks = rest.len() - rest.trim_start_matches(' ').len();
    rest[blanks..].starts_with("plan:").then_some((duration, "duration: ".len() + digits + 3 + blanks + 5))
}

/// The message of csvlog or jsonlog: a quoted field that begins with the header.
fn quoted(text: &str, found: usize, header: usize) -> (String, usize) {
    let before = text[..found - 1].trim_end();
    if before.ends_with(':') {
        let mut lexer = Lexer { text, at: found - 1 };
        if let Ok(message) = lexer.string() {
            return (message.get(header..).unwrap_or("").to_owned(), lexer.at);
        }
    }
    // CSV: a quote inside is doubled.
    let (mut body, mut at) = (String::new(), found + header);
    while let Some(quote) = text[at..].find('"').map(|n| at + n) {
        body.push_str(&text[at..quote]);
        if !text[quote + 1..].starts_with('"') {
            return (body, quote);
        }
        body.push('"');
        at = quote + 2;
    }
    body.push_str(&text[at..]);
    (body, text.len())
}

/// The lines below a header on stderr or in syslog: indented by a tab, behind the prefix that they share with it.
fn indented(text: &str, found: usize, start: usize) -> (String, usize) {
    let head = text[..found].rfind('\n').map_or(0, |n| n + 1);
    let first_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
    let mut body = text[start..first_end].to_owned();
    let mut end = first_end;
    let mut prefix: Option<usize> = None;
    while end < text.len() {
        let from = end + 1;
        let to = text[from..].find('\n').map_or(text.len(), |n| from + n);
        let line = &text[from..to];
        let length = *prefix.get_or_insert_with(|| shared_prefix(&text[head..found], line));
        let Some(inside) = behind(line, length) else { break };
        body.push('\n');
        body.push_str(inside);
        end = to;
    }
    (body, end)
}
