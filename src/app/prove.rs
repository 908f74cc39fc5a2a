//! Drives trials: chooses the method, answers the experiments' requests, stores what was observed.
//!
//! Refuses to build anything unless a mode that builds was named, and says which locks come before they do.

use super::observe::guards;
use super::progress::Progress;
use crate::capture::{Capture, Mode};
use crate::catalog::ServerInfo;
use crate::cli::{Explain as Args, Prove};
use crate::error::{Error, Kind, Result};
use crate::plan::{Plan, read_statement};
use crate::postgres::explain::Explained;
use crate::postgres::trial::{self, PlanNumbers, Setup};
use crate::postgres::what_if::WhatIf;
use crate::postgres::{ConnectOptions, Environment, Flags, Guards, Interrupt, Server, leftovers};
use crate::proposals::{Change, Proposal};
use crate::prove::{Experiment, Limits, Method, Step, Trial};
use crate::report::Report;
use crate::safety;
use crate::sql::ident::qualified;
use crate::sql::read;
use serde_json::value::RawValue;
use std::collections::HashSet;

/// Writes are blocked by a build in a transaction for about this long per row and key, in ms: 1.5 µs measured
/// for B-tree builds of one to three keys on one core, a table scan included.
const BUILD_MS_PER_ROW: f64 = 0.0015;

/// Tries every proposal of `report` that the flags allow; what was observed goes into the capture, however it ends.
///
/// # Errors
/// [`Kind::Interrupted`], a lost connection, or a trial index that could not be dropped; everything else becomes
/// part of the trial.
pub async fn prove(
    server: &Server,
    report: &Report,
    capture: &mut Capture,
    args: &Args,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<()> {
    let Some(info) = capture.server.clone() else { return Ok(()) };
    if args.proof.prove == Prove::Off || report.proposals.is_empty() {
        return Ok(());
    }
    let clone = match (&args.proof.prove, &args.proof.clone_url) {
        (Prove::Clone, Some(url)) => Some(connect_clone(url, server, interrupt).await),
        (Prove::Clone, None) => {
            Some(Err(Error::new(Kind::Usage, "prove on a clone").help("name your copy with --clone-url URL")))
        }
        _ => None,
    };
    let (clone, mut ended) = match clone.transpose() {
        Ok(clone) => (clone, Ok(())),
        Err(error) => (None, Err(error)),
    };
    for judged in &report.proposals {
        let proposal = &judged.proposal;
        // What is no matter of one statement has nothing to be timed by.
        let Some(statement) = proposal.statement else { continue };
        let no = |reason: String| Trial::not_made(proposal.key(), statement, Method::None, reason);
        let unseen = for_triggers(report, statement, proposal);
        let tried = Tried { proposal, statement, unseen };
        let trial = match (&ended, choose(args, &info, capture, tried)) {
            (_, Choice::Skip) => continue,
            (Err(error), _) => no(format!("not tried: pgproof {error} before its turn")),
            (Ok(()), Choice::No(reason)) => no(reason),
            (Ok(()), Choice::Try(method)) => {
                let where_to = clone.as_ref().unwrap_or(server);
                let (trial, end) = one(where_to, method, &info, tried, capture, args, progress).await;
                ended = end;
                trial
            }
        };
        capture.trials.push(trial);
    }
    ended
}

async fn connect_clone(url: &str, production: &Server, interrupt: &Interrupt) -> Result<Server> {
    let flags = Flags { dbname: Some(url.to_owned()), ..Flags::default() };
    let options = ConnectOptions::resolve(&flags, &Environment::of_process())?;
    let clone = Server::connect(options, 2, interrupt.clone()).await?;
    // On a copy, locks and writers are nobody's concern: it had better be one.
    if trial::same_database(&clone, production).await? {
        return Err(Error::new(Kind::Usage, "prove on a clone")
            .because(format!("{} is the database under examination itself", clone.describe()))
            .help("name a copy with --clone-url, or use --prove rollback or concurrently"));
    }
    Ok(clone)
}

enum Choice {
    Try(Method),
    /// Cannot be tried; the reason belongs in the report.
    No(String),
    /// Not asked for.
    Skip,
}

/// What is to be tried.
#[derive(Clone, Copy)]
struct Tried<'a> {
    proposal: &'a Proposal,
    /// Index of the statement that it is timed by.
    statement: usize,
    /// Its use shows in the time alone: [`for_triggers`].
    unseen: bool,
}

