//! From a capture to a report: plans read, facts derived, rules run, remedies made exact, trials judged.
//!
//! Pure, so that a saved capture gives the same report, byte for byte, without a server. Refuses to fail for
//! what is missing: it says so in the report. Only a capture that holds no plan where one must be is an error.

mod database;
mod gate;
mod migrations;
mod workload;

pub use database::{InQuestion, in_question};
pub use gate::budget_of;

use crate::capture::{Capture, Comment, Gap, Mode, Origin, Run};
use crate::catalog::RelationKind;
use crate::compare::{Side, compare};
use crate::context::PlanContext;
use crate::error::Result;
use crate::facts::facts;
use crate::finding::{Finding, Severity};
use crate::plan::{Plan, read_json, read_statement};
use crate::proposals::{WhyNot, candidate, named_apart, propose, together};
use crate::prove::{Method, Outcome, Trial, Verdict, judge};
use crate::report::{Judged, Planned, Report, Skipped, Statement, Suppressed};
use crate::rules::{self, Config};
use crate::sql;
use crate::suppress::{self, Suppression};
use crate::words::duration;
use std::collections::{BTreeMap, BTreeSet};

/// Analyses everything in a capture.
///
/// # Errors
/// A stored plan that cannot be read, with its place.
pub fn analyse(capture: &Capture, config: &Config) -> Result<Report> {
    let mut report =
        Report { server: capture.server.clone(), gaps: capture.gaps.clone(), ..Report::default() };
    // The day of the capture, so that it says the same on any other.
    let today = capture.today.clone().or_else(|| config.today.clone());
    let config = &Config { today, ..config.clone() };
    for (statement_id, statement) in capture.statements.iter().enumerate() {
        let config = &*config.at(statement.origin.path.as_deref());
        let words = sql::read(&statement.text);
        let parsed = sql::Parsed::read(&words.text);
        let mut entry = Statement::new(
            statement.text.clone(),
            sql::fingerprint(&statement.text),
            statement.origin.clone(),
        );
        let mut comments = statement.comments.clone();
        let line = |line: usize| statement.origin.line.map(|first| first + line - 1);
        comments.extend(speaking(&statement.text, line));
        comments.sort_by_key(|comment| comment.line);
        let asked = report.suppressions.len();
        report.suppressions.extend(suppress::read(statement_id, &comments, config.today.as_deref(), config));
        let runs = statement.runs.iter().map(planned).collect::<Result<Vec<Planned>>>()?;
        examine(&mut report, &mut entry, statement_id, runs, (&words, parsed.as_ref()), capture, config);
        settle(&mut report, asked, &entry, config);
        report.statements.push(entry);
    }
    // A twin holds no rows: nothing there could be measured.
    if capture.trace.is_none() {
        unmeasured(&mut report, config);
    }
    if let Some(observed) = &capture.workload {
        workload::examine(&mut report, observed, config);
    }
    if let Some(trace) = &capture.trace {
        migrations::examine(&mut report, trace, config);
    }
    if let Some(compared) = &capture.compared {
        gate::examine(&mut report, compared, config);
    }
    if let Some(snapshot) = &capture.snapshot {
        let major = capture.server.as_ref().map_or(0, |server| server.major());
        database::examine(&mut report, snapshot, capture.known.as_ref(), major, config);
    }
    rank(&mut report);
    Ok(report)
}

/// Analyses plans that came without a server, each as a statement of its own.
pub fn analyse_plans(plans: Vec<(Origin, Plan)>, config: &Config) -> Report {
    let nothing_known = Capture::new(None);
    let mut report = Report::default();
    for (origin, plan) in plans.into_iter().filter(|(_, plan)| !plan.nodes.is_empty()) {
        let config = &*config.at(origin.path.as_deref());
        let text = plan.query_text.clone().unwrap_or_default();
        let words = sql::read(&text);
        let parsed = sql::Parsed::read(&words.text);
        let fingerprint = sql::fingerprint(&text);
        let mut entry = Statement::new(text, fingerprint, origin);
        let facts = facts(&plan);
        let planned = Planned { mode: Mode::Stored, parameters: Vec::new(), plan, facts, not_executed: None };
        let (at, runs) = (report.statements.len(), vec![planned]);
        let comments: Vec<Comment> = speaking(&entry.text, |_| entry.origin.line).collect();
        let asked = report.suppressions.len();
        let read = suppress::read(at, &comments, config.today.as_deref(), config);
        // A plan's file has the lines of the plan, not those of its statement.
        let placed = read.into_iter().map(|one| Suppression { line: entry.origin.line, ..one });
        report.suppressions.extend(placed);
        examine(&mut report, &mut entry, at, runs, (&words, parsed.as_ref()), &nothing_known, config);
        settle(&mut report, asked, &entry, config);
        report.statements.push(entry);
    }
    rank(&mut report);
    report
}

