//! Runs migrations on a database of ours and writes down what each statement did.
//!
//! Refuses to run on a database that pgproof did not make. Refuses to judge what it sees.

use super::apply::LIMIT;
use super::catalog::parse;
use super::missing::{Left, Missed, Missing};
use super::server::Server;
use super::session::Session;
use super::templates;
use crate::error::{Error, Kind, Result};
use crate::migrate::effects::{effects, mark_end, undo};
use crate::migrate::history::Line;
use crate::migrate::keys::{keys, mark_unserved};
use crate::migrate::traced::{Failure, Picture, Seen, Traced};
use crate::migrate::{Control, Migration, Running};
use std::collections::BTreeSet;
use std::time::Duration;

const PICTURE: &str = include_str!("queries/trace_picture.sql");
const LINES: &str = include_str!("queries/schema_lines.sql");
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

/// What the schema consists of now.
///
/// # Errors
/// As the server says.
pub async fn lines(session: &Session) -> Result<Vec<Line>> {
    let doing = "look at the schema";
    parse(doing, &session.query_json(doing, LINES, &[]).await?)
}

/// What a session is given before a migration: nothing of the one before.
fn anew() -> String {
    format!("RESET ALL; SET max_parallel_maintenance_workers = 0; {LIMIT}")
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
    missing: Missed,
    /// Savepoints of the open transaction, with how many statements were traced before each.
    savepoints: Vec<(String, usize)>,
    /// What the last statements are known by, if they are INSERTs: of a thousand alike, one is looked at.
    inserted: BTreeSet<u64>,
}

/// How a statement went.
enum Went {
    On,
    /// It failed, and nothing runs after it.
    Wrong,
    /// What was missing is there now, or is left out: its transaction runs once more.
    Again,
}

/// Runs migrations behind those of the base as their framework does, and says what each statement did, and what this
/// server lacks of what they ask for, beside what was `left` out before. A statement that fails ends them.
///
/// # Errors
/// A statement that may need what was left out; a lost connection; [`Kind::Interrupted`].
pub async fn trace(
    server: &Server,
    base: &[Migration],
    left: &[Left],
    migrations: &[Migration],
) -> Result<(Vec<Traced>, Vec<Missing>)> {
    let session = server.session("trace").await?;
    session.batch("set up the trace", &anew()).await?;
    let old = picture(&session).await?;
    let mut tracer = Tracer {
        server,
        session: &session,
        before: old.clone(),
        missing: Missed::after(base, left, &old),
        old,
        traced: Vec::new(),
        transaction: 0,
        open: false,
        savepoints: Vec::new(),
        inserted: BTreeSet::new(),
    };
    for (at, migration) in migrations.iter().enumerate() {
        if !tracer.migration(at, migration).await? {
            break;
        }
    }
    let end = tracer.before.clone();
    mark_end(&mut tracer.traced, &tracer.old, &end);
    mark_unserved(&mut tracer.traced, &tracer.old, &end);
    Ok((tracer.traced, tracer.missing.found))
}

