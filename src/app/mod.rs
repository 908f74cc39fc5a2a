//! One function per command: the only wiring between the edges and the analysis.
//!
//! Refuses to analyse or to render: it reads, asks, hands on and writes.
#![allow(clippy::disallowed_methods)] // An edge: files, standard streams and the clock are read here.

mod check;
mod demo;
mod doctor;
mod explain;
mod health;
mod input;
mod known;
mod observe;
mod output;
mod pack;
mod plan;
mod progress;
mod prove;
mod rule;
mod rule_test;
mod schema;
mod top;
mod twin;
mod values;
mod vary;

use crate::cli::{self, Cli, Command, Common};
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::exit;
use crate::rules::{Config, Root};
use clap::Parser;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Parses the command line, runs it, prints what went wrong, and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(cli::arguments(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let color = cli::color(cli.common.color, std::io::stderr().is_terminal());
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let text = crate::render::error::render(&error, color);
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Runs a command and returns the exit code.
///
/// # Errors
/// What ended the command; `cli` prints it.
pub fn run(cli: Cli) -> Result<u8> {
    let common = &cli.common;
    match cli.command {
        Command::Explain(args) => runtime()?.block_on(explain::run(&args, common)),
        Command::Check(args) => runtime()?.block_on(check::run(&args, common)),
        Command::Pack(args) => runtime()?.block_on(pack::run(&args, common)),
        Command::Plan(args) => plan::run(&args, common),
        Command::Top(args) => runtime()?.block_on(top::run(&args, common)),
        Command::Health(args) => runtime()?.block_on(health::run(&args, common)),
        Command::Doctor(args) => runtime()?.block_on(doctor::run(&args, common)),
        Command::Demo(args) => runtime()?.block_on(demo::run(&args, common)),
        Command::Rule(args) => rule::run(&args, common),
        Command::Schema => output::print(crate::render::json::schema().as_bytes()),
        Command::Completions { shell } => output::print(&cli::completions(shell)),
        Command::Man => output::print(&cli::man()?),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(Kind::Environment, "start the asynchronous runtime").because(e))
}

/// The settings file that applies, with the rule flags on top.
fn settings(common: &Common) -> Result<Config> {
    let here = std::env::current_dir().ok();
    let path = common.config.clone().or_else(|| nearest_config(here.as_deref()?));
    let mut config = Config { today: today(), ..Config::default() };
    if let Some(path) = path {
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Error::new(Kind::Config, format!("read the settings in {}", path.display())).because_of_file(&e)
        })?;
        let folder = folder_of(&path);
        config.root = here.map(|here| Root { folder: here.join(folder), here });
        let name = path.display().to_string();
        for dir in config::rules_from(&text, &name)? {
            rule::add(&mut config, &folder.join(dir))?;
        }
        add_dirs(&mut config, &common.rules_dir)?;
        config::read(&mut config, &text, &name)?;
    } else {
        add_dirs(&mut config, &common.rules_dir)?;
    }
    config::add_flags(&mut config, &common.rule, &common.only)?;
    Ok(config)
}

fn add_dirs(config: &mut Config, dirs: &[PathBuf]) -> Result<()> {
    dirs.iter().try_for_each(|dir| rule::add(config, dir))
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// The day in UTC, `YYYY-MM-DD`.
fn today() -> Option<String> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(crate::suppress::day(since.as_secs() / 86_400))
}

fn nearest_config(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|f| f.join("pgproof.toml")).find(|path| path.is_file())
}

/// The exit code that a report stands for.
fn verdict(report: &crate::report::Report, fail_on: Option<cli::FailOn>) -> u8 {
    use crate::finding::Severity;
    let level = match fail_on.unwrap_or(cli::FailOn::Never) {
        cli::FailOn::Never => return exit::OK,
        cli::FailOn::Info => Severity::Info,
        cli::FailOn::Warning => Severity::Warning,
        cli::FailOn::Error => Severity::Error,
    };
    if report.worst().is_some_and(|worst| worst >= level) { exit::FINDINGS } else { exit::OK }
}
