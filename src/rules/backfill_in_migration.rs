//! Rows of a large table that are changed within a migration.
//!
//! Refuses to count rows, for there are none where migrations are tried: the planner estimates them on a twin, and without a
//! pack the scan tells.

use super::whole::rows_of;
use super::migration::{ERROR, Range, WARNING, evidence, finding, loudness, within, work};
use super::moving::Moving;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::TraceContext;
use crate::finding::{Confidence, Evidence, Finding, Severity};
use crate::migrate::Size;
use crate::migrate::traced::{Changed, Effect, Lock, Traced};
use crate::words::counted;
use std::collections::BTreeSet;

pub(super) const SPEC: Spec = Spec {
    name: "backfill-in-migration",
    summary: "a migration changes the rows of a whole table in one transaction",
    thresholds: &[
        WARNING,
        ERROR,
        Threshold {
            name: "min-rows",
            default: 5_000.0,
            unit: "rows",
            why: "a batch: so many rows are changed in a fraction of a second whatever the table's size",
        },
    ],
    page: include_str!("../../rules/backfill-in-migration.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    let moving = Moving::of(ctx);
    for (at, traced) in ctx.traced.iter().enumerate().filter(|(at, _)| !moving.commits(*at)) {
        found.extend(looped(ctx, tuning, traced, &moving.loops(at)));
        for whole in rows_of(ctx, traced, |e| e.changes_rows && !e.rewritten) {
            let effect = &whole.effect;
            // A weaker lock than a build's or a validation's: what reads here changes.
            if effect.lock.is_some_and(|lock| lock >= Lock::Share) {
                continue;
            }
            let size = whole.size;
            let estimated = estimated(traced, effect).filter(|_| !size.assumed && size.rows > 0.0);
            let range = match estimated {
                Some(changed) if changed.rows < tuning.get("min-rows") => continue,
                Some(changed) => changing(size, changed),
                None if effect.scanned => work(size, effect),
                None => continue,
            };
            let mut finding = finding(ctx, &SPEC, traced, Some(effect));
            finding.severity = loudness(range, tuning);
            let rows = match estimated {
                Some(changed) => format!("about {} of {} are", counted(changed.rows.round(), "row"), whole.name()),
                None => format!("the rows of {} are", whole.name()),
            };
            finding.what = format!("{rows} changed in one transaction");
            finding.why = format!(
                "who changes one of them waits until it ends, and VACUUM cannot clean up behind it: {}",
                within(range)
            );
            finding.help =
                "change them in batches of some thousand rows, each in a transaction of its own".to_owned();
            finding.evidence = evidence(size, Lock::RowExclusive, range);
            if let Some(changed) = estimated {
                finding.evidence.push(Evidence::data("rows changed, estimated", changed.rows.round(), "rows"));
            }
            found.push(finding);
        }
    }
    found
}

/// Rows that a loop changes, which does not run where tables are empty. Only with a pack: it says which tables have rows.
fn looped(ctx: &TraceContext, tuning: &Tuning, traced: &Traced, named: &BTreeSet<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for table in named.iter().flat_map(|name| ctx.sizes.meant(name)) {
        let seen = |e: &Effect| e.changes_rows && (e.relation == table || e.whole.as_deref() == Some(table));
        let size = ctx.sizes.whole(table);
        if size.rows < tuning.get("min-rows") || traced.effects.iter().any(seen) {
            continue;
        }
        let all = Effect { changes_rows: true, relation: table.to_owned(), ..Effect::default() };
        let range = work(size, &all);
        let mut finding = finding(ctx, &SPEC, traced, Some(&all));
        finding.severity = loudness(range, tuning).min(Severity::Warning);
        finding.confidence = Confidence::Guessed;
        finding.what = format!("the rows of {table} are changed in a loop, in one transaction");
        finding.why = format!(
            "the loop did not run here, where tables are empty; if it reaches all rows, who changes one of them waits until it \
             ends, and VACUUM cannot clean up behind it: {}",
            within(range)
        );
        finding.help = "COMMIT in the loop after some thousand rows, outside a transaction of the migration".to_owned();
        finding.evidence = evidence(size, Lock::RowExclusive, range);
        found.push(finding);
    }
    found
}

/// What the planner makes of the statement at production's size.
fn estimated<'a>(traced: &'a Traced, effect: &Effect) -> Option<&'a Changed> {
    let names = [Some(&effect.relation), effect.whole.as_ref()];
    let own = |changed: &&Changed| names.contains(&Some(&changed.relation));
    traced.changed.iter().find(own)
}

/// How long it takes to change so many rows of a table of that size.
fn changing(size: Size, changed: &Changed) -> Range {
    let share = (changed.rows / size.rows).min(1.0);
    let part = Size { bytes: size.bytes * share, index_bytes: size.index_bytes * share, ..size };
    let whole = work(part, &Effect { changes_rows: true, ..Effect::default() });
    // To find them, all of it is read, or no more than they are.
    let read = if changed.whole { size.bytes - part.bytes } else { 0.0 };
    let found = work(Size { bytes: read, ..size }, &Effect { scanned: true, ..Effect::default() });
    Range { low: whole.low + found.low, high: whole.high + found.high, assumed: false }
}
