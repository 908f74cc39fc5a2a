//! Two plans of one statement compared: which node became which, and what changed between them.
//!
//! Pure and linear (n log n where things are ranked), without recursion. Refuses to judge which plan is better and
//! to compare what one side did not measure: that is `None`, with the reason in [`Comparison::unmeasured`].

mod changes;
mod keys;
mod pairs;
mod rows;

use crate::facts::Facts;
use crate::plan::Plan;
use crate::units::{Blocks, Cost, Millis, Rows};

/// One of the two plans, with its facts.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub plan: &'a Plan,
    pub facts: &'a Facts,
}

/// What two plans have in common and where they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub base: Totals,
    pub head: Totals,
    /// Same nodes in the same places, over the same relations and indexes.
    pub same_shape: bool,
    /// Nodes that are each other's counterpart, in the order of the base plan.
    pub pairs: Vec<Pair>,
    /// What changed; of one kind, what matters most comes first.
    pub changes: Vec<Change>,
    /// Pairs that did the same work and yet saw other numbers of rows: the data or the parameters are not the same.
    pub other_data: Vec<Pair>,
    /// The conditions are the same but for their constants.
    pub other_values: bool,
    /// Why times, rows or blocks are not compared.
    pub unmeasured: Vec<Unmeasured>,
}

/// A node of the base plan and its counterpart in the head plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub base: usize,
    pub head: usize,
}

/// Numbers of a plan as a whole; `None` where the server did not print them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Fingerprint of the plan's shape: equal for plans of the same shape, whatever major printed them.
    pub shape: u64,
    pub nodes: usize,
    pub execution: Option<Millis>,
    pub planning: Option<Millis>,
    pub cost: Option<Cost>,
    /// Rows that came out at the top.
    pub rows: Option<Rows>,
    /// Shared and local blocks, from cache and from outside of it.
    pub blocks: Option<Blocks>,
    /// The part of `blocks` that was not in the cache.
    pub read: Option<Blocks>,
    /// Blocks of temporary files, read and written.
    pub temp: Option<Blocks>,
}

/// What one of the plans does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmeasured {
    /// EXPLAIN without ANALYZE: neither times nor actual rows. `head` tells which side.
    NotExecuted { head: bool },
    /// ANALYZE with TIMING OFF.
    NoTiming { head: bool },
    /// No BUFFERS.
    NoBlocks { head: bool },
}

/// A number before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved {
    pub base: f64,
    pub head: f64,
}

/// What a node spent alone, a bitmap heap scan with its bitmaps; `None` where one side did not measure it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    pub ms: Option<Moved>,
    pub blocks: Option<Moved>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Another way to the rows of a relation: another kind of scan, another index.
    AccessPath { at: Pair, spent: Spent },
    /// The same relations joined by another method, or as another kind of join.
    JoinMethod { at: Pair, spent: Spent },
    /// The same relations joined in another order, or with sides exchanged.
    JoinOrder { at: Pair, base: Vec<Term>, head: Vec<Term> },
    /// Any other node that does the same job in another way: `HashAggregate` for `GroupAggregate` …
    Method { at: Pair, spent: Spent },
    /// Rows that came out, over all loops.
    ActualRows { at: Pair, rows: Moved },
    /// Rows that the planner expected per loop, of the same conditions: its statistics (or settings) changed.
    EstimatedRows { at: Pair, rows: Moved },
    /// Self time in ms, of a node that works as before.
    Time { at: Pair, ms: Moved },
    /// Shared and local blocks of such a node alone.
    Blocks { at: Pair, blocks: Moved },
    /// Blocks of temporary files: something spills, or no longer does.
    Temp { at: Pair, blocks: Moved },
    /// Workers launched.
    Workers { at: Pair, workers: Moved },
    /// A condition of a node that is otherwise the same; `None` where it has none of that name.
    Condition { at: Pair, name: &'static str, base: Option<String>, head: Option<String>, values_only: bool },
    /// A node of the base plan that has no counterpart.
    Gone { base: usize },
    /// A node of the head plan that has no counterpart.
    New { head: usize },
    /// A planner setting; `None` where it is not among those printed.
    Setting { name: String, base: Option<String>, head: Option<String> },
}

/// A join order, as a bracketed expression: the outer side comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    Open,
    /// A node that is joined with others, and its identity: counterparts have the same.
    Input {
        node: usize,
        identity: u64,
    },
    Close,
}

/// Compares the plan that was (`base`) with the one that is (`head`).
pub fn compare(base: Side, head: Side) -> Comparison {
    let keys = (keys::Keys::of(base), keys::Keys::of(head));
    let pairs = pairs::pairs(base, head, &keys.0, &keys.1);
    let same_shape = keys.0.shape() == keys.1.shape() && base.plan.nodes.len() == head.plan.nodes.len();
    let rows = rows::rows(base, head, &pairs.list, &keys);
    Comparison {
        base: totals(base, &keys.0),
        head: totals(head, &keys.1),
        same_shape,
        changes: changes::changes(base, head, &pairs, &keys, &rows),
        other_data: rows.other_data,
        other_values: rows.other_values,
        unmeasured: unmeasured(base, false).into_iter().chain(unmeasured(head, true)).collect(),
        pairs: pairs.list,
    }
}

fn totals(side: Side, keys: &keys::Keys) -> Totals {
    let root = side.plan.root();
    let buffers = root.and_then(|root| root.buffers);
    Totals {
        shape: keys.shape(),
        nodes: side.plan.nodes.len(),
        execution: side.facts.execution,
        planning: side.plan.planning_time,
        cost: root.and_then(|root| root.estimate).map(|estimate| estimate.total_cost),
        rows: side.facts.nodes.first().and_then(|facts| facts.rows_total),
        blocks: buffers.map(|b| b.shared_hit + b.shared_read + b.local_hit + b.local_read),
        read: buffers.map(|b| b.shared_read + b.local_read),
        temp: buffers.map(|b| b.temp_read + b.temp_written),
    }
}

fn unmeasured(side: Side, head: bool) -> Option<Unmeasured> {
    if !side.plan.analyzed() {
        return Some(Unmeasured::NotExecuted { head });
    }
    if side.facts.execution.is_none() || side.facts.nodes.iter().all(|facts| facts.self_time.is_none()) {
        return Some(Unmeasured::NoTiming { head });
    }
    side.plan.root().filter(|root| root.buffers.is_none()).map(|_| Unmeasured::NoBlocks { head })
}
