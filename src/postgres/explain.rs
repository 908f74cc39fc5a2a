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
/// The prepared statement is gone when this returns, whatever happened.
///
/// # Errors
/// As [`explain`].
pub async fn explain_generic(
    session: &Session,
    statement: Explained<'_>,
    parameters: usize,
) -> Result<Box<RawValue>> {
    if statement.major >= 16 {
        let nulls = vec![None; parameters];
        return explain(session, Explain::Generic, Explained { parameters: &nulls, ..statement }).await;
    }
    let doing = "plan the statement without parameter values";
    session.batch(doing, FORCE_GENERIC).await?;
    let prepare = templates::prepare(statement.text);
    let prefix = prepare.len() - statement.text.len();
    session.query(doing, &prepare, &[]).await.map_err(|e| e.behind(prefix))?;
    session.batch(doing, SAVEPOINT).await?;
    let explained = explain_prepared(session, doing, statement.major).await;
    if explained.is_err() {
        session.batch(doing, ROLLBACK_TO).await?;
    }
    session.batch(doing, &templates::deallocate()).await?;
    explained
}

async fn explain_prepared(session: &Session, doing: &str, major: u32) -> Result<Box<RawValue>> {
    let count = session.query_json(doing, PARAMETER_COUNT, &[]).await?;
    let count = count.parse().map_err(|e| Error::new(Kind::Server, doing).because(e))?;
    raw(doing, session.query_json(doing, &templates::explain_prepared(count, major), &[]).await?)
}

fn raw(doing: &str, json: String) -> Result<Box<RawValue>> {
    RawValue::from_string(json).map_err(|e| Error::new(Kind::Server, doing).because(e))
}
