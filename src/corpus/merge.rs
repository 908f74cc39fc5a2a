//! One query once, wherever it was met.
//!
//! Refuses to put two together that a project wrote with other values: each of them may have its own partial index.

use super::{Origin, Query};
use crate::sql::token::{Token, TokenKind, tokenize};
use crate::sql::{self, fingerprint};
use std::collections::HashMap;

/// A query in a loop stands in a log a million times; so many of its places are kept.
const MOST_PLACES: usize = 24;

/// What is equal whatever the values are.
type Key = (u64, String);

/// Queries as they come, each kept once.
#[derive(Debug, Default)]
pub struct Merged {
    queries: Vec<Query>,
    /// The first query of each key: what a server saw is that one.
    known: HashMap<Key, usize>,
    /// Those that a project wrote, by their values too.
    written: HashMap<(Key, Vec<String>), usize>,
    /// By text as it is typed, so that the same text is read once.
    texts: HashMap<String, usize>,
}

impl Merged {
    /// One more query. The text that is kept is the one that a project wrote; a name counts more than none.
    pub fn add(&mut self, query: Query) {
        let apart = |at: &usize| {
            let known = &self.queries[*at];
            known.name != query.name && known.name.is_some() && query.budget.is_some()
        };
        // A budget belongs to a name: the same query under another one is told of by itself.
        if let Some(at) = self.texts.get(&query.text).copied().filter(|at| !apart(at)) {
            join(&mut self.queries[at], query);
            return;
        }
        let key = (fingerprint(&query.text), frame(&query.text));
        let first = self.known.get(&key).copied();
        let written = query.origin == Origin::Written;
        // Of those that were written with other values, a call belongs to the one with its own.
        let values = (written || !self.written.is_empty()).then(|| (key.clone(), constants(&query.text)));
        let same = values.as_ref().and_then(|values| self.written.get(values)).copied();
        let joins = |at: &usize| !written || self.queries[*at].origin == Origin::Seen;
        let found = same.or(first.filter(joins)).filter(|at| !apart(at));
        let at = found.unwrap_or(self.queries.len());
        if let Some(values) = values.filter(|_| written) {
            self.written.insert(values, at);
        }
        if found.is_some() {
            join(&mut self.queries[at], query);
            return;
        }
        self.known.entry(key).or_insert(at);
        // Texts of a log differ in their values: to remember each of them would hold the whole log once more.
        self.texts.insert(query.text.clone(), at);
        self.queries.push(query);
    }

    /// All of them, in the order in which each was met first.
    pub fn all(self) -> Vec<Query> {
        self.queries
    }
}

/// The same queries once, with their places. Those that were written come first, so that what a server saw joins them.
pub fn merged(queries: Vec<Query>) -> Vec<Query> {
    let mut merged = Merged::default();
    let (written, seen): (Vec<Query>, Vec<Query>) =
        queries.into_iter().partition(|query| query.origin == Origin::Written);
    written.into_iter().chain(seen).for_each(|query| merged.add(query));
    merged.all()
}

/// Those of `others` that are none of `known`, each once.
pub fn lacking(known: &[Query], others: Vec<Query>) -> Vec<Query> {
    let mut merged = Merged::default();
    known.iter().cloned().for_each(|query| merged.add(query));
    let first = merged.queries.len();
    others.into_iter().for_each(|query| merged.add(query));
    merged.queries.split_off(first)
}

/// Strings and numbers in order, and words that are values. A parameter is any of them.
fn constants(text: &str) -> Vec<String> {
    let (tokens, _) = tokenize(text);
    let value = |token: &&Token| {
        matches!(token.kind, TokenKind::String | TokenKind::Number | TokenKind::Param) || is_word(text, token)
    };
    tokens
        .iter()
        .filter(value)
        .map(|token| match token.kind {
            TokenKind::Word => token.text(text).to_ascii_lowercase(),
            _ => token.text(text).to_owned(),
        })
        .collect()
}

fn is_word(text: &str, token: &Token) -> bool {
    ["true", "false", "null"].iter().any(|word| token.is_word(text, word))
}