fn choose(args: &Args, info: &ServerInfo, capture: &Capture, tried: Tried<'_>) -> Choice {
    let Tried { proposal, statement, unseen } = tried;
    let index = matches!(proposal.change, Change::CreateIndex(_));
    let setting = matches!(proposal.change, Change::Setting { .. });
    let expression = matches!(proposal.change, Change::CreateStatistics { expression: true, .. });
    let builds = matches!(args.proof.prove, Prove::Rollback | Prove::Concurrently);
    match args.proof.prove {
        _ if plan_cache(proposal) => Choice::No(
            "not tried again: the statement was executed with both plans already, once each".to_owned(),
        ),
        _ if setting => Choice::Try(Method::Setting),
        _ if args.twin.pack.is_some() && index => Choice::Try(Method::Twin),
        _ if args.twin.pack.is_some() => Choice::No("a twin holds no rows: it answers for indexes alone".to_owned()),
        _ if matches!(proposal.change, Change::Vacuum { .. }) => Choice::No(
            "a VACUUM cannot be taken back, so it is not tried: run it and explain the statement again"
                .to_owned(),
        ),
        _ if matches!(proposal.change, Change::Rewrite { .. }) => rewrite(capture, proposal, statement),
        Prove::Clone => Choice::Try(Method::Clone),
        _ if builds && info.in_recovery => {
            Choice::No("this server is a standby: run on the primary".to_owned())
        }
        _ if builds && expression => {
            Choice::No("statistics on an expression need a whole ANALYZE: use --prove clone".to_owned())
        }
        _ if builds && foreign(capture, proposal) => Choice::No(format!(
            "this role does not own {}: connect as its owner, or use --prove clone",
            proposal.relation.as_deref().unwrap_or("its table")
        )),
        Prove::Concurrently if index => Choice::Try(Method::Concurrently),
        Prove::Rollback | Prove::Concurrently => Choice::Try(Method::Rollback),
        Prove::Auto | Prove::Hypothetical if unseen => Choice::No(
            "what a trigger reads is in no plan, so the planner cannot be asked: --prove rollback measures it"
                .to_owned(),
        ),
        Prove::Auto | Prove::Hypothetical if index && info.hypopg.is_some() => {
            Choice::Try(Method::Hypothetical)
        }
        Prove::Hypothetical if index => Choice::No(
            "HypoPG is not installed in this database: CREATE EXTENSION hypopg, or --prove rollback"
                .to_owned(),
        ),
        Prove::Hypothetical => {
            Choice::No("HypoPG knows indexes only: --prove rollback measures this".to_owned())
        }
        Prove::Auto | Prove::Off => Choice::Skip,
    }
}

/// A setting that decides between two plans of a prepared statement. EXPLAIN of the statement itself has but one.
fn plan_cache(proposal: &Proposal) -> bool {
    matches!(&proposal.change, Change::Setting { name, .. } if name == "plan_cache_mode")
}

/// A rewrite is executed beside its statement, so it must be one that may be executed: it does nothing that the
/// statement does not do.
fn rewrite(capture: &Capture, proposal: &Proposal, statement: usize) -> Choice {
    let statement = &capture.statements[statement];
    let run = &statement.runs[proposal.run];
    let Change::Rewrite { sql, .. } = &proposal.change else { return Choice::Skip };
    let rewritten = read(sql);
    if rewritten.parameters > run.parameters.len() {
        return Choice::No("it asks for values that the statement does not have".to_owned());
    }
    match run.mode {
        Mode::Analyzed => match safety::unsafe_beside(&read(&statement.text), &rewritten) {
            None => Choice::Try(Method::Rewrite),
            Some(reason) => Choice::No(format!("it is not executed: {reason}")),
        },
        _ => Choice::No("the statement was not executed, so its rewrite is not either".to_owned()),
    }
}

