//! `pgproof health`: one look at a whole database, and what its rules say.
//!
//! Refuses to fail for a part that it may not see: that becomes a gap. It reads, and touches nothing.

use super::explain::{load, save};
use super::known;
use super::progress::Progress;
use super::{output, settings, verdict};
use crate::analyse::{analyse, in_question};
use crate::capture::{Capture, Gap};
use crate::catalog::snapshot::{Moment, Node};
use crate::cli::{Common, Health};
use crate::error::{Error, Kind, Result};
use crate::postgres::snapshot::{self, Hole};
use crate::postgres::{ConnectOptions, Environment, Flags, Guards, Interrupt, Server, catalog};
use crate::rules::Config;

/// Runs the command.
///
/// # Errors
/// No connection, to any of the nodes; a server that refuses to list its tables and indexes.
pub async fn run(args: &Health, common: &Common) -> Result<u8> {
    output::check(common)?;
    args.save_capture.as_deref().map_or(Ok(()), output::check_file)?;
    let config = settings(common)?;
    if let Some(path) = &args.capture {
        let capture = load(path)?;
        if capture.snapshot.is_none() {
            return Err(Error::new(Kind::Input, format!("judge the capture {}", path.display()))
                .because("it holds no look at a whole database")
                .help("name a file that `pgproof health --save-capture` wrote"));
        }
        return report(&capture, &config, common);
    }
    let environment = Environment::of_process();
    let options = ConnectOptions::resolve(&args.connection.flags(), &environment)?;
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::new(common.quiet);
    progress.step(format!("connecting to {}", options.describe()));
    let server = Server::connect(options, usize::from(args.connection.pool), interrupt.clone()).await?;
    let mut nodes = Vec::new();
    for url in &args.also {
        progress.step(format!("asking node {} of {}", nodes.len() + 1, args.also.len()));
        nodes.push(node(url, args, &environment, interrupt.clone()).await?);
    }
    let capture = observe(&server, nodes, args, &config, &progress).await?;
    if common.verbose {
        progress.announce(&format!("{} round trips after connecting", server.round_trips()));
    }
    drop(progress);
    if let Some(path) = &args.save_capture {
        save(&capture, path)?;
    }
    report(&capture, &config, common)
}

fn report(capture: &Capture, config: &Config, common: &Common) -> Result<u8> {
    let report = analyse(capture, config)?;
    output::write(&report, common)?;
    Ok(verdict(&report, common.fail_on))
}

fn guards(args: &Health) -> Guards {
    Guards {
        statement_timeout: args.connection.timeout,
        lock_timeout: args.connection.lock_timeout,
        ..Guards::default()
    }
}

/// Looks at the database, and closer at what the rules have in question.
async fn observe(
    server: &Server,
    nodes: Vec<Node>,
    args: &Health,
    config: &Config,
    progress: &Progress,
) -> Result<Capture> {
    let guards = guards(args);
    let mut session = server.session("").await?;
    progress.step("reading the catalog".to_owned());
    session.begin(&guards, &[]).await?;
    let info = catalog::server_info(&session).await?;
    let major = info.major();
    let (mut read, mut holes) = snapshot::read(&mut session, &guards, major).await?;
    let doubts = nodes.iter().map(|node| same_cluster(&read.moment, node)).collect::<Result<Vec<_>>>()?;
    read.nodes = nodes;
    let asked = in_question(&read, major, config);
    progress.step("looking closer at what is in question".to_owned());
    holes.extend(snapshot::details(&mut session, &guards, &mut read, &asked.indexes, &asked.tables).await?);
    let mut capture = Capture::new(Some(info));
    capture.today = config.today.clone();
    capture.gaps = holes.into_iter().map(gap).chain(doubts.into_iter().flatten()).collect();
    if !asked.indexes.is_empty() {
        progress.step("planning the known statements".to_owned());
        match known::plans(&session, &read, &asked.indexes, major).await {
            Ok(plans) => capture.known = Some(plans),
            Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
            Err(error) => capture.gaps.push(unknown(&error)),
        }
    }
    session.rollback().await?;
    capture.snapshot = Some(read);
    Ok(capture)
}

/// Without the statements nobody knows who needs an index.
fn unknown(error: &Error) -> Gap {
    let cause = error.cause();
    let help = error.advice().map_or(String::new(), |advice| format!(": {advice}"));
    Gap {
        what: format!("which statements need the indexes that may go: {cause}{help}"),
        sqlstate: error.code().map(str::to_owned),
        disables: vec!["checks of drops".to_owned()],
    }
}

fn gap(hole: Hole) -> Gap {
    Gap { what: hole.what, sqlstate: hole.sqlstate, disables: hole.disables }
}

/// A gap where nobody can tell whether a node is of this cluster.
///
/// # Errors
/// [`Kind::Usage`] where it is of another one, or was asked for another database.
fn same_cluster(here: &Moment, node: &Node) -> Result<Option<Gap>> {
    let doing = || format!("count the scans of {} (--also)", node.name);
    match (&here.system, &node.system) {
        (Some(this), Some(other)) if this != other => Err(Error::new(Kind::Usage, doing())
            .because(format!(
                "it is of another cluster: its system identifier is {other}, the one here is {this}"
            ))
            .help("name the standbys of this server: SELECT client_addr FROM pg_stat_replication")),
        _ if here.database.zip(node.database).is_some_and(|(this, other)| this != other) => {
            Err(Error::new(Kind::Usage, doing())
                .because("it was asked for another database: each counts its own scans")
                .help("name the same database as here in its URL"))
        }
        (Some(_), Some(_)) => Ok(None),
        _ => Ok(Some(Gap {
            what: format!(
                "whether {} is of this cluster: GRANT EXECUTE ON FUNCTION pg_control_system() on each node lets them be \
                 compared",
                node.name
            ),
            sqlstate: None,
            disables: vec!["unused-index".to_owned()],
        })),
    }
}

/// Asks another node what it counts.
async fn node(url: &str, args: &Health, environment: &Environment, interrupt: Interrupt) -> Result<Node> {
    let flags = Flags { dbname: Some(url.to_owned()), ..Flags::default() };
    let options = ConnectOptions::resolve(&flags, environment)?;
    let name = options.describe();
    let server = Server::connect(options, 1, interrupt).await?;
    let mut session = server.session("").await?;
    snapshot::node(&mut session, &guards(args), server.version().major(), &name).await
}
