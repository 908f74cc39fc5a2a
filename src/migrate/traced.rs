//! What was seen while migrations ran: locks, rewrites, scans, builds, what went and what changed its name.
//!
//! Refuses to judge. A relation that the migrations themselves made is nobody's to wait for: it is not told of.

use super::demands::{Demand, demands};
use super::keys::Key;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
    /// It is a part of a table that the statement locks too.
    #[serde(default)]
    pub part: bool,
    /// The topmost of the tables that it is a part of and the statement locks too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// It has partitions and no rows of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partitioned: bool,
    /// The lock that the statement took on it, where its transaction held no stronger one already.
    pub lock: Option<Lock>,
    pub rewritten: bool,
    /// Read as a whole.
    pub scanned: bool,
    /// Rows are updated or deleted in it.
    pub changes_rows: bool,
    /// Indexes built on it that were not there.
    pub built: Vec<String>,
    /// Their access methods, in order, where one of them is no B-tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
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

/// What is different between two pictures of one session: what a statement between them did to the relations of `old`.
/// `held` are the locks of its transaction before it.
pub fn effects(
    old: &Picture,
    before: &Picture,
    after: &Picture,
    held: &[(u32, String)],
    text: &str,
) -> Vec<Effect> {
    let (locks, had) = (strongest(&after.locks), strongest(held));
    let split = split(before, &locks);
    let changes = changes_rows(text);
    // A lock that the transaction held already is no work of this statement, unless it names the table.
    let writes = |locks: &[(u32, String)], oid: u32| {
        locks.iter().any(|(of, mode)| *of == oid && Lock::read(mode) == Some(Lock::RowExclusive))
    };
    let lower = text.to_lowercase();
    let named = |relation: &str| {
        let bare = relation.rsplit('.').next().unwrap_or(relation).trim_matches('"').to_lowercase();
        changes == Some(Changing::Named) && lower.contains(&bare)
    };
    let indexes = built(before, after);
    let constraints = made_or_validated(before, after);
    let mut effects = Vec::new();
    for (&oid, then) in &old.relations {
        // Gone before this statement.
        let Some(was) = before.relations.get(&oid) else { continue };
        let now = after.relations.get(&oid);
        let lock = locks.get(&oid).copied();
        let table = matches!(then.kind.as_str(), "r" | "p" | "m");
        let locked = |parent: u32| locks.get(&parent).is_some_and(|lock| *lock > Lock::AccessShare);
        let whole = |oid: u32| {
            let all = |parent: &u32| locked(*parent) && !split.contains(parent);
            let above = |oid: &u32| before.relations.get(oid)?.parent.filter(all);
            let top = std::iter::successors(Some(oid), above).last().filter(|top| *top != oid)?;
            old.relations.get(&top).map(|seen| seen.name.clone())
        };
        let built: Vec<&Seen> = indexes.iter().copied().filter(|seen| seen.table == Some(oid)).collect();
        let bound: Vec<(u32, &Constraint)> =
            constraints.iter().copied().filter(|(_, constraint)| constraint.table == oid).collect();
        let count = |picture: &Picture| picture.counts.get(&oid).copied().unwrap_or((0.0, 0.0));
        let scanned = count(after).0 > count(before).0;
        let mut effect = Effect {
            oid,
            relation: then.name.clone(),
            table,
            view: then.kind == "v",
            part: was.parent.is_some_and(locked),
            whole: whole(oid),
            partitioned: then.kind == "p",
            remade: false,
            lock: lock.filter(|lock| had.get(&oid).is_none_or(|had| had < lock)),
            rewritten: now.is_some_and(|now| now.file != was.file && was.file != 0),
            scanned,
            changes_rows: table
                && changes.is_some()
                && writes(&after.locks, oid)
                && (!writes(held, oid) || named(&was.name)),
            built: built.iter().map(|seen| seen.name.clone()).collect(),
            methods: methods(&built),
            dropped: now.is_none(),
            renamed_to: now.filter(|now| now.name != was.name).map(|now| now.name.clone()),
            added_columns: Vec::new(),
            dropped_columns: Vec::new(),
            renamed_columns: Vec::new(),
            retyped: Vec::new(),
            not_null: Vec::new(),
            constraints: bound
                .iter()
                .filter(|(id, _)| !before.constraints.contains_key(id))
                .map(|(_, constraint)| (*constraint).clone())
                .collect(),
            taken: Vec::new(),
            demands: now.map_or(Vec::new(), |now| demands(old, then, was, now, &built, &bound)),
        };
        if let Some(now) = now {
            columns(&mut effect, then, was, now);
        }
        if !effect.not_null.is_empty() {
            let own = before.constraints.values().filter(|constraint| constraint.table == oid);
            let names = own.map(|constraint| &constraint.name).filter(|name| name.ends_with(NOT_NULL));
            effect.taken = names.cloned().collect();
        }
        let changed = effect.dropped
            || effect.renamed_to.is_some()
            || !effect.dropped_columns.is_empty()
            || !effect.renamed_columns.is_empty()
            || !effect.demands.is_empty();
        if effect.lock.is_some() || effect.long() || changed {
            effects.push(effect);
        }
    }
    effects
}

