//! Observes one statement: its plan, what the catalog says of it, and, where that is safe, its execution.
//!
//! Everything happens in one transaction that is rolled back. Refuses to execute what is not proven to read only.

use super::input::Source;
use super::{values, vary};
use crate::capture::{Capture, Gap, Mode, Run, Statement};
use crate::catalog::{QualifiedName, Relation};
use crate::cli::{Analyze, Explain as Args};
use crate::error::{Error, Kind, Result};
use crate::plan::{Plan, read_statement};
use crate::postgres::catalog::Asked;
use crate::postgres::explain::{Explained, explain, explain_generic};
use crate::postgres::{Explain, Guards, Server, Session, catalog};
use crate::safety;
use crate::words::duration;
use serde_json::value::RawValue;
use std::time::Duration;

/// Limits for everything that observes.
pub fn guards(args: &Args) -> Guards {
    Guards {
        statement_timeout: args.connection.timeout,
        lock_timeout: args.connection.lock_timeout,
        idle_in_transaction_timeout: args.connection.timeout.max(Duration::from_secs(60)),
        read_only: true,
    }
}

/// Values for `$1`, `$2` …: `\N` is NULL.
pub fn parameters(args: &Args) -> Vec<Option<String>> {
    args.param.iter().map(|value| (value != "\\N").then(|| value.clone())).collect()
}

/// Observes `source` and adds it to the capture.
///
/// # Errors
/// As the server says, with the place in the statement; [`Kind::Usage`] for too few or too many parameters.
pub async fn observe(server: &Server, source: &Source, args: &Args, capture: &mut Capture) -> Result<()> {
    let mut session = server.session("").await?;
    let mut limits = guards(args);
    limits.read_only = !args.allow_writes;
    session.begin(&limits, &[]).await?;
    let observed = inside(&mut session, source, args, capture, server.version().major()).await;
    let ended = session.rollback().await;
    observed.map_err(|e| source.locate(e))?;
    ended
}

async fn inside(
    session: &mut Session,
    source: &Source,
    args: &Args,
    capture: &mut Capture,
    major: u32,
) -> Result<()> {
    let statement = &source.statement;
    if capture.server.is_none() {
        capture.server = Some(catalog::server_info(session).await?);
    }
    let parameters = parameters(args);
    let generic = statement.parameters > 0 && parameters.is_empty();
    if !parameters.is_empty() && parameters.len() != statement.parameters {
        return Err(Error::new(Kind::Usage, "fill in the parameters")
            .because(format!(
                "the statement has {}, and --param gives {}",
                counted(statement.parameters, "parameter"),
                counted(parameters.len(), "value")
            ))
            .help(match statement.parameters {
                0 => "leave --param out",
                _ => "repeat --param once for each of $1, $2 … in order",
            }));
    }
    let explained = Explained { text: &statement.text, parameters: &parameters, major };
    let raw = match generic {
        true => explain_generic(session, explained).await?,
        false => {
            explain(session, Explain::Plan, explained).await.map_err(|e| unfit_value(e, parameters.len()))?
        }
    };
    let plan = first_plan(&raw)?;
    let calls = safety::calls(statement, &plan);
    let names = relations(&plan);
    let asked = Asked {
        relations: &names,
        functions: &calls,
        writes: plan.nodes.iter().any(|n| n.kind == "ModifyTable"),
        parameters: generic,
    };
    let facts = catalog::read(session, asked).await?;
    let refused = safety::unsafe_to_execute(statement, &plan, &calls, &facts.volatile_functions);
    let values = generic
        .then(|| values::values(&statement.text, &plan, &facts.catalog, statement.parameters))
        .flatten();
    merge(&mut capture.catalog, facts.catalog);
    let mode = if generic { Mode::Generic } else { Mode::Estimated };
    let mut run = Run { mode, parameters: parameters.clone(), plan: raw, not_executed: None };
    let mut further = Vec::new();
    let wanted = match refused {
        // Guessed values are good enough to read with, and for nothing else.
        Some(reason) if values.is_some() => Wanted::PlanOnly(
            (args.analyze != Analyze::Never)
                .then(|| format!("{reason}, and no --param says with which values")),
        ),
        refused => wanted(args, generic && values.is_none(), refused),
    };
    match (wanted, values) {
        (wanted, Some(values)) => {
            let execute = matches!(wanted, Wanted::Execute);
            let varied = vary::vary(session, explained, &plan, &values, execute).await?;
            further = varied.runs;
            run.not_executed = match (wanted, varied.failure) {
                (Wanted::PlanOnly(reason), _) => reason,
                (Wanted::Execute, Some(error)) => Some(ended(&error, args)),
                (Wanted::Execute, None) => None,
            };
        }
        (Wanted::Execute, None) => match explain(session, Explain::Analyze, explained).await {
            Ok(plan) => run = Run { mode: Mode::Analyzed, plan, ..run },
            Err(e) if e.kind() == Kind::Timeout => run.not_executed = Some(ended(&e, args)),
            Err(e) => return Err(e),
        },
        (Wanted::PlanOnly(reason), None) => run.not_executed = reason,
    }
    let refused_writes = run.not_executed.clone();
    further.insert(0, run);
    capture.statements.push(Statement {
        text: statement.text.clone(),
        origin: source.origin.clone(),
        runs: further,
        comments: source.comments.clone(),
    });
    if let Some(reason) = refused_writes.filter(|_| args.analyze == Analyze::Always) {
        capture.gaps.push(Gap {
            what: format!("--analyze always could not execute the statement: {reason}"),
            sqlstate: None,
            disables: vec!["measured times and rows".to_owned()],
        });
    }
    statistics_gaps(capture);
    Ok(())
}

