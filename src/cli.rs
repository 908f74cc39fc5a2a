//! The command line as typed. One description is the truth for parsing, help, completions and man pages.
//!
//! Refuses to do any work: `app` does.

mod throwaway;
mod written;

pub use throwaway::{Check, Ground, Pack, Twin};
pub use written::{ColorWhen, FailOn, Format, color};

use crate::error::{Error, Kind};
use crate::postgres::Flags;
use crate::scratch;
use crate::workload::By;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// PostgreSQL query-performance analyzer: every slow query explained, every remedy proven.
#[derive(Parser, Debug)]
#[command(
    name = "pgproof",
    version,
    disable_help_flag = true,
    propagate_version = true,
    max_term_width = 100
)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run EXPLAIN (ANALYZE, BUFFERS, …) safely, diagnose, propose, prove
    Explain(Explain),
    /// Diagnose stored plans in any format: text, JSON, YAML, XML
    Plan(Plan),
    /// Rank the statements that pg_stat_statements counted, explain the leading ones, find N+1 patterns
    Top(Top),
    /// Judge a whole database: indexes nobody needs, keys without one, statistics, vacuum, limits that come near
    Health(Health),
    /// Check new migrations: what they lock and for how long, and what becomes of the queries' plans
    Check(Check),
    /// Write the sizes, statistics and settings of a database to one portable file, without its rows
    Pack(Pack),
    /// What this role on this server lets pgproof see, and leftovers of killed trials
    Doctor(Doctor),
    /// Start a throwaway server, load a sample shop, find its problems, prove the fixes
    Demo(Demo),
    /// List the rules, print one rule's page, or test the pages of a team's own rules
    Rule(Rule),
    /// Print the JSON Schema of `--format json`
    Schema,
    /// Print shell completions
    Completions { shell: clap_complete::Shell },
    /// Print the man page
    Man,
}

/// Flags every command has.
#[derive(Args, Debug, Clone)]
pub struct Common {
    /// Output format; repeat it to pair with each --output
    #[arg(long, value_enum, global = true, value_name = "FORMAT")]
    pub format: Vec<Format>,
    /// Write the report to FILE as well; the format follows its extension unless --format names it
    #[arg(long, short = 'o', global = true, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Exit with 1 where a finding is at least this severe [default: error for check, else never]
    #[arg(long, value_enum, global = true, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Settings file [default: pgproof.toml here or in a parent folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set a rule's severity, or switch it off
    #[arg(long, global = true, value_name = "NAME=off|info|warning|error")]
    pub rule: Vec<String>,
    /// Run these rules only
    #[arg(long, global = true, value_name = "NAME")]
    pub only: Vec<String>,
    /// Folder with pages of your own rules; repeat it for more [default: [rules-from] dirs of the settings]
    #[arg(long, global = true, value_name = "DIR")]
    pub rules_dir: Vec<PathBuf>,
    /// Colours on the terminal
    #[arg(long, value_enum, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: ColorWhen,
    /// Findings and proposals only; no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Every number behind a finding, every node of a plan
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Print help
    #[arg(long, short = '?', global = true, action = ArgAction::Help)]
    pub help: Option<bool>,
}

#[derive(Args, Debug, Clone)]
pub struct Connection {
    /// Server host, address or socket folder (PGHOST)
    #[arg(long, short = 'h', value_name = "HOST", help_heading = "Connection")]
    pub host: Option<String>,
    /// Server port (PGPORT)
    #[arg(long, short = 'p', value_name = "PORT", help_heading = "Connection")]
    pub port: Option<String>,
    /// Role (PGUSER)
    #[arg(long, short = 'U', value_name = "ROLE", help_heading = "Connection")]
    pub username: Option<String>,
    /// Database name, `key=value` string or postgres:// URL (PGDATABASE, DATABASE_URL)
    #[arg(long, short = 'd', value_name = "DATABASE", help_heading = "Connection")]
    pub dbname: Option<String>,
    /// statement_timeout of everything we run
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "TIME", help_heading = "Connection")]
    pub timeout: Duration,
    /// How long to wait for a lock
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME", help_heading = "Connection")]
    pub lock_timeout: Duration,
    /// Connections at most
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=64), value_name = "N", help_heading = "Connection")]
    pub pool: u8,
}

