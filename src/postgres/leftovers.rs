//! What killed trials left behind: trial indexes that nobody works on, and server processes that still do.
//!
//! Refuses to give up early: a drop waits for older transactions, and what still stands is named.

use super::server::Server;
use super::session::{Session, TextParam};
use super::templates::{self, Guards};
use crate::error::{Error, Kind, Result};
use crate::proposals::TRIAL_PREFIX;
use std::time::{Duration, Instant};

const LEFTOVERS: &str = include_str!("queries/leftovers.sql");
const BACKEND: &str = include_str!("queries/backend.sql");
const END_BACKEND: &str = include_str!("queries/end_backend.sql");
/// How often a concurrent drop is tried, and how long in all: it waits for transactions older than itself.
const DROP_TRIES: u32 = 8;
const DROP_PATIENCE: Duration = Duration::from_secs(20);
/// The first wait between tries; each is twice the one before, so that a server has time to come back.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// How long a server process of ours may take to end once it was told to.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Trial indexes found in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Schema and name; no backend works on them.
    pub abandoned: Vec<(String, String)>,
    /// Schema, name and the process that is still building or dropping.
    pub building: Vec<(String, String, String)>,
    /// The server is a standby: what is here must be dropped on its primary.
    pub standby: bool,
}

/// Finds trial indexes in this database, and who still works on them, in one statement.
///
/// # Errors
/// As the server says.
pub async fn leftovers(server: &Server, guards: &Guards) -> Result<Leftovers> {
    let doing = "look for leftovers of killed trials";
    let mut session = server.session("").await?;
    session.begin(guards, &[]).await?;
    let rows = session.query(doing, LEFTOVERS, &[TRIAL_PREFIX.into()]).await;
    let ended = session.rollback().await;
    let rows = rows?;
    ended?;
    let cell = |row: &tokio_postgres::Row, at: usize| row.try_get::<_, Option<String>>(at).ok().flatten();
    let mut found = Leftovers::default();
    for row in &rows {
        found.standby |= cell(row, 3).as_deref() == Some("true");
        let Some((schema, name)) = cell(row, 0).zip(cell(row, 1)) else { continue };
        match cell(row, 2) {
            Some(pid) => found.building.push((schema, name, pid)),
            None => found.abandoned.push((schema, name)),
        }
    }
    Ok(found)
}

/// Drops a trial index, concurrently and with retries; an interrupt does not stop it.
///
/// # Errors
/// When it still stands after all tries; the help names the statement that removes it.
pub async fn drop_trial_index(server: &Server, schema: &str, name: &str) -> Result<()> {
    let sql = templates::drop_index_concurrently(schema, name);
    let deadline = Instant::now() + DROP_PATIENCE;
    let mut last = None;
    let mut wait = Duration::ZERO;
    for _ in 0..DROP_TRIES {
        tokio::time::sleep(wait).await;
        wait = (wait * 2).max(FIRST_WAIT);
        match drop_once(server, &sql, deadline).await {
            Ok(()) => return Ok(()),
            // Nobody else's help makes us its owner.
            Err(error) if error.kind() == Kind::Permission => {
                last = Some(error);
                break;
            }
            Err(error) => last = Some(error),
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    let error = Error::new(Kind::Server, format!("drop the trial index {name}"))
        .help(format!("it is left behind: run `{sql}`, or `pgproof doctor` later"));
    Err(match last {
        Some(last) => error.because(last),
        None => error,
    })
}

async fn drop_once(server: &Server, sql: &str, deadline: Instant) -> Result<()> {
    let doing = "drop the index concurrently";
    let mut session = server.cleaning_session("undo").await?;
    session.close_after_use();
    for (name, value) in
        [("statement_timeout", "0"), ("lock_timeout", "0"), ("default_transaction_read_only", "off")]
    {
        session.batch("set up a session without time limits", &templates::set_session(name, value)).await?;
    }
    let left = deadline.saturating_duration_since(Instant::now());
    match tokio::time::timeout(left, session.batch(doing, sql)).await {
        Ok(ended) => ended,
        Err(_) => {
            session.stop(doing).await?;
            Err(Error::new(Kind::Timeout, doing).because(format!(
                "transactions that use its table were still open after {} s, and the drop waits for them",
                DROP_PATIENCE.as_secs()
            )))
        }
    }
}

/// A server process, told from a later one with the same number by when it started.
#[derive(Debug, Clone)]
pub(super) struct Backend {
    pid: String,
    started: String,
}

/// The server process behind a session.
///
/// # Errors
/// As the server says.
pub(super) async fn backend(session: &Session) -> Result<Backend> {
    let rows = session.rows("look who serves us", BACKEND).await?;
    let mut cells = rows.into_iter().next().unwrap_or_default().into_iter().flatten();
    match (cells.next(), cells.next()) {
        (Some(pid), Some(started)) => Ok(Backend { pid, started }),
        _ => Err(Error::new(Kind::Server, "look who serves us").because("the server does not say")),
    }
}

/// Ends a process of ours whose connection is lost: it would build on and hold its lock without us. Best effort:
/// where it cannot be reached, the server's own limits end it.
pub(super) async fn end_backend(server: &Server, backend: &Backend) {
    let ending = async {
        let session = server.cleaning_session("undo").await?;
        let params: [TextParam; 2] = [backend.pid.as_str().into(), backend.started.as_str().into()];
        loop {
            let rows = session.query("end our lost server process", END_BACKEND, &params).await?;
            if rows.is_empty() {
                return Ok::<(), Error>(());
            }
            tokio::time::sleep(FIRST_WAIT).await;
        }
    };
    let _ = tokio::time::timeout(END_PATIENCE, ending).await;
}
