//! The plans of many statements in one round trip, generic or with values.
//!
//! Refuses to execute any of them: a plan is all that is asked, and one that cannot be made is told from those that can.

use super::catalog::parse;
use super::session::Session;
use super::templates::{Unplanned, plan_each};
use crate::error::{Error, Kind, Result};
use crate::gate::Side;
use crate::sql::ident::literal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A statement and how many parameters it has.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    pub sql: String,
    pub parameters: usize,
    /// Values in place of the parameters, as a list of literals: then the plan is one for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    /// The types of all parameters, as PREPARE takes them; asked with only where it cannot be planned without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
}

impl Asked {
    /// The generic plan of a statement.
    pub fn generic(sql: String, parameters: usize) -> Asked {
        Asked { sql, parameters, values: None, types: None }
    }

    /// The plan of the same statement with those values; `None` is NULL.
    pub fn with(&self, values: &[Option<String>]) -> Asked {
        let literals = values.iter().map(|value| value.as_deref().map_or_else(|| "NULL".to_owned(), literal));
        Asked { values: Some(literals.collect::<Vec<_>>().join(", ")), ..self.clone() }
    }
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
    let rows = session.rows(doing, &plan_each(&list, major, Unplanned::Null)).await?;
    let cell = rows.into_iter().last().and_then(|row| row.into_iter().next()).flatten();
    parse(doing, &cell.unwrap_or_default())
}

/// What the server said of a statement that it cannot plan.
#[derive(Deserialize)]
struct Refused {
    code: String,
    message: String,
}

/// As [`generic_plans`], with the schemas of the tables, and with what the server said of those that it cannot plan.
///
/// # Errors
/// As [`generic_plans`].
pub async fn sides(session: &Session, asked: &[Asked], major: u32) -> Result<Vec<Side>> {
    let doing = "plan the queries";
    let list = serde_json::to_string(asked).map_err(|e| Error::new(Kind::Server, doing).because(e))?;
    let sql = format!("BEGIN; {}; ROLLBACK", plan_each(&list, major, Unplanned::Error));
    let rows = session.rows(doing, &sql).await?;
    let cell = rows.into_iter().last().and_then(|row| row.into_iter().next()).flatten();
    let answers: Vec<Box<RawValue>> = parse(doing, &cell.unwrap_or_default())?;
    let side = |answer: Box<RawValue>| match serde_json::from_str::<Refused>(answer.get()) {
        Ok(Refused { code, message }) => Side::Failed { code, message },
        Err(_) => Side::Planned(answer),
    };
    Ok(answers.into_iter().map(side).collect())
}
