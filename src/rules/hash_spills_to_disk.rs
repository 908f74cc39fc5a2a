//! A hash join whose table did not fit `work_mem × hash_mem_multiplier`.
//!
//! Refuses to count hashed aggregates (`aggregate-spills-to-disk`), and never advises a lower multiplier.

use super::support::{finding, planned_processes};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::{Hash, Node};
use crate::units::Bytes;
use crate::words::{count, counted, duration, size};

pub(super) const SPEC: Spec = Spec {
    name: "hash-spills-to-disk",
    summary: "a hash join's table runs out of memory and goes to disk in batches",
    thresholds: &[
        Threshold {
            name: "recoverable-share",
            default: 0.5,
            unit: "of join and hash time",
            why: "both sides still have to be hashed and compared; writing and reading batches is at most half",
        },
        Threshold {
            name: "max-work-mem",
            default: 1024.0,
            unit: "MB",
            why: "beyond this a single statement can exhaust a server: fewer rows is the remedy",
        },
    ],
    page: include_str!("../../rules/hash-spills-to-disk.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    ctx.plan.nodes.iter().filter(|n| n.kind == "Hash").filter_map(|node| spill(ctx, tuning, node)).collect()
}

fn spill(ctx: &PlanContext, tuning: &Tuning, node: &Node) -> Option<Finding> {
    let hash = widest(node)?;
    let batches = hash.batches.filter(|b| *b > 1.0)?;
    let join = &ctx.plan.nodes[node.parent?];
    let rows =
        ctx.facts_of(node.id).rows_total.or(ctx.facts_of(ctx.children(node.id).next()?.id).rows_total)?.0;
    let time = ctx.self_time(node.id)? + ctx.self_time(join.id)?;
    let needed = memory_for(ctx, node, &hash, rows);
    let multiplier = ctx.server.and_then(|s| s.number("hash_mem_multiplier")).unwrap_or(1.0);
    let work_mem = Bytes((needed.0 as f64 / multiplier) as i64);
    let allowed = ctx.server.and_then(|s| s.bytes("work_mem")).map(|w| Bytes((w as f64 * multiplier) as i64));
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, time * tuning.get("recoverable-share"));
    let grown = hash.original_batches.filter(|o| *o < batches);
    found.what = format!(
        "the hash table of {} takes {} batches{}{}",
        counted(rows, "row"),
        count(batches),
        grown.map_or(String::new(), |o| format!(" ({} planned)", count(o))),
        allowed.map_or(String::new(), |a| format!("; work_mem × hash_mem_multiplier allows {}", size(a)))
    );
    found.why = format!(
        "{} go into this join, part of it into writing both sides to disk and reading them back",
        duration(time)
    );
    let limit = Bytes((tuning.get("max-work-mem") * 1024.0 * 1024.0) as i64);
    let fits = work_mem.0 <= limit.0;
    found.help = match (fits, grown) {
        (false, _) => format!("it would need {} in memory: join fewer or narrower rows", size(needed)),
        (true, Some(_)) => format!(
            "work_mem = {} for this statement keeps it in one batch; the planner expected fewer rows, so look at its estimate too",
            size(work_mem)
        ),
        (true, None) => format!("work_mem = {} for this statement keeps it in one batch", size(work_mem)),
    };
    found.evidence = vec![
        Evidence::data("batches", batches, "batches"),
        Evidence::data("memory needed", needed.0 as f64, "bytes"),
        Evidence::timing("time in join and hash", time.0, "ms"),
    ];
    if fits {
        found.remedies = vec![Remedy::WorkMem { bytes: work_mem.0 }];
    }
    Some(found)
}

/// The hash details of the process that had most batches.
fn widest(node: &Node) -> Option<Hash> {
    let all =
        node.detail.hash.as_deref().copied().into_iter().chain(node.workers.iter().filter_map(|w| w.hash));
    all.max_by(|a, b| a.batches.unwrap_or(0.0).total_cmp(&b.batches.unwrap_or(0.0)))
}

/// Memory for one batch, per process, as `ExecChooseHashTableSize` reckons: every row with 16 bytes of hash
/// header, 16 of tuple header and its aligned width, 8 bytes per bucket (a power of two), 2 % kept for skewed
/// values. The larger of rows seen and rows expected counts, and, where batches multiplied, what they really held. A Parallel Hash
/// shares the table among its processes, each with this much memory. One tenth on top.
fn memory_for(ctx: &PlanContext, node: &Node, hash: &Hash, rows: f64) -> Bytes {
    let estimate = node.estimate.or(ctx.children(node.id).next().and_then(|c| c.estimate));
    let width = estimate.map_or(32.0, |e| e.width);
    let parallel = node.detail.parallel_aware == Some(true);
    let planned_share = planned_processes(ctx, node);
    let planned = estimate.map_or(0.0, |e| e.rows.0 * planned_share);
    // Without a shared table every process hashes all rows: rows_total counts each copy.
    let copies = if parallel { 1.0 } else { node.ran().map_or(1.0, |r| r.loops.max(1.0)) };
    let tuples = (rows / copies).max(planned);
    let bytes = tuples * (32.0 + (width / 8.0).ceil() * 8.0) + 8.0 * tuples.max(1024.0).log2().ceil().exp2();
    // Batches that multiplied while the table was filled say that rows were more, or wider, than expected.
    let grown = hash.batches > hash.original_batches.or(hash.batches);
    let seen = hash.peak_memory.filter(|_| grown).map_or(0.0, |p| p.0 as f64) * hash.batches.unwrap_or(1.0);
    let gather = ctx.gather(node.id).and_then(|n| n.workers_planned);
    let shared = if parallel { 1.0 + gather.map_or(0.0, f64::from) } else { 1.0 };
    Bytes((bytes.max(seen.min(bytes * 2.0)) / shared / 0.98 * 1.1) as i64)
}