impl Tracer<'_> {
    /// Whether the next migration may run.
    async fn migration(&mut self, at: usize, migration: &Migration) -> Result<bool> {
        let together = migration.running == Running::Together;
        self.inserted.clear();
        if together {
            self.begin().await?;
        }
        let (mut step, mut from, mut told) = (0, 0, self.traced.len());
        let steps = migration.steps.len();
        while step < steps || self.open {
            if !self.open {
                (from, told) = (step, self.traced.len());
                if migration.implied() && migration.steps[step].control() == Control::None {
                    self.inserted.clear();
                    self.begin().await?;
                }
            }
            let went = match step < steps {
                true => self.step(at, migration, step).await?,
                false => self.end(at, migration, steps.saturating_sub(1), "COMMIT").await?,
            };
            match went {
                Went::On => step += 1,
                Went::Again => {
                    self.open = false;
                    self.inserted.clear();
                    self.traced.truncate(told);
                    step = from;
                    if together && from == 0 {
                        self.begin().await?;
                    }
                }
                Went::Wrong => {
                    let _ = self.session.batch("roll back", "ROLLBACK").await;
                    self.open = false;
                    return Ok(false);
                }
            }
        }
        self.session.batch("end a migration", &anew()).await?;
        Ok(true)
    }

    /// What is in the database now, with what is known of before.
    async fn look(&self) -> Result<Picture> {
        let mut now = picture(self.session).await?;
        now.carry(&self.before);
        Ok(now)
    }

    async fn begin(&mut self) -> Result<()> {
        self.session.batch("begin a migration", "BEGIN").await?;
        self.transaction += 1;
        self.open = true;
        self.savepoints.clear();
        // What this session counted before is still there, and is subtracted.
        self.before = self.look().await?;
        Ok(())
    }

    /// Ends the transaction. What was put off to its end may fail there.
    async fn end(&mut self, at: usize, migration: &Migration, step: usize, how: &str) -> Result<Went> {
        let ended = self.session.batch("end a migration", how).await;
        self.open = false;
        let Err(error) = ended else { return Ok(Went::On) };
        if self.missing.hurry(self.session, migration, &error).await? {
            return Ok(Went::Again);
        }
        let failed = failure(error)?;
        match self.traced.last_mut().filter(|last| (last.migration, last.step) == (at, step)) {
            Some(last) => last.failure = Some(failed),
            None => self.traced.push(Traced {
                migration: at,
                step,
                transaction: self.transaction,
                lock_timeout: self.before.lock_timeout,
                failure: Some(failed),
                ..Traced::default()
            }),
        }
        Ok(Went::Wrong)
    }

    async fn step(&mut self, at: usize, migration: &Migration, step: usize) -> Result<Went> {
        let text = &migration.steps[step].text;
        match migration.steps[step].control() {
            Control::Begin if !self.open => {
                self.inserted.clear();
                self.begin().await?;
                return Ok(Went::On);
            }
            Control::Begin => return Ok(Went::On),
            Control::End if self.open => {
                let went = self.end(at, migration, step, text).await?;
                if migration.steps[step].undoes().is_some() {
                    let first = self.traced.partition_point(|traced| traced.transaction < self.transaction);
                    undo(&mut self.traced[first..]);
                    self.before = self.look().await?;
                }
                return Ok(went);
            }
            Control::End => return Ok(Went::On),
            Control::None => {}
        }
        if self.missing.skips(migration, step) {
            return Ok(Went::On);
        }
        let ours = !self.open;
        match inserting(text) {
            Some(insert) if !self.inserted.insert(insert) => return self.unseen(at, migration, step).await,
            Some(_) => {}
            None => self.inserted.clear(),
        }
        if ours {
            if crate::migrate::outside(text) {
                return self.outside(at, migration, step).await;
            }
            self.begin().await?;
        }
        let held = self.before.locks.clone();
        let mut traced = self.traced_at(at, step);
        let sent = self.missing.text(migration, step);
        if let Err(error) = self.session.batch("run a migration", &sent).await {
            // VACUUM and its like, and what commits by itself: alone it may.
            if ours && matches!(error.code(), Some("25001" | "2D000")) {
                self.session.batch("roll back", "ROLLBACK").await?;
                self.open = false;
                return self.outside(at, migration, step).await;
            }
            if self.missing.mend(self.session, migration, step, &error).await? {
                return Ok(Went::Again);
            }
            traced.failure = Some(failure(error)?);
            self.traced.push(traced);
            return Ok(Went::Wrong);
        }
        let after = self.look().await?;
        traced.effects = effects(&self.old, &self.before, &after, &held, text);
        traced.keys = keys(&self.before, &after);
        self.before = after;
        self.missing.ran(self.session, text).await?;
        self.traced.push(traced);
        if let Some(name) = migration.steps[step].savepoint() {
            self.savepoints.push((name, self.traced.len()));
        }
        if let Some(Some(name)) = migration.steps[step].undoes()
            && let Some(at) = self.savepoints.iter().rposition(|(known, _)| *known == name)
        {
            undo(&mut self.traced[self.savepoints[at].1..]);
            self.savepoints.truncate(at + 1);
        }
        match ours {
            true => self.end(at, migration, step, "COMMIT").await,
            false => Ok(Went::On),
        }
    }

    /// One more INSERT like the last: it takes the same locks, which were seen.
    async fn unseen(&mut self, at: usize, migration: &Migration, step: usize) -> Result<Went> {
        let mut traced = self.traced_at(at, step);
        if !self.open {
            self.transaction += 1;
            traced.transaction = self.transaction;
        }
        let ran = self.session.batch("run a migration", &self.missing.text(migration, step)).await;
        let wrong = match ran {
            Ok(()) => false,
            Err(error) if self.missing.mend(self.session, migration, step, &error).await? => {
                return Ok(Went::Again);
            }
            Err(error) => {
                traced.failure = Some(failure(error)?);
                true
            }
        };
        self.traced.push(traced);
        Ok(if wrong { Went::Wrong } else { Went::On })
    }

    fn traced_at(&self, migration: usize, step: usize) -> Traced {
        let lock_timeout = self.before.lock_timeout;
        Traced { migration, step, transaction: self.transaction, lock_timeout, ..Traced::default() }
    }

    /// Locks on the tables of before, so that a statement waits where it would else be done before we have looked.
    async fn obstacle(&self, text: &str) -> Result<Obstacle> {
        let there = self.before.relations.iter().filter(|(oid, _)| self.old.relations.contains_key(oid));
        let named = |wanted: &dyn Fn(&Seen) -> bool| -> Vec<String> {
            there.clone().filter(|(_, seen)| wanted(seen)).map(|(_, seen)| seen.name.clone()).collect()
        };
        let parts = named(&|seen| matches!(seen.kind.as_str(), "r" | "p") && seen.parent.is_some());
        let others = named(&|seen| matches!(seen.kind.as_str(), "r" | "p") && seen.parent.is_none());
        // These take a lock that writers do not stand in the way of.
        let (tokens, _) = crate::sql::token::tokenize(text);
        let own = ["vacuum", "detach"].iter().any(|word| tokens.iter().any(|t| t.is_word(text, word)));
        let mode = if own { "SHARE UPDATE EXCLUSIVE" } else { "ROW EXCLUSIVE" };
        let (first, last) = (self.server.session("stall").await?, self.server.session("stall").await?);
        let batch = [
            "BEGIN".to_owned(),
            templates::lock_tables(&parts, mode),
            "SAVEPOINT parts".to_owned(),
            templates::lock_tables(&others, mode),
        ];
        first.batch("stand in the way", &batch.join("; ")).await?;
        let batch = format!("BEGIN; {}", templates::lock_tables(&parts, "ACCESS SHARE"));
        last.batch("stand in the way", &batch).await?;
        Ok(Obstacle { sessions: [first, last], stage: 0 })
    }

    /// A statement that no transaction may hold: its locks are seen from outside, while something stands in its way.
    async fn outside(&mut self, at: usize, migration: &Migration, step: usize) -> Result<Went> {
        let text = &migration.steps[step].text;
        self.transaction += 1;
        self.before = self.look().await?;
        let mut traced = self.traced_at(at, step);
        let watcher = self.server.session("watch").await?;
        let mut obstacle = self.obstacle(text).await?;
        let backend = self.session.rows("ask for our process", "SELECT pg_catalog.pg_backend_pid()").await?;
        let pid = backend.first().and_then(|row| row.first().cloned().flatten()).unwrap_or_default();
        let mut locks: Vec<(u32, String)> = Vec::new();
        let ended = {
            let mut running = std::pin::pin!(self.session.batch("run a migration", text));
            let began = std::time::Instant::now();
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
                if waiting || began.elapsed() > STALL {
                    obstacle.give_way().await?;
                }
            }
        };
        while obstacle.give_way().await? {}
        if let Err(error) = ended {
            if self.missing.mend(self.session, migration, step, &error).await? {
                return Ok(Went::Again);
            }
            traced.failure = Some(failure(error)?);
            self.traced.push(traced);
            return Ok(Went::Wrong);
        }
        let mut after = self.look().await?;
        after.locks = locks;
        traced.effects = effects(&self.old, &self.before, &after, &[], text);
        traced.keys = keys(&self.before, &after);
        self.before = Picture { locks: Vec::new(), ..after };
        self.traced.push(traced);
        Ok(Went::On)
    }
}

