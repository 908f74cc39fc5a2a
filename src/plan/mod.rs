//! Plans as PostgreSQL prints them: every number in here was said by the server.
//!
//! Refuses to compute: totals, self times and estimate errors are made in [`crate::facts`]. What a reader does
//! not understand is kept in `extra`, never dropped.

mod build;
mod counters;
mod detail;
mod fields;
mod groups;
mod json;
mod json_lexer;
mod paste;
mod text;
mod tree;
mod write;
mod xml;
mod yaml;

pub use detail::{Buffers, Detail, GroupSpace, Hash, IoTimes, Memoize, Sort, SortSpace, Storage, Wal};
pub use json::{read_json, read_statement};
pub(crate) use paste::continuation;
pub use paste::{Found, Notation, Reading, find, read, read_text, sniff};
pub use tree::Tree;
pub use write::{write_json, write_json_list, write_text};
pub use xml::read_xml;
pub use yaml::read_yaml;

use crate::units::{Blocks, Bytes, Cost, Millis, Rows};
use serde_json::Value;

/// One plan: what one EXPLAIN of one statement printed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The nodes in the order they were printed (pre-order); `nodes[i].id == i` and the root comes first.
    pub nodes: Vec<Node>,
    /// `Planning Time`; `None` where the server did not print it (auto_explain, SUMMARY OFF).
    pub planning_time: Option<Millis>,
    /// `Execution Time`; `None` without ANALYZE.
    pub execution_time: Option<Millis>,
    /// The `Planning` group (13+): buffers touched while planning.
    pub planning_buffers: Option<Buffers>,
    /// The `Planning` group (13+ with track_io_timing): I/O times while planning.
    pub planning_io: Option<IoTimes>,
    /// The `Planning` group (17+ with MEMORY).
    pub planning_memory: Option<Memory>,
    /// Triggers that fired; `None` where the server printed no list at all.
    pub triggers: Option<Vec<Trigger>>,
    /// The JIT group, where code was compiled.
    pub jit: Option<Jit>,
    /// The `Serialization` group (17+ with SERIALIZE).
    pub serialization: Option<Serialization>,
    /// Planner settings that differ from their built-in default; `None` without SETTINGS.
    pub settings: Option<Vec<(String, String)>>,
    /// `Query Identifier`, signed.
    pub query_identifier: Option<i64>,
    /// `Query Text` of auto_explain.
    pub query_text: Option<String>,
    /// `Query Parameters` of auto_explain (16+).
    pub query_parameters: Option<String>,
    /// `duration:` of auto_explain's entry: the whole statement, which has no `Execution Time` there.
    pub duration: Option<Millis>,
    /// What the server prints in place of a plan for a statement that has none (`Notify`, from a rule).
    pub utility: Option<String>,
    /// Top-level keys that we do not know.
    pub extra: Vec<(String, Value)>,
}

/// How a node hangs under its parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Relationship {
    Root,
    Outer,
    Inner,
    Member,
    Subquery,
    /// Runs once, inside the first expression that needs it; also the subplan of a CTE.
    InitPlan,
    /// Runs once per evaluation, inside the node it hangs under.
    SubPlan,
    /// A word we do not know (custom nodes print `children`), or empty where none was printed.
    Other(String),
}

/// One node of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Index into [`Plan::nodes`].
    pub id: usize,
    /// `None` for the root.
    pub parent: Option<usize>,
    pub relationship: Relationship,
    /// `Node Type` as JSON prints it: `Seq Scan`, `Hash Join`, `Aggregate` …
    pub kind: String,
    /// `Subplan Name`: `CTE t`, `InitPlan 1 (returns $0)`, `SubPlan 2` …
    pub subplan_name: Option<String>,
    /// The planner's estimate; `None` with COSTS OFF.
    pub estimate: Option<Estimate>,
    pub execution: Execution,
    /// Block counters, totals over loops and processes, children included; `None` without BUFFERS.
    pub buffers: Option<Buffers>,
    /// I/O times in ms, children included; `None` without track_io_timing.
    pub io: Option<Box<IoTimes>>,
    /// WAL counters; `None` without WAL or where nothing was written.
    pub wal: Option<Wal>,
    pub workers_planned: Option<u32>,
    pub workers_launched: Option<u32>,
    /// Per-worker figures; empty without VERBOSE (or below no Gather).
    pub workers: Vec<Worker>,
    /// Everything else that the server says of this node.
    pub detail: Detail,
    /// Keys that we do not know, in order.
    pub extra: Vec<(String, Value)>,
}

