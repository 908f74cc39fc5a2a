//! The few statements that are put together: everything else we send is a file in `queries/`.
//!
//! Refuses to take an identifier or a literal without quoting it.

mod each;

pub(super) use each::{Unplanned, hold_each, plan_each};

use crate::sql::ident::{literal, qualified, quote};
use std::fmt::Write as _;
use std::time::Duration;

/// The limits that hold inside one transaction and are gone after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// How long one statement may run; zero is no limit.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock; zero is no limit.
    pub lock_timeout: Duration,
    /// How long the transaction may stay open while we do nothing; zero is no limit.
    pub idle_in_transaction_timeout: Duration,
    /// Whether the server refuses writes. Only trials set it to false.
    pub read_only: bool,
}

impl Default for Guards {
    /// The documented defaults: `--timeout 30s`, `--lock-timeout 1s`, read-only.
    fn default() -> Self {
        Guards {
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(1),
            idle_in_transaction_timeout: Duration::from_secs(60),
            read_only: true,
        }
    }
}

/// Ends the transaction and undoes it.
pub(super) const ROLLBACK: &str = "ROLLBACK";
/// Ends the transaction and keeps what it did. A lone COMMIT of a failed transaction reports success and undoes it;
/// the empty SELECT in front fails there.
pub(super) const COMMIT: &str = "SELECT; COMMIT";
/// Whether the server is in recovery, and whether the session refuses writes.
pub(super) const SESSION_STATE: &str = include_str!("queries/session_state.sql");

/// Opens a guarded transaction: one batch, one round trip. `extra` are further settings, local to it.
pub(super) fn begin(guards: &Guards, extra: &[(&str, String)]) -> String {
    let mode = if guards.read_only { "READ ONLY" } else { "READ WRITE" };
    let mut batch = format!("BEGIN {mode}");
    let limits = [
        ("statement_timeout", guards.statement_timeout),
        ("lock_timeout", guards.lock_timeout),
        ("idle_in_transaction_session_timeout", guards.idle_in_transaction_timeout),
    ];
    for (name, limit) in limits {
        let _ = write!(batch, "; SET LOCAL {name} = {}", millis(limit));
    }
    for (name, value) in extra {
        let _ = write!(batch, "; SET LOCAL {} = {}", setting_name(name), literal(value));
    }
    batch
}

/// What an EXPLAIN is for; it decides the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// The plan alone; nothing is executed.
    Plan,
    /// The plan for unknown parameter values (16+).
    Generic,
    /// Executed once, with everything the server can tell.
    Analyze,
    /// Executed once for its time: no clock calls per node.
    Measure,
}

/// The words in front of a statement to explain it. They end with a line feed, so that a place in the statement
/// is a place behind it. Options follow the server's major version: an unknown one would be an error.
pub(super) fn explain(kind: Explain, major: u32) -> String {
    let mut options = vec!["FORMAT JSON", "VERBOSE", "SETTINGS"];
    match kind {
        Explain::Plan => options.push("SUMMARY"),
        Explain::Generic => options.extend(["SUMMARY", "GENERIC_PLAN"]),
        Explain::Analyze => {
            options.extend(["ANALYZE", "BUFFERS", "WAL"]);
            if major >= 17 {
                options.extend(["SERIALIZE TEXT", "MEMORY"]);
            }
        }
        Explain::Measure => options.extend(["ANALYZE", "BUFFERS", "TIMING OFF"]),
    }
    format!("EXPLAIN ({})\n", options.join(", "))
}

