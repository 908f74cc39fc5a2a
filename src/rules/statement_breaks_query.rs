//! A query that the server refuses once the migrations have run.
//!
//! Refuses to speak of one that it refused before.

use super::gate::{finding, name};
use super::{Check, Spec, Tuning};
use crate::context::GateContext;
use crate::finding::{Confidence, Finding};
use crate::gate::Outcome;

pub(super) const SPEC: Spec = Spec {
    name: "statement-breaks-query",
    summary: "a query that the server planned before the migrations, and refuses after them",
    thresholds: &[],
    page: include_str!("../../rules/statement-breaks-query.md"),
    of_estimates: true,
    check: Check::Gate(check),
};

fn check(ctx: &GateContext, _: &Tuning) -> Vec<Finding> {
    ctx.with(Outcome::Broken)
        .map(|query| {
            let mut finding = finding(ctx, &SPEC, query);
            finding.confidence = Confidence::Measured;
            finding.what = format!(
                "{} can no longer be planned: {}",
                name(ctx, query),
                ctx.judged[query].error.as_deref().unwrap_or("the server refuses it")
            );
            finding.why = "clients that still ask it fail as soon as the migration has run".to_owned();
            finding.help = "deploy the query's new form first, and migrate when nobody asks the old one".to_owned();
            finding
        })
        .collect()
}
