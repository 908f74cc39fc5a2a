//! The generic plans of many statements in one round trip.
//!
//! Refuses to execute any of them: a plan is all that is asked, and one that cannot be made is told from those that can.

use super::catalog::parse;
use super::session::Session;
use super::templates::plan_each;
use crate::error::{Error, Kind, Result};
use serde::Serialize;
use serde_json::value::RawValue;

/// A statement and how many parameters it has.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    pub sql: String,
    pub parameters: usize,
}

/// A plan for each, in order; `None` where the server cannot make one. Inside a transaction, whose time limit bounds all
/// of them together.
///
/// # Errors
/// As the server says, such as where PL/pgSQL is not installed.
pub async fn generic_plans(
    session: &Session,
    asked: &[Asked],
    major: u32,
) -> Result<Vec<Option<Box<RawValue>>>> {
    let doing = "plan the known statements";
    let list = serde_json::to_string(asked).map_err(|e| Error::new(Kind::Server, doing).because(e))?;
    let rows = session.rows(doing, &plan_each(&list, major)).await?;
    let cell = rows.into_iter().last().and_then(|row| row.into_iter().next()).flatten();
    parse(doing, &cell.unwrap_or_default())
}
