//! Further runs of a statement with parameters that nobody gave values for: with a common value, with a rare one, and
//! its generic plan with the value that this fits least.
//!
//! Refuses to go on after an error: the transaction is gone then, and what was planned before stands.

use super::values::Values;
use crate::capture::{Mode, Run};
use crate::error::{Error, Kind, Result};
use crate::plan::{Plan, read_statement};
use crate::postgres::explain::{Explained, execute_generic, explain};
use crate::postgres::{Explain, Session};
use serde_json::value::RawValue;

/// What the further runs gave.
pub struct Varied {
    pub runs: Vec<Run>,
    /// What ended them early.
    pub failure: Option<Error>,
}

/// Plans `statement` with each of `values` and, where it may be executed, executes it: at most three times.
///
/// # Errors
/// [`Kind::Interrupted`], or a lost connection; anything else ends the runs and is told in [`Varied`].
pub async fn vary(
    session: &Session,
    statement: Explained<'_>,
    generic: &Plan,
    values: &Values,
    execute: bool,
) -> Result<Varied> {
    let mut varied = Varied { runs: Vec::new(), failure: None };
    for parameters in [&values.rare, &values.common] {
        match explain(session, Explain::Plan, Explained { parameters, ..statement }).await {
            Ok(plan) => varied.runs.push(run(Mode::Estimated, parameters, plan)),
            Err(error) => return varied.ended_by(error),
        }
    }
    if !execute {
        return Ok(varied);
    }
    for at in 0..varied.runs.len() {
        let parameters = varied.runs[at].parameters.clone();
        match explain(session, Explain::Analyze, Explained { parameters: &parameters, ..statement }).await {
            Ok(plan) => varied.runs[at] = run(Mode::Analyzed, &parameters, plan),
            Err(error) => return varied.ended_by(error),
        }
    }
    // The rare value first: a plan for an average value reads far too much for it.
    let other = |run: &&Run| read_statement(run.plan.get()).is_ok_and(|plan| paths(&plan) != paths(generic));
    if let Some(parameters) = varied.runs.iter().find(other).map(|run| run.parameters.clone()) {
        match execute_generic(session, Explained { parameters: &parameters, ..statement }).await {
            Ok(plan) => varied.runs.push(run(Mode::Generic, &parameters, plan)),
            Err(error) => return varied.ended_by(error),
        }
    }
    Ok(varied)
}

impl Varied {
    fn ended_by(mut self, error: Error) -> Result<Varied> {
        if matches!(error.kind(), Kind::Interrupted | Kind::Connect) {
            return Err(error);
        }
        self.failure = Some(error);
        Ok(self)
    }
}

fn run(mode: Mode, parameters: &[Option<String>], plan: Box<RawValue>) -> Run {
    Run { mode, parameters: parameters.to_vec(), plan, not_executed: None }
}

/// How tables are read and joined, in order.
fn paths(plan: &Plan) -> Vec<(&str, Option<&str>)> {
    plan.nodes.iter().map(|n| (n.kind.as_str(), n.detail.index.as_deref())).collect()
}
