//! A table of before whose rows nobody but its owner sees any more.
//!
//! Refuses to judge what policies let whom see.

use super::migration::finding;
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Finding, Severity};

pub(super) const SPEC: Spec = Spec {
    name: "row-security-hides-rows",
    summary: "a migration turns row level security on, and no policy lets a row be seen",
    thresholds: &[],
    page: include_str!("../../rules/row-security-hides-rows.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, _: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for traced in ctx.traced {
        for effect in traced.effects.iter().filter(|effect| effect.hides_rows) {
            let mut finding = finding(ctx, &SPEC, traced, Some(effect));
            finding.severity = Severity::Warning;
            finding.what =
                format!("{} has row level security from here on, and no policy lets a row be seen", effect.relation);
            finding.why = "whoever is not its owner finds it empty, without an error, and cannot write into it".to_owned();
            finding.help = "make its policies first, or in the same transaction".to_owned();
            found.push(finding);
        }
    }
    found
}
