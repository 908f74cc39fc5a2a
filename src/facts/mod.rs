//! Numbers derived once from a plan, each with its definition.
//!
//! Refuses to guess: a number whose ingredients the server did not print is `None`.

mod time;

use crate::plan::{Buffers, Plan};
use crate::units::{Blocks, Millis, Ratio, Rows};

/// Facts about every node of one plan; `nodes[i]` belongs to `plan.nodes[i]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    pub nodes: Vec<NodeFacts>,
    /// The time all shares refer to: `Execution Time`, else the root's time. `None` without timing.
    pub execution: Option<Millis>,
}

/// Facts about one node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeFacts {
    /// Rows that came out, over all loops and processes: rows × loops.
    pub rows_total: Option<Rows>,
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
    /// self_time / execution.
    pub self_share: Option<Ratio>,
    /// Actual rows per loop / planned rows: above 1 the planner guessed too low. `None` where the comparison
    /// means nothing: not executed, never ran, BitmapAnd/BitmapOr, ModifyTable without RETURNING.
    pub estimate_error: Option<Ratio>,
    /// The node was (or may have been) stopped before its last row: below a LIMIT, in a semi or anti join's
    /// inner side, in an EXISTS subplan, on the side of a Merge Join that was not exhausted.
    pub stopped_early: bool,
    /// Block counters of this node alone: its own minus its children's.
    pub self_buffers: Option<Buffers>,
}
