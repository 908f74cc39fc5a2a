//! Statements as the user gave them: the argument, files, standard input.
//!
//! Refuses what EXPLAIN does not take, with the place and what to do instead.

use crate::capture::{Comment, Gap, Origin, OriginKind};
use crate::cli::Explain;
use crate::error::{Error, Excerpt, Kind, Result};
use crate::sql::{self, Statement};
use crate::suppress;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

/// A statement and where it came from.
#[derive(Debug, Clone)]
pub struct Source {
    pub statement: Statement,
    pub origin: Origin,
    /// For messages: a path, `argument` or `standard input`.
    pub name: String,
    /// The text that it is a part of, and where in it the statement starts, in bytes.
    pub whole: Rc<str>,
    pub offset: usize,
    /// Comments around the statement that speak to pgproof.
    pub comments: Vec<Comment>,
}

impl Source {
    /// Puts the origin of this statement into an error about it.
    pub fn locate(&self, error: Error) -> Error {
        error.within(&self.whole, self.offset, &self.name)
    }
}

/// Everything the command line names, and gaps for statements in files that EXPLAIN does not take.
///
/// # Errors
/// [`Kind::Usage`] without SQL; [`Kind::Input`] for a file that cannot be read; [`Kind::Sql`] with the place.
pub fn read(args: &Explain) -> Result<(Vec<Source>, Vec<Gap>)> {
    let mut sources = Vec::new();
    let mut gaps = Vec::new();
    if let Some(text) = &args.sql {
        sources.push(argument(text)?);
    }
    for path in &args.file {
        from_file(path, &mut sources, &mut gaps)?;
    }
    if sources.is_empty() {
        let error = Error::new(Kind::Usage, "find a statement to explain");
        let error = match (gaps.first(), args.file.first()) {
            (Some(gap), _) => error.because(gap.what.clone()),
            (None, Some(path)) => error.because(format!("{} holds no statement", name_of(path))),
            (None, None) => error,
        };
        return Err(error.help("pgproof explain \"SELECT …\", or -f FILE, or -f - for standard input"));
    }
    Ok((sources, gaps))
}

fn argument(text: &str) -> Result<Source> {
    let name = "argument";
    let pieces = split(text, name)?;
    match &pieces[..] {
        [] => Err(Error::new(Kind::Sql, "find a statement in the argument")
            .because("it is empty")
            .help("pgproof explain \"SELECT …\"")),
        [piece] => {
            let statement = sql::read(piece.text);
            check(&statement, text, piece.start, name)?;
            let origin = Origin { kind: OriginKind::Argument, path: None, line: None };
            let offset = piece.start + statement.offset;
            let comments = around(piece, &statement, false);
            Ok(Source { statement, origin, name: name.to_owned(), whole: text.into(), offset, comments })
        }
        [_, second, ..] => Err(Error::new(Kind::Sql, "explain the argument")
            .at(excerpt(text, name, second.start, second.start + second.text.len(), "a second statement"))
            .help("the argument takes exactly one statement; a file (-f) may hold many")),
    }
}

fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn from_file(path: &Path, sources: &mut Vec<Source>, gaps: &mut Vec<Gap>) -> Result<()> {
    let (name, text) = text(path)?;
    from_text(&text, &name, (path != Path::new("-")).then_some(name.as_str()), sources, gaps)
}

/// The text of a file, or of standard input for `-`, and its name for messages.
///
/// # Errors
/// [`Kind::Input`] where it cannot be read or is not UTF-8, with the line.
pub fn text(path: &Path) -> Result<(String, String)> {
    let name = name_of(path);
    let failed = |e: std::io::Error| Error::new(Kind::Input, format!("read {name}")).because_of_file(&e);
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        bytes
    } else {
        std::fs::read(path).map_err(failed)?
    };
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
        Error::new(Kind::Input, format!("read {name}"))
            .because(format!("line {line} is not UTF-8"))
            .help("convert it to UTF-8, such as with iconv -f LATIN1 -t UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned);
    Ok((name, text))
}