/// The entries of pg_stat_statements about this database, a column each, NULL for those it lacks; and behind them
/// when it was reset and how often it threw entries out, where it `says` so. One row at least.
pub(super) fn statements(schema: &str, columns: &[Option<&str>], says: bool) -> String {
    let columns: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| match column {
            Some(column) => format!("{column} AS c{at}"),
            None => format!("NULL AS c{at}"),
        })
        .collect();
    let schema = quote(schema);
    let info = match says {
        true => format!(
            "SELECT pg_catalog.date_part('epoch', stats_reset) AS reset, dealloc FROM {schema}.pg_stat_statements_info"
        ),
        false => "SELECT NULL::float8 AS reset, NULL::int8 AS dealloc".to_owned(),
    };
    format!(
        "SELECT s.*, i.reset, i.dealloc FROM ({info}) i LEFT JOIN (\n  SELECT {}\n  FROM \
         {schema}.pg_stat_statements(true) WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = \
         pg_catalog.current_database())) s ON true",
        columns.join(", ")
    )
}

/// Whether the view can be read at all.
pub(super) fn any_statement(schema: &str) -> String {
    format!("SELECT pg_catalog.count(*) FROM {}.pg_stat_statements(false)", quote(schema))
}

/// The smallest and the largest value of each key of a table, in a row each: its place in `keys`, and the two.
/// `keys` are as `pg_get_indexdef` prints them, `table` is quoted.
pub(super) fn ends<'a>(asked: impl Iterator<Item = (usize, &'a str, &'a str)>) -> String {
    let each: Vec<String> = asked
        .map(|(place, table, key)| {
            let end = |order: &str| {
                format!(
                    "(SELECT e.k::text FROM (SELECT ({key}) AS k FROM ONLY {table} WHERE ({key}) IS NOT NULL \
                     ORDER BY 1 {order} LIMIT 1) e)"
                )
            };
            format!("SELECT '{place}', {}, {}", end("ASC"), end("DESC"))
        })
        .collect();
    each.join("\nUNION ALL\n")
}

/// Plans whose cost tells how high the B-tree is that they walk: each level costs 50 `cpu_operator_cost`.
/// `order` is the index's own, as the server prints its keys.
pub(super) fn walks<'a>(asked: impl Iterator<Item = (&'a str, &'a str, Option<&'a str>)>) -> String {
    let each: Vec<String> = asked
        .map(|(table, order, predicate)| {
            let only = predicate.map_or(String::new(), |predicate| format!(" WHERE {predicate}"));
            format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM ONLY {table}{only} ORDER BY {order}")
        })
        .collect();
    each.join(";\n")
}

/// The values of a JSON array, $1, with their ranks under a type's own order, from 1.
pub(super) fn ranks(element: &str, collation: Option<&str>) -> String {
    let collate = collation.map_or(String::new(), |collation| format!(" COLLATE {collation}"));
    format!(
        "SELECT v, pg_catalog.dense_rank() OVER (ORDER BY v::{element}{collate})::text \
         FROM pg_catalog.json_array_elements_text($1::json) v"
    )
}

/// Encoding and order of a database.
pub(super) struct Locale<'a> {
    pub encoding: &'a str,
    pub collate: &'a str,
    pub ctype: &'a str,
    /// Where it is not the operating system's (15+): `i` or `b`, and its locale.
    pub provider: Option<(&'a str, Option<&'a str>)>,
}

/// Makes an empty database, on a server of ours.
pub(super) fn create_database(name: &str, locale: Option<&Locale>) -> String {
    let mut sql = format!("CREATE DATABASE {} TEMPLATE template0", quote(name));
    let Some(locale) = locale else { return sql };
    let _ = write!(
        sql,
        " ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        literal(locale.encoding),
        literal(locale.collate),
        literal(locale.ctype)
    );
    if let Some((provider, name)) = locale.provider {
        let (provider, option) = match provider {
            "i" => ("icu", "ICU_LOCALE"),
            _ => ("builtin", "BUILTIN_LOCALE"),
        };
        let _ = write!(sql, " LOCALE_PROVIDER {provider}");
        if let Some(name) = name {
            let _ = write!(sql, " {option} {}", literal(name));
        }
    }
    sql
}

/// Copies a database of ours as files, so that no page of the copy has been read yet. Before 15 there is no other way.
pub(super) fn copy_database(from: &str, to: &str, named: bool) -> String {
    let strategy = if named { " STRATEGY file_copy" } else { "" };
    format!("CREATE DATABASE {} TEMPLATE {}{strategy}", quote(to), quote(from))
}

