//! Repairs documents that a terminal or a program broke, after a reader has refused them.
//!
//! Refuses to invent: what is joined was one token, what is replaced was the same token in another dress.

use std::borrow::Cow;

/// A JSON document without what broke it; `None` where nothing known did.
pub(super) fn json(text: &str) -> Option<String> {
    let mut mended = Cow::Borrowed(text);
    let dresses: [fn(&str) -> Option<String>; 4] = [doubled, escaped, python, rejoined];
    for undress in dresses {
        if let Some(better) = undress(&mended) {
            mended = Cow::Owned(better);
        }
    }
    match mended {
        Cow::Owned(text) => Some(text),
        Cow::Borrowed(_) => None,
    }
}

/// A field of a CSV file: `"[ {""Plan"": …} ]"`.
fn doubled(text: &str) -> Option<String> {
    let doubled = text.contains("\"\"Plan\"\"") || text.contains("\"\"Node Type\"\"");
    doubled.then(|| text.trim().trim_matches('"').replace("\"\"", "\""))
}

/// A string of a program: `[\n {\"Plan\": …`.
fn escaped(text: &str) -> Option<String> {
    if !text.contains("\\\"Plan\\\"") && !text.contains("\\\"Node Type\\\"") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.trim().trim_matches('"').chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n' | 'r' | 't')) => out.push('\n'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    Some(out)
}

/// A dictionary as Python prints it: `[{'Plan': {'Parallel Aware': False, …`.
fn python(text: &str) -> Option<String> {
    if !text.contains("'Plan':") && !text.contains("'Node Type':") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut quote = None;
    let mut word = String::new();
    while let Some(c) = chars.next() {
        if quote.is_none() && c.is_ascii_alphabetic() {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            out.push_str(match word.as_str() {
                "True" => "true",
                "False" => "false",
                "None" => "null",
                other => other,
            });
            word.clear();
        }
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                out.push('"');
            }
            (Some(open), c) if c == open => {
                quote = None;
                out.push('"');
            }
            (Some(_), '"') => out.push_str("\\\""),
            (Some(_), '\\') if chars.peek() == Some(&'\'') => {}
            (Some(_), '\\') => {
                out.push('\\');
                out.extend(chars.next());
            }
            (_, c) => out.push(c),
        }
    }
    out.push_str(&word);
    Some(out)
}

/// Whether a string in double quotes is open.
#[derive(Default)]
struct Open {
    quoted: bool,
    escape: bool,
}

impl Open {
    fn take(&mut self, line: &str) {
        for c in line.chars() {
            match c {
                _ if self.escape => self.escape = false,
                '\\' => self.escape = self.quoted,
                '"' => self.quoted = !self.quoted,
                _ => {}
            }
        }
    }
}

/// Strings, numbers and words that a line end cut in two.
fn rejoined(text: &str) -> Option<String> {
    let longest = text.lines().map(|line| line.chars().count()).max()?;
    let mut out = String::with_capacity(text.len());
    let (mut string, mut mended) = (Open::default(), false);
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        string.take(line);
        out.push_str(line);
        let Some(next) = lines.peek() else { break };
        let part =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        let cut = part(line.chars().next_back()) && part(next.trim_start().chars().next());
        if !string.quoted && !cut {
            out.push('\n');
            continue;
        }
        mended = true;
        if string.quoted {
            out.push_str(swallowed(line.chars().count(), longest, next));
        }
    }
    mended.then_some(out)
}

/// The blank that a break swallowed: a mail breaks lines at blanks, a terminal at its last column.
fn swallowed(length: usize, longest: usize, next: &str) -> &'static str {
    let word = next.split(' ').next().map_or(0, |word| word.chars().count());
    let at_blank = length < longest && length + 1 + word > longest;
    if at_blank && !next.starts_with(' ') { " " } else { "" }
}

/// A YAML document whose long strings a line end cut in two.
pub(super) fn yaml(text: &str) -> Option<String> {
    let longest = text.lines().map(|line| line.chars().count()).max()?;
    let mut out = String::with_capacity(text.len());
    let mut mended = false;
    let (mut string, mut length) = (Open::default(), 0);
    for (at, line) in text.split('\n').enumerate() {
        if string.quoted {
            mended = true;
            out.push_str(swallowed(length, longest, line));
        } else if at > 0 {
            out.push('\n');
        }
        length = line.chars().count();
        string.take(line);
        out.push_str(line);
    }
    mended.then_some(out)
}

/// The XML from its first tag to its last.
pub(super) fn whole_xml(text: &str) -> &str {
    let end = text.rfind('>').map_or(text.len(), |end| end + 1);
    &text[..end]
}
