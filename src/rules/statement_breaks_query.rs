//! A query that the server refuses once the migrations have run.
//!
//! Refuses to speak of one that it refused before.

use super::gate::{finding, name};
use super::{Check, Spec, Tuning};
use crate::context::GateContext;
use crate::finding::{Confidence, Finding, Severity};
use crate::gate::{Outcome, inserts};

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
            let error = ctx.judged[query].error.as_deref().unwrap_or("the server refuses it");
            let name = name(ctx, query);
            let unfilled = error.ends_with(&format!("({})", inserts::CODE));
            finding.what = match unfilled {
                true => format!("{name} fails whenever it is executed: {error}"),
                false => format!("{name} can no longer be planned: {error}"),
            };
            finding.why = "clients that still ask it fail as soon as the migration has run".to_owned();
            finding.help = match unfilled {
                true => "let the column have a default, or take NULL, until everybody that inserts fills it",
                false => "deploy the query's new form first, and migrate when nobody asks the old one",
            }
            .to_owned();
            if ctx.compared.queries[query].earlier.is_some() {
                // Head's own queries do without it.
                finding.severity = Severity::Warning;
                finding.why = "programs that run while this is deployed still ask it, and fail until they are \
                               replaced"
                    .to_owned();
            }
            finding
        })
        .collect()
}
