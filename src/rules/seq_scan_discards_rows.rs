//! A sequential scan that reads a large table to keep little of it.
//!
//! Refuses to speak of scans that a nested loop repeats: `nested-loop-rescans` tells that story.

use super::support::{finding, own_cost_share, planned_processes, rescanning_loop};
use super::{Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::{Node, Relationship};
use crate::units::Millis;
use crate::words::{counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "seq-scan-discards-rows",
    summary: "a sequential scan reads many rows and keeps few",
    thresholds: &[
        Threshold {
            name: "min-removed-share",
            default: 0.9,
            unit: "of rows read",
            why: "an index scan reads pages in random order: below nine in ten discarded it seldom wins",
        },
        Threshold {
            name: "min-rows",
            default: 10_000.0,
            unit: "rows",
            why: "smaller tables are read in about a millisecond",
        },
        Threshold {
            name: "max-probe-share",
            default: 0.01,
            unit: "of rows read",
            why: "joining by index costs one probe per row of the other side, about as much as scanning 100 rows",
        },
        Threshold {
            name: "min-cost-share",
            default: 0.3,
            unit: "of plan cost",
            why: "without ANALYZE only the planner's cost ranks nodes",
        },
    ],
    page: include_str!("../../rules/seq-scan-discards-rows.md"),
    check,
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let scans = ctx.plan.nodes.iter().filter(|n| n.kind == "Seq Scan" && rescanning_loop(ctx, n).is_none());
    scans
        .filter_map(|scan| match ctx.measured() {
            true => filtered(ctx, tuning, scan).or_else(|| joined(ctx, tuning, scan)),
            false => estimated(ctx, tuning, scan),
        })
        .collect()
}

/// Discarded by the scan's own filter.
fn filtered(ctx: &PlanContext, tuning: &Tuning, scan: &Node) -> Option<Finding> {
    let facts = ctx.facts_of(scan.id);
    let (kept, removed, share) = (facts.rows_total?.0, facts.rows_removed_total?.0, facts.removed_share?.0);
    if share < tuning.get("min-removed-share") || kept + removed < tuning.get("min-rows") {
        return None;
    }
    let filter = scan.detail.filter.as_deref().unwrap_or("its filter");
    let time = facts.self_time?;
    let loops = scan.ran().map_or(1.0, |r| r.loops);
    let mut found = finding(&SPEC, ctx, scan).recovering(ctx, time * share);
    found.what = format!(
        "the sequential scan of {} reads {} and discards {} of them",
        ctx.relation_name(scan),
        counted(kept + removed, "row"),
        percent(share)
    );
    if scan.relationship == Relationship::SubPlan || loops > 1.0 && scan.detail.parallel_aware != Some(true) {
        found.what = format!("{}, in {}", found.what, counted(loops, "execution"));
    }
    found.why = format!("{} go into rows that the filter throws away: {filter}", duration(time * share));
    found.help = "an index on the filter's columns reads only the rows that are kept".to_owned();
    found.evidence = evidence(kept, removed, time);
    found.remedies = vec![Remedy::Index { scan: scan.id, join: None }];
    Some(found)
}

/// Discarded by the hash join that the scan feeds.
fn joined(ctx: &PlanContext, tuning: &Tuning, scan: &Node) -> Option<Finding> {
    let join = ctx.above(scan.id, &["Hash", "Gather", "Gather Merge"])?;
    let inner_joins = ["Inner", "Semi", "Right Semi"];
    if join.kind != "Hash Join" || !inner_joins.contains(&join.detail.join_type.as_deref()?) {
        return None;
    }
    let facts = ctx.facts_of(scan.id);
    let read = facts.rows_total?.0 + facts.rows_removed_total.map_or(0.0, |r| r.0);
    let kept = ctx.facts_of(join.id).rows_total?.0.min(read);
    let share = 1.0 - kept / read.max(1.0);
    let side = ctx.plan.children(join.id).find(|child| !ctx.plan.subtree(child.id).any(|n| n.id == scan.id))?;
    let probes = ctx.facts_of(side.id).rows_total?.0;
    let early = facts.stopped_early || ctx.facts_of(join.id).stopped_early;
    if early
        || share < tuning.get("min-removed-share")
        || read < tuning.get("min-rows")
        || probes > read * tuning.get("max-probe-share")
    {
        return None;
    }
    let hash = ctx.plan.ancestors(scan.id).take_while(|n| n.id != join.id).filter_map(|n| ctx.self_time(n.id));
    let time = facts.self_time? + hash.sum::<Millis>();
    let mut found = finding(&SPEC, ctx, scan).recovering(ctx, time * share);
    let condition = join.detail.hash_cond.as_deref().unwrap_or("its condition");
    found.what = format!(
        "the sequential scan of {} reads {}, of which the join keeps {}",
        ctx.relation_name(scan),
        counted(read, "row"),
        counted(kept, "row")
    );
    found.why = format!(
        "{} go into rows that find no partner: {condition} has {} on its other side",
        duration(time * share),
        counted(probes, "row")
    );
    found.help = "an index on the join column lets the planner fetch the partners one by one".to_owned();
    found.evidence = evidence(kept, read - kept, time);
    found.remedies = vec![Remedy::Index { scan: scan.id, join: Some(join.id) }];
    Some(found)
}

/// Without ANALYZE: the planner's own estimate says that most rows are discarded.
fn estimated(ctx: &PlanContext, tuning: &Tuning, scan: &Node) -> Option<Finding> {
    let read = ctx.relation(scan)?.rows?;
    let filter = scan.detail.filter.as_deref()?;
    let kept = scan.estimate?.rows.0 * planned_processes(ctx, scan);
    let removed = 1.0 - (kept / read.max(1.0)).min(1.0);
    let share = own_cost_share(ctx, scan);
    if removed < tuning.get("min-removed-share")
        || read < tuning.get("min-rows")
        || share < tuning.get("min-cost-share")
    {
        return None;
    }
    let mut found = finding(&SPEC, ctx, scan);
    found.share = share * removed;
    found.what = format!(
        "the sequential scan of {} would read {} and keep about {}",
        ctx.relation_name(scan),
        counted(read, "row"),
        counted(kept, "row")
    );
    found.why = format!("it makes {} of the plan's estimated cost: {filter}", percent(share));
    found.help = "an index on the filter's columns reads only the rows that are kept".to_owned();
    found.evidence = vec![
        Evidence::data("rows in the table", read, "rows"),
        Evidence::data("rows kept, estimated", kept, "rows"),
        Evidence::data("share of plan cost", share, "ratio"),
    ];
    found.remedies = vec![Remedy::Index { scan: scan.id, join: None }];
    Some(found)
}

fn evidence(kept: f64, removed: f64, time: Millis) -> Vec<Evidence> {
    vec![
        Evidence::data("rows kept", kept, "rows"),
        Evidence::data("rows discarded", removed, "rows"),
        Evidence::timing("time in the scan", time.0, "ms"),
    ]
}
