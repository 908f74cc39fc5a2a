//! A server's log as a corpus: the statements of its entries, whichever of its formats it is in.
//!
//! Refuses to trust a file's name, and to count what a statement was parsed and bound for: its execution is an entry too.

mod csv;
mod entry;
mod lines;

use super::merge::Merged;
use super::{Query, Skipped};
use crate::error::{Error, Kind, Result};
use crate::finding::Location;
use crate::sql;
use std::collections::BTreeSet;

/// A form shows itself within so many lines; what stands before is a container's own chatter or a cut-off entry.
const HEAD_LINES: usize = 1_000;

/// The forms of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// stderr and syslog, behind any prefix.
    Lines,
    /// csvlog; where in the text the first record begins.
    Csv(usize),
    /// jsonlog, or what a container's or a cloud's logger wraps around a line.
    Json,
}

/// A message of severity LOG, without its prefix and its continuation marks.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    text: String,
    line: usize,
    end_line: usize,
}

/// Whether the text is a server's log, by what its lines look like.
pub(super) fn is_log(text: &str) -> bool {
    form(text).is_some()
}

fn form(text: &str) -> Option<Form> {
    let mut at = 0;
    for line in text.split_inclusive('\n').take(HEAD_LINES) {
        // A comment of an SQL file may show what a server says.
        if ["--", "/*"].iter().any(|mark| line.trim_start_matches(' ').starts_with(mark)) {
            return None;
        }
        if csv::begins(line) {
            return Some(Form::Csv(at));
        }
        if lines::wrapped(line.trim()).is_some() {
            return Some(Form::Json);
        }
        if lines::begins(line) {
            return Some(Form::Lines);
        }
        at += line.len();
    }
    None
}

/// The queries of a log, each once whatever its values were.
///
/// # Errors
/// [`Kind::Input`] with file and line for an entry that was cut, and for a log that holds no statement.
pub(super) fn read(path: &str, text: &str, skipped: &mut Vec<Skipped>) -> Result<Vec<Query>> {
    if let Some(nul) = text.find('\0') {
        let why = "a NUL byte, which no log has".to_owned();
        return Err(damaged(path, text[..nul].matches('\n').count() + 1, why));
    }
    let mut statements = Statements { path, merged: Merged::default(), read: 0, none: None };
    let mut take = |message: Message| statements.add(&message);
    match form(text) {
        Some(Form::Csv(start)) => csv::messages(text, start, &mut take),
        Some(Form::Json) => lines::json(text, &mut take),
        _ => lines::plain(text, &mut take),
    }
    .map_err(|Damage { line, why }| damaged(path, line, why))?;
    if statements.read == 0 {
        let lines = text.lines().count();
        return Err(Error::new(Kind::Input, format!("read the queries in {path}"))
            .because(format!("none of its {lines} lines, from line 1 on, holds a statement that the server executed"))
            .help(
                "log them with log_min_duration_statement = 0, log_statement = 'all' or auto_explain, and with \
                 lc_messages = 'C'",
            ));
    }
    if let Some(none) = statements.none {
        let words: Vec<String> = none.words.into_iter().collect();
        let why = format!(
            "{} logged {} that could be planned: {}",
            none.count,
            if none.count == 1 { "statement is none" } else { "statements are none" },
            words.join(", ")
        );
        skipped.push(Skipped { at: none.first, why });
    }
    let mut queries = statements.merged.all();
    // Entries of several processes end in another order than they begin.
    queries.sort_by_key(|query| query.places.first().map(|place| place.line));
    Ok(queries)
}

/// Where a log is damaged, and how.
#[derive(Debug, PartialEq, Eq)]
struct Damage {
    line: usize,
    why: String,
}

fn damaged(path: &str, line: usize, why: String) -> Error {
    Error::new(Kind::Input, format!("read the queries in {path}")).because(format!("line {line}: {why}")).help(
        "the log was cut or mixed with something else there: export whole entries, or take that one out of the file",
    )
}

/// What is left of a log.
struct Statements<'a> {
    path: &'a str,
    merged: Merged,
    /// Entries that hold a statement.
    read: usize,
    none: Option<NoQueries>,
}

/// Statements that EXPLAIN does not take.
struct NoQueries {
    first: Location,
    count: usize,
    words: BTreeSet<String>,
}

impl Statements<'_> {
    fn add(&mut self, message: &Message) -> std::result::Result<(), Damage> {
        let Some(text) = entry::statement(&message.text) else { return Ok(()) };
        let text = text.map_err(|why| Damage { line: message.line, why: why.to_owned() })?;
        self.read += 1;
        if text.trim_start().starts_with("/* pgproof") {
            return Ok(());
        }
        let pieces = sql::split(&text).map_err(|e| {
            let below = text[..e.at.min(text.len())].matches('\n').count();
            Damage { line: (message.line + below).min(message.end_line), why: e.what.to_owned() }
        })?;
        for piece in pieces {
            let at = Location { path: self.path.to_owned(), line: message.line, end_line: message.end_line };
            let read = sql::read(within(piece.text));
            let word = match read.kind {
                sql::Kind::Other(word) => word,
                _ if explains(piece.text) => "EXPLAIN".to_owned(),
                _ => {
                    self.merged.add(Query::seen(read.text, vec![at]));
                    continue;
                }
            };
            let none =
                self.none.get_or_insert_with(|| NoQueries { first: at, count: 0, words: BTreeSet::new() });
            none.count += 1;
            none.words.insert(word);
        }
        Ok(())
    }
}

/// The query of a cursor or of a prepared statement; else what was given.
fn within(text: &str) -> &str {
    let (tokens, _) = sql::token::tokenize(text);
    let behind = match tokens.first() {
        Some(first) if first.is_word(text, "declare") => "for",
        Some(first) if first.is_word(text, "prepare") => "as",
        _ => return text,
    };
    let mark = tokens.iter().skip(1).find(|token| token.is_word(text, behind));
    mark.map_or(text, |mark| text[mark.end..].trim_start())
}

fn explains(text: &str) -> bool {
    let (tokens, _) = sql::token::tokenize(text);
    tokens.first().is_some_and(|token| token.is_word(text, "explain"))
}

#[cfg(test)]
mod tests;
