//! `pgproof pack`: what production's planner knows, in one file.
//!
//! Refuses to write anything but that file, and to leave half of it.

use super::output;
use super::progress::Progress;
use crate::capture::Gap;
use crate::cli::{Common, Format, Pack as Args};
use crate::error::{Error, Kind, Result};
use crate::exit;
use crate::pack::{Statement, redact};
use crate::postgres::pack::{ranks, read};
use crate::postgres::{ConnectOptions, Environment, Guards, Interrupt, Server, workload};
use crate::sql;
use crate::workload::{By, rank, window};
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// No connection; a catalog that cannot be read; a file that cannot be written.
pub async fn run(args: &Args, common: &Common) -> Result<u8> {
    let target = target(common)?;
    let options = ConnectOptions::resolve(&args.connection.flags(), &Environment::of_process())?;
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::new(common.quiet);
    progress.step(format!("connecting to {}", options.describe()));
    let server = Server::connect(options, usize::from(args.connection.pool), interrupt).await?;
    let guards = Guards {
        statement_timeout: args.connection.timeout,
        lock_timeout: args.connection.lock_timeout,
        ..Guards::default()
    };
    let mut session = server.session("pack").await?;
    progress.step("reading sizes and statistics".to_owned());
    let (mut pack, holes) = read(&mut session, &guards).await?;
    pack.gaps = holes
        .into_iter()
        .map(|hole| Gap { what: hole.what, sqlstate: hole.sqlstate, disables: hole.disables })
        .collect();
    if let Some(limit) = args.statements {
        progress.step("reading pg_stat_statements".to_owned());
        session.begin(&guards, &[]).await?;
        let counted = statements(&session, limit, &mut pack.gaps).await;
        session.rollback().await?;
        pack.statements = counted?;
    }
    if args.redact {
        progress.step("replacing values".to_owned());
        session.begin(&guards, &[]).await?;
        let ranks = ranks(&session, &redact::values(&pack)).await;
        session.rollback().await?;
        pack = redact::redacted(pack, &ranks?);
    }
    let text = pack.write()?;
    for gap in &pack.gaps {
        progress.announce(&format!("not in the pack: {}", gap.what));
    }
    if let (Some(path), false) = (target, args.redact) {
        progress.announce(&format!(
            "{} holds values out of the statistics (most common ones, ends of histograms): --redact replaces them",
            path.display()
        ));
    }
    drop(progress);
    match target {
        Some(path) => output::save(path, text.as_bytes()).map(|()| exit::OK),
        None => output::print(text.as_bytes()),
    }
}

/// The file that is to be written; `None`: standard output.
fn target(common: &Common) -> Result<Option<&Path>> {
    let usage = |why: &str, help: &str| Error::new(Kind::Usage, "write the pack").because(why).help(help);
    if common.format.iter().any(|format| *format != Format::Json) {
        return Err(usage("a pack is JSON and has no other format", "leave --format out"));
    }
    match common.output.as_slice() {
        [] => Ok(None),
        [path] => output::check_file(path).map(|()| Some(path.as_path())),
        _ => Err(usage("--output names several files", "name one file")),
    }
}

/// What pg_stat_statements counted, most time first. Constants that it left in a text are none of a pack.
async fn statements(
    session: &crate::postgres::Session,
    limit: u32,
    gaps: &mut Vec<Gap>,
) -> Result<Vec<Statement>> {
    let mut holes = Vec::new();
    let reading = match workload::reading(session, &mut holes).await {
        Ok(reading) => reading,
        Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
        Err(error) => {
            let cause = error.causes().into_iter().next().map_or(String::new(), |cause| format!(": {cause}"));
            let help = error.advice().map_or(String::new(), |help| format!(" ({help})"));
            holes.push(format!("{error}{cause}{help}"));
            gaps.extend(holes.into_iter().map(no_statements));
            return Ok(Vec::new());
        }
    };
    gaps.extend(holes.into_iter().map(no_statements));
    let ranking = rank(&window(None, &reading), By::Total);
    let told = ranking.statements.into_iter().filter_map(|ranked| {
        let text = ranked.text?;
        let read = sql::read(&sql::explainable(&text));
        let plannable = !matches!(read.kind, sql::Kind::Other(_)) && read.offset == 0;
        plannable.then_some(Statement {
            text: read.text,
            calls: ranked.counters.calls,
            total_ms: (ranked.counters.total_ms * 1000.0).round() / 1000.0,
            rows: ranked.counters.rows,
        })
    });
    Ok(told.take(limit as usize).collect())
}

fn no_statements(what: String) -> Gap {
    Gap { what, sqlstate: None, disables: vec!["statements of pg_stat_statements".to_owned()] }
}
