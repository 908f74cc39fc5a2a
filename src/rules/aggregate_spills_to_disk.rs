//! A hashed aggregate whose groups did not fit `work_mem × hash_mem_multiplier`.
//!
//! Refuses to speak of sorted aggregates: their sort is what spills (`sort-spills-to-disk`).

use super::memory::{self, align, chunk, major, propose};
use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::Column;
use crate::context::{NEAR, PlanContext};
use crate::finding::{Evidence, Finding};
use crate::plan::{Hash, Node};
use crate::sql::condition::{Condition, Operand, condition};
use crate::units::Bytes;
use crate::words::{count, counted, duration, size};

pub(super) const SPEC: Spec = Spec {
    name: "aggregate-spills-to-disk",
    summary: "a hashed aggregate runs out of memory and puts rows aside on disk",
    thresholds: &[
        Threshold {
            name: "recoverable-share",
            default: 0.5,
            unit: "of the aggregate's time",
            why: "every row still has to be hashed and added up; writing and reading batches is at most half",
        },
        Threshold {
            name: "max-work-mem",
            default: 1024.0,
            unit: "MB",
            why: "beyond this a single statement can exhaust a server: fewer groups is the remedy",
        },
    ],
    page: include_str!("../../rules/aggregate-spills-to-disk.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    ctx.plan
        .nodes
        .iter()
        .filter(|n| n.kind == "Aggregate")
        .filter_map(|node| spill(ctx, tuning, node))
        .collect()
}

fn spill(ctx: &PlanContext, tuning: &Tuning, node: &Node) -> Option<Finding> {
    let processes: Vec<Hash> = node
        .detail
        .hash
        .as_deref()
        .copied()
        .into_iter()
        .chain(node.workers.iter().filter_map(|w| w.hash))
        .filter(|h| h.batches.is_some_and(|b| b > 1.0))
        .collect();
    let batches = processes.iter().filter_map(|h| h.batches).reduce(f64::max)?;
    let disk: Bytes = processes.iter().filter_map(|h| h.disk).sum();
    let time = ctx.self_time(node.id)?;
    let input = memory::input(ctx, node)?;
    let rows = ctx.facts_of(input.id).rows_total?.0;
    let groups = groups(ctx, node)?;
    let width = input.estimate.map_or(32.0, |e| e.width);
    let needed = memory_for(ctx, node, groups, width);
    let multiplier = ctx.server.and_then(|s| s.number("hash_mem_multiplier")).unwrap_or(1.0);
    let allowed =
        memory::work_mem(ctx).map(|w| size(Bytes((w.0 as f64 * multiplier) as i64)));
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, time * tuning.get("recoverable-share"));
    found.what = format!(
        "hashing {} into {} takes {} batches and {} on disk{}{}",
        counted(rows, "row"),
        counted(groups, "group"),
        count(batches),
        size(disk),
        if processes.len() > 1 { format!(", over {} processes", processes.len()) } else { String::new() },
        allowed.map_or(String::new(), |a| format!("; work_mem × hash_mem_multiplier allows {a}"))
    );
    found.why = format!(
        "{} go into this aggregate, part of it into writing rows of groups that found no room and reading them back",
        duration(time)
    );
    let work_mem = Bytes((needed / multiplier) as i64);
    propose(&mut found, tuning, work_mem, "keeps all groups in memory", "aggregate fewer groups at once");
    found.evidence = vec![
        Evidence::data("batches", batches, "batches"),
        Evidence::data("on disk", disk.0 as f64, "bytes"),
        Evidence::data("memory needed", needed, "bytes"),
        Evidence::timing("time in the aggregate", time.0, "ms"),
    ];
    Some(found)
}

/// The most groups that one process may have to hold. Where several share the rows that is every group: who gets
/// which rows is luck, and where no worker starts the leader gets them all.
fn groups(ctx: &PlanContext, node: &Node) -> Option<f64> {
    let kept = |n: &Node| Some(n.ran()?.rows.0 + n.detail.rows_removed_by_filter.unwrap_or(0.0));
    let mode = |n: &Node, mode: &str| n.detail.partial_mode.as_deref() == Some(mode);
    if mode(node, "Partial") {
        let mut above = ctx.plan.ancestors(node.id).take(NEAR);
        if let Some(all) = above.find(|n| mode(n, "Finalize")).and_then(kept) {
            return Some(all);
        }
    }
    let workers = node.workers.iter().filter_map(|w| Some(w.execution?.rows.0));
    Some(workers.fold(kept(node)?, f64::max))
}

