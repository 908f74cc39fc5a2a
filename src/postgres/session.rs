//! One session: a guarded transaction, statements in one round trip each, and a clean end on interrupt.
//!
//! Refuses to leave anything behind: no named statement, no open transaction in the pool, no setting.

use super::connect::Notice;
use super::interrupt::Interrupt;
use super::pool::Pooled;
use super::server::{Shared, Version};
use super::server_error::{is_cancel, is_lost, statement_error};
use super::templates::{self, COMMIT, Guards, ROLLBACK, marked};
use crate::error::{Error, Kind, Result};
use bytes::BytesMut;
use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type};
use tokio_postgres::{CancelToken, NoTls, Row, SimpleQueryMessage};

/// How long a cancelled statement may take to end before we drop the connection.
const CANCEL_PATIENCE: Duration = Duration::from_secs(5);

/// A parameter as text, for the server to read as whatever type it infers. `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextParam(pub Option<String>);

impl From<&str> for TextParam {
    fn from(text: &str) -> Self {
        TextParam(Some(text.to_owned()))
    }
}

impl ToSql for TextParam {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match &self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A cell whose binary form is its text: text and its kin, json, xml, and jsonb behind its version byte.
struct TextCell(String);

impl<'a> FromSql<'a> for TextCell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        let text = if *kind == Type::JSONB { raw.get(1..).unwrap_or_default() } else { raw };
        Ok(TextCell(std::str::from_utf8(text)?.to_owned()))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::JSON, Type::JSONB, Type::XML, Type::UNKNOWN].contains(kind) || <&str as FromSql>::accepts(kind)
    }
}

/// A connection for one task at a time. Dropped inside a transaction, it closes its connection.
pub struct Session {
    /// `None` only while `drop` runs.
    connection: Option<Pooled>,
    shared: Arc<Shared>,
    phase: &'static str,
    in_transaction: bool,
    shielded: bool,
    /// Settings of ours stand in the connection: nobody else may have it.
    closing: bool,
    /// A statement was sent and its end not seen: the connection is of no further use.
    unfinished: AtomicBool,
    /// The server said that it closes the connection, or did.
    lost: AtomicBool,
    /// A cancel request is on its way, or was too late for its statement.
    cancel_sent: AtomicBool,
    round_trips: AtomicU64,
}

impl Session {
    pub(super) fn new(connection: Pooled, shared: Arc<Shared>, phase: &'static str) -> Self {
        Session {
            connection: Some(connection),
            shared,
            phase,
            in_transaction: false,
            shielded: false,
            closing: false,
            unfinished: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            cancel_sent: AtomicBool::new(false),
            round_trips: AtomicU64::new(0),
        }
    }

    /// Opens a transaction with its limits, in one round trip. `extra` are settings local to it.
    ///
    /// # Errors
    /// As the server says; the transaction is then closed again.
    pub async fn begin(&mut self, guards: &Guards, extra: &[(&str, String)]) -> Result<()> {
        self.in_transaction = true;
        // The role's own limit on a whole transaction (17+) would close the connection; each statement has ours. One
        // of ours in `extra` comes second: a timer that runs is stopped by 0 alone.
        let version =
            self.connection().beside.parameters.get("server_version").and_then(|text| Version::parse(text));
        let limited = version.is_some_and(|version| version.major() >= 17);
        let no_limit = limited.then(|| ("transaction_timeout", "0".to_owned()));
        let extra: Vec<(&str, String)> = no_limit.into_iter().chain(extra.iter().cloned()).collect();
        let begun = self.batch("begin a transaction", &templates::begin(guards, &extra)).await;
        if begun.is_err() {
            let _ = self.rollback().await;
        }
        begun
    }

    /// Undoes the transaction. It runs to its end even when somebody asks us to stop.
    ///
    /// # Errors
    /// [`Kind::Connect`] when the connection is lost: the server then undoes it alone.
    pub async fn rollback(&mut self) -> Result<()> {
        let shielded = std::mem::replace(&mut self.shielded, true);
        let ended = self.batch("roll back", ROLLBACK).await;
        self.shielded = shielded;
        if ended.is_ok() {
            self.in_transaction = false;
        }
        ended
    }

    /// Undoes the transaction and then runs `sql`, in one message: also where the transaction has failed, and on
    /// the same server process behind a pooler.
    ///
    /// # Errors
    /// As the server says.
    pub async fn rollback_and(&mut self, sql: &str) -> Result<()> {
        let shielded = std::mem::replace(&mut self.shielded, true);
        let ended = self.batch("roll back", &format!("{ROLLBACK}; {sql}")).await;
        self.shielded = shielded;
        if ended.is_ok() {
            self.in_transaction = false;
        }
        ended
    }

