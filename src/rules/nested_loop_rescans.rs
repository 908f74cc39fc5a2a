//! A nested loop that reads a whole table (or a stored copy of it) again for every outer row.
//!
//! Refuses to blame loops whose inner side is a cheap index probe: their number is the outer side's estimate,
//! which is `estimate-drift`'s story.

use super::support::{by_table, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::{Node, Relationship};
use crate::words::{counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "nested-loop-rescans",
    summary: "a nested loop reads its inner side in full for every outer row",
    thresholds: &[
        Threshold {
            name: "min-loops",
            default: 5.0,
            unit: "loops",
            why: "a hash table costs about as much as reading the inner side a few times",
        },
        Threshold {
            name: "min-rows-per-loop",
            default: 100.0,
            unit: "rows",
            why: "an index probe costs about as much as reading 100 rows",
        },
        Threshold {
            name: "min-discarded-share",
            default: 0.9,
            unit: "of rows read",
            why: "a join that keeps most pairs has to read them",
        },
    ],
    page: include_str!("../../rules/nested-loop-rescans.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    ctx.plan
        .nodes
        .iter()
        .filter(|n| n.kind == "Nested Loop")
        .filter_map(|join| rescan(ctx, tuning, join))
        .collect()
}

fn rescan(ctx: &PlanContext, tuning: &Tuning, join: &Node) -> Option<Finding> {
    let inner = ctx.children(join.id).find(|n| n.relationship == Relationship::Inner)?;
    // Behind a Memoize only the misses read anything.
    let inner = if inner.kind == "Memoize" { ctx.children(inner.id).next()? } else { inner };
    let sources = sources(ctx, inner)?;
    let source = *sources.first()?;
    let ran = inner.ran()?;
    let read_per_loop = match inner.kind.as_str() {
        "Materialize" => ran.rows.0,
        _ => sources
            .iter()
            .filter_map(|n| Some(n.ran()?.rows.0 + n.detail.rows_removed_by_filter.unwrap_or(0.0)))
            .sum(),
    };
    let read = read_per_loop * ran.loops;
    let kept = ctx.facts_of(join.id).rows_total?.0.min(read);
    let discarded = 1.0 - kept / read.max(1.0);
    if ran.loops < tuning.get("min-loops")
        || read_per_loop < tuning.get("min-rows-per-loop")
        || discarded < tuning.get("min-discarded-share")
    {
        return None;
    }
    let time = ctx.self_time(join.id)? + ctx.subtree_time(inner.id)?;
    let once = 1.0 / ran.loops;
    let saves = time * (discarded * (1.0 - once));
    let mut found = finding(&SPEC, ctx, join).recovering(ctx, saves);
    let what = by_table(ctx, sources.iter().copied()).swap_remove(0).name(ctx);
    found.relation = source.detail.relation.as_ref().map(|_| what.clone());
    found.what = format!(
        "the nested loop goes through {} rows of {what} {}: {} in all, {} of them discarded",
        crate::words::count(read_per_loop),
        counted(ran.loops, "time"),
        counted(read, "row"),
        percent(discarded)
    );
    let planned =
        ctx.children(join.id).find(|n| n.relationship == Relationship::Outer).and_then(|n| n.estimate);
    found.why = match planned {
        Some(planned) if planned.rows.0 * 10.0 < ran.loops => {
            format!("{} go into it; the planner expected {}", duration(time), counted(planned.rows.0, "loop"))
        }
        _ => format!("{} go into it", duration(time)),
    };
    found.help = match source.kind.as_str() {
        "Seq Scan" => {
            "an index on the inner side's join column finds the partners of each outer row".to_owned()
        }
        _ => "join on equality so that the inner side can be hashed, or store it with an index".to_owned(),
    };
    found.evidence = vec![
        Evidence::data("loops", ran.loops, "loops"),
        Evidence::data("rows read per loop", read_per_loop, "rows"),
        Evidence::data("rows kept", kept, "rows"),
        Evidence::timing("time in the loop", time.0, "ms"),
    ];
    if source.kind == "Seq Scan" {
        found.remedies = vec![Remedy::Index { scan: source.id, join: Some(join.id) }];
    }
    Some(found)
}

/// The scan that the inner side reads in full, looking through nodes that only keep or pass on its rows; several
/// where they read the partitions of one table.
fn sources<'a>(ctx: &PlanContext<'a>, inner: &'a Node) -> Option<Vec<&'a Node>> {
    let full = ["Seq Scan", "CTE Scan", "Function Scan", "Values Scan", "WorkTable Scan", "Foreign Scan"];
    let mut node = inner;
    loop {
        match node.kind.as_str() {
            kind if full.contains(&kind) => return Some(vec![node]),
            "Materialize" | "Subquery Scan" => node = ctx.children(node.id).next()?,
            "Append" => {
                let scans: Vec<&Node> = ctx.children(node.id).collect();
                let one = scans.iter().all(|n| n.kind == "Seq Scan")
                    && by_table(ctx, scans.iter().copied()).len() == 1;
                return one.then_some(scans);
            }
            _ => return None,
        }
    }
}
