//! Carries out what an experiment asks for: plans, measured runs, a change, its undoing.
//!
//! Refuses to leave the change behind: undoing runs to its end even when somebody asks us to stop, and a name
//! that could not be removed is told. Refuses to judge.

use super::explain::{Explained, explain};
use super::server::Server;
use super::session::{Session, TextParam};
use super::templates::{self, Explain, Guards};
use crate::error::{Error, Kind, Result};
use crate::proposals::{Change, IndexDefinition, TRIAL_PREFIX, trial_name};
use crate::prove::{Answer, Method, Request, Sample};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

const LEFTOVERS: &str = include_str!("queries/leftovers.sql");
const BUILDING: &str = include_str!("queries/building.sql");
const BUILT_INDEX: &str = include_str!("queries/built_index.sql");
const SAVEPOINT: &str = "SAVEPOINT pgproof";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT pgproof";
/// How often a concurrent drop is tried, and how long in all: it waits for transactions older than itself.
const DROP_TRIES: u32 = 5;
const DROP_PATIENCE: Duration = Duration::from_secs(30);
/// While it builds, the server looks this often whether we are still there (14+): a lock does not outlive us.
const CONNECTION_CHECK: &str = "200ms";

/// What a trial is about and how it may be done.
pub struct Setup<'a> {
    pub method: Method,
    pub change: &'a Change,
    pub statement: Explained<'a>,
    pub guards: Guards,
    /// Where HypoPG's functions live; for [`Method::Hypothetical`].
    pub hypopg_schema: Option<&'a str>,
    /// Upper bound for a concurrent build.
    pub build_budget: Duration,
    /// Reads cost and time out of a plan; says whether it uses an index that was not there before.
    pub read: &'a dyn Fn(&RawValue) -> PlanNumbers,
}

/// What a trial needs to know of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanNumbers {
    pub cost: f64,
    pub execution_ms: Option<f64>,
    pub blocks: Option<i64>,
    pub uses_new_index: bool,
}

/// A trial in progress on a server.
pub struct Trial<'a> {
    server: &'a Server,
    setup: Setup<'a>,
    /// The session that holds the change: a transaction, or HypoPG's memory.
    holder: Option<Session>,
    /// Trial indexes that exist on the server: schema and name.
    standing: Vec<(String, String)>,
    in_place: bool,
    fatal: Option<Error>,
}

#[derive(Deserialize)]
struct Built {
    size_bytes: Option<i64>,
    not_yet_usable: Option<bool>,
}

impl<'a> Trial<'a> {
    /// A trial on `server`; nothing is sent yet.
    pub fn new(server: &'a Server, setup: Setup<'a>) -> Self {
        Trial { server, setup, holder: None, standing: Vec::new(), in_place: false, fatal: None }
    }

    /// Answers one request. Errors become [`Answer::Failed`]; an interrupt or a lost connection is kept for
    /// [`Trial::finish`].
    pub async fn answer(&mut self, request: &Request) -> Answer {
        let answered = match request {
            Request::Plan => self.plan().await,
            Request::Measure { limit_ms } => self.measure(*limit_ms).await,
            Request::Build { limit_ms } => self.build(*limit_ms).await,
            Request::Undo => self.undo().await.map(|()| Answer::Undone),
            Request::Keep => self.keep().await.map(|()| Answer::Kept),
        };
        answered.unwrap_or_else(|error| {
            let reason = reason(&error);
            if self.fatal.is_none() && matches!(error.kind(), Kind::Interrupted | Kind::Connect) {
                self.fatal = Some(error);
            }
            Answer::Failed(reason)
        })
    }

    /// Ends the trial: whatever still stands is undone.
    ///
    /// # Errors
    /// The interrupt or the lost connection that ended it.
    pub async fn finish(mut self) -> Result<()> {
        if self.in_place || self.holder.is_some() || !self.standing.is_empty() {
            let undone = self.undo().await;
            if self.fatal.is_none() {
                undone?;
            }
        }
        self.fatal.take().map_or(Ok(()), Err)
    }

    async fn plan(&mut self) -> Result<Answer> {
        let plan = self.run(Explain::Plan, None).await?;
        let numbers = (self.setup.read)(&plan);
        let index = matches!(self.setup.change, Change::CreateIndex(_)) && self.in_place;
        Ok(Answer::Planned { plan, cost: numbers.cost, uses_change: index.then_some(numbers.uses_new_index) })
    }

