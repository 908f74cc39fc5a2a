//! TOML read strictly: every key and value with its place, every mistake with the nearest right word.
//!
//! Refuses to skip what it does not know.

use crate::error::{Error, Excerpt, Kind, Result};
use crate::words::distance;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML text and where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Completes "failed to …".
    pub doing: &'a str,
    /// The name of the file.
    pub path: &'a str,
    /// The whole file.
    pub whole: &'a str,
    /// The part of `whole` that is TOML.
    pub start: usize,
    pub end: usize,
}

/// A value with its place, in bytes of the whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub span: Range<usize>,
    pub data: Data,
}

/// The kinds of value that settings have.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Text(String),
    Number(f64),
    List(Vec<Value>),
    Table(Vec<Entry>),
    /// A date, a truth value: nothing that settings hold.
    Other(&'static str),
}

/// A key with its place, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub span: Range<usize>,
    pub value: Value,
}

impl<'a> Source<'a> {
    /// A file that is TOML from end to end.
    pub fn file(doing: &'a str, path: &'a str, whole: &'a str) -> Self {
        Source { doing, path, whole, start: 0, end: whole.len() }
    }

    /// The text as a table.
    ///
    /// # Errors
    /// [`Kind::Config`] with the place.
    pub fn read(&self) -> Result<Vec<Entry>> {
        let text = &self.whole[self.start..self.end];
        let table = DeTable::parse(text).map_err(|e| {
            let span = e.span().unwrap_or(0..0);
            self.wrong(&(span.start + self.start..span.end + self.start), e.message())
        })?;
        Ok(self.table(table.get_ref()))
    }

    fn table(&self, table: &DeTable) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                span: self.span(key),
                value: self.value(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.span.start);
        entries
    }

    fn value(&self, value: &Spanned<DeValue>) -> Value {
        let data = match value.get_ref() {
            DeValue::String(text) => Data::Text(text.to_string()),
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                match i64::from_str_radix(&digits, number.radix()) {
                    Ok(number) => Data::Number(number as f64),
                    Err(_) => Data::Other("number of that size"),
                }
            }
            DeValue::Float(number) => match number.as_str().replace('_', "").parse() {
                Ok(number) => Data::Number(number),
                Err(_) => Data::Other("number of that form"),
            },
            DeValue::Array(list) => Data::List(list.iter().map(|value| self.value(value)).collect()),
            DeValue::Table(table) => Data::Table(self.table(table)),
            DeValue::Boolean(_) => Data::Other("truth value"),
            DeValue::Datetime(_) => Data::Other("date"),
        };
        Value { span: self.span(value), data }
    }

    fn span<T>(&self, of: &Spanned<T>) -> Range<usize> {
        let span = of.span();
        span.start + self.start..span.end + self.start
    }

    /// An error that points to a place.
    pub fn wrong(&self, span: &Range<usize>, label: impl Into<String>) -> Error {
        Error::new(Kind::Config, self.doing).at(Excerpt {
            origin: self.path.to_owned(),
            first_line: 1,
            text: self.whole.to_owned(),
            start: span.start,
            end: span.end,
            label: label.into(),
        })
    }

    /// The error for a word that is none of `known`: `what` names the kind of word.
    pub fn unknown<'w>(
        &self,
        span: &Range<usize>,
        what: &str,
        word: &str,
        known: impl Iterator<Item = &'w str>,
    ) -> Error {
        let known: Vec<&str> = known.collect();
        let error = self.wrong(span, format!("there is no {what} `{word}`"));
        match known.iter().min_by_key(|name| distance(name, word)) {
            Some(nearest) if known.len() <= 12 => {
                error.help(format!("did you mean `{nearest}`? There are: {}", known.join(", ")))
            }
            Some(nearest) => error.help(format!("did you mean `{nearest}`?")),
            None => error.help("take it out"),
        }
    }

    /// The entries of a table with these keys and no others.
    ///
    /// # Errors
    /// [`Kind::Config`] with the place of the first key that is none of `known`.
    pub fn only(&self, entries: &[Entry], known: &[&str]) -> Result<()> {
        match entries.iter().find(|entry| !known.contains(&entry.key.as_str())) {
            Some(entry) => Err(self.unknown(&entry.span, "key", &entry.key, known.iter().copied())),
            None => Ok(()),
        }
    }

    /// The value as a text.
    ///
    /// # Errors
    /// [`Kind::Config`] with the place.
    pub fn text<'v>(&self, value: &'v Value) -> Result<&'v str> {
        match &value.data {
            Data::Text(text) => Ok(text),
            other => Err(self.wrong(&value.span, format!("a text belongs here, not a {}", other.name()))),
        }
    }

    /// The value as a number.
    ///
    /// # Errors
    /// As [`Source::text`].
    pub fn number(&self, value: &Value) -> Result<f64> {
        match value.data {
            Data::Number(number) => Ok(number),
            ref other => {
                Err(self.wrong(&value.span, format!("a number belongs here, not a {}", other.name())))
            }
        }
    }

    /// The value as a table.
    ///
    /// # Errors
    /// As [`Source::text`].
    pub fn entries<'v>(&self, value: &'v Value) -> Result<&'v [Entry]> {
        match &value.data {
            Data::Table(entries) => Ok(entries),
            other => Err(self.wrong(&value.span, format!("a table belongs here, not a {}", other.name()))),
        }
    }

    /// The value as a list.
    ///
    /// # Errors
    /// As [`Source::text`].
    pub fn list<'v>(&self, value: &'v Value) -> Result<&'v [Value]> {
        match &value.data {
            Data::List(values) => Ok(values),
            other => Err(self.wrong(&value.span, format!("a list belongs here, not a {}", other.name()))),
        }
    }
}

impl Data {
    fn name(&self) -> &'static str {
        match self {
            Data::Text(_) => "text",
            Data::Number(_) => "number",
            Data::List(_) => "list",
            Data::Table(_) => "table",
            Data::Other(name) => name,
        }
    }
}

/// The value of a key.
pub fn get<'e>(entries: &'e [Entry], key: &str) -> Option<&'e Value> {
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}
