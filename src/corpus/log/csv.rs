//! The records of csvlog.

use super::{Damage, Message};
use std::borrow::Cow;

/// Columns of a record that are looked at, from 0.
const SEVERITY: usize = 11;
const MESSAGE: usize = 13;
/// A server before 13 writes so many, and later ones more.
const FEWEST_COLUMNS: usize = 23;

/// Whether a line begins a record: a time first, and a severity with its SQLSTATE in two columns.
pub(super) fn begins(line: &str) -> bool {
    if !dated(line) {
        return false;
    }
    line.match_indices(',').any(|(at, _)| {
        let rest = &line[at + 1..];
        let severity = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let state = rest.get(severity + 1..severity + 6);
        super::lines::SEVERITIES.contains(&&rest[..severity])
            && rest[severity..].starts_with(',')
            && state.is_some_and(|state| state.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            && rest[severity + 6..].starts_with(',')
    })
}

/// `2026-11-21 11:27:22.944 UTC,`
fn dated(line: &str) -> bool {
    let shape = b"0000-00-00 00:00:00";
    line.len() > shape.len()
        && line.bytes().zip(shape).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == *other,
        })
}

/// Gives each message of severity LOG.
pub(super) fn messages(
    text: &str,
    start: usize,
    take: &mut dyn FnMut(Message) -> Result<(), Damage>,
) -> Result<(), Damage> {
    let mut line = text[..start].matches('\n').count() + 1;
    let mut at = start;
    while at < text.len() {
        let rest = &text[at..];
        if let Some(blank) = ["\r\n", "\n"].into_iter().find(|end| rest.starts_with(end)) {
            at += blank.len();
            line += 1;
            continue;
        }
        if !dated(rest) {
            return Err(Damage { line, why: "no record of a csvlog begins here".to_owned() });
        }
        let record = record(text, at)
            .ok_or_else(|| Damage { line, why: "a quote of this record is never closed".to_owned() })?;
        if record.columns < FEWEST_COLUMNS {
            let why = format!(
                "a record of {} columns, where a server writes {FEWEST_COLUMNS} or more",
                record.columns
            );
            return Err(Damage { line, why });
        }
        let lines = text[at..record.end].matches('\n').count();
        if record.severity == "LOG" {
            let text = record.message.into_owned();
            take(Message { text, line, end_line: line + lines })?;
        }
        at = record.end;
        line += lines;
    }
    Ok(())
}

struct Record<'a> {
    severity: Cow<'a, str>,
    message: Cow<'a, str>,
    columns: usize,
    /// Before the line feed that ends it.
    end: usize,
}

/// The record at a place; `None` where it is cut within a quote.
fn record(text: &str, start: usize) -> Option<Record<'_>> {
    let (mut severity, mut message) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let (mut at, mut columns) = (start, 0);
    loop {
        let (field, end) = field(text, at)?;
        match columns {
            SEVERITY => severity = field,
            MESSAGE => message = field,
            _ => {}
        }
        columns += 1;
        if text[end..].starts_with(',') {
            at = end + 1;
            continue;
        }
        return Some(Record { severity, message, columns, end });
    }
}

/// A field and where it ends.
fn field(text: &str, start: usize) -> Option<(Cow<'_, str>, usize)> {
    if !text[start..].starts_with('"') {
        let end = text[start..].find([',', '\n']).map_or(text.len(), |n| start + n);
        return Some((Cow::Borrowed(&text[start..end]), end));
    }
    let (mut at, mut doubled) = (start + 1, false);
    loop {
        let quote = at + text[at..].find('"')?;
        if text[quote + 1..].starts_with('"') {
            doubled = true;
            at = quote + 2;
            continue;
        }
        let inside = &text[start + 1..quote];
        let inside = if doubled { Cow::Owned(inside.replace("\"\"", "\"")) } else { Cow::Borrowed(inside) };
        let end = text[quote + 1..].find([',', '\n']).map_or(text.len(), |n| quote + 1 + n);
        return Some((inside, end));
    }
}
