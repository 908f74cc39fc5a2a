//! Numbers derived once from a plan, each with its definition.
//!
//! Refuses to guess: a number whose ingredients the server did not print is `None`.

mod expressions;
mod shape;
mod stops;
mod time;

use crate::plan::{Buffers, Node, Plan, Tree};
use crate::units::{Blocks, Millis, Ratio, Rows};
use shape::{Shape, is_plain};
use time::Debit;

/// Facts about every node of one plan; `nodes[i]` belongs to `plan.nodes[i]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    pub nodes: Vec<NodeFacts>,
    /// Children and subtrees, found without searching.
    pub tree: Tree,
    /// The time all shares refer to: `Execution Time`, else the root's time, else auto_explain's duration. `None`
    /// without timing.
    pub execution: Option<Millis>,
}

/// Facts about one node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeFacts {
    /// Rows that came out, over all loops and processes: rows × loops.
    pub rows_total: Option<Rows>,
    /// Planned rows × loops: what the planner would have expected of as many loops. `None` as `estimate_error`.
    pub rows_planned_total: Option<Rows>,
    /// Rows that filters of this node discarded, over all loops and processes (filter, join filter, recheck).
    pub rows_removed_total: Option<Rows>,
    /// removed / (removed + emitted), by the filter and the index recheck, not by join filters.
    pub removed_share: Option<Ratio>,
    /// Time × loops, children included, summed over processes.
    pub total_cpu: Option<Millis>,
    /// Time spent in this node alone by the process that spent most: what the user waited for.
    pub self_time: Option<Millis>,
    /// Time spent in this node alone, summed over processes.
    pub self_cpu: Option<Millis>,
    /// How far rounding in EXPLAIN's output may move `self_cpu`, in ms.
    pub self_bound: Option<Millis>,
    /// The node's time could not be split exactly (several consumers of a CTE or InitPlan, no per-worker figures).
    pub self_time_is_shared: bool,
    /// Self time of this node and everything below it. `None` where one of them was not timed or never ran.
    pub subtree_time: Option<Millis>,
    /// self_time / execution.
    pub self_share: Option<Ratio>,
    /// Actual rows per loop / planned rows: above 1 the planner guessed too low. `None` where the comparison
    /// means nothing: not executed, never ran, BitmapAnd/BitmapOr, ModifyTable without RETURNING.
    pub estimate_error: Option<Ratio>,
    /// The node was (or may have been) stopped before its last row: below a LIMIT, in a semi or anti join's
    /// inner side, in an EXISTS subplan, on the side of a Merge Join that was not exhausted.
    pub stopped_early: bool,
    /// The Gather or Gather Merge whose workers run this node.
    pub gather: Option<usize>,
    /// Block counters of this node alone: its own minus its children's.
    pub self_buffers: Option<Buffers>,
}

/// Derives the facts about every node of `plan`, in time linear in its size.
pub fn facts(plan: &Plan) -> Facts {
    let shape = Shape::of(plan);
    let times = time::times(plan, &shape);
    let stopped = stops::stopped_early(plan, &shape);
    let buffers = self_buffers(plan, &times.debits);
    let root_time = plan.root().and_then(time::total).map(Millis);
    let execution = plan.execution_time.or(root_time).or(plan.duration);
    let derived = times.exclusive.into_iter().zip(stopped).zip(buffers);
    let nodes = plan.nodes.iter().zip(derived).map(|(node, ((exclusive, stopped_early), self_buffers))| {
        let gather = shape.gather[node.id];
        let mut facts = NodeFacts { stopped_early, self_buffers, gather, ..rows(node) };
        if let Some(exclusive) = exclusive {
            let self_time = exclusive.slowest();
            facts.total_cpu = time::total(node).map(Millis);
            facts.self_time = Some(Millis(self_time));
            facts.self_cpu = Some(Millis(exclusive.cpu()));
            facts.self_bound = Some(Millis(exclusive.bound));
            facts.self_time_is_shared = exclusive.shared;
            facts.self_share = execution.and_then(|execution| Ratio::of(self_time, execution.0));
        }
        facts
    });
    let mut nodes: Vec<NodeFacts> = nodes.collect();
    subtree_times(plan, &mut nodes);
    Facts { nodes, tree: shape.tree, execution }
}

