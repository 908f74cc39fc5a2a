//! From findings to exact, fully qualified, reversible changes.
//!
//! Refuses to execute anything, and to propose what a live index already does.

mod candidate;
mod database;
mod definition;
mod make;
mod name;
mod order;
mod size;
mod wanted;

pub use candidate::{Candidate, WhyNot, candidate};
pub use database::propose_for_database;
pub use definition::{IndexDefinition, Key};
pub use make::{in_other_words, named_apart, propose, together};
pub use name::{TRIAL_PREFIX, trial_name};
pub use size::index_size;

use crate::units::Bytes;
use serde::{Deserialize, Serialize};

/// A change that might cure findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub change: Change,
    /// Qualified name of the relation changed; `None` for settings.
    pub relation: Option<String>,
    /// Statements to run, in order.
    pub apply: Vec<String>,
    /// Statements that take it back, in order.
    pub undo: Vec<String>,
    /// Indices of the findings that it answers.
    pub answers: Vec<usize>,
    /// Index of the statement it was made for; `None` for the database as a whole.
    pub statement: Option<usize>,
    /// Index of the run whose plan it was made from.
    pub run: usize,
    pub applicability: Applicability,
    pub locks: Vec<String>,
    pub size: Option<Bytes>,
    pub write_cost: Option<WriteCost>,
    /// What a reviewer should know beside the DDL.
    pub remarks: Vec<String>,
}

/// The kinds of change, exact enough to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    CreateIndex(IndexDefinition),
    /// `columns` are all columns of the relation: a trial must not reset its modification counter.
    Analyze {
        schema: String,
        relation: String,
        columns: Vec<String>,
    },
    CreateStatistics {
        schema: String,
        relation: String,
        name: String,
        /// What stands between the name and FROM: `(ndistinct, dependencies, mcv) ON a, b`.
        body: String,
        /// The columns to analyse so that it is filled.
        columns: Vec<String>,
        /// It holds an expression: a column list cannot fill it.
        expression: bool,
    },
    Setting {
        name: String,
        value: String,
    },
    /// The statement in other words; `shown`: the catalog shows that the rows are the same.
    Rewrite {
        sql: String,
        shown: bool,
    },
    /// An index goes.
    DropIndex {
        schema: String,
        name: String,
    },
    /// An index is built anew beside itself.
    Reindex {
        schema: String,
        name: String,
    },
    /// Statements for a migration in place of another.
    Migration {
        steps: Vec<String>,
    },
    /// A constraint is held against the rows that were there before it: nothing takes that back.
    Validate {
        schema: String,
        relation: String,
        name: String,
    },
    /// VACUUM: nothing that could be tried and taken back.
    Vacuum {
        schema: String,
        relation: String,
    },
}

/// How a change may be taken over, for reviewers and bots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Applicability {
    /// Blocks nobody for long, changes no result, can be undone.
    Safe,
    /// Needs a person's judgement: side effects beyond this statement.
    Review,
    /// Not checked to be equivalent: shown, not meant to be run as it is.
    Display,
}

/// What an index costs the writers of its table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WriteCost {
    /// Rows written per scan since the counters were reset; `None` without counters.
    pub writes_per_read: Option<f64>,
    pub extra_ms_per_1000_writes: f64,
    /// The table has HOT updates and the index holds a column that no index holds yet.
    pub blocks_hot_updates: Option<bool>,
}

impl Proposal {
    /// What identifies a proposal in captures: its first statement.
    pub fn key(&self) -> &str {
        self.apply.first().map_or("", String::as_str)
    }
}