/// Two sessions that stand in a statement's way and give way bit by bit: first where tables are asked for, then where
/// partitions are, then for whoever waits until the first session is gone, at last where partitions are asked for alone.
struct Obstacle {
    sessions: [Session; 2],
    stage: usize,
}

impl Obstacle {
    /// Whether there was anything left to give.
    async fn give_way(&mut self) -> Result<bool> {
        let [first, last] = &self.sessions;
        let (session, how) = match self.stage {
            0 => (first, "ROLLBACK TO parts"),
            1 => (first, "ROLLBACK"),
            2 => (last, "ROLLBACK"),
            _ => return Ok(false),
        };
        self.stage += 1;
        session.batch("step aside", how).await?;
        Ok(true)
    }
}

/// What an INSERT of values is known by, whatever they are.
fn inserting(text: &str) -> Option<u64> {
    let (tokens, _) = crate::sql::token::tokenize(text);
    let word = |word: &str| tokens.iter().any(|t| t.is_word(text, word));
    let insert = tokens.first().is_some_and(|t| t.is_word(text, "insert"));
    (insert && word("values") && !word("select")).then(|| crate::sql::fingerprint(text))
}

/// It is no word about a statement: the session is over.
pub fn ends(error: &Error) -> bool {
    matches!(error.kind(), Kind::Connect | Kind::Interrupted)
}

/// What the server said; what ended the session ends us.
fn failure(error: Error) -> Result<Failure> {
    if ends(&error) {
        return Err(error);
    }
    let mut message = error.cause();
    // Which view, which key: of many, the first.
    let causes = error.causes();
    let detail = causes.iter().find_map(|line| line.strip_prefix("DETAIL: "));
    if let Some(first) = detail.and_then(|detail| detail.lines().next()) {
        message = format!("{message}: {}", first.trim_end_matches('.'));
    }
    Ok(Failure { sqlstate: error.code().map(str::to_owned), message })
}
