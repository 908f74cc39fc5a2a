//! A bitmap that outgrew `work_mem` and remembers pages instead of rows.
//!
//! Refuses to blame memory for BRIN, whose bitmaps know nothing but pages.

use super::memory::{propose, work_mem_clause};
use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::Node;
use crate::units::{Blocks, Bytes};
use crate::words::{count, counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "bitmap-turns-lossy",
    summary: "a bitmap runs out of work_mem, remembers whole pages, and every row of them is tested again",
    thresholds: &[Threshold {
        name: "max-work-mem",
        default: 1024.0,
        unit: "MB",
        why: "it holds the bitmap of a table of 128 GB; beyond that a sequential scan is the better plan",
    }],
    page: include_str!("../../rules/bitmap-turns-lossy.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let scans = ctx.plan.nodes.iter().filter(|n| n.kind == "Bitmap Heap Scan");
    scans.filter_map(|node| lossy(ctx, tuning, node)).collect()
}

fn lossy(ctx: &PlanContext, tuning: &Tuning, node: &Node) -> Option<Finding> {
    // Up to 17 the figures are those of the leader alone.
    let workers = |of: fn(&crate::plan::Worker) -> Option<Blocks>| node.workers.iter().filter_map(of);
    let exact = node.detail.exact_heap_blocks.into_iter().chain(workers(|w| w.exact_heap_blocks));
    let lossy = node.detail.lossy_heap_blocks.into_iter().chain(workers(|w| w.lossy_heap_blocks));
    let (exact, lossy) = (exact.sum::<Blocks>().0 as f64, lossy.sum::<Blocks>().0 as f64);
    // Where memory was short, half of it still holds exact pages; a BRIN index never gives any.
    if exact == 0.0 || lossy == 0.0 || brin(ctx, node) {
        return None;
    }
    let ran = node.ran()?;
    let removed = node.detail.rows_removed_by_index_recheck? * ran.loops;
    let kept = (ran.rows.0 + node.detail.rows_removed_by_filter.unwrap_or(0.0)) * ran.loops;
    let saves = ctx.self_time(node.id)? * (removed / (removed + kept).max(1.0));
    let name = ctx.relation_name(node);
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, saves);
    found.what = format!(
        "the bitmap of {name} does not fit: {} of {} are lossy, and {} of them fail the recheck{}",
        count(lossy),
        counted(exact + lossy, "heap block"),
        counted(removed, "row"),
        work_mem_clause(ctx)
    );
    found.why = format!(
        "{} go into these rows: of a lossy block nobody knows which rows the index found, so all are tested",
        duration(saves)
    );
    let needed = Bytes((pages(ctx, node, exact + lossy) * PER_PAGE) as i64 + 1);
    let otherwise = "a condition that finds fewer rows, or a sequential scan, costs less";
    propose(&mut found, tuning, needed, "remembers every row", otherwise);
    found.evidence = vec![
        Evidence::data("lossy heap blocks", lossy, "blocks"),
        Evidence::data("exact heap blocks", exact, "blocks"),
        Evidence::data("rows removed by recheck", removed, "rows"),
        Evidence::data("memory needed", needed.0 as f64, "bytes"),
    ];
    Some(found)
}

/// What `tbm_calculate_entries` (tidbitmap.c) reckons for each page: an entry of 48 bytes and two pointers.
const PER_PAGE: f64 = 64.0;

/// The most pages that one bitmap has to remember at once. What the heap scan visited is that number where one
/// index made the bitmap once and one process read it; else it is no more than the rows each index found, and no
/// more than the table has.
fn pages(ctx: &PlanContext, node: &Node, visited: f64) -> f64 {
    let intersects = ctx.subtree(node.id).iter().any(|n| n.kind == "BitmapAnd");
    let repeats = node.ran().is_some_and(|r| r.loops > 1.0);
    if !intersects && !repeats {
        return visited;
    }
    let indexes = ctx.subtree(node.id).iter().filter(|n| n.kind == "Bitmap Index Scan");
    let rows = indexes.filter_map(|n| ctx.facts_of(n.id).rows_total).map(|r| r.0);
    let rows = if intersects { rows.fold(0.0, f64::max) } else { rows.sum() };
    let table = ctx.relation(node).and_then(|r| r.size_bytes).map(|b| b as f64 / Blocks::BYTES as f64);
    table.map_or(rows, |table| rows.min(table))
}

fn brin(ctx: &PlanContext, node: &Node) -> bool {
    let used = |name: &str| ctx.subtree(node.id).iter().any(|n| n.detail.index.as_deref() == Some(name));
    ctx.relation(node).is_some_and(|r| r.indexes.iter().any(|i| i.method == "brin" && used(&i.name)))
}