/// Whether the relation to change is somebody else's.
fn foreign(capture: &Capture, proposal: &Proposal) -> bool {
    let relations = &capture.catalog.relations;
    relations.iter().any(|r| Some(r.qualified()) == proposal.relation && !r.owned)
}

async fn one(
    server: &Server,
    method: Method,
    info: &ServerInfo,
    Tried { proposal, statement: statement_id, unseen }: Tried<'_>,
    capture: &Capture,
    args: &Args,
    progress: &Progress,
) -> (Trial, Result<()>) {
    let statement = &capture.statements[statement_id];
    let run = &statement.runs[proposal.run];
    let execute = run.mode == Mode::Analyzed && !matches!(method, Method::Hypothetical | Method::Twin);
    let known = known_indexes(capture);
    let rows = rows(capture, proposal);
    let blocks_writers = method == Method::Rollback && matches!(proposal.change, Change::CreateIndex(_));
    let max_block = blocks_writers.then_some(args.proof.max_block);
    let partitioned = matches!(&proposal.change, Change::CreateIndex(index) if index.partitioned);
    let limits = Limits {
        runs: usize::from(args.proof.runs),
        budget_ms: args.proof.time_budget.as_secs_f64() * 1000.0,
        block_ms: max_block.map(|limit| limit.as_secs_f64() * 1000.0),
        expected_build_ms: rows * BUILD_MS_PER_ROW,
        keep: args.proof.keep && method == Method::Concurrently && !partitioned,
    };
    announce(method, proposal, args, progress);
    let mut setup_guards = guards(args);
    setup_guards.read_only = !args.allow_writes;
    let setup = Setup {
        method,
        change: &proposal.change,
        statement: Explained {
            text: &statement.text,
            parameters: &run.parameters,
            major: server.version().major(),
        },
        guards: setup_guards,
        what_if: match method {
            Method::Twin => Some(WhatIf::Twin),
            _ => info.hypopg.as_ref().map(|h| WhatIf::Hypopg { schema: h.schema.clone() }),
        }
        .filter(|_| matches!(method, Method::Twin | Method::Hypothetical)),
        size: proposal.size.map(|size| size.0),
        build_budget: args.proof.time_budget,
        max_block,
        read: &|raw| numbers(raw, &known, unseen),
    };
    let mut trial = trial::Trial::new(server, setup);
    let mut experiment = Experiment::new(proposal.key(), statement_id, method, execute, limits);
    let mut answer = None;
    let done = loop {
        match experiment.step(answer.take()) {
            Step::Done(done) => break *done,
            Step::Ask(request) => answer = Some(trial.answer(&request).await),
        }
    };
    (done, trial.finish().await)
}

/// Locks are stated before they are taken.
fn announce(method: Method, proposal: &Proposal, args: &Args, progress: &Progress) {
    progress.step(format!("trying {}", proposal.key()));
    let Some(relation) = &proposal.relation else { return };
    let index = matches!(proposal.change, Change::CreateIndex(_));
    let partitioned = matches!(&proposal.change, Change::CreateIndex(index) if index.partitioned);
    let each = if partitioned { " and each partition" } else { "" };
    match method {
        Method::Rollback if index => progress.announce(&format!(
            "trial: an index on {relation} inside a transaction that is rolled back; SHARE lock on {relation}{each}: \
             writers wait, for at most {:.1} s (--max-block)",
            args.proof.max_block.as_secs_f64()
        )),
        Method::Rollback => progress.announce(&format!(
            "trial: statistics of {relation} inside a transaction that is rolled back; SHARE UPDATE EXCLUSIVE lock \
             on {relation}{each}: nobody who reads or writes waits"
        )),
        Method::Concurrently => {
            let fate = match (args.proof.keep, partitioned) {
                (false, _) => " and dropped again",
                (true, false) => "",
                (true, true) => " and dropped again (--keep cannot attach the partitions' indexes: run `apply`)",
            };
            let on = if partitioned { "each partition of " } else { "" };
            progress.announce(&format!(
                "trial: an index on {on}{relation}, built concurrently{fate}; SHARE UPDATE EXCLUSIVE lock on \
                 {on}{relation}: nobody who reads or writes waits"
            ));
        }
        _ => {}
    }
}

