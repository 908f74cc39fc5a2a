//! An index scan whose filter throws away most of what the index found.
//!
//! Refuses to count rows that a lossy bitmap rechecked: that is memory, not a missing key.

use super::support::{TableScan, by_table, filter_help, rescanning_loop};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::Node;
use crate::units::Millis;
use crate::words::{counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "index-scan-discards-rows",
    summary: "an index finds many rows and the filter behind it keeps few",
    thresholds: &[
        Threshold {
            name: "min-removed-share",
            default: 0.8,
            unit: "of rows fetched",
            why: "each discarded row cost a visit to the heap; under five visits per row kept the gain is small",
        },
        Threshold {
            name: "min-rows",
            default: 1_000.0,
            unit: "rows fetched",
            why: "a thousand visits to cached pages take about a millisecond",
        },
    ],
    page: include_str!("../../rules/index-scan-discards-rows.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

const SCANS: &[&str] = &["Index Scan", "Index Only Scan", "Bitmap Heap Scan"];

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let scans = ctx.plan.nodes.iter().filter(|n| SCANS.contains(&n.kind.as_str()));
    by_table(ctx, scans).iter().filter_map(|scan| discards(ctx, tuning, scan)).collect()
}

fn discards(ctx: &PlanContext, tuning: &Tuning, scan: &TableScan) -> Option<Finding> {
    let node = scan.first();
    // Not the facts' sum: what a recheck removed is no matter of keys.
    let removed_by = |n: &Node| Some(n.detail.rows_removed_by_filter? * n.ran()?.loops);
    let removed: f64 = scan.nodes.iter().filter_map(|n| removed_by(n)).sum();
    let kept = scan.sum(ctx, |f| f.rows_total.map(|r| r.0))?;
    let share = removed / (removed + kept).max(1.0);
    if share < tuning.get("min-removed-share") || removed + kept < tuning.get("min-rows") {
        return None;
    }
    let bitmaps = scan.nodes.iter().flat_map(|n| ctx.children(n.id)).filter_map(|n| ctx.subtree_time(n.id));
    let time = scan.self_time(ctx)? + bitmaps.sum::<Millis>();
    let filter = node.detail.filter.as_deref().unwrap_or("its filter");
    let index = node.detail.index.clone().or_else(|| bitmap_indexes(ctx, node));
    let mut found = scan.finding(&SPEC, ctx).recovering(ctx, time * share);
    let place = match scan.nodes.len() {
        1 => scan.name(ctx),
        many => format!("{many} partitions of {}", scan.name(ctx)),
    };
    found.what = format!(
        "{} finds {} in {place}, and the filter behind it discards {} of them",
        if scan.nodes.len() > 1 { "an index" } else { index.as_deref().unwrap_or("the index") },
        counted(removed + kept, "row"),
        percent(share)
    );
    let loops = node.ran().map_or(1.0, |r| r.loops);
    if rescanning_loop(ctx, node).is_some() && loops > 1.0 {
        found.what = format!("{}, over {}", found.what, counted(loops, "probe"));
    }
    found.why = match node.kind.as_str() {
        "Index Only Scan" => {
            format!("{} go into index entries that are thrown away: {filter}", duration(time * share))
        }
        _ => format!("{} go into heap pages visited in vain: {filter}", duration(time * share)),
    };
    let help = "an index that also holds the filter's columns finds only the rows that are kept";
    found.help = filter_help(ctx, node, help);
    found.index = index;
    found.evidence = vec![
        Evidence::data("rows kept", kept, "rows"),
        Evidence::data("rows discarded", removed, "rows"),
        Evidence::timing("time in the scan", time.0, "ms"),
    ];
    found.remedies = vec![Remedy::Index { scan: node.id, join: None }];
    Some(found)
}

fn bitmap_indexes(ctx: &PlanContext, node: &Node) -> Option<String> {
    let names: Vec<&str> = ctx.subtree(node.id).iter().filter_map(|n| n.detail.index.as_deref()).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}
