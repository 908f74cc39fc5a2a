//! `pgproof explain`: observe, analyse, prove, report.
//!
//! Refuses to lose anything: a statement that fails does not take the others' reports with it.

use super::progress::Progress;
use super::{input, observe, output, prove, settings, twin, verdict};
use crate::analyse::analyse;
use crate::capture::{Capture, FORMAT, Gap};
use crate::cli::{Analyze, Common, Explain, Prove};
use crate::error::{Error, Kind, Result};
use crate::postgres::{ConnectOptions, Environment, Interrupt, Server};
use crate::rules::Config;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// What ended it; with several statements the first failure, after the report of the others.
pub async fn run(args: &Explain, common: &Common) -> Result<u8> {
    output::check(common)?;
    args.save_capture.as_deref().map_or(Ok(()), output::check_file)?;
    let config = settings(common)?;
    if let Some(path) = &args.capture {
        let report = analyse(&load(path)?, &config)?;
        output::write(&report, common)?;
        return Ok(verdict(&report, common.fail_on));
    }
    let (sources, gaps) = input::read(args)?;
    if let Some(pack) = &args.twin.pack {
        return on_twin(args, pack, &sources, gaps, &config, common).await;
    }
    let options = ConnectOptions::resolve(&args.connection.flags(), &Environment::of_process())?;
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::new(common.quiet);
    progress.step(format!("connecting to {}", options.describe()));
    let server = Server::connect(options, usize::from(args.connection.pool), interrupt.clone()).await?;
    let (capture, failure) =
        observe_all(&server, &sources, gaps, args, &config, &interrupt, &progress).await?;
    if common.verbose {
        progress.announce(&format!("{} round trips after connecting", server.round_trips()));
    }
    drop(progress);
    tell(capture, failure, args, &config, common)
}

/// Saves the capture where that is asked for, and reports it.
fn tell(
    capture: Capture,
    failure: Option<Error>,
    args: &Explain,
    config: &Config,
    common: &Common,
) -> Result<u8> {
    if let Some(path) = &args.save_capture {
        save(&capture, path)?;
    }
    match failure {
        Some(error) if capture.statements.is_empty() => Err(error),
        failure => {
            let report = analyse(&capture, config)?;
            output::write(&report, common)?;
            failure.map_or_else(|| Ok(verdict(&report, common.fail_on)), Err)
        }
    }
}

/// The same on a twin: production's plans without production. Nothing is executed there, for there are no rows.
async fn on_twin(
    args: &Explain,
    pack: &Path,
    sources: &[input::Source],
    gaps: Vec<Gap>,
    config: &Config,
    common: &Common,
) -> Result<u8> {
    if args.analyze == Analyze::Always {
        return Err(Error::new(Kind::Usage, "execute the statements")
            .because("a twin holds no rows to execute them on")
            .help("leave --analyze out, or ask a server that has the rows"));
    }
    let args = Explain { analyze: Analyze::Never, ..args.clone() };
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::new(common.quiet);
    progress.step("making a twin");
    let (ground, server, more) = twin::of_flags(&args.twin, pack, &interrupt).await?;
    let gaps = gaps.into_iter().chain(more).collect();
    let observed = observe_all(&server, sources, gaps, &args, config, &interrupt, &progress).await;
    drop(server);
    let stopped = ground.stop().await;
    drop(progress);
    let (capture, failure) = observed?;
    tell(capture, failure.or(stopped.err()), &args, config, common)
}

/// Observes every statement and tries what is proposed. Returns the capture and the first failure: what was observed
/// before an interrupt or a lost connection is worth a report.
pub async fn observe_all(
    server: &Server,
    sources: &[input::Source],
    gaps: Vec<Gap>,
    args: &Explain,
    config: &Config,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<(Capture, Option<Error>)> {
    let mut capture = Capture::new(None);
    capture.today = config.today.clone();
    capture.gaps = gaps;
    let mut failure = None;
    let building = matches!(args.proof.prove, Prove::Rollback | Prove::Concurrently);
    // Before anything is observed: an index that a killed trial left would serve the statement, and hide its need.
    if building {
        clean_up(server, args, true, progress).await?;
    }
    for (number, source) in sources.iter().enumerate() {
        progress.step(format!("explaining statement {} of {}", number + 1, sources.len()));
        let observed = observe::observe(server, source, args, &mut capture).await;
        if let Err(error) = observed {
            if error.kind() == Kind::Usage || sources.len() == 1 {
                return Err(error);
            }
            capture.gaps.push(failed(source, &error));
            // Without a connection, or asked to stop, there is nothing more to be had.
            if matches!(error.kind(), Kind::Connect | Kind::Interrupted) {
                return Ok((capture, Some(error)));
            }
            failure.get_or_insert(error);
        }
    }
    if !building && capture.server.as_ref().is_some_and(|server| server.trial_index) {
        clean_up(server, args, false, progress).await?;
    }
    if capture.statements.is_empty() {
        return Ok((capture, failure));
    }
    let report = analyse(&capture, config)?;
    let proven = prove::prove(server, &report, &mut capture, args, interrupt, progress).await;
    Ok((capture, proven.err().or(failure)))
}

async fn clean_up(server: &Server, args: &Explain, drop: bool, progress: &Progress) -> Result<()> {
    let lines = prove::clean_up(server, &observe::guards(args), drop, progress).await?;
    lines.iter().for_each(|line| progress.announce(&format!("note: {line}")));
    Ok(())
}

fn failed(source: &input::Source, error: &Error) -> Gap {
    let place = source.origin.line.map_or(String::new(), |line| format!(":{line}"));
    let cause = error.causes().into_iter().next().map_or(String::new(), |cause| format!(": {cause}"));
    Gap {
        what: format!("{}{place}: {error}{cause}", source.name),
        sqlstate: error.code().map(str::to_owned),
        disables: vec!["explain".to_owned()],
    }
}

pub(super) fn save(capture: &Capture, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(capture)
        .map_err(|e| Error::new(Kind::Environment, "save the capture").because(e))?;
    text.push('\n');
    output::save(path, text.as_bytes())
}

pub(super) fn load(path: &Path) -> Result<Capture> {
    let doing = || format!("read the capture {}", path.display());
    let text =
        std::fs::read_to_string(path).map_err(|e| Error::new(Kind::Input, doing()).because_of_file(&e))?;
    let damaged = |e: serde_json::Error| {
        Error::new(Kind::Input, doing()).because(e).help("name a file that --save-capture wrote")
    };
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let format: Format = serde_json::from_str(&text).map_err(damaged)?;
    if format.format > FORMAT {
        return Err(Error::new(Kind::Input, doing())
            .because(format!("its format is {}, this pgproof reads up to {FORMAT}", format.format))
            .help("use a newer pgproof"));
    }
    serde_json::from_str(&text).map_err(damaged)
}
