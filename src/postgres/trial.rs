//! Carries out what an experiment asks for: plans, measured runs, a change, its undoing.
//!
//! Refuses to leave the change behind: undoing runs to its end even when somebody asks us to stop, and a name
//! that could not be removed is told. Refuses to judge.

use super::compare::compare;
pub use super::explain::PlanNumbers;
use super::explain::{Explained, explain, explain_generic};
use super::leftovers::{Backend, backend, drop_trial_index, end_backend};
use super::pooler::settings_stay;
use super::server::Server;
use super::session::{Session, TextParam};
use super::templates::{self, Explain, Guards};
use super::what_if::WhatIf;
use crate::error::{Error, Kind, Result};
use crate::proposals::{Change, IndexDefinition, trial_name};
use crate::prove::{Answer, Method, Request, Sample};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

const BUILT_INDEX: &str = include_str!("queries/built_index.sql");
/// While it builds, the server looks this often whether we are still there (14+): a lock does not outlive us.
const CONNECTION_CHECK: &str = "200ms";
/// The server's own end of a transaction that holds a lock (17+) comes this much after ours, as a last resort.
const LAST_RESORT: Duration = Duration::from_millis(500);
const IDENTITY: &str = include_str!("queries/identity.sql");

/// What a trial is about and how it may be done.
pub struct Setup<'a> {
    pub method: Method,
    pub change: &'a Change,
    pub statement: Explained<'a>,
    pub guards: Guards,
    /// Who is asked about an index that is not there; for [`Method::Hypothetical`] and [`Method::Twin`].
    pub what_if: Option<WhatIf>,
    /// The bytes that a model gives the index.
    pub size: Option<i64>,
    /// Upper bound for a build that blocks nobody.
    pub build_budget: Duration,
    /// How long a lock that blocks others may be held, by the clock, waiting for it included; `None` where the
    /// change blocks nobody.
    pub max_block: Option<Duration>,
    /// Reads cost and time out of a plan; says whether it uses an index that was not there before.
    pub read: &'a dyn Fn(&RawValue) -> Result<PlanNumbers>,
}

/// A trial in progress on a server.
pub struct Trial<'a> {
    server: &'a Server,
    setup: Setup<'a>,
    /// The session that holds the change: a transaction, or HypoPG's memory.
    holder: Option<Session>,
    /// The server process that builds, or holds a lock.
    backend: Option<Backend>,
    /// Trial indexes that exist on the server: schema and name.
    standing: Vec<(String, String)>,
    in_place: bool,
    undone: bool,
    /// When the lock that blocks others must be given back.
    deadline: Option<Instant>,
    /// The interrupt or the lost connection that ended it.
    fatal: Option<Error>,
    /// The first trial index that could not be dropped.
    stuck: Option<Error>,
    /// The server ended our transaction as we had told it to: its connection is gone, the server is not.
    guarded: bool,
}

#[derive(Deserialize)]
struct Built {
    size_bytes: Option<i64>,
    not_yet_usable: Option<bool>,
}

impl<'a> Trial<'a> {
    /// A trial on `server`; nothing is sent yet.
    pub fn new(server: &'a Server, setup: Setup<'a>) -> Self {
        Trial {
            server,
            setup,
            holder: None,
            backend: None,
            standing: Vec::new(),
            in_place: false,
            undone: false,
            deadline: None,
            fatal: None,
            stuck: None,
            guarded: false,
        }
    }

    /// Answers one request, and says how long that took in ms. Errors become [`Answer::Failed`]; an interrupt or a
    /// lost connection becomes [`Answer::Ended`] and is kept for [`Trial::finish`].
    pub async fn answer(&mut self, request: &Request) -> (Answer, f64) {
        let started = Instant::now();
        let answered = match request {
            Request::Plan => self.plan().await,
            Request::Measure => self.measure().await,
            Request::Build => self.build().await,
            Request::Compare => compare(self.server, &self.setup).await,
            Request::Undo => self.undo().await.map(|()| Answer::Undone),
            Request::Keep => self.keep().await.map(|()| Answer::Kept),
        };
        let answer = answered.unwrap_or_else(|error| {
            let reason = reason(&error);
            self.guarded |= matches!(error.code(), Some("25P03" | "25P04"));
            let ends = matches!(error.kind(), Kind::Interrupted | Kind::Connect);
            if ends && self.fatal.is_none() {
                self.fatal = Some(error);
            }
            if ends { Answer::Ended(reason) } else { Answer::Failed(reason) }
        });
        (answer, started.elapsed().as_secs_f64() * 1000.0)
    }

