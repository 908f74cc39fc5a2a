//! Runs migrations on a database of ours and writes down what each statement did.
//!
//! Refuses to run on a database that pgproof did not make. Refuses to judge what it sees.

use super::catalog::parse;
use super::server::Server;
use super::session::Session;
use super::templates;
use crate::error::{Error, Kind, Result};
use crate::migrate::traced::{Failure, Picture, Traced, effects};
use crate::migrate::{Control, Migration, Running};
use std::time::Duration;

const PICTURE: &str = include_str!("queries/trace_picture.sql");
const WAITING: &str = include_str!("queries/trace_waiting.sql");
/// How often the locks of a statement are looked at that no transaction may hold.
const LOOK: Duration = Duration::from_millis(2);
/// How long we stand in its way, so that its locks can be seen.
const STALL: Duration = Duration::from_millis(150);

/// What is in the database now.
///
/// # Errors
/// As the server says.
pub async fn picture(session: &Session) -> Result<Picture> {
    let doing = "look at what a migration did";
    parse(doing, &session.query_json(doing, PICTURE, &[]).await?)
}

/// Runs migrations for their effect alone, as fast as their framework's transactions allow.
///
/// # Errors
/// The first failure, with the migration's path and line; a lost connection.
pub async fn apply(session: &Session, migrations: &[Migration]) -> Result<()> {
    for migration in migrations {
        let doing = format!("apply the migration {}", migration.path);
        let together = migration.running == Running::Together;
        if together {
            session.batch(&doing, "BEGIN").await?;
        }
        for step in &migration.steps {
            session.batch(&doing, &step.text).await.map_err(|error| {
                let cause = error.causes().into_iter().next().unwrap_or_else(|| error.to_string());
                let code = error.code().map_or(String::new(), |code| format!(" ({code})"));
                Error::new(Kind::Environment, &doing)
                    .because(format!("line {}: {cause}{code}", step.line))
                    .help("migrations that are applied already have to run on an empty database")
            })?;
        }
        if together {
            session.batch(&doing, "COMMIT").await?;
        }
        // What a migration sets for its session is none of the next one's.
        session.batch(&doing, "RESET ALL").await?;
    }
    Ok(())
}

/// Runs the first statements of migrations that are known to run, each as it stands.
///
/// # Errors
/// As the server says; a lost connection.
pub async fn apply_prefix(session: &Session, migrations: &[Migration], statements: usize) -> Result<()> {
    let mut left = statements;
    for migration in migrations {
        for step in migration.steps.iter().take(left) {
            if step.control() == Control::None {
                session.batch("run a part of the migrations", &step.text).await?;
            }
        }
        left = left.saturating_sub(migration.steps.len());
        session.batch("run a part of the migrations", "RESET ALL").await?;
    }
    Ok(())
}

/// A run of migrations that is being traced.
struct Tracer<'a> {
    server: &'a Server,
    session: &'a Session,
    /// Before the first of them.
    old: Picture,
    traced: Vec<Traced>,
    transaction: usize,
    /// A transaction is open.
    open: bool,
    before: Picture,
}

/// Runs migrations as their framework does, and says what each statement did. A statement that fails ends them.
///
/// # Errors
/// A lost connection; [`Kind::Interrupted`].
pub async fn trace(server: &Server, migrations: &[Migration]) -> Result<Vec<Traced>> {
    let session = server.session("trace").await?;
    session.batch("set up the trace", "SET max_parallel_maintenance_workers = 0").await?;
    let old = picture(&session).await?;
    let before = old.clone();
    let mut tracer =
        Tracer { server, session: &session, old, traced: Vec::new(), transaction: 0, open: false, before };
    for (at, migration) in migrations.iter().enumerate() {
        if !tracer.migration(at, migration).await? {
            break;
        }
    }
    Ok(tracer.traced)
}

