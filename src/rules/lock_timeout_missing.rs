//! A lock that everybody waits for, asked for without a limit.
//!
//! Refuses to speak where the role or the database may set one that no migration shows: then switch it off.

use super::migration::finding;
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Confidence, Evidence, Finding, Remedy, Severity};
use crate::migrate::traced::Lock;
use std::collections::BTreeSet;

pub(super) const SPEC: Spec = Spec {
    name: "lock-timeout-missing",
    summary: "a migration waits for a lock without a limit, and everybody waits behind it",
    thresholds: &[],
    page: include_str!("../../rules/lock-timeout-missing.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, _: &Tuning) -> Vec<Finding> {
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let mut found = Vec::new();
    for traced in ctx.traced.iter().filter(|t| t.lock_timeout == 0.0) {
        let waits = |e: &&crate::migrate::traced::Effect| e.table && e.lock == Some(Lock::AccessExclusive);
        let effects: Vec<_> = traced.effects.iter().filter(waits).collect();
        // A table that is small is locked as often as a large one; one that is empty is asked by nobody.
        let busy = effects.iter().find(|e| ctx.sizes.whole(&e.relation).rows > 0.0);
        let Some(effect) = busy else { continue };
        if !told.insert(traced.migration) {
            continue;
        }
        let mut finding = finding(ctx, &SPEC, traced, Some(effect));
        finding.severity = Severity::Info;
        finding.confidence = Confidence::Guessed;
        finding.what = format!("ACCESS EXCLUSIVE on {} is waited for without a lock_timeout", effect.relation);
        finding.why = "it queues behind every open transaction on the table, and every query queues behind it".to_owned();
        finding.help = "set lock_timeout to a few seconds before it, and run the migration again where it fails".to_owned();
        finding.evidence = vec![Evidence::text("lock_timeout", "0")];
        finding.remedies = vec![Remedy::Migration(vec!["SET lock_timeout = '2s'".to_owned()])];
        found.push(finding);
    }
    found
}
