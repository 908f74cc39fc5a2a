//! A query that is new with the migrations and reads a large table as a whole.
//!
//! Refuses to speak of queries that were there before.

use super::gate::{finding, name};
use super::{Check, Spec, Tuning};
use crate::context::GateContext;
use crate::finding::{Finding, Severity};
use crate::gate::Outcome;

pub(super) const SPEC: Spec = Spec {
    name: "query-unindexed",
    summary: "a query that only the migrations make possible reads a large table as a whole",
    thresholds: &[],
    page: include_str!("../../rules/query-unindexed.md"),
    of_estimates: true,
    check: Check::Gate(check),
};

fn check(ctx: &GateContext, _: &Tuning) -> Vec<Finding> {
    ctx.with(Outcome::NewUnindexed)
        .map(|query| {
            let table = ctx.judged[query].whole.clone().unwrap_or_default();
            let mut finding = finding(ctx, &SPEC, query);
            finding.severity = Severity::Warning;
            finding.what = format!("{} reads {table} as a whole", name(ctx, query));
            finding.why = "it is new, so production has never paid for it".to_owned();
            finding.help = "add the index that it needs with the migration".to_owned();
            finding.relation = Some(table);
            finding
        })
        .collect()
}
