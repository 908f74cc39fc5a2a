//! A migration that takes away the last index of a foreign key that was there before.
//!
//! Refuses to speak where a later migration gives it another one.

use super::migration::{SMALL, finding};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::migrate::keys::Key;
use crate::migrate::traced::Traced;

pub(super) const SPEC: Spec = Spec {
    name: "foreign-key-loses-index",
    summary: "a migration drops the index that served a foreign key",
    thresholds: &[SMALL],
    page: include_str!("../../rules/foreign-key-loses-index.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    // Where one fails, the next index may be in what did not run.
    if ctx.traced.iter().any(|traced| traced.failure.is_some()) {
        return Vec::new();
    }
    let rows = |key: &Key| key.was.as_ref().map_or(0.0, |name| ctx.sizes.whole(name).rows);
    let mut found: Vec<Finding> = Vec::new();
    for traced in ctx.traced {
        let lost = traced.keys.iter().filter(|key| key.lost && key.unserved);
        found.extend(
            lost.filter(|key| rows(key) >= tuning.get("min-rows"))
                .map(|key| losing(ctx, traced, key, rows(key))),
        );
    }
    found
}

fn losing(ctx: &TraceContext, traced: &Traced, key: &Key, rows: f64) -> Finding {
    let Key { name, child, parent, .. } = key;
    let columns = key.columns.join(", ");
    let mut found = finding(ctx, &SPEC, traced, None);
    found.relation = Some(child.clone());
    found.severity = Severity::Warning;
    found.what = format!(
        "this takes the index from the foreign key {name}: none of {child} begins with ({columns}) now"
    );
    found.why = format!(
        "each row that leaves {parent}, or changes its key, reads all of {child} while it holds its locks"
    );
    found.help = format!(
        "keep the index, or drop the foreign key first; another one serves too if it begins with ({columns})"
    );
    found.evidence = vec![
        Evidence::text("foreign key", name.clone()),
        Evidence::text("parent", parent.clone()),
        Evidence::data("rows", rows, "rows"),
    ];
    found
}
