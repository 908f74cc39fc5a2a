//! What blocks of code do to rows, by their words: on empty tables a loop ends before it has done anything.
//!
//! Refuses to know a function that the new migrations do not make.

use super::migration::{names, text};
use crate::context::TraceContext;
use crate::sql::ident::unquote;
use crate::sql::token::{Token, tokenize};
use std::collections::BTreeMap;

/// The blocks among the traced statements, and the functions that they may call.
pub(super) struct Moving<'a> {
    /// By traced statement.
    blocks: BTreeMap<usize, Block<'a>>,
}

struct Block<'a> {
    /// Its own text, and those of functions that were made before and that it names.
    bodies: Vec<&'a str>,
    /// It calls a procedure that is not among them.
    unknown: bool,
}

/// Words of statements that change what stands in a column.
const CHANGES: [&str; 5] = ["update", "delete", "merge", "insert", "truncate"];

impl<'a> Moving<'a> {
    /// Of the new migrations.
    pub fn of(ctx: &TraceContext<'a>) -> Moving<'a> {
        let mut made: BTreeMap<String, &str> = BTreeMap::new();
        let mut blocks = BTreeMap::new();
        for (at, traced) in ctx.traced.iter().enumerate() {
            let sql = text(ctx, traced);
            let (tokens, _) = tokenize(sql);
            let first = |words: &[&str]| {
                tokens.first().is_some_and(|t| words.iter().any(|word| t.is_word(sql, word)))
            };
            if let Some(name) = first(&["create"]).then(|| function(sql, &tokens)).flatten() {
                made.insert(name, sql);
            }
            let call = first(&["call"]);
            if !call && !first(&["do", "select"]) {
                continue;
            }
            let called: Vec<&str> =
                made.iter().filter(|(name, _)| names(sql, name)).map(|(_, sql)| *sql).collect();
            let unknown = call && called.is_empty();
            blocks.insert(at, Block { bodies: std::iter::once(sql).chain(called).collect(), unknown });
        }
        Moving { blocks }
    }

    /// A block among the first so many statements may change what stands in a column of a table.
    pub fn mends(&self, first: usize, table: &str, columns: &[&str]) -> bool {
        self.blocks.range(..first).any(|(_, block)| {
            let says = |word: &str| block.bodies.iter().any(|body| names(body, word));
            let column = || says("truncate") || columns.iter().any(|column| says(column));
            block.unknown || (CHANGES.iter().any(|word| says(word)) && says(table) && column())
        })
    }

    /// What the statement updates or deletes in loops, as it names it.
    pub fn loops(&self, at: usize) -> Vec<String> {
        let looping =
            self.blocks.get(&at).filter(|block| block.bodies.iter().any(|body| names(body, "loop")));
        let bodies = looping.into_iter().flat_map(|block| &block.bodies);
        let mut changed: Vec<String> = bodies.flat_map(|body| changed(body)).collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// The statement ends transactions of its own.
    pub fn commits(&self, at: usize) -> bool {
        self.blocks.get(&at).is_some_and(|block| block.bodies.iter().any(|body| names(body, "commit")))
    }
}

/// What stands behind UPDATE and DELETE FROM in a body.
fn changed(body: &str) -> Vec<String> {
    let words: Vec<String> = body.split_whitespace().map(str::to_lowercase).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let behind = |at: usize| match (word(at), word(at + 1)) {
        ("update", _) => Some(at + 1),
        ("delete", "from") => Some(at + 2),
        _ => None,
    };
    let name = |at: usize| {
        let at = if word(at) == "only" { at + 1 } else { at };
        word(at).trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '"').to_owned()
    };
    (0..words.len()).filter_map(behind).map(name).filter(|name| !name.is_empty()).collect()
}

/// The bare name of the function or procedure that a CREATE makes.
fn function(sql: &str, tokens: &[Token]) -> Option<String> {
    let kind =
        tokens.iter().take(4).position(|t| t.is_word(sql, "function") || t.is_word(sql, "procedure"))?;
    let open = tokens.iter().position(|t| t.is_punct(sql, "("))?;
    let name = tokens.get(kind + 1..open)?.last()?;
    Some(unquote(&sql[name.start..name.end]))
}