    /// Ends the trial: whatever still stands is undone.
    ///
    /// # Errors
    /// The interrupt or the lost connection that ended it; a trial index that could not be dropped.
    pub async fn finish(mut self) -> Result<()> {
        if self.in_place || self.holder.is_some() || !self.standing.is_empty() {
            let _ = self.undo().await;
        }
        match (self.fatal.take(), self.stuck.take()) {
            // An interrupt has its own exit code only where everything was undone.
            (Some(fatal), Some(stuck)) if fatal.kind() != Kind::Interrupted => {
                let left = stuck.advice().unwrap_or("run `pgproof doctor`");
                let text = format!("{stuck}: {left}");
                Err(fatal.help(text))
            }
            (_, Some(error)) | (Some(error), None) => Err(error),
            (None, None) => Ok(()),
        }
    }

    async fn plan(&mut self) -> Result<Answer> {
        let plan = self.run(Explain::Plan).await?;
        let numbers = (self.setup.read)(&plan)?;
        let index = matches!(self.setup.change, Change::CreateIndex(_)) && self.in_place;
        let uses_change = numbers.uses_new_index.filter(|_| index);
        Ok(Answer::Planned { plan, cost: numbers.cost, uses_change })
    }

    async fn measure(&mut self) -> Result<Answer> {
        let plan = self.run(Explain::Measure).await?;
        let numbers = (self.setup.read)(&plan)?;
        let ms = numbers.execution_ms.ok_or_else(|| {
            Error::new(Kind::Server, "measure the statement").because("the server printed no execution time")
        })?;
        Ok(Answer::Measured(Sample { ms, blocks: numbers.blocks }))
    }

    /// One EXPLAIN: in the holder's transaction while that holds the change, else in one of its own.
    async fn run(&mut self, kind: Explain) -> Result<Box<RawValue>> {
        let mut statement = self.setup.statement;
        if let (Change::Rewrite { sql, .. }, true) = (self.setup.change, self.in_place) {
            statement.text = sql;
        }
        let limit = self.limit(self.setup.guards.statement_timeout)?;
        let bounded = self.deadline.is_some();
        // What a transaction or a session's memory holds is seen there alone; a twin's index is seen everywhere.
        let held = self.in_place && self.setup.what_if != Some(WhatIf::Twin);
        if let Some(holder) = self.holder.as_mut().filter(|_| held) {
            holder.mark("trial run");
            let savepoint = templates::savepoint(limit, self.setup.guards.read_only);
            holder.batch("set a savepoint", &savepoint).await?;
            let plan = ask(holder, kind, statement).await.map_err(|error| match error.kind() {
                Kind::Timeout if bounded => {
                    error.help("the lock may not be held for longer than --max-block")
                }
                _ => error,
            })?;
            holder.batch("roll back to the savepoint", templates::ROLLBACK_TO).await?;
            return Ok(plan);
        }
        let phase = match (self.undone, self.in_place) {
            (true, _) => "trial again",
            (_, true) => "trial run",
            _ => "trial before",
        };
        let mut session = self.server.session(phase).await?;
        let mut extra = Vec::new();
        if let (Change::Setting { name, value }, true) = (self.setup.change, self.in_place) {
            extra.push((name.as_str(), value.clone()));
        }
        session.begin(&self.setup.guards, &extra).await?;
        let plan = ask(&session, kind, statement).await;
        let ended = session.rollback().await;
        let plan = plan?;
        ended.map(|()| plan)
    }

