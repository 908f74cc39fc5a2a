//! What the server or the driver reported, as our error: kind, SQLSTATE, message, detail, hint.
//!
//! Refuses to hide the server's words behind the driver's `db error`.

use crate::error::{Error, Excerpt, Kind};
use std::error::Error as StdError;
use std::fmt;
use tokio_postgres::error::{DbError, ErrorPosition, Severity};

/// One line of a cause, and the line below it.
#[derive(Debug)]
struct Line {
    text: String,
    below: Option<Box<Line>>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Line {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.below.as_ref().map(|line| line.as_ref() as &(dyn StdError + 'static))
    }
}

/// Adds `lines` as a chain of causes, the first outermost.
pub(super) fn with_causes(error: Error, lines: Vec<String>) -> Error {
    let chain = lines.into_iter().rev().fold(None, |below, text| Some(Box::new(Line { text, below })));
    match chain {
        Some(chain) => error.because(chain as Box<dyn StdError + Send + Sync>),
        None => error,
    }
}

/// Turns what tokio-postgres reported into our error; `doing` completes "failed to …".
pub fn server_error(doing: &str, error: tokio_postgres::Error) -> Error {
    let Some(reported) = error.as_db_error() else {
        let lost = is_lost(&error);
        let kind = if lost { Kind::Connect } else { Kind::Server };
        let ours = with_causes(Error::new(kind, doing), driver_lines(&error));
        return if lost {
            ours.help("the connection was lost: see the server's log, then run again")
        } else {
            ours
        };
    };
    let ours = Error::new(kind_of(reported), doing).sqlstate(reported.code().code());
    let ours = with_causes(ours, reported_lines(reported));
    match kind_of(reported) {
        Kind::Timeout => ours.help("allow more time with --timeout"),
        Kind::LockTimeout => {
            ours.help("another session holds the lock; try again, or wait longer with --lock-timeout")
        }
        _ => match advice(reported.code().code()) {
            Some(help) => ours.help(help),
            None => ours,
        },
    }
}

/// What to do about an error that one code stands for, where the server gives no hint of its own.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "42P01" => "name its schema (schema.table), or another database with -d",
        "3F000" => "name another schema, or another database with -d",
        "42703" => "check the spelling; names without quotes are read in lower case",
        "42883" => "check its name and the types of its arguments, or name its schema",
        "42601" => "the server could not read the statement from there on",
        "42501" => {
            "EXPLAIN needs the rights of the statement itself: GRANT them to this role, or name another role with -U"
        }
        "25006" => {
            "pgproof's transactions are read-only; --allow-writes lets the statement write, and rolls it back"
        }
        "54001" => "the statement nests too deeply for the server's max_stack_depth",
        _ => return None,
    })
}

/// Like [`server_error`], and where the server pointed into `sql`, with the place. A cancelled statement is an
/// interrupt only if somebody `asked` us to stop: a DBA may cancel one of ours as well.
pub(super) fn statement_error(
    doing: &str,
    error: tokio_postgres::Error,
    sql: &str,
    marker: usize,
    asked: bool,
) -> Error {
    if let Some(reported) = error.as_db_error().filter(|_| !asked && is_cancel(&error)) {
        let ours = Error::new(Kind::Server, doing).sqlstate(reported.code().code());
        return with_causes(ours, reported_lines(reported))
            .help("somebody cancelled it on the server (pg_cancel_backend)");
    }
    let place = error.as_db_error().and_then(|reported| match reported.position() {
        // The server counts characters from 1, over the marker that we put in front.
        Some(ErrorPosition::Original(at)) => {
            let at = (*at as usize).checked_sub(marker + 1)?;
            let (start, c) = sql.char_indices().nth(at).unwrap_or((sql.len(), ' '));
            let word = sql[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '_');
            let word: usize = word.map(char::len_utf8).sum();
            let end = if start < sql.len() { start + word.max(c.len_utf8()) } else { start };
            Some((start, end, reported.message().to_owned()))
        }
        _ => None,
    });
    let ours = server_error(doing, error);
    match place {
        Some((start, end, label)) => ours.at(Excerpt {
            origin: "SQL".to_owned(),
            first_line: 1,
            text: sql.to_owned(),
            start,
            end,
            label,
        }),
        None => ours,
    }
}

/// Whether the connection is gone, or the server said that it closes it.
pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(reported) => {
            kind_of(reported) == Kind::Connect
                || matches!(reported.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
        }
        None => error.is_closed() || io_cause(error).is_some(),
    }
}

/// Whether the server ended a statement because a cancel request reached it.
pub(super) fn is_cancel(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|reported| kind_of(reported) == Kind::Interrupted)
}

/// The kind that a report of the server stands for.
pub(super) fn kind_of(reported: &DbError) -> Kind {
    match reported.code().code() {
        "42501" => Kind::Permission,
        // One code for several reasons; only the message tells them apart, and it may be translated.
        "57014" if reported.message().contains("user request") => Kind::Interrupted,
        // statement_timeout; "canceling statement due to conflict with recovery" has its own code.
        "57014" => Kind::Timeout,
        // transaction_timeout and idle_in_transaction_session_timeout: our own guards.
        "25P04" | "25P03" => Kind::Timeout,
        "55P03" => Kind::LockTimeout,
        "57P01" | "57P02" | "57P03" => Kind::Connect,
        code if code.starts_with("08") => Kind::Connect,
        code if code.starts_with("42") => Kind::Sql,
        _ => Kind::Server,
    }
}

/// The server's words: severity and message, then detail and hint.
pub(super) fn reported_lines(reported: &DbError) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", reported.severity(), reported.message())];
    lines.extend(reported.detail().map(|detail| format!("DETAIL: {detail}")));
    lines.extend(reported.hint().map(|hint| format!("HINT: {hint}")));
    lines
}

/// The driver's words, from the outermost cause inwards, without repeats.
pub(super) fn driver_lines(error: &tokio_postgres::Error) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let line = cause.to_string();
        if !lines.contains(&line) {
            lines.push(line);
        }
        next = cause.source();
    }
    lines
}

/// The I/O error beneath, where there is one.
pub(super) fn io_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a std::io::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        next = cause.source();
    }
    None
}
