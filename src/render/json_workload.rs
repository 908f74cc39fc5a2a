//! JSON of what pg_stat_statements counted.
//!
//! Refuses to write a 0 for a counter that this version of the extension does not have: that is `null`.

use crate::report::Workload;
use crate::workload::{By, Ranked};
use schemars::JsonSchema;
use serde::Serialize;

/// What was counted of a statement within the window.
#[derive(Serialize, JsonSchema)]
pub(super) struct Stats {
    calls: f64,
    total_exec_ms: f64,
    mean_exec_ms: Option<f64>,
    rows: f64,
    blocks_hit: f64,
    blocks_read: f64,
    blocks_dirtied: f64,
    blocks_written: f64,
    temp_blocks_read: f64,
    temp_blocks_written: f64,
    /// Waiting for blocks; 0 where track_io_timing is off.
    io_ms: f64,
    plans: Option<f64>,
    total_plan_ms: Option<f64>,
    wal_bytes: Option<f64>,
    jit_ms: Option<f64>,
    /// Over the life of its entries, not of the window.
    lifetime_min_exec_ms: f64,
    lifetime_max_exec_ms: f64,
    lifetime_stddev_exec_ms: f64,
    /// Per call before the window began; `null` where it was not there.
    before_mean_exec_ms: Option<f64>,
    /// Part of what it counted was lost within the window.
    partial: bool,
}

impl Stats {
    pub(super) fn of(counted: &Ranked) -> Self {
        let c = &counted.counters;
        Stats {
            calls: c.calls,
            total_exec_ms: c.total_ms,
            mean_exec_ms: c.mean_ms(),
            rows: c.rows,
            blocks_hit: c.hit,
            blocks_read: c.read,
            blocks_dirtied: c.dirtied,
            blocks_written: c.written,
            temp_blocks_read: c.temp_read,
            temp_blocks_written: c.temp_written,
            io_ms: c.read_ms + c.write_ms,
            plans: c.plans,
            total_plan_ms: c.planning_ms,
            wal_bytes: c.wal_bytes,
            jit_ms: c.jit_ms,
            lifetime_min_exec_ms: counted.min_ms,
            lifetime_max_exec_ms: counted.max_ms,
            lifetime_stddev_exec_ms: counted.deviation_ms,
            before_mean_exec_ms: counted.earlier_mean_ms(),
            partial: counted.partial,
        }
    }
}

/// The window that was looked at.
#[derive(Serialize, JsonSchema)]
pub(super) struct JsonWorkload {
    /// What statements are ranked by: `total`, `calls`, `mean`, `io`, `temp`, `wal`, `planning`, `variation`.
    by: String,
    /// `null`: nobody knows when counting began.
    window_seconds: Option<f64>,
    /// The window is all that was counted since the last reset.
    lifetime: bool,
    reset_within: bool,
    restarted_within: bool,
    /// Times that entries were thrown out; `null` where the extension does not say.
    evictions: Option<i64>,
    statements: usize,
    calls: f64,
    total_exec_ms: f64,
    /// Left out, because their time is inside their callers'.
    nested_statements: usize,
    nested_exec_ms: f64,
    /// Left out, because the role may not see their texts.
    hidden_entries: usize,
    hidden_exec_ms: f64,
}

impl JsonWorkload {
    pub(super) fn of(workload: &Workload) -> Self {
        let by = match workload.by {
            By::Total => "total",
            By::Calls => "calls",
            By::Mean => "mean",
            By::Io => "io",
            By::Temp => "temp",
            By::Wal => "wal",
            By::Planning => "planning",
            By::Variation => "variation",
        };
        JsonWorkload {
            by: by.to_owned(),
            window_seconds: workload.seconds,
            lifetime: workload.lifetime,
            reset_within: workload.reset,
            restarted_within: workload.restarted,
            evictions: workload.evictions,
            statements: workload.statements,
            calls: workload.all.calls,
            total_exec_ms: workload.all.total_ms,
            nested_statements: workload.nested.entries,
            nested_exec_ms: workload.nested.total_ms,
            hidden_entries: workload.hidden.entries,
            hidden_exec_ms: workload.hidden.total_ms,
        }
    }
}