    /// How long the next statement may take: `usual`, or what is left until the lock must be given back.
    fn limit(&self, usual: Duration) -> Result<Duration> {
        let Some(deadline) = self.deadline else { return Ok(usual) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(Kind::Timeout, "measure with the index in place")
                .because("the lock had been held for as long as --max-block allows"));
        }
        Ok(if usual.is_zero() { left } else { left.min(usual) })
    }

    async fn build(&mut self) -> Result<Answer> {
        let started = Instant::now();
        let change = self.setup.change;
        let mut built = Built { size_bytes: None, not_yet_usable: None };
        match (self.setup.method, change) {
            (_, Change::Setting { .. } | Change::Rewrite { .. }) => {}
            (Method::Hypothetical | Method::Twin, Change::CreateIndex(index)) => {
                built.size_bytes = self.hypothetical(index).await?
            }
            (Method::Concurrently, Change::CreateIndex(index)) => {
                self.in_place = true;
                built = self.concurrently(index).await?;
            }
            _ => built = self.in_transaction().await?,
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
        let Some(what_if) = &self.setup.what_if else {
            return Err(Error::new(Kind::Server, "ask about an index").because("nobody is there to be asked"));
        };
        let mut session = self.server.session("hypothetical").await?;
        // On a twin, whose tables pgproof made, an index is made too.
        if !matches!(what_if, WhatIf::Twin) {
            session.begin(&self.setup.guards, &[]).await?;
        }
        let session = self.holder.insert(session);
        what_if.create(session, index, self.setup.size).await
    }

    /// Builds inside a transaction that will be rolled back.
    async fn in_transaction(&mut self) -> Result<Built> {
        let mut session = self.server.session("trial build").await?;
        let mut guards = Guards { read_only: false, ..self.setup.guards.clone() };
        guards.statement_timeout = self.setup.build_budget;
        let mut extra = Vec::new();
        if let Some(limit) = self.setup.max_block {
            guards.statement_timeout = limit;
            // Should we stall, the server gives the lock back.
            guards.idle_in_transaction_timeout = limit;
            if self.setup.statement.major >= 17 {
                let last = limit + LAST_RESORT;
                extra.push(("transaction_timeout", templates::millis(last).to_string()));
            }
        }
        session.begin(&guards, &extra).await?;
        self.watch_connection(&session).await?;
        self.backend = Some(backend(&session).await?);
        self.deadline = self.setup.max_block.map(|limit| Instant::now() + limit);
        let session = self.holder.insert(session);
        match self.setup.change {
            Change::CreateIndex(index) => {
                let name = trial_name(&index.apply()[0]);
                let build = session.batch("build the index on trial", &index.build(&name)).await;
                build.map_err(|e| hint(e, index))?;
                built_indexes(session, &index.schema, &[name]).await
            }
            Change::Analyze { schema, relation, columns } => {
                let analyze = templates::analyze_columns(schema, relation, columns);
                session.batch("analyze on trial", &analyze).await?;
                Ok(Built { size_bytes: None, not_yet_usable: None })
            }
            Change::CreateStatistics { schema, relation, name, body, columns, .. } => {
                let create = templates::create_statistics(schema, &trial_name(name), body, relation);
                session.batch("create statistics on trial", &create).await?;
                let analyze = templates::analyze_columns(schema, relation, columns);
                session.batch("analyze on trial", &analyze).await?;
                Ok(Built { size_bytes: None, not_yet_usable: None })
            }
            // `app` tries a VACUUM nowhere, and builds nothing for the others.
            Change::Setting { .. }
            | Change::Rewrite { .. }
            | Change::Vacuum { .. }
            | Change::DropIndex { .. }
            | Change::Migration { .. }
            | Change::Validate { .. }
            | Change::Reindex { .. } => Ok(Built { size_bytes: None, not_yet_usable: None }),
        }
    }

    /// Has the server notice soon that we are gone (14+), where its operating system can.
    async fn watch_connection(&self, session: &Session) -> Result<()> {
        if self.setup.statement.major < 14 {
            return Ok(());
        }
        let watch = templates::watch_connection(session.in_transaction(), CONNECTION_CHECK);
        match session.batch("watch the connection", &watch).await {
            Err(error) if error.kind() == Kind::Server && session.in_transaction() => {
                session.batch("roll back to the savepoint", templates::ROLLBACK_TO).await
            }
            Err(error) if error.kind() == Kind::Server => Ok(()),
            watched => watched,
        }
    }

    /// Builds under a trial name, outside any transaction, on every leaf.
    async fn concurrently(&mut self, index: &IndexDefinition) -> Result<Built> {
        let doing = "build the index concurrently";
        let name = trial_name(&index.apply()[0]);
        let session = self.unbounded_session("trial build").await?;
        self.backend = Some(backend(&session).await?);
        let deadline = Instant::now() + self.setup.build_budget;
        let mut total = Built { size_bytes: Some(0), not_yet_usable: Some(false) };
        for (position, (schema, table)) in index.leaves().into_iter().enumerate() {
            let name = if position == 0 { name.clone() } else { format!("{name}_{position}") };
            let sql = index.build_concurrently(&name, &schema, &table);
            self.standing.push((schema.clone(), name.clone()));
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, session.batch(doing, &sql)).await {
                Err(_) => {
                    session.stop(doing).await?;
                    return Err(Error::new(Kind::Timeout, doing)
                        .because(format!(
                            "it took longer than {:.0} s",
                            self.setup.build_budget.as_secs_f64()
                        ))
                        .help(
                            "allow more with --time-budget; it also waits for transactions older than itself",
                        ));
                }
                Ok(Err(error)) if error.code() == Some("42P07") => {
                    // Not ours: another pgproof tries the same index at this moment.
                    self.standing.pop();
                    return Err(
                        error.help("another pgproof seems to be trying this index: see `pgproof doctor`")
                    );
                }
                Ok(ended) => ended?,
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
        let doing = "set up a session without time limits";
        let mut session = self.server.session(phase).await?;
        session.close_after_use();
        self.refuse_poolers(&session).await?;
        let mut wanted =
            vec![("statement_timeout", "0"), ("lock_timeout", "0"), ("default_transaction_read_only", "off")];
        if self.setup.statement.major >= 17 {
            wanted.push(("transaction_timeout", "0"));
        }
        let all: Vec<String> =
            wanted.iter().map(|(name, value)| templates::set_session(name, value)).collect();
        session.batch(doing, &all.join("; ")).await?;
        self.watch_connection(&session).await?;
        Ok(session)
    }

    /// Settings must stay with our connection.
    async fn refuse_poolers(&self, session: &Session) -> Result<()> {
        let doing = "set up a session without time limits";
        if !settings_stay(self.server, session, doing).await? {
            return Err(Error::new(Kind::Server, doing)
                .because(
                    "settings do not stay with this connection: a pooler in transaction mode is in between",
                )
                .help("connect to the server itself for --prove concurrently, or use --prove rollback"));
        }
        Ok(())
    }

    async fn undo(&mut self) -> Result<()> {
        self.in_place = false;
        self.undone = true;
        self.deadline = None;
        if let (Some(Kind::Connect), Some(backend)) =
            (self.fatal.as_ref().map(Error::kind), self.backend.take())
        {
            end_backend(self.server, &backend).await;
        }
        let mut ended = Ok(());
        if let Some(mut session) = self.holder.take() {
            session.uninterruptible().mark("undo");
            ended = match (&self.setup.what_if, self.setup.change) {
                (Some(what_if @ WhatIf::Twin), Change::CreateIndex(index)) => {
                    session.batch("forget the index", &what_if.forget(index)).await
                }
                (Some(what_if), Change::CreateIndex(index)) => {
                    session.rollback_and(&what_if.forget(index)).await
                }
                _ => session.rollback().await,
            };
        }
        for (schema, name) in std::mem::take(&mut self.standing) {
            if let Err(error) = drop_trial_index(self.server, &schema, &name).await {
                self.stuck.get_or_insert(error);
            }
        }
        // A transaction whose connection is gone is undone by the server.
        ended.or_else(|error| if self.guarded { Ok(()) } else { Err(error) })
    }

    async fn keep(&mut self) -> Result<()> {
        let Change::CreateIndex(index) = self.setup.change else { return Ok(()) };
        let mut session = self.server.session("keep").await?;
        session.uninterruptible();
        let guards = Guards { read_only: false, ..self.setup.guards.clone() };
        session.begin(&guards, &[]).await?;
        // One: `app` keeps nothing on a partitioned table, where each partition's index would have to be attached.
        for (schema, name) in &self.standing {
            session
                .batch("give the index its final name", &templates::rename_index(schema, name, &index.name))
                .await?;
        }
        session.commit().await?;
        self.standing.clear();
        self.in_place = false;
        Ok(())
    }
}

/// Whether two servers are one and the same database: a copy has its own process, started at its own moment.
///
/// # Errors
/// As the servers say.
pub async fn same_database(one: &Server, other: &Server) -> Result<bool> {
    let mut identities = Vec::new();
    for server in [one, other] {
        identities.push(server.session("").await?.rows("look which server this is", IDENTITY).await?);
    }
    Ok(identities[0] == identities[1])
}

async fn built_indexes(session: &Session, schema: &str, names: &[String]) -> Result<Built> {
    let doing = "look at what was built";
    let json = |error: serde_json::Error| Error::new(Kind::Server, doing).because(error);
    let names = serde_json::to_string(names).map_err(json)?;
    let cell = session.query_json(doing, BUILT_INDEX, &[schema.into(), TextParam(Some(names))]).await?;
    serde_json::from_str(&cell).map_err(json)
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
        Kind::Permission => error.help("connect as the owner of the table, or use --prove clone"),
        _ => error,
    }
}

/// The plan, with the statement's values where it has any; without, the one for all values.
async fn ask(session: &Session, kind: Explain, statement: Explained<'_>) -> Result<Box<RawValue>> {
    let generic = statement.parameters.is_empty() && crate::sql::read(statement.text).parameters > 0;
    match generic && kind == Explain::Plan {
        true => explain_generic(session, statement).await,
        false => explain(session, kind, statement).await,
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