    async fn measure(&mut self, limit_ms: Option<f64>) -> Result<Answer> {
        let plan = self.run(Explain::Measure, limit_ms).await?;
        let numbers = (self.setup.read)(&plan);
        let ms = numbers.execution_ms.ok_or_else(|| {
            Error::new(Kind::Server, "measure the statement").because("the server printed no execution time")
        })?;
        Ok(Answer::Measured(Sample { ms, blocks: numbers.blocks }))
    }

    /// One EXPLAIN: in the holder's transaction while that holds the change, else in one of its own.
    async fn run(&mut self, kind: Explain, limit_ms: Option<f64>) -> Result<Box<RawValue>> {
        let statement = self.setup.statement;
        if let Some(holder) = self.holder.as_ref().filter(|_| self.in_place) {
            holder.batch("set a savepoint", SAVEPOINT).await?;
            if let Some(ms) = limit_ms {
                holder.batch("limit the statement", &templates::limit_statement(millis(ms))).await?;
            }
            let plan = explain(holder, kind, statement).await?;
            holder.batch("roll back to the savepoint", ROLLBACK_TO).await?;
            return Ok(plan);
        }
        let mut session = self.server.session("measure").await?;
        let mut extra = Vec::new();
        if let (Change::Setting { name, value }, true) = (self.setup.change, self.in_place) {
            extra.push((name.as_str(), value.clone()));
        }
        session.begin(&self.setup.guards, &extra).await?;
        let plan = explain(&session, kind, statement).await;
        session.rollback().await?;
        plan
    }

    async fn build(&mut self, limit_ms: Option<f64>) -> Result<Answer> {
        let started = Instant::now();
        let change = self.setup.change;
        let mut built = Built { size_bytes: None, not_yet_usable: None };
        match (self.setup.method, change) {
            (_, Change::Setting { .. }) => {}
            (Method::Hypothetical, Change::CreateIndex(index)) => {
                built.size_bytes = self.hypothetical(index).await?
            }
            (Method::Concurrently, Change::CreateIndex(index)) => {
                self.in_place = true;
                built = self.concurrently(index).await?;
            }
            _ => built = self.in_transaction(limit_ms).await?,
        }
        self.in_place = true;
        let ms = started.elapsed().as_secs_f64() * 1000.0;
        Ok(Answer::Built {
            ms,
            size_bytes: built.size_bytes,
            not_yet_usable: built.not_yet_usable.unwrap_or(false),
        })
    }

    async fn hypothetical(&mut self, index: &IndexDefinition) -> Result<Option<i64>> {
        let schema = self.setup.hypopg_schema.unwrap_or("public");
        let mut session = self.server.session("hypothetical").await?;
        session.begin(&self.setup.guards, &[]).await?;
        let session = self.holder.insert(session);
        let mut size = 0;
        for (leaf_schema, leaf) in index.leaves() {
            let leaf =
                IndexDefinition { schema: leaf_schema, table: leaf, partitioned: false, ..index.clone() };
            let sql = templates::hypopg_create(schema, &leaf.build(&index.name));
            let rows = session.rows("ask HypoPG for an index", &sql).await?;
            let bytes = rows.first().and_then(|row| row.get(1)?.as_deref()?.parse::<i64>().ok());
            size += bytes.unwrap_or(0);
        }
        Ok(Some(size))
    }