/// Analyses two plans of one statement and compares them: the one that was, and the one that is.
pub fn compare_plans(base: (Origin, Plan), head: (Origin, Plan), config: &Config) -> Report {
    let mut report = analyse_plans(vec![base, head], config);
    let plans: Vec<&Planned> = report.statements.iter().filter_map(|s| s.plans.first()).collect();
    let comparison = match plans[..] {
        [base, head] => Some(compare(
            Side { plan: &base.plan, facts: &base.facts },
            Side { plan: &head.plan, facts: &head.facts },
        )),
        _ => None,
    };
    report.comparison = comparison;
    report
}

/// The comments in a statement that speak to pgproof; `place` makes lines of the file of lines of the text.
fn speaking(text: &str, place: impl Fn(usize) -> Option<usize>) -> impl Iterator<Item = Comment> {
    let all = sql::comments(text).into_iter().filter(|comment| suppress::mentions(comment.text));
    all.map(move |comment| Comment { text: comment.text.to_owned(), line: place(comment.line) })
}

/// Says what became of the suppressions of a statement, the first of which is `asked`.
fn settle(report: &mut Report, asked: usize, entry: &Statement, config: &Config) {
    let (used, told): (BTreeSet<usize>, Vec<Suppressed>) = (
        report.suppressed.iter().filter(|s| s.by >= asked).map(|s| s.by - asked).collect(),
        report.suppressed.drain(..).filter(|s| rules::told(&s.finding)).collect(),
    );
    report.suppressed = told;
    let measured = entry.plans.iter().any(|planned| planned.plan.analyzed());
    // Of estimates nobody can say that a rule would find nothing.
    let looked = |one: &Suppression| measured && config.runs(&one.rule);
    suppress::settle(&mut report.suppressions[asked..], &used, looked);
}

/// Runs the rules on all plans of one statement and makes their remedies exact.
fn examine(
    report: &mut Report,
    entry: &mut Statement,
    statement_id: usize,
    runs: Vec<Planned>,
    words: (&sql::Statement, Option<&sql::Parsed>),
    capture: &Capture,
    config: &Config,
) {
    let mut contexts: Vec<PlanContext> = Vec::new();
    for (run_id, planned) in runs.iter().enumerate() {
        contexts.push(PlanContext {
            statement_id,
            run_id,
            statement: words.0,
            parsed: words.1,
            mode: planned.mode,
            parameters: &planned.parameters,
            plan: &planned.plan,
            facts: &planned.facts,
            catalog: &capture.catalog,
            server: capture.server.as_ref(),
        });
    }
    let asked = |s: &&Suppression| s.statement == Some(statement_id) && s.in_force();
    let ignored: Vec<&str> = report.suppressions.iter().filter(asked).map(|s| s.rule.as_str()).collect();
    let all = rules::run_all(&contexts, config, &ignored);
    let by = |finding: &Finding| report.suppressions.iter().position(|s| asked(&s) && s.rule == finding.rule);
    let mut found: Vec<(&PlanContext, Vec<Finding>)> = Vec::new();
    let mut kept_apart = Vec::new();
    for (ctx, of_run) in contexts.iter().zip(all) {
        kept_apart.extend(
            of_run.ignored.into_iter().filter_map(|finding| Some(Suppressed { by: by(&finding)?, finding })),
        );
        found.push((ctx, of_run.findings));
    }
    let nothing = kept_apart.is_empty() && found.iter().all(|(_, found)| found.is_empty());
    report.suppressed.extend(kept_apart);
    // A change that several runs ask for is made from the one with the most to recover, and proven there.
    let most = |found: &[Finding]| found.iter().filter_map(|f| f.saves).map(|s| s.0).fold(0.0, f64::max);
    found.sort_by(|(_, a), (_, b)| most(b).total_cmp(&most(a)));
    let mut proposals = Vec::new();
    for (ctx, found) in found {
        let (proposed, reasons) = propose(ctx, &found, report.findings.len());
        let silent = nothing && slowest(&contexts).is_some_and(|slowest| slowest.run_id == ctx.run_id);
        entry.notes.extend(notes(ctx, silent, &reasons));
        report.findings.extend(found);
        proposals.push(proposed);
    }
    let first = report.proposals.len();
    for proposal in together(proposals) {
        let Some(ctx) = contexts.get(proposal.run) else { continue };
        let proposal = named_apart(ctx, proposal, report.proposals.iter().map(|judged| &judged.proposal));
        let trials = &capture.trials;
        let trial = trials.iter().find(|t| t.statement == statement_id && t.proposal == proposal.key());
        report.proposals.push(judged(proposal, trial));
    }
    refuted(report, first, config);
    entry.plans.extend(runs);
}

