//! A sentence with `{expression}` placeholders, filled in with numbers as people read them.
//!
//! Refuses to leave a hole: what is not known is called so.

use super::expression::{Expression, Names, Wrong};
use super::facts::{Type, Value, View};
use crate::units::{Bytes, Millis};
use crate::words::{count, duration, percent, size, times};

/// A checked sentence.
#[derive(Debug, Clone, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Words(String),
    Hole(Expression),
}

impl Template {
    /// Reads a sentence; `{{` and `}}` are braces.
    ///
    /// # Errors
    /// As [`Expression::read`], with the place in `text`.
    pub fn read(text: &str, names: Names) -> Result<Template, Wrong> {
        let mut parts = Vec::new();
        let mut words = String::new();
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            let rest = &text[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                words.push(next);
                at += 2;
            } else if next == '{' {
                let Some(len) = hole(&rest[1..]) else {
                    let what = "this brace is never closed".to_owned();
                    return Err(Wrong {
                        span: at..at + 1,
                        what,
                        help: "a brace itself is written {{".to_owned(),
                    });
                };
                let start = at + 1;
                let inside = Expression::read(&text[start..start + len], names).map_err(|wrong| Wrong {
                    span: wrong.span.start + start..wrong.span.end + start,
                    ..wrong
                })?;
                if !words.is_empty() {
                    parts.push(Part::Words(std::mem::take(&mut words)));
                }
                parts.push(Part::Hole(inside));
                at = start + len + 1;
            } else {
                words.push(next);
                at += next.len_utf8();
            }
        }
        if !words.is_empty() {
            parts.push(Part::Words(words));
        }
        Ok(Template { parts })
    }

    /// The sentence about one view.
    pub fn fill(&self, view: &View) -> String {
        let part = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Hole(expression) => shown(expression, expression.value(view)),
        };
        self.parts.iter().map(part).collect()
    }
}

/// Bytes up to the brace that closes a placeholder; one inside quotes does not.
fn hole(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| match (quote, c) {
        (None, '}') => Some(at),
        (None, '"' | '\'') => {
            quote = Some(c);
            None
        }
        (Some(open), c) if c == open => {
            quote = None;
            None
        }
        _ => None,
    })
}

/// A value with the unit that its name ends in.
fn shown(expression: &Expression, value: Option<Value>) -> String {
    let name = expression.bare.as_deref().unwrap_or_default();
    match value {
        None => "an unknown number".replace("number", noun(expression.of)),
        Some(Value::Number(ms)) if name.ends_with("_ms") => duration(Millis(ms)),
        Some(Value::Number(bytes)) if name.ends_with("_bytes") => size(Bytes(bytes as i64)),
        Some(Value::Number(share)) if name.ends_with("_share") => percent(share),
        Some(Value::Number(factor)) if name == "estimate_error" => times(factor),
        Some(Value::Number(number)) => count(number),
        Some(Value::Text(text)) => text,
        Some(Value::Flag(flag)) => flag.to_string(),
        Some(Value::Texts(texts)) => texts.join(", "),
    }
}

fn noun(of: Type) -> &'static str {
    match of {
        Type::Number => "number",
        Type::Texts | Type::Numbers => "list",
        _ => "word",
    }
}
