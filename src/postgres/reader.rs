//! Reading one part after another where any of them may be refused.
//!
//! Refuses to fail for a part that it may not see or that takes too long: that becomes a hole, with what it costs.

use super::session::{Session, TextParam};
use super::templates::Guards;
use crate::error::{Error, Kind, Result};

/// A part that could not be read, and why.
#[derive(Debug, Clone)]
pub struct Hole {
    pub what: String,
    pub sqlstate: Option<String>,
    /// Rules that say less because of it.
    pub disables: Vec<String>,
}

/// Rows of cells, `None` for NULL.
type Rows = Vec<Vec<Option<String>>>;

/// A session in a guarded transaction, and what could not be read in it.
pub(super) struct Reader<'a> {
    pub session: &'a mut Session,
    guards: &'a Guards,
    /// Settings of each transaction beside its guards.
    extra: &'a [(&'a str, String)],
    pub holes: Vec<Hole>,
}

impl<'a> Reader<'a> {
    /// A reader in the transaction that `session` has open.
    pub fn new(
        session: &'a mut Session,
        guards: &'a Guards,
        extra: &'a [(&'a str, String)],
        holes: Vec<Hole>,
    ) -> Self {
        Reader { session, guards, extra, holes }
    }

    /// The rows of one question; where the server refuses, a hole, a new transaction, and no rows.
    pub async fn part(
        &mut self,
        doing: &str,
        sql: &str,
        params: &[TextParam],
        disables: &[&str],
    ) -> Result<Option<Rows>> {
        let asked = self.session.cells(doing, sql, params).await.map(Iterator::collect);
        self.or_hole(asked, disables).await
    }

    /// As [`Reader::part`], for several statements without parameters: the rows of all of them.
    pub async fn batch(&mut self, doing: &str, sql: &str, disables: &[&str]) -> Result<Option<Rows>> {
        let asked = self.session.rows(doing, sql).await;
        self.or_hole(asked, disables).await
    }

    async fn or_hole(&mut self, asked: Result<Rows>, disables: &[&str]) -> Result<Option<Rows>> {
        let error = match asked {
            Ok(rows) => return Ok(Some(rows)),
            Err(error) => error,
        };
        if matches!(error.kind(), Kind::Connect | Kind::Interrupted) {
            return Err(error);
        }
        self.holes.push(hole(&error, disables));
        self.session.rollback().await?;
        self.session.begin(self.guards, self.extra).await?;
        Ok(None)
    }
}

fn hole(error: &Error, disables: &[&str]) -> Hole {
    let cause = error.causes().into_iter().next().map_or(String::new(), |cause| format!(": {cause}"));
    Hole {
        what: format!("{error}{cause}"),
        sqlstate: error.code().map(str::to_owned),
        disables: disables.iter().map(|rule| (*rule).to_owned()).collect(),
    }
}