    /// Builds inside a transaction that will be rolled back.
    async fn in_transaction(&mut self, limit_ms: Option<f64>) -> Result<Built> {
        let mut session = self.server.session("trial build").await?;
        let mut guards = Guards { read_only: false, ..self.setup.guards.clone() };
        guards.statement_timeout = limit_ms.map_or(self.setup.build_budget, millis);
        session.begin(&guards, &self.connection_check()).await?;
        let session = self.holder.insert(session);
        let mut names = Vec::new();
        let schema = match self.setup.change {
            Change::CreateIndex(index) => {
                names.push(trial_name(&index.apply()[0]));
                session
                    .batch("build the index on trial", &index.build(&names[0]))
                    .await
                    .map_err(|e| hint(e, index))?;
                &index.schema
            }
            Change::Analyze { schema, relation, columns } => {
                session
                    .batch("analyze on trial", &templates::analyze_columns(schema, relation, columns))
                    .await?;
                schema
            }
            Change::CreateStatistics { schema, relation, name, body, columns, .. } => {
                let create = templates::create_statistics(schema, &trial_name(name), body, relation);
                session.batch("create statistics on trial", &create).await?;
                session
                    .batch("analyze on trial", &templates::analyze_columns(schema, relation, columns))
                    .await?;
                schema
            }
            Change::Setting { .. } => return Ok(Built { size_bytes: None, not_yet_usable: None }),
        };
        let built = match names.is_empty() {
            true => Built { size_bytes: None, not_yet_usable: None },
            false => built_indexes(session, schema, &names).await?,
        };
        // The statements that follow have their own limit again.
        session
            .batch("limit statements", &templates::limit_statement(self.setup.guards.statement_timeout))
            .await?;
        Ok(built)
    }

    /// Builds under a trial name, outside any transaction, on every leaf.
    async fn concurrently(&mut self, index: &IndexDefinition) -> Result<Built> {
        let name = trial_name(&index.apply()[0]);
        let session = self.unbounded_session("trial build").await?;
        let deadline = Instant::now() + self.setup.build_budget;
        let mut total = Built { size_bytes: Some(0), not_yet_usable: Some(false) };
        for (position, (schema, table)) in index.leaves().into_iter().enumerate() {
            let name = if position == 0 { name.clone() } else { format!("{name}_{position}") };
            self.standing.push((schema.clone(), name.clone()));
            let sql = index.build_concurrently(&name, &schema, &table);
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, session.batch("build the index concurrently", &sql)).await {
                Ok(built) => built?,
                Err(_) => {
                    return Err(Error::new(Kind::Timeout, "build the index concurrently")
                        .because(format!(
                            "it took longer than {:.0} s",
                            self.setup.build_budget.as_secs_f64()
                        ))
                        .help("allow more with --time-budget"));
                }
            }
            let built = built_indexes(&session, &schema, &[name]).await?;
            total.size_bytes = total.size_bytes.zip(built.size_bytes).map(|(a, b)| a + b);
            total.not_yet_usable =
                Some(total.not_yet_usable == Some(true) || built.not_yet_usable == Some(true));
        }
        Ok(total)
    }

    /// A session for CONCURRENTLY: timeouts would cut its waits and leave an invalid index. Only what the role
    /// or database set otherwise is set back, for this connection, which is closed afterwards.
    async fn unbounded_session(&self, phase: &'static str) -> Result<Session> {
        let mut session = self.server.session(phase).await?;
        session.close_after_use();
        let mut wanted =
            vec![("statement_timeout", "0"), ("lock_timeout", "0"), ("default_transaction_read_only", "off")];
        if self.setup.statement.major >= 14 {
            wanted.push(("client_connection_check_interval", CONNECTION_CHECK));
        }
        if self.setup.statement.major >= 17 {
            wanted.push(("transaction_timeout", "0"));
        }
        for (name, value) in wanted {
            session
                .batch("set up a session without time limits", &templates::set_session(name, value))
                .await?;
        }
        Ok(session)
    }

    fn connection_check(&self) -> Vec<(&'static str, String)> {
        let known = self.setup.statement.major >= 14;
        known.then(|| ("client_connection_check_interval", CONNECTION_CHECK.to_owned())).into_iter().collect()
    }

    async fn undo(&mut self) -> Result<()> {
        self.in_place = false;
        if let Some(mut session) = self.holder.take() {
            session.uninterruptible();
            if self.setup.method == Method::Hypothetical {
                let schema = self.setup.hypopg_schema.unwrap_or("public");
                // In an aborted transaction HypoPG cannot be asked: the connection is closed instead.
                if session.batch("make HypoPG forget", &templates::hypopg_reset(schema)).await.is_err() {
                    session.close_after_use();
                }
            }
            session.rollback().await?;
        }
        for (schema, name) in std::mem::take(&mut self.standing) {
            drop_trial_index(self.server, &schema, &name).await?;
        }
        Ok(())
    }

    async fn keep(&mut self) -> Result<()> {
        let Change::CreateIndex(index) = self.setup.change else { return Ok(()) };
        let mut session = self.server.session("keep").await?;
        session.uninterruptible();
        let guards = Guards { read_only: false, ..self.setup.guards.clone() };
        session.begin(&guards, &[]).await?;
        for (position, (schema, name)) in self.standing.iter().enumerate() {
            let suffix = if position == 0 { String::new() } else { format!("_{position}") };
            let to = format!("{}{suffix}", index.name);
            session.batch("name the index", &templates::rename_index(schema, name, &to)).await?;
        }
        session.commit().await?;
        self.standing.clear();
        self.in_place = false;
        Ok(())
    }
}

