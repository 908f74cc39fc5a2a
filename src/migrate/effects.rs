//! From two pictures of a session to what the statement between them did.
//!
//! Refuses to take a statement's words for it where the pictures tell; words decide only what empty tables cannot show.

use super::demands::demands;
use super::traced::{Constraint, Effect, Lock, NOT_NULL, Picture, Seen, Traced};
use std::collections::{BTreeMap, BTreeSet};

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
    let indexes = built(before, after, &locks);
    let constraints = made_or_validated(before, after);
    let mut effects = Vec::new();
    for (&oid, then) in &old.relations {
        // Gone before this statement.
        let Some(was) = before.relations.get(&oid) else { continue };
        let now = after.relations.get(&oid);
        let lock = locks.get(&oid).copied();
        let table = matches!(then.kind.as_str(), "r" | "p" | "m");
        let locked = |parent: u32| locks.get(&parent).is_some_and(|lock| *lock > Lock::AccessShare);
        let top = |oid: u32, all: bool| {
            let wanted = |parent: &u32| locked(*parent) && !(all && split.contains(parent));
            let above = |oid: &u32| before.relations.get(oid)?.parent.filter(wanted);
            let top = std::iter::successors(Some(oid), above).last().filter(|top| *top != oid)?;
            old.relations.get(&top).map(|seen| seen.name.clone())
        };
        let built: Vec<&Seen> = indexes.iter().copied().filter(|seen| seen.table == Some(oid)).collect();
        let bound: Vec<(u32, &Constraint)> =
            constraints.iter().copied().filter(|(_, constraint)| constraint.table == oid).collect();
        let count = |picture: &Picture| picture.counts.get(&oid).copied().unwrap_or((0.0, 0.0));
        let scanned = count(after).0 > count(before).0;
        let whole = top(oid, true);
        let mut effect = Effect {
            oid,
            relation: then.name.clone(),
            table,
            view: then.kind == "v",
            materialized: then.kind == "m",
            part: was.parent.is_some_and(locked),
            above: top(oid, false).filter(|_| whole.is_none()),
            whole,
            partitioned: then.kind == "p",
            remade: false,
            lock: lock.filter(|lock| had.get(&oid).is_none_or(|had| had < lock)),
            rewritten: now.is_some_and(|now| now.file != was.file && was.file != 0),
            scanned,
            hides_rows: now.is_some_and(|now| now.hidden && !was.hidden),
            changes_rows: table
                && changes.is_some()
                && writes(&after.locks, oid)
                && (!writes(held, oid) || named(&was.name)),
            built: built.iter().map(|seen| seen.name.clone()).collect(),
            methods: methods(&built),
            computed: computed(before, oid, &built),
            dropped: now.is_none(),
            renamed_to: now.filter(|now| now.name != was.name).map(|now| now.name.clone()),
            added_columns: Vec::new(),
            dropped_columns: Vec::new(),
            renamed_columns: Vec::new(),
            retyped: Vec::new(),
            not_null: Vec::new(),
            constraints: bound
                .iter()
                .filter(|(id, made)| before.lacks(*id, made))
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
            || effect.hides_rows
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

/// The names of those indexes that compute what no index of the table did before.
fn computed(before: &Picture, table: u32, built: &[&Seen]) -> Vec<String> {
    let computes = |seen: &Seen| seen.made.as_ref().and_then(|made| made.computes.clone());
    let known = |what: &String| {
        let mut others = before.relations.values().filter(|seen| seen.table == Some(table));
        others.any(|other| computes(other).as_ref() == Some(what))
    };
    let new = built.iter().filter(|seen| computes(seen).is_some_and(|what| !known(&what)));
    new.map(|seen| seen.name.clone()).collect()
}

/// The indexes that a statement built.
fn built<'a>(before: &Picture, after: &'a Picture, locks: &BTreeMap<u32, Lock>) -> Vec<&'a Seen> {
    let file = |picture: &Picture, table: Option<u32>| picture.relations.get(&table?).map(|seen| seen.file);
    let new = after.relations.iter().filter(|(oid, seen)| {
        // A change of type makes an index anew under its name: with its file, nothing was built, and with the table's file
        // it was written with the table. REINDEX CONCURRENTLY makes the same one again.
        let written = file(before, seen.table) != file(after, seen.table);
        let beside = seen.table.and_then(|table| locks.get(&table)).is_none_or(|lock| *lock < Lock::Share);
        let known = |old: &Seen| {
            old.table == seen.table && old.name == seen.name && (written || beside || old.file == seen.file)
        };
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

/// Marks what is gone or renamed and has a successor of its name at the end, forgets what a later statement mends, and
/// holds a view that was made anew to its columns of before.
pub fn mark_end(traced: &mut [Traced], old: &Picture, end: &Picture) {
    let names: BTreeMap<&str, (u32, &Seen)> =
        end.relations.iter().map(|(oid, seen)| (seen.name.as_str(), (*oid, seen))).collect();
    for effect in traced.iter_mut().flat_map(|traced| &mut traced.effects) {
        let successor = names.get(effect.relation.as_str()).filter(|(oid, _)| *oid != effect.oid);
        effect.remade = successor.is_some();
        if let Some((_, seen)) = successor {
            let lacks = |name: &str| !seen.columns.values().any(|column| column.name == name);
            effect.dropped_columns.retain(|name| lacks(name));
            effect.renamed_columns.retain(|(name, _)| lacks(name));
            let then = old
                .relations
                .get(&effect.oid)
                .filter(|_| effect.dropped && (effect.view || effect.materialized));
            let names = then.into_iter().flat_map(|then| then.columns.values()).map(|column| &column.name);
            effect.dropped_columns.extend(names.filter(|name| lacks(name)).cloned());
        }
        effect.hides_rows &= end.relations.get(&effect.oid).is_some_and(|seen| seen.hidden);
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
        if was.type_id != now.type_id {
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
            let was = std::mem::take(effect);
            *effect = Effect {
                oid: was.oid,
                relation: was.relation,
                table: was.table,
                view: was.view,
                materialized: was.materialized,
                part: was.part,
                partitioned: was.partitioned,
                whole: was.whole,
                above: was.above,
                lock: was.lock,
                rewritten: was.rewritten,
                scanned: was.scanned,
                changes_rows: was.changes_rows,
                built: was.built,
                methods: was.methods,
                ..Effect::default()
            };
        }
    }
}
