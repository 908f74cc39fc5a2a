//! What a statement asks of the rows that are there: that a column holds no NULL, or no value twice.
//!
//! Refuses to speak of several columns together, of expressions and of some rows only: no statistics tell of them.

use super::traced::{Constraint, Picture, Seen};
use serde::{Deserialize, Serialize};

/// What a column has to hold in every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    NotNull,
    /// No value twice; NULL may be there.
    Unique,
}

/// A demand that a statement makes of a column, and that was not made before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    pub holds: Holds,
    /// Its name after the statement.
    pub column: String,
    /// Its name before the first of the new migrations; `None`: they added it.
    pub was: Option<String>,
    /// Of an added column: the rows of before have a value in it, from a default.
    #[serde(default)]
    pub filled: bool,
}

impl Demand {
    /// An added column has to hold a value, and the rows of before have none.
    pub fn unfilled(&self) -> bool {
        self.holds == Holds::NotNull && self.was.is_none() && !self.filled
    }
}

/// The demands that a statement makes of a table of before.
pub fn demands(old: &Picture, before: &Picture, after: &Picture, oid: u32) -> Vec<Demand> {
    let (Some(was), Some(now)) = (before.relations.get(&oid), after.relations.get(&oid)) else {
        return Vec::new();
    };
    let rewritten = now.file != was.file;
    let demand = |holds: Holds, number: i16| {
        let column = now.columns.get(&number)?;
        let first = old.relations.get(&oid).and_then(|seen| seen.columns.get(&number));
        let added = !was.columns.contains_key(&number);
        Some(Demand {
            holds,
            column: column.name.clone(),
            was: first.map(|column| column.name.clone()),
            filled: column.filled || (added && rewritten),
        })
    };
    let strict = |seen: &Seen, number: i16| seen.columns.get(&number).is_some_and(|column| column.not_null);
    let mut nulls: Vec<i16> =
        now.columns.keys().copied().filter(|number| strict(now, *number) && !strict(was, *number)).collect();
    let held = after.constraints.iter().filter(|(id, now)| {
        now.table == oid && now.validated && before.constraints.get(id).is_none_or(|was| !was.validated)
    });
    nulls.extend(held.filter_map(|(_, constraint)| not_null(constraint)));
    nulls.sort_unstable();
    nulls.dedup();
    let mut all: Vec<Demand> =
        nulls.into_iter().filter_map(|number| demand(Holds::NotNull, number)).collect();
    for (_, seen) in super::traced::built(before, after, oid) {
        let Some(made) = seen.made.as_ref().filter(|made| made.unique && made.predicate.is_none()) else {
            continue;
        };
        if let [number] = made.keys[..] {
            all.extend(demand(Holds::Unique, number));
        }
    }
    all
}

/// The column that a constraint keeps from being NULL.
fn not_null(constraint: &Constraint) -> Option<i16> {
    let [number] = constraint.columns[..] else { return None };
    let inner = constraint.definition.strip_prefix("CHECK ((")?.strip_suffix(" IS NOT NULL))")?;
    // One name and no more, quoted or not.
    let name = inner.trim_matches('"');
    let plain = !name.contains(['(', ')', '"', '\'']) && (inner.starts_with('"') || !name.contains(' '));
    plain.then_some(number)
}
