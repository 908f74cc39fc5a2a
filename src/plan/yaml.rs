//! Reads EXPLAIN (FORMAT YAML): the small part of YAML that servers print, transcoded to the JSON they would have.
//!
//! Refuses YAML at large: anchors, flow collections, block scalars never come from EXPLAIN.

use super::{Plan, read_json};
use crate::error::{Error, Excerpt, Kind, Result};
use std::fmt::Write as _;

/// Reads the plans in `text`.
///
/// # Errors
///
/// [`Kind::Input`] with the line that is neither `Key: value` nor `- item`.
pub fn read_yaml(text: &str) -> Result<Vec<Plan>> {
    let mut transcoder = Transcoder::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end().trim_start_matches('\u{feff}');
        if line.trim().is_empty() || line.trim() == "---" {
            continue;
        }
        transcoder.line(line).map_err(|label| {
            Error::new(Kind::Input, "read the plan").at(Excerpt {
                origin: "plan".to_owned(),
                first_line: number + 1,
                text: line.to_owned(),
                start: line.len() - line.trim_start().len(),
                end: line.len(),
                label: label.to_owned(),
            })
        })?;
    }
    read_json(&transcoder.finish())
}

#[derive(Clone, Copy, PartialEq)]
enum Container {
    List,
    Map,
}

#[derive(Default)]
struct Transcoder {
    json: String,
    /// Where each open container's entries are indented, what it is, and whether it has an entry.
    open: Vec<(usize, Container, bool)>,
    /// A key without a value was written, at this indentation: what it holds comes next.
    pending: Option<usize>,
}

impl Transcoder {
    fn line(&mut self, line: &str) -> std::result::Result<(), &'static str> {
        let mut indent = line.len() - line.trim_start().len();
        let mut rest = line.trim_start();
        let item = rest == "-" || rest.starts_with("- ");
        match self.pending.take() {
            Some(at) if indent > at || (item && indent == at) => {
                self.begin(indent, if item { Container::List } else { Container::Map });
            }
            // `Triggers: ` with nothing below it.
            Some(_) => self.json.push_str("[]"),
            None if self.open.is_empty() => {
                self.begin(indent, if item { Container::List } else { Container::Map })
            }
            None => {}
        }
        let kind = if item { Container::List } else { Container::Map };
        while let Some(&(at, open, _)) = self.open.last() {
            if at == indent && open == kind {
                break;
            }
            if at < indent || self.open.len() == 1 {
                return Err("the indentation fits nothing above it");
            }
            self.end();
        }
        while let Some(after) = rest.strip_prefix("- ") {
            self.entry();
            indent += 2;
            rest = after.trim_start();
            if key_end(rest).is_some() {
                self.begin(indent, Container::Map);
            } else if rest.starts_with("- ") {
                self.begin(indent, Container::List);
            } else {
                self.scalar(rest);
                return Ok(());
            }
        }
        let end = key_end(rest).ok_or("neither `Key: value` nor `- item`")?;
        let (key, value) = (&rest[..end], rest[end + 1..].trim());
        self.entry();
        let key = key.strip_prefix('"').and_then(|k| k.strip_suffix('"')).unwrap_or(key);
        let _ = write!(self.json, "{}:", serde_json::Value::from(key));
        if value.is_empty() {
            self.pending = Some(indent);
        } else {
            self.scalar(value);
        }
        Ok(())
    }

    fn begin(&mut self, indent: usize, kind: Container) {
        self.json.push(if kind == Container::List { '[' } else { '{' });
        self.open.push((indent, kind, false));
    }

    fn end(&mut self) {
        if let Some((_, kind, _)) = self.open.pop() {
            self.json.push(if kind == Container::List { ']' } else { '}' });
        }
    }

    fn entry(&mut self) {
        if let Some((_, _, filled)) = self.open.last_mut() {
            if *filled {
                self.json.push(',');
            }
            *filled = true;
        }
    }

    /// Strings are quoted as in JSON; numbers and flags stand bare.
    fn scalar(&mut self, text: &str) {
        let bare = text.parse::<f64>().is_ok_and(f64::is_finite) || ["true", "false", "null"].contains(&text);
        // A list inside a list is printed as in JSON.
        let flow = text.starts_with('[') && text.ends_with(']');
        if bare || flow || (text.len() > 1 && text.starts_with('"') && text.ends_with('"')) {
            self.json.push_str(text);
        } else {
            let _ = write!(self.json, "{}", serde_json::Value::from(text));
        }
    }

    fn finish(mut self) -> String {
        if self.pending.take().is_some() {
            self.json.push_str("[]");
        }
        while !self.open.is_empty() {
            self.end();
        }
        self.json
    }
}

/// Where the colon behind a key stands.
fn key_end(text: &str) -> Option<usize> {
    if text.starts_with('"') {
        return None;
    }
    match text.find(": ") {
        Some(at) => Some(at),
        None => text.strip_suffix(':').map(str::len),
    }
}
