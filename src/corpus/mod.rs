//! The queries that a project keeps: `.sqlx` files, files of named queries, plain SQL, logs of its server.
//!
//! Refuses to look for queries in source code, and to plan any.

mod log;
mod merge;
mod sqlx;

pub use merge::{lacking, merged};

use crate::error::{Error, Kind, Result};
use crate::finding::Location;
use crate::gate::budget::{self, Budget};
use crate::sql;
use crate::words::counted;

/// Who knows a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The project: its text is as it was meant, values included.
    Written,
    /// A server, in its log or in pg_stat_statements: the values are those of one call, or none.
    Seen,
    /// The project as it was: no file has it any more.
    Earlier,
}

/// One query, wherever it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub name: Option<String>,
    /// With parameters `$1`, `$2` …
    pub text: String,
    /// Where it stands; of many places, the first ones.
    pub places: Vec<Location>,
    /// SQL's names of the types of the parameters, `None` for one that is not known; `None` where none is.
    pub types: Option<Vec<Option<String>>>,
    pub origin: Origin,
    /// What its author lets it cost.
    pub budget: Option<Budget>,
    /// The comments around it and in it, each with its line.
    pub comments: Vec<(String, usize)>,
}

impl Query {
    /// A query that a server saw.
    pub fn seen(text: String, places: Vec<Location>) -> Query {
        let comments = sql::comments(&text).into_iter().map(|comment| (comment.text, comment.line));
        // A comment that cannot be read is nobody's who runs this: the file that it is in tells of it.
        let budget = budget("a server", comments).ok().flatten();
        Query { name: None, text, places, types: None, origin: Origin::Seen, budget, comments: Vec::new() }
    }

    /// The types of its parameters as PREPARE takes them, where each of its so many parameters has a place in the list.
    pub fn declared(&self, parameters: usize) -> Option<String> {
        let types = self.types.as_ref().filter(|types| types.len() == parameters)?;
        let names: Vec<&str> = types.iter().map(|name| name.as_deref().unwrap_or("unknown")).collect();
        Some(names.join(", "))
    }
}

/// The budget that one of the comments sets.
fn budget<'a>(path: &str, comments: impl Iterator<Item = (&'a str, usize)>) -> Result<Option<Budget>> {
    let mut found: Option<Budget> = None;
    for (comment, line) in comments {
        let Some(read) = budget::read(comment) else { continue };
        let wrong = |why: String| {
            Error::new(Kind::Input, format!("read the budget at {path}:{line}"))
                .because(why)
                .help(budget::FORM)
        };
        if found.replace(read.map_err(wrong)?).is_some() {
            return Err(wrong("the query has another one".to_owned()));
        }
    }
    Ok(found)
}

/// The query with its parameters cast to these types, as [`Query::declared`] lists them.
pub fn cast(text: &str, types: &str) -> String {
    let types: Vec<&str> = types.split(", ").collect();
    let (tokens, _) = sql::token::tokenize(text);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for token in tokens.iter().filter(|token| token.kind == sql::token::TokenKind::Param) {
        let number: Option<usize> = token.text(text)[1..].parse().ok();
        let known =
            number.and_then(|number| types.get(number.checked_sub(1)?)).filter(|name| **name != "unknown");
        out.push_str(&text[at..token.end]);
        at = token.end;
        known.into_iter().for_each(|name| out.push_str(&format!("::{name}")));
    }
    out + &text[at..]
}

/// Something that is no query of the corpus, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub at: Location,
    pub why: String,
}

/// Whether a text is a server's log, by what its lines look like.
pub fn is_log(text: &str) -> bool {
    log::is_log(text)
}

/// The queries of a file: of a log, whatever its name is; else by its name, `.json` as sqlx writes it or SQL.
///
/// # Errors
/// [`Kind::Input`] with file and line.
pub fn read(path: &str, text: &str, skipped: &mut Vec<Skipped>) -> Result<Vec<Query>> {
    if is_log(text) {
        return log::read(path, text, skipped);
    }
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => sqlx::read(path, text).map(|query| query.into_iter().collect()),
        Some("log" | "csv") => Err(Error::new(Kind::Input, format!("read the queries in {path}"))
            .because("from line 1 on, nothing looks like an entry of a PostgreSQL server")
            .help("name a log as the server wrote it: stderr, syslog, csvlog or jsonlog")),
        _ => named(path, text, skipped),
    }
}

