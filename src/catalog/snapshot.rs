//! One look at a whole database: its tables, indexes, keys, sequences, counters, and since when they count.
//!
//! Refuses to query or to judge: `postgres::snapshot` fills these, a capture stores them, rules read them. Times are
//! seconds before the moment of the snapshot, so that a saved one needs no clock.

use super::RelationKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that was read of one database, of one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    pub moment: Moment,
    pub tables: Vec<Table>,
    pub indexes: Vec<TableIndex>,
    pub foreign_keys: Vec<TableKey>,
    /// CHECK, FOREIGN KEY and (18+) NOT NULL constraints that were never validated.
    #[serde(default)]
    pub unproven: Vec<Unproven>,
    #[serde(default)]
    pub sequences: Vec<Sequence>,
    /// Sequences that were not read, because the role may not or because there are too many.
    #[serde(default)]
    pub sequences_unread: u64,
    /// By OID: an operator class as far as two can be the same.
    pub classes: BTreeMap<u32, OperatorClass>,
    /// Other nodes of the cluster that were asked (`--also`).
    #[serde(default)]
    pub nodes: Vec<Node>,
}

/// The server at the moment of the snapshot: since when it counts, what this role sees, what holds vacuum back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Moment {
    /// Seconds since the counters of this database began: the youngest of its own reset, the reset of the cluster's
    /// (a crash resets it too, and leaves the database's NULL), and what else could have emptied them.
    pub counting_seconds: Option<f64>,
    /// Which of them that is, in words.
    #[serde(default)]
    pub counting_since: String,
    pub in_recovery: bool,
    /// The number that the cluster was given when it was made; `None` where it was not asked for, or may not be.
    #[serde(default)]
    pub system: Option<String>,
    /// OID of the database, the same on every node of a cluster.
    #[serde(default)]
    pub database: Option<u32>,
    /// The role may ask for `system`.
    #[serde(default)]
    pub identifies: bool,
    /// Reads of single blocks by clients (16+).
    #[serde(default)]
    pub reads: Option<Reads>,
    /// `track_counts`.
    pub counts: bool,
    pub commit_timestamps: bool,
    /// The role is a member of `pg_read_all_stats`, or a superuser.
    pub reads_all_stats: bool,
    pub block_size: f64,
    /// Connections that stream WAL from here, where the role may tell them apart from backups: `None` else.
    #[serde(default)]
    pub standbys: Option<i64>,
    /// All connections that stream WAL from here; every role sees how many.
    #[serde(default)]
    pub wal_senders: i64,
    #[serde(default)]
    pub holders: Vec<Holder>,
    #[serde(default)]
    pub slots: Vec<Slot>,
    #[serde(default)]
    pub databases: Vec<Database>,
    /// By name; in the setting's own unit.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
}

/// A setting in force and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub value: String,
    pub unit: Option<String>,
    /// `default`, `configuration file`, `database`, `user` …
    pub source: String,
}

/// How often a single block had to be read, and how long that took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reads {
    pub count: f64,
    /// Milliseconds together; 0 where `track_io_timing` is off.
    pub ms: f64,
}

/// Something that keeps vacuum from removing rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// `transaction`, `prepared transaction`, `replication slot`, `standby`.
    pub kind: String,
    /// Its process, name or identifier.
    pub name: String,
    /// Transactions that began since the oldest it may still see.
    pub xid_age: f64,
    /// For how long, where that is known.
    pub seconds: Option<f64>,
    /// `idle in transaction`, `active` …
    pub state: Option<String>,
    /// The role whose transaction it is.
    #[serde(default)]
    pub owner: Option<String>,
    /// It keeps rows of the catalogs only.
    #[serde(default)]
    pub catalogs_only: bool,
}

/// A replication slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    pub name: String,
    /// `physical` or `logical`.
    #[serde(default)]
    pub kind: String,
    pub active: bool,
    /// Bytes of WAL that it keeps; `None` where it keeps none, or on a standby.
    pub retained_bytes: Option<f64>,
    /// `reserved`, `extended`, `unreserved`, `lost`.
    pub wal_status: Option<String>,
}

/// How far a database of the cluster is from its last freeze.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Database {
    pub name: String,
    pub xid_age: f64,
    pub multixact_age: f64,
    /// The one that we are connected to.
    pub here: bool,
}

