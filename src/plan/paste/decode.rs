//! Undoes the escaping that a plan met on its way: HTML, a JSON or program's string, an export of rows.
//!
//! Refuses to touch an input that is readable as it is: XML keeps its entities, JSON its escapes.

use serde_json::Value;
use std::borrow::Cow;

/// The text as it was before it was escaped.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('&') && escaped_as_html(text) {
        return Cow::Owned(decode(&html(text)).into_owned());
    }
    if let Some(rows) = exported_rows(text).or_else(|| listed_rows(text)) {
        return Cow::Owned(rows);
    }
    if text.contains("\\(cost=") || text.contains("\\(actual ") {
        return Cow::Owned(unescape_markdown(text));
    }
    if text.contains("\\n") && escaped_as_string(text) {
        return Cow::Owned(unescape(text));
    }
    Cow::Borrowed(text)
}

fn escaped_as_html(text: &str) -> bool {
    let xml = text.contains("<explain") || text.contains("<Plan>") || text.contains("<Node-Type>");
    let marks = ["-&gt;", "&quot;Plan&quot;", "&#34;Plan&#34;", "&lt;explain", "&nbsp;&nbsp;"];
    !xml && marks.iter().any(|mark| text.contains(mark))
}

/// Text without tags, entities as their characters; what a tag ends is a line.
fn html(text: &str) -> String {
    const TAGS: &[&str] = &[
        "table", "tbody", "thead", "tr", "td", "th", "br", "p", "pre", "code", "div", "span", "b", "i", "li",
        "ul",
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest.trim_start_matches(['<', '/']);
        let name = &name[..name.bytes().take_while(u8::is_ascii_alphanumeric).count()];
        let tag = rest.starts_with('<') && TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(name));
        if let Some(end) = rest.find('>').filter(|_| tag) {
            let ends_line = ["br", "tr", "p", "div", "li", "td"].iter().any(|t| t.eq_ignore_ascii_case(name));
            if ends_line
                && (rest.starts_with("</") || name.eq_ignore_ascii_case("br"))
                && !out.ends_with('\n')
            {
                out.push('\n');
            }
            rest = &rest[end + 1..];
            // The page's own line feed behind a tag that ends the line.
            if ends_line && out.ends_with('\n') {
                rest = rest.strip_prefix('\n').unwrap_or(rest);
            }
            continue;
        }
        let (character, length) = entity(rest);
        out.push(character);
        rest = &rest[length..];
    }
    out.push_str(rest);
    if !text.contains("<td") {
        return out;
    }
    // What stood between the cells of a table is no line.
    out.split('\n').filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// The character that `text` begins with, as itself or as an entity, and its length in bytes.
fn entity(text: &str) -> (char, usize) {
    const NAMED: &[(&str, char)] =
        &[("&gt;", '>'), ("&lt;", '<'), ("&quot;", '"'), ("&apos;", '\''), ("&nbsp;", ' '), ("&amp;", '&')];
    if let Some((name, character)) = NAMED.iter().find(|(name, _)| text.starts_with(name)) {
        return (*character, name.len());
    }
    let numeric = text.strip_prefix("&#").and_then(|rest| {
        let end = rest.bytes().take(9).position(|byte| byte == b';')?;
        let code = match rest[..end].strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => rest[..end].parse().ok()?,
        };
        Some((char::from_u32(code)?, end + 3))
    });
    let itself = || text.chars().next().map_or(('\u{fffd}', text.len()), |c| (c, c.len_utf8()));
    numeric.unwrap_or_else(itself)
}

/// Rows exported as JSON, `[{"QUERY PLAN": "Seq Scan …"}, …]`: their lines, or the plan itself.
fn exported_rows(text: &str) -> Option<String> {
    let key =
        ["\"QUERY PLAN\"", "\"query plan\"", "\"QueryPlan\""].into_iter().find(|key| text.contains(key))?;
    let start = text.find(['[', '{']).filter(|start| text[..*start].len() < text.find(key).unwrap_or(0))?;
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    let Some(Ok(value)) = values.next() else { return None };
    let rows = match value {
        Value::Array(rows) => rows,
        row => vec![row],
    };
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let Value::Object(row) = row else { return None };
        match row
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("query plan"))
            .map(|(_, value)| value)?
        {
            Value::String(line) => lines.push(line),
            document => lines.push(document.to_string()),
        }
    }
    Some(lines.join("\n"))
}

/// Rows as a program prints them, `[('Seq Scan …',), ('  Filter: …',)]`, `[ { 'QUERY PLAN': 'Seq Scan …' } ]`.
fn listed_rows(text: &str) -> Option<String> {
    let start = text.trim_start();
    let figures = |text: &str| text.contains("(cost=") || text.contains("(actual ");
    if !start.starts_with(['[', '(', '{']) || !figures(start) || start.contains("Node Type") {
        return None;
    }
    let mut lines: Vec<String> = Vec::new();
    let mut chars = start.chars();
    while let Some(quote) = chars.find(|c| matches!(c, '"' | '\'' | '`')) {
        let mut line = String::new();
        loop {
            match chars.next()? {
                '\\' => match chars.next()? {
                    'n' => line.push('\n'),
                    't' => line.push('\t'),
                    other => line.push(other),
                },
                c if c == quote => break,
                c => line.push(c),
            }
        }
        if !line.trim().eq_ignore_ascii_case("query plan") {
            lines.push(line);
        }
    }
    lines.iter().any(|line| figures(line)).then(|| lines.join("\n"))
}

/// Markdown's escapes: `\(cost=…\)`, `order\_items`.
fn unescape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes = c == '\\' && chars.peek().is_some_and(char::is_ascii_punctuation);
        if !escapes {
            out.push(c);
        }
        if escapes && let Some(escaped) = chars.next() {
            out.push(escaped);
        }
    }
    out
}

/// The whole plan stands on one line, its line feeds written as `\n`.
fn escaped_as_string(text: &str) -> bool {
    let many = text.matches("\\n").count();
    let real = text.trim().matches('\n').count();
    let plan = ["(cost=", "\\\"Plan\\\"", "\"Plan\"", "(actual "].iter().any(|mark| text.contains(mark));
    let json =
        text.contains("\"Node Type\"") && text.trim_start().starts_with(['[', '{']) && !text.contains("[\\n");
    plan && !json && many > 2 && real * 4 < many
}

fn unescape(text: &str) -> String {
    let text = text.trim().trim_matches('"');
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.peek() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => {}
            Some(&other @ ('"' | '\\' | '\'' | '/')) => out.push(other),
            _ => {
                out.push('\\');
                continue;
            }
        }
        chars.next();
    }
    out
}
