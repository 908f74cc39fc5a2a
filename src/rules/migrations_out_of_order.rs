//! A new migration that comes before one that is applied already.
//!
//! Refuses to say that it harms: what it does was traced after the newer ones, as it would run.

use super::migration::finding_at;
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::migrate::Late;

pub(super) const SPEC: Spec = Spec {
    name: "migrations-out-of-order",
    summary: "a new migration comes before one that the base has already",
    thresholds: &[],
    page: include_str!("../../rules/migrations-out-of-order.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, _: &Tuning) -> Vec<Finding> {
    let behind = ctx.migrations.iter().filter_map(|m| Some((m, m.behind.as_ref()?)));
    behind
        .map(|(migration, newest)| {
            let line = migration.steps.first().map_or(1, |step| step.line);
            let mut finding = finding_at(&SPEC, migration, line, line);
            let framework = ctx.framework.name();
            finding.what = format!("version {} comes before {newest}, which the base has", migration.version);
            (finding.severity, finding.why) = match ctx.framework.late() {
                Late::Refused => (Severity::Error, format!("{framework} refuses to run where {newest} ran already")),
                Late::Skipped => (
                    Severity::Error,
                    format!("{framework} skips it without a word where {newest} ran already, so its effect is missing there"),
                ),
                Late::Run => (
                    Severity::Warning,
                    format!("it runs after {newest} where that ran already, and before it on an empty database"),
                ),
            };
            finding.help = "give it a newer version: two branches were merged".to_owned();
            finding.evidence = vec![Evidence::text("framework", framework), Evidence::text("newest", newest)];
            finding
        })
        .collect()
}
