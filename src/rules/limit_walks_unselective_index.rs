//! An index that is walked in its order for the first rows of a LIMIT, past many that the filter throws away.
//!
//! Refuses to speak where an equality leads into the index: then it was not chosen for its order alone, and what its
//! filter discards is another rule's.

use super::support::{TableScan, by_table, filter_help};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::{NEAR, PlanContext};
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::{Node, Relationship};
use crate::sql::condition::{Comparison, condition};
use crate::words::{counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "limit-walks-unselective-index",
    summary: "a LIMIT walks an index in its order past many rows that the filter discards",
    thresholds: &[
        Threshold {
            name: "min-discarded-share",
            default: 0.8,
            unit: "of rows walked",
            why: "each discarded row cost a visit to the heap; under five visits per row kept the gain is small",
        },
        Threshold {
            name: "min-discarded",
            default: 1_000.0,
            unit: "rows",
            why: "a thousand visits to cached pages take about a millisecond",
        },
    ],
    page: include_str!("../../rules/limit-walks-unselective-index.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let walked = |n: &&Node| {
        let scan = matches!(n.kind.as_str(), "Index Scan" | "Index Only Scan");
        scan && n.detail.filter.is_some() && limit(ctx, n).is_some() && unled(n)
    };
    let scans = ctx.plan.nodes.iter().filter(walked);
    by_table(ctx, scans).iter().filter_map(|scan| walks(ctx, tuning, scan)).collect()
}

/// No equality narrows the index down: it is read from an end, or from somewhere on, until the LIMIT has enough.
fn unled(node: &Node) -> bool {
    let led = |text: &str| {
        let condition = condition(text);
        condition.conjuncts().iter().any(|t| matches!(t.comparison, Comparison::Eq | Comparison::AnyEq))
    };
    !node.detail.index_cond.as_deref().is_some_and(led)
}

fn walks(ctx: &PlanContext, tuning: &Tuning, scan: &TableScan) -> Option<Finding> {
    let node = scan.first();
    let limit = limit(ctx, node)?;
    // Not the facts' sum: what a recheck removed is no matter of keys.
    let removed = |n: &Node| Some(n.detail.rows_removed_by_filter? * n.ran()?.loops);
    let discarded: f64 = scan.nodes.iter().filter_map(|n| removed(n)).sum();
    let walked = discarded + scan.sum(ctx, |f| f.rows_total.map(|r| r.0))?;
    let share = discarded / walked.max(1.0);
    if share < tuning.get("min-discarded-share") || discarded < tuning.get("min-discarded") {
        return None;
    }
    let time = scan.self_time(ctx)? * share;
    let wanted = ctx.facts_of(limit.id).rows_total?.0;
    let index = node.detail.index.as_deref().unwrap_or("an index");
    let mut found = scan.finding(&SPEC, ctx).recovering(ctx, time);
    found.what = format!(
        "{} walked in index order to get {} of a LIMIT, and the filter discards {} of them",
        match scan.nodes.len() {
            1 => format!("{} of {} are", counted(walked, "row"), scan.name(ctx)),
            many => format!("{} of {many} partitions of {} are", counted(walked, "row"), scan.name(ctx)),
        },
        counted(wanted, "row"),
        percent(share)
    );
    found.why = format!(
        "{}{} went into rows thrown away: {}",
        hope(scan, limit),
        duration(time),
        node.detail.filter.as_deref().unwrap_or("its filter")
    );
    let help = "an index with the filter's columns first and the order's behind them starts at the rows wanted";
    found.help = filter_help(ctx, node, help);
    found.index = node.detail.index.clone();
    found.evidence = vec![
        Evidence::text("index", index),
        Evidence::data("rows walked", walked, "rows"),
        Evidence::data("rows discarded", discarded, "rows"),
        Evidence::data("rows returned", wanted, "rows"),
        Evidence::timing("time on discarded rows", time.0, "ms"),
    ];
    found.remedies = vec![Remedy::Index { scan: node.id, join: None }];
    Some(found)
}

/// What made the planner walk: it takes the rows that match as spread evenly along the index.
fn hope(scan: &TableScan, limit: &Node) -> String {
    let matching: Option<f64> = scan.nodes.iter().map(|n| n.estimate.map(|e| e.rows.0)).sum();
    match matching.zip(limit.estimate).filter(|(matching, _)| *matching > 0.0) {
        Some((matching, limit)) => format!(
            "the planner takes {} that match as spread evenly, and hoped to be done after {} of the index; ",
            counted(matching, "row"),
            percent((limit.rows.0 / matching).min(1.0))
        ),
        None => String::new(),
    }
}

/// The LIMIT that the rows of a scan reach in the scan's order.
fn limit<'a>(ctx: &PlanContext<'a>, scan: &'a Node) -> Option<&'a Node> {
    let mut below = scan;
    for above in ctx.plan.ancestors(scan.id).take(NEAR) {
        match above.kind.as_str() {
            "Limit" => return Some(above),
            "Nested Loop" if below.relationship == Relationship::Outer => below = above,
            "Append" | "Merge Append" | "Gather Merge" | "Result" | "Subquery Scan" | "LockRows" => below = above,
            _ => return None,
        }
    }
    None
}