/// Sums self times from the leaves up.
fn subtree_times(plan: &Plan, nodes: &mut [NodeFacts]) {
    nodes.iter_mut().for_each(|facts| facts.subtree_time = facts.self_time);
    for node in plan.nodes.iter().rev() {
        let Some(parent) = node.parent else { continue };
        let below = nodes[node.id].subtree_time;
        nodes[parent].subtree_time = nodes[parent].subtree_time.zip(below).map(|(own, below)| own + below);
    }
}

/// What follows from the rows of one node.
fn rows(node: &Node) -> NodeFacts {
    let Some(ran) = node.ran() else { return NodeFacts::default() };
    let detail = &node.detail;
    let sum = |parts: &[Option<f64>]| parts.iter().flatten().copied().reduce(|a, b| a + b);
    let fetched = sum(&[detail.rows_removed_by_filter, detail.rows_removed_by_index_recheck]);
    let removed = sum(&[fetched, detail.rows_removed_by_join_filter]);
    let counts_rows = match node.kind.as_str() {
        "BitmapAnd" | "BitmapOr" => false,
        "ModifyTable" => ran.rows.0 > 0.0 || !detail.output.is_empty(),
        _ => true,
    };
    let estimate = node.estimate.filter(|_| counts_rows);
    NodeFacts {
        rows_total: Some(ran.rows * ran.loops),
        rows_planned_total: estimate.map(|estimate| estimate.rows * ran.loops),
        rows_removed_total: removed.map(|rows| Rows(rows * ran.loops)),
        removed_share: fetched.and_then(|removed| Ratio::of(removed, removed + ran.rows.0)),
        estimate_error: estimate.and_then(|estimate| Ratio::of(ran.rows.0, estimate.rows.0)),
        ..NodeFacts::default()
    }
}

/// Blocks of each node alone. A CTE or InitPlan touches its blocks inside the node that asks for it, as with time.
fn self_buffers(plan: &Plan, debits: &[Debit]) -> Vec<Option<Buffers>> {
    let mut own: Vec<Option<Buffers>> = plan.nodes.iter().map(|node| node.buffers).collect();
    let mut take = |from: usize, child: usize| {
        if let (Some(buffers), Some(child)) = (&mut own[from], &plan.nodes[child].buffers) {
            *buffers = minus(buffers, child);
        }
    };
    for node in plan.nodes.iter().filter(|node| is_plain(node)) {
        if let Some(parent) = node.parent {
            take(parent, node.id);
        }
    }
    // Blocks cannot be split: the consumer with the largest part of the time takes them all.
    for group in debits.chunk_by(|a, b| a.source == b.source) {
        if let Some(debit) = group.iter().rev().max_by(|a, b| a.part.total_cmp(&b.part)) {
            take(debit.consumer, debit.source);
        }
    }
    own
}

fn minus(all: &Buffers, part: &Buffers) -> Buffers {
    let less = |field: fn(&Buffers) -> Blocks| field(all) - field(part);
    Buffers {
        shared_hit: less(|buffers| buffers.shared_hit),
        shared_read: less(|buffers| buffers.shared_read),
        shared_dirtied: less(|buffers| buffers.shared_dirtied),
        shared_written: less(|buffers| buffers.shared_written),
        local_hit: less(|buffers| buffers.local_hit),
        local_read: less(|buffers| buffers.local_read),
        local_dirtied: less(|buffers| buffers.local_dirtied),
        local_written: less(|buffers| buffers.local_written),
        temp_read: less(|buffers| buffers.temp_read),
        temp_written: less(|buffers| buffers.temp_written),
    }
}
