//! The plans of many statements in one round trip, generic or with values.
//!
//! Refuses to execute any of them: a plan is all that is asked, and one that cannot be made is told from those that can.
//! What values of the statistics become is asked of a database of ours alone.

use super::catalog::parse;
use super::session::Session;
use super::templates::{Unplanned, hold_each, pack_notation, plan_each};
use crate::error::{Error, Kind, Result};
use crate::gate::Side;
use crate::sql::ident::{literal, quote};
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

/// What a value is asked.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// Whether it breaks a condition.
    Condition(&'a str),
    /// Whether the expression makes a value of that type of it, as an assignment.
    Becomes { expression: &'a str, kind: &'a str },
}

/// For each of the values, read as `kind` and named as that column of that table, the SQLSTATE of what it breaks. In a
/// database of ours: what the question calls is run there.
///
/// # Errors
/// As the server says of the question as a whole; a lost connection.
pub async fn held(
    session: &Session,
    values: &[String],
    (table, column, kind): (&str, &str, &str),
    question: Question<'_>,
) -> Result<Vec<Option<String>>> {
    let doing = "try values of the statistics";
    let list = serde_json::to_string(values).map_err(|e| Error::new(Kind::Server, doing).because(e))?;
    let row = format!("(SELECT CAST($1 AS {kind}) AS {}) AS {}", quote(column), quote(table));
    let (before, question) = match question {
        Question::Condition(condition) => (String::new(), format!("SELECT NOT {condition} FROM {row}")),
        Question::Becomes { expression, kind } => (
            format!("CREATE TEMPORARY TABLE {TRIED} (value {kind}) ON COMMIT DROP;"),
            format!(
                "WITH put AS (INSERT INTO {TRIED} SELECT {expression} FROM {row} RETURNING 1) SELECT false FROM put"
            ),
        ),
    };
    let notation: Vec<(&str, &str)> =
        super::pack::NOTATION.iter().filter(|(name, _)| *name != "search_path").copied().collect();
    let held = hold_each(&list, &before, &question);
    let sql = format!("BEGIN; {}; {held}; ROLLBACK; RESET ALL", pack_notation(&notation));
    let rows = session.rows(doing, &sql).await?;
    let cell = rows.into_iter().last().and_then(|row| row.into_iter().next()).flatten();
    parse(doing, &cell.unwrap_or_default())
}

/// Where values are put to become another type's.
const TRIED: &str = "pgproof_tried";
