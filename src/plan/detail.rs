//! What one plan node says beside its estimate and its execution: conditions, keys, memory, blocks.
//!
//! Refuses to derive: units are converted from what EXPLAIN prints (kB to bytes), nothing else.

use crate::units::{Blocks, Bytes, Millis};

/// Everything a node may say of itself. A field is `None` (or empty) where the server did not print it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detail {
    pub parallel_aware: Option<bool>,
    pub async_capable: Option<bool>,
    /// 18+: the node's kind was switched off (`enable_… = off`) and used all the same.
    pub disabled: Option<bool>,
    pub schema: Option<String>,
    pub relation: Option<String>,
    pub alias: Option<String>,
    pub index: Option<String>,
    pub cte: Option<String>,
    pub function: Option<String>,
    pub table_function: Option<String>,
    pub tuplestore: Option<String>,
    pub custom_plan_provider: Option<String>,
    /// `Forward`, `Backward` or (up to 15) `NoMovement`.
    pub scan_direction: Option<String>,
    /// `Sorted`, `Hashed`, `Plain`, `Mixed` (Aggregate, SetOp).
    pub strategy: Option<String>,
    /// `Simple`, `Partial`, `Finalize`.
    pub partial_mode: Option<String>,
    /// `Insert`, `Update`, `Delete`, `Merge` (ModifyTable), `Select` … (Foreign Scan).
    pub operation: Option<String>,
    /// SetOp: `Intersect`, `Except` …
    pub command: Option<String>,
    /// `Inner`, `Left`, `Right`, `Full`, `Semi`, `Anti`, `Right Anti`, `Right Semi`.
    pub join_type: Option<String>,
    pub inner_unique: Option<bool>,
    pub single_copy: Option<bool>,

    pub output: Vec<String>,
    pub filter: Option<String>,
    pub index_cond: Option<String>,
    pub recheck_cond: Option<String>,
    pub order_by: Option<String>,
    pub tid_cond: Option<String>,
    pub hash_cond: Option<String>,
    pub merge_cond: Option<String>,
    pub join_filter: Option<String>,
    pub one_time_filter: Option<String>,
    pub run_condition: Option<String>,
    pub conflict_filter: Option<String>,
    pub function_call: Option<String>,
    pub sort_key: Vec<String>,
    pub presorted_key: Vec<String>,
    pub group_key: Vec<String>,
    pub hash_key: Vec<String>,
    pub cache_key: Option<String>,

    /// Averages per loop, rounded to an integer by every server version.
    pub rows_removed_by_filter: Option<f64>,
    pub rows_removed_by_join_filter: Option<f64>,
    pub rows_removed_by_index_recheck: Option<f64>,
    pub rows_removed_by_conflict_filter: Option<f64>,

    /// A total over all loops, unlike the row counts.
    pub heap_fetches: Option<f64>,
    /// 18+, a total over all loops.
    pub index_searches: Option<f64>,
    pub exact_heap_blocks: Option<Blocks>,
    pub lossy_heap_blocks: Option<Blocks>,

    pub sort: Option<Sort>,
    /// What few nodes have is kept apart: a plan may have 100,000 nodes.
    pub full_sort_groups: Option<Box<GroupSpace>>,
    pub presorted_groups: Option<Box<GroupSpace>>,
    pub hash: Option<Box<Hash>>,
    pub memoize: Option<Box<Memoize>>,
    pub storage: Option<Storage>,
    /// 12+ partition pruning at run time.
    pub subplans_removed: Option<f64>,
    /// Up to 16: the InitPlan parameters a Gather evaluates before workers start.
    pub params_evaluated: Vec<String>,
}

/// Where a sort kept its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortSpace {
    Memory,
    Disk,
}

/// `Sort Method`, `Sort Space Used`, `Sort Space Type` of one process.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    /// `quicksort`, `top-N heapsort`, `external merge`, `external sort`, `still in progress`.
    pub method: String,
    pub space: SortSpace,
    pub used: Bytes,
}

/// One kind of group of an Incremental Sort.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupSpace {
    pub groups: f64,
    pub methods: Vec<String>,
    pub memory_average: Option<Bytes>,
    pub memory_peak: Option<Bytes>,
    pub disk_average: Option<Bytes>,
    pub disk_peak: Option<Bytes>,
}

/// A hash table: that of a Hash node, or of a hashed Aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hash {
    pub buckets: Option<f64>,
    pub original_buckets: Option<f64>,
    /// More than 1: the table did not fit `work_mem × hash_mem_multiplier` and went to disk in parts.
    pub batches: Option<f64>,
    pub original_batches: Option<f64>,
    /// Aggregate: partitions planned for spilling.
    pub planned_partitions: Option<f64>,
    pub peak_memory: Option<Bytes>,
    /// Aggregate only: what went to disk.
    pub disk: Option<Bytes>,
}

/// Memoize's cache.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memoize {
    pub hits: Option<f64>,
    pub misses: Option<f64>,
    pub evictions: Option<f64>,
    pub overflows: Option<f64>,
    pub peak_memory: Option<Bytes>,
    /// `logical` or `binary`.
    pub mode: Option<String>,
}

/// 18+: where Material, WindowAgg, CTE Scan … kept its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// `Memory` or `Disk`.
    pub kind: String,
    pub maximum: Bytes,
}

/// Block counters: totals over all loops and processes, children included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Buffers {
    pub shared_hit: Blocks,
    pub shared_read: Blocks,
    pub shared_dirtied: Blocks,
    pub shared_written: Blocks,
    pub local_hit: Blocks,
    pub local_read: Blocks,
    pub local_dirtied: Blocks,
    pub local_written: Blocks,
    pub temp_read: Blocks,
    pub temp_written: Blocks,
}

/// I/O times; a group is `None` where this server version does not tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IoTimes {
    /// Up to 16 this contains local blocks too.
    pub shared_read: Option<Millis>,
    pub shared_write: Option<Millis>,
    pub local_read: Option<Millis>,
    pub local_write: Option<Millis>,
    pub temp_read: Option<Millis>,
    pub temp_write: Option<Millis>,
}

/// WAL counters.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Wal {
    pub records: f64,
    pub full_page_images: f64,
    pub bytes: Bytes,
    /// 18+.
    pub buffers_full: Option<f64>,
}
