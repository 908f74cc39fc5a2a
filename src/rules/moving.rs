//! What blocks of code do to rows, by their words: on empty tables a loop ends before it has done anything.
//!
//! Refuses to know a function that the new migrations do not make.

use super::migration::{names, text};
use crate::context::TraceContext;
use crate::sql::ident::{qualified, quote, unquote};
use crate::sql::token::{Token, tokenize};
use std::collections::{BTreeMap, BTreeSet};

/// What traced statements may do to rows unseen.
pub(super) struct Moving<'a> {
    /// By traced statement.
    blocks: BTreeMap<usize, Block<'a>>,
    /// Statements that put rows somewhere, in order.
    puts: Vec<(usize, &'a str)>,
    /// Triggers and their functions, in order.
    triggers: Vec<(usize, &'a str)>,
}

/// A block, a call, or a SELECT that may be one.
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
        let mut moving = Moving { blocks: BTreeMap::new(), puts: Vec::new(), triggers: Vec::new() };
        for (at, traced) in ctx.traced.iter().enumerate() {
            let sql = text(ctx, traced);
            let (tokens, _) = tokenize(sql);
            let first = |words: &[&str]| {
                tokens.first().is_some_and(|t| words.iter().any(|word| t.is_word(sql, word)))
            };
            if let Some(name) = first(&["create"]).then(|| function(sql, &tokens)).flatten() {
                made.insert(name, sql);
            }
            if first(&["create"]) && names(sql, "trigger") {
                moving.triggers.push((at, sql));
            }
            if first(&["insert", "with", "merge", "update"]) {
                moving.puts.push((at, sql));
            }
            let call = first(&["call"]);
            if !call && !first(&["do", "select"]) {
                continue;
            }
            let called: Vec<&str> =
                made.iter().filter(|(name, _)| names(sql, name)).map(|(_, sql)| *sql).collect();
            let unknown = call && called.is_empty();
            moving.blocks.insert(at, Block { bodies: std::iter::once(sql).chain(called).collect(), unknown });
        }
        moving
    }

    /// A block among the first so many statements may change what stands in a column of a table.
    pub fn mends(&self, first: usize, table: &str, columns: &[&str]) -> bool {
        self.blocks.range(..first).any(|(_, block)| {
            let says = |word: &str| block.bodies.iter().any(|body| names(body, word));
            let column = || says("truncate") || columns.iter().any(|column| says(column));
            block.unknown || (CHANGES.iter().any(|word| says(word)) && says(table) && column())
        })
    }

    /// One of the first so many statements may put rows into a table.
    pub fn puts(&self, first: usize, table: &str) -> bool {
        let before = self.puts.iter().take_while(|(at, _)| *at < first);
        self.blocks.range(..first).next().is_some() || before.into_iter().any(|(_, sql)| names(sql, table))
    }

    /// One of the first so many statements makes a trigger, or a function for one, that names one of the columns.
    pub fn triggers(&self, first: usize, columns: &[&str]) -> bool {
        let mut before = self.triggers.iter().take_while(|(at, _)| *at < first);
        before.any(|(_, sql)| columns.iter().any(|column| names(sql, column)))
    }

    /// What the statement updates or deletes in loops that end no transaction, as it names it.
    pub fn loops(&self, at: usize) -> BTreeSet<String> {
        match self.code(at, "loop") {
            Some(code) if code.iter().any(|code| code.says("loop")) => {
                code.iter().flat_map(Code::changed).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// The statement ends transactions of its own.
    pub fn commits(&self, at: usize) -> bool {
        self.code(at, "commit").is_some_and(|code| code.iter().any(|code| code.says("commit")))
    }

    /// What a block runs, where a word stands somewhere in it: a comment may hold it too.
    fn code(&self, at: usize, word: &str) -> Option<Vec<Code<'a>>> {
        let block = self.blocks.get(&at).filter(|block| block.bodies.iter().any(|body| names(body, word)))?;
        let mut all = Vec::new();
        block.bodies.iter().for_each(|body| Code::read(body, &mut all));
        Some(all)
    }
}

/// A text that is run, without its comments.
struct Code<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Code<'a> {
    /// A statement, and what stands in its dollar quotes.
    fn read(sql: &'a str, all: &mut Vec<Code<'a>>) {
        let (tokens, _) = tokenize(sql);
        for token in &tokens {
            let inner = sql[token.start..token.end].strip_prefix('$').and_then(|rest| {
                let (tag, rest) = rest.split_once('$')?;
                rest.strip_suffix('$')?.strip_suffix(tag)?.strip_suffix('$')
            });
            if let Some(inner) = inner {
                Code::read(inner, all);
            }
        }
        all.push(Code { sql, tokens });
    }

    fn says(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.is_word(self.sql, word))
    }

    /// What stands behind UPDATE and DELETE FROM.
    fn changed(&self) -> BTreeSet<String> {
        let word = |at: usize, word: &str| self.tokens.get(at).is_some_and(|t| t.is_word(self.sql, word));
        let dot = |at: usize| self.tokens.get(at).is_some_and(|t| t.is_punct(self.sql, "."));
        let part = |at: usize| self.tokens.get(at).map(|t| unquote(t.text(self.sql)));
        let behind = |at: usize| match () {
            () if word(at, "update") => Some(at + 1),
            () if word(at, "delete") && word(at + 1, "from") => Some(at + 2),
            () => None,
        };
        let name = |at: usize| {
            let at = if word(at, "only") { at + 1 } else { at };
            let first = part(at)?;
            Some(if dot(at + 1) { qualified(&first, &part(at + 2)?) } else { quote(&first) })
        };
        (0..self.tokens.len()).filter_map(behind).filter_map(name).collect()
    }
}

/// The bare name of the function or procedure that a CREATE makes.
fn function(sql: &str, tokens: &[Token]) -> Option<String> {
    let kind =
        tokens.iter().take(4).position(|t| t.is_word(sql, "function") || t.is_word(sql, "procedure"))?;
    let open = tokens.iter().position(|t| t.is_punct(sql, "("))?;
    let name = tokens.get(kind + 1..open)?.last()?;
    Some(unquote(&sql[name.start..name.end]))
}