/// A finding whose every remedy was tried and did not help has nothing to recover that way: it is told, not shouted.
fn refuted(report: &mut Report, first: usize, config: &Config) {
    let mut helped: BTreeMap<usize, bool> = BTreeMap::new();
    for judged in &report.proposals[first..] {
        for &answer in &judged.proposal.answers {
            *helped.entry(answer).or_default() |= judged.recommended();
        }
    }
    for (answer, _) in helped.into_iter().filter(|(_, helped)| !helped) {
        let finding = &mut report.findings[answer];
        if !config.severity.contains_key(&*finding.rule) {
            finding.severity = Severity::Info;
        }
    }
}

/// The run that took longest, or the first where none was executed.
fn slowest<'a, 'b>(contexts: &'b [PlanContext<'a>]) -> Option<&'b PlanContext<'a>> {
    let time = |ctx: &PlanContext| ctx.facts.execution.filter(|_| ctx.measured()).map_or(0.0, |t| t.0);
    contexts.iter().rev().max_by(|a, b| time(a).total_cmp(&time(b)))
}

fn planned(run: &Run) -> Result<Planned> {
    let plan = read_statement(run.plan.get())?;
    let facts = facts(&plan);
    Ok(Planned {
        mode: run.mode,
        parameters: run.parameters.clone(),
        plan,
        facts,
        not_executed: run.not_executed.clone(),
    })
}

fn judged(proposal: crate::proposals::Proposal, trial: Option<&Trial>) -> Judged {
    let verdict = trial.map_or_else(
        || Verdict {
            outcome: Outcome::NotTried,
            method: Method::None,
            before: Vec::new(),
            after: Vec::new(),
            speedup: None,
            build_ms: None,
            reason: Some(
                "not tried: add --prove rollback (or concurrently, or clone) to measure it".to_owned(),
            ),
        },
        judge,
    );
    // Asked of the planner: what took how long is no property of the change.
    let asked = trial.is_some_and(|t| matches!(t.method, Method::Hypothetical | Method::Twin));
    let verdict = Verdict { build_ms: verdict.build_ms.filter(|_| !asked), ..verdict };
    let plan_after = trial
        .and_then(|t| t.plan_after.as_ref())
        .and_then(|raw| read_json(raw.get()).ok())
        .and_then(|plans| plans.into_iter().next());
    // HypoPG's sizes are a median 3.4 times too big: the model is nearer.
    let built = trial.filter(|t| t.method != Method::Hypothetical).and_then(|t| t.size_bytes);
    Judged {
        size_bytes: built.or(proposal.size.map(|s| s.0)),
        cost: trial.and_then(|t| Some((t.cost_before?, t.cost_after?))),
        kept: trial.is_some_and(|t| t.kept),
        proposal,
        verdict,
        plan_after,
    }
}