#[derive(Args, Debug, Clone)]
pub struct Explain {
    /// Exactly one statement; an EXPLAIN in front is replaced by ours
    pub sql: Option<String>,
    /// Read statements from FILE (- is standard input)
    #[arg(long, short, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// Value of $1, $2 … in order (\N is NULL); without them the plan is a generic one
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub param: Vec<String>,
    /// Execute the statement: only when it is proven to read only, always, or never
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub analyze: Analyze,
    /// Execute writing statements too, in a transaction that is rolled back
    #[arg(long)]
    pub allow_writes: bool,
    #[command(flatten)]
    pub proof: Proof,
    #[command(flatten)]
    pub twin: Twin,
    /// Save everything observed to FILE
    #[arg(long, value_name = "FILE")]
    pub save_capture: Option<PathBuf>,
    /// Analyse a saved capture instead of asking a server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sql", "file"])]
    pub capture: Option<PathBuf>,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Args, Debug, Clone)]
pub struct Proof {
    /// How to prove a proposal; auto builds nothing and asks HypoPG where it is installed
    #[arg(long, value_enum, default_value = "auto", value_name = "MODE", help_heading = "Proof")]
    pub prove: Prove,
    /// Measured runs before, after, and before again
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000), value_name = "N", help_heading = "Proof")]
    pub runs: u16,
    /// With --prove concurrently: keep an index that is confirmed, under its final name
    #[arg(long, help_heading = "Proof")]
    pub keep: bool,
    /// Wall time for each proposal's trial
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME", help_heading = "Proof")]
    pub time_budget: Duration,
    /// With --prove rollback: how long a lock that blocks writers may be held
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME", help_heading = "Proof")]
    pub max_block: Duration,
    /// With --prove clone: a copy of the database that you give up to the trial
    #[arg(long, value_name = "URL", help_heading = "Proof")]
    pub clone_url: Option<String>,
}

#[derive(Args, Debug, Clone)]
pub struct Plan {
    /// Files that hold plans, with or without the frames of clients around them (- is standard input)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Compare two plans of one statement: the first plan of each of two FILEs, old and new
    #[arg(long)]
    pub diff: bool,
    /// The notation of the plans [default: what they look like]
    #[arg(long, value_enum, value_name = "NOTATION")]
    pub from: Option<From>,
    /// Instead of a report print the plans themselves, with other names and literals, fit to be shown in public:
    /// in EXPLAIN's text notation, or with --format json in its JSON
    #[arg(long, conflicts_with = "diff")]
    pub anonymize: bool,
}

#[derive(Args, Debug, Clone)]
pub struct Top {
    /// What statements are ranked by
    #[arg(long, value_enum, default_value = "total", value_name = "WHAT")]
    pub by: Rank,
    /// How many statements are told
    #[arg(long, short = 'n', default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000), value_name = "N")]
    pub limit: u16,
    /// Take two readings, this far apart, and tell what happened between them [default: since the last reset]
    #[arg(long, value_parser = duration, value_name = "TIME", conflicts_with_all = ["since", "diff"])]
    pub interval: Option<Duration>,
    /// Tell what happened since the reading in FILE, which --save wrote
    #[arg(long, value_name = "FILE", conflicts_with = "diff")]
    pub since: Option<PathBuf>,
    /// Save the reading to FILE, for --since and --diff
    #[arg(long, value_name = "FILE", conflicts_with = "diff")]
    pub save: Option<PathBuf>,
    /// Without a server: what happened between two readings that --save wrote, each statement beside what it took
    /// before the first of them
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"])]
    pub diff: Vec<PathBuf>,
    /// Rank only: no statement is explained
    #[arg(long)]
    pub no_explain: bool,
    /// Execute the leading statements, with values from the statistics: only those proven to read only, or never
    #[arg(long, value_enum, default_value = "never", value_name = "WHEN")]
    pub analyze: Analyze,
    #[command(flatten)]
    pub proof: Proof,
    /// Save everything observed to FILE
    #[arg(long, value_name = "FILE", conflicts_with = "diff")]
    pub save_capture: Option<PathBuf>,
    /// Analyse a saved capture instead of asking a server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interval", "since", "save", "diff", "save_capture"])]
    pub capture: Option<PathBuf>,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Execution time
    Total,
    /// Calls
    Calls,
    /// Execution time per call
    Mean,
    /// Time waiting for blocks, or blocks where track_io_timing is off
    Io,
    /// Blocks of temporary files
    Temp,
    /// Bytes of write-ahead log
    Wal,
    /// Planning time
    Planning,
    /// Deviation of the execution time against its mean
    Variation,
}

impl Rank {
    /// As the workload calls it.
    pub fn by(self) -> By {
        match self {
            Rank::Total => By::Total,
            Rank::Calls => By::Calls,
            Rank::Mean => By::Mean,
            Rank::Io => By::Io,
            Rank::Temp => By::Temp,
            Rank::Wal => By::Wal,
            Rank::Planning => By::Planning,
            Rank::Variation => By::Variation,
        }
    }
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Text,
    Json,
    Yaml,
    Xml,
}