    /// Keeps what the transaction did.
    ///
    /// # Errors
    /// As the server says, such as for deferred constraints; nothing is kept then.
    pub async fn commit(&mut self) -> Result<()> {
        let ended = self.batch("commit", COMMIT).await;
        if ended.is_ok() {
            self.in_transaction = false;
        }
        ended
    }

    /// From here on, an interrupt does not cancel statements: for undoing and cleaning up.
    pub fn uninterruptible(&mut self) -> &mut Self {
        self.shielded = true;
        self
    }

    /// Statements from here on carry this phase in their marker.
    pub fn mark(&mut self, phase: &'static str) -> &mut Self {
        self.phase = phase;
        self
    }

    /// Stops the statement that somebody gave up waiting for, and waits for its end.
    ///
    /// # Errors
    /// [`Kind::Connect`] when it does not end: the connection is then closed with this session.
    pub async fn stop(&self, doing: &str) -> Result<()> {
        if !self.unfinished.load(Ordering::Relaxed) {
            return Ok(());
        }
        let work = Box::pin(async move { self.connection().client.simple_query("").await }) as Work<'_, _>;
        // The cancel may also hit our own empty statement, which is as good an end.
        self.send_after_abandoned(doing, work).await.map(drop)
    }

    /// The connection is closed after use: it will carry settings that no other task should see.
    pub fn close_after_use(&mut self) {
        self.closing = true;
    }

    /// Whether a transaction is open, as far as `begin`, `commit` and `rollback` know.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Runs statements for their effect, in one round trip.
    ///
    /// # Errors
    /// As the server says, with the place in `sql`; [`Kind::Interrupted`].
    pub async fn batch(&self, doing: &str, sql: &str) -> Result<()> {
        self.rows(doing, sql).await.map(drop)
    }

    /// Runs statements and returns every row as text, in one round trip; `None` is NULL.
    ///
    /// # Errors
    /// As [`Session::batch`].
    pub async fn rows(&self, doing: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        if crate::sql::copies_in(sql) {
            return Err(Error::new(Kind::Sql, doing)
                .because("COPY … FROM STDIN waits for data that only psql would send")
                .help("write INSERT statements: `pg_dump --inserts` does"));
        }
        let work = || {
            let sql = self.marked(sql);
            Box::pin(async move { self.connection().client.simple_query(&sql).await }) as Work<'_, _>
        };
        let messages: Vec<SimpleQueryMessage> = self.send(doing, sql, work).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Runs one statement with parameters, whose types the server infers, unnamed and in one round trip.
    /// Columns of types outside the core catalog cost more: cast them to text.
    ///
    /// # Errors
    /// As [`Session::batch`].
    pub async fn query(&self, doing: &str, sql: &str, params: &[TextParam]) -> Result<Vec<Row>> {
        let work = || {
            let client = &self.connection().client;
            let sql = self.marked(sql);
            Box::pin(async move {
                let typed: Vec<(&(dyn ToSql + Sync), Type)> =
                    params.iter().map(|param| (param as &(dyn ToSql + Sync), Type::UNKNOWN)).collect();
                client.query_typed(&sql, &typed).await
            }) as Work<'_, _>
        };
        self.send(doing, sql, work).await
    }

    /// The one text or JSON cell that a statement returns.
    ///
    /// # Errors
    /// As [`Session::batch`]; [`Kind::Server`] when the answer is not one cell of text.
    pub async fn query_json(&self, doing: &str, sql: &str, params: &[TextParam]) -> Result<String> {
        let rows = self.query(doing, sql, params).await?;
        let cell = match rows.as_slice() {
            [row] if row.len() == 1 => row.try_get::<_, Option<TextCell>>(0).ok().flatten(),
            _ => None,
        };
        cell.map(|cell| cell.0).ok_or_else(|| {
            Error::new(Kind::Server, doing).because("the server did not answer with one cell of text")
        })
    }

    /// Every row's cells of text or JSON, `None` for NULL; any other type is `None` too: cast it.
    ///
    /// # Errors
    /// As [`Session::batch`].
    pub async fn cells(
        &self,
        doing: &str,
        sql: &str,
        params: &[TextParam],
    ) -> Result<impl Iterator<Item = Vec<Option<String>>> + use<>> {
        let rows = self.query(doing, sql, params).await?;
        let cell = |row: &Row, at| row.try_get::<_, Option<TextCell>>(at).ok().flatten().map(|cell| cell.0);
        Ok(rows.into_iter().map(move |row| (0..row.len()).map(|at| cell(&row, at)).collect()))
    }

    /// What the server said beside its answers, on this connection; empties the list.
    pub fn notices(&self) -> Vec<Notice> {
        self.connection().beside.notices.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
    }

    /// Statements and batches sent by this session: each costs one round trip.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    fn connection(&self) -> &Pooled {
        // `drop` alone takes it away.
        self.connection.as_ref().expect("a live session has its connection")
    }

