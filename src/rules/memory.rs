//! What the rules about memory share: how much one statement may be told to take, and what an allocator makes of
//! a small piece.
//!
//! Refuses to know what the memory is for.

use super::Tuning;
use crate::context::PlanContext;
use crate::finding::{Finding, Remedy};
use crate::plan::{Node, Relationship};
use crate::units::Bytes;
use crate::words::size;

/// The work_mem in force, where a server was asked.
pub(super) fn work_mem(ctx: &PlanContext) -> Option<Bytes> {
    ctx.server.and_then(|s| s.bytes("work_mem")).map(Bytes)
}

/// `; work_mem is 4.0 MB`, or nothing where it is not known.
pub(super) fn work_mem_clause(ctx: &PlanContext) -> String {
    work_mem(ctx).map_or(String::new(), |now| format!("; work_mem is {}", size(now)))
}

/// The server's major version. Where none was asked the oldest: later ones need no more memory.
pub(super) fn major(ctx: &PlanContext) -> u32 {
    ctx.server.map_or(13, |s| s.major())
}

/// Says that so much `work_mem` keeps it in memory, or what else would help where that is more than a statement
/// may take (`max-work-mem`, in MB).
pub(super) fn propose(found: &mut Finding, tuning: &Tuning, work_mem: Bytes, does: &str, else_do: &str) {
    let limit = Bytes((tuning.get("max-work-mem") * 1024.0 * 1024.0) as i64);
    if work_mem.0 <= limit.0 {
        found.help = format!("work_mem = {} for this statement {does}", size(work_mem));
        found.remedies = vec![Remedy::WorkMem { bytes: work_mem.0 }];
    } else {
        found.help = format!("it would need {} of work_mem: {else_do}", size(work_mem));
    }
}

/// The node whose rows come into this one. InitPlans stand before it.
pub(super) fn input<'a>(ctx: &PlanContext<'a>, node: &Node) -> Option<&'a Node> {
    ctx.children(node.id).find(|child| child.relationship == Relationship::Outer)
}

/// Bytes that a piece of `bytes` takes in an `AllocSet` (aset.c): the next power of two and its header.
pub(super) fn chunk(bytes: f64, major: u32) -> f64 {
    let header = if major < 16 { 16.0 } else { 8.0 };
    bytes.max(8.0).log2().ceil().exp2() + header
}

/// Rounded up to what every type is aligned to.
pub(super) fn align(bytes: f64) -> f64 {
    (bytes / 8.0).ceil() * 8.0
}