/// The strongest lock on each relation.
fn strongest(locks: &[(u32, String)]) -> BTreeMap<u32, Lock> {
    let mut strongest: BTreeMap<u32, Lock> = BTreeMap::new();
    for (oid, mode) in locks {
        let Some(lock) = Lock::read(mode) else { continue };
        strongest.entry(*oid).and_modify(|known| *known = lock.max(*known)).or_insert(lock);
    }
    strongest
}

/// The partitioned tables of which a statement left some partition alone: what it does to others is not done to all of the
/// table, such as to the default partition when another one comes.
fn split(before: &Picture, locks: &BTreeMap<u32, Lock>) -> BTreeSet<u32> {
    let alone = |oid: &u32| locks.get(oid).is_none_or(|lock| *lock <= Lock::AccessShare);
    let mut split = BTreeSet::new();
    for (_, seen) in before.relations.iter().filter(|(oid, seen)| seen.kind == "r" && alone(oid)) {
        let mut above = seen.parent;
        while let Some(oid) = above.filter(|oid| split.insert(*oid)) {
            above = before.relations.get(&oid).and_then(|seen| seen.parent);
        }
    }
    split
}

/// The access methods of indexes, where one is no B-tree.
fn methods(built: &[&Seen]) -> Vec<String> {
    let method = |seen: &&Seen| seen.made.as_ref().map_or_else(String::new, |made| made.method.clone());
    let all: Vec<String> = built.iter().map(method).collect();
    if all.iter().all(|method| method == "btree") { Vec::new() } else { all }
}

/// The indexes that a statement built.
fn built<'a>(before: &Picture, after: &'a Picture) -> Vec<&'a Seen> {
    let new = after.relations.iter().filter(|(oid, seen)| {
        // A change of type makes an index anew under its name: with its file, nothing was built.
        let known = |old: &Seen| old.table == seen.table && old.name == seen.name && old.file == seen.file;
        seen.table.is_some() && !before.relations.contains_key(oid) && !before.relations.values().any(known)
    });
    new.map(|(_, seen)| seen).collect()
}

/// The constraints that a statement made or validated, with their OIDs.
fn made_or_validated<'a>(before: &Picture, after: &'a Picture) -> Vec<(u32, &'a Constraint)> {
    let then = |oid: &u32| before.constraints.get(oid).map(|constraint| constraint.validated);
    let now = after.constraints.iter().filter(|(oid, now)| then(oid) != Some(now.validated));
    now.map(|(oid, constraint)| (*oid, constraint)).collect()
}

/// Marks what is gone or renamed and has a successor of its name at the end.
pub fn mark_remade(traced: &mut [Traced], end: &Picture) {
    let names: BTreeMap<&str, u32> =
        end.relations.iter().map(|(oid, seen)| (seen.name.as_str(), *oid)).collect();
    for effect in traced.iter_mut().flat_map(|traced| &mut traced.effects) {
        effect.remade = names.get(effect.relation.as_str()).is_some_and(|oid| *oid != effect.oid);
    }
}

/// What became of columns. One that the new migrations added is nobody's to miss.
fn columns(effect: &mut Effect, old: &Seen, was: &Seen, now: &Seen) {
    let new = now.columns.iter().filter(|(number, _)| !was.columns.contains_key(number));
    effect.added_columns = new.map(|(_, column)| column.name.clone()).collect();
    for (number, was) in &was.columns {
        let known = old.columns.contains_key(number);
        let Some(now) = now.columns.get(number) else {
            effect.dropped_columns.extend(known.then(|| was.name.clone()));
            continue;
        };
        if known && was.name != now.name {
            effect.renamed_columns.push((was.name.clone(), now.name.clone()));
        }
        if was.kind != now.kind {
            effect.retyped.push((now.name.clone(), was.kind.clone(), now.kind.clone()));
        }
        if now.not_null && !was.not_null {
            effect.not_null.push(now.name.clone());
        }
    }
}

/// How a statement may update or delete rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changing {
    /// Of tables that it names.
    Named,
    /// In what it calls.
    Called,
}

/// The statement updates or deletes rows: tables are empty here, so that no count shows it.
fn changes_rows(text: &str) -> Option<Changing> {
    let (tokens, _) = crate::sql::token::tokenize(text);
    let first = tokens.first()?;
    let any = |words: &[&str]| words.iter().any(|word| first.is_word(text, word));
    match () {
        () if any(&["update", "delete", "merge", "with"]) => Some(Changing::Named),
        () if any(&["do", "call", "select"]) => Some(Changing::Called),
        () => None,
    }
}

/// Takes back what statements did to the schema and a rollback undid; what they locked, read and wrote stays.
pub fn undo(traced: &mut [Traced]) {
    for traced in traced {
        traced.keys.clear();
        for effect in &mut traced.effects {
            let Effect {
                oid, lock, rewritten, scanned, changes_rows, table, view, part, partitioned, ..
            } = *effect;
            *effect = Effect {
                relation: std::mem::take(&mut effect.relation),
                whole: effect.whole.take(),
                built: std::mem::take(&mut effect.built),
                methods: std::mem::take(&mut effect.methods),
                oid,
                lock,
                rewritten,
                scanned,
                changes_rows,
                table,
                view,
                part,
                partitioned,
                ..Effect::default()
            };
        }
    }
}
