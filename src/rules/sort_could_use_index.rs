//! A sort of one table's rows that an index could hand out in order.
//!
//! Refuses to trade a sort in memory for an index scan of a whole table: it speaks where a LIMIT takes few of the rows
//! sorted, or where they come through an index already, so that one more key is all that is missing.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::{NEAR, PlanContext};
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::{Node, Relationship};
use crate::sql::condition::{Operand, Shape, sort_key};
use crate::sql::ident::qualified;
use crate::units::Millis;
use crate::words::{counted, duration};
use std::collections::BTreeMap;

pub(super) const SPEC: Spec = Spec {
    name: "sort-could-use-index",
    summary: "rows of one table are sorted that an index could return in order",
    thresholds: &[
        Threshold {
            name: "max-taken-share",
            default: 0.1,
            unit: "of rows sorted",
            why: "a row through an index costs up to ten times as much as one of a scan: a LIMIT has to leave more out",
        },
        Threshold {
            name: "min-share",
            default: 0.1,
            unit: "of the execution",
            why: "less is lost in the noise between two runs, and an index costs every write",
        },
    ],
    page: include_str!("../../rules/sort-could-use-index.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    // Sorts of partitions below one Merge Append are one sort.
    let mut places: BTreeMap<usize, Vec<(&Node, &Node)>> = BTreeMap::new();
    for sort in ctx.plan.nodes.iter().filter(|n| matches!(n.kind.as_str(), "Sort" | "Incremental Sort")) {
        let Some(scan) = scan_below(ctx, sort) else { continue };
        let member = sort.parent.filter(|_| sort.relationship == Relationship::Member);
        places.entry(member.unwrap_or(sort.id)).or_default().push((sort, scan));
    }
    places.into_iter().filter_map(|(at, sorts)| could(ctx, tuning, &ctx.plan.nodes[at], &sorts)).collect()
}

fn could(ctx: &PlanContext, tuning: &Tuning, at: &Node, sorts: &[(&Node, &Node)]) -> Option<Finding> {
    let (sort, scan) = sorts[0];
    if !sort.detail.sort_key.iter().all(|key| indexable(ctx, key, scan)) {
        return None;
    }
    let below = |sort: &Node| ctx.children(sort.id).next().and_then(|c| ctx.facts_of(c.id).rows_total);
    let sorted: f64 = sorts.iter().filter_map(|(sort, _)| below(sort)).map(|r| r.0).sum();
    let limit = ctx.above(at.id, &["Gather Merge", "Result", "Subquery Scan", "LockRows"]).filter(|n| n.kind == "Limit");
    let taken = limit.and_then(|limit| ctx.children(limit.id).next()).and_then(|n| ctx.facts_of(n.id).rows_total);
    let taken = taken.filter(|taken| taken.0 <= sorted * tuning.get("max-taken-share"));
    let (saves, what) = match taken {
        Some(taken) => (
            ctx.subtree_time(at.id)? * (1.0 - taken.0 / sorted.max(1.0)),
            format!("to return the first {}", counted(taken.0, "row").replace("1 row", "row")),
        ),
        // As many visits to the table as before, and in order.
        None if matches!(scan.kind.as_str(), "Index Scan" | "Index Only Scan") => (
            sorts.iter().filter_map(|(sort, _)| ctx.self_time(sort.id)).sum::<Millis>(),
            "although they come out of an index".to_owned(),
        ),
        None => return None,
    };
    let mut found = finding(&SPEC, ctx, at).recovering(ctx, saves);
    if found.share < tuning.get("min-share") {
        return None;
    }
    // A new index is one of the partitioned table, whichever partitions are read.
    let root = ctx.relation(scan).and_then(|r| r.partition_root.as_ref());
    let name = root.map_or_else(|| ctx.relation_name(scan), |root| qualified(&root.schema, &root.name));
    let keys = sort.detail.sort_key.join(", ");
    found.what = format!("{} of {name} are sorted by {keys} {what}", counted(sorted, "row"));
    found.why = format!(
        "{} go into {}",
        duration(saves),
        if taken.is_some() { "rows that the LIMIT never asks for" } else { "an order that the index could have" }
    );
    found.help = "an index with the columns compared for equality first and the sort's columns behind them returns \
                  the rows in order"
        .to_owned();
    found.relation = Some(name);
    found.evidence = vec![
        Evidence::text("sort key", keys),
        Evidence::data("rows sorted", sorted, "rows"),
        Evidence::timing("time that an index could save", saves.0, "ms"),
    ];
    found.remedies = vec![Remedy::Index { scan: scan.id, join: None }];
    Some(found)
}

/// The scan whose rows a sort gets as they are; of partitions the first.
fn scan_below<'a>(ctx: &PlanContext<'a>, sort: &Node) -> Option<&'a Node> {
    let mut node = ctx.children(sort.id).next()?;
    for _ in 0..NEAR {
        match node.kind.as_str() {
            "Seq Scan" | "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan" => return Some(node),
            "Gather" | "Append" | "Result" => node = ctx.children(node.id).next()?,
            _ => return None,
        }
    }
    None
}

/// A key that an index on the scan's table can have: a column, or an immutable function of its columns.
fn indexable(ctx: &PlanContext, key: &str, scan: &Node) -> bool {
    let key = sort_key(key);
    let Operand { shape, columns, functions, .. } = &key.operand;
    let ours = |qualifier: Option<&str>| qualifier.is_none_or(|q| ctx.outer_alias(scan) == Some(q));
    let columns_ours = columns.iter().all(|c| ours(c.qualifier.as_deref()));
    let fit = match shape {
        Shape::Column => true,
        Shape::Expression => !functions.is_empty() && functions.iter().all(|f| ctx.catalog.immutable(f)),
        _ => false,
    };
    columns_ours && fit && key.collation.is_none() && !key.custom_order
}
