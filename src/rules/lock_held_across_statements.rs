//! A lock that others wait for, held while a later statement of the transaction takes long.
//!
//! Refuses to count a statement that takes the lock and does the long work itself: other rules tell that.

use super::migration::{Range, SECONDS, finding, loudness, thousandths, within, work};
use super::whole::{Whole, rows_of};
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
    let worked: Vec<Vec<Whole>> =
        ctx.traced.iter().map(|traced| rows_of(ctx, traced, Effect::long)).collect();
    for (at, traced) in ctx.traced.iter().enumerate() {
        let later = ctx.traced[at + 1..].iter().zip(&worked[at + 1..]);
        let later = later.take_while(|(t, _)| t.transaction == traced.transaction);
        let long: Vec<(&Traced, &Whole)> = later.flat_map(|(t, all)| all.iter().map(move |one| (t, one))).collect();
        if long.is_empty() {
            continue;
        }
        let works = long.iter().map(|(_, whole)| work(whole.size, &whole.effect));
        let Some(range) = works.reduce(Range::and) else { continue };
        for effect in traced.effects.iter().filter(|e| e.table && e.whole.is_none()) {
            let Some((lock, who)) = effect.lock.and_then(|lock| lock.blocks().map(|who| (lock, who))) else {
                continue;
            };
            let (first, of) = long[0];
            let line = ctx.migrations[first.migration].steps[first.step].line;
            let mut finding = finding(ctx, &SPEC, traced, Some(effect));
            finding.severity = loudness(range, tuning);
            finding.what = format!(
                "{} on {} is held while line {line} works through {}",
                lock.name(),
                effect.relation,
                of.effect.relation
            );
            finding.why = format!("{who} waits until the transaction ends: {}", within(range));
            finding.help =
                "put the long statement into a migration of its own, before or after this one".to_owned();
            finding.evidence =
                vec![Evidence::text("lock", lock.name()), Evidence::data("blocked at most", thousandths(range.high), "s")];
            found.push(finding);
        }
    }
    found
}
