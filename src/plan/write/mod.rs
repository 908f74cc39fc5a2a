//! Writes a [`Plan`] as the server prints it, in EXPLAIN's text notation or its JSON.
//!
//! Refuses to compute, and to leave out what the notation can say. JSON says everything but auto_explain's
//! duration, which stands before the document. Text has no words for flags that are false, counters that are zero,
//! and the relationship of a child.

mod json;
mod json_groups;
mod label;
mod text;

pub use json::{write_json, write_json_list};
pub use text::write_text;

use super::{Buffers, Execution, GroupSpace, Hash, IoTimes, Memoize, Node, Plan, Sort, Wal, Worker};
use crate::units::{Blocks, Bytes, Millis};
use serde_json::Value;

/// One property, under the name that every notation gives it.
enum Property<'a> {
    Text(&'a str),
    Texts(&'a [String]),
    Count(f64),
    /// Text leaves it out where nothing was removed; JSON says zero for that.
    Removed(f64),
    /// Text leaves it out where it is false.
    Flag(bool),
}

type Properties<'a> = Vec<(&'static str, Property<'a>)>;

/// The conditions and keys that come before what only some nodes have.
fn conditions(node: &Node) -> Properties<'_> {
    let d = &node.detail;
    let mut list: Properties<'_> = Vec::new();
    list.extend(d.disabled.map(|flag| ("Disabled", Property::Flag(flag))));
    list.extend(texts("Output", &d.output));
    list.extend(d.inner_unique.map(|flag| ("Inner Unique", Property::Flag(flag))));
    list.extend(text("TID Cond", &d.tid_cond));
    list.extend(text("Index Cond", &d.index_cond));
    list.extend(text("Recheck Cond", &d.recheck_cond));
    list.extend(removed("Rows Removed by Index Recheck", d.rows_removed_by_index_recheck));
    list.extend(text("Order By", &d.order_by));
    list.extend(text("Function Call", &d.function_call));
    list.extend(text("Hash Cond", &d.hash_cond));
    list.extend(text("Merge Cond", &d.merge_cond));
    list.extend(text("Join Filter", &d.join_filter));
    list.extend(removed("Rows Removed by Join Filter", d.rows_removed_by_join_filter));
    list.extend(text("One-Time Filter", &d.one_time_filter));
    list.extend(texts("Sort Key", &d.sort_key));
    list.extend(texts("Presorted Key", &d.presorted_key));
    list.extend(texts("Group Key", &d.group_key));
    list.extend(texts("Hash Key", &d.hash_key));
    list
}

/// The filter and what comes behind it.
fn filters(node: &Node) -> Properties<'_> {
    let d = &node.detail;
    let count = |key, value: Option<f64>| value.map(|value| (key, Property::Count(value)));
    let mut list: Properties<'_> = Vec::new();
    list.extend(text("Run Condition", &d.run_condition));
    list.extend(text("Filter", &d.filter));
    list.extend(removed("Rows Removed by Filter", d.rows_removed_by_filter));
    list.extend(text("Conflict Filter", &d.conflict_filter));
    list.extend(removed("Rows Removed by Conflict Filter", d.rows_removed_by_conflict_filter));
    list.extend(count("Heap Fetches", d.heap_fetches));
    list.extend(count("Index Searches", d.index_searches));
    list.extend(removed("Subplans Removed", d.subplans_removed));
    list.extend(count("Workers Planned", node.workers_planned.map(f64::from)));
    list.extend(texts("Params Evaluated", &d.params_evaluated));
    list.extend(count("Workers Launched", node.workers_launched.map(f64::from)));
    list.extend(d.single_copy.map(|flag| ("Single Copy", Property::Flag(flag))));
    list.extend(text("Cache Key", &d.cache_key));
    list
}

fn text<'a>(key: &'static str, value: &'a Option<String>) -> Option<(&'static str, Property<'a>)> {
    value.as_deref().map(|value| (key, Property::Text(value)))
}

fn texts<'a>(key: &'static str, values: &'a [String]) -> Option<(&'static str, Property<'a>)> {
    (!values.is_empty()).then_some((key, Property::Texts(values)))
}

fn removed<'a>(key: &'static str, value: Option<f64>) -> Option<(&'static str, Property<'a>)> {
    value.map(|value| (key, Property::Removed(value)))
}

/// The figures that a node and each of its workers print alike.
struct Figures<'a> {
    sort: Option<&'a Sort>,
    full_sort_groups: Option<&'a GroupSpace>,
    presorted_groups: Option<&'a GroupSpace>,
    hash: Option<&'a Hash>,
    /// Whether the hash table is that of a Hash node.
    of_hash: bool,
    memoize: Option<&'a Memoize>,
    exact_heap_blocks: Option<Blocks>,
    lossy_heap_blocks: Option<Blocks>,
    buffers: Option<&'a Buffers>,
    io: Option<&'a IoTimes>,
    wal: Option<&'a Wal>,
}

