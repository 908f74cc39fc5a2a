//! What pg_stat_statements says of a database's statements: one reading of it, the window between two, and the
//! statements in it, ranked.
//!
//! Refuses to do I/O, and to fill in a counter that this version of the extension does not have.

mod group;
mod window;

pub use group::{By, Ranked, Ranking, Share, rank};
pub use window::{Delta, Window, window};

use serde::{Deserialize, Serialize};

/// The format that a saved reading has. Readers accept this and older numbers.
pub const FORMAT: u32 = 1;

/// Everything that pg_stat_statements held of one database at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub format: u32,
    pub source: Source,
    pub entries: Vec<Entry>,
}

/// Where and when a reading was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// `server_version`, such as `15.18`.
    pub server: String,
    pub database: String,
    /// The number that the cluster was given when it was made; `None` where the role may not ask, and in readings of
    /// before it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Version of the extension, which decides its columns.
    pub extension: String,
    /// Seconds since 1970, by the server's clock.
    pub at: f64,
    /// When the server was started, in the same seconds.
    pub started: f64,
    /// When the counters were last reset; `None` before 1.9, which does not say.
    pub reset: Option<f64>,
    /// How often entries were thrown out for want of room; `None` before 1.9.
    pub evictions: Option<i64>,
    /// `pg_stat_statements.max`.
    pub max: Option<i64>,
    /// `pg_stat_statements.track`: `top`, `all`.
    pub track: Option<String>,
    /// `pg_stat_statements.track_planning`.
    pub planning: bool,
    /// `track_io_timing`: where it is off, times of reading are 0 and mean nothing.
    pub io_timing: bool,
}

/// One entry: a statement of one role, at the top or inside a function. Times are in ms.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Entry {
    pub user: i64,
    /// `None`: the role may not see it.
    pub query_id: Option<i64>,
    /// `None` before 1.9, which does not tell a nested statement from one at the top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toplevel: Option<bool>,
    /// `None`: the server lost its file of texts, or the role may not see it.
    pub text: Option<String>,
    /// The role may not see the text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// It was one of pgproof's own sessions that asked this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ours: bool,
    pub counters: Counters,
    /// Of the entry's whole life, which no subtraction makes one of a window: the longest and the shortest
    /// execution, and the standard deviation.
    pub max_ms: f64,
    pub min_ms: f64,
    pub deviation_ms: f64,
    /// When the entry was made, in seconds since 1970 (1.11 on).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
}

/// What only ever grows, and so can be subtracted. What the extension's version lacks is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Counters {
    pub calls: f64,
    pub total_ms: f64,
    pub rows: f64,
    /// Blocks found in shared buffers, and read into them.
    pub hit: f64,
    pub read: f64,
    pub dirtied: f64,
    pub written: f64,
    pub temp_read: f64,
    pub temp_written: f64,
    /// Waiting for blocks of relations; 0 where `track_io_timing` is off.
    pub read_ms: f64,
    pub write_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plans: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planning_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jit_ms: Option<f64>,
}

impl Counters {
    fn each(self, other: Counters, of: impl Fn(f64, f64) -> f64) -> Counters {
        let both = |a: Option<f64>, b: Option<f64>| Some(of(a?, b?));
        Counters {
            calls: of(self.calls, other.calls),
            total_ms: of(self.total_ms, other.total_ms),
            rows: of(self.rows, other.rows),
            hit: of(self.hit, other.hit),
            read: of(self.read, other.read),
            dirtied: of(self.dirtied, other.dirtied),
            written: of(self.written, other.written),
            temp_read: of(self.temp_read, other.temp_read),
            temp_written: of(self.temp_written, other.temp_written),
            read_ms: of(self.read_ms, other.read_ms),
            write_ms: of(self.write_ms, other.write_ms),
            plans: both(self.plans, other.plans),
            planning_ms: both(self.planning_ms, other.planning_ms),
            wal_bytes: both(self.wal_bytes, other.wal_bytes),
            jit_ms: both(self.jit_ms, other.jit_ms),
        }
    }

    /// Both together.
    pub fn plus(self, other: Counters) -> Counters {
        self.each(other, |a, b| a + b)
    }

    /// What was added since `earlier`.
    pub fn minus(self, earlier: Counters) -> Counters {
        self.each(earlier, |a, b| a - b)
    }

    /// Milliseconds per call; `None` where there was no call.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.calls > 0.0).then(|| self.total_ms / self.calls)
    }
}

/// What foreign keys and unique keys say about how tables belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Keys {
    /// Unique keys of one column, primary ones included.
    pub unique: Vec<UniqueKey>,
    /// Foreign keys of one column.
    pub foreign: Vec<ForeignKey>,
}

/// A column whose values are unique in its table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueKey {
    pub schema: String,
    pub table: String,
    pub column: String,
    /// Its type, such as `character(3)`.
    pub data_type: String,
}

/// A column that refers to another table's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    pub schema: String,
    pub table: String,
    pub column: String,
    /// Its type, such as `character(3)`.
    pub data_type: String,
    pub to_schema: String,
    pub to_table: String,
    pub to_column: String,
}

/// All that `pgproof top` observed of the workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Where the window starts; `None`: when the counters were last reset.
    pub before: Option<Reading>,
    pub after: Reading,
    pub keys: Keys,
    pub by: By,
    /// How many statements are told.
    pub limit: usize,
    /// Statements that were written anew, and whether the server could plan them.
    #[serde(default)]
    pub rewrites: Vec<Checked>,
}

/// A statement that we wrote, and what the server said when it was asked to plan it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    pub sql: String,
    /// `None`: it was planned.
    pub error: Option<String>,
}
