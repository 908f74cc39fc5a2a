//! Everything that was observed, in one value with a format number, and the gaps: what could not be observed.
//!
//! Refuses to derive. A capture can be saved, sent with a bug report, and analysed again without a server.

use crate::catalog::snapshot::Snapshot;
use crate::catalog::{Catalog, ServerInfo};
use crate::gate::Compared;
use crate::migrate::Trace;
use crate::prove::Trial;
use crate::workload::Observed;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The capture format that this version writes. Readers accept this and older numbers.
pub const FORMAT: u32 = 1;

/// What one run of pgproof observed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Capture {
    pub format: u32,
    /// `None`: no server was asked (stored plans).
    pub server: Option<ServerInfo>,
    pub statements: Vec<Statement>,
    #[serde(default)]
    pub catalog: Catalog,
    #[serde(default)]
    pub trials: Vec<Trial>,
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// The whole database, where it was looked at (`pgproof health`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The generic plans of statements that read the tables whose indexes may go; `None`: nobody knows the statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownPlans>,
    /// The day of the run, `YYYY-MM-DD` in UTC: what `until=` is compared with, then and whenever this is read.
    #[serde(default)]
    pub today: Option<String>,
    /// What pg_stat_statements held, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Observed>,
    /// New migrations, where they were tried (`pgproof check`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// Queries planned before and after them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
}

/// Plans of the statements that pg_stat_statements counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct KnownPlans {
    pub planned: Vec<KnownPlan>,
    /// Statements that the server could not plan, or that we did not ask it to, being one too many.
    pub unplanned: usize,
}

/// A statement and its generic plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KnownPlan {
    pub text: String,
    pub calls: f64,
    /// What the server printed.
    pub plan: Box<RawValue>,
}

/// One statement with the plans that were taken of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Statement {
    /// The statement without `EXPLAIN` in front and without `;`.
    pub text: String,
    pub origin: Origin,
    pub runs: Vec<Run>,
    /// Comments that belong to it, stand outside `text`, and speak to pgproof.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
}

/// A comment around a statement, its marks included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    pub text: String,
    /// Its line in the file, counted from 1.
    pub line: Option<usize>,
}

/// Where a statement came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Origin {
    pub kind: OriginKind,
    pub path: Option<String>,
    /// Line of its first word, counted from 1.
    pub line: Option<usize>,
}

impl Origin {
    /// The counters of a server: no file and no line.
    pub const PG_STAT_STATEMENTS: Origin =
        Origin { kind: OriginKind::PgStatStatements, path: None, line: None };
}

/// The kinds of source a statement can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OriginKind {
    Argument,
    File,
    PgStatStatements,
    Log,
    Corpus,
}

/// One EXPLAIN of a statement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    pub mode: Mode,
    /// Values of `$1`, `$2` …; `None` is NULL.
    #[serde(default)]
    pub parameters: Vec<Option<String>>,
    /// What the server printed, byte for byte.
    pub plan: Box<RawValue>,
    /// Why the statement was not executed although that was asked for.
    #[serde(default)]
    pub not_executed: Option<String>,
}

/// How a plan was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// EXPLAIN ANALYZE: executed and measured.
    Analyzed,
    /// EXPLAIN alone.
    Estimated,
    /// EXPLAIN of a generic plan, without parameter values; executed with values where it has `parameters`.
    Generic,
    /// Read from a file.
    Stored,
}

/// Something that could not be observed, and what that switches off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Gap {
    /// What could not be looked at, why, and how to make it visible.
    pub what: String,
    pub sqlstate: Option<String>,
    /// Rules or commands that say less because of it.
    pub disables: Vec<String>,
}

impl Capture {
    /// An empty capture of the current format.
    pub fn new(server: Option<ServerInfo>) -> Self {
        Capture {
            format: FORMAT,
            server,
            statements: Vec::new(),
            catalog: Catalog::default(),
            trials: Vec::new(),
            gaps: Vec::new(),
            snapshot: None,
            known: None,
            today: None,
            workload: None,
            trace: None,
            compared: None,
        }
    }
}