/// Drops a database of ours.
pub(super) fn drop_database(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name))
}

/// A setting of every session in a database of ours.
pub(super) fn set_for_database(database: &str, name: &str, value: &str) -> String {
    format!("ALTER DATABASE {} SET {} = {}", quote(database), setting_name(name), literal(value))
}

/// The search path, which is a list and no value.
pub(super) fn set_search_path(database: &str, path: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('search_path', {}, false); ALTER DATABASE {} SET search_path FROM CURRENT; \
         RESET search_path",
        literal(path),
        quote(database)
    )
}

/// The notation of packs, for a session of ours on a twin.
pub(super) fn pack_notation(notation: &[(&str, &str)]) -> String {
    let all: Vec<String> = notation.iter().map(|(name, value)| set_session(name, value)).collect();
    all.join("; ")
}

/// So that the bytes of extended statistics can be put back, in a database of ours.
pub(super) const STATISTICS_CASTS: &str = "DO $pgproof$ DECLARE kind text; BEGIN \
    FOREACH kind IN ARRAY ARRAY['pg_ndistinct', 'pg_dependencies', 'pg_mcv_list'] LOOP \
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_cast WHERE castsource = 'bytea'::regtype AND casttarget = kind::regtype) THEN \
    EXECUTE 'CREATE CAST (bytea AS ' || kind || ') WITHOUT FUNCTION'; END IF; END LOOP; END $pgproof$";

/// How connections of a process of ours are called on a server that stays; what it made says the same of itself.
pub(super) fn run_name(process: u32) -> String {
    format!("pgproof {process}")
}

/// Says of a database which process made it.
pub(super) fn mark_database(name: &str) -> String {
    format!("COMMENT ON DATABASE {} IS {}", quote(name), literal(&run_name(std::process::id())))
}

/// The statements that drop what processes made that are connected no more: databases first, then the roles.
pub(super) const LEFT_BEHIND: &str = "SELECT d.drop FROM (\
      SELECT 1 AS first, 'DROP DATABASE IF EXISTS ' || pg_catalog.quote_ident(d.datname) || ' WITH (FORCE)' AS drop, \
        pg_catalog.shobj_description(d.oid, 'pg_database') AS run FROM pg_catalog.pg_database d \
        WHERE d.datname LIKE 'pgproof\\_%' \
      UNION ALL \
      SELECT 2, 'DROP ROLE ' || pg_catalog.quote_ident(r.rolname), \
        pg_catalog.shobj_description(r.oid, 'pg_authid') FROM pg_catalog.pg_roles r) d \
    WHERE d.run ~ '^pgproof [0-9]+$' \
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.application_name = d.run) \
    ORDER BY d.first, d.drop";

/// What a role of ours says of itself, so that it can be found in the end.
fn role_mark() -> String {
    literal(&run_name(std::process::id()))
}

/// Says of a role that this process made it, where whoever runs the migration may.
pub(super) fn mark_role(quoted: &str) -> String {
    format!(
        "DO $pgproof$ BEGIN COMMENT ON ROLE {quoted} IS {}; EXCEPTION WHEN OTHERS THEN NULL; END $pgproof$",
        role_mark()
    )
}

/// The statements that drop the roles that this process made.
pub(super) fn marked_roles() -> String {
    format!(
        "SELECT 'DROP ROLE ' || pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles r \
         WHERE pg_catalog.shobj_description(r.oid, 'pg_authid') = {} ORDER BY 1",
        role_mark()
    )
}

/// Gives files of a server of ours their sizes. A line is a size in bytes and the paths of files.
pub(super) fn grow(lines: &[String]) -> String {
    let rows: Vec<String> = lines.iter().map(|line| format!("({})", literal(line))).collect();
    format!(
        "COPY (SELECT line FROM (VALUES {}) AS file(line)) TO PROGRAM {}",
        rows.join(", "),
        literal("while read -r size files; do truncate -s \"$size\" $files || exit 1; done")
    )
}

