//! A sequential scan that reads a large table to keep little of it.
//!
//! Refuses to speak of scans that a nested loop repeats: `nested-loop-rescans` tells that story.

use super::support::{
    MIN_COST_SHARE, MIN_REMOVED_SHARE, MIN_ROWS, TableScan, by_table, filter_help, own_cost_share, planned_processes,
    rescanning_loop, rounded,
};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::{NEAR, PlanContext};
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::Node;
use crate::sql::condition::Shape;
use crate::units::Millis;
use crate::words::{counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "seq-scan-discards-rows",
    summary: "a sequential scan reads many rows and keeps few",
    thresholds: &[
        MIN_REMOVED_SHARE,
        MIN_ROWS,
        Threshold {
            name: "max-probe-share",
            default: 0.01,
            unit: "of rows read",
            why: "joining by index costs one probe per row of the other side, about as much as scanning 100 rows",
        },
        MIN_COST_SHARE,
    ],
    page: include_str!("../../rules/seq-scan-discards-rows.md"),
    of_estimates: true,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let scans = ctx.plan.nodes.iter().filter(|n| n.kind == "Seq Scan" && rescanning_loop(ctx, n).is_none());
    by_table(ctx, scans)
        .iter()
        .filter_map(|scan| match ctx.measured() {
            true => filtered(ctx, tuning, scan).or_else(|| joined(ctx, tuning, scan)),
            false => estimated(ctx, tuning, scan),
        })
        .collect()
}

/// Discarded by the scan's own filter.
fn filtered(ctx: &PlanContext, tuning: &Tuning, scan: &TableScan) -> Option<Finding> {
    let kept = scan.sum(ctx, |f| f.rows_total.map(|r| r.0))?;
    let removed = scan.sum(ctx, |f| f.rows_removed_total.map(|r| r.0))?;
    let share = removed / (kept + removed).max(1.0);
    if share < tuning.get("min-removed-share") || kept + removed < tuning.get("min-rows") {
        return None;
    }
    let node = scan.first();
    let filter = node.detail.filter.as_deref().unwrap_or("its filter");
    let time = scan.self_time(ctx)?;
    let loops = node.ran().map_or(1.0, |r| r.loops);
    let mut found = scan.finding(&SPEC, ctx).recovering(ctx, time * share);
    found.what = format!(
        "{} reads {} and discards {} of them",
        scan.phrase(ctx, "sequential scan"),
        counted(total(node, kept + removed), "row"),
        percent(share)
    );
    if loops > 1.0 && node.detail.parallel_aware != Some(true) {
        found.what = format!("{}, in {}", found.what, counted(loops, "execution"));
    }
    found.why = format!("{} go into rows that the filter throws away: {filter}", duration(time * share));
    found.help = help(ctx, node);
    found.evidence = evidence(kept, removed, time);
    found.remedies = vec![Remedy::Index { scan: node.id, join: None }];
    Some(found)
}

/// Rows of several processes are sums of rounded averages: the last digits mean nothing.
fn total(node: &Node, rows: f64) -> f64 {
    let exact = node.ran().is_none_or(|ran| ran.loops <= 1.0);
    if exact { rows } else { rounded(rows) }
}

/// An index on the filter's columns, unless the filter keeps every index from being used.
fn help(ctx: &PlanContext, node: &Node) -> String {
    let conditions = ctx.scan_conditions(node);
    let cast = conditions.iter().flat_map(|c| c.conjuncts()).find(|test| {
        let indexed = |name: &str| {
            let leads =
                |i: &crate::catalog::Index| i.keys.first().is_some_and(|k| k.column && k.text == name);
            ctx.relation(node).is_some_and(|r| r.indexes.iter().any(leads))
        };
        matches!(test.left.shape, Shape::CastColumn(_))
            && test.left.column().is_some_and(|c| indexed(&c.name))
    });
    match cast {
        Some(test) => format!(
            "compare the column with a value of its own type: the cast in {} keeps its index from being used",
            test.left.text
        ),
        None => filter_help(ctx, node, "an index on the filter's columns reads only the rows that are kept"),
    }
}

