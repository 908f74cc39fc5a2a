//! Reads EXPLAIN (FORMAT XML): elements only, transcoded to the JSON that the server would have printed.
//!
//! Refuses XML at large: attributes are skipped, entities are the five that servers write.

use super::{Plan, read_json};
use crate::error::{Error, Excerpt, Kind, Result};
use std::fmt::Write as _;

/// Elements that hold a list, whatever is in it.
const LISTS: &[&str] = &["explain", "Plans", "Workers", "Triggers"];

/// Reads the plans in `text`.
///
/// # Errors
///
/// [`Kind::Input`] with the place of an element that is not closed, or closed by another.
pub fn read_xml(text: &str) -> Result<Vec<Plan>> {
    let mut transcoder = Transcoder::default();
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|n| at + n) {
        let inside = &text[at..open];
        let skip = if text[open..].starts_with("<!--") {
            text[open..].find("-->").map(|n| n + 2)
        } else {
            text[open..].find('>')
        };
        let Some(close) = skip.map(|n| open + n) else {
            return Err(error(text, open, "this element is cut off"));
        };
        let tag = &text[open + 1..close];
        at = close + 1;
        if tag.starts_with(['?', '!']) {
            continue;
        }
        transcoder.tag(tag, inside, open).map_err(|label| error(text, open, label))?;
    }
    if let Some(open) = transcoder.open.last() {
        return Err(error(text, open.start, "this element is never closed: the plan is cut off"));
    }
    read_json(&transcoder.json)
}

fn error(text: &str, at: usize, label: &str) -> Error {
    let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    Error::new(Kind::Input, "read the plan").at(Excerpt {
        origin: "plan".to_owned(),
        first_line: text[..line].matches('\n').count() + 1,
        text: text[line..end].to_owned(),
        start: at - line,
        end: end - line,
        label: label.to_owned(),
    })
}

struct Open {
    name: String,
    start: usize,
    /// Where its value begins in the JSON, once it is known to hold elements.
    list: Option<bool>,
    filled: bool,
    /// It holds the full-sort groups of an incremental sort.
    full_sort_groups: bool,
}

#[derive(Default)]
struct Transcoder {
    json: String,
    open: Vec<Open>,
}

impl Transcoder {
    fn tag(&mut self, tag: &str, inside: &str, start: usize) -> std::result::Result<(), &'static str> {
        if let Some(name) = tag.strip_prefix('/') {
            let open = self.open.pop().ok_or("this closes an element that was not opened")?;
            if open.name != name.trim() {
                return Err("this closes another element than the one that is open");
            }
            match open.list {
                Some(list) => self.json.push(if list { ']' } else { '}' }),
                None if LISTS.contains(&open.name.as_str())
                    || inside.trim().is_empty()
                        && (open.name.ends_with('s') || open.name.ends_with("-Key")) =>
                {
                    self.json.push_str("[]");
                }
                None => self.scalar(&open.name, inside),
            }
            return Ok(());
        }
        let closed = tag.strip_suffix('/');
        let name = closed.unwrap_or(tag).split_whitespace().next().unwrap_or("");
        self.entry(name);
        if closed.is_some() {
            // An empty group stands for itself: `<Notify />`.
            let empty = if LISTS.contains(&name) {
                "[]".to_owned()
            } else {
                serde_json::Value::from(name).to_string()
            };
            self.json.push_str(&empty);
        } else {
            self.open.push(Open {
                name: name.to_owned(),
                start,
                list: None,
                filled: false,
                full_sort_groups: false,
            });
        }
        Ok(())
    }

    /// Begins an entry called `name` in the element that is open.
    fn entry(&mut self, name: &str) {
        let Some(parent) = self.open.last_mut() else { return };
        let list = *parent.list.get_or_insert_with(|| {
            let of_its_kind = parent.name.strip_suffix('s') == Some(name);
            // auto_explain puts one query's elements right below the top.
            let one = parent.name == "explain" && !["Query", "Notify"].contains(&name);
            let list = (of_its_kind || LISTS.contains(&parent.name.as_str()) || name == "Item") && !one;
            self.json.push(if list { '[' } else { '{' });
            list
        });
        if parent.filled {
            self.json.push(',');
        }
        parent.filled = true;
        if !list {
            let key = match name {
                // One name for both kinds: the full-sort groups are printed first, and always.
                "Incremental-Sort-Groups" if parent.full_sort_groups => "Pre-sorted Groups".to_owned(),
                "Incremental-Sort-Groups" => {
                    parent.full_sort_groups = true;
                    "Full-sort Groups".to_owned()
                }
                _ => key(name),
            };
            let _ = write!(self.json, "{}:", serde_json::Value::from(key));
        }
    }

    /// XML has no types: what looks like a number or a flag under a key that is no text is one.
    fn scalar(&mut self, name: &str, text: &str) {
        let text = unescape(text);
        let words = ["Name", "Cond", "Filter", "Item", "Key", "Alias", "Schema", "Text", "Call", "Value"];
        let bare = (text.parse::<f64>().is_ok_and(f64::is_finite)
            && text.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
            || text == "true"
            || text == "false";
        if bare && !words.iter().any(|word| name.ends_with(word)) {
            self.json.push_str(&text);
        } else {
            let _ = write!(self.json, "{}", serde_json::Value::from(text));
        }
    }
}

/// The key that the other formats print: XML writes dashes for its spaces and slashes.
fn key(name: &str) -> String {
    let mut key = name.replace('-', " ");
    for (dashed, other) in [("I O ", "I/O "), ("One Time", "One-Time")] {
        key = key.replace(dashed, other);
    }
    key
}

fn unescape(text: &str) -> String {
    let mut out = text.to_owned();
    for (entity, c) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#x0d;", "\r"), ("&amp;", "&")]
    {
        if out.contains(entity) {
            out = out.replace(entity, c);
        }
    }
    out
}
