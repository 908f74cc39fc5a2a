//! A node that keeps rows to return them again, and keeps them on disk.
//!
//! Refuses to count the temporary blocks of sorts and hashes, which have rules of their own, and to promise more
//! than the time of the blocks: the rows would be kept in memory instead.

use super::memory::{align, chunk, input, major, propose, work_mem_clause};
use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::{Node, Relationship};
use crate::units::{Blocks, Bytes, Millis};
use crate::words::{count, counted, duration};
use std::collections::HashMap;

pub(super) const SPEC: Spec = Spec {
    name: "tuplestore-spills-to-disk",
    summary: "a CTE, a Materialize, a window or a function's result runs out of work_mem and goes to disk",
    thresholds: &[
        Threshold {
            name: "block-time",
            default: 0.008,
            unit: "ms per temporary block",
            why: "writing or reading one took 7 to 10 µs more than memory where the system's cache took the files",
        },
        Threshold {
            name: "max-work-mem",
            default: 1024.0,
            unit: "MB",
            why: "beyond this a single statement can exhaust a server: fewer or narrower rows are the remedy",
        },
    ],
    page: include_str!("../../rules/tuplestore-spills-to-disk.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    stores(ctx).iter().filter_map(|store| spill(ctx, tuning, store)).collect()
}

/// One tuplestore.
struct Store<'a> {
    /// The nodes that read it: several scans share that of a CTE.
    readers: Vec<&'a Node>,
    /// The node whose rows it holds.
    source: &'a Node,
    subject: String,
}

fn stores<'a>(ctx: &PlanContext<'a>) -> Vec<Store<'a>> {
    let mut stores: Vec<Store<'a>> = Vec::new();
    let mut ctes: HashMap<&str, usize> = HashMap::new();
    let named = |n: &'a Node| {
        let name = n.subplan_name.as_deref()?.strip_prefix("CTE ")?;
        (n.relationship == Relationship::InitPlan).then_some((name, n))
    };
    let sources: HashMap<&str, &Node> = ctx.plan.nodes.iter().filter_map(named).collect();
    for node in &ctx.plan.nodes {
        let (source, subject) = match node.kind.as_str() {
            "Materialize" => (input(ctx, node), "Materialize".to_owned()),
            "WindowAgg" => (input(ctx, node), "the window's frame".to_owned()),
            "Function Scan" => {
                let name = node.detail.function.as_deref().unwrap_or("the function");
                (Some(node), format!("the result of {name}"))
            }
            "CTE Scan" => {
                let name = node.detail.cte.as_deref().unwrap_or_default();
                if let Some(&known) = ctes.get(name) {
                    stores[known].readers.push(node);
                    continue;
                }
                ctes.insert(name, stores.len());
                (sources.get(name).copied(), format!("the CTE {name}"))
            }
            _ => continue,
        };
        stores.push(Store { readers: vec![node], source: source.unwrap_or(node), subject });
    }
    stores
}

fn spill(ctx: &PlanContext, tuning: &Tuning, store: &Store) -> Option<Finding> {
    let blocks = |of: fn(&crate::plan::Buffers) -> Blocks| -> i64 {
        store.readers.iter().filter_map(|n| ctx.facts_of(n.id).self_buffers.as_ref()).map(|b| of(b).0).sum()
    };
    let (written, read) = (blocks(|b| b.temp_written), blocks(|b| b.temp_read));
    if written <= 0 {
        return None;
    }
    let ran = store.source.ran()?;
    let rows = ran.rows.0 + store.source.detail.rows_removed_by_filter.unwrap_or(0.0);
    let time: Millis = store.readers.iter().filter_map(|n| ctx.self_time(n.id)).sum();
    let lost = Millis((written + read) as f64 * tuning.get("block-time"));
    let saves = if lost > time { time } else { lost };
    let node = store.readers[0];
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, saves);
    found.what = format!(
        "{} holds {} on disk: {} temporary blocks written, {} read{}",
        store.subject,
        counted(rows, "row"),
        count(written as f64),
        count(read as f64),
        work_mem_clause(ctx)
    );
    found.why = format!(
        "about {} go into the files: rows that would be kept in memory are written, and read again at each pass",
        duration(saves)
    );
    let needed = memory_for(ctx, node, store.source, written, rows * ran.loops);
    propose(&mut found, tuning, needed, "keeps them in memory", "let fewer or narrower rows come here");
    found.evidence = vec![
        Evidence::data("temporary blocks written", written as f64, "blocks"),
        Evidence::data("temporary blocks read", read as f64, "blocks"),
        Evidence::data("memory needed", needed.0 as f64, "bytes"),
        Evidence::timing("time in the node", time.0, "ms"),
    ];
    Some(found)
}

/// What `tuplestore.c` writes less of a row than it has in memory: 10 bytes of header, for 4 of length.
const NOT_ON_TAPE: f64 = 6.0;
/// Bytes of a row's header.
const HEADER: f64 = 16.0;
/// A row's entry in the array that finds it, which doubles as it grows.
const ENTRY: f64 = 16.0;

/// Memory that holds one store: its rows in the allocator of that major (powers of two up to 15) and the array that
/// finds them, one tenth on top. What is on disk says how long rows are, where the planner guessed too short; since
/// 18 the server tells the largest store, of several that a node fills one after the other.
fn memory_for(ctx: &PlanContext, node: &Node, source: &Node, written: i64, all_rows: f64) -> Bytes {
    let width = source.estimate.map_or(32.0, |e| e.width);
    let on_tape = (HEADER + width - NOT_ON_TAPE).max(Blocks(written).bytes().0 as f64 / all_rows.max(1.0));
    let loops = source.ran().map_or(1.0, |r| r.loops.max(1.0));
    let rows = match &node.detail.storage {
        Some(storage) => storage.maximum.0 as f64 / on_tape,
        None => all_rows / loops,
    };
    let row = align(on_tape + NOT_ON_TAPE);
    let piece = if major(ctx) < 18 { chunk(row, major(ctx)) } else { row + 8.0 };
    Bytes(((piece + ENTRY) * rows * 1.1) as i64)
}