/// What a fingerprint leaves out and no value changes: how many columns and arguments there are, by which of the columns
/// rows are ordered or grouped (`ORDER BY 2`), and what follows IS.
fn frame(text: &str) -> String {
    let (tokens, _) = tokenize(text);
    let mut frame = String::new();
    // Per parenthesis: whether it holds a list of any length, and whether columns may be named by number.
    let mut open = vec![(false, false)];
    let word = |at: Option<usize>, words: &[&str]| {
        at.and_then(|at| tokens.get(at)).is_some_and(|token| words.iter().any(|w| token.is_word(text, w)))
    };
    let mut rows = false;
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1);
        let last = open.len() - 1;
        match token.text(text) {
            "(" | "[" => {
                let comma = before.is_some_and(|at| tokens[at].is_punct(text, ","));
                // The first row of VALUES has as many columns as all others.
                let list = open[last].0 || word(before, &["in", "array"]) || (rows && comma);
                rows |= word(before, &["values"]);
                open.push((list, false));
            }
            ")" | "]" if last > 0 => {
                open.pop();
            }
            "," => {
                let row = rows && before.is_some_and(|at| tokens[at].is_punct(text, ")"));
                if !open[last].0 && !row {
                    frame.push(',');
                }
            }
            _ => {
                rows &= open.len() > 1 || word(Some(at), &["values"]);
                let item = word(before, &["by"])
                    || (open[last].1 && before.is_some_and(|at| tokens[at].is_punct(text, ",")));
                if token.is_word(text, "by") {
                    open[last].1 = true;
                } else if token.is_word(text, "select") {
                    open[last] = (false, false);
                } else if token.kind == TokenKind::Number && item {
                    frame.push_str(token.text(text));
                } else if is_word(text, token)
                    && (word(before, &["is"]) || (word(before, &["not"]) && word(at.checked_sub(2), &["is"])))
                {
                    frame.push_str(&token.text(text).to_ascii_lowercase());
                }
            }
        }
    }
    frame
}