impl Tracer<'_> {
    /// Whether the next migration may run.
    async fn migration(&mut self, at: usize, migration: &Migration) -> Result<bool> {
        let together = match migration.running {
            Running::Together => true,
            Running::OneString => migration.steps.len() > 1,
            Running::Alone => false,
        };
        if together {
            self.begin().await?;
        }
        for step in 0..migration.steps.len() {
            let went = self.step(at, migration, step).await?;
            if !went {
                let _ = self.session.batch("roll back", "ROLLBACK").await;
                self.open = false;
                return Ok(false);
            }
        }
        if self.open {
            self.end("COMMIT").await?;
        }
        self.session.batch("end a migration", "RESET ALL; SET max_parallel_maintenance_workers = 0").await?;
        Ok(true)
    }

    async fn begin(&mut self) -> Result<()> {
        self.session.batch("begin a migration", "BEGIN").await?;
        self.transaction += 1;
        self.open = true;
        // What this session counted before is still there, and is subtracted.
        self.before = picture(self.session).await?;
        Ok(())
    }

    async fn end(&mut self, how: &str) -> Result<()> {
        self.session.batch("end a migration", how).await?;
        self.open = false;
        Ok(())
    }

    async fn step(&mut self, at: usize, migration: &Migration, step: usize) -> Result<bool> {
        let text = &migration.steps[step].text;
        match (migration.steps[step].control(), migration.running) {
            (Control::Begin, _) if !self.open => {
                self.begin().await?;
                return Ok(true);
            }
            (Control::Begin, _) => return Ok(true),
            (Control::End, _) => {
                if self.open {
                    self.end(text).await?;
                }
                return Ok(true);
            }
            (Control::None, _) => {}
        }
        let ours = !self.open;
        if ours {
            if crate::migrate::outside(text) {
                return self.outside(at, step, text).await;
            }
            self.begin().await?;
        }
        let held = self.before.locks.clone();
        let lock_timeout = self.before.lock_timeout;
        let mut traced =
            Traced { migration: at, step, transaction: self.transaction, lock_timeout, ..Traced::default() };
        if let Err(error) = self.session.batch("run a migration", text).await {
            traced.failure = Some(failure(error)?);
            self.traced.push(traced);
            return Ok(false);
        }
        let after = picture(self.session).await?;
        traced.effects = effects(&self.old, &self.before, &after, &held, text);
        self.before = after;
        self.traced.push(traced);
        if ours {
            if let Err(error) = self.session.batch("end a migration", "COMMIT").await {
                let failed = failure(error)?;
                if let Some(last) = self.traced.last_mut() {
                    last.failure = Some(failed);
                }
                return Ok(false);
            }
            self.open = false;
        }
        Ok(true)
    }

    /// A statement that no transaction may hold: its locks are seen from outside, while something stands in its way.
    async fn outside(&mut self, at: usize, step: usize, text: &str) -> Result<bool> {
        self.transaction += 1;
        self.before = picture(self.session).await?;
        let lock_timeout = self.before.lock_timeout;
        let mut traced =
            Traced { migration: at, step, transaction: self.transaction, lock_timeout, ..Traced::default() };
        let watcher = self.server.session("watch").await?;
        let stall = self.server.session("stall").await?;
        let tables: Vec<String> = self
            .old
            .relations
            .iter()
            .filter(|(oid, seen)| {
                self.before.relations.contains_key(oid) && matches!(seen.kind.as_str(), "r" | "p")
            })
            .filter_map(|(oid, _)| self.before.relations.get(oid).map(|seen| seen.name.clone()))
            .collect();
        let backend = self.session.rows("ask for our process", "SELECT pg_catalog.pg_backend_pid()").await?;
        let pid = backend.first().and_then(|row| row.first().cloned().flatten()).unwrap_or_default();
        // These take a lock that writers do not stand in the way of, and give it back before they wait.
        let (tokens, _) = crate::sql::token::tokenize(text);
        let vacuum = ["vacuum", "detach"].iter().any(|word| tokens.iter().any(|t| t.is_word(text, word)));
        stall.batch("stand in the way", &templates::stand_in_the_way(&tables, vacuum)).await?;
        let mut locks: Vec<(u32, String)> = Vec::new();
        let ended = {
            let mut running = std::pin::pin!(self.session.batch("run a migration", text));
            let began = std::time::Instant::now();
            let mut standing = true;
            loop {
                tokio::select! {
                    biased;
                    ended = &mut running => break ended,
                    () = tokio::time::sleep(LOOK) => {}
                }
                let seen = watcher.cells("watch a migration", WAITING, &[pid.as_str().into()]).await?;
                let mut waiting = false;
                for row in seen {
                    let [Some(oid), Some(mode), Some(granted)] = row.as_slice() else { continue };
                    waiting |= granted == "false";
                    if let Ok(oid) = oid.parse() {
                        let lock = (oid, mode.clone());
                        if !locks.contains(&lock) {
                            locks.push(lock);
                        }
                    }
                }
                if standing && (waiting || began.elapsed() > STALL) {
                    stall.batch("step aside", "ROLLBACK").await?;
                    standing = false;
                }
            }
        };
        let _ = stall.batch("step aside", "ROLLBACK").await;
        if let Err(error) = ended {
            traced.failure = Some(failure(error)?);
            self.traced.push(traced);
            return Ok(false);
        }
        let mut after = picture(self.session).await?;
        after.locks = locks;
        traced.effects = effects(&self.old, &self.before, &after, &[], text);
        self.before = Picture { locks: Vec::new(), ..after };
        self.traced.push(traced);
        Ok(true)
    }
}

/// What the server said; what ended the session ends us.
fn failure(error: Error) -> Result<Failure> {
    if matches!(error.kind(), Kind::Connect | Kind::Interrupted) {
        return Err(error);
    }
    let message = error.causes().into_iter().next().unwrap_or_else(|| error.to_string());
    Ok(Failure { sqlstate: error.code().map(str::to_owned), message })
}
