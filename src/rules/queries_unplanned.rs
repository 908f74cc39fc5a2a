//! Queries that could not be planned on either side, so that nobody knows what becomes of them.
//!
//! Refuses to be silent: what was not looked at is not well.

use super::gate::{finding, name};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::GateContext;
use crate::finding::{Confidence, Evidence, Finding, Location, Severity};
use crate::gate::Outcome;
use crate::words::{brief, counted, percent};

/// Queries that are named, and characters of what the server says of each.
const NAMED: usize = 3;
const ERROR: usize = 80;

pub(super) const SPEC: Spec = Spec {
    name: "queries-unplanned",
    summary: "queries that could be planned neither before nor after the migrations",
    thresholds: &[Threshold {
        name: "minimum-coverage",
        default: 0.5,
        unit: "of the queries",
        why: "a check that looked at less than half of the queries says little: from there on it is an error",
    }],
    page: include_str!("../../rules/queries-unplanned.md"),
    of_estimates: true,
    check: Check::Gate(check),
};

fn check(ctx: &GateContext, tuning: &Tuning) -> Vec<Finding> {
    let here = |query: &usize| !ctx.compared.queries[*query].elsewhere();
    let unplanned: Vec<usize> = ctx.with(Outcome::Unplanned).filter(here).collect();
    let Some(&first) = unplanned.first() else { return Vec::new() };
    let all = (0..ctx.judged.len()).filter(here).count() as f64;
    let covered = 1.0 - unplanned.len() as f64 / all;
    let mut finding = finding(ctx, &SPEC, first);
    finding.location = ctx.compared.queries[first].places.first().cloned() as Option<Location>;
    finding.confidence = Confidence::Measured;
    finding.severity = match covered < tuning.get("minimum-coverage") {
        true => Severity::Error,
        false => Severity::Info,
    };
    finding.what = format!("{} of {all} could not be planned on either side", counted(unplanned.len() as f64, "query"));
    let refused = |&query: &usize| {
        let error = ctx.judged[query].error.as_deref().unwrap_or("refused");
        format!("{}: {}", name(ctx, query), brief(error, ERROR))
    };
    let mut names: Vec<String> = unplanned.iter().take(NAMED).map(refused).collect();
    if let Some(more) = unplanned.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names.push(format!("and {more} more"));
    }
    finding.why = format!(
        "{} of the queries were compared; of the others nothing is known: {}",
        percent(covered),
        names.join("; ")
    );
    finding.help = "mend the query, or leave out what is none".to_owned();
    let told = unplanned.iter().take(50);
    finding.evidence = told
        .map(|&query| Evidence::text(&name(ctx, query), ctx.judged[query].error.as_deref().unwrap_or("refused")))
        .collect();
    vec![finding]
}