/// A file of SQL, with or without `-- name:` above each query.
fn named(path: &str, text: &str, skipped: &mut Vec<Skipped>) -> Result<Vec<Query>> {
    let pieces = sql::split(text).map_err(|e| {
        let line = text[..e.at.min(text.len())].matches('\n').count() + 1;
        Error::new(Kind::Input, format!("read the queries in {path}"))
            .because(format!("line {line}: {}", e.what))
    })?;
    let mut queries = Vec::new();
    for piece in pieces {
        let end_line = piece.line + piece.text.matches('\n').count();
        let at = Location { path: path.to_owned(), line: piece.line, end_line };
        let name = piece.comments.iter().rev().find_map(|comment| name(comment.text));
        let numbered = numbered(piece.text);
        let read = sql::read(&numbered);
        if matches!(read.kind, sql::Kind::Other(_)) {
            skipped.push(Skipped { at, why: "it is no query that could be planned".to_owned() });
            continue;
        }
        let budget = budget(path, piece.comments.iter().map(|comment| (comment.text, comment.line)))?;
        let given = budget.as_ref().map_or(0, |budget| budget.parameters.len());
        if given > 0 && given != read.parameters {
            return Err(Error::new(Kind::Input, format!("read the budget at {path}:{}", piece.line))
                .because(format!(
                    "it gives {}, and the query has {}",
                    counted(given as f64, "value"),
                    counted(read.parameters as f64, "parameter")
                ))
                .help("write one param=VALUE for each of $1, $2 …, in order"));
        }
        let text = read.text;
        let comments = piece.comments.iter().map(|comment| (comment.text.to_owned(), comment.line)).collect();
        let places = vec![at];
        queries.push(Query { name, text, places, types: None, origin: Origin::Written, budget, comments });
    }
    Ok(queries)
}

