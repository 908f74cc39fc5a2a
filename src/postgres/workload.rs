//! Reads pg_stat_statements by the version and the schema of its extension.
//!
//! Refuses to reset it, to `SELECT *` from it, and to take a column that this version lacks for zero.

use super::catalog::parse;
use super::session::Session;
use super::templates::statements as statements_of;
use crate::error::{Error, Kind, Result};
use crate::sql::fingerprint;
use crate::workload::{Counters, Entry, FORMAT, Keys, Reading, Source};
use serde::Deserialize;
use std::collections::HashSet;

const SOURCE: &str = include_str!("queries/workload_source.sql");
const KEYS: &str = include_str!("queries/workload_keys.sql");

/// A column of the view: its name, and the versions of the extension that have it so: from, and below.
struct Column {
    name: &'static str,
    since: u32,
    until: u32,
}

const fn column(name: &'static str) -> Column {
    Column { name, since: 0, until: u32::MAX }
}

const fn between(name: &'static str, since: u32, until: u32) -> Column {
    Column { name, since, until }
}

/// What is read, each by the names it has had. The place in this list is the place in [`entry`].
const COLUMNS: &[&[Column]] = &[
    &[column("userid")],
    &[column("queryid")],
    &[between("toplevel", 9, u32::MAX)],
    &[column("query")],
    &[column("calls")],
    &[between("total_time", 0, 8), between("total_exec_time", 8, u32::MAX)],
    &[column("rows")],
    &[column("shared_blks_hit")],
    &[column("shared_blks_read")],
    &[column("shared_blks_dirtied")],
    &[column("shared_blks_written")],
    &[column("temp_blks_read")],
    &[column("temp_blks_written")],
    &[between("blk_read_time", 0, 11), between("shared_blk_read_time", 11, u32::MAX)],
    &[between("blk_write_time", 0, 11), between("shared_blk_write_time", 11, u32::MAX)],
    &[between("plans", 8, u32::MAX)],
    &[between("total_plan_time", 8, u32::MAX)],
    &[between("wal_bytes", 8, u32::MAX)],
    &[between(
        "(jit_generation_time + jit_inlining_time + jit_optimization_time + jit_emission_time)",
        10,
        u32::MAX,
    )],
    &[between("max_time", 0, 8), between("max_exec_time", 8, u32::MAX)],
    &[between("min_time", 0, 8), between("min_exec_time", 8, u32::MAX)],
    &[between("stddev_time", 0, 8), between("stddev_exec_time", 8, u32::MAX)],
    &[between("pg_catalog.date_part('epoch', stats_since)", 11, u32::MAX)],
];

/// What we ask ourselves. Since 18 the server keeps texts without the comment in front, which marks ours before.
const OWN: &[&str] = &[
    SOURCE,
    KEYS,
    include_str!("queries/catalog.sql"),
    include_str!("queries/control_system.sql"),
    include_str!("queries/snapshot_anchors.sql"),
    include_str!("queries/snapshot_described.sql"),
    include_str!("queries/snapshot_details.sql"),
    include_str!("queries/snapshot_indexes.sql"),
    include_str!("queries/snapshot_keys.sql"),
    include_str!("queries/snapshot_moment.sql"),
    include_str!("queries/snapshot_node.sql"),
    include_str!("queries/snapshot_reads.sql"),
    include_str!("queries/snapshot_recent.sql"),
    include_str!("queries/snapshot_rights.sql"),
    include_str!("queries/snapshot_sequences.sql"),
    include_str!("queries/snapshot_sizes.sql"),
    include_str!("queries/snapshot_tables.sql"),
    include_str!("queries/server_info.sql"),
    include_str!("queries/backend.sql"),
    include_str!("queries/built_index.sql"),
    include_str!("queries/end_backend.sql"),
    include_str!("queries/identity.sql"),
    include_str!("queries/leftovers.sql"),
    include_str!("queries/parameter_count.sql"),
    include_str!("queries/pooler_probe.sql"),
    include_str!("queries/session_state.sql"),
];

