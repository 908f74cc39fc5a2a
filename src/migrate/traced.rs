//! What was seen while migrations ran: locks, rewrites, scans, builds, what went and what changed its name.
//!
//! Refuses to judge. A relation that the migrations themselves made is nobody's to wait for: it is not told of.

use super::demands::Demand;
use super::keys::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A lock on a relation, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lock {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl Lock {
    /// As `pg_locks` writes it.
    pub fn read(mode: &str) -> Option<Lock> {
        Some(match mode {
            "AccessShareLock" => Lock::AccessShare,
            "RowShareLock" => Lock::RowShare,
            "RowExclusiveLock" => Lock::RowExclusive,
            "ShareUpdateExclusiveLock" => Lock::ShareUpdateExclusive,
            "ShareLock" => Lock::Share,
            "ShareRowExclusiveLock" => Lock::ShareRowExclusive,
            "ExclusiveLock" => Lock::Exclusive,
            "AccessExclusiveLock" => Lock::AccessExclusive,
            _ => return None,
        })
    }

    /// As the manual writes it.
    pub fn name(self) -> &'static str {
        match self {
            Lock::AccessShare => "ACCESS SHARE",
            Lock::RowShare => "ROW SHARE",
            Lock::RowExclusive => "ROW EXCLUSIVE",
            Lock::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Lock::Share => "SHARE",
            Lock::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Lock::Exclusive => "EXCLUSIVE",
            Lock::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// Who waits for it.
    pub fn blocks(self) -> Option<&'static str> {
        match self {
            Lock::AccessExclusive => Some("everybody who reads or writes"),
            lock if lock >= Lock::Share => Some("everybody who writes"),
            _ => None,
        }
    }
}

/// What `pg_class` and its kin say of a database at one moment.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Picture {
    /// By OID.
    pub relations: BTreeMap<u32, Seen>,
    /// Since the transaction began: (sequential scans, rows updated or deleted). By OID.
    pub counts: BTreeMap<u32, (f64, f64)>,
    /// (OID, mode), as `pg_locks` has them of this session.
    pub locks: Vec<(u32, String)>,
    /// `lock_timeout` in milliseconds; 0 is none.
    pub lock_timeout: f64,
    /// By OID: constraints of tables.
    pub constraints: BTreeMap<u32, Constraint>,
}

impl Picture {
    /// A constraint of a later picture is new. A change of type makes CHECKs and foreign keys anew that are there: nobody
    /// adds these, and there is no other way to.
    pub fn lacks(&self, oid: u32, made: &Constraint) -> bool {
        let same = |was: &Constraint| {
            was.table == made.table && was.name == made.name && was.definition == made.definition
        };
        let again = || matches!(made.kind.as_str(), "c" | "f") && self.constraints.values().any(same);
        !self.constraints.contains_key(&oid) && !again()
    }

    /// Whether the rows of before have a value in a column is decided when it is added: a later default fills none.
    pub fn carry(&mut self, before: &Picture) {
        for (oid, seen) in &mut self.relations {
            let Some(was) = before.relations.get(oid) else { continue };
            for (number, column) in &mut seen.columns {
                if let Some(was) = was.columns.get(number) {
                    column.filled = was.filled;
                }
            }
        }
    }
}

/// A relation in a [`Picture`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Seen {
    /// Qualified, quoted where needed.
    pub name: String,
    pub kind: String,
    pub file: u32,
    /// Of an index: its table.
    pub table: Option<u32>,
    /// Of a partition: the table that it is a part of.
    pub parent: Option<u32>,
    /// By number.
    pub columns: BTreeMap<i16, Column>,
    /// Of an index.
    #[serde(default)]
    pub made: Option<Made>,
    /// Row level security is on, and no policy lets a row be seen.
    #[serde(default)]
    pub hidden: bool,
    /// Of a default partition with one key: its column, and what leaves the other partitions' rows out.
    #[serde(default)]
    pub rest: Option<(i16, String)>,
}

/// A column in a [`Picture`], which lists its fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    pub name: String,
    /// As `format_type` prints it.
    pub kind: String,
    /// NOT NULL, and known to be so of every row.
    pub not_null: bool,
    /// Rows that were there when it was added have a value: it has a default, or had one then.
    pub filled: bool,
    /// OID and modifier of its type: another name, or another search_path, makes no other type.
    pub type_id: String,
}

