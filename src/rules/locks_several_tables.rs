//! Several tables of before that one transaction locks, one after the other.
//!
//! Refuses to speak where a later statement works long under the first lock: then the rule for that says more.

use super::migration::{finding, names, place, text};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::TraceContext;
use crate::finding::{Confidence, Evidence, Finding, Severity};
use crate::migrate::traced::{Effect, Lock, Traced};
use crate::sql::token::tokenize;
use crate::units::Millis;
use crate::words::duration;

pub(super) const SPEC: Spec = Spec {
    name: "locks-several-tables",
    summary: "a migration holds one table in ACCESS EXCLUSIVE while it waits for the same lock on another",
    thresholds: &[Threshold {
        name: "min-rows",
        default: 1_000.0,
        unit: "rows",
        why: "of a table this small a pack does not show that many sessions use it",
    }],
    page: include_str!("../../rules/locks-several-tables.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let transactions = ctx.traced.chunk_by(|one, next| one.transaction == next.transaction);
    transactions.filter_map(|statements| several(ctx, tuning, statements)).collect()
}

fn several(ctx: &TraceContext, tuning: &Tuning, statements: &[Traced]) -> Option<Finding> {
    let locks = |traced: &Traced, effect: &Effect| {
        effect.table
            && effect.lock == Some(Lock::AccessExclusive)
            // A partition waits with its table; nobody asks for what goes; tables that swap their names do it at once.
            && !(effect.part || effect.dropped || effect.renamed_to.is_some())
            && ctx.sizes.whole(&effect.relation).rows >= tuning.get("min-rows")
            && own(text(ctx, traced), &effect.relation)
    };
    let mut locked: Vec<(usize, &Effect)> = Vec::new();
    for (at, traced) in statements.iter().enumerate() {
        let new: Vec<&Effect> = traced.effects.iter().filter(|effect| locks(traced, effect)).collect();
        // After ROLLBACK TO a lock is taken once more.
        let again = |effect: &Effect| locked.iter().any(|(_, had)| had.relation == effect.relation);
        let new: Vec<&Effect> = new.into_iter().filter(|effect| !again(effect)).collect();
        locked.extend(new.into_iter().map(|effect| (at, effect)));
    }
    let from = locked.first()?.0;
    let (at, next) = *locked.iter().find(|(at, _)| *at > from)?;
    if statements[from + 1..].iter().any(|traced| traced.effects.iter().any(Effect::long)) {
        return None;
    }
    let named = |wanted: &dyn Fn(usize) -> bool| -> Vec<&str> {
        locked.iter().filter(|(at, _)| wanted(*at)).map(|(_, effect)| effect.relation.as_str()).collect()
    };
    let (held, later) = (named(&|one| one < at).join(", "), named(&|one| one > at));
    let (first, second) = (&statements[from], &statements[at]);
    let mut found = finding(ctx, &SPEC, second, Some(next));
    found.confidence = Confidence::Guessed;
    let more = if later.is_empty() { String::new() } else { format!(", and then on {}", later.join(", ")) };
    found.what = format!(
        "{held} is held in ACCESS EXCLUSIVE since line {} while this waits for the same lock on {}{more}",
        place(ctx, first).line,
        next.relation
    );
    let limit = match second.lock_timeout {
        0.0 => "for as long as that takes".to_owned(),
        limit => format!("for {} at most", duration(Millis(limit))),
    };
    found.severity = if second.lock_timeout == 0.0 { Severity::Warning } else { Severity::Info };
    found.why = format!(
        "who reads or writes {held} waits for whoever uses {other}, {limit}; whoever uses {other} and then wants {held} \
         makes it a deadlock",
        other = next.relation
    );
    found.help = "one migration per table: then no lock is held while the next one is waited for".to_owned();
    let tables: Vec<&str> = named(&|_| true);
    found.evidence = vec![Evidence::text("tables", tables.join(", "))];
    Some(found)
}

/// The statement is about this table: it names it, or an index, which everybody knows to have a table. Else another rule
/// tells how far its lock reaches.
fn own(sql: &str, relation: &str) -> bool {
    let (tokens, _) = tokenize(sql);
    tokens.get(1).is_some_and(|t| t.is_word(sql, "index")) || names(sql, relation)
}
