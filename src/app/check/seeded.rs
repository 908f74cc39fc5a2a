//! Budgets of buffers: their queries executed on a copy of head that the user's own data fills.
//!
//! Refuses to execute where nothing was seeded, and to keep what an execution writes.

use super::HEAD;
use super::looking::{explain_with, source};
use super::queries::Comparison;
use crate::analyse::budget_of;
use crate::app::observe;
use crate::app::schema::Script;
use crate::capture::{Capture, Mode};
use crate::error::{Error, Kind, Result};
use crate::gate::budget::{Budget, Executed, Ran};
use crate::gate::{Compared, Query};
use crate::postgres::Server;
use crate::sql;
use std::collections::BTreeSet;

/// The database with all migrations and the user's data.
const SEEDED: &str = "pgproof_seeded";
/// A copy of it for one query that writes.
const WRITTEN: &str = "pgproof_written";
/// One process and no compilation, so that every execution touches the same blocks.
const SETTINGS: [(&str, &str); 2] = [("max_parallel_workers_per_gather", "0"), ("jit", "off")];

/// Executes the queries whose budget is of buffers or rows, twice each, and keeps the second execution: the first one
/// reads the catalog too.
///
/// # Errors
/// [`Kind::Sql`] with the place of data that does not fit the schema; a lost connection.
pub async fn execute(on: &Comparison<'_>, compared: &mut Compared) -> Result<()> {
    if on.seeds.is_empty() {
        return Ok(());
    }
    let budgets: Vec<Budget> =
        compared.queries.iter().map(|query| budget_of(query, on.config, &mut BTreeSet::new())).collect();
    // Without a pack, the plans of executions are all there is to hold a budget to.
    let wanted = |budget: &Budget| {
        budget.buffers.is_some() || budget.rows.is_some() || (on.pack.is_none() && !budget.is_empty())
    };
    if !budgets.iter().any(wanted) {
        return Ok(());
    }
    on.progress.step("filling a database");
    on.ground.copy(HEAD, SEEDED).await?;
    on.ground.settle(SEEDED, on.pack, &SETTINGS).await?;
    let server = on.ground.connect(SEEDED).await?;
    fill(&server, on.seeds).await?;
    on.progress.step("executing the queries with a budget");
    let writes = |query: &Query| sql::read(&query.text).kind != sql::Kind::Query;
    let all = compared.queries.iter_mut().zip(&budgets).filter(|(_, budget)| wanted(budget));
    let (writing, reading): (Vec<_>, Vec<_>) = all.partition(|(query, _)| writes(query));
    for (query, budget) in reading {
        query.executed = Some(executed(&server, query, budget, None).await?);
    }
    drop(server);
    // What a query writes is rolled back and stays in the files: each has a copy, so that none is another's trouble.
    for (query, budget) in writing {
        on.ground.copy(SEEDED, WRITTEN).await?;
        on.ground.settle(WRITTEN, on.pack, &SETTINGS).await?;
        let server = on.ground.connect(WRITTEN).await?;
        query.executed = Some(executed(&server, query, budget, Some("VACUUM")).await?);
    }
    Ok(())
}

/// Executes a query twice, with a statement between the two.
async fn executed(
    server: &Server,
    query: &Query,
    budget: &Budget,
    between: Option<&str>,
) -> Result<Executed> {
    let mut flags = vec!["--analyze", "auto", "--allow-writes"];
    let parameters = sql::read(&query.text).parameters;
    if !budget.parameters.is_empty() && parameters != budget.parameters.len() {
        return Ok(Executed::Not(format!(
            "its budget gives {} values, and it has {parameters} parameters",
            budget.parameters.len()
        )));
    }
    // As one word each: a value may begin with a dash.
    let given: Vec<String> = budget.parameters.iter().map(|value| format!("--param={value}")).collect();
    flags.extend(given.iter().map(String::as_str));
    let args = explain_with(flags.into_iter())?;
    let mut last = Err(String::new());
    for again in [false, true] {
        if let Some(between) = between.filter(|_| again) {
            server.session("seed").await?.batch("clean up behind a query", between).await?;
        }
        let mut capture = Capture::new(None);
        last = match observe::observe(server, &source(query), &args, &mut capture).await {
            Ok(()) => Ok(capture),
            Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
            Err(error) => Err(error.cause()),
        };
    }
    Ok(last.map_or_else(Executed::Not, ran))
}

fn ran(capture: Capture) -> Executed {
    let runs: Vec<_> = capture.statements.into_iter().flat_map(|statement| statement.runs).collect();
    let why = runs.iter().find_map(|run| run.not_executed.clone());
    let ran: Vec<Ran> = runs
        .into_iter()
        .filter(|run| run.mode == Mode::Analyzed)
        .map(|run| Ran { parameters: run.parameters, plan: run.plan })
        .collect();
    match ran.is_empty() {
        true => Executed::Not(match why {
            Some(why) if why.contains("--param") => {
                "no param=VALUE of its budget says with which values, and the statistics know none".to_owned()
            }
            why => why.unwrap_or_else(|| "it was not executed".to_owned()),
        }),
        false => Executed::Ran(ran),
    }
}

/// Runs the scripts and has the statistics made.
async fn fill(server: &Server, seeds: &[Script]) -> Result<()> {
    let session = server.session("seed").await?;
    for script in seeds {
        let doing = format!("load the data of {}", script.name);
        let pieces = script.pieces(&doing)?;
        for piece in pieces {
            let Err(error) = session.batch(&doing, piece.text).await else { continue };
            if matches!(error.kind(), Kind::Connect | Kind::Interrupted) {
                return Err(error);
            }
            let cause = error.cause();
            let fits = "the data has to fit the schema after the new migrations";
            let help = error.advice().unwrap_or(fits).to_owned();
            let because = format!("{}:{}: {cause}", script.name, piece.line);
            return Err(Error::new(Kind::Sql, &doing).because(because).help(help));
        }
    }
    session.batch("look at the data", "RESET ALL").await?;
    session.batch("look at the data", "VACUUM ANALYZE").await
}
