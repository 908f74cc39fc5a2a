//! Foreign keys that migrations make, or take the index from, and whether one serves them when all migrations have run.
//!
//! Refuses to tell of a key that a partition has from its table: the table's own is told of.

use super::traced::{Constraint, Made, Picture, Traced};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A foreign key that a statement made, or took the index from.
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
    /// The child has partitions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partitioned: bool,
    /// It is there when all migrations have run, and no index of the child begins with its columns.
    pub unserved: bool,
    /// It was there before, and an index served it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// The foreign keys that a statement made, and those that it took the last index from.
pub fn keys(before: &Picture, after: &Picture) -> Vec<Key> {
    let foreign = |constraint: &&Constraint| constraint.kind == "f" && !constraint.inherited;
    let made = after.constraints.iter().filter(|(oid, c)| foreign(c) && before.lacks(**oid, c));
    let made = made.map(|(&oid, constraint)| key(oid, constraint, false));
    // Few statements take an index away: only then is it worth to look.
    let gone = before.relations.iter().filter(|(oid, seen)| {
        seen.made.as_ref().is_some_and(|made| made.usable)
            && after.relations.get(oid).is_none_or(|now| now.made != seen.made)
    });
    let root = |table: u32| {
        let above = |table: &u32| before.relations.get(table).and_then(|seen| seen.parent);
        std::iter::successors(Some(table), above).last().unwrap_or(table)
    };
    let tables: BTreeSet<u32> = gone.filter_map(|(_, seen)| seen.table).flat_map(|t| [t, root(t)]).collect();
    let lost = after.constraints.iter().filter(|(oid, constraint)| {
        let columns = |picture: &Picture| names(picture, constraint.table, &constraint.columns);
        foreign(constraint)
            && tables.contains(&constraint.table)
            && before.constraints.contains_key(oid)
            && served(before, constraint.table, &columns(before))
            && !served(after, constraint.table, &columns(after))
    });
    made.chain(lost.map(|(&oid, constraint)| key(oid, constraint, true))).collect()
}

fn key(oid: u32, constraint: &Constraint, lost: bool) -> Key {
    Key {
        oid,
        name: constraint.name.clone(),
        child: String::new(),
        was: None,
        parent: String::new(),
        columns: Vec::new(),
        partitioned: false,
        unserved: false,
        lost,
    }
}

/// Says of each of these keys what its tables and columns are called in the end, and whether an index serves it then.
pub fn mark_unserved(traced: &mut [Traced], old: &Picture, end: &Picture) {
    for key in traced.iter_mut().flat_map(|traced| &mut traced.keys) {
        let Some(constraint) = end.constraints.get(&key.oid) else { continue };
        let name = |oid: u32| end.relations.get(&oid).map_or(String::new(), |seen| seen.name.clone());
        let names = names(end, constraint.table, &constraint.columns);
        key.child = name(constraint.table);
        key.partitioned = end.relations.get(&constraint.table).is_some_and(|seen| seen.kind == "p");
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
