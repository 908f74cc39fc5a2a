//! What a session can see of its server, in one statement.
//!
//! Refuses to change anything.

use super::catalog::parse;
use super::session::Session;
use crate::error::Result;
use serde::Deserialize;
use std::collections::BTreeMap;

const DOCTOR: &str = include_str!("queries/doctor.sql");

/// What the role may, what is installed, how the server is set.
#[derive(Debug, Clone, Deserialize)]
pub struct Sight {
    /// `server_version`, such as `15.18`.
    pub version: String,
    pub role: String,
    pub superuser: bool,
    /// Member of pg_monitor, and of pg_read_all_stats, which that contains.
    pub monitor: bool,
    pub read_stats: bool,
    /// Tables, those that the role may read, and those that it owns.
    pub tables: i64,
    pub readable: i64,
    pub owned: i64,
    /// Default versions of the extensions whose files are there.
    pub available: BTreeMap<String, String>,
    pub installed: BTreeMap<String, Installed>,
    pub settings: BTreeMap<String, String>,
    pub in_recovery: bool,
    pub hot_standby_feedback: bool,
    /// The server's clock, and when it was started, in seconds since 1970.
    pub at: f64,
    pub started: f64,
    /// When the counters of the database were last reset; a crash loses them and does not say so.
    pub counted_since: Option<f64>,
}

/// An extension of this database.
#[derive(Debug, Clone, Deserialize)]
pub struct Installed {
    pub version: String,
    pub schema: String,
}

/// Asks all of it.
///
/// # Errors
/// As the server says.
pub async fn sight(session: &Session) -> Result<Sight> {
    let doing = "look at what this role can see";
    parse(doing, &session.query_json(doing, DOCTOR, &[]).await?)
}

/// Whether pg_stat_statements can be read: it can be installed and not loaded. The error is the server's.
///
/// # Errors
/// As the server says.
pub async fn counts(session: &Session, schema: &str) -> Result<()> {
    session.batch("read pg_stat_statements", &super::templates::any_statement(schema)).await
}
