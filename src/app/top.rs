//! `pgproof top`: read pg_stat_statements, rank, explain what leads, report.
//!
//! Refuses to reset anything, and to execute a statement unless a flag asks for it.

use super::explain::{load, save};
use super::progress::Progress;
use super::{input, observe, output, prove, settings, verdict};
use crate::analyse::analyse;
use crate::capture::{Capture, Gap, Origin, Statement};
use crate::cli::{Common, Explain, Top};
use crate::error::{Error, Kind, Result};
use crate::postgres::explain::{Explained, explain_generic};
use crate::postgres::{ConnectOptions, Environment, Interrupt, Server, catalog, workload};
use crate::proposals::Change;
use crate::rules::Config;
use crate::sql;
use crate::workload::{Checked, FORMAT, Keys, Observed, Ranked, Reading, rank, window};
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// No connection, no pg_stat_statements, a file that cannot be read or written.
pub async fn run(args: &Top, common: &Common) -> Result<u8> {
    output::check(common)?;
    for path in args.save_capture.iter().chain(&args.save) {
        output::check_file(path)?;
    }
    let config = settings(common)?;
    let (capture, failure) = match (&args.capture, &args.diff[..]) {
        (Some(path), _) => (load(path)?, None),
        (None, [old, new]) => (of_files(old, new, args, &config)?, None),
        _ => observe(args, common, &config).await?,
    };
    let report = analyse(&capture, &config)?;
    output::write(&report, common)?;
    failure.map_or_else(|| Ok(verdict(&report, common.fail_on)), Err)
}

/// Two saved readings, without a server.
fn of_files(old: &Path, new: &Path, args: &Top, config: &Config) -> Result<Capture> {
    let (before, after) = (saved(old)?, saved(new)?);
    comparable(&before, &after, old)?;
    let mut capture = Capture::new(None);
    capture.today = config.today.clone();
    let observed = Observed {
        before: Some(before),
        after,
        keys: Keys::default(),
        by: args.by.by(),
        limit: usize::from(args.limit),
        rewrites: Vec::new(),
    };
    let ranking = rank(&window(observed.before.as_ref(), &observed.after), observed.by);
    capture.statements.extend(ranking.statements.iter().take(observed.limit).map(unexplained));
    capture.workload = Some(observed);
    Ok(capture)
}

/// Whether the one can be subtracted from the other.
fn comparable(before: &Reading, after: &Reading, path: &Path) -> Result<()> {
    let (then, now) = (&before.source, &after.source);
    // `15.18` is of 15.
    let major = |server: &str| server.split('.').next().map(str::to_owned);
    let name = path.display();
    let clusters = then.system.as_ref().zip(now.system.as_ref());
    let (why, help) = if clusters.is_some_and(|(then, now)| then != now) {
        (
            format!("{name} is of another server: their system identifiers differ"),
            "name readings of one server, or of a server and its standby that took over",
        )
    } else if then.database != now.database {
        (
            format!("{name} is of the database {}, the other one of {}", then.database, now.database),
            "name readings of one database",
        )
    } else if major(&then.server) != major(&now.server) {
        (
            format!(
                "{name} is of PostgreSQL {}, the other one of {}: they number statements differently",
                then.server, now.server
            ),
            "name readings of one server",
        )
    } else if then.at >= now.at {
        (format!("{name} is not older than the other one"), "name the older one first: --diff OLD NEW")
    } else {
        return Ok(());
    };
    Err(Error::new(Kind::Usage, "compare two readings").because(why).help(help))
}

/// Asks the server: the readings, then the plans of what leads.
async fn observe(args: &Top, common: &Common, config: &Config) -> Result<(Capture, Option<Error>)> {
    let before = args.since.as_deref().map(saved).transpose()?;
    let options = ConnectOptions::resolve(&args.connection.flags(), &Environment::of_process())?;
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::new(common.quiet);
    progress.step(format!("connecting to {}", options.describe()));
    let server = Server::connect(options, usize::from(args.connection.pool), interrupt.clone()).await?;
    let explained = as_explain(args);
    let before = match args.interval {
        Some(interval) => {
            let first = reading(&server, &explained, None).await?.0;
            progress.step(format!("waiting {} s for the second reading", interval.as_secs_f64()));
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = interrupt.raised() => return Err(Interrupt::error("wait for the second reading")),
            }
            Some(first)
        }
        None => before,
    };
    progress.step("reading pg_stat_statements".to_owned());
    let mut capture = Capture::new(None);
    capture.today = config.today.clone();
    let (after, keys) = reading(&server, &explained, Some(&mut capture)).await?;
    if let (Some(before), Some(path)) = (&before, &args.since) {
        comparable(before, &after, path)?;
    }
    if let Some(path) = &args.save {
        keep(&after, path)?;
    }
    let limit = usize::from(args.limit);
    let observed = Observed { before, after, keys, by: args.by.by(), limit, rewrites: Vec::new() };
    let ranking = rank(&window(observed.before.as_ref(), &observed.after), observed.by);
    let told = &ranking.statements[..limit.min(ranking.statements.len())];
    let mut failure = plans(&server, told, &explained, args.no_explain, &mut capture, &progress).await;
    capture.workload = Some(observed);
    if failure.is_none() && !args.no_explain {
        let ended = remedies(&server, &mut capture, &explained, config, &interrupt, &progress).await;
        failure = ended.err();
    }
    if common.verbose {
        progress.announce(&format!("{} round trips after connecting", server.round_trips()));
    }
    drop(progress);
    if let Some(path) = &args.save_capture {
        save(&capture, path)?;
    }
    Ok((capture, failure))
}

