//! EXPLAIN in the ways that the rest needs, each inside a transaction that its caller opened and will roll back.
//!
//! Refuses to decide whether a statement may be executed: `app` asks `safety` first.

use super::session::{Session, TextParam};
use super::templates::{self, Explain};
use crate::error::{Error, Kind, Result};
use serde_json::value::RawValue;

const PARAMETER_COUNT: &str = include_str!("queries/parameter_count.sql");
const FORCE_GENERIC: &str = "SET LOCAL plan_cache_mode = force_generic_plan";
const SAVEPOINT: &str = "SAVEPOINT pgproof";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT pgproof";

/// A statement on its way to EXPLAIN.
#[derive(Debug, Clone, Copy)]
pub struct Explained<'a> {
    /// The statement alone.
    pub text: &'a str,
    /// Values of its parameters; `None` is NULL.
    pub parameters: &'a [Option<String>],
    /// The server's major version.
    pub major: u32,
}

/// What a trial needs to know of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanNumbers {
    pub cost: f64,
    pub execution_ms: Option<f64>,
    pub blocks: Option<i64>,
    /// `None` where plans cannot show it.
    pub uses_new_index: Option<bool>,
}

/// Runs one EXPLAIN over the extended protocol, which refuses a second statement.
///
/// # Errors
/// As the server says; a place in the statement is one in `statement.text`.
pub async fn explain(session: &Session, kind: Explain, statement: Explained<'_>) -> Result<Box<RawValue>> {
    let prefix = templates::explain(kind, statement.major);
    let sql = format!("{prefix}{}", statement.text);
    let params: Vec<TextParam> = statement.parameters.iter().cloned().map(TextParam).collect();
    let doing = match kind {
        Explain::Plan | Explain::Generic => "plan the statement",
        Explain::Analyze | Explain::Measure => "execute the statement",
    };
    let json = session.query_json(doing, &sql, &params).await.map_err(|e| e.behind(prefix.len()))?;
    raw(doing, json)
}

/// The plan for unknown parameter values: `GENERIC_PLAN` on 16+, before it PREPARE under a forced generic plan.
/// The prepared statement is gone when this returns, whatever happened. Up to 15 the partitions that no NULL
/// belongs to are missing: EXECUTE wants values, and prunes by them.
///
/// # Errors
/// As [`explain`].
pub async fn explain_generic(session: &Session, statement: Explained<'_>) -> Result<Box<RawValue>> {
    let doing = "plan the statement without parameter values";
    if statement.major < 16 {
        return prepared(session, Explain::Plan, statement, None).await;
    }
    // The extended protocol would want values for the plan, and fold them into it. The simple one takes any number of
    // statements: that this text is one is what PREPARE over the extended protocol says first.
    let prepare = templates::prepare(statement.text);
    let prefix = prepare.len() - statement.text.len();
    session.query(doing, &prepare, &[]).await.map_err(|e| e.behind(prefix))?;
    session.batch(doing, &templates::deallocate()).await?;
    let sql = format!("{}{}", templates::explain(Explain::Generic, statement.major), statement.text);
    let cell = session.rows(doing, &sql).await?.into_iter().next().and_then(|row| row.into_iter().next());
    let missing = || Error::new(Kind::Server, doing).because("the server did not answer with one plan");
    raw(doing, cell.flatten().ok_or_else(missing)?)
}

/// Executes the generic plan with the statement's parameters: what a prepared statement does once the server has
/// settled on that plan. The prepared statement is gone when this returns.
///
/// # Errors
/// As [`explain`].
pub async fn execute_generic(session: &Session, statement: Explained<'_>) -> Result<Box<RawValue>> {
    prepared(session, Explain::Analyze, statement, Some(statement.parameters)).await
}

/// Explains the prepared statement under a forced generic plan, with NULLs where there are no `values`.
async fn prepared(
    session: &Session,
    kind: Explain,
    statement: Explained<'_>,
    values: Option<&[Option<String>]>,
) -> Result<Box<RawValue>> {
    let doing = match values {
        Some(_) => "execute the statement's generic plan",
        None => "plan the statement without parameter values",
    };
    session.batch(doing, FORCE_GENERIC).await?;
    let prepare = templates::prepare(statement.text);
    let prefix = prepare.len() - statement.text.len();
    session.query(doing, &prepare, &[]).await.map_err(|e| e.behind(prefix))?;
    session.batch(doing, SAVEPOINT).await?;
    let explained = explain_prepared(session, doing, kind, statement.major, values).await;
    if explained.is_err() {
        session.batch(doing, ROLLBACK_TO).await?;
    }
    session.batch(doing, &templates::deallocate()).await?;
    explained
}

async fn explain_prepared(
    session: &Session,
    doing: &str,
    kind: Explain,
    major: u32,
    values: Option<&[Option<String>]>,
) -> Result<Box<RawValue>> {
    let nulls = match values {
        Some(_) => Vec::new(),
        None => {
            let count = session.query_json(doing, PARAMETER_COUNT, &[]).await?;
            vec![None; count.parse().map_err(|e| Error::new(Kind::Server, doing).because(e))?]
        }
    };
    let sql = templates::explain_prepared(kind, values.unwrap_or(&nulls), major);
    raw(doing, session.query_json(doing, &sql, &[]).await?)
}

fn raw(doing: &str, json: String) -> Result<Box<RawValue>> {
    RawValue::from_string(json).map_err(|e| Error::new(Kind::Server, doing).because(e))
}