/// A table, partition, partitioned table or materialized view of the user's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    /// `pg_class.reltuples`; `None` where never vacuumed or analysed.
    pub rows: Option<f64>,
    pub pages: f64,
    /// The partitioned table right above.
    pub parent: Option<u32>,
    pub unlogged: bool,
    /// An extension brought it.
    pub extension: bool,
    pub owned: bool,
    /// The role may read its rows, and so its column statistics.
    pub readable: bool,
    /// Column statistics exist; `None` where the role cannot see them. Of a partitioned table: for it as a whole.
    pub described: Option<bool>,
    pub columns: BTreeMap<i16, String>,
    #[serde(default)]
    pub options: Vec<String>,
    /// Transactions since the last freeze, the TOAST table's where that is older.
    pub xid_age: f64,
    pub multixact_age: f64,
    /// `None` for relations without storage.
    pub counters: Option<Counters>,
}

/// What `pg_stat_all_tables` counts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Counters {
    pub live_rows: f64,
    pub dead_rows: f64,
    pub modified_since_analyze: f64,
    pub inserts: f64,
    pub updates: f64,
    pub hot_updates: f64,
    /// Updates that found no room on the row's page (16+).
    #[serde(default)]
    pub newpage_updates: Option<f64>,
    pub deletes: f64,
    pub sequential_scans: f64,
    pub analyzed_seconds: Option<f64>,
    pub vacuumed_seconds: Option<f64>,
}

/// An index as `pg_index` has it, keys as numbers: what two indexes are compared by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableIndex {
    pub oid: u32,
    /// OID of its table.
    pub table: u32,
    pub schema: String,
    pub name: String,
    pub method: String,
    /// `indkey`: keys, then INCLUDE columns; 0 is an expression.
    pub columns: Vec<i16>,
    /// How many of them are keys.
    pub key_count: usize,
    pub classes: Vec<u32>,
    pub collations: Vec<u32>,
    /// Bit 1: DESC; bit 2: NULLS FIRST.
    pub orders: Vec<i16>,
    /// The expressions in order, as the server prints them.
    #[serde(default)]
    pub expressions: Vec<String>,
    /// `pg_get_expr(indpred, …)`.
    pub predicate: Option<String>,
    /// Per key, options of its operator class.
    #[serde(default)]
    pub class_options: BTreeMap<i16, String>,
    /// Per key, a statistics target of its own.
    #[serde(default)]
    pub targets: BTreeMap<i16, i32>,
    #[serde(default)]
    pub options: Vec<String>,
    pub unique: bool,
    pub primary: bool,
    pub exclusion: bool,
    /// A unique index that is checked row by row.
    pub immediate: bool,
    pub nulls_not_distinct: bool,
    pub valid: bool,
    pub ready: bool,
    pub live: bool,
    pub clustered: bool,
    pub replica_identity: bool,
    /// The constraint of its own table that it is there for.
    pub constraint: Option<String>,
    /// Something else needs it: a foreign key that refers to its columns, or another object of the database.
    pub needed: bool,
    /// It belongs to, or depends on, an extension.
    pub extension: bool,
    /// Index of a partitioned table: without storage.
    pub partitioned: bool,
    /// The partitioned index that it is attached to.
    pub parent: Option<u32>,
    pub pages: f64,
    pub rows: Option<f64>,
    pub scans: f64,
    pub tuples_read: f64,
    pub tuples_fetched: f64,
    /// Seconds since it was last scanned (16+); `None` where never, or not told.
    #[serde(default)]
    pub scanned_seconds: Option<f64>,
    /// It is this many seconds old at least; `None` where nothing shows it.
    #[serde(default)]
    pub old_seconds: Option<f64>,
    /// Being built right now.
    pub build: Build,
    /// What only indexes in question are asked for.
    #[serde(default)]
    pub detail: Option<IndexDetail>,
}

/// Whether somebody is building an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Build {
    /// Nobody holds the lock that a build holds.
    None,
    /// A build of an index of this table reports its progress.
    Running,
    /// Somebody holds such a lock, and this role cannot see what for.
    Unknown,
}

/// What it takes to make an index again, and its exact size.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IndexDetail {
    /// `pg_get_indexdef`: without tablespace, comment and statistics targets.
    pub definition: String,
    pub tablespace: Option<String>,
    pub comment: Option<String>,
    /// Bytes on disk; `None` where it could not be read.
    #[serde(default)]
    pub size_bytes: Option<f64>,
    /// The indexes attached below a partitioned one, at any depth.
    #[serde(default)]
    pub children: Vec<ChildIndex>,
}

