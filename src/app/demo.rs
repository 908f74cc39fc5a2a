//! `pgproof demo`: a throwaway server, a sample shop with slow queries, and the ordinary report of them.
//!
//! Refuses to touch a server it did not start. What it does to its own is what `pgproof explain --prove rollback`
//! would do to another.

use super::progress::Progress;
use super::{explain, input, output, settings, verdict};
use crate::analyse::analyse;
use crate::cli::{Cli, Command, Common, Demo, Explain};
use crate::error::{Error, Kind, Result};
use crate::postgres::{ConnectOptions, Environment, Flags, Interrupt, Server};
use crate::render::text::wrap;
use crate::scratch;
use crate::sql;
use crate::units::{Bytes, Millis};
use crate::words::{counted, duration, size};
use clap::Parser;
use std::time::Instant;

/// The schema and the rows, in terms of the setting `shop.orders`.
const SHOP: &str = include_str!("demo/shop.sql");
/// The statements, each below a comment that says what a developer wanted.
const QUERIES: &str = include_str!("demo/queries.sql");

const DATABASE: &str = "shop";
/// Columns of the introduction: it fits every terminal.
const WIDTH: usize = 80;

/// A stock server but for three things: loading is quick, autovacuum does not mend what we show, and plans do
/// not depend on whether this build has JIT. (Asynchronous commits would be no quicker without fsync, and keep
/// VACUUM from marking fresh pages as all-visible.)
const SETTINGS: [(&str, &str); 6] = [
    ("autovacuum", "off"),
    ("jit", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("full_page_writes", "off"),
    ("max_wal_size", "4GB"),
];

/// How the statements are explained. Nobody else is on this server, so a lock may be held for long.
const EXPLAIN: [&str; 10] = [
    "pgproof",
    "explain",
    "--prove",
    "rollback",
    "--runs",
    "3",
    "--max-block",
    "10min",
    "--timeout",
    "10min",
];

/// Runs the command.
///
/// # Errors
/// No PostgreSQL to start, a server that fails, [`Kind::Interrupted`]; in each case nothing is left behind.
pub async fn run(args: &Demo, common: &Common) -> Result<u8> {
    output::check(common)?;
    let config = settings(common)?;
    let explain_args = explain_args()?;
    let sources = statements()?;
    let started = Instant::now();
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::spinner(common.quiet);
    progress.step("starting a throwaway server");
    let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let scratch = scratch::Server::start(&scratch::Options {
        source: args.postgres.clone(),
        settings,
        ..scratch::Options::default()
    })?;
    create_database(&scratch, &interrupt).await?;
    let server = connect(&scratch, DATABASE, &interrupt).await?;
    let loading = Instant::now();
    load(&server, args.orders, &progress).await?;
    let introduction = introduction(&server, ms_since(loading)).await?;
    let (capture, failure) =
        explain::observe_all(&server, &sources, Vec::new(), &explain_args, &config, &interrupt, &progress)
            .await?;
    drop(progress);
    if let Some(error) = failure {
        return Err(error);
    }
    let mut report = analyse(&capture, &config)?;
    for statement in &mut report.statements {
        statement.title = statement.origin.line.and_then(title);
    }
    let mut end = format!("done in {}", duration(ms_since(started)));
    drop(server);
    let keeping = match args.keep {
        true => Some(kept(scratch)?),
        false => {
            scratch.stop()?;
            end.push_str("; the server is stopped and its files are gone");
            None
        }
    };
    end.push('\n');
    if let Some(lines) = keeping {
        end.push_str(&lines);
        if !output::shows_text(common) {
            output::beside(&lines);
        }
    }
    output::write_around(&report, common, &introduction, &end)?;
    Ok(verdict(&report, common.fail_on))
}

fn ms_since(start: Instant) -> Millis {
    Millis(start.elapsed().as_secs_f64() * 1000.0)
}

fn explain_args() -> Result<Explain> {
    match Cli::try_parse_from(EXPLAIN).map(|cli| cli.command) {
        Ok(Command::Explain(args)) => Ok(args),
        _ => Err(Error::new(Kind::Usage, format!("read `{}`", EXPLAIN.join(" ")))),
    }
}

fn statements() -> Result<Vec<input::Source>> {
    let (mut sources, mut gaps) = (Vec::new(), Vec::new());
    input::from_text(QUERIES, "the demo's queries", None, &mut sources, &mut gaps)?;
    Ok(sources)
}

/// What the comment above a statement says; `line` is the statement's first, counted from 1.
fn title(line: usize) -> Option<String> {
    let above = QUERIES.lines().nth(line.checked_sub(2)?)?;
    above.strip_prefix("-- ").map(str::to_owned)
}

async fn connect(scratch: &scratch::Server, database: &str, interrupt: &Interrupt) -> Result<Server> {
    let flags = Flags { dbname: Some(scratch.url(database)), ..Flags::default() };
    // An empty environment: PGOPTIONS and its like are meant for the user's own servers.
    let options = ConnectOptions::resolve(&flags, &Environment::default())?;
    Server::connect(options, 4, interrupt.clone()).await
}

async fn create_database(scratch: &scratch::Server, interrupt: &Interrupt) -> Result<()> {
    let server = connect(scratch, "postgres", interrupt).await?;
    let session = server.session("demo").await?;
    session.batch("create the shop's database", &format!("CREATE DATABASE {DATABASE}")).await
}

async fn load(server: &Server, orders: u32, progress: &Progress) -> Result<()> {
    let mut session = server.session("demo").await?;
    session.close_after_use();
    session.batch("load the shop", &format!("SET shop.orders = {orders}")).await?;
    let pieces =
        sql::split(SHOP).map_err(|e| Error::new(Kind::Input, "read the shop's script").because(e.what))?;
    for piece in pieces {
        let table = piece.text.strip_prefix("INSERT INTO ").and_then(|rest| rest.split_whitespace().next());
        progress.step(match table {
            Some(table) => format!("loading the shop: {table}"),
            None => "loading the shop: keys, indexes, statistics".to_owned(),
        });
        session.batch("load the shop", piece.text).await?;
    }
    Ok(())
}

/// What was started and loaded, and what follows.
async fn introduction(server: &Server, load: Millis) -> Result<String> {
    let session = server.session("demo").await?;
    let tables = session
        .rows(
            "count the shop's rows",
            "SELECT relname, reltuples::bigint, (SELECT sum(pg_total_relation_size(oid)) FROM pg_class c \
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r') FROM pg_class \
             WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY reltuples DESC, relname",
        )
        .await?;
    let number = |cell: Option<&Option<String>>| cell?.as_ref()?.parse::<i64>().ok();
    let listed: Vec<String> = tables
        .iter()
        .filter_map(|row| {
            Some(format!("{} {}", crate::words::count(number(row.get(1))? as f64), row.first()?.as_ref()?))
        })
        .collect();
    let total: i64 = tables.iter().filter_map(|row| number(row.get(1))).sum();
    let bytes = tables.first().and_then(|row| number(row.get(2))).unwrap_or(0);
    let version = server.version().short();
    let loaded = format!(
        "A throwaway PostgreSQL {version} holds a sample shop of {} and {}, loaded in {}: {}.",
        counted(total as f64, "row"),
        size(Bytes(bytes)),
        duration(load),
        listed.join(", ")
    );
    let next = "Each query is explained; what would help it is tried in a transaction that is rolled back.";
    Ok(format!("{}\n{}\n\n", wrap(&loaded, WIDTH, "", ""), wrap(next, WIDTH, "", "")))
}

/// Hands the server over to the user, and says how to reach and how to stop it.
fn kept(scratch: scratch::Server) -> Result<String> {
    let url = scratch.url(DATABASE);
    let stop = scratch.keep()?.stop_command;
    Ok(format!(
        "The server keeps running:\n  psql '{url}'\n  pgproof explain -d '{url}' --prove rollback \"SELECT …\"\n\
         Stop it, and its files go:\n  {stop}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_says_what_was_wanted() {
        let sources = statements().unwrap();
        assert!(sources.len() >= 12);
        for source in sources {
            let title = source.origin.line.and_then(title);
            assert!(title.is_some_and(|t| t.ends_with('.')), "{}", source.statement.text);
        }
        assert!(explain_args().is_ok());
    }
}
