//! Reads what analysis needs of the catalog: the server in one statement, all relations of a plan in another.
//!
//! Refuses to ask per table.

use super::session::{Session, TextParam};
use crate::catalog::{Catalog, QualifiedName, ServerInfo};
use crate::error::{Error, Kind, Result};
use serde::Deserialize;

const SERVER_INFO: &str = include_str!("queries/server_info.sql");
const CATALOG: &str = include_str!("queries/catalog.sql");

/// Version, database and settings of the server behind a session.
///
/// # Errors
/// As the server says.
pub async fn server_info(session: &Session) -> Result<ServerInfo> {
    let doing = "read the server's settings";
    let rows = session.rows(doing, SERVER_INFO).await?;
    let cell = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten().unwrap_or_default();
    parse(doing, &cell)
}

/// What the catalog says of some relations, and which functions are volatile.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CatalogFacts {
    #[serde(flatten)]
    pub catalog: Catalog,
    /// Names among those asked for that a volatile function outside `pg_catalog` has.
    pub volatile_functions: Vec<String>,
}

/// What is asked about one statement.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub relations: &'a [QualifiedName],
    /// Functions whose volatility matters.
    pub functions: &'a [String],
    /// It writes: the relations whose foreign keys lead to what it changes are wanted too.
    pub writes: bool,
    /// It has parameters: more of the columns' values are wanted.
    pub parameters: bool,
}

/// Reads what is `asked`, in one round trip.
///
/// # Errors
/// As the server says.
pub async fn read(session: &Session, asked: Asked<'_>) -> Result<CatalogFacts> {
    let doing = "read the catalog";
    let json = |value: serde_json::Result<String>| {
        value.map(|text| TextParam(Some(text))).map_err(|e| Error::new(Kind::Server, doing).because(e))
    };
    let flag = |value: bool| TextParam(Some(value.to_string()));
    let params = [
        json(serde_json::to_string(asked.relations))?,
        json(serde_json::to_string(asked.functions))?,
        flag(asked.writes),
        flag(asked.parameters),
    ];
    parse(doing, &session.query_json(doing, CATALOG, &params).await?)
}

pub(super) fn parse<'a, T: Deserialize<'a>>(doing: &str, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::new(Kind::Server, doing).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposals::TRIAL_PREFIX;

    #[test]
    fn trial_indexes_are_looked_for_by_their_prefix() {
        assert!(SERVER_INFO.contains(&format!("relname >= '{TRIAL_PREFIX}'")));
    }
}
