//! A lock that others wait for, held while a later statement of the transaction takes long.
//!
//! Refuses to count a statement that takes the lock and does the long work itself: other rules tell that.

use super::migration::{Range, SECONDS, finding, loudness, within, work};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding};
use crate::migrate::traced::{Effect, Traced};

pub(super) const SPEC: Spec = Spec {
    name: "lock-held-across-statements",
    summary: "a migration holds a lock that others wait for while a later statement of it takes long",
    thresholds: &SECONDS,
    page: include_str!("../../rules/lock-held-across-statements.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, traced) in ctx.traced.iter().enumerate() {
        let later: Vec<&Traced> =
            ctx.traced[at + 1..].iter().take_while(|t| t.transaction == traced.transaction).collect();
        let long: Vec<(&Traced, &Effect)> =
            later.iter().flat_map(|t| t.effects.iter().filter(|e| e.long()).map(|e| (*t, e))).collect();
        if long.is_empty() {
            continue;
        }
        for effect in traced.effects.iter().filter(|e| e.table) {
            let Some((lock, who)) = effect.lock.and_then(|lock| lock.blocks().map(|who| (lock, who))) else {
                continue;
            };
            let mut range = Range { low: 0.0, high: 0.0, assumed: false };
            for (_, effect) in &long {
                let one = work(ctx.sizes.of(&effect.relation), effect);
                range.low += one.low;
                range.high += one.high;
                range.assumed |= one.assumed;
            }
            let (first, of) = long[0];
            let line = ctx.migrations[first.migration].steps[first.step].line;
            let mut finding = finding(ctx, &SPEC, traced, Some(effect));
            finding.severity = loudness(range, tuning);
            finding.what = format!(
                "{} on {} is held while line {line} works through {}",
                lock.name(),
                effect.relation,
                of.relation
            );
            finding.why = format!("{who} waits until the transaction ends: {}", within(range));
            finding.help =
                "put the long statement into a migration of its own, before or after this one".to_owned();
            finding.evidence =
                vec![Evidence::text("lock", lock.name()), Evidence::data("blocked at most", range.high, "s")];
            found.push(finding);
        }
    }
    found
}
