//! Foreign keys that migrations make, and whether an index serves them when all migrations have run.
//!
//! Refuses to tell of a key that a partition has from its table: the table's own is told of.

use super::traced::{Made, Picture, Traced};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A foreign key that a statement made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    #[serde(skip)]
    pub oid: u32,
    pub name: String,
    /// The table that refers, by its name when all migrations have run.
    pub child: String,
    /// Its name before the first of them; `None`: they made it.
    pub was: Option<String>,
    /// The table that is referred to.
    pub parent: String,
    /// Columns of the child, quoted where needed.
    pub columns: Vec<String>,
    /// It is there when all migrations have run, and no index of the child begins with its columns.
    pub unserved: bool,
}

/// The foreign keys that are there after a statement and were not before it.
pub fn new_keys(before: &Picture, after: &Picture) -> Vec<Key> {
    let made = after.constraints.iter().filter(|(oid, constraint)| {
        constraint.kind == "f" && !constraint.inherited && !before.constraints.contains_key(oid)
    });
    made.map(|(&oid, constraint)| Key {
        oid,
        name: constraint.name.clone(),
        child: String::new(),
        was: None,
        parent: String::new(),
        columns: Vec::new(),
        unserved: false,
    })
    .collect()
}

/// Says of each new key what its tables and columns are called in the end, and whether an index serves it then.
pub fn mark_unserved(traced: &mut [Traced], old: &Picture, end: &Picture) {
    for key in traced.iter_mut().flat_map(|traced| &mut traced.keys) {
        let Some(constraint) = end.constraints.get(&key.oid) else { continue };
        let name = |oid: u32| end.relations.get(&oid).map_or(String::new(), |seen| seen.name.clone());
        let names = names(end, constraint.table, &constraint.columns);
        key.child = name(constraint.table);
        key.was = old.relations.get(&constraint.table).map(|seen| seen.name.clone());
        key.parent = constraint.refers.map_or(String::new(), name);
        key.unserved = !served(end, constraint.table, &names);
        key.columns = names.iter().map(|name| crate::sql::ident::quote(name)).collect();
    }
}

/// The names of a table's columns.
fn names(picture: &Picture, table: u32, numbers: &[i16]) -> Vec<String> {
    let columns = picture.relations.get(&table).map(|seen| &seen.columns);
    numbers.iter().filter_map(|number| Some(columns?.get(number)?.name.clone())).collect()
}

/// An index of the table begins with these columns in any order, or one of each partition does.
fn served(picture: &Picture, table: u32, wanted: &[String]) -> bool {
    let of_table = picture.relations.values().filter(|seen| seen.table == Some(table));
    if of_table.filter_map(|seen| seen.made.as_ref()).any(|made| serves(picture, table, made, wanted)) {
        return true;
    }
    let mut parts = picture
        .relations
        .iter()
        .filter(|(_, seen)| seen.parent == Some(table) && seen.table.is_none())
        .peekable();
    parts.peek().is_some() && parts.all(|(&part, _)| served(picture, part, wanted))
}

fn serves(picture: &Picture, table: u32, made: &Made, wanted: &[String]) -> bool {
    let Some(first) = made.keys.get(..wanted.len()) else { return false };
    let method = made.method == "btree" || (made.method == "hash" && made.keys.len() == 1);
    let first: BTreeSet<String> = names(picture, table, first).into_iter().collect();
    let same = first == wanted.iter().cloned().collect();
    // It may leave out rows that refer to nothing.
    let all = made.predicate.as_deref().is_none_or(|predicate| {
        let part = |name: &String| format!("({} IS NOT NULL)", crate::sql::ident::quote(name));
        let allowed: Vec<String> = wanted.iter().map(part).collect();
        let inner = predicate.strip_prefix('(').and_then(|p| p.strip_suffix(')')).unwrap_or(predicate);
        let parts = |text: &str| text.split(" AND ").all(|one| allowed.iter().any(|part| part == one));
        parts(predicate) || parts(inner)
    });
    made.usable && method && same && all
}
