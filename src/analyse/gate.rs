//! Queries that were planned before and after migrations: judged, told of by their rules.
//!
//! Refuses to look into the plans: what ails one on head is for the rules about plans.

use crate::capture::{Comment, Gap, Mode, Origin, OriginKind};
use crate::context::GateContext;
use crate::facts::facts;
use crate::finding::{Finding, Severity};
use crate::gate::budget::{self, Budget, Held};
use crate::gate::{Compared, Judgement, Names, Outcome, Query, Side, judge, marks};
use crate::plan::{Plan, read_statement};
use crate::report::{Pair, Planned, Report, Sided, Statement, Suppressed};
use crate::rules::{self, Config};
use crate::sql;
use crate::suppress::{self, Status, Suppression};
use crate::words::counted;
use std::collections::{BTreeMap, BTreeSet};

/// Adds what became of the queries to a report, whose statements are those of the capture.
pub(super) fn examine(report: &mut Report, compared: &Compared, config: &Config) {
    let thresholds = rules::thresholds(config);
    let mut judged: Vec<Judgement> = compared
        .queries
        .iter()
        .map(|query| judge(query, &compared.base, &compared.head, &thresholds))
        .collect();
    if !compared.packed {
        // Costs of empty tables say nothing.
        for one in
            judged.iter_mut().filter(|one| !matches!(one.outcome, Outcome::Broken | Outcome::Unplanned))
        {
            one.outcome = Outcome::Planned;
        }
    }
    let elsewhere = compared.queries.iter().filter(|query| query.elsewhere()).count();
    if elsewhere > 0 {
        let queries = counted(elsewhere as f64, "query");
        let what = format!(
            "{queries} that a server saw name tables that this schema lacks: those of other databases, it seems"
        );
        report.gaps.push(Gap { what, sqlstate: None, disables: vec!["check of these queries".to_owned()] });
    }
    let held = budgets(report, compared, config);
    let mut statements = Vec::with_capacity(judged.len());
    for ((query, one), held) in compared.queries.iter().zip(&judged).zip(&held) {
        let at = query.observed.unwrap_or_else(|| {
            report.statements.push(statement(query));
            report.statements.len() - 1
        });
        let over = !held.over.is_empty() && one.outcome > Outcome::Worse;
        report.statements[at].outcome = Some(if over { Outcome::OverBudget } else { one.outcome });
        report.statements[at].culprit = query.culprit.clone();
        report.statements[at].pairs = pairs(query, compared);
        report.statements[at].judged = one.valued.map_or(0, |valued| valued + 1);
        report.statements[at].title = query.name.clone();
        // Those of a query that was looked into were read with it.
        if query.observed.is_none() && !query.comments.is_empty() {
            let comment = |(text, line): &(String, usize)| Comment { text: text.clone(), line: Some(*line) };
            let comments: Vec<Comment> = query.comments.iter().map(comment).collect();
            report.suppressions.extend(suppress::read(at, &comments, config.today.as_deref(), config));
        }
        statements.push(at);
    }
    let ctx = GateContext { compared, judged: &judged, held: &held, statements: &statements };
    let found = rules::run_gate(&ctx, config);
    let unseen = compared.queries.iter().zip(&statements).filter(|(query, _)| query.observed.is_none());
    ignore(report, found, &unseen.map(|(_, at)| *at).collect(), compared.packed);
    // Two runs without a change give equal reports.
    report
        .statements
        .iter_mut()
        .flat_map(|s| &mut s.plans)
        .for_each(|planned| planned.plan.planning_time = None);
    // What ails a query was there before: the migration is what this is about.
    for finding in &mut report.findings {
        let about_plan = finding.at.run.is_some();
        if about_plan && finding.severity > Severity::Info && !config.severity.contains_key(&*finding.rule) {
            finding.severity = Severity::Info;
        }
    }
}

