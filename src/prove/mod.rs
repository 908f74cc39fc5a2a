//! Proof: an experiment as steps, samples compared, a verdict.
//!
//! Refuses to run anything: [`Experiment::step`] says what to ask next, `app` asks, [`judge`] decides.

mod experiment;
mod judge;

pub use experiment::{Answer, Experiment, Limits, Request, Step};
pub use judge::{Interval, Verdict, judge, median, percentile};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How a remedy was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Nothing was tried.
    None,
    /// A setting, changed with SET LOCAL for our own session: nothing is built.
    Setting,
    /// The statement in other words, executed beside it: nothing is built.
    Rewrite,
    /// HypoPG: the planner is asked, nothing is built or executed.
    Hypothetical,
    /// Built inside a transaction that is rolled back.
    Rollback,
    /// Built CONCURRENTLY under a trial name, measured, dropped (or kept).
    Concurrently,
    /// Built on a copy that the user owns.
    Clone,
    /// Planned on an empty twin with production's statistics.
    Twin,
}

/// What the trial showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Executed before and after: faster beyond doubt, and by enough to matter.
    Confirmed,
    /// Executed before and after: not faster by enough to matter.
    NoBetter,
    /// Tried, but the samples or the circumstances allow no verdict.
    Undecided,
    /// The planner was offered the remedy and did not use it.
    PlannerDeclined,
    /// A rewrite returned other rows.
    ResultsDiffer,
    /// The planner says that it would use it, and at what cost; nothing was executed.
    Predicted,
    /// Nothing was tried; the reason says why.
    NotTried,
}

/// One execution: wall time as EXPLAIN measured it, and blocks touched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Sample {
    /// `Execution Time` in ms, measured with TIMING OFF.
    pub ms: f64,
    /// Shared, local and temporary blocks hit, read and written; `None` where the server did not say.
    pub blocks: Option<i64>,
}

/// What was observed while one proposal was tried on one statement. Stored in captures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trial {
    /// The first `apply` line of the proposal.
    pub proposal: String,
    /// The statement it was tried on: index in the capture.
    pub statement: usize,
    pub method: Method,
    /// Runs before the change.
    #[serde(default)]
    pub before: Vec<Sample>,
    /// Runs with the change.
    #[serde(default)]
    pub after: Vec<Sample>,
    /// Runs after the change was undone: they show how far the machine drifted meanwhile.
    #[serde(default)]
    pub again: Vec<Sample>,
    pub cost_before: Option<f64>,
    pub cost_after: Option<f64>,
    /// The plan with the change in place.
    pub plan_after: Option<Box<RawValue>>,
    /// The new index is (or would be) used; `None` for a change that is not an index.
    pub used: Option<bool>,
    pub build_ms: Option<f64>,
    /// Size of what was built, or what HypoPG thinks it would be.
    pub size_bytes: Option<i64>,
    /// `pg_index.indcheckxmin`: built over HOT chains that an older snapshot may see, so the planner may not
    /// use the index yet.
    #[serde(default)]
    pub not_yet_usable: bool,
    /// The change was left in place under its final name, as asked.
    #[serde(default)]
    pub kept: bool,
    /// Both statements were executed on one snapshot and their rows compared; `None` for a change that is no rewrite.
    #[serde(default)]
    pub rows: Option<RowsCompared>,
    /// Why the trial ended early or was not made.
    pub stopped: Option<String>,
}

/// What a statement and its rewrite returned, as multisets of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsCompared {
    /// Rows of the statement.
    pub rows: u64,
    /// Rows of the rewrite.
    pub rewritten: u64,
    /// Every row came as often from the one as from the other.
    pub equal: bool,
}

impl Trial {
    /// A trial that was not made, and why.
    pub fn not_made(proposal: &str, statement: usize, method: Method, reason: impl Into<String>) -> Self {
        Trial { stopped: Some(reason.into()), ..Trial::empty(proposal, statement, method) }
    }

    /// A trial in which nothing was observed yet.
    pub fn empty(proposal: &str, statement: usize, method: Method) -> Self {
        Trial {
            proposal: proposal.to_owned(),
            statement,
            method,
            before: Vec::new(),
            after: Vec::new(),
            again: Vec::new(),
            cost_before: None,
            cost_after: None,
            plan_after: None,
            used: None,
            build_ms: None,
            size_bytes: None,
            not_yet_usable: false,
            kept: false,
            rows: None,
            stopped: None,
        }
    }
}
