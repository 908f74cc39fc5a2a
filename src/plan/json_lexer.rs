//! A pull lexer for JSON that borrows from its input, keeps its own place, and never recurses.

use super::build::{Scalar, number_value};
use crate::error::{Error, Excerpt, Kind};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Values that we do not know are kept as trees down to this depth, and below it as their source text:
/// a `serde_json::Value` recurses when it is dropped.
const TREE_DEPTH: usize = 64;
/// An excerpt of a longer line is cut to this many bytes around its place.
const EXCERPT_BYTES: usize = 160;

const UNCLOSED: &str = "`\"` before the end of the line";

/// What was expected, and where something else was found.
#[derive(Debug)]
pub(super) struct Unexpected {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

pub(super) type Lexed<T> = Result<T, Unexpected>;

/// A place in a JSON text.
pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    /// The next byte that is not blank, without taking it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                // A byte order mark and a no-break space are blank to whoever pasted them.
                0xef if bytes[self.at..].starts_with("\u{feff}".as_bytes()) => self.at += 3,
                0xc2 if bytes[self.at..].starts_with("\u{a0}".as_bytes()) => self.at += 2,
                _ => return Some(byte),
            }
        }
        None
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Lexed<()> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn unexpected(&self, expected: &'static str) -> Unexpected {
        Unexpected { at: self.at, expected }
    }

    /// The separator before the next member: false at the end of the list or group, which is taken.
    #[inline]
    pub(super) fn more(&mut self, first: bool, close: u8) -> Lexed<bool> {
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ if first => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.unexpected(if close == b']' { "`,` or `]`" } else { "`,` or `}`" })),
        }
    }

    /// A name and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Lexed<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a name in double quotes"));
        }
        let key = self.string()?;
        self.expect(b':', "`:`")?;
        Ok(key)
    }

    /// A string, whose opening quote is next. A line break inside is none of the server's: a console put it there.
    #[inline]
    pub(super) fn string(&mut self) -> Lexed<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        loop {
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Cow::Borrowed(&self.text[start..at]));
                }
                Some(b'\\') => return self.escaped(start, at),
                Some(b'\n') => return Err(Unexpected { at, expected: UNCLOSED }),
                Some(_) => at += 1,
                None => return Err(Unexpected { at, expected: "`\"` at the end of a string" }),
            }
        }
    }

    #[cold]
    fn escaped(&mut self, start: usize, escape: usize) -> Lexed<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        let mut out = String::from(&self.text[start..escape]);
        let mut at = escape;
        loop {
            let plain = at;
            while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | b'\n')) {
                at += 1;
            }
            out.push_str(&self.text[plain..at]);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Cow::Owned(out));
                }
                None => return Err(Unexpected { at, expected: "`\"` at the end of a string" }),
                Some(b'\n') => return Err(Unexpected { at, expected: UNCLOSED }),
                Some(_) => at += 1,
            }
            let simple = match bytes.get(at) {
                Some(b'n') => '\n',
                Some(b't') => '\t',
                Some(b'r') => '\r',
                Some(b'b') => '\u{8}',
                Some(b'f') => '\u{c}',
                Some(&byte @ (b'"' | b'\\' | b'/')) => byte as char,
                Some(b'u') => {
                    let (character, end) = self.unicode(at + 1)?;
                    out.push(character);
                    at = end;
                    continue;
                }
                _ => return Err(Unexpected { at, expected: "one of `\"\\/bfnrtu` after `\\`" }),
            };
            out.push(simple);
            at += 1;
        }
    }

    /// The character of `\uXXXX`, or of a pair of them; a lone surrogate becomes U+FFFD.
    fn unicode(&self, at: usize) -> Lexed<(char, usize)> {
        let unit = |at: usize| {
            let digits = self.text.as_bytes().get(at..at + 4)?;
            digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + (digit as char).to_digit(16)?))
        };
        let first = unit(at).ok_or(Unexpected { at, expected: "four hexadecimal digits" })?;
        if (0xd800..0xdc00).contains(&first)
            && self.text.as_bytes()[at + 4..].starts_with(b"\\u")
            && let Some(second @ 0xdc00..0xe000) = unit(at + 6)
        {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return Ok((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), at + 10));
        }
        Ok((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), at + 4))
    }

    /// A string, number, `true`, `false` or `null`.
    #[inline]
    pub(super) fn scalar(&mut self) -> Lexed<Scalar<'a>> {
        let word = match self.peek() {
            Some(b'"') => return self.string().map(Scalar::Text),
            Some(b'-' | b'0'..=b'9') => return self.number(),
            Some(b't') => ("true", Scalar::Bool(true)),
            Some(b'f') => ("false", Scalar::Bool(false)),
            Some(b'n') => ("null", Scalar::Null),
            _ => return self.no_number(),
        };
        if !self.text.as_bytes()[self.at..].starts_with(word.0.as_bytes()) {
            return self.no_number();
        }
        self.at += word.0.len();
        Ok(word.1)
    }

    /// `inf` and `NaN`, which servers print bare where a cost overflows: kept as the words they are.
    #[cold]
    fn no_number(&mut self) -> Lexed<Scalar<'a>> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = &rest[..length];
        if !["inf", "infinity", "nan"].iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return Err(self.unexpected("a value"));
        }
        self.at += length;
        Ok(Scalar::Text(word.into()))
    }

    /// Numbers of up to 15 digits are exact as digits and a power of ten; longer ones take the slow way.
    #[inline]
    fn number(&mut self) -> Lexed<Scalar<'a>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start + usize::from(bytes[start] == b'-');
        let (mut digits, mut count, mut point) = (0_u64, 0_usize, None);
        loop {
            match bytes.get(at) {
                Some(&digit @ b'0'..=b'9') => {
                    digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
                    count += 1;
                }
                Some(b'.') if point.is_none() => point = Some(count),
                _ => break,
            }
            at += 1;
        }
        let simple = count <= 15 && count > 0 && !matches!(bytes.get(at), Some(b'e' | b'E'));
        let number = if simple {
            let scale =
                [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]
                    [point.map_or(0, |point| count - point)];
            let size = digits as f64 / scale;
            if bytes[start] == b'-' { -size } else { size }
        } else {
            while matches!(bytes.get(at), Some(b'e' | b'E' | b'+' | b'-' | b'0'..=b'9')) {
                at += 1;
            }
            let number = self.text[start..at].parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| self.unexpected("a number"))?
        };
        self.at = at;
        Ok(Scalar::Number(number, &self.text[start..at]))
    }

    /// A list of strings; `None`, with nothing taken, where the list holds anything else.
    pub(super) fn texts(&mut self) -> Lexed<Option<Vec<String>>> {
        let start = self.at;
        self.expect(b'[', "`[`")?;
        let mut texts = Vec::new();
        while self.more(texts.is_empty(), b']')? {
            if self.peek() != Some(b'"') {
                self.at = start;
                return Ok(None);
            }
            texts.push(self.string()?.into_owned());
        }
        Ok(Some(texts))
    }

    /// Any value as a tree.
    pub(super) fn value(&mut self) -> Lexed<Value> {
        enum Part {
            List(Vec<Value>),
            Group(Map<String, Value>, String),
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut first = true;
        loop {
            // Take the next value: an opening bracket goes down, anything else is complete.
            let mut done = match parts.last_mut() {
                Some(Part::List(_)) if !self.more(first, b']')? => None,
                Some(Part::Group(_, key)) => {
                    if self.more(first, b'}')? {
                        *key = self.key()?.into_owned();
                        Some(())
                    } else {
                        None
                    }
                }
                _ => Some(()),
            };
            let mut value = match (done.take(), self.peek()) {
                (None, _) => match parts.pop() {
                    Some(Part::List(list)) => Value::Array(list),
                    Some(Part::Group(group, _)) => Value::Object(group),
                    None => Value::Null,
                },
                (Some(()), Some(b'[' | b'{')) if parts.len() >= TREE_DEPTH => Value::String(self.skip()?),
                (Some(()), Some(open @ (b'[' | b'{'))) => {
                    self.at += 1;
                    first = true;
                    parts.push(match open {
                        b'[' => Part::List(Vec::new()),
                        _ => Part::Group(Map::new(), String::new()),
                    });
                    continue;
                }
                (Some(()), _) => match self.scalar()? {
                    Scalar::Number(number, source) => number_value(number, source),
                    scalar => scalar.into_value(),
                },
            };
            first = false;
            match parts.last_mut() {
                None => return Ok(value),
                Some(Part::List(list)) => list.push(value.take()),
                Some(Part::Group(group, key)) => {
                    group.insert(std::mem::take(key), value.take());
                }
            }
        }
    }

    /// The source text of a list or group, whose brackets must match.
    fn skip(&mut self) -> Lexed<String> {
        let start = self.at;
        let mut closing = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' => closing.push(b']'),
                b'{' => closing.push(b'}'),
                b']' | b'}' => {
                    if closing.pop() != Some(byte) {
                        return Err(self.unexpected("the bracket that closes this one"));
                    }
                    if closing.is_empty() {
                        self.at += 1;
                        return Ok(self.text[start..self.at].to_owned());
                    }
                }
                _ => {}
            }
            self.at += self.text[self.at..].chars().next().map_or(1, char::len_utf8);
        }
        Err(self.unexpected("a closing bracket"))
    }

    /// The error for a reader of plans, with its line, column and an excerpt.
    pub(super) fn error(&self, unexpected: &Unexpected) -> Error {
        let at = floor(self.text, unexpected.at.min(self.text.len()));
        let line = self.text[..at].bytes().filter(|&byte| byte == b'\n').count() + 1;
        let begin = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        let column = self.text[begin..at].chars().count() + 1;
        let rest = self.text[at..end].trim_end_matches('\r');
        let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len()).min(floor(rest, 20));
        let size = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
        let found = match &rest[..size] {
            _ if at == self.text.len() => "the end of the input".to_owned(),
            "" => "the end of the line".to_owned(),
            found => format!("`{found}`"),
        };
        let from = floor(self.text, at.saturating_sub(EXCERPT_BYTES / 2).max(begin));
        let to = floor(
            self.text,
            (from + EXCERPT_BYTES).min(begin + self.text[begin..end].trim_end_matches('\r').len()),
        );
        let start = at - from.min(at);
        let excerpt = Excerpt {
            origin: "plan".to_owned(),
            first_line: line,
            text: self.text[from..to.max(from)].to_owned(),
            start,
            end: start + size,
            label: format!("expected {}", unexpected.expected),
        };
        let error = Error::new(Kind::Input, format!("read the JSON plan at line {line}, column {column}"))
            .because(format!("expected {}, found {found}", unexpected.expected))
            .at(excerpt);
        let cut_off = self.text[at..].trim().is_empty();
        if cut_off { error.help("the plan is cut off here: paste it whole") } else { error }
    }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
