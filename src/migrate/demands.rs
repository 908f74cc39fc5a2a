//! What a statement asks of the rows that are there: that a column holds no NULL, no value twice, only values that satisfy
//! a condition, that stand in another table, or that become another type's.
//!
//! Refuses to speak of several columns together and of some rows only: no statistics tell of them.

use super::traced::{Constraint, Made, Picture, Seen};
use serde::{Deserialize, Serialize};

/// What a column has to hold in every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    NotNull,
    /// No value twice; NULL may be there, but for [`Demand::nulls_equal`].
    Unique,
    /// The condition of a CHECK.
    Check,
    /// Another type than before, and so a value that can become one of it.
    Type,
    /// A value that stands in a column of another table.
    Reference,
    /// Of a default partition: a value that belongs to no other one.
    Rest,
}

impl Holds {
    /// As identities of findings have it: it must not change.
    pub fn name(self) -> &'static str {
        match self {
            Holds::NotNull => "not-null",
            Holds::Unique => "unique",
            Holds::Check => "check",
            Holds::Type => "type",
            Holds::Reference => "reference",
            Holds::Rest => "rest",
        }
    }
}

/// A demand that a statement makes of a column, and that was not made before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    pub holds: Holds,
    /// Its name after the statement.
    pub column: String,
    /// Its name before the first of the new migrations; `None`: they added it.
    pub was: Option<String>,
    /// Of an added column: the rows of before have a value in it, from a default.
    #[serde(default)]
    pub filled: bool,
    /// Of [`Holds::Unique`]: NULL is a value too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nulls_equal: bool,
    /// Of a CHECK, and of [`Holds::Rest`]: its condition, which NOT may stand before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The column's type, and of [`Holds::Type`] the one that it had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<(String, Option<String>)>,
    /// Of [`Holds::Reference`]: the table and the column that are referred to, as they were called before all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refers: Option<(String, String)>,
    /// Values of production that were tried, and do not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

/// What was seen when values out of the statistics were held to a demand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// The share of the rows that they stand in, estimated; `None`: it is an end of a histogram's bucket, so in a row at
    /// least.
    pub share: Option<f64>,
    /// SQLSTATE of the first of them.
    pub code: String,
}

impl Demand {
    /// An added column has to hold a value, and the rows of before have none.
    pub fn unfilled(&self) -> bool {
        self.holds == Holds::NotNull && self.was.is_none() && !self.filled
    }
}

/// The demands that a statement makes of a table: what it was before all migrations, before the statement and after it,
/// with the indexes that were built on it, and its constraints that were made or validated; what was there before all
/// tells what it refers to.
pub(super) fn demands(
    all: &Picture,
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
            nulls_equal: false,
            condition: None,
            kinds: None,
            refers: None,
            broken: None,
        })
    };
    let kind = |number: i16| now.columns.get(&number).map(|column| column.kind.clone());
    let checks = constraints.iter().filter_map(|(_, constraint)| {
        let (Some(condition), [number]) = (condition(constraint), &constraint.columns[..]) else {
            return None;
        };
        let kinds = Some((kind(*number)?, None));
        Some(Demand { condition: Some(condition), kinds, ..demand(Holds::Check, *number)? })
    });
    let keys =
        constraints.iter().filter(|(_, c)| c.kind == "f" && c.validated).filter_map(|(_, constraint)| {
            let ([number], [to]) = (&constraint.columns[..], &constraint.refers_to[..]) else { return None };
            // A table that the migrations make has no rows of production.
            let parent = all.relations.get(&constraint.refers?)?;
            let refers = Some((parent.name.clone(), parent.columns.get(to)?.name.clone()));
            let kinds = Some((kind(*number)?, None));
            Some(Demand { refers, kinds, ..demand(Holds::Reference, *number)? })
        });
    let rest = now.rest.iter().filter(|_| now.rest != was.rest).filter_map(|(number, condition)| {
        let kinds = Some((kind(*number)?, None));
        Some(Demand { condition: Some(condition.clone()), kinds, ..demand(Holds::Rest, *number)? })
    });
    let types = now.columns.iter().filter_map(|(number, column)| {
        let then = was.columns.get(number).filter(|then| then.type_id != column.type_id)?;
        let kinds = Some((column.kind.clone(), Some(then.kind.clone())));
        Some(Demand { kinds, ..demand(Holds::Type, *number)? })
    });
    let strict = |seen: &Seen, number: i16| seen.columns.get(&number).is_some_and(|column| column.not_null);
    let mut nulls: Vec<i16> =
        now.columns.keys().copied().filter(|number| strict(now, *number) && !strict(was, *number)).collect();
    nulls.extend(constraints.iter().filter(|(_, c)| c.validated).filter_map(|(_, c)| not_null(c)));
    nulls.sort_unstable();
    nulls.dedup();
    let all_rows = |made: &&Made| made.unique && made.predicate.is_none();
    let unique = built.iter().filter_map(|seen| seen.made.as_ref()).filter(all_rows).filter_map(|made| {
        let [number] = made.keys[..] else { return None };
        Some(Demand { nulls_equal: made.nulls_equal, ..demand(Holds::Unique, number)? })
    });
    let nulls = nulls.iter().filter_map(|number| demand(Holds::NotNull, *number));
    nulls.chain(unique).chain(checks).chain(keys).chain(rest).chain(types).collect()
}

/// What a CHECK asks of the rows that are there; that a column is not NULL is asked otherwise.
fn condition(constraint: &Constraint) -> Option<String> {
    let asked = constraint.kind == "c" && constraint.validated && not_null(constraint).is_none();
    let condition = constraint.definition.strip_prefix("CHECK (").filter(|_| asked)?;
    Some(condition.strip_suffix(" NO INHERIT").unwrap_or(condition).strip_suffix(')')?.to_owned())
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