/// One reading, in a transaction of its own; with a capture also the server and the keys of its tables.
async fn reading(server: &Server, args: &Explain, capture: Option<&mut Capture>) -> Result<(Reading, Keys)> {
    let mut session = server.session("").await?;
    session.begin(&observe::guards(args), &[]).await?;
    let asked = async {
        let mut gaps = Vec::new();
        let reading = workload::reading(&session, &mut gaps).await?;
        let Some(capture) = capture else { return Ok((reading, Keys::default())) };
        let disables = vec!["top".to_owned()];
        capture.gaps.extend(gaps.into_iter().map(|what| Gap {
            what,
            sqlstate: None,
            disables: disables.clone(),
        }));
        capture.server = Some(catalog::server_info(&session).await?);
        let keys = workload::keys(&session).await?;
        Ok((reading, keys))
    }
    .await;
    let ended = session.rollback().await;
    let read = asked?;
    ended.map(|()| read)
}

/// The plans of the leading statements. Returns what ended it early; a statement that cannot be planned is a gap.
async fn plans(
    server: &Server,
    told: &[Ranked],
    args: &Explain,
    none: bool,
    capture: &mut Capture,
    progress: &Progress,
) -> Option<Error> {
    let mut ended: Option<Error> = None;
    for (number, statement) in told.iter().enumerate() {
        let source = source(statement).filter(|_| !none && ended.is_none());
        let Some(source) = source else {
            capture.statements.push(unexplained(statement));
            continue;
        };
        progress.step(format!("explaining statement {} of {}", number + 1, told.len()));
        if let Err(error) = observe::observe(server, &source, args, capture).await {
            let cause = error.causes().into_iter().next().map_or(String::new(), |cause| format!(": {cause}"));
            capture.gaps.push(Gap {
                what: format!("the plan of statement {}: {error}{cause}", number + 1),
                sqlstate: error.code().map(str::to_owned),
                disables: vec!["explain".to_owned()],
            });
            capture.statements.push(unexplained(statement));
            if matches!(error.kind(), Kind::Connect | Kind::Interrupted) {
                ended = Some(error);
            }
        }
    }
    ended
}

/// Tries what the plans ask for, and asks the server to plan what the workload's rules wrote anew.
async fn remedies(
    server: &Server,
    capture: &mut Capture,
    args: &Explain,
    config: &Config,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<()> {
    let report = analyse(capture, config)?;
    let mut checked = Vec::new();
    for judged in &report.proposals {
        let about_the_whole = judged.proposal.answers.iter().any(|&f| report.findings[f].at.run.is_none());
        if let (Change::Rewrite { sql, .. }, true) = (&judged.proposal.change, about_the_whole) {
            checked.push(Checked { sql: sql.clone(), error: planned(server, args, sql).await? });
        }
    }
    capture.workload.iter_mut().for_each(|observed| observed.rewrites = checked.clone());
    prove::prove(server, &report, capture, args, interrupt, progress).await
}

/// Why the server cannot plan a statement; `None` where it can.
async fn planned(server: &Server, args: &Explain, sql: &str) -> Result<Option<String>> {
    let mut session = server.session("").await?;
    session.begin(&observe::guards(args), &[]).await?;
    let explained = Explained { text: sql, parameters: &[], major: server.version().major() };
    let asked = explain_generic(&session, explained).await;
    session.rollback().await?;
    match asked {
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => Err(error),
        Err(error) => Ok(Some(error.cause())),
    }
}

/// The statement as `explain` takes it; `None` for what has no plan.
fn source(statement: &Ranked) -> Option<input::Source> {
    let text = sql::explainable(statement.text.as_deref()?);
    let read = sql::read(&text);
    // Who asked for a plan was not slow to get it; `read` takes the statement behind an EXPLAIN.
    let explained =
        read.offset > 0 && text.trim_start().get(..7).is_some_and(|w| w.eq_ignore_ascii_case("explain"));
    if explained || matches!(read.kind, sql::Kind::Other(_)) {
        return None;
    }
    let offset = read.offset;
    Some(input::Source {
        statement: read,
        origin: Origin::PG_STAT_STATEMENTS,
        name: "pg_stat_statements".to_owned(),
        whole: text.as_str().into(),
        offset,
        comments: Vec::new(),
    })
}

fn unexplained(statement: &Ranked) -> Statement {
    let text = statement.text.clone().unwrap_or_default();
    Statement { text, origin: Origin::PG_STAT_STATEMENTS, runs: Vec::new(), comments: Vec::new() }
}

/// The flags of `explain` that say the same.
fn as_explain(args: &Top) -> Explain {
    Explain {
        twin: crate::cli::Twin::default(),
        sql: None,
        file: Vec::new(),
        param: Vec::new(),
        analyze: args.analyze,
        allow_writes: false,
        proof: args.proof.clone(),
        save_capture: None,
        capture: None,
        connection: args.connection.clone(),
    }
}

fn keep(reading: &Reading, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string(reading)
        .map_err(|e| Error::new(Kind::Environment, "save the reading").because(e))?;
    text.push('\n');
    output::save(path, text.as_bytes())
}

fn saved(path: &Path) -> Result<Reading> {
    let doing = || format!("read the reading {}", path.display());
    let text =
        std::fs::read_to_string(path).map_err(|e| Error::new(Kind::Input, doing()).because_of_file(&e))?;
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let damaged = |e: serde_json::Error| {
        Error::new(Kind::Input, doing()).because(e).help("name a file that `pgproof top --save` wrote")
    };
    let format: Format = serde_json::from_str(&text).map_err(damaged)?;
    if format.format > FORMAT {
        return Err(Error::new(Kind::Input, doing())
            .because(format!("its format is {}, this pgproof reads up to {FORMAT}", format.format))
            .help("use a newer pgproof"));
    }
    serde_json::from_str(&text).map_err(damaged)
}