/// Adds what is known of the same query.
fn join(known: &mut Query, mut new: Query) {
    let rank =
        |query: &Query| (query.origin == Origin::Written, query.name.is_some(), !query.places.is_empty());
    if rank(&new) > rank(known) {
        std::mem::swap(known, &mut new);
    }
    for place in new.places {
        if known.places.len() >= MOST_PLACES {
            break;
        }
        if !known.places.contains(&place) {
            known.places.push(place);
        }
    }
    known.budget = match (known.budget.take(), new.budget) {
        (Some(own), Some(other)) => Some(own.or(&other)),
        (own, other) => own.or(other),
    };
    known.comments.append(&mut new.comments);
    // Types belong to the parameters of a text.
    if known.types.is_none() && new.types.is_some() {
        let all = |text: &str| sql::read(text).parameters;
        let aligned = constants(&known.text) == constants(&new.text) && all(&known.text) == all(&new.text);
        known.types = new.types.filter(|_| aligned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Location;

    fn query(origin: Origin, name: Option<&str>, text: &str, path: &str) -> Query {
        let place = Location { path: path.to_owned(), line: 1, end_line: 1 };
        let places = if path.is_empty() { Vec::new() } else { vec![place] };
        Query {
            name: name.map(str::to_owned),
            text: text.to_owned(),
            places,
            types: None,
            origin,
            budget: None,
            comments: Vec::new(),
        }
    }

    fn count(origin: Origin, one: &str, other: &str) -> usize {
        merged(vec![query(Origin::Seen, None, one, "a.log"), query(origin, None, other, "b")]).len()
    }

    #[test]
    fn values_case_and_blanks_make_no_other_query() {
        for (one, other) in [
            ("SELECT * FROM t WHERE a = $1", "select *\n  from t where a = 5 -- x"),
            ("SELECT a FROM t WHERE a IN ($1, $2)", "select a from t where a in (1, 2, 3)"),
            ("INSERT INTO t VALUES ($1, $2)", "insert into t values (1, 'a'), (2, 'b')"),
            (
                "SELECT a FROM t WHERE (a, b) IN (($1, $2))",
                "select a from t where (a, b) in ((1, 2), (3, 4))",
            ),
            ("SELECT a FROM t WHERE a = ANY (ARRAY[1])", "select a from t where a = any (array[1, 2])"),
            ("SELECT a FROM t ORDER BY a LIMIT $1", "select a from t order by a limit 10"),
        ] {
            assert_eq!(count(Origin::Seen, one, other), 1, "{one} | {other}");
            assert_eq!(count(Origin::Written, one, other), 1, "{one} | {other}");
        }
    }

    #[test]
    fn other_columns_tables_and_orders_do() {
        for (one, other) in [
            ("SELECT a FROM t", "SELECT b FROM t"),
            ("SELECT a FROM t", "SELECT a FROM u"),
            ("SELECT a FROM t", "SELECT a, a FROM t"),
            ("SELECT \"A\" FROM t", "SELECT a FROM t"),
            ("SELECT 1 FROM t", "SELECT 1, 2 FROM t"),
            ("SELECT 1::int FROM t", "SELECT 1::int, 2::int FROM t"),
            ("SELECT f(1) FROM t", "SELECT f(1, 2) FROM t"),
            ("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1, 2)"),
            ("SELECT a, b FROM t ORDER BY 1", "SELECT a, b FROM t ORDER BY 2"),
            ("SELECT a, b FROM t ORDER BY 1, 2", "SELECT a, b FROM t ORDER BY 1"),
            ("SELECT a FROM t WHERE b IS NULL", "SELECT a FROM t WHERE b IS TRUE"),
            ("SELECT a FROM t WHERE b IS NOT NULL", "SELECT a FROM t WHERE b IS NOT FALSE"),
            ("SELECT a FROM t WHERE a > 1", "SELECT a FROM t WHERE a < 1"),
        ] {
            assert_eq!(count(Origin::Seen, one, other), 2, "{one} | {other}");
        }
    }

    #[test]
    fn what_a_project_wrote_stays_with_its_name_and_its_values() {
        let merged = merged(vec![
            query(Origin::Seen, None, "SELECT a FROM t WHERE b = $1", ""),
            query(Origin::Seen, None, "select a from t where b = 7", "app.log"),
            query(Origin::Seen, None, "select a from t where b = 'done'", "db.log"),
            query(Origin::Written, Some("open"), "SELECT a FROM t WHERE b = 'open'", "q.sql"),
            query(Origin::Written, Some("done"), "SELECT a FROM t WHERE b = 'done'", "q.sql"),
            query(Origin::Written, None, "SELECT a FROM t  WHERE b = 'done'", "r.sql"),
        ]);
        let told: Vec<_> = merged
            .iter()
            .map(|q| {
                let paths: Vec<&str> = q.places.iter().map(|p| p.path.as_str()).collect();
                (q.name.as_deref(), q.text.as_str(), paths)
            })
            .collect();
        assert_eq!(
            told,
            [
                (Some("open"), "SELECT a FROM t WHERE b = 'open'", vec!["q.sql", "app.log"]),
                (Some("done"), "SELECT a FROM t WHERE b = 'done'", vec!["q.sql", "r.sql", "db.log"]),
            ]
        );
    }

    #[test]
    fn places_are_bounded_and_types_go_where_the_parameters_are_the_same() {
        let each = (0..100).map(|n| query(Origin::Seen, None, "SELECT 1", &format!("{n}.log")));
        let merged = super::merged(each.collect());
        assert_eq!((merged.len(), merged[0].places.len()), (1, MOST_PLACES));
        assert_eq!(merged[0].places[0].path, "0.log");
        let typed = Query {
            types: Some(vec![Some("int4".to_owned())]),
            ..query(Origin::Written, None, "SELECT $1 IS NULL", "x.json")
        };
        let named = |text| query(Origin::Written, Some("n"), text, "q.sql");
        let same = super::merged(vec![typed.clone(), named("select $1 is null")]);
        assert_eq!((same.len(), &same[0].types), (1, &typed.types));
        assert_eq!(same[0].name.as_deref(), Some("n"));
        let other = super::merged(vec![
            query(Origin::Written, None, "select 5 is null", "q.sql"),
            Query { origin: Origin::Seen, ..typed },
        ]);
        assert_eq!((other.len(), &other[0].types), (1, &None));
    }
}