/// Trial indexes found on a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Schema and name; no backend works on them.
    pub abandoned: Vec<(String, String)>,
    /// Schema, name and the process that is still building or dropping.
    pub building: Vec<(String, String, String)>,
}

/// Finds trial indexes in this database, and who still works on them.
///
/// # Errors
/// As the server says.
pub async fn leftovers(server: &Server) -> Result<Leftovers> {
    let doing = "look for leftovers of killed trials";
    let mut session = server.session("").await?;
    session.begin(&Guards::default(), &[]).await?;
    let cell = |row: &tokio_postgres::Row, at: usize| row.try_get::<_, String>(at).unwrap_or_default();
    let found = async {
        let abandoned = session.query(doing, LEFTOVERS, &[TRIAL_PREFIX.into()]).await?;
        let building = session.query(doing, BUILDING, &[TRIAL_PREFIX.into()]).await?;
        Ok(Leftovers {
            abandoned: abandoned.iter().map(|r| (cell(r, 0), cell(r, 1))).collect(),
            building: building.iter().map(|r| (cell(r, 0), cell(r, 1), cell(r, 2))).collect(),
        })
    }
    .await;
    session.rollback().await?;
    found
}

/// Drops a trial index, concurrently and with retries; an interrupt does not stop it.
///
/// # Errors
/// When it still stands after all tries; the help names the statement that removes it.
pub async fn drop_trial_index(server: &Server, schema: &str, name: &str) -> Result<()> {
    let sql = templates::drop_index_concurrently(schema, name);
    let deadline = Instant::now() + DROP_PATIENCE;
    let mut last = None;
    for attempt in 0..DROP_TRIES {
        tokio::time::sleep(Duration::from_millis(100 * u64::from(attempt))).await;
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, drop_once(server, &sql)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => last = Some(error),
            Err(_) => break,
        }
    }
    let error = Error::new(Kind::Server, format!("drop the trial index {name}"))
        .help(format!("it is left behind: run `{sql}`, or `pgproof doctor` later"));
    Err(match last {
        Some(last) => error.because(last),
        None => error.because("an older transaction is still open: the drop waits for it"),
    })
}

async fn drop_once(server: &Server, sql: &str) -> Result<()> {
    let mut session = server.cleaning_session("undo").await?;
    session.close_after_use();
    for (name, value) in
        [("statement_timeout", "0"), ("lock_timeout", "0"), ("default_transaction_read_only", "off")]
    {
        session.batch("set up a session without time limits", &templates::set_session(name, value)).await?;
    }
    session.batch("drop the trial index", sql).await
}

async fn built_indexes(session: &Session, schema: &str, names: &[String]) -> Result<Built> {
    let doing = "look at what was built";
    let json = |error: serde_json::Error| Error::new(Kind::Server, doing).because(error);
    let names = serde_json::to_string(names).map_err(json)?;
    let cell = session.query_json(doing, BUILT_INDEX, &[schema.into(), TextParam(Some(names))]).await?;
    serde_json::from_str(&cell).map_err(json)
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64((ms / 1000.0).max(0.001))
}

/// Says which lock could not be had.
fn hint(error: Error, index: &IndexDefinition) -> Error {
    match error.kind() {
        Kind::LockTimeout => error.help(format!(
            "another session holds a lock on {} that conflicts with SHARE: try again later, raise --lock-timeout, \
             or use --prove concurrently",
            index.target()
        )),
        Kind::Timeout => error.help("the build took longer than --max-block allows: use --prove concurrently"),
        _ => error,
    }
}

/// An error as one sentence for the report.
fn reason(error: &Error) -> String {
    let mut text = error.to_string();
    if let Some(cause) = error.causes().first() {
        text = format!("{text}: {cause}");
    }
    if let Some(advice) = error.advice() {
        text = format!("{text} ({advice})");
    }
    text
}