impl<'a> Figures<'a> {
    fn of_node(node: &'a Node) -> Self {
        let d = &node.detail;
        Figures {
            sort: d.sort.as_ref(),
            full_sort_groups: d.full_sort_groups.as_deref(),
            presorted_groups: d.presorted_groups.as_deref(),
            hash: d.hash.as_deref(),
            of_hash: node.kind == "Hash",
            memoize: d.memoize.as_deref(),
            exact_heap_blocks: d.exact_heap_blocks,
            lossy_heap_blocks: d.lossy_heap_blocks,
            buffers: node.buffers.as_ref(),
            io: node.io.as_deref(),
            wal: node.wal.as_ref(),
        }
    }

    fn of_worker(worker: &'a Worker, node: &Node) -> Self {
        Figures {
            sort: worker.sort.as_ref(),
            full_sort_groups: worker.full_sort_groups.as_deref(),
            presorted_groups: worker.presorted_groups.as_deref(),
            hash: worker.hash.as_ref(),
            of_hash: node.kind == "Hash",
            memoize: worker.memoize.as_ref(),
            exact_heap_blocks: worker.exact_heap_blocks,
            lossy_heap_blocks: worker.lossy_heap_blocks,
            buffers: worker.buffers.as_ref(),
            io: worker.io.as_ref(),
            wal: worker.wal.as_ref(),
        }
    }

    /// The groups of an incremental sort, with their names.
    fn groups(&self) -> impl Iterator<Item = (&'static str, &'a GroupSpace)> {
        let both =
            [("Full-sort Groups", self.full_sort_groups), ("Pre-sorted Groups", self.presorted_groups)];
        both.into_iter().filter_map(|(name, groups)| Some((name, groups?)))
    }
}

/// The block counters by kind and by what was done.
fn blocks(b: &Buffers) -> [(&'static str, [(&'static str, Blocks); 4]); 3] {
    let gone = Blocks(0);
    [
        (
            "Shared",
            [
                ("Hit", b.shared_hit),
                ("Read", b.shared_read),
                ("Dirtied", b.shared_dirtied),
                ("Written", b.shared_written),
            ],
        ),
        (
            "Local",
            [
                ("Hit", b.local_hit),
                ("Read", b.local_read),
                ("Dirtied", b.local_dirtied),
                ("Written", b.local_written),
            ],
        ),
        ("Temp", [("Read", b.temp_read), ("Written", b.temp_written), ("", gone), ("", gone)]),
    ]
}

/// `Read` or `Write`, and its time.
type Direction = (&'static str, Option<Millis>);

/// The I/O times by kind and by direction.
fn times(io: &IoTimes) -> [(&'static str, [Direction; 2]); 3] {
    [
        ("Shared", [("Read", io.shared_read), ("Write", io.shared_write)]),
        ("Local", [("Read", io.local_read), ("Write", io.local_write)]),
        ("Temp", [("Read", io.temp_read), ("Write", io.temp_write)]),
    ]
}

/// How this plan's server spelt what later servers spell otherwise.
#[derive(Clone, Copy)]
struct Spelling {
    /// 18+: actual rows always have two decimals.
    fractional_rows: bool,
    /// The server timed its nodes.
    timing: bool,
    /// The plan was read from text: a zero in it was printed, because what was removed rounds to it.
    from_text: bool,
}

impl Spelling {
    fn of(plan: &Plan) -> Self {
        let fraction = |rows: f64| rows.fract() != 0.0;
        let fractional_rows = plan.nodes.iter().any(|node| {
            let d = &node.detail;
            d.disabled.is_some()
                || d.index_searches.is_some()
                || d.storage.is_some()
                || node.ran().is_some_and(|ran| fraction(ran.rows.0))
                || node.workers.iter().any(|w| w.execution.is_some_and(|ran| fraction(ran.rows.0)))
        });
        let timing = plan
            .nodes
            .iter()
            .any(|node| matches!(node.execution, Execution::Ran(ran) if ran.total_time.is_some()));
        // Every other notation says of each node that it is not parallel.
        let from_text = plan.nodes.iter().all(|node| node.detail.parallel_aware != Some(false));
        Spelling { fractional_rows, timing, from_text }
    }

    fn rows(self, rows: f64) -> String {
        if self.fractional_rows { fixed(rows, 2) } else { plain(rows) }
    }
}

/// With `decimals` places as the server prints it, or with as many as it takes to say the same number.
fn fixed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    if text.parse() == Ok(number) { text } else { plain(number) }
}

/// A whole number digit by digit, as the server prints it; another with as few digits as say the same number.
fn plain(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { number.to_string() }
}

fn time(time: Millis) -> String {
    fixed(time.0, 3)
}

/// As kilobytes.
fn kilobytes(bytes: Bytes) -> String {
    plain(bytes.0 as f64 / 1024.0)
}

/// A group of `extra` under `key`, where it is one.
fn group<'a>(
    extra: &'a [(String, Value)],
    key: &'a str,
) -> impl Iterator<Item = &'a serde_json::Map<String, Value>> {
    extra.iter().filter(move |(name, _)| name == key).filter_map(|(_, value)| value.as_object())
}

fn space(space: super::SortSpace) -> &'static str {
    match space {
        super::SortSpace::Memory => "Memory",
        super::SortSpace::Disk => "Disk",
    }
}
