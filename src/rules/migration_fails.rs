//! A migration that does not run.
//!
//! Refuses to speak of one that the base has already: that is the environment's trouble.

use super::migration::{finding, finding_at};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding, Severity};

pub(super) const SPEC: Spec = Spec {
    name: "migration-fails",
    summary: "a migration does not run on the schema of before",
    thresholds: &[],
    page: include_str!("../../rules/migration-fails.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, _: &Tuning) -> Vec<Finding> {
    let failed = ctx.traced.iter().filter_map(|traced| Some((traced, traced.failure.as_ref()?)));
    let refused = ctx.migrations.iter().filter_map(|m| Some((m, m.refused.as_ref()?)));
    let refused = refused.map(|(migration, refused)| {
        let mut finding = finding_at(&SPEC, migration, refused.line, refused.end_line);
        finding.severity = Severity::Error;
        finding.what = format!("{} does not run it: {}", ctx.framework.name(), refused.why);
        finding.why = "whatever the server would say, it never gets there".to_owned();
        finding.help.clone_from(&refused.help);
        finding
    });
    let failed = failed
        .map(|(traced, failure)| {
            let mut finding = finding(ctx, &SPEC, traced, None);
            finding.severity = Severity::Error;
            finding.what = format!("the migration fails: {}", failure.message);
            finding.why = "it is applied to the schema of before, as it would be in production".to_owned();
            finding.help = match failure.sqlstate.as_deref() {
                Some("25001") => {
                    "this statement cannot run in a transaction: put it into a migration of its own without one".to_owned()
                }
                Some("55P04") => "use the new value of the enum in a later migration".to_owned(),
                _ => "mend it: whatever follows it was not looked at".to_owned(),
            };
            finding.evidence = failure.sqlstate.iter().map(|code| Evidence::text("SQLSTATE", code)).collect();
            finding
        });
    failed.chain(refused).collect()
}