/// Discarded by the hash join that the scan feeds.
fn joined<'a>(ctx: &PlanContext<'a>, tuning: &Tuning, scan: &TableScan<'a>) -> Option<Finding> {
    let join = ctx.above(scan.at.id, &["Hash", "Gather", "Gather Merge"])?;
    let inner_joins = ["Inner", "Semi", "Right Semi"];
    if join.kind != "Hash Join" || !inner_joins.contains(&join.detail.join_type.as_deref()?) {
        return None;
    }
    if indexed(ctx, scan.first(), join) {
        return None;
    }
    let stopped = |n: &Node| ctx.facts_of(n.id).stopped_early;
    let read = scan.sum(ctx, |f| Some(f.rows_total?.0 + f.rows_removed_total.map_or(0.0, |r| r.0)))?;
    // What the join's own filter throws away had a partner: that is no matter of this scan.
    let filtered = join.detail.rows_removed_by_join_filter.unwrap_or(0.0) * join.ran()?.loops;
    let kept = (ctx.facts_of(join.id).rows_total?.0 + filtered).min(read);
    let share = 1.0 - kept / read.max(1.0);
    let side = ctx.children(join.id).find(|child| !ctx.facts.tree.subtree(child.id).contains(&scan.at.id))?;
    let probes = ctx.facts_of(side.id).rows_total?.0;
    if scan.nodes.iter().any(|n| stopped(n))
        || stopped(join)
        || share < tuning.get("min-removed-share")
        || read < tuning.get("min-rows")
        || probes > read * tuning.get("max-probe-share")
    {
        return None;
    }
    let hash = ctx
        .plan
        .ancestors(scan.at.id)
        .take(NEAR)
        .take_while(|n| n.id != join.id)
        .filter_map(|n| ctx.self_time(n.id));
    let time = scan.self_time(ctx)? + hash.sum::<Millis>();
    let mut found = scan.finding(&SPEC, ctx).recovering(ctx, time * share);
    let condition = join.detail.hash_cond.as_deref().unwrap_or("its condition");
    found.what = format!(
        "{} reads {}, of which the join keeps {}",
        scan.phrase(ctx, "sequential scan"),
        counted(total(scan.first(), read), "row"),
        counted(kept, "row")
    );
    found.why = format!(
        "{} go into rows that find no partner: {condition} has {} on its other side",
        duration(time * share),
        counted(probes, "row")
    );
    found.help = "an index on the join column lets the planner fetch the partners one by one".to_owned();
    found.evidence = evidence(kept, read - kept, time);
    found.remedies = vec![Remedy::Index { scan: scan.first().id, join: Some(join.id) }];
    Some(found)
}

/// An index on the join column is there, and the planner did not want it: `estimate-drift` tells why.
fn indexed<'a>(ctx: &PlanContext<'a>, scan: &'a Node, join: &Node) -> bool {
    let Some(relation) = ctx.relation(scan) else { return false };
    let conditions = ctx.join_conditions(join);
    let sides = conditions.iter().flat_map(|c| c.conjuncts()).flat_map(|t| [Some(&t.left), t.right.as_ref()]);
    let ours = sides
        .flatten()
        .filter_map(|o| o.column())
        .filter(|c| c.qualifier.as_deref() == ctx.outer_alias(scan));
    let mut leading =
        relation.indexes.iter().filter(|i| i.usable && i.predicate.is_none()).filter_map(|i| i.keys.first());
    let columns: Vec<&str> = ours.map(|c| c.name.as_str()).collect();
    leading.any(|key| key.column && columns.contains(&key.text.as_str()))
}

/// Without ANALYZE: the planner's own estimate says that most rows are discarded.
fn estimated(ctx: &PlanContext, tuning: &Tuning, scan: &TableScan) -> Option<Finding> {
    let node = scan.first();
    let filter = node.detail.filter.as_deref()?;
    let sum = |number: fn(&PlanContext, &Node) -> Option<f64>| {
        scan.nodes.iter().map(|n| number(ctx, n)).try_fold(0.0, |sum, n| Some(sum + n?))
    };
    let read = sum(|ctx, n| ctx.relation(n)?.rows)?;
    let kept = sum(|ctx, n| Some(n.estimate?.rows.0 * planned_processes(ctx, n)))?;
    let share = sum(|ctx, n| Some(own_cost_share(ctx, n)))?;
    let removed = 1.0 - (kept / read.max(1.0)).min(1.0);
    if removed < tuning.get("min-removed-share")
        || read < tuning.get("min-rows")
        || share < tuning.get("min-cost-share")
    {
        return None;
    }
    let mut found = scan.finding(&SPEC, ctx);
    found.share = share * removed;
    found.what = format!(
        "{} would read {} and keep about {}",
        scan.phrase(ctx, "sequential scan"),
        counted(total(scan.first(), read), "row"),
        counted(kept, "row")
    );
    found.why = format!("it makes {} of the plan's estimated cost: {filter}", percent(share));
    found.help = help(ctx, node);
    found.evidence = vec![
        Evidence::data("rows in the table", read, "rows"),
        Evidence::data("rows kept, estimated", kept, "rows"),
        Evidence::data("share of plan cost", share, "ratio"),
    ];
    found.remedies = vec![Remedy::Index { scan: node.id, join: None }];
    Some(found)
}

fn evidence(kept: f64, removed: f64, time: Millis) -> Vec<Evidence> {
    vec![
        Evidence::data("rows kept", kept, "rows"),
        Evidence::data("rows discarded", removed, "rows"),
        Evidence::timing("time in the scan", time.0, "ms"),
    ]
}