/// The files of relations, in order.
pub(super) fn file_paths(oids: &[u32]) -> String {
    let list: Vec<String> = oids.iter().map(u32::to_string).collect();
    format!(
        "SELECT pg_catalog.pg_relation_filepath(oid) FROM pg_catalog.unnest('{{{}}}'::oid[]) WITH ORDINALITY AS w(oid, place) \
         ORDER BY place",
        list.join(",")
    )
}

/// OID and numbers of a relation of a server of ours: pages, rows, visible pages, blocks.
pub(super) fn class_of(schema: &str, name: &str) -> String {
    format!(
        "SELECT oid, relpages, reltuples::float8, relallvisible, pg_catalog.pg_relation_size(oid) / 8192 \
         FROM pg_catalog.pg_class WHERE oid = {}::regclass",
        literal(&qualified(schema, name))
    )
}

/// How many rows of a table the planner expects behind a predicate, as it stands in an index.
pub(super) fn rows_where(table: &str, predicate: &str) -> String {
    format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM ONLY {table} WHERE {predicate}")
}

/// A question to the planner of a server of ours that does not look at an index: what it has once read of its pages, it
/// reads no more.
pub(super) fn unseen(index: u32, question: &str) -> String {
    format!(
        "BEGIN; UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = {index}; {question}; ROLLBACK"
    )
}

/// A lock on each table of a server of ours, in a transaction that is open.
pub(super) fn lock_tables(tables: &[String], mode: &str) -> String {
    match tables {
        [] => "SELECT".to_owned(),
        _ => format!("LOCK TABLE ONLY {} IN {mode} MODE", tables.join(", ONLY ")),
    }
}

/// Drops an index on a server of ours.
pub(super) fn drop_index(schema: &str, name: &str) -> String {
    format!("DROP INDEX IF EXISTS {}", qualified(schema, name))
}

/// The name of the one prepared statement that we ever make; it is gone before its transaction ends.
const PREPARED: &str = "pgproof_q";

/// Prepares a statement so that the server infers its parameters.
pub(super) fn prepare(statement: &str) -> String {
    format!("PREPARE {PREPARED} AS\n{statement}")
}

/// Explains the prepared statement with these values; `None` is NULL.
pub(super) fn explain_prepared(kind: Explain, parameters: &[Option<String>], major: u32) -> String {
    let values: Vec<String> =
        parameters.iter().map(|v| v.as_ref().map_or("NULL".to_owned(), |v| literal(v))).collect();
    let arguments = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    format!("{}EXECUTE {PREPARED}{arguments}", explain(kind, major))
}

/// Executes two statements on one snapshot and says how many rows each returns, and whether they are the same as
/// multisets: by count and by the sum of 64-bit hashes of the rows' text.
pub(super) fn compare(statement: &str, rewrite: &str) -> String {
    let sums = |name: &str, sql: &str| {
        format!("(SELECT count(*) AS n, sum(hashtextextended(q::text, 0)) AS h FROM (\n{sql}\n) q) {name}")
    };
    format!(
        "SELECT json_build_object('rows', a.n, 'rewritten', b.n, 'equal', a.n = b.n AND a.h IS NOT DISTINCT FROM b.h)\n\
         FROM {}, {}",
        sums("a", statement),
        sums("b", rewrite)
    )
}

/// Gives the prepared statement back.
pub(super) fn deallocate() -> String {
    format!("DEALLOCATE {PREPARED}")
}

/// Drops an index without blocking anybody for long.
pub(super) fn drop_index_concurrently(schema: &str, name: &str) -> String {
    format!("DROP INDEX CONCURRENTLY IF EXISTS {}", qualified(schema, name))
}

/// Gives a trial index its final name.
pub(super) fn rename_index(schema: &str, from: &str, to: &str) -> String {
    format!("ALTER INDEX {} RENAME TO {}", qualified(schema, from), quote(to))
}

