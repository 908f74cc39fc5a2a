//! A table that is written anew while nobody may read it.
//!
//! Refuses to guess from the words: a rewrite was seen, or there was none.

use super::migration::{SECONDS, also_locked, blocking, evidence, finding, loudness, refreshes, text, within, within_table, work};
use super::whole::{Whole, wholes};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::Finding;
use crate::migrate::traced::Traced;
use crate::sql::token::tokenize;

pub(super) const SPEC: Spec = Spec {
    name: "blocking-rewrite",
    summary: "a migration writes a table anew while nobody may read it",
    thresholds: &SECONDS,
    page: include_str!("../../rules/blocking-rewrite.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for traced in ctx.traced {
        let sql = text(ctx, traced);
        let (tokens, _) = tokenize(sql);
        // A new empty file takes no time.
        let truncates = tokens.first().is_some_and(|t| t.is_word(sql, "truncate"));
        let all = wholes(ctx, traced, |effect| effect.table && effect.rewritten && !truncates);
        let told: Vec<&Whole> = all.iter().collect();
        found.extend(all.iter().filter_map(|whole| rewrites(ctx, tuning, traced, whole, &told)));
    }
    found
}

fn rewrites(
    ctx: &TraceContext,
    tuning: &Tuning,
    traced: &Traced,
    whole: &Whole,
    all: &[&Whole],
) -> Option<Finding> {
    let effect = &whole.effect;
    // An earlier statement of the transaction may have taken the lock.
    let (lock, who) = blocking(effect)
        .unwrap_or((crate::migrate::traced::Lock::AccessExclusive, "everybody who reads or writes"));
    let range = work(whole.size, effect);
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    found.within = within_table(effect);
    found.severity = loudness(range, tuning);
    let also = also_locked(traced, all);
    found.what = format!("{} is written anew, with all its indexes, under {}{also}", whole.name(), lock.name());
    found.why = format!("{who} waits until it is done: {}", within(range));
    if refreshes(text(ctx, traced)) {
        found.why.push_str("; and as long as its query takes, which no size tells");
    }
    if unlogged(text(ctx, traced)) {
        found.why.push_str("; from then on a crash empties the table, and no standby has its rows");
    }
    found.help = match effect.retyped.as_slice() {
        [several @ .., (last, ..)] if !several.is_empty() => {
            let others: Vec<&str> = several.iter().map(|(column, ..)| column.as_str()).collect();
            format!(
                "add a column of the new type for each of {} and {last}, keep it equal with a trigger, fill it in batches, and \
                 swap the two; a type that asks for no new file, such as a longer varchar, can change by itself",
                others.join(", ")
            )
        }
        [(column, from, to), ..] => format!(
            "add a column of type {to}, keep it equal with a trigger, fill it in batches, and swap the two; {column} \
             is {from} until then"
        ),
        [] if !effect.added_columns.is_empty() && !defaults(text(ctx, traced)) => {
            "a condition of the column's domain asks for it: add the column with the type below the domain and the condition \
             as a CHECK that is NOT VALID, and validate it in a migration of its own"
                .to_owned()
        }
        [] if !effect.added_columns.is_empty() => {
            "add the column without the default (a generated one as a plain one that a trigger fills), set the default, \
             fill the rows in batches, and set NOT NULL, where it is wanted, by a validated CHECK"
                .to_owned()
        }
        [] if refreshes(text(ctx, traced)) => {
            "REFRESH MATERIALIZED VIEW CONCURRENTLY lets everybody read meanwhile; it needs a unique index over columns and all \
             rows"
                .to_owned()
        }
        [] => "do it while nobody needs the table, or copy it while it is used, as pg_repack does".to_owned(),
    };
    found.evidence = evidence(whole.size, lock, range);
    Some(found)
}

/// A column of the statement gets its values from a default, a sequence or an expression.
fn defaults(sql: &str) -> bool {
    const WORDS: [&str; 6] = ["default", "generated", "serial", "bigserial", "smallserial", "identity"];
    let (tokens, _) = tokenize(sql);
    // In a block of code or a function it cannot be seen.
    let alter = tokens.first().is_some_and(|t| t.is_word(sql, "alter"));
    !alter || tokens.iter().any(|t| WORDS.iter().any(|word| t.is_word(sql, word)))
}

fn unlogged(sql: &str) -> bool {
    let (tokens, _) = tokenize(sql);
    tokens.windows(2).any(|pair| pair[0].is_word(sql, "set") && pair[1].is_word(sql, "unlogged"))
}
