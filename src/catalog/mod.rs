//! What the catalog says of the relations in a plan, as values.
//!
//! Refuses to query: `postgres::catalog` fills these from one statement, a capture stores them.

mod cover;
mod lookup;
pub mod snapshot;

pub use cover::Cover;
pub use lookup::Catalog;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The server as far as analysis needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServerInfo {
    /// `server_version_num`, such as 150018.
    pub version_num: u32,
    /// `server_version`, such as `15.18`.
    pub version: String,
    pub database: String,
    pub in_recovery: bool,
    pub superuser: bool,
    /// Planner and memory settings in force, in the form that `SHOW` prints (`4MB`, `on`, `1.1`).
    pub settings: BTreeMap<String, String>,
    /// The extensions installed in this database, by name; empty in captures of before they were gathered.
    #[serde(default)]
    pub extensions: BTreeMap<String, Extension>,
    /// HypoPG, where the extension is installed in this database.
    pub hypopg: Option<Extension>,
    /// An index of a trial stands in this database. Of the moment only: no part of a capture.
    #[serde(default, skip_serializing)]
    pub trial_index: bool,
}

/// An installed extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    pub version: String,
    pub schema: String,
}

impl ServerInfo {
    /// The major version: 13 … 18.
    pub fn major(&self) -> u32 {
        self.version_num / 10_000
    }
}

/// A table, partition, partitioned table, materialized view or foreign table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    /// `pg_class.reltuples`; `None` where never vacuumed or analysed.
    pub rows: Option<f64>,
    /// `pg_class.relpages`.
    pub pages: f64,
    /// `pg_class.relallvisible`.
    pub all_visible_pages: f64,
    /// Size of the main fork on disk; `None` where it could not be read.
    pub size_bytes: Option<i64>,
    /// The role may create indexes and statistics here.
    pub owned: bool,
    /// The role may read this relation's column statistics.
    pub statistics_visible: bool,
    pub temporary: bool,
    pub columns: Vec<Column>,
    pub indexes: Vec<Index>,
    pub statistics: Vec<ExtendedStatistics>,
    /// Counters since their last reset; `None` for relations without storage.
    pub activity: Option<Activity>,
    /// The topmost partitioned table above this one.
    pub partition_root: Option<QualifiedName>,
    /// For a partitioned table: `pg_get_partkeydef`, such as `RANGE (day)`.
    #[serde(default)]
    pub partition_key: Option<String>,
    /// For a partitioned table: its partitions at any depth.
    #[serde(default)]
    pub partitions: Vec<Partition>,
    /// Names in the same schema that a new index of this table could collide with.
    #[serde(default)]
    pub taken_names: Vec<String>,
    #[serde(default)]
    pub options: Vec<String>,
    /// Foreign keys of other relations that refer to this one. Read only where a statement writes: empty else.
    #[serde(default)]
    pub referenced_by: Vec<ForeignKey>,
}

/// `pg_class.relkind` of the relations that we look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelationKind {
    Table,
    Partitioned,
    MaterializedView,
    Foreign,
    Other,
}

/// `schema.name`, unquoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualifiedName {
    pub schema: String,
    pub name: String,
}

/// A foreign key, seen from the relation that it refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name, unique among those of the relation that refers.
    pub name: String,
    /// The internal triggers on the relation referred to that look for rows that refer, as plans name them.
    pub triggers: Vec<String>,
    /// The relation that refers.
    pub schema: String,
    pub relation: String,
    /// Its columns, in the constraint's order.
    pub columns: Vec<String>,
    /// A usable index through which the server finds the rows that refer to one key; `None`: it reads them all.
    pub index: Option<String>,
}

/// One partition below a partitioned table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    pub schema: String,
    pub name: String,
    /// It is itself partitioned.
    pub partitioned: bool,
    /// The partitioned table right above it.
    pub parent: String,
    /// The names of its indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_names: Vec<String>,
}

