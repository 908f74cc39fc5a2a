//! The flags of what works on throwaway servers: packs, twins, checks.
//!
//! Refuses to do any work: `app` does.

use super::{Connection, source};
use crate::scratch;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug, Clone)]
pub struct Check {
    /// Folders with migrations, or files
    #[arg(required_unless_present = "capture", value_name = "MIGRATIONS")]
    pub migrations: Vec<PathBuf>,
    /// What is applied already: the same folders in a revision of git, or a folder [default: nothing]
    #[arg(long, value_name = "REV|DIR")]
    pub base: Option<String>,
    /// Who runs the migrations [default: what the files look like]
    #[arg(long, value_name = "NAME")]
    pub framework: Option<String>,
    /// What Flyway puts in place of ${NAME}
    #[arg(long = "placeholder", value_name = "NAME=VALUE")]
    pub placeholders: Vec<String>,
    /// The schema before all migrations: what `pg_dump --schema-only` wrote
    #[arg(long, value_name = "FILE")]
    pub schema: Vec<PathBuf>,
    /// Production's sizes and statistics, which `pgproof pack` wrote
    #[arg(long, value_name = "FILE")]
    pub pack: Option<PathBuf>,
    /// Queries to plan before and after the migrations: files or folders of SQL, a `.sqlx` folder, logs of the server;
    /// those of the pack are planned too
    #[arg(long, value_name = "PATH")]
    pub queries: Vec<PathBuf>,
    /// Data to execute queries on that have a budget of buffers or rows: SQL, or a folder of it, that fits the schema after
    /// the migrations
    #[arg(long, value_name = "FILE")]
    pub seed: Vec<PathBuf>,
    /// The findings that somebody lives with [default: pgproof-accepted.json beside pgproof.toml, or here]
    #[arg(long, value_name = "FILE", help_heading = "Accepted findings")]
    pub accepted: Option<PathBuf>,
    /// Accept what is found now, for that reason: errors and warnings, and what --fail-on names; --only narrows it
    #[arg(long, value_name = "REASON", help_heading = "Accepted findings")]
    pub accept: Option<String>,
    /// The last day on which what --accept adds is in force
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "Accepted findings", requires = "accept")]
    pub until: Option<String>,
    /// Take those entries out that meet nothing any more, or whose day has passed
    #[arg(long, help_heading = "Accepted findings")]
    pub prune_accepted: bool,
    /// Save everything observed to FILE
    #[arg(long, value_name = "FILE")]
    pub save_capture: Option<PathBuf>,
    /// Analyse a saved capture instead of starting a server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["migrations", "save_capture"])]
    pub capture: Option<PathBuf>,
    #[command(flatten)]
    pub ground: Ground,
}

#[derive(Args, Debug, Clone)]
pub struct Pack {
    /// Replace each value in the statistics by a made-up one of the same rank, so that no data of users leaves
    #[arg(long)]
    pub redact: bool,
    /// With the N statements that took most time, as pg_stat_statements has them, constants left out
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "500", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub statements: Option<u32>,
    #[command(flatten)]
    pub connection: Connection,
}

/// A throwaway server that plans as production does.
#[derive(Args, Debug, Clone, Default)]
pub struct Twin {
    /// Plan on an empty twin of the database that FILE was taken from, which `pgproof pack` wrote
    #[arg(long, value_name = "FILE", help_heading = "Twin", requires = "schema")]
    pub pack: Option<PathBuf>,
    /// The schema of the twin: what `pg_dump --schema-only` wrote, or a folder of such files
    #[arg(long, value_name = "FILE", help_heading = "Twin", requires = "pack")]
    pub schema: Vec<PathBuf>,
    #[command(flatten)]
    pub ground: Ground,
}

/// Where a throwaway server comes from.
#[derive(Args, Debug, Clone, Default)]
pub struct Ground {
    /// Where PostgreSQL comes from: a folder with initdb and postgres, or docker:IMAGE
    #[arg(long, default_value = "auto", value_parser = source, value_name = "BIN_DIR|docker:IMAGE", help_heading = "Twin")]
    pub postgres: scratch::Source,
    /// Instead of starting a server, use this one, whose superuser we are; with --disposable
    #[arg(long, value_name = "URL", help_heading = "Twin", requires = "disposable")]
    pub server: Option<String>,
    /// The server of --server is given up: databases are made and dropped, files are written
    #[arg(long, help_heading = "Twin", requires = "server")]
    pub disposable: bool,
}