#[derive(Args, Debug, Clone)]
pub struct Health {
    /// Another node of the cluster, whose scans count too: a standby; repeat it for more
    #[arg(long, value_name = "URL")]
    pub also: Vec<String>,
    /// Save everything observed to FILE
    #[arg(long, value_name = "FILE")]
    pub save_capture: Option<PathBuf>,
    /// Analyse a saved capture instead of asking a server
    #[arg(long, value_name = "FILE", conflicts_with = "also")]
    pub capture: Option<PathBuf>,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Args, Debug, Clone)]
pub struct Doctor {
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Args, Debug, Clone)]
pub struct Rule {
    /// Print this rule's page
    pub name: Option<String>,
    /// Run the cases on the pages in DIR on a throwaway server, and say of each whether it holds
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "facts"])]
    pub test: Option<PathBuf>,
    /// List the facts that a rule of your own may ask for
    #[arg(long, conflicts_with = "name")]
    pub facts: bool,
    /// With --test: where PostgreSQL comes from: a folder with initdb and postgres, or docker:IMAGE
    #[arg(long, default_value = "auto", value_parser = source, value_name = "BIN_DIR|docker:IMAGE", requires = "test")]
    pub postgres: scratch::Source,
}

#[derive(Args, Debug, Clone)]
pub struct Demo {
    /// Leave the server running and print how to connect
    #[arg(long)]
    pub keep: bool,
    /// Where PostgreSQL comes from: a folder with initdb and postgres, or docker:IMAGE
    #[arg(long, default_value = "auto", value_parser = source, value_name = "BIN_DIR|docker:IMAGE")]
    pub postgres: scratch::Source,
    /// Rows in the orders table
    #[arg(long, default_value_t = 1_200_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000_000), value_name = "N", hide = true)]
    pub orders: u32,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analyze {
    Auto,
    Always,
    Never,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prove {
    Auto,
    Off,
    Hypothetical,
    Rollback,
    Concurrently,
    Clone,
}

impl Connection {
    /// The flags that say where to connect.
    pub fn flags(&self) -> Flags {
        Flags {
            host: self.host.clone(),
            port: self.port.clone(),
            user: self.username.clone(),
            dbname: self.dbname.clone(),
        }
    }
}

/// A duration with PostgreSQL's units: `500ms`, `30s`, `5min`, `1h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let factor = match text[at..].trim() {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        unit => return Err(format!("unknown unit `{unit}`: use ms, s, min or h")),
    };
    let number: f64 = text[..at].parse().map_err(|_| "write a number and a unit, such as 30s".to_owned())?;
    // PostgreSQL's timeouts are 32-bit milliseconds.
    let seconds = number * factor;
    if !(0.001..=2_147_483.0).contains(&seconds) {
        return Err("between 1ms and 24d, please".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn source(text: &str) -> Result<scratch::Source, String> {
    text.parse().map_err(|e: Error| e.advice().map_or_else(|| e.to_string(), str::to_owned))
}

/// The arguments as clap should see them: SQL that starts with a comment is no flag. A space in front makes it a
/// value, and moves no place that an error could point to.
pub fn arguments(typed: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    for argument in typed {
        let comment = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--"))
            .is_some_and(|rest| rest.starts_with(char::is_whitespace) || rest.contains('\n'));
        let value = arguments.last().is_some_and(|before| before == "--param");
        arguments.push(match comment && !value {
            true => [OsString::from(" "), argument].into_iter().collect(),
            false => argument,
        });
    }
    arguments
}

/// The man page: the program's, then the options of each command.
///
/// # Errors
/// [`Kind::Environment`] when the page cannot be made.
pub fn man() -> Result<Vec<u8>, Error> {
    let fail = |e: std::io::Error| Error::new(Kind::Environment, "make the man page").because(e);
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(fail)?;
    for command in Cli::command().get_subcommands().filter(|c| c.get_arguments().next().is_some()) {
        let mut options = Vec::new();
        let name = command.get_name().to_uppercase();
        clap_mangen::Man::new(command.clone().disable_help_flag(true))
            .render_options_section(&mut options)
            .map_err(fail)?;
        // One section for each command, its groups of options below it.
        let groups = String::from_utf8_lossy(&options).replace("\n.SH ", "\n.SS ");
        page.extend(format!(".SH {name}\n{groups}").into_bytes());
    }
    Ok(page)
}

/// Completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pgproof", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_have_postgresqls_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5min"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        for bad in ["", "s", "1y", "0s", "-1s", "99999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