/// What an index is made of in a [`Picture`], which lists its fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Made {
    pub unique: bool,
    /// It is valid.
    pub usable: bool,
    pub method: String,
    /// Numbers of its key columns; 0 is an expression.
    pub keys: Vec<i16>,
    pub predicate: Option<String>,
    /// NULLS NOT DISTINCT.
    pub nulls_equal: bool,
    /// Its expressions.
    pub computes: Option<String>,
}

/// A constraint in a [`Picture`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    pub table: u32,
    pub name: String,
    /// `c`, `f`, `p`, `u`, `x`, `n` as in `contype`.
    pub kind: String,
    pub validated: bool,
    /// `pg_get_constraintdef`.
    pub definition: String,
    /// The index behind it.
    pub index: Option<u32>,
    /// Numbers of its table's columns.
    #[serde(default, skip_serializing)]
    pub columns: Vec<i16>,
    /// Of a foreign key: the table that it refers to.
    #[serde(default, skip_serializing)]
    pub refers: Option<u32>,
    /// Numbers of that table's columns.
    #[serde(default, skip_serializing)]
    pub refers_to: Vec<i16>,
    /// It is there because a table above has it.
    #[serde(default, skip_serializing)]
    pub inherited: bool,
}

/// How the name ends of a CHECK that helps SET NOT NULL.
pub const NOT_NULL: &str = "_not_null";

/// What one statement did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traced {
    /// Index of the migration, and of the statement in it.
    pub migration: usize,
    pub step: usize,
    /// Statements with one number stood in one transaction.
    pub transaction: usize,
    /// `lock_timeout` when it began, in milliseconds.
    pub lock_timeout: f64,
    /// Of relations that were there before the first of the new migrations.
    pub effects: Vec<Effect>,
    /// Foreign keys that it made, on tables of before and on new ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    pub failure: Option<Failure>,
    /// What an UPDATE, DELETE or MERGE changes at production's size, as the planner estimates it on a twin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
}

/// What a statement did to one relation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    #[serde(skip)]
    pub oid: u32,
    /// Its name before the first of the new migrations.
    pub relation: String,
    pub table: bool,
    #[serde(default)]
    pub view: bool,
    /// A view with rows: a query makes them again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub materialized: bool,
    /// It is a part of a table that the statement locks too.
    #[serde(default)]
    pub part: bool,
    /// The topmost of the tables that it is a part of and the statement locks too, with all of their parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// The topmost of those that the statement locks too, where it leaves other parts of it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<String>,
    /// It has partitions and no rows of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partitioned: bool,
    /// The lock that the statement took on it, where its transaction held no stronger one already.
    pub lock: Option<Lock>,
    pub rewritten: bool,
    /// Read as a whole.
    pub scanned: bool,
    /// From now on nobody sees its rows but its owner: row level security is on, and no policy lets one be seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hides_rows: bool,
    /// Rows are updated or deleted in it.
    pub changes_rows: bool,
    /// Indexes built on it that were not there.
    pub built: Vec<String>,
    /// Their access methods, in order, where one of them is no B-tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Those of them that compute what no other index of the table did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub computed: Vec<String>,
    /// It is gone.
    pub dropped: bool,
    pub renamed_to: Option<String>,
    /// Something else has its name when all migrations have run.
    #[serde(default)]
    pub remade: bool,
    /// Columns that were not there.
    pub added_columns: Vec<String>,
    /// Columns that are gone.
    pub dropped_columns: Vec<String>,
    /// (from, to).
    pub renamed_columns: Vec<(String, String)>,
    /// (column, type before, type after).
    pub retyped: Vec<(String, String, String)>,
    /// Columns that are NOT NULL from now on.
    pub not_null: Vec<String>,
    /// Constraints that were not there.
    pub constraints: Vec<Constraint>,
    /// Where it is NOT NULL anew: names of constraints that end with [`NOT_NULL`], which no other may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<String>,
    /// What its rows have to hold from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<Demand>,
}

impl Effect {
    /// Work that grows with the relation.
    pub fn long(&self) -> bool {
        self.rewritten || self.scanned || self.changes_rows || !self.built.is_empty()
    }
}

/// Rows that a statement is estimated to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// Qualified, quoted where needed.
    pub relation: String,
    pub rows: f64,
    /// It is read as a whole to find them.
    pub whole: bool,
}

/// Why a statement failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub sqlstate: Option<String>,
    pub message: String,
}