/// Statistics of the named columns alone: a whole-table ANALYZE that is rolled back would still reset the
/// table's modification counter and overwrite its size in `pg_class`.
pub(super) fn analyze_columns(schema: &str, table: &str, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|c| quote(c)).collect();
    format!("ANALYZE {} ({})", qualified(schema, table), columns.join(", "))
}

/// Creates a statistics object under a trial name.
pub(super) fn create_statistics(schema: &str, name: &str, body: &str, table: &str) -> String {
    format!("CREATE STATISTICS {} {body} FROM {}", qualified(schema, name), qualified(schema, table))
}

/// Tells HypoPG of an index.
pub(super) fn hypopg_create(extension_schema: &str, index: &str) -> String {
    format!(
        "SELECT indexname, {0}.hypopg_relation_size(indexrelid)::text FROM {0}.hypopg_create_index({1})",
        quote(extension_schema),
        literal(index)
    )
}

/// Makes HypoPG forget everything.
pub(super) fn hypopg_reset(extension_schema: &str) -> String {
    format!("SELECT {}.hypopg_reset()", quote(extension_schema))
}

/// A setting of our own session, outside any transaction.
pub(super) fn set_session(name: &str, value: &str) -> String {
    format!("SET {} = {}", setting_name(name), literal(value))
}

/// Settings are whole milliseconds, where 0 is no limit: round up, never to "forever".
pub(super) fn millis(limit: Duration) -> u128 {
    limit.as_micros().div_ceil(1000)
}

/// A setting of the open transaction alone.
pub(super) fn set_local(name: &str, value: &str) -> String {
    format!("SET LOCAL {} = {}", setting_name(name), literal(value))
}

/// Undoes what happened since [`savepoint`] or [`watch_connection`], settings included.
pub(super) const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT pgproof";

/// Within a trial's transaction: from here to [`ROLLBACK_TO`], statements have this limit and may not write.
pub(super) fn savepoint(limit: Duration, read_only: bool) -> String {
    let mode = if read_only { "; SET LOCAL transaction_read_only = on" } else { "" };
    format!("SAVEPOINT pgproof; SET LOCAL statement_timeout = {}{mode}", millis(limit))
}

/// Has the server look at this interval whether we are still there. An error on systems that cannot, and then
/// [`ROLLBACK_TO`] saves a transaction.
pub(super) fn watch_connection(in_transaction: bool, interval: &str) -> String {
    let set = format!("client_connection_check_interval = {}", literal(interval));
    match in_transaction {
        true => format!("SAVEPOINT pgproof; SET LOCAL {set}; RELEASE SAVEPOINT pgproof"),
        false => format!("SET {set}"),
    }
}

/// Puts our marker in front, on the same line, so that places in the statement keep their line.
pub(super) fn marked(phase: &str, sql: &str) -> String {
    if phase.is_empty() { format!("/* pgproof */ {sql}") } else { format!("/* pgproof:{phase} */ {sql}") }
}

/// Quotes each part of a setting's name, such as `hypopg.enabled`.
fn setting_name(name: &str) -> String {
    let parts: Vec<String> =
        name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_opens_a_read_only_transaction_with_every_limit() {
        let guards = Guards { lock_timeout: Duration::from_micros(1), ..Guards::default() };
        assert_eq!(
            begin(&guards, &[("client_connection_check_interval", "1s".to_owned())]),
            "BEGIN READ ONLY; SET LOCAL statement_timeout = 30000; SET LOCAL lock_timeout = 1; \
             SET LOCAL idle_in_transaction_session_timeout = 60000; \
             SET LOCAL \"client_connection_check_interval\" = '1s'"
        );
    }

    #[test]
    fn names_and_values_are_quoted() {
        let guards = Guards { read_only: false, ..Guards::default() };
        let batch = begin(&guards, &[("a\".b", "it's \\".to_owned())]);
        assert!(batch.starts_with("BEGIN READ WRITE; "), "{batch}");
        assert!(batch.ends_with(r#"SET LOCAL "a"""."b" = E'it''s \\'"#), "{batch}");
    }
}