/// Why an execution has no end that could be told.
fn ended(error: &Error, args: &Args) -> String {
    match error.kind() {
        Kind::Timeout => {
            let limit = crate::units::Millis(args.connection.timeout.as_secs_f64() * 1000.0);
            format!("it took longer than --timeout {}", duration(limit))
        }
        _ => {
            let cause = error.cause();
            format!("with values out of the columns' statistics the server says: {cause}")
        }
    }
}

fn counted(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// A value that its type cannot hold is a mistake on the command line.
fn unfit_value(error: Error, parameters: usize) -> Error {
    match error.code() {
        Some("22P02" | "22003" | "22007" | "22008" | "22023") if parameters > 0 => {
            Error::new(Kind::Usage, "fill in the parameters")
                .because(error)
                .help("give each --param as the type that the server expects there; \\N is NULL")
        }
        _ => error,
    }
}

enum Wanted {
    Execute,
    /// With the reason, where the user did not ask for it.
    PlanOnly(Option<String>),
}

fn wanted(args: &Args, generic: bool, refused: Option<String>) -> Wanted {
    match (args.analyze, generic, refused) {
        (Analyze::Never, ..) => Wanted::PlanOnly(None),
        (_, true, _) => {
            Wanted::PlanOnly(Some("it has parameters and no --param gives their values".to_owned()))
        }
        (_, _, Some(reason)) if !args.allow_writes => {
            Wanted::PlanOnly(Some(format!("{reason}; --allow-writes executes it and rolls it back")))
        }
        _ => Wanted::Execute,
    }
}

/// The plan that an EXPLAIN printed.
pub fn first_plan(raw: &RawValue) -> Result<Plan> {
    read_statement(raw.get())
}

/// The relations that a plan reads or writes, each once.
pub fn relations(plan: &Plan) -> Vec<QualifiedName> {
    let named = plan.nodes.iter().filter_map(|n| {
        let (schema, name) = (n.detail.schema.clone()?, n.detail.relation.clone()?);
        Some(QualifiedName { schema, name })
    });
    let mut names: Vec<QualifiedName> = named.collect();
    names.sort();
    names.dedup();
    names
}

fn merge(into: &mut crate::catalog::Catalog, more: crate::catalog::Catalog) {
    for relation in more.relations {
        let known = |r: &Relation| r.schema == relation.schema && r.name == relation.name;
        match into.relations.iter_mut().find(|r| known(r)) {
            // A statement that reads did not ask who refers to it; one that writes did.
            Some(known) if known.referenced_by.is_empty() => known.referenced_by = relation.referenced_by,
            Some(_) => {}
            None => into.relations.push(relation),
        }
    }
    into.functions.extend(more.functions);
}

/// Column statistics that the role may not see: said once per relation.
fn statistics_gaps(capture: &mut Capture) {
    for relation in capture.catalog.relations.iter().filter(|r| !r.statistics_visible) {
        let what = format!(
            "the column statistics of {}: the role may not read the whole table (GRANT SELECT, or pg_read_all_data on 14+)",
            relation.qualified()
        );
        if !capture.gaps.iter().any(|g| g.what == what) {
            let disables =
                vec!["causes of estimate-drift".to_owned(), "order and size of proposed keys".to_owned()];
            capture.gaps.push(Gap { what, sqlstate: None, disables });
        }
    }
}
