//! A star whose wide columns go to disk in a sort or a hash table, or out of TOAST to the client.
//!
//! Refuses to object to a star as such: it speaks where the plan shows what the columns cost.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::{Node, SortSpace};
use crate::sql::{reads_one_name, starred_tables};
use crate::units::{Bytes, Millis};
use crate::words::{counted, duration, size};

pub(super) const SPEC: Spec = Spec {
    name: "select-star",
    summary: "SELECT * takes wide columns through a sort, a hash table or out of TOAST",
    thresholds: &[
        Threshold {
            name: "min-width",
            default: 200.0,
            unit: "bytes per row to disk",
            why: "a key with its header takes 40: from five times that the columns carried along make the volume",
        },
        Threshold {
            name: "min-sent",
            default: 2_000.0,
            unit: "bytes per row returned",
            why: "about this size PostgreSQL stores values apart (TOAST), so that reading them costs visits of their own",
        },
        Threshold {
            name: "recoverable-share",
            default: 0.5,
            unit: "of sort or hash time",
            why: "the rows are still compared; what is written and read again is at most about half",
        },
    ],
    page: include_str!("../../rules/select-star.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let tables = ctx.parsed.map(starred_tables).unwrap_or_default();
    if tables.is_empty() {
        return Vec::new();
    }
    star(ctx, tuning, &tables).into_iter().collect()
}

fn star(ctx: &PlanContext, tuning: &Tuning, tables: &[String]) -> Option<Finding> {
    let carried = carried(ctx, tables);
    let root = ctx.plan.root()?;
    let mut at = None;
    let (mut time, mut width) = (Millis(0.0), 0.0);
    for node in ctx.plan.nodes.iter().filter(|n| spilled(n)) {
        let below = carried[ctx.facts.tree.end(node.id)] - carried[node.id];
        if below >= tuning.get("min-width") {
            at = at.or(Some(node));
            width = f64::max(width, below);
            time += ctx.self_time(node.id)? * tuning.get("recoverable-share");
        }
    }
    let rows = ctx.facts_of(root.id).rows_total?.0;
    let sent = ctx.plan.serialization.as_ref().filter(|s| s.output.0 as f64 >= rows * tuning.get("min-sent"));
    let written = sent.and_then(|s| s.time);
    if at.is_none() && written.is_none() {
        return None;
    }
    time += written.unwrap_or_default();
    let mut found = finding(&SPEC, ctx, at.unwrap_or(root)).recovering(ctx, time);
    let mut costs = Vec::new();
    if let Some(node) = at {
        let kind = node.kind.to_lowercase();
        costs.push(format!("takes {} of each row to disk in a {kind}", size(Bytes(width as i64))));
    }
    if let Some((sent, _)) = sent.zip(written) {
        costs.push(format!("writes out {} for {}", size(sent.output), counted(rows, "row")));
    }
    found.what = format!("the star of {} {}", tables.join(", "), costs.join(", and "));
    found.why = format!("{} go into columns that are carried along, whether the caller looks at them or not", duration(time));
    found.help = match widest(ctx, tables) {
        Some(column) => format!("name the columns that are needed: {column} alone is most of a row"),
        None => "name the columns that are needed".to_owned(),
    };
    found.relation = None;
    found.evidence = vec![Evidence::text("tables", tables.join(", "))];
    if at.is_some() {
        found.evidence.push(Evidence::data("width on disk", width, "bytes"));
    }
    found.evidence.push(Evidence::timing("time on columns carried along", time.0, "ms"));
    Some(found)
}

/// Whether the node scans a table that has a star.
fn starred(ctx: &PlanContext, node: &Node, tables: &[String]) -> bool {
    ctx.outer_alias(node).is_some_and(|alias| tables.iter().any(|t| t == alias))
}

/// The star is that of a view, which no plan names: all tables of the plan are behind it.
fn of_a_view(ctx: &PlanContext, tables: &[String]) -> bool {
    ctx.parsed.is_some_and(reads_one_name) && !ctx.plan.nodes.iter().any(|node| starred(ctx, node, tables))
}

/// For each node the bytes per row that scans of starred tables before it hand on: a subtree's are a difference.
fn carried(ctx: &PlanContext, tables: &[String]) -> Vec<f64> {
    let view = of_a_view(ctx, tables);
    let of = |node: &Node| {
        let starred = starred(ctx, node, tables) || (view && node.detail.relation.is_some());
        node.estimate.filter(|_| starred).map_or(0.0, |e| e.width)
    };
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(ctx.plan.nodes.iter().map(|node| {
            sum += of(node);
            sum
        }))
        .collect()
}

/// It went to disk in some process.
fn spilled(node: &Node) -> bool {
    let leader = node.detail.sort.iter();
    let mut sorts = leader.chain(node.workers.iter().filter_map(|w| w.sort.as_ref()));
    let hash = node.detail.hash.as_ref().filter(|_| node.kind == "Hash");
    sorts.any(|s| s.space == SortSpace::Disk) || hash.and_then(|h| h.batches).is_some_and(|b| b > 1.0)
}

/// The column of a starred table that is most of its rows, where there is such a one.
fn widest(ctx: &PlanContext, tables: &[String]) -> Option<String> {
    let mut scans = ctx.plan.nodes.iter().filter(|node| starred(ctx, node, tables));
    let relation: &Relation = scans.find_map(|node| ctx.relation(node))?;
    let width = |relation: &Relation| relation.columns.iter().map(|c| relation.width(c)).sum::<f64>();
    let widest = relation.columns.iter().max_by(|a, b| relation.width(a).total_cmp(&relation.width(b)))?;
    (relation.width(widest) * 2.0 > width(relation)).then(|| crate::sql::ident::quote(&widest.name))
}
