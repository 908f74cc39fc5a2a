//! Queries that were planned before and after migrations: judged, told of by their rules.
//!
//! Refuses to look into the plans: what ails one on head is for the rules about plans.

use crate::capture::{Origin, OriginKind};
use crate::context::GateContext;
use crate::finding::Severity;
use crate::gate::{Compared, Judgement, Outcome, Query, judge};
use crate::report::{Report, Statement};
use crate::rules::{self, Config};
use crate::sql;

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
            one.outcome = Outcome::Unchanged;
        }
    }
    let mut statements = Vec::with_capacity(judged.len());
    for (query, one) in compared.queries.iter().zip(&judged) {
        let at = query.observed.unwrap_or_else(|| {
            report.statements.push(statement(query));
            report.statements.len() - 1
        });
        report.statements[at].outcome = Some(one.outcome);
        report.statements[at].culprit = query.culprit.clone();
        statements.push(at);
    }
    let ctx = GateContext { compared, judged: &judged, statements: &statements };
    report.findings.extend(rules::run_gate(&ctx, config));
    // Two runs without a change give equal reports.
    report
        .statements
        .iter_mut()
        .flat_map(|s| &mut s.plans)
        .for_each(|planned| planned.plan.planning_time = None);
    // What ails a query was there before: the migration is what this is about.
    for finding in &mut report.findings {
        let about_plan = finding.at.run.is_some();
        if about_plan && finding.severity > Severity::Info {
            finding.severity = Severity::Info;
        }
    }
}

fn statement(query: &Query) -> Statement {
    let place = query.places.first();
    let kind = if place.is_some() { OriginKind::Corpus } else { OriginKind::PgStatStatements };
    Statement {
        title: query.name.clone(),
        text: query.text.clone(),
        fingerprint: sql::fingerprint(&query.text),
        origin: Origin { kind, path: place.map(|p| p.path.clone()), line: place.map(|p| p.line) },
        counted: None,
        plans: Vec::new(),
        outcome: None,
        culprit: None,
        notes: Vec::new(),
    }
}
