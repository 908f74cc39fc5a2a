//! A table that is read as a whole under a lock that others wait for.
//!
//! Refuses to speak of builds and rewrites, which have rules of their own.

use super::migration::{SECONDS, blocking, evidence, finding, loudness, one_action, set_not_null, text, within, within_table, work};
use super::whole::{Whole, wholes};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Finding, Remedy};
use crate::migrate::demands::Demand;
use crate::migrate::traced::{Effect, Lock, Traced};
use crate::sql::ident::quote;

pub(super) const SPEC: Spec = Spec {
    name: "blocking-scan",
    summary: "a migration reads a whole table under a lock that others wait for",
    thresholds: &SECONDS,
    page: include_str!("../../rules/blocking-scan.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for traced in ctx.traced {
        let scanned = |effect: &Effect| {
            let alone = effect.table && effect.scanned && !effect.rewritten && effect.built.is_empty();
            let by_rows = effect.changes_rows && effect.lock.is_none_or(|lock| lock < Lock::Share);
            // A new column that has to hold a value and has none ends at the first row.
            let fails = effect.demands.iter().any(Demand::unfilled);
            alone && !by_rows && !fails
        };
        // Where both sides of a foreign key are read, one finding tells of both.
        // What is read for indexes that are made anew is told of these.
        let written = |table: bool| traced.effects.iter().any(|e| e.table == table && !e.view && e.rewritten);
        let again = written(false) && !written(true);
        let all = wholes(ctx, traced, |effect| !again && scanned(effect));
        found.extend(all.iter().find_map(|whole| scans(ctx, tuning, traced, whole)));
    }
    found
}

fn scans(ctx: &TraceContext, tuning: &Tuning, traced: &Traced, whole: &Whole) -> Option<Finding> {
    let effect = &whole.effect;
    let (lock, who) = blocking(effect)?;
    let range = work(whole.size, effect);
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    found.within = within_table(effect);
    found.severity = loudness(range, tuning);
    let apart = |e: &&Effect| e.whole.as_ref() != Some(&effect.relation) && e.relation != effect.relation;
    let others = traced.effects.iter().filter(apart).filter(|e| e.table && blocking(e).is_some());
    let others: Vec<&str> = others.map(|e| e.relation.as_str()).collect();
    let also = match others.is_empty() {
        true => String::new(),
        false if others.len() == 1 => format!(", and {} is locked for as long", others.join(", ")),
        false => format!(", and {} are locked for as long", others.join(", ")),
    };
    found.what = format!("{} is read as a whole under {}{also}", whole.name(), lock.name());
    found.why = format!("{who} waits until it is read: {}", within(range));
    // Up to 17 a key of a partitioned table cannot be NOT VALID; it takes over those that its partitions have.
    let foreign =
        !whole.parts.is_empty() && effect.constraints.iter().any(|constraint| constraint.kind == "f");
    let steps = validated_later(effect).filter(|_| !foreign).or_else(|| not_null(effect));
    let steps = steps.filter(|_| one_action(text(ctx, traced)));
    found.help = match &steps {
        Some(_) => "add it NOT VALID, which holds for new rows at once, and validate it in a migration of its own",
        None if foreign => {
            "add the key to each partition first, NOT VALID, and validate it there; added to the table then, it takes \
             those over and reads nothing"
        }
        None => "do the reading before, in a statement that takes a weaker lock",
    }
    .to_owned();
    found.remedies = steps.map(Remedy::Migration).into_iter().collect();
    found.evidence = evidence(whole.size, lock, range);
    Some(found)
}

/// A constraint that is validated at once: added NOT VALID, and validated by itself.
fn validated_later(effect: &Effect) -> Option<Vec<String>> {
    let [constraint] = effect.constraints.as_slice() else { return None };
    // A column that comes with its constraint is added by the same statement.
    let alone = effect.added_columns.is_empty();
    if !alone || !constraint.validated || !matches!(constraint.kind.as_str(), "c" | "f") {
        return None;
    }
    let name = quote(&constraint.name);
    Some(vec![
        format!("ALTER TABLE {} ADD CONSTRAINT {name} {} NOT VALID", effect.relation, constraint.definition),
        format!("ALTER TABLE {} VALIDATE CONSTRAINT {name}", effect.relation),
    ])
}

fn not_null(effect: &Effect) -> Option<Vec<String>> {
    let [column] = effect.not_null.as_slice() else { return None };
    effect.constraints.is_empty().then(|| set_not_null(&effect.relation, column))
}
