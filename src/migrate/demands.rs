//! What a statement asks of the rows that are there: that a column holds no NULL, or no value twice.
//!
//! Refuses to speak of several columns together, of expressions and of some rows only: no statistics tell of them.

use super::traced::{Constraint, Made, Seen};
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

/// The demands that a statement makes of a table: what it was before all migrations, before the statement and after it,
/// with the indexes that were built on it, and its constraints that were made or validated.
pub(super) fn demands(
    old: &Seen,
    was: &Seen,
    now: &Seen,
    built: &[&Seen],
    constraints: &[(u32, &Constraint)],
) -> Vec<Demand> {
    let rewritten = now.file != was.file;
    let demand = |holds: Holds, number: i16| {
        let column = now.columns.get(&number)?;
        let added = !was.columns.contains_key(&number);
        Some(Demand {
            holds,
            column: column.name.clone(),
            was: old.columns.get(&number).map(|column| column.name.clone()),
            filled: column.filled || (added && rewritten),
        })
    };
    let strict = |seen: &Seen, number: i16| seen.columns.get(&number).is_some_and(|column| column.not_null);
    let mut nulls: Vec<i16> =
        now.columns.keys().copied().filter(|number| strict(now, *number) && !strict(was, *number)).collect();
    nulls.extend(constraints.iter().filter(|(_, c)| c.validated).filter_map(|(_, c)| not_null(c)));
    nulls.sort_unstable();
    nulls.dedup();
    let all_rows = |made: &&Made| made.unique && made.predicate.is_none();
    let unique = built.iter().filter_map(|seen| seen.made.as_ref()).filter(all_rows).filter_map(|made| {
        let [number] = made.keys[..] else { return None };
        demand(Holds::Unique, number)
    });
    nulls.iter().filter_map(|number| demand(Holds::NotNull, *number)).chain(unique).collect()
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
