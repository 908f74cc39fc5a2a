//! `pgproof rule --test DIR`: the cases on a team's pages, each in a fresh database of a throwaway server.
//!
//! Refuses to touch a server it did not start. Our own rules look too: a case tells every finding of its plan.

use super::progress::Progress;
use super::{explain, input, output};
use crate::analyse::analyse;
use crate::cases::{differences, findings};
use crate::cli::{Cli, Command, Common, Explain, Rule};
use crate::error::{Error, Kind, Result};
use crate::exit;
use crate::postgres::{ConnectOptions, Environment, Flags, Interrupt, Server};
use crate::report::Report;
use crate::rules::Config;
use crate::rules::page::Case;
use crate::rules::team::Team;
use crate::scratch;
use crate::sql::{self, ident};
use clap::Parser;

/// Nothing runs by itself, and plans do not depend on whether this build has JIT.
const SETTINGS: [(&str, &str); 2] = [("autovacuum", "off"), ("jit", "off")];

/// How a case ended.
enum Ended {
    Passed,
    /// It is about other majors.
    Elsewhere,
    Failed(Vec<String>),
    /// The page itself is wrong: SQL that the server refuses, or an option that is none.
    Broken(Error),
}

/// Runs the command.
///
/// # Errors
/// A page without a case, no PostgreSQL to start, [`Kind::Interrupted`]; in each case nothing is left behind.
pub async fn run(config: &Config, args: &Rule, common: &Common) -> Result<u8> {
    if let Some(team) = config.team.iter().find(|team| team.cases.is_empty()) {
        return Err(Error::new(Kind::Config, format!("test the rule in {}", team.path))
            .because("its section Cases holds none")
            .help("show one case in which it speaks, and one in which it is silent"));
    }
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::spinner(common.quiet);
    progress.step("starting a throwaway server");
    let scratch = scratch::Server::start(&scratch::Options {
        source: args.postgres.clone(),
        settings: SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..scratch::Options::default()
    })?;
    let bench = Bench { scratch, config, interrupt };
    let server = bench.connect("postgres").await?;
    let mut tally = Tally::default();
    for team in &config.team {
        tally.page(team);
        for case in &team.cases {
            progress.step(format!("{}: {}", team.name, case.name));
            let ended = match case.covers(server.version().major()) {
                true => bench.case(&server, case, tally.ran()).await?,
                false => Ended::Elsewhere,
            };
            tally.case(case, &ended);
        }
    }
    drop(progress);
    drop(server);
    bench.scratch.stop()?;
    output::print(tally.text().as_bytes())?;
    Ok(tally.code())
}

struct Bench<'a> {
    scratch: scratch::Server,
    config: &'a Config,
    interrupt: Interrupt,
}

