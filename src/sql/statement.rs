//! Statements as typed: splitting a text, what kind each one is, its parameters, an `EXPLAIN` in front.
//!
//! Refuses to judge validity: the server does that. Works on tokens, so texts that no parser accepts are fine.

use super::comment::{self, Comment};
use super::token::{LexError, Token, TokenKind, scan, tokenize};

/// One statement of a text, without its `;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    pub text: &'a str,
    /// Byte offset of `text` in the whole.
    pub start: usize,
    /// Line of the first token, counted from 1.
    pub line: usize,
    /// The comments above it, in it, and behind it on its last line; what follows the last statement is its.
    pub comments: Vec<Comment<'a>>,
}

/// Whether some statement of the text is `COPY … FROM STDIN`: the server then waits for data in place of the next one.
pub fn copies_in(sql: &str) -> bool {
    let end = sql.len().saturating_sub(5);
    // Nearly every text is done here.
    if !(0..end + 1).any(|at| sql.as_bytes()[at..].get(..5).is_some_and(|w| w.eq_ignore_ascii_case(b"stdin")))
    {
        return false;
    }
    let (tokens, _) = tokenize(sql);
    let statements = tokens.split(|token| token.kind == TokenKind::Semicolon);
    let copies = |statement: &[Token]| {
        let from = |pair: &[Token]| pair[0].is_word(sql, "from") && pair[1].is_word(sql, "stdin");
        statement.first().is_some_and(|first| first.is_word(sql, "copy")) && statement.windows(2).any(from)
    };
    statements.into_iter().any(copies)
}

/// Splits at the semicolons that end statements (not those in quotes, parentheses or `BEGIN ATOMIC` bodies).
/// Empty statements are dropped.
///
/// # Errors
/// A quote or comment that is never closed, or a NUL byte.
pub fn split(sql: &str) -> Result<Vec<Piece<'_>>, LexError> {
    let mut comments = Vec::new();
    let (tokens, error) = scan(sql, &mut comments);
    if let Some(error) = error {
        return Err(error);
    }
    let mut pieces = Vec::new();
    let (mut first, mut depth, mut atomic) = (None::<Token>, 0usize, 0usize);
    let mut last_end = 0;
    let (mut line, mut counted) = (1, 0);
    let mut push = |first: Option<Token>, end: usize| {
        if let Some(token) = first {
            line += sql[counted..token.start].matches('\n').count();
            counted = token.start;
            let text = &sql[token.start..end];
            pieces.push(Piece { text, start: token.start, line, comments: Vec::new() });
        }
    };
    for (i, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Semicolon if depth == 0 && atomic == 0 => {
                push(first.take(), last_end);
                continue;
            }
            TokenKind::Punct if token.text(sql) == "(" => depth += 1,
            TokenKind::Punct if token.text(sql) == ")" => depth = depth.saturating_sub(1),
            TokenKind::Word
                if token.is_word(sql, "atomic") && i > 0 && tokens[i - 1].is_word(sql, "begin") =>
            {
                atomic += 1;
            }
            TokenKind::Word if atomic > 0 && token.is_word(sql, "case") => atomic += 1,
            TokenKind::Word if atomic > 0 && token.is_word(sql, "end") => atomic -= 1,
            _ => {}
        }
        first.get_or_insert(*token);
        last_end = token.end;
    }
    push(first, last_end);
    comment::assign(sql, &tokens, comments, &mut pieces);
    Ok(pieces)
}

/// What a statement does, by its words alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `SELECT`, `VALUES`, `TABLE`, or `WITH` in front of one of them.
    Query,
    /// `INSERT`, `UPDATE`, `DELETE`, `MERGE`, also inside a `WITH`.
    Write,
    /// Anything that EXPLAIN does not take; the first word, in upper case.
    Other(String),
}

/// A statement with what its words tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text to explain: without `EXPLAIN …` in front, without `;` behind.
    pub text: String,
    /// Where `text` starts in what the user typed, in bytes.
    pub offset: usize,
    pub kind: Kind,
    /// `FOR UPDATE`, `FOR SHARE` and their kin.
    pub locks_rows: bool,
    /// The highest `$n`; 0 without parameters.
    pub parameters: usize,
    /// Unqualified names that stand where a function call does, lower case, sorted, without repeats.
    pub calls: Vec<String>,
}

/// Reads what the words of one statement tell.
pub fn read(text: &str) -> Statement {
    let (tokens, _) = tokenize(text);
    let offset = explain_prefix(text, &tokens);
    let tokens: Vec<Token> =
        tokens.into_iter().filter(|t| t.start >= offset && t.kind != TokenKind::Semicolon).collect();
    let end = tokens.last().map_or(offset, |t| t.end);
    let sql = &text[offset..end];
    let mut statement = Statement {
        text: sql.to_owned(),
        offset,
        kind: kind(text, &tokens),
        locks_rows: locks_rows(text, &tokens),
        parameters: 0,
        calls: Vec::new(),
    };
    for (i, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Param => {
                let number = token.text(text)[1..].parse().unwrap_or(usize::MAX);
                statement.parameters = statement.parameters.max(number);
            }
            TokenKind::Word | TokenKind::QuotedIdent
                if tokens.get(i + 1).is_some_and(|t| t.is_punct(text, "(")) =>
            {
                statement.calls.push(super::ident::unquote(token.text(text)));
            }
            _ => {}
        }
    }
    statement.calls.sort();
    statement.calls.dedup();
    statement
}