/// An index below a partitioned one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildIndex {
    pub schema: String,
    pub name: String,
    pub partitioned: bool,
    /// Schema and name of the index right above it.
    pub parent_schema: String,
    pub parent_name: String,
    pub definition: String,
    pub tablespace: Option<String>,
    pub comment: Option<String>,
    pub predicate: Option<String>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableKey {
    pub name: String,
    /// The relation that refers.
    pub table: u32,
    /// The relation referred to.
    pub target: u32,
    pub columns: Vec<i16>,
    /// `a`, `r`, `c`, `n`, `d` as in `confdeltype`.
    pub on_delete: String,
    pub on_update: String,
}

/// A constraint that was added NOT VALID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unproven {
    pub table: u32,
    pub name: String,
    /// `c`, `f` or `n`, as in `contype`.
    pub kind: String,
    /// The table that a foreign key refers to.
    #[serde(default)]
    pub target: Option<u32>,
}

/// A sequence against the room of the column that it fills.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub schema: String,
    pub name: String,
    /// The column that it fills, where one owns it.
    pub table: Option<u32>,
    pub column: Option<String>,
    /// The type whose end counts: the column's, else its own.
    pub type_name: String,
    pub last: f64,
    /// The last value that column and sequence both hold.
    pub end: f64,
    pub increment: f64,
    pub cycles: bool,
}

/// An operator class: two with the same parts do the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorClass {
    pub family: u32,
    pub input: u32,
    pub key: u32,
}

/// Another node of the cluster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Node {
    /// Where it was reached, without a password.
    pub name: String,
    pub in_recovery: bool,
    /// As in [`Moment`].
    #[serde(default)]
    pub system: Option<String>,
    #[serde(default)]
    pub database: Option<u32>,
    pub counting_seconds: Option<f64>,
    #[serde(default)]
    pub counting_since: String,
    pub counts: bool,
    /// Scans of indexes, by `schema.name` unquoted; an index that it does not have is not here.
    pub indexes: BTreeMap<String, NodeIndex>,
}

/// An index as another node counts it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct NodeIndex {
    pub scans: f64,
    #[serde(default)]
    pub tuples_read: f64,
    #[serde(default)]
    pub tuples_fetched: f64,
    #[serde(default)]
    pub scanned_seconds: Option<f64>,
}

impl Table {
    /// The name as people write it, quoted where needed.
    pub fn qualified(&self) -> String {
        crate::sql::ident::qualified(&self.schema, &self.name)
    }

    /// A storage parameter, such as `autovacuum_enabled`.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().filter_map(|o| o.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// Rows, by the counters or by the last VACUUM or ANALYZE, whichever knows of more.
    pub fn size(&self) -> f64 {
        self.counters.as_ref().map_or(0.0, |c| c.live_rows).max(self.rows.unwrap_or(0.0))
    }
}

impl TableIndex {
    /// The name as people write it, quoted where needed.
    pub fn qualified(&self) -> String {
        crate::sql::ident::qualified(&self.schema, &self.name)
    }

    /// The planner can use it and every write keeps it.
    pub fn usable(&self) -> bool {
        self.valid && self.ready && self.live
    }

    /// Bytes on disk, else as VACUUM or ANALYZE last counted.
    pub fn bytes(&self, block_size: f64) -> f64 {
        self.detail.as_ref().and_then(|d| d.size_bytes).unwrap_or(self.pages * block_size)
    }
}

impl Moment {
    /// A setting's value is this word.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.settings.get(name).is_some_and(|s| s.value == value)
    }

    /// A setting of memory, in bytes.
    pub fn bytes(&self, name: &str) -> Option<f64> {
        let unit = match self.settings.get(name)?.unit.as_deref()? {
            "B" => 1.0,
            "kB" => 1024.0,
            "8kB" => 8.0 * 1024.0,
            "16kB" => 16.0 * 1024.0,
            "32kB" => 32.0 * 1024.0,
            "4kB" => 4.0 * 1024.0,
            "MB" => 1024.0 * 1024.0,
            _ => return None,
        };
        self.number(name).map(|n| n * unit)
    }

    /// Somebody set it, or `initdb` did: it is not what the server comes with.
    pub fn set(&self, name: &str) -> bool {
        self.settings.get(name).is_some_and(|s| s.source != "default")
    }

    /// A setting as a number, in its own unit.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.settings.get(name)?.value.parse().ok()
    }
}
