//! An index-only scan that visits the heap all the same, because its pages are not marked all-visible.
//!
//! Refuses to ask for VACUUM where it has just been and rows changed since: it would not last.

use super::support::{TableScan, by_table};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::words::{count, counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "heap-fetches-in-index-only-scan",
    summary: "an index-only scan has to look into the heap, because VACUUM has not been there",
    thresholds: &[
        Threshold {
            name: "recoverable-share",
            default: 0.5,
            unit: "of the scan's time",
            why: "a scan of cached pages took a half in the heap's order and a sixth at random once vacuumed",
        },
        Threshold {
            name: "max-visible-share",
            default: 0.8,
            unit: "of the table's pages",
            why: "above it VACUUM does its work, and what was fetched changed after it: autovacuum waits for a fifth",
        },
    ],
    page: include_str!("../../rules/heap-fetches-in-index-only-scan.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let scans = ctx.plan.nodes.iter().filter(|n| n.kind == "Index Only Scan");
    by_table(ctx, scans).iter().filter_map(|scan| fetches(ctx, tuning, scan)).collect()
}

fn fetches(ctx: &PlanContext, tuning: &Tuning, scan: &TableScan) -> Option<Finding> {
    // A total over all loops, unlike rows.
    let fetched: f64 = scan.nodes.iter().filter_map(|n| n.detail.heap_fetches).sum();
    let kept = scan.sum(ctx, |f| f.rows_total.map(|r| r.0))?;
    let removed = scan.sum(ctx, |f| f.rows_removed_total.map(|r| r.0)).unwrap_or(0.0);
    let share = (fetched / (kept + removed).max(1.0)).min(1.0);
    let visited = scan.nodes.iter().filter(|n| n.detail.heap_fetches.is_some_and(|f| f > 0.0));
    let tables: Vec<&Relation> = visited.filter_map(|n| ctx.relation(n)).collect();
    let pages: f64 = tables.iter().map(|r| r.pages).sum();
    let visible: f64 = tables.iter().map(|r| r.all_visible_pages).sum();
    if visible > pages * tuning.get("max-visible-share") {
        return None;
    }
    let saves = scan.self_time(ctx)? * share * tuning.get("recoverable-share");
    let mut found = scan.finding(&SPEC, ctx).recovering(ctx, saves);
    found.index = scan.first().detail.index.clone();
    let marked = match tables.is_empty() {
        true => String::new(),
        false => format!(": {} of {} are marked all-visible", count(visible), counted(pages, "page")),
    };
    found.what = format!(
        "{} visits the heap {} times for {}{marked}",
        scan.phrase(ctx, "index-only scan"),
        count(fetched),
        counted(kept + removed, "row"),
    );
    found.why = format!(
        "{} or more go into asking the heap whether rows are visible ({} of them): after VACUUM the visibility map tells",
        duration(saves),
        percent(share)
    );
    found.help = "VACUUM marks pages without recent changes; if it does not stay so, let autovacuum come more often: \
         autovacuum_vacuum_scale_factor, and autovacuum_vacuum_insert_scale_factor for a table that only grows"
        .to_owned();
    found.evidence = vec![
        Evidence::data("heap fetches", fetched, "rows"),
        Evidence::data("index entries", kept + removed, "rows"),
        Evidence::data("pages", pages, "pages"),
        Evidence::data("all-visible pages", visible, "pages"),
    ];
    let vacuum = |r: &&Relation| Remedy::Vacuum { schema: r.schema.clone(), relation: r.name.clone() };
    found.remedies = tables.iter().map(vacuum).collect();
    Some(found)
}