/// How what we ask begins, where it is made of parts.
const OWN_WORDS: &[&str] = &[
    "/* pgproof",
    "EXPLAIN (FORMAT JSON, VERBOSE, SETTINGS",
    "EXPLAIN (FORMAT JSON, ANALYZE",
    "SET LOCAL \"",
    "SET LOCAL statement_timeout",
    "SET LOCAL lock_timeout",
    "SET LOCAL idle_in_transaction_session_timeout",
    "DO $pgproof$",
    "SELECT pg_catalog.set_config('pgproof",
    "SELECT pg_catalog.current_setting('pgproof",
    "SELECT pg_catalog.set_config($1",
    "PREPARE pgproof_q",
    "DEALLOCATE pgproof_q",
    "BEGIN READ ONLY",
    "SELECT s.*, i.reset, i.dealloc FROM (",
];

fn ours(text: &str, own: &HashSet<u64>) -> bool {
    OWN_WORDS.iter().any(|words| text.starts_with(words)) || own.contains(&fingerprint(text)) || long(text)
}

/// The longest of ours, of which some constants are folded, begins with enough words to be told by them.
fn long(text: &str) -> bool {
    let head = |text: &'static str| {
        let first = crate::sql::token::tokenize(text).0.first()?.start;
        text[first..].split(['$', '\'']).next().filter(|head| head.len() > 40)
    };
    OWN.iter().filter_map(|own| head(own)).any(|head| text.starts_with(head))
}

/// What the role may not see is replaced by this.
const HIDDEN: &str = "<insufficient privilege>";

#[derive(Deserialize)]
struct Asked {
    server: String,
    database: String,
    extension: Option<String>,
    schema: Option<String>,
    available: bool,
    at: f64,
    started: f64,
    max: Option<i64>,
    track: Option<String>,
    planning: bool,
    io_timing: bool,
    query_ids: bool,
    identifies: bool,
    role: String,
}

/// Takes a reading. `gaps` gets a sentence for each thing that could not be seen, with its remedy.
///
/// # Errors
/// [`Kind::Server`] where the extension is absent or not loaded, with what to do; as the server says.
pub async fn reading(session: &Session, gaps: &mut Vec<String>) -> Result<Reading> {
    let doing = "read pg_stat_statements";
    let asked: Asked = parse(doing, &session.query_json(doing, SOURCE, &[]).await?)?;
    let (Some(extension), Some(schema)) = (&asked.extension, &asked.schema) else {
        return Err(absent(doing, &asked));
    };
    let version = minor(extension).ok_or_else(|| {
        Error::new(Kind::Server, doing)
            .because(format!("version {extension} of the extension is none that is known"))
    })?;
    let names: Vec<Option<&str>> = COLUMNS.iter().map(|names| name_in(names, version)).collect();
    let sql = statements_of(schema, &names, version >= 9);
    let rows = session.rows(doing, &sql).await.map_err(|error| {
        // 55000: the library was not loaded when the server started.
        match error.code() {
            Some("55000") => error.help(
                "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements' (with what is there already), \
                 and restart the server",
            ),
            Some("42501") => error.help(format!(
                "GRANT USAGE ON SCHEMA {} TO {}",
                crate::sql::ident::quote(schema),
                crate::sql::ident::quote(&asked.role)
            )),
            _ => error,
        }
    })?;
    let mut entries: Vec<Entry> = Vec::with_capacity(rows.len());
    let own: HashSet<u64> = OWN.iter().map(|text| fingerprint(text)).collect();
    let (mut reset, mut evictions) = (None, None);
    for mut row in rows {
        let last = row.split_off(COLUMNS.len().min(row.len()));
        let number = |at: usize| last.get(at).and_then(|cell| cell.as_deref()?.parse::<f64>().ok());
        (reset, evictions) = (number(0), number(1).map(|n| n as i64));
        // An empty view still has its one row about itself.
        if row.first().is_some_and(Option::is_some) {
            let entry = entry(&row);
            let ours = entry.text.as_deref().is_some_and(|text| ours(text.trim_start(), &own));
            entries.push(Entry { ours, ..entry });
        }
    }
    tell(&asked, &entries, version, gaps);
    let system = if asked.identifies { super::snapshot::system(session).await? } else { None };
    Ok(Reading {
        format: FORMAT,
        source: Source {
            server: asked.server,
            database: asked.database,
            system,
            extension: extension.clone(),
            at: asked.at,
            started: asked.started,
            reset,
            evictions,
            max: asked.max,
            track: asked.track,
            planning: asked.planning,
            io_timing: asked.io_timing,
        },
        entries,
    })
}