    fn marked(&self, sql: &str) -> String {
        marked(self.phase, sql)
    }

    /// Sends one statement or batch. Unless shielded, an interrupt cancels it; once shielded, a cancel request
    /// that was too late for its own statement does not count against the next one.
    async fn send<'s, T>(&'s self, doing: &str, sql: &str, work: impl Fn() -> Work<'s, T>) -> Result<T> {
        let explain = |error| {
            let asked = self.shared.interrupt.is_raised();
            statement_error(doing, error, sql, marked(self.phase, "").chars().count(), asked)
        };
        if self.unfinished.load(Ordering::Relaxed) {
            return self.send_after_abandoned(doing, work()).await?.map_err(explain);
        }
        if self.shielded {
            return match self.counted(work()).await {
                Err(error) if is_cancel(&error) && self.cancel_sent.swap(false, Ordering::Relaxed) => {
                    self.counted(work()).await.map_err(explain)
                }
                ended => ended.map_err(explain),
            };
        }
        if self.shared.interrupt.is_raised() {
            return Err(Interrupt::error(doing));
        }
        let mut running = std::pin::pin!(self.counted(work()));
        tokio::select! {
            biased;
            ended = &mut running => return ended.map_err(explain),
            () = self.shared.interrupt.raised() => {}
        }
        self.cancel_sent.store(true, Ordering::Relaxed);
        let stopping = async {
            // Best effort: without it we still wait, then drop the connection.
            let _ = cancel(self.connection().client.cancel_token(), &self.shared).await;
            running.await
        };
        if let Ok(Err(error)) = tokio::time::timeout(CANCEL_PATIENCE, stopping).await
            && is_cancel(&error)
        {
            self.cancel_sent.store(false, Ordering::Relaxed);
        }
        Err(Interrupt::error(doing))
    }

    /// Somebody stopped waiting for the statement before this one: stop it on the server first, for ours queues
    /// behind it on the wire.
    async fn send_after_abandoned<T>(
        &self,
        doing: &str,
        work: Work<'_, T>,
    ) -> Result<std::result::Result<T, tokio_postgres::Error>> {
        self.cancel_sent.store(true, Ordering::Relaxed);
        let stopping = async {
            let _ = cancel(self.connection().client.cancel_token(), &self.shared).await;
            self.counted(work).await
        };
        tokio::time::timeout(CANCEL_PATIENCE, stopping).await.map_err(|_| {
            let limit = CANCEL_PATIENCE.as_secs();
            Error::new(Kind::Connect, doing)
                .because(format!("the server did not stop the statement before it within {limit} s"))
        })
    }

    /// Counts a round trip, and remembers while its end is outstanding.
    async fn counted<T>(&self, work: Work<'_, T>) -> std::result::Result<T, tokio_postgres::Error> {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        self.shared.round_trips.fetch_add(1, Ordering::Relaxed);
        self.unfinished.store(true, Ordering::Relaxed);
        let ended = work.await;
        self.unfinished.store(false, Ordering::Relaxed);
        if ended.as_ref().is_err_and(is_lost) {
            self.lost.store(true, Ordering::Relaxed);
        }
        ended
    }
}

/// A statement on its way, made anew for a second attempt.
type Work<'a, T> = Pin<Box<dyn Future<Output = std::result::Result<T, tokio_postgres::Error>> + Send + 'a>>;

/// Asks the server to stop what this session runs, over TLS where the session uses it.
async fn cancel(token: CancelToken, shared: &Shared) -> std::result::Result<(), tokio_postgres::Error> {
    match shared.tls.made() {
        Some(tls) => token.cancel_query(tls).await,
        None => token.cancel_query(NoTls).await,
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let unfinished = self.unfinished.load(Ordering::Relaxed);
        let doubtful = self.lost.load(Ordering::Relaxed) || self.cancel_sent.load(Ordering::Relaxed);
        let Some(pooled) = self.connection.take() else { return };
        if !(self.in_transaction || unfinished || doubtful || self.closing) {
            return;
        }
        let (client, beside) = pooled.take();
        if !unfinished {
            return;
        }
        // Nobody waits for the statement any more: stop it on the server too, then close the socket.
        let shared = self.shared.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let stopping = cancel(client.cancel_token(), &shared);
                let _ = tokio::time::timeout(CANCEL_PATIENCE, stopping).await;
                beside.driver.abort();
            });
        }
    }
}