/// The statements of a text that `name` stands for in messages.
///
/// # Errors
/// [`Kind::Sql`] for a quote or comment that is never closed.
pub fn from_text(
    text: &str,
    name: &str,
    path: Option<&str>,
    sources: &mut Vec<Source>,
    gaps: &mut Vec<Gap>,
) -> Result<()> {
    let whole: Rc<str> = text.into();
    for piece in split(text, name)? {
        let statement = sql::read(piece.text);
        if let Err(error) = check(&statement, text, piece.start, name) {
            let why = error.cause();
            let spoken = piece.comments.iter().any(|comment| suppress::mentions(comment.text));
            let with = if spoken { ", and its pgproof:ignore with it" } else { "" };
            gaps.push(Gap {
                what: format!("{name}:{}: {why}; skipped{with}", piece.line),
                sqlstate: None,
                disables: vec!["explain".to_owned()],
            });
            continue;
        }
        let path = path.map(str::to_owned);
        let origin = Origin { kind: OriginKind::File, path, line: Some(piece.line) };
        let offset = piece.start + statement.offset;
        let comments = around(&piece, &statement, true);
        sources.push(Source {
            statement,
            origin,
            name: name.to_owned(),
            whole: whole.clone(),
            offset,
            comments,
        });
    }
    Ok(())
}

/// The comments of a piece that speak to pgproof and stand outside the text to explain.
fn around(piece: &sql::Piece, statement: &Statement, lines: bool) -> Vec<Comment> {
    let start = piece.start + statement.offset;
    let inside = start..start + statement.text.len();
    let spoken = piece.comments.iter().filter(|c| !inside.contains(&c.start) && suppress::mentions(c.text));
    spoken.map(|c| Comment { text: c.text.to_owned(), line: lines.then_some(c.line) }).collect()
}

fn split<'a>(text: &'a str, name: &str) -> Result<Vec<sql::Piece<'a>>> {
    if let Some(at) = text.find('\0') {
        return Err(Error::new(Kind::Sql, "read the SQL")
            .at(excerpt(text, name, at, at + 1, "a NUL byte, which PostgreSQL cannot hold in a text"))
            .help("is the file in UTF-16? Convert it to UTF-8, such as with iconv -f UTF-16 -t UTF-8"));
    }
    sql::split(text).map_err(|e| {
        let end = text[e.at..].chars().next().map_or(e.at, |c| e.at + c.len_utf8());
        Error::new(Kind::Sql, "read the SQL")
            .at(excerpt(text, name, e.at, end, e.what))
            .help("close it; a quote inside a text is written twice: 'it''s'")
    })
}

fn excerpt(text: &str, name: &str, start: usize, end: usize, label: &str) -> Excerpt {
    Excerpt {
        origin: name.to_owned(),
        first_line: 1,
        text: text.to_owned(),
        start,
        end,
        label: label.to_owned(),
    }
}

/// Statements that EXPLAIN does not take are refused before anything is sent. This one starts at `start` in `text`.
fn check(statement: &Statement, text: &str, start: usize, name: &str) -> Result<()> {
    let sql::Kind::Other(word) = &statement.kind else { return Ok(()) };
    let help = match word.as_str() {
        "COPY" => "explain the query inside COPY (…)",
        "CREATE" => "explain the SELECT behind AS",
        "DECLARE" => "explain the query behind FOR",
        "EXECUTE" => "explain the prepared statement's own text, with --param for its values",
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "ABORT" => {
            "pgproof opens its own transaction and always rolls it back"
        }
        "SET" | "RESET" => "set it for the role or database, or in PGOPTIONS",
        "CALL" | "DO" => "explain the statements inside it one by one",
        _ => "EXPLAIN takes SELECT, VALUES, INSERT, UPDATE, DELETE and MERGE",
    };
    let start = start + statement.offset;
    let place = excerpt(text, name, start, start + word.len(), "EXPLAIN does not take this");
    let what = if word.is_empty() { "nothing".to_owned() } else { word.clone() };
    Err(Error::new(Kind::Sql, "explain the statement")
        .because(format!("EXPLAIN does not take {what}"))
        .at(place)
        .help(help))
}
