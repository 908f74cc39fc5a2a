//! Whether a statement and its rewrite return the same rows.
//!
//! Refuses to say that they always will: it looks at the rows of one moment.

use super::server::Server;
use super::session::TextParam;
use super::templates;
use super::trial::Setup;
use crate::error::{Error, Kind, Result};
use crate::proposals::Change;
use crate::prove::Answer;

/// Executes the statement and its rewrite in one statement, so on one snapshot, and compares their rows as
/// multisets by count and sum of hashes.
pub(super) async fn compare(server: &Server, setup: &Setup<'_>) -> Result<Answer> {
    let doing = "compare the rows of the statement and its rewrite";
    let Change::Rewrite { sql, .. } = setup.change else {
        return Err(Error::new(Kind::Server, doing).because("this change is no rewrite"));
    };
    let statement = setup.statement;
    let mut session = server.session("trial compare").await?;
    // Twelve digits: sums of floating-point numbers depend on the order in which rows come.
    session.begin(&setup.guards, &[("extra_float_digits", "-3".to_owned())]).await?;
    let params: Vec<TextParam> = statement.parameters.iter().cloned().map(TextParam).collect();
    let json = session.query_json(doing, &templates::compare(statement.text, sql), &params).await;
    let ended = session.rollback().await;
    let rows = serde_json::from_str(&json?).map_err(|e| Error::new(Kind::Server, doing).because(e))?;
    ended.map(|()| Answer::Compared(rows))
}
