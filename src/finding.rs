//! What a rule says: where, what is true, why it costs, what to do, and the numbers behind it.
//!
//! Refuses to render: numbers stay numbers, `render` formats them. The sentences are the rules' own.

use crate::units::Millis;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A rule's kebab-case name: one of ours, or one that a team's page brought.
pub type RuleName = Cow<'static, str>;

/// How loud a finding is. It comes from the time that can be recovered, never from the rule's mood.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// What a finding rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Numbers of a real execution.
    Measured,
    /// The planner's estimates only.
    Estimated,
    /// A pattern that often costs, without numbers from here.
    Guessed,
}

/// How far a number may differ between two runs that are equally right; tests compare the stable part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stability {
    /// The same on every server: names, counts of nodes, settings.
    Exact,
    /// Depends on the data and its statistics.
    Data,
    /// Depends on the clock.
    Timing,
}

/// One number or word behind a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Evidence {
    pub label: String,
    pub value: Value,
    /// `rows`, `ms`, `bytes`, `blocks`, `loops` …; empty for words.
    pub unit: String,
    pub stability: Stability,
}

/// A piece of evidence is a number or a word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Value {
    Number(f64),
    Text(String),
}

/// What a finding speaks of: a node of a plan, a statement, or the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index of the statement in the capture; `None` for the database as a whole.
    pub statement: Option<usize>,
    /// Index of the run within the statement; `None` for the statement as a whole.
    pub run: Option<usize>,
    /// Index of the node in the plan; `None` for the plan as a whole.
    pub node: Option<usize>,
}

/// Lines of a file, counted from 1.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Location {
    /// As the user named it: relative to where pgproof was started, with `/` between its parts.
    pub path: String,
    pub line: usize,
    pub end_line: usize,
}

impl Place {
    /// The database: what its catalog shows is no matter of one statement.
    pub const DATABASE: Place = Place { statement: None, run: None, node: None };
}

/// The kind of change that might cure a finding, and where; `proposals` makes it exact.
#[derive(Debug, Clone, PartialEq)]
pub enum Remedy {
    /// An index for the scan at `scan`, with the conditions of the join at `join` where there is one.
    Index { scan: usize, join: Option<usize> },
    /// Fresh statistics for a relation.
    Analyze { schema: String, relation: String },
    /// Extended statistics over columns, or over one expression (14+).
    Statistics { schema: String, relation: String, columns: Vec<String>, expression: Option<String> },
    /// A larger `work_mem` for this statement, in bytes.
    WorkMem { bytes: i64 },
    /// An index that the plan's conditions do not spell: another method, operator class, expression or table.
    IndexOn(Box<WantedIndex>),
    /// Another value of a setting for this statement; `remark` says what else it would change.
    Setting { name: &'static str, value: String, remark: &'static str },
    /// The same question asked in other words.
    Rewrite(Rewrite),
    /// VACUUM of a relation, so that index-only scans need not visit the heap.
    Vacuum { schema: String, relation: String },
    /// An index goes, by its OID in the snapshot; `cover` is the one that does its work.
    DropIndex { index: u32, cover: Option<u32> },
    /// An index is built anew.
    Reindex { index: u32 },
    /// The same change as a migration that nobody waits for: its statements in order, each in a transaction of its own.
    Migration(Vec<String>),
    /// VACUUM (FREEZE) of a table of the snapshot, by its OID.
    Freeze { table: u32 },
    /// A constraint of a table of the snapshot is validated.
    Validate { table: u32, name: String },
    /// An index on columns of a table of the snapshot, for a foreign key.
    IndexForKey { table: u32, columns: Vec<String> },
}

/// An index by its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedIndex {
    pub schema: String,
    pub relation: String,
    /// `btree`, `gin`, `gist`, `brin` …
    pub method: &'static str,
    pub keys: Vec<WantedKey>,
    pub predicate: Option<String>,
    /// The extension that brings the operator class, where it has to be there first.
    pub extension: Option<&'static str>,
}

/// One key of a [`WantedIndex`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantedKey {
    /// The column's name, or an expression as the server prints it.
    pub text: String,
    /// `false`: `text` is an expression.
    pub column: bool,
    pub descending: bool,
    /// Where it is not the type's default.
    pub operator_class: Option<&'static str>,
}

/// A statement that asks for the same rows in other words.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewrite {
    /// The whole statement, with the same parameters.
    pub sql: String,
    /// What has to be checked by a person before the two are the same; empty where the catalog shows that they are.
    pub to_check: Vec<String>,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The rule's kebab-case name.
    pub rule: RuleName,
    pub at: Place,
    /// Where in a file it stands, where that is not where its statement stands.
    pub location: Option<Location>,
    /// Qualified name of the relation concerned.
    pub relation: Option<String>,
    pub index: Option<String>,
    /// The columns and constraints of the relation that it is about, where one finding tells of some only.
    pub within: Option<String>,
    pub severity: Severity,
    pub confidence: Confidence,
    /// What is true here, with numbers.
    pub what: String,
    /// Why it costs.
    pub why: String,
    /// What to do.
    pub help: String,
    pub evidence: Vec<Evidence>,
    /// What else was found that has the same cause: one story, told once.
    pub also: Vec<Also>,
    /// Milliseconds of this execution that a remedy could recover at most; `None` where not measured.
    pub saves: Option<Millis>,
    /// The same as a share of the execution, or of the estimated cost where nothing was measured.
    pub share: f64,
    pub remedies: Vec<Remedy>,
}

/// A finding that another one explains.
#[derive(Debug, Clone, PartialEq)]
pub struct Also {
    pub rule: RuleName,
    pub at: Place,
    pub what: String,
}

impl Evidence {
    /// A number that depends on the data.
    pub fn data(label: &str, value: f64, unit: &str) -> Self {
        Evidence {
            label: label.into(),
            value: Value::Number(value),
            unit: unit.into(),
            stability: Stability::Data,
        }
    }

    /// A number that depends on the clock.
    pub fn timing(label: &str, value: f64, unit: &str) -> Self {
        Evidence {
            label: label.into(),
            value: Value::Number(value),
            unit: unit.into(),
            stability: Stability::Timing,
        }
    }

    /// A word that is the same on every server.
    pub fn text(label: &str, value: impl Into<String>) -> Self {
        Evidence {
            label: label.into(),
            value: Value::Text(value.into()),
            unit: String::new(),
            stability: Stability::Exact,
        }
    }
}
