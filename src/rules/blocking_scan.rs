//! A table that is read as a whole under a lock that others wait for.
//!
//! Refuses to speak of builds and rewrites, which have rules of their own.

use super::migration::{Range, SECONDS, also_locked, blocking, evidence, finding, loudness, one_action, refreshes, set_not_null, text, within, within_table, work};
use super::whole::{Whole, wholes};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Finding, Remedy};
use crate::migrate::demands::Demand;
use crate::migrate::traced::{Effect, Traced};
use crate::sql::ident::quote;
use crate::sql::token::tokenize;

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
            // A new column that has to hold a value and has none ends at the first row.
            let fails = effect.demands.iter().any(Demand::unfilled);
            alone && !fails
        };
        // What is read for indexes that are made anew is told of these.
        let written = |table: bool| traced.effects.iter().any(|e| e.table == table && !e.view && e.rewritten);
        let again = written(false) && !written(true);
        // Nobody writes into a materialized view but the next REFRESH.
        if again || form(text(ctx, traced)) == Form::Refresh {
            continue;
        }
        found.extend(scans(ctx, tuning, traced, &wholes(ctx, traced, scanned)));
    }
    found
}

/// Where both sides of a foreign key are read, or a partition and the default one, one finding tells of both.
fn scans(ctx: &TraceContext, tuning: &Tuning, traced: &Traced, all: &[Whole]) -> Option<Finding> {
    let read: Vec<&Whole> = all.iter().filter(|whole| blocking(&whole.effect).is_some()).collect();
    // The first of those under the strongest lock.
    let whole = *read.iter().rev().max_by_key(|whole| whole.effect.lock)?;
    let effect = &whole.effect;
    let (lock, who) = blocking(effect)?;
    let range = read.iter().map(|whole| work(whole.size, &whole.effect)).reduce(Range::and)?;
    let alike: Vec<&Whole> = read.into_iter().filter(|other| other.effect.lock == effect.lock).collect();
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    found.within = within_table(effect);
    found.severity = loudness(range, tuning);
    let also = also_locked(traced, &alike);
    let names: Vec<String> = alike.iter().map(|whole| whole.name()).collect();
    let are = if names.len() > 1 { "are" } else { "is" };
    found.what = format!("{} {are} read as a whole under {}{also}", names.join(" and "), lock.name());
    found.why = format!("{who} waits until it is read: {}", within(range));
    // Up to 17 a key of a partitioned table cannot be NOT VALID; it takes over those that its partitions have.
    let foreign =
        !whole.parts.is_empty() && effect.constraints.iter().any(|constraint| constraint.kind == "f");
    let steps = validated_later(effect).filter(|_| !foreign).or_else(|| not_null(effect));
    let steps = steps.filter(|_| one_action(text(ctx, traced)));
    let constrained = !effect.added_columns.is_empty() && !effect.constraints.is_empty();
    found.help = match &steps {
        Some(_) => "add it NOT VALID, which holds for new rows at once, and validate it in a migration of its own",
        None if foreign => {
            "add the key to each partition first, NOT VALID, and validate it there; added to the table then, it takes \
             those over and reads nothing"
        }
        None => match form(text(ctx, traced)) {
            Form::Attach => {
                "give the new partition a CHECK that says what its bounds say, NOT VALID, and validate it first; a default \
                 partition needs one that says the opposite; then nothing is read"
            }
            Form::Partition => {
                "give the default partition a CHECK that leaves the new partition's rows out, NOT VALID, and validate it \
                 first; and make the table by itself and attach it, for ATTACH lets others read and write the rest"
            }
            Form::Other if constrained => {
                "add the column without its constraint, then the constraint NOT VALID, and validate it in a migration of \
                 its own"
            }
            Form::Other | Form::Refresh => {
                "do what asks for the reading in a statement of its own, under a weaker lock where there is such a form"
            }
        },
    }
    .to_owned();
    found.remedies = steps.map(Remedy::Migration).into_iter().collect();
    found.evidence = evidence(whole.size, lock, range);
    Some(found)
}

/// A statement whose reading has a remedy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Attach,
    Partition,
    Refresh,
    Other,
}

fn form(sql: &str) -> Form {
    let (tokens, _) = tokenize(sql);
    let first = |word: &str| tokens.first().is_some_and(|t| t.is_word(sql, word));
    let pair = |one: &str, other: &str| {
        tokens.windows(2).any(|pair| pair[0].is_word(sql, one) && pair[1].is_word(sql, other))
    };
    match () {
        () if first("alter") && pair("attach", "partition") => Form::Attach,
        () if first("create") && pair("partition", "of") => Form::Partition,
        () if refreshes(sql) => Form::Refresh,
        () => Form::Other,
    }
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
    effect.constraints.is_empty().then(|| set_not_null(effect, column))
}