/// Adds the findings but those that a comment at the query, or at the statement that did it, asks to ignore; says of each
/// such comment what became of it. `unseen` are the statements whose plans no rule looked into.
fn ignore(report: &mut Report, found: Vec<Finding>, unseen: &BTreeSet<usize>, packed: bool) {
    for finding in found {
        let asks = |one: &Suppression| {
            let origin = one.statement.and_then(|at| report.statements.get(at)).map(|s| &s.origin);
            let there = finding.location.as_ref().zip(origin).is_some_and(|(place, origin)| {
                origin.path.as_ref() == Some(&place.path) && origin.line == Some(place.line)
            });
            one.in_force() && one.rule == finding.rule && (one.statement == finding.at.statement || there)
        };
        match report.suppressions.iter().position(asks) {
            Some(by) => {
                let one = &mut report.suppressions[by];
                (one.status, one.why, one.help) = (Status::Applied, String::new(), String::new());
                report.suppressed.push(Suppressed { finding, by });
            }
            None => report.findings.push(finding),
        }
    }
    for one in &mut report.suppressions {
        let query = one.statement.is_some_and(|at| unseen.contains(&at));
        if !matches!(one.status, Status::Idle | Status::Unused) {
            continue;
        }
        if rules::of_queries(&one.rule) && !packed {
            one.status = Status::Idle;
            one.why = "without --pack nobody can say".to_owned();
        } else if rules::of_queries(&one.rule) {
            one.status = Status::Unused;
            one.why = "its rule finds nothing here".to_owned();
            one.help = "take the comment out".to_owned();
        } else if query {
            one.status = Status::Idle;
            one.why = "its rule looks at plans, and this one got no worse".to_owned();
        }
    }
}

/// What became of the budgets; what of them could not be tested, and those of nobody, are gaps.
fn budgets(report: &mut Report, compared: &Compared, config: &Config) -> Vec<Held> {
    let mut used = BTreeSet::new();
    let mut untested = BTreeMap::new();
    let mut hold = |query: &Query| {
        let budget = budget_of(query, config, &mut used);
        if budget.is_empty() {
            return Held::default();
        }
        let mut held = budget::hold(query, &budget, &compared.head, compared.packed);
        if let Some(why) = &held.untested {
            *untested.entry(why.clone()).or_insert(0usize) += 1;
        }
        // A table of the settings may be one that some queries read.
        let own = query.budget.as_ref().map(|own| budget::unread(query, own, &compared.head));
        let unread = own.into_iter().flatten();
        held.wrong.extend(
            unread.map(|table| format!("it asks for an index on {table}, which the query does not read")),
        );
        held
    };
    let held = compared.queries.iter().map(&mut hold).collect();
    let untested = untested
        .into_iter()
        .map(|(why, queries)| format!("the budgets of {}: {why}", counted(queries as f64, "query")));
    let nobody = config
        .budgets
        .iter()
        .enumerate()
        .filter(|(at, _)| !used.contains(at))
        .map(|(_, one)| format!("the budget of the settings with {} is about no query", one.written));
    let gaps: Vec<String> = untested.chain(nobody).collect();
    report.gaps.extend(gaps.into_iter().map(|what| Gap {
        what,
        sqlstate: None,
        disables: vec!["query-over-budget".to_owned()],
    }));
    held
}

/// The budget of a query: its own and that of the settings.
pub fn budget_of(query: &Query, config: &Config, used: &mut BTreeSet<usize>) -> Budget {
    let paths: Vec<&str> = query.places.iter().map(|place| place.path.as_str()).collect();
    config.budget(query.budget.as_ref(), query.name.as_deref(), &paths, used)
}

fn statement(query: &Query) -> Statement {
    let place = query.places.first();
    let kind = if place.is_some() { OriginKind::Corpus } else { OriginKind::PgStatStatements };
    // Of a query of before, no file of now has the line.
    let there = place.filter(|_| query.earlier.is_none());
    let origin = Origin { kind, path: there.map(|p| p.path.clone()), line: there.map(|p| p.line) };
    let statement = Statement::new(query.text.clone(), sql::fingerprint(&query.text), origin);
    Statement { title: query.name.clone(), ..statement }
}

/// The plans of a query on both sides: those that the server made.
fn pairs(query: &Query, compared: &Compared) -> Vec<Pair> {
    let sided = |side: &Side, names: &Names, mode: Mode, parameters: &[Option<String>]| {
        let Side::Planned(raw) = side else { return None };
        let plan = read_statement(raw.get()).ok()?;
        let (facts, marks) = (facts(&plan), marks(&plan, names));
        // Two runs without a change give equal reports.
        let plan = Plan { planning_time: None, ..plan };
        let planned = Planned { mode, parameters: parameters.to_vec(), plan, facts, not_executed: None };
        Some(Sided { planned, marks })
    };
    let pair = |often, (base, head): (&Side, &Side), parameters: &[Option<String>]| {
        let mode = if parameters.is_empty() { Mode::Generic } else { Mode::Estimated };
        Pair {
            often,
            base: sided(base, &compared.base, mode, parameters),
            head: sided(head, &compared.head, mode, parameters),
        }
    };
    let generic = pair(None, (&query.base, &query.head), &[]);
    let valued = query.valued.iter().map(|v| pair(Some(v.often), (&v.base, &v.head), &v.parameters));
    std::iter::once(generic).chain(valued).collect()
}