/// The planner's estimate for one execution of a node (per process in a partial path).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub startup_cost: Cost,
    pub total_cost: Cost,
    pub rows: Rows,
    /// Average row width in bytes.
    pub width: f64,
}

/// What ANALYZE saw of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Execution {
    /// The plan was not executed (no ANALYZE).
    NotMeasured,
    /// The statement was executed, this node was not.
    NeverRan,
    Ran(Ran),
}

/// Figures of a node that ran, as printed: averages per loop over all processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ran {
    /// `None` with TIMING OFF.
    pub startup_time: Option<Millis>,
    /// `None` with TIMING OFF.
    pub total_time: Option<Millis>,
    /// Rows per loop.
    pub rows: Rows,
    /// Loops, summed over all processes.
    pub loops: f64,
}

/// Figures of one parallel worker in one node.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    pub number: u32,
    /// `None` where only sort or hash details were printed for it.
    pub execution: Option<Ran>,
    pub buffers: Option<Buffers>,
    pub io: Option<IoTimes>,
    /// `None` without WAL or where nothing was written.
    pub wal: Option<Wal>,
    pub sort: Option<Sort>,
    /// `Full-sort Groups` and `Pre-sorted Groups` of an Incremental Sort in this worker.
    pub full_sort_groups: Option<Box<GroupSpace>>,
    pub presorted_groups: Option<Box<GroupSpace>>,
    /// HashAggregate: batches, peak memory, disk.
    pub hash: Option<Hash>,
    pub memoize: Option<Memoize>,
    /// 18+: heap blocks of a Bitmap Heap Scan in this worker.
    pub exact_heap_blocks: Option<Blocks>,
    pub lossy_heap_blocks: Option<Blocks>,
    /// Code compiled in this worker.
    pub jit: Option<Box<Jit>>,
    pub extra: Vec<(String, Value)>,
}

/// A trigger's share of the execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    pub name: Option<String>,
    pub constraint: Option<String>,
    pub relation: Option<String>,
    /// `None` with TIMING OFF.
    pub time: Option<Millis>,
    pub calls: f64,
    pub extra: Vec<(String, Value)>,
}

/// Just-in-time compilation; the times contain those of workers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Jit {
    pub functions: f64,
    pub options: Vec<(String, bool)>,
    pub generation: Option<Millis>,
    /// Inside `generation` (17+).
    pub deform: Option<Millis>,
    pub inlining: Option<Millis>,
    pub optimization: Option<Millis>,
    pub emission: Option<Millis>,
    pub total: Option<Millis>,
    pub extra: Vec<(String, Value)>,
}

/// Memory that the planner used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    pub used: Bytes,
    pub allocated: Bytes,
}

/// Cost of turning rows into the wire format (17+).
#[derive(Debug, Clone, PartialEq)]
pub struct Serialization {
    pub time: Option<Millis>,
    pub output: Bytes,
    pub format: String,
    pub buffers: Option<Buffers>,
    pub io: Option<IoTimes>,
}

impl Plan {
    /// The node that the statement's rows come out of; `None` for a utility statement without a plan.
    pub fn root(&self) -> Option<&Node> {
        self.nodes.first()
    }

    /// The direct children of `id`, in order. It walks the whole subtree: who asks for many nodes has a [`Tree`].
    pub fn children(&self, id: usize) -> impl Iterator<Item = &Node> {
        self.nodes[id + 1..]
            .iter()
            .take_while(move |n| n.parent.is_some_and(|p| p >= id))
            .filter(move |n| n.parent == Some(id))
    }

    /// The nodes above `id`, nearest first.
    pub fn ancestors(&self, id: usize) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.nodes[id].parent, |&p| self.nodes[p].parent).map(|p| &self.nodes[p])
    }

    /// `id` and everything below it, in pre-order.
    pub fn subtree(&self, id: usize) -> impl Iterator<Item = &Node> {
        let end = self.nodes[id + 1..]
            .iter()
            .position(|n| n.parent.is_none_or(|p| p < id))
            .map_or(self.nodes.len(), |n| id + 1 + n);
        self.nodes[id..end].iter()
    }

    /// Whether the statement was executed.
    pub fn analyzed(&self) -> bool {
        self.nodes.first().is_some_and(|n| n.execution != Execution::NotMeasured)
    }
}

impl Node {
    /// The figures of a node that ran; `None` where it was not measured or never ran.
    pub fn ran(&self) -> Option<&Ran> {
        match &self.execution {
            Execution::Ran(ran) => Some(ran),
            _ => None,
        }
    }
}
