//! Rows of a large table that are changed within a migration.
//!
//! Refuses to count rows, for there are none where migrations are tried: the table's size and the scan tell.

use super::migration::{SECONDS, evidence, finding, loudness, within, work};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::Finding;
use crate::migrate::traced::Lock;

pub(super) const SPEC: Spec = Spec {
    name: "backfill-in-migration",
    summary: "a migration changes the rows of a whole table in one transaction",
    thresholds: &SECONDS,
    page: include_str!("../../rules/backfill-in-migration.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for traced in ctx.traced {
        for effect in traced.effects.iter().filter(|e| e.changes_rows && e.scanned && !e.rewritten) {
            // A weaker lock than a build's or a validation's: what reads here changes.
            if effect.lock.is_some_and(|lock| lock >= Lock::Share) {
                continue;
            }
            let range = work(ctx.sizes.of(&effect.relation), effect);
            let mut finding = finding(ctx, &SPEC, traced, Some(effect));
            finding.severity = loudness(range, tuning);
            finding.what = format!("the rows of {} are changed in one transaction", effect.relation);
            finding.why = format!(
                "who changes one of them waits until it ends, and VACUUM cannot clean up behind it: {}",
                within(range)
            );
            finding.help =
                "change them in batches of some thousand rows, each in a transaction of its own".to_owned();
            finding.evidence = evidence(ctx.sizes.of(&effect.relation), Lock::RowExclusive, range);
            found.push(finding);
        }
    }
    found
}
