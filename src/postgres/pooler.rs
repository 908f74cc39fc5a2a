//! Whether settings stay with a connection, or a pooler in transaction mode is in between.
//!
//! Refuses to leave a setting: where another session sees ours, it is reset there.

use super::server::Server;
use super::session::Session;
use super::templates;
use crate::error::Result;

const POOLER_PROBE: &str = include_str!("queries/pooler_probe.sql");

/// Whether settings stay with the connection of `session`, which is to be closed after use. A pooler that hands out one
/// server process per transaction would give ours to somebody else, and theirs to us.
///
/// # Errors
/// As the server says.
pub async fn settings_stay(server: &Server, session: &Session, doing: &str) -> Result<bool> {
    let value = format!("{:016x}", fastrand::u64(..));
    session.batch(doing, &templates::set_session("pgproof.probe", &value)).await?;
    let other = server.session("probe").await?;
    let seen = |rows: Vec<Vec<Option<String>>>| rows.into_iter().flatten().flatten().any(|v| v == value);
    let leaked = seen(other.rows(doing, POOLER_PROBE).await?);
    if leaked {
        other.batch(doing, "RESET \"pgproof.probe\"").await?;
    }
    Ok(!leaked && seen(session.rows(doing, POOLER_PROBE).await?))
}