/// A column with the statistics that the role may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub number: i16,
    pub name: String,
    /// `format_type`, such as `character varying(20)`.
    pub data_type: String,
    /// `pg_type.typlen`: bytes, or negative for variable length.
    pub type_length: i16,
    /// `pg_type.typcategory`, such as `S` for strings.
    pub category: String,
    pub not_null: bool,
    /// A default B-tree operator class exists for the type.
    pub btree: bool,
    /// The collation sorts as memcmp does (`C`, `POSIX`), or the type has none.
    pub c_collation: bool,
    /// `None`: never analysed, or not visible to this role (see [`Relation::statistics_visible`]).
    pub statistics: Option<ColumnStatistics>,
}

/// A row of `pg_stats`, shortened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    pub null_fraction: f64,
    /// Average width in bytes of a value that is not null.
    pub average_width: f64,
    /// As in `pg_stats`: negative means a share of the rows.
    pub n_distinct: f64,
    /// Physical order against value order, -1 to 1.
    pub correlation: Option<f64>,
    /// At most ten, most frequent first.
    #[serde(default)]
    pub common_values: Vec<String>,
    #[serde(default)]
    pub common_frequencies: Vec<f64>,
    /// The last of all common values, and its share of the rows. Read only where a statement has parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_common: Option<(String, f64)>,
    /// Values at 0, 1, 50, 51, 99 and 100 % of those that are not common. Read only where a statement has
    /// parameters; empty too where every value is common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<String>,
}

/// An index as `pg_index` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub schema: String,
    pub name: String,
    pub method: String,
    pub keys: Vec<IndexKey>,
    /// INCLUDE columns.
    #[serde(default)]
    pub include: Vec<String>,
    /// `pg_get_expr(indpred, …)`.
    pub predicate: Option<String>,
    pub unique: bool,
    pub primary: bool,
    /// `indisvalid AND indisready AND indislive`.
    pub usable: bool,
    pub size_bytes: Option<i64>,
    pub scans: Option<i64>,
    /// `pg_get_indexdef`.
    pub definition: String,
}

/// One key of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexKey {
    /// The column's name, or the expression as the server prints it.
    pub text: String,
    /// `false`: `text` is an expression.
    pub column: bool,
    pub descending: bool,
    pub nulls_first: bool,
    /// The operator class where it is not the type's default.
    pub operator_class: Option<String>,
}

/// An extended statistics object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExtendedStatistics {
    pub name: String,
    /// Letters of `stxkind`: `d` n-distinct, `f` dependencies, `m` most common values, `e` expressions.
    pub kinds: Vec<String>,
    pub columns: Vec<String>,
    /// `pg_get_statisticsobjdef`.
    pub definition: String,
}

/// Counters of `pg_stat_all_tables`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Activity {
    pub live_rows: i64,
    pub dead_rows: i64,
    pub modified_since_analyze: i64,
    pub inserts: i64,
    pub updates: i64,
    pub hot_updates: i64,
    pub deletes: i64,
    pub sequential_scans: i64,
    pub index_scans: i64,
    /// Analysed at least once since the counters were reset, by hand or by autovacuum.
    pub analyzed: bool,
    pub last_analyzed: Option<String>,
}

impl Relation {
    /// The name as people write it, quoted where needed: `public.orders`.
    pub fn qualified(&self) -> String {
        crate::sql::ident::qualified(&self.schema, &self.name)
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Average width in bytes of a column's values, from statistics or from its type; 16 for a type of
    /// variable length without statistics (the planner assumes 32 for text).
    pub fn width(&self, column: &Column) -> f64 {
        match (&column.statistics, column.type_length) {
            (_, length) if length > 0 => f64::from(length),
            (Some(statistics), _) => statistics.average_width,
            _ => 16.0,
        }
    }
}

impl ColumnStatistics {
    /// The number of distinct values in a table of `rows` rows.
    pub fn distinct(&self, rows: f64) -> f64 {
        if self.n_distinct < 0.0 { -self.n_distinct * rows } else { self.n_distinct }.max(1.0)
    }

    /// The share of rows that hold `value`, where it is among the most common ones.
    pub fn frequency(&self, value: &str) -> Option<f64> {
        let at = self.common_values.iter().position(|v| v == value)?;
        self.common_frequencies.get(at).copied()
    }
}