/// What a hashed aggregate leaves of its memory to groups: up to a quarter is kept for writing partitions
/// (`hash_agg_set_limits` in nodeAgg.c).
const FOR_GROUPS: f64 = 0.75;

/// Memory that holds `groups` at once, as nodeAgg.c and execGrouping.c lay them out: an entry in a table of a power
/// of two, of which up to seven tenths are in use before it doubles; the group's row; 16 bytes for each aggregate;
/// and what the aggregates keep elsewhere. Since 18 rows and aggregates share one piece without a header.
fn memory_for(ctx: &PlanContext, node: &Node, groups: f64, width: f64) -> f64 {
    let major = major(ctx);
    let texts = node.detail.output.iter().chain(&node.detail.filter);
    let expressions: Vec<Condition> = texts.map(|text| condition(whole(text))).collect();
    let operands = expressions.iter().flat_map(Condition::tests).map(|test| &test.left);
    let (mut aggregates, mut states) = (0.0, 0.0);
    for operand in operands {
        for bytes in operand.functions.iter().filter_map(|f| state(ctx, node, operand, f, major)) {
            aggregates += 1.0;
            states += bytes;
        }
    }
    let slots = (groups.max(256.0) / 0.7).log2().ceil().exp2();
    let row = align(16.0 + width);
    let (entry, group) = if major < 18 {
        (24.0, chunk(row, major) + if aggregates > 0.0 { chunk(16.0 * aggregates, major) } else { 0.0 })
    } else {
        (16.0, row + 16.0 * aggregates)
    };
    (entry * slots + (group + states) * groups) / FOR_GROUPS
}

/// The aggregate without the server's mark of one that a later node finishes.
fn whole(output: &str) -> &str {
    output.strip_prefix("PARTIAL ").unwrap_or(output)
}

/// What an aggregate function keeps per group beside its 16 bytes: nothing where its state is a value that fits
/// there. Functions that collect values are reckoned with 8 kB by the planner, which stops at so many groups.
/// `None`: not an aggregate.
fn state(ctx: &PlanContext, node: &Node, operand: &Operand, function: &str, major: u32) -> Option<f64> {
    let argument = operand.columns.iter().find_map(|c| column(ctx, node, c.qualifier.as_deref(), &c.name));
    let numeric = operand.text.contains("::numeric") || argument.is_some_and(|a| a.data_type.starts_with("numeric"));
    // Its digits stand in two arrays beside the state, which grew in 14.
    let numerics = chunk(if major < 14 { 128.0 } else { 144.0 }, major) + 2.0 * chunk(16.0, major);
    Some(match function {
        "count" | "bool_and" | "bool_or" | "every" | "bit_and" | "bit_or" | "bit_xor" => 0.0,
        "min" | "max" | "any_value" => match argument {
            Some(a) if a.type_length < 0 => chunk(width_of(a), major),
            _ => 0.0,
        },
        "sum" | "avg" if numeric => numerics,
        "stddev" | "stddev_pop" | "stddev_samp" | "variance" | "var_pop" | "var_samp" => numerics,
        // Two or four bytes are summed in eight, which need no place elsewhere.
        "sum" if argument.is_some_and(|a| a.type_length <= 4) => 0.0,
        "sum" | "avg" => chunk(48.0, major),
        "array_agg" | "string_agg" | "json_agg" | "jsonb_agg" | "json_object_agg" | "jsonb_object_agg" => 8192.0,
        _ => return None,
    })
}

fn width_of(column: &Column) -> f64 {
    4.0 + column.statistics.as_ref().map_or(16.0, |s| s.average_width)
}

/// The column of that name, where the catalog has it. With one relation the server prints no alias before it.
fn column<'a>(ctx: &PlanContext<'a>, node: &Node, alias: Option<&str>, name: &str) -> Option<&'a Column> {
    let mut scans = ctx.subtree(node.id).iter().take(NEAR).filter(|n| n.detail.relation.is_some());
    let scan = scans.find(|n| alias.is_none() || ctx.outer_alias(n) == alias)?;
    ctx.relation(scan)?.column(name)
}
