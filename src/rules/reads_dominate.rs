//! A scan that waits for blocks most of its time.
//!
//! Refuses to speak without I/O times: blocks read tell nothing of how long they took, and absent is not zero.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::Node;
use crate::units::{Bytes, Millis};
use crate::words::{counted, duration, percent, size};

pub(super) const SPEC: Spec = Spec {
    name: "reads-dominate",
    summary: "a scan waits for blocks that are not in shared_buffers, most of its time",
    thresholds: &[Threshold {
        name: "min-share",
        default: 0.5,
        unit: "of the scan's time",
        why: "below a half the rows cost more than their blocks, and memory would not help much",
    }],
    page: include_str!("../../rules/reads-dominate.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

const SCANS: &[&str] = &["Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"];

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let scans = ctx.plan.nodes.iter().filter(|n| SCANS.contains(&n.kind.as_str()));
    scans.filter_map(|node| reads(ctx, tuning, node)).collect()
}

/// Time that a node waited for blocks of relations, children included, summed over processes.
fn waited(node: &Node) -> Option<f64> {
    let io = node.io.as_ref()?;
    [io.shared_read, io.local_read].into_iter().flatten().map(|t| t.0).reduce(|a, b| a + b)
}

fn reads(ctx: &PlanContext, tuning: &Tuning, node: &Node) -> Option<Finding> {
    let buffers = ctx.facts_of(node.id).self_buffers?;
    let all = node.buffers?;
    let blocks = buffers.shared_read + buffers.local_read;
    // A subplan's blocks are among the node's: each took the same, as far as anyone knows.
    let waited = waited(node)? * (blocks.0 as f64 / ((all.shared_read + all.local_read).0 as f64).max(1.0));
    // Both are sums over processes.
    let share = (waited / ctx.facts_of(node.id).self_cpu?.0.max(f64::MIN_POSITIVE)).min(1.0);
    if share < tuning.get("min-share") {
        return None;
    }
    let saves = ctx.self_time(node.id)? * share;
    let name = ctx.relation_name(node);
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, saves);
    let found_in_memory = (buffers.shared_hit + buffers.local_hit).0 as f64;
    found.what = format!(
        "the scan of {name} waits {} of its time for blocks: {} of {} were not in shared_buffers",
        percent(share),
        counted(blocks.0 as f64, "block"),
        counted(found_in_memory + blocks.0 as f64, "visit")
    );
    found.why = format!(
        "{} go into reading {}, {} each: {}",
        duration(saves),
        size(blocks.bytes()),
        duration(Millis(waited / blocks.0.max(1) as f64)),
        "microseconds come from the operating system's cache, more from the disk"
    );
    let table = ctx.relation(node).and_then(|r| r.size_bytes).map(Bytes);
    let memory = ctx.server.and_then(|s| s.bytes("shared_buffers")).map(Bytes);
    found.help = match table.zip(memory) {
        Some((table, memory)) if table > memory => format!(
            "{name} ({}) does not fit shared_buffers ({}): only reading fewer blocks helps, by an index, by \
             partitions, or by narrower rows",
            size(table),
            size(memory)
        ),
        Some((table, memory)) => format!(
            "{name} ({}) fits shared_buffers ({}): run the statement again; if blocks are read each time, others \
             drive them out, and more shared_buffers or an index that reads fewer blocks helps",
            size(table),
            size(memory)
        ),
        None => "run it again: blocks that are read each time need more shared_buffers, or an index that reads fewer"
            .to_owned(),
    };
    found.evidence = vec![
        Evidence::timing("time waiting for blocks", waited, "ms"),
        Evidence::data("blocks read", blocks.0 as f64, "blocks"),
        Evidence::data("blocks found in memory", found_in_memory, "blocks"),
    ];
    Some(found)
}
