//! Which index does everything that another one does, and which one serves a foreign key.
//!
//! Refuses to compare words where the server compares objects: operator classes by family and types, collations by OID,
//! expressions and predicates as the server prints them.

use super::snapshot::{Snapshot, Table, TableIndex, TableKey};
use std::cmp::Ordering;

/// How an index covers another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// The same index under another name.
    Duplicate,
    /// The same keys; the cover has more columns in INCLUDE, or is unique.
    SameKeys,
    /// The cover's keys begin with this index's keys.
    Prefix,
}

/// One key as far as two can be the same.
#[derive(PartialEq)]
struct Key<'a> {
    column: i16,
    expression: Option<&'a str>,
    class: [u32; 3],
    options: Option<&'a str>,
    collation: u32,
    target: Option<i32>,
}

/// Bits of `indoption`: both flipped is the same index read backward.
const REVERSED: i16 = 3;

impl Snapshot {
    /// How `cover` does everything that `index` does; `None` where it does not. Says nothing of whether `index` may go.
    pub fn covers(&self, cover: &TableIndex, index: &TableIndex) -> Option<Cover> {
        let comparable = cover.oid != index.oid
            && cover.table == index.table
            && cover.method == index.method
            && cover.partitioned == index.partitioned
            && cover.predicate == index.predicate;
        if !comparable || !cover.usable() || !index.usable() {
            return None;
        }
        let (ours, theirs) = (self.keys(index)?, self.keys(cover)?);
        let same_length = ours.len() == theirs.len();
        let ordered = index.method == "btree";
        let enough = if ordered { ours.len() <= theirs.len() } else { same_length };
        let same = |(a, b): (&Key, &Key)| {
            Key { target: b.target, ..*a } == *b && (a.target.is_none() || a.target == b.target)
        };
        if ours.is_empty() || !enough || !ours.iter().zip(&theirs).all(same) {
            return None;
        }
        if index.orders.len() < ours.len() || cover.orders.len() < ours.len() {
            return None;
        }
        let flipped = |flip: i16| {
            let pairs = index.orders.iter().zip(&cover.orders);
            pairs.take(ours.len()).all(|(a, b)| (a ^ flip) == *b)
        };
        let same_order = flipped(0) || (ordered && flipped(REVERSED));
        if !same_order {
            return None;
        }
        // Only a B-tree gives back every key that it has.
        let held = if ordered { &cover.columns[..] } else { cover.include() };
        if !index.include().iter().all(|column| held.contains(column)) {
            return None;
        }
        // What decides on rows, not on speed: how BRIN sums up, what bloom keeps.
        if !ordered
            && !["hash", "gin", "gist"].contains(&index.method.as_str())
            && index.options != cover.options
        {
            return None;
        }
        if index.unique {
            let as_strict = cover.unique
                && same_length
                && (cover.immediate || !index.immediate)
                && cover.nulls_not_distinct == index.nulls_not_distinct;
            if !as_strict {
                return None;
            }
        }
        Some(match same_length {
            true if index.unique == cover.unique && index.include().len() == cover.include().len() => {
                Cover::Duplicate
            }
            true => Cover::SameKeys,
            false => Cover::Prefix,
        })
    }

    /// `None` where a part of a key is not known: two unknown parts are not the same.
    fn keys<'a>(&self, index: &'a TableIndex) -> Option<Vec<Key<'a>>> {
        let mut expressions = index.expressions.iter();
        let keys = index.columns.iter().take(index.key_count).enumerate().map(|(at, &column)| {
            let number = at as i16 + 1;
            let class = *index.classes.get(at)?;
            Some(Key {
                column,
                expression: if column == 0 { Some(expressions.next()?.as_str()) } else { None },
                class: self.classes.get(&class).map_or([class; 3], |c| [c.family, c.input, c.key]),
                options: index.class_options.get(&number).map(String::as_str),
                collation: *index.collations.get(at)?,
                target: index.targets.get(&number).copied(),
            })
        });
        keys.collect()
    }
}

impl TableIndex {
    /// The columns that it only carries along.
    pub fn include(&self) -> &[i16] {
        self.columns.get(self.key_count..).unwrap_or_default()
    }

    /// Nothing but the speed of queries depends on it: no constraint, no identity of rows, no other object, no
    /// partitioned index above it.
    pub fn free(&self) -> bool {
        !self.primary
            && !self.exclusion
            && !self.replica_identity
            && !self.clustered
            && !self.needed
            && !self.extension
            && self.constraint.is_none()
            && self.parent.is_none()
    }

    /// Which of two indexes that cover each other stays: the one that something needs, the unique one, the older one.
    pub fn before(&self, other: &TableIndex) -> Ordering {
        let rank = |index: &TableIndex| (index.free(), index.constraint.is_none(), !index.unique);
        rank(self).cmp(&rank(other)).then(self.oid.cmp(&other.oid)).then_with(|| self.name.cmp(&other.name))
    }

    /// The rows that refer to one key are found through it: the key's columns, in any order, are its first ones, and a
    /// predicate asks for no more than that they are not NULL.
    pub fn serves(&self, key: &TableKey, table: &Table) -> bool {
        let wanted = &key.columns;
        let Some(first) = self.columns.get(..wanted.len()).filter(|_| self.key_count >= wanted.len()) else {
            return false;
        };
        let method = self.method == "btree" || (self.method == "hash" && self.key_count == 1);
        let same = wanted.iter().all(|c| first.contains(c)) && first.iter().all(|c| wanted.contains(c));
        method && same && self.predicate.as_deref().is_none_or(|p| only_not_null(p, wanted, table))
    }
}

/// The predicate says of columns of the key that they are not NULL, and nothing else.
fn only_not_null(predicate: &str, columns: &[i16], table: &Table) -> bool {
    let allowed: Vec<String> = columns
        .iter()
        .filter_map(|c| table.columns.get(c))
        .map(|name| format!("({} IS NOT NULL)", crate::sql::ident::quote(name)))
        .collect();
    let inner = predicate.strip_prefix('(').and_then(|p| p.strip_suffix(')')).unwrap_or(predicate);
    allowed.iter().any(|one| one == predicate)
        || inner.split(" AND ").all(|part| allowed.iter().any(|one| one == part))
}