/// The keys that tell which tables belong together.
///
/// # Errors
/// As the server says.
pub async fn keys(session: &Session) -> Result<Keys> {
    let doing = "read the keys of the tables";
    parse(doing, &session.query_json(doing, KEYS, &[]).await?)
}

fn absent(doing: &str, asked: &Asked) -> Error {
    let error = Error::new(Kind::Server, doing)
        .because(format!("the extension is not installed in the database {}", asked.database));
    match (asked.track.is_some(), asked.available) {
        (true, _) => error.help("CREATE EXTENSION pg_stat_statements"),
        (false, true) => error.help(
            "add pg_stat_statements to shared_preload_libraries, restart the server, and run \
             CREATE EXTENSION pg_stat_statements",
        ),
        (false, false) => error.help(
            "install the server's contrib package, add pg_stat_statements to shared_preload_libraries, restart, and \
             run CREATE EXTENSION pg_stat_statements",
        ),
    }
}

/// `1.10` is 10.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.parse().ok()
}

fn name_in(names: &[Column], version: u32) -> Option<&'static str> {
    names.iter().find(|c| (c.since..c.until).contains(&version)).map(|c| c.name)
}

fn entry(row: &[Option<String>]) -> Entry {
    let cell = |at: usize| row.get(at).and_then(Option::as_deref);
    let number = |at: usize| cell(at).and_then(|text| text.parse::<f64>().ok());
    let some = |at: usize| number(at).unwrap_or(0.0);
    let text = cell(3);
    Entry {
        user: cell(0).and_then(|text| text.parse().ok()).unwrap_or(0),
        query_id: cell(1).and_then(|text| text.parse().ok()),
        toplevel: cell(2).map(|text| text == "t"),
        ours: false,
        hidden: text == Some(HIDDEN),
        text: text.filter(|text| *text != HIDDEN).map(str::to_owned),
        counters: Counters {
            calls: some(4),
            total_ms: some(5),
            rows: some(6),
            hit: some(7),
            read: some(8),
            dirtied: some(9),
            written: some(10),
            temp_read: some(11),
            temp_written: some(12),
            read_ms: some(13),
            write_ms: some(14),
            plans: number(15),
            planning_ms: number(16),
            wal_bytes: number(17),
            jit_ms: number(18),
        },
        max_ms: some(19),
        min_ms: some(20),
        deviation_ms: some(21),
        since: number(22),
    }
}

fn tell(asked: &Asked, entries: &[Entry], version: u32, gaps: &mut Vec<String>) {
    let hidden = entries.iter().filter(|e| e.hidden).count();
    if hidden > 0 {
        gaps.push(format!(
            "the texts of {hidden} of {} statements: GRANT pg_read_all_stats TO {}",
            entries.len(),
            crate::sql::ident::quote(&asked.role)
        ));
    }
    let lost = entries.iter().filter(|e| e.text.is_none() && !e.hidden).count();
    if lost > 0 {
        gaps.push(format!(
            "the texts of {lost} of {} statements: the server lost its file of them, which grew too large; they come \
             back as statements are counted anew",
            entries.len()
        ));
    }
    if asked.track.as_deref() == Some("all") && version < 9 {
        gaps.push(format!(
            "which statements are nested in others: pg_stat_statements.track is all and version 1.{version} does not \
             tell, so time is counted twice: ALTER EXTENSION pg_stat_statements UPDATE, from PostgreSQL 14 on"
        ));
    }
    if asked.track.as_deref() == Some("none") {
        gaps.push(
            "anything: pg_stat_statements.track is none: ALTER SYSTEM SET pg_stat_statements.track = 'top'"
                .into(),
        );
    }
    if !asked.query_ids {
        gaps.push(
            "anything: compute_query_id is off, so nothing is counted: ALTER SYSTEM SET compute_query_id = 'auto'"
                .into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_columns() {
        let names = |version: u32| -> Vec<&str> {
            COLUMNS.iter().filter_map(|names| name_in(names, version)).collect()
        };
        assert!(names(7).contains(&"total_time") && !names(7).contains(&"plans"));
        assert!(names(8).contains(&"total_exec_time") && !names(8).contains(&"toplevel"));
        assert!(names(10).contains(&"blk_read_time") && !names(11).contains(&"blk_read_time"));
        // A newer one has no less than the newest that is known.
        assert_eq!(names(12), names(40));
        assert_eq!((minor("1.7"), minor("1.12"), minor("2.0")), (Some(7), Some(12), None));
    }
}