impl Bench<'_> {
    async fn connect(&self, database: &str) -> Result<Server> {
        let flags = Flags { dbname: Some(self.scratch.url(database)), ..Flags::default() };
        let options = ConnectOptions::resolve(&flags, &Environment::default())?;
        Server::connect(options, 2, self.interrupt.clone()).await
    }

    /// One case in a database of its own, which goes afterwards.
    async fn case(&self, server: &Server, case: &Case, number: usize) -> Result<Ended> {
        let database = format!("case_{number}");
        let admin = server.session("rule").await?;
        admin.batch("create the case's database", &format!("CREATE DATABASE {database}")).await?;
        let ended = self.inside(&admin, case, &database).await;
        admin.batch("drop the case's database", &format!("DROP DATABASE {database}")).await?;
        match ended {
            Ok(wrong) if wrong.is_empty() => Ok(Ended::Passed),
            Ok(wrong) => Ok(Ended::Failed(wrong)),
            // What ends the run, and what is no fault of the page.
            Err(error) if !matches!(error.kind(), Kind::Sql | Kind::Usage | Kind::Config | Kind::Server) => {
                Err(error)
            }
            Err(error) => Ok(Ended::Broken(error)),
        }
    }

    async fn inside(
        &self,
        admin: &crate::postgres::Session,
        case: &Case,
        database: &str,
    ) -> Result<Vec<String>> {
        self.execute(&case.setup, database, "set up the case").await?;
        for setting in case.option("setting") {
            let (name, value) = setting.split_once('=').ok_or_else(|| {
                Error::new(Kind::Config, format!("read the option setting={setting}"))
                    .help("option: setting=work_mem=1MB")
            })?;
            let value = value.replace('\'', "''");
            let statement = format!("ALTER DATABASE {database} SET {} = '{value}'", ident::quote(name));
            admin.batch("set the case's setting", &statement).await?;
        }
        let report = self.report(case, database).await?;
        let mut wrong = differences(&report, case);
        if let Some(fix) = case.fix.as_ref().filter(|_| wrong.is_empty()) {
            self.execute(fix, database, "run the case's fix").await?;
            let left = findings(&self.report(case, database).await?);
            wrong.extend(left.into_iter().map(|finding| format!("after the fix: finding: {finding}")));
        }
        Ok(wrong)
    }

    async fn execute(&self, text: &str, database: &str, doing: &str) -> Result<()> {
        let server = self.connect(database).await?;
        let session = server.session("rule").await?;
        let pieces = sql::split(text).map_err(|e| Error::new(Kind::Sql, doing).because(e.what))?;
        for piece in pieces {
            session.batch(doing, piece.text).await?;
        }
        Ok(())
    }

    async fn report(&self, case: &Case, database: &str) -> Result<Report> {
        let args = explain_args(case)?;
        let (mut sources, mut gaps) = (Vec::new(), Vec::new());
        input::from_text(&case.query, "the case's query", None, &mut sources, &mut gaps)?;
        if let (None, gap) = (sources.first(), gaps.first()) {
            let why = gap.map_or("it is empty".to_owned(), |gap| gap.what.clone());
            return Err(Error::new(Kind::Sql, "explain the case's query").because(why));
        }
        let server = self.connect(database).await?;
        let quiet = Progress::new(true);
        let (capture, failure) =
            explain::observe_all(&server, &sources, gaps, &args, self.config, &self.interrupt, &quiet)
                .await?;
        failure.map_or_else(|| analyse(&capture, self.config), Err)
    }
}

fn explain_args(case: &Case) -> Result<Explain> {
    let mut words: Vec<&str> = vec!["pgproof", "explain", "--prove", "off", "--timeout", "10min"];
    words.extend(case.option("analyze").flat_map(|value| ["--analyze", value]));
    words.extend(case.option("param").flat_map(|value| ["--param", value]));
    match Cli::try_parse_from(&words).map(|cli| cli.command) {
        Ok(Command::Explain(args)) => Ok(args),
        _ => Err(Error::new(Kind::Config, "read the case's options")
            .because(format!("`{}` is no command", words.join(" ")))
            .help("option: analyze=auto, always or never; option: param=VALUE")),
    }
}

/// What is printed, and counted.
#[derive(Default)]
struct Tally {
    lines: String,
    passed: usize,
    failed: usize,
    broken: usize,
    elsewhere: usize,
}

impl Tally {
    fn ran(&self) -> usize {
        self.passed + self.failed + self.broken
    }

    fn page(&mut self, team: &Team) {
        self.lines.push_str(&format!("{}  {}\n", team.name, team.path));
    }

    fn case(&mut self, case: &Case, ended: &Ended) {
        let (word, count, details) = match ended {
            Ended::Passed => ("pass", &mut self.passed, Vec::new()),
            Ended::Elsewhere => ("skip", &mut self.elsewhere, Vec::new()),
            Ended::Failed(wrong) => ("FAIL", &mut self.failed, wrong.clone()),
            Ended::Broken(error) => {
                let causes = error.causes().join(": ");
                ("BROKEN", &mut self.broken, vec![format!("{error}: {causes}")])
            }
        };
        *count += 1;
        self.lines.push_str(&format!("  {word}  {}\n", case.name));
        details.iter().for_each(|line| self.lines.push_str(&format!("        {line}\n")));
    }

    fn text(&self) -> String {
        let part = |number: usize, word: &str| (number > 0).then(|| format!(", {number} {word}"));
        let others = [
            part(self.failed, "failed"),
            part(self.broken, "broken"),
            part(self.elsewhere, "for other majors"),
        ];
        let others: String = others.into_iter().flatten().collect();
        format!("{}{} passed{others}\n", self.lines, self.passed)
    }

    fn code(&self) -> u8 {
        match (self.broken, self.failed) {
            (0, 0) => exit::OK,
            (0, _) => exit::FINDINGS,
            _ => exit::USAGE,
        }
    }
}
