//! An index that is built on a table of before while everybody who writes waits.
//!
//! Refuses to speak of a table that the same migrations made.

use super::migration::{SECONDS, blocking, evidence, finding, loudness, text, within, work};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Finding, Remedy};
use crate::migrate::traced::{Effect, Traced};
use crate::sql::token::tokenize;

pub(super) const SPEC: Spec = Spec {
    name: "index-not-concurrent",
    summary: "a migration builds an index while everybody who writes to the table waits",
    thresholds: &SECONDS,
    page: include_str!("../../rules/index-not-concurrent.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for traced in ctx.traced {
        for effect in traced.effects.iter().filter(|e| e.table && !e.built.is_empty() && !e.rewritten) {
            found.extend(builds(ctx, tuning, traced, effect));
        }
    }
    found
}

fn builds(ctx: &TraceContext, tuning: &Tuning, traced: &Traced, effect: &Effect) -> Option<Finding> {
    let (lock, who) = blocking(effect)?;
    let range = work(ctx, effect);
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    found.index = effect.built.first().cloned();
    found.severity = loudness(range, tuning);
    found.what = format!("{} is built on {} under {}", effect.built.join(", "), effect.relation, lock.name());
    found.why = format!("{who} waits until it is built: {}", within(range));
    found.evidence = evidence(ctx, effect, lock, range);
    let steps = concurrently(text(ctx, traced)).or_else(|| by_index(effect));
    found.help = match &steps {
        Some(_) => "build it CONCURRENTLY, in a migration without a transaction".to_owned(),
        None => "build the index CONCURRENTLY in a migration of its own, and add what needs it afterwards".to_owned(),
    };
    found.remedies = steps.map(Remedy::Migration).into_iter().collect();
    Some(found)
}

/// `CREATE INDEX` as `CREATE INDEX CONCURRENTLY`.
fn concurrently(text: &str) -> Option<Vec<String>> {
    let (tokens, _) = tokenize(text);
    let create = tokens.first().is_some_and(|t| t.is_word(text, "create"));
    let index = tokens.iter().take(3).find(|t| t.is_word(text, "index"))?;
    // On a partitioned table it is another dance.
    create.then(|| vec![format!("{} CONCURRENTLY{}", &text[..index.end], &text[index.end..])])
}

/// A key whose index is built before it.
fn by_index(effect: &Effect) -> Option<Vec<String>> {
    let [constraint] = effect.constraints.as_slice() else { return None };
    let (word, columns) = match constraint.kind.as_str() {
        "u" => ("UNIQUE", constraint.definition.strip_prefix("UNIQUE ")?),
        "p" => ("PRIMARY KEY", constraint.definition.strip_prefix("PRIMARY KEY ")?),
        _ => return None,
    };
    if !columns.starts_with('(') || !columns.ends_with(')') || columns.contains(" INCLUDE ") {
        return None;
    }
    let name = crate::sql::ident::quote(&constraint.name);
    Some(vec![
        format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {} {columns}", effect.relation),
        format!("ALTER TABLE {} ADD CONSTRAINT {name} {word} USING INDEX {name}", effect.relation),
    ])
}
