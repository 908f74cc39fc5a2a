//! A server: the pool of connections to it, and its version.
//!
//! Refuses to hand out a connection that is broken or inside somebody's transaction.

use super::conninfo::ConnectOptions;
use super::interrupt::Interrupt;
use super::pool::{Pool, Pooled};
use super::session::Session;
use super::tls::Tls;
use crate::error::{Error, Kind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The version of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As in `server_version_num`: 150018 for 15.18.
    pub num: u32,
    /// As the server words it, such as `15.18 (Debian 15.18-1)`.
    pub text: String,
}

impl Version {
    /// The number alone, such as `15.18`.
    pub fn short(&self) -> &str {
        self.text.split_whitespace().next().unwrap_or(&self.text)
    }

    /// Reads `server_version`; `None` when it starts with no number.
    pub fn parse(text: &str) -> Option<Self> {
        let first = text.split_whitespace().next()?;
        let mut parts = first.split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        let major = parts.next()??;
        let second = parts.next().flatten().unwrap_or(0);
        let third = parts.next().flatten().unwrap_or(0);
        // Before version 10 the first two parts made the major version.
        let num = if major >= 10 { major * 10_000 + second } else { major * 10_000 + second * 100 + third };
        Some(Version { num, text: text.to_owned() })
    }

    /// The major version: 15 for 15.18.
    pub fn major(&self) -> u32 {
        self.num / 10_000
    }
}

/// What sessions of one server share.
pub(super) struct Shared {
    pub options: ConnectOptions,
    pub tls: Tls,
    pub interrupt: Interrupt,
    pub round_trips: AtomicU64,
}

/// A server that answered: a pool of connections to it.
#[derive(Clone)]
pub struct Server {
    pool: Pool,
    shared: Arc<Shared>,
    version: Version,
    in_recovery: Option<bool>,
}

impl Server {
    /// Makes the first connection of a pool with room for `pool_size`.
    ///
    /// # Errors
    /// [`Kind::Connect`] with what to do; [`Kind::Config`] for certificate files; [`Kind::Interrupted`].
    pub async fn connect(options: ConnectOptions, pool_size: usize, interrupt: Interrupt) -> Result<Server> {
        let shared =
            Arc::new(Shared { options, tls: Tls::default(), interrupt, round_trips: AtomicU64::new(0) });
        let pool = Pool::new(shared.clone(), pool_size)?;
        let mut server =
            Server { pool, shared, version: Version { num: 0, text: String::new() }, in_recovery: None };
        let first = server.take().await?;
        let parameters = &first.beside.parameters;
        let reported = parameters.get("server_version").and_then(|text| Version::parse(text));
        server.version = reported.ok_or_else(|| {
            Error::new(Kind::Connect, format!("connect to {}", server.describe()))
                .because("the server did not report its version")
                .help("is this a PostgreSQL server, or a pooler in front of one?")
        })?;
        server.in_recovery = parameters.get("in_hot_standby").map(|value| value == "on");
        drop(first);
        Ok(server)
    }

    /// The server's version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whether the server is a standby, where it said so without being asked (14 and newer, not through PgBouncer).
    pub fn in_recovery(&self) -> Option<bool> {
        self.in_recovery
    }

    /// The settings that led here.
    pub fn options(&self) -> &ConnectOptions {
        &self.shared.options
    }

    /// Where we are connected, such as `shop on db.example.com:5432 as alice`.
    pub fn describe(&self) -> String {
        self.shared.options.describe()
    }

    /// Statements and batches sent so far, over all sessions: each costs one round trip.
    pub fn round_trips(&self) -> u64 {
        self.shared.round_trips.load(Ordering::Relaxed)
    }

    /// A session whose statements carry the marker `/* pgproof:PHASE */`; an empty phase gives `/* pgproof */`.
    /// Waits while all connections are in use.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn session(&self, phase: &'static str) -> Result<Session> {
        let connection = self.take().await?;
        Ok(Session::new(connection, self.shared.clone(), phase))
    }

    /// A session for cleaning up: it is made and works even after somebody asked us to stop.
    ///
    /// # Errors
    /// As [`Server::connect`], without [`Kind::Interrupted`].
    pub async fn cleaning_session(&self, phase: &'static str) -> Result<Session> {
        let connection = self.pool.get(&self.shared.options).await?;
        let mut session = Session::new(connection, self.shared.clone(), phase);
        session.uninterruptible();
        Ok(session)
    }

    /// A connection out of the pool, unless somebody asks us to stop first.
    async fn take(&self) -> Result<Pooled> {
        tokio::select! {
            biased;
            () = self.shared.interrupt.raised() => {
                Err(Interrupt::error(format!("connect to {}", self.describe())))
            }
            taken = self.pool.get(&self.shared.options) => taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_server_numbers_them() {
        for (text, num) in [
            ("15.18 (Debian 15.18-0+deb12u1)", 150_018),
            ("18beta1", 180_000),
            ("17.10", 170_010),
            ("9.6.24", 90_624),
            ("14devel", 140_000),
        ] {
            assert_eq!(Version::parse(text).map(|version| version.num), Some(num), "{text}");
        }
        assert_eq!(Version::parse("unknown"), None);
        assert_eq!(Version::parse(""), None);
    }
}