fn known_indexes(capture: &Capture) -> HashSet<String> {
    capture.catalog.relations.iter().flat_map(|r| &r.indexes).map(|i| i.name.clone()).collect()
}

fn rows(capture: &Capture, proposal: &Proposal) -> f64 {
    let Change::CreateIndex(index) = &proposal.change else { return 0.0 };
    // A table that was never analysed: pages are known, at some 60 rows each.
    let rows = |schema: &str, name: &str| {
        let relation = capture.catalog.relation(Some(schema), name)?;
        relation.rows.or(relation.size_bytes.map(|bytes| bytes as f64 / 8192.0 * 60.0))
    };
    let whole = rows(&index.schema, &index.table);
    whole.unwrap_or_else(|| index.leaves().iter().filter_map(|(schema, name)| rows(schema, name)).sum())
}

/// The index is for what triggers run after the rows are written, which no plan shows.
fn for_triggers(report: &Report, statement: usize, proposal: &Proposal) -> bool {
    let plan = &report.statements[statement].plans[proposal.run].plan;
    let writes = |id: usize| plan.nodes[id].kind == "ModifyTable";
    proposal.answers.iter().all(|&finding| report.findings[finding].at.node.is_some_and(writes))
}

fn numbers(raw: &RawValue, known: &HashSet<String>, unseen: bool) -> Result<PlanNumbers> {
    let plan = read_statement(raw.get())?;
    let estimate = plan
        .root()
        .and_then(|root| root.estimate)
        .ok_or_else(|| Error::new(Kind::Server, "read the plan's cost").because("the server printed none"))?;
    let mut indexes = plan.nodes.iter().filter_map(|n| n.detail.index.as_ref());
    Ok(PlanNumbers {
        cost: estimate.total_cost.0,
        execution_ms: plan.execution_time.map(|t| t.0),
        blocks: blocks(&plan),
        uses_new_index: (!unseen).then(|| indexes.any(|i| !known.contains(i))),
    })
}

/// Blocks touched by the whole statement; the root's counters contain everything below it.
fn blocks(plan: &Plan) -> Option<i64> {
    let b = plan.root()?.buffers?;
    let all = [b.shared_hit, b.shared_read, b.local_hit, b.local_read, b.temp_read, b.temp_written];
    Some(all.iter().map(|blocks| blocks.0).sum())
}

/// Trial indexes that a killed pgproof left behind: dropped if `drop`; what still stands comes back as sentences.
///
/// # Errors
/// As the server says; a leftover that could not be dropped is a sentence, no error.
pub async fn clean_up(
    server: &Server,
    guards: &Guards,
    drop: bool,
    progress: &Progress,
) -> Result<Vec<String>> {
    let found = leftovers::leftovers(server, guards).await?;
    let mut lines = Vec::new();
    for (schema, name) in found.abandoned {
        let full = qualified(&schema, &name);
        if !drop || found.standby {
            let place = if found.standby { " on the primary" } else { "" };
            lines.push(format!(
                "the index {full} was left behind by a pgproof that was killed: `pgproof doctor`{place} drops it"
            ));
            continue;
        }
        progress.announce(&format!("dropping the index {full}, left behind by a pgproof that was killed"));
        match leftovers::drop_trial_index(server, &schema, &name).await {
            Ok(()) => progress.announce(&format!("dropped {full}")),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => {
                let why: Vec<String> = error.causes();
                let advice = error.advice().map_or(String::new(), |advice| format!("; {advice}"));
                lines.push(format!("{error}: {}{advice}", why.join(": ")));
            }
        }
    }
    for (schema, name, pid) in found.building {
        let full = qualified(&schema, &name);
        lines.push(format!("the index {full} is a trial that server process {pid} is still working on"));
    }
    Ok(lines)
}
