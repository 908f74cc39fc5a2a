//! Base against head: what becomes of the queries' plans.
//!
//! Refuses to know an output format, and to compare costs of different statistics: both sides were planned under one
//! pack, on one server.

pub mod budget;
pub mod culprit;
pub mod fingerprint;
pub mod inserts;
pub mod outcome;

pub use budget::{Budget, Executed};
pub use fingerprint::{Marks, marks};
pub use outcome::{Judgement, Outcome, Thresholds, judge};

use crate::finding::Location;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// All queries, planned on both sides, as a capture keeps them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Compared {
    pub queries: Vec<Query>,
    pub base: Names,
    pub head: Names,
    /// Both sides have production's statistics; without, all that is known is whether a query can be planned.
    pub packed: bool,
}

/// A query with its plans.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Query {
    pub name: Option<String>,
    pub text: String,
    /// Where it is written; empty where pg_stat_statements told of it.
    pub places: Vec<Location>,
    /// A server saw it, and the project does not have it: it may be one of another database.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen: bool,
    /// The project has it no more: the revision that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<String>,
    /// The generic plans, for any values.
    pub base: Side,
    pub head: Side,
    /// The plans with values in place of the parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub valued: Vec<Valued>,
    /// The comments around it that speak to pgproof, each with its line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<(String, usize)>,
    /// What its author lets it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How it went against the seeded data, where a budget asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed: Option<Executed>,
    /// The statement of a migration after which its plan was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<Location>,
    /// The statement of the capture that looks into it: what ails it on head, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<usize>,
}

impl Query {
    /// What neither side knows: a server's log has the queries of all its databases.
    pub fn elsewhere(&self) -> bool {
        let unknown =
            |side: &Side| matches!(side, Side::Failed { code, .. } if code == "42P01" || code == "3F000");
        self.seen && !self.places.is_empty() && unknown(&self.base) && unknown(&self.head)
    }
}

/// A query's plans with values out of the base's statistics.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Valued {
    pub often: Often,
    pub parameters: Vec<Option<String>>,
    pub base: Side,
    pub head: Side,
}

/// How many rows the values fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Often {
    Common,
    Median,
    Rare,
}

impl Often {
    /// As reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Often::Common => "common",
            Often::Median => "median",
            Often::Rare => "rare",
        }
    }
}

/// What the server answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What it printed.
    Planned(Box<RawValue>),
    Failed {
        code: String,
        message: String,
    },
}

/// What the names in plans stand for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Names {
    /// By `schema.index`, unquoted: what the index does, without its name.
    pub indexes: BTreeMap<String, String>,
    /// By `schema.partition`: the table that it is a part of.
    pub roots: BTreeMap<String, String>,
    /// By `schema.table`: blocks that its file has.
    pub blocks: BTreeMap<String, f64>,
    /// What INSERTs have to fill; needed while plans are made.
    #[serde(skip)]
    pub strict: inserts::Strict,
}