/// Bytes taken by `EXPLAIN [ANALYZE] [VERBOSE]` or `EXPLAIN ( … )` in front of a statement.
fn explain_prefix(sql: &str, tokens: &[Token]) -> usize {
    let start = tokens.first().map_or(0, |t| t.start);
    if !tokens.first().is_some_and(|t| t.is_word(sql, "explain")) {
        return start;
    }
    let mut at = 1;
    if tokens.get(1).is_some_and(|t| t.is_punct(sql, "("))
        && tokens.get(2).is_some_and(|t| t.kind == TokenKind::Word && is_explain_option(t.text(sql)))
    {
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            depth += i32::from(token.is_punct(sql, "(")) - i32::from(token.is_punct(sql, ")"));
            at += 1;
            if depth == 0 {
                break;
            }
        }
    } else {
        while tokens.get(at).is_some_and(|t| {
            t.is_word(sql, "analyze") || t.is_word(sql, "analyse") || t.is_word(sql, "verbose")
        }) {
            at += 1;
        }
    }
    tokens.get(at).map_or(sql.len(), |t| t.start)
}

/// `EXPLAIN (SELECT …)` is an explained sub-select, `EXPLAIN (ANALYZE) …` are options.
fn is_explain_option(word: &str) -> bool {
    !["select", "with", "values", "table"].iter().any(|w| word.eq_ignore_ascii_case(w))
}

fn kind(sql: &str, tokens: &[Token]) -> Kind {
    let Some(first) = tokens.iter().find(|t| !t.is_punct(sql, "(")) else {
        return Kind::Other(String::new());
    };
    let word = first.text(sql).to_ascii_uppercase();
    match word.as_str() {
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" => Kind::Write,
        "SELECT" if has_into(sql, tokens) => Kind::Write,
        "SELECT" | "VALUES" | "TABLE" => Kind::Query,
        "WITH" if with_writes(sql, tokens) => Kind::Write,
        "WITH" => Kind::Query,
        _ => Kind::Other(word),
    }
}

/// `SELECT … INTO t` creates a table; looks at the top level only, where INTO can stand.
fn has_into(sql: &str, tokens: &[Token]) -> bool {
    let mut depth = 0;
    tokens.iter().any(|t| {
        depth += i32::from(t.is_punct(sql, "(")) - i32::from(t.is_punct(sql, ")"));
        depth == 0 && t.is_word(sql, "into")
    })
}

/// A data-modifying word where a statement starts: after `WITH … )` or after `AS [NOT] [MATERIALIZED] (`.
fn with_writes(sql: &str, tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| {
        let opens = pair[0].is_punct(sql, "(") || pair[0].is_punct(sql, ")");
        opens && ["insert", "update", "delete", "merge"].iter().any(|w| pair[1].is_word(sql, w))
    })
}

fn locks_rows(sql: &str, tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(i, t)| {
        t.is_word(sql, "for") && {
            let next = |n: usize, word: &str| tokens.get(i + n).is_some_and(|t| t.is_word(sql, word));
            next(1, "update")
                || next(1, "share")
                || (next(1, "no") && next(2, "key") && next(3, "update"))
                || (next(1, "key") && next(2, "share"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_only_psql_sends_is_seen() {
        for (sql, does) in [
            ("copy t from stdin", true),
            ("select 1; -- data\n COPY s.\"t\" (a, b) FROM STDIN WITH (FORMAT csv)", true),
            ("copy t to stdout; select 'copy t from stdin'", false),
            ("copy t from '/tmp/stdin'", false),
            ("select stdin from copy", false),
            ("stdi", false),
            ("", false),
        ] {
            assert_eq!(copies_in(sql), does, "{sql}");
        }
    }

    #[test]
    fn statements_are_split_where_the_server_would() {
        let sql = "select ';';\n\n-- c;\nselect $$;$$ ; ; create function f() returns int begin atomic select 1; select case when true then 1 end; end; select 2";
        let pieces = split(sql).unwrap();
        assert_eq!(pieces.len(), 4, "{pieces:?}");
        assert_eq!((pieces[1].text, pieces[1].line), ("select $$;$$", 4));
        assert_eq!(pieces[3].text, "select 2");
        assert_eq!(split("  ; -- nothing\n").unwrap(), vec![]);
        assert_eq!(split("select 'a").unwrap_err().at, 7);
    }

    #[test]
    fn a_typed_explain_is_taken_off() {
        for (typed, text) in [
            ("explain select 1", "select 1"),
            ("EXPLAIN ANALYZE VERBOSE select 1;", "select 1"),
            (" explain (analyze, buffers on, format json) select (1)", "select (1)"),
            ("explain (select 1) union select 2", "(select 1) union select 2"),
            ("select 1 -- explain", "select 1"),
        ] {
            assert_eq!(read(typed).text, text, "{typed}");
        }
    }

    #[test]
    fn the_kind_is_told_by_words_where_a_statement_can_start() {
        for (sql, kind) in [
            ("select 1", Kind::Query),
            ("(select 1) union (select 2)", Kind::Query),
            ("with a as (select 1) select * from a", Kind::Query),
            ("with a as (delete from t returning *) select * from a", Kind::Write),
            ("with a as (select 1) insert into t select * from a", Kind::Write),
            ("select * into x from t", Kind::Write),
            ("select 'delete' as delete", Kind::Query),
            ("vacuum t", Kind::Other("VACUUM".into())),
            ("", Kind::Other("".into())),
        ] {
            assert_eq!(read(sql).kind, kind, "{sql}");
        }
        assert!(read("select 1 from t for no key update").locks_rows);
        assert!(!read("select substring('a' for 1)").locks_rows);
    }

    #[test]
    fn parameters_and_calls_are_listed() {
        let s = read("select Lower($2), \"My Fn\"(1) from t where a in ($1) and now() > b");
        assert_eq!(s.parameters, 2);
        assert_eq!(s.calls, ["My Fn", "in", "lower", "now"]);
    }
}