/// `-- name: get_user :one` as `get_user`.
fn name(comment: &str) -> Option<String> {
    let rest = comment.trim_start_matches(['-', '/', '*', ' ']).strip_prefix("name:")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// Named parameters as numbered ones: `@name`, `:name`, `sqlc.arg(name)`, `sqlc.narg('name')`, `sqlc.slice(name)`.
fn numbered(text: &str) -> String {
    let bytes = text.as_bytes();
    let (tokens, _) = sql::token::tokenize(text);
    let mut names: Vec<String> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut highest = sql::read(text).parameters;
    let mut place = |name: &str, names: &mut Vec<String>| -> usize {
        if let Some(known) = names.iter().position(|n| n == name) {
            return highest - names.len() + known + 1;
        }
        names.push(name.to_owned());
        highest += 1;
        highest
    };
    let (mut skip, mut depth) = (0, 0usize);
    for (i, token) in tokens.iter().enumerate() {
        if i < skip {
            continue;
        }
        let word = |k: usize| tokens.get(i + k).map(|t| t.text(text));
        let touching = |k: usize| tokens.get(i + k).is_some_and(|t| t.start == tokens[i + k - 1].end);
        match token.text(text) {
            "[" => depth += 1,
            "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let of_sqlc = token.is_word(text, "sqlc")
            && word(1) == Some(".")
            && word(3) == Some("(")
            && word(5) == Some(")");
        let argument = word(4).filter(|_| of_sqlc);
        if let Some(table) = argument.filter(|_| word(2) == Some("embed")) {
            out.push_str(&text[at..token.start]);
            out.push_str(&format!("{table}.*"));
            at = tokens[i + 5].end;
            skip = i + 6;
            continue;
        }
        if let Some(name) = argument.filter(|_| matches!(word(2), Some("arg" | "narg" | "slice"))) {
            let number = place(name.trim_matches('\''), &mut names);
            out.push_str(&text[at..token.start]);
            out.push_str(&format!("${number}"));
            at = tokens[i + 5].end;
            skip = i + 6;
            continue;
        }
        // `=@id` is one operator to the lexer. A colon in brackets is a slice.
        let operator = ["=@", ">=@", "<=@", "<>@", "!=@"].contains(&token.text(text));
        let before = |back: usize| i.checked_sub(back).map(|at| tokens[at]);
        let array = before(2).is_some_and(|t| t.is_word(text, "array"));
        let element = before(1).is_some_and(|t| match t.text(text) {
            "," | "(" => true,
            "[" => array,
            _ => false,
        });
        let mark =
            operator || token.text(text) == "@" || (token.text(text) == ":" && (depth == 0 || element));
        let begins = token.start == 0 || !matches!(bytes[token.start - 1], b':' | b'@' | b'<');
        let named = word(1).filter(|name| {
            let variable = token.text(text) == ":" && name.starts_with('\'');
            touching(1) && (variable || name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
        });
        if let Some(name) = named.filter(|_| mark && begins) {
            let number = place(name, &mut names);
            out.push_str(&text[at..token.end - 1]);
            out.push_str(&format!("${number}"));
            at = tokens[i + 1].end;
            skip = i + 2;
        }
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_parameters_are_numbered() {
        for (typed, numbers) in [
            (
                "SELECT * FROM t WHERE a = @a AND b = @b OR a = @a",
                "SELECT * FROM t WHERE a = $1 AND b = $2 OR a = $1",
            ),
            ("SELECT a::text FROM t WHERE b = :b", "SELECT a::text FROM t WHERE b = $1"),
            ("SELECT $1, sqlc.arg(x), sqlc.narg('y')", "SELECT $1, $2, $3"),
            (
                "SELECT sqlc.embed(t) FROM t WHERE a=@a AND b>=@b AND c = :'c'",
                "SELECT t.* FROM t WHERE a=$1 AND b>=$2 AND c = $3",
            ),
            ("SELECT ARRAY[:a, :b]", "SELECT ARRAY[$1, $2]"),
            ("SELECT (array[1, 2])[1:x] FROM t", "SELECT (array[1, 2])[1:x] FROM t"),
            ("SELECT a @> b, c[1:2], ':x', d <@ e FROM t", "SELECT a @> b, c[1:2], ':x', d <@ e FROM t"),
        ] {
            assert_eq!(numbered(typed), numbers);
        }
    }

    #[test]
    fn parameters_are_cast_to_their_types() {
        let text = "SELECT $1, '$2' FROM t WHERE a = $2 AND b = ANY($3) OR $4 IS NULL";
        let cast = cast(text, "int4, text, int8[], unknown");
        assert_eq!(
            cast,
            "SELECT $1::int4, '$2' FROM t WHERE a = $2::text AND b = ANY($3::int8[]) OR $4 IS NULL"
        );
    }

    #[test]
    fn a_file_of_named_queries_is_read_and_what_is_none_is_told() {
        let text = "-- name: get_user :one\nSELECT * FROM users WHERE id = @id;\n\nVACUUM;\n\n-- name: all :many\nSELECT 1;\n";
        let mut skipped = Vec::new();
        let queries = read("q.sql", text, &mut skipped).expect("SQL");
        let told: Vec<_> =
            queries.iter().map(|q| (q.name.as_deref(), q.text.as_str(), q.places[0].line)).collect();
        assert_eq!(
            told,
            [(Some("get_user"), "SELECT * FROM users WHERE id = $1", 2), (Some("all"), "SELECT 1", 7)]
        );
        assert_eq!(skipped[0].at.line, 4);
        assert!(read("q.sql", "SELECT 'x", &mut skipped).is_err());
        assert!(read("query-1.json", "{\"query\": ", &mut skipped).is_err());
        let prepared = read(
            "query-1.json",
            "{\n \"db_name\": \"PostgreSQL\",\n \"query\": \"SELECT 1\"\n}",
            &mut skipped,
        );
        assert_eq!(prepared.expect("JSON")[0].places[0].line, 3);
    }
}