/// Findings go most recoverable first over all statements; the proposals' references follow them.
fn rank(report: &mut Report) {
    let mut order: Vec<usize> = (0..report.findings.len()).collect();
    let key = |i: usize| (report.findings[i].severity, report.findings[i].saves.map_or(0.0, |s| s.0));
    order.sort_by(|&a, &b| {
        let (a, b) = (key(a), key(b));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    let mut place = vec![0; order.len()];
    for (new, &old) in order.iter().enumerate() {
        place[old] = new;
    }
    report.findings = order.iter().map(|&i| report.findings[i].clone()).collect();
    for judged in &mut report.proposals {
        for answer in &mut judged.proposal.answers {
            *answer = place[*answer];
        }
        judged.proposal.answers.sort_unstable();
    }
    report.proposals.sort_by_key(|j| (!j.recommended(), j.proposal.answers.first().copied()));
}

/// Rules that need an execution say so where there was none.
fn unmeasured(report: &mut Report, config: &Config) {
    let unmeasured = report
        .statements
        .iter()
        .any(|s| !s.plans.is_empty() && s.plans.iter().all(|p| p.mode != Mode::Stored && !p.plan.analyzed()));
    if unmeasured {
        let needs = "an execution (EXPLAIN ANALYZE): this plan holds estimates only";
        let ours = rules::RULES.iter().filter(|r| !r.of_estimates).map(|r| r.name);
        let team = config.team.iter().filter(|team| !team.of_estimates()).map(|team| &*team.name);
        let skipped = |rule: &str| Skipped { rule: rule.to_owned(), needs: needs.to_owned() };
        report.skipped.extend(ours.chain(team).map(skipped));
    }
    let names: Vec<String> = report
        .statements
        .iter()
        .flat_map(|s| {
            s.plans.iter().filter_map(|p| p.not_executed.as_ref()).map(|why| format!("not executed: {why}"))
        })
        .collect();
    for what in names {
        if !report.gaps.iter().any(|g| g.what == what) {
            report.gaps.push(Gap {
                what,
                sqlstate: None,
                disables: vec!["measured times and rows".to_owned()],
            });
        }
    }
}

/// Why nothing is proposed: per finding without a candidate, or for a plan in which nothing was found.
fn notes(ctx: &PlanContext, nothing_found: bool, reasons: &[(usize, WhyNot)]) -> Vec<String> {
    let mut notes: Vec<String> =
        reasons.iter().map(|(_, why)| format!("no proposal: {}", sentence(why))).collect();
    notes.dedup();
    if nothing_found {
        notes.push(match ctx.facts.execution {
            Some(time) => format!(
                "nothing to propose: no rule found {} or more to recover in {}",
                floor(),
                duration(time)
            ),
            None => "nothing to propose: no rule found anything in the estimates".to_owned(),
        });
        notes.extend(ctx.plan.nodes.iter().filter_map(|n| access(ctx, n)).take(5));
    }
    notes
}

fn floor() -> String {
    format!("{} ms", rules::FLOOR_MS)
}

fn sentence(why: &WhyNot) -> String {
    match why {
        WhyNot::UnknownRelation => {
            "this plan came without its catalog; `pgproof explain` on its server makes the remedy exact"
                .to_owned()
        }
        WhyNot::Foreign => "the rows come from a foreign server: look there".to_owned(),
        WhyNot::NoCondition => "no condition or order here is one that an index is proposed for".to_owned(),
        WhyNot::Served(index) => format!("{index} already has these keys, and the planner had its choice"),
    }
}

/// How a relation is read, and that this is right.
fn access(ctx: &PlanContext, node: &crate::plan::Node) -> Option<String> {
    let relation = ctx.relation(node)?;
    if ctx.measured() && node.ran().is_none() {
        return None;
    }
    let name = relation.qualified();
    let indexes: Vec<&str> = match node.kind.as_str() {
        "Bitmap Heap Scan" => ctx.subtree(node.id).iter().filter_map(|n| n.detail.index.as_deref()).collect(),
        _ => node.detail.index.as_deref().into_iter().collect(),
    };
    if !indexes.is_empty() {
        let index = indexes.join(" and ");
        let what = match candidate(ctx, node.id, None) {
            Err(WhyNot::Served(by)) if indexes.contains(&by.as_str()) => {
                "which has every key that this query can use"
            }
            _ => "and throws away too little for another index to pay",
        };
        let direction = match node.detail.scan_direction.as_deref() {
            Some("Backward") => ", read backward",
            _ => "",
        };
        return Some(format!("{name} is read through {index}{direction}, {what}"));
    }
    (node.kind == "Seq Scan" && relation.kind == RelationKind::Table).then(|| {
        let removed = ctx.facts_of(node.id).removed_share;
        let unfiltered = node.detail.filter.is_none();
        match removed {
            _ if unfiltered => format!("{name} is read in full, and all of it is needed"),
            Some(share) if share.0 <= 0.5 => format!("{name} is read in full, and most of it is needed"),
            Some(_) if ctx.facts.execution.is_some() => {
                format!("{name} is read in full, which is quick enough")
            }
            _ => format!("{name} is read in full"),
        }
    })
}
