//! A lock that others wait for, on a table that the statement does not name.
//!
//! Refuses to speak where the statement works long under it: other rules tell that, with both tables.

use super::migration::{blocking, finding, names, text};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding};
use crate::migrate::traced::{Effect, Traced};
use crate::sql::token::tokenize;

pub(super) const SPEC: Spec = Spec {
    name: "lock-reaches-other-table",
    summary: "a migration locks a table that its statement does not name",
    thresholds: &[],
    page: include_str!("../../rules/lock-reaches-other-table.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, _: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for traced in ctx.traced.iter().filter(|traced| !traced.effects.iter().any(Effect::long)) {
        for effect in traced.effects.iter().filter(|e| e.table && !e.part && !e.dropped) {
            found.extend(reaches(ctx, traced, effect));
        }
    }
    found
}

fn reaches(ctx: &TraceContext, traced: &Traced, effect: &Effect) -> Option<Finding> {
    let (lock, who) = blocking(effect)?;
    // Everybody knows that an index has a table.
    let sql = text(ctx, traced);
    let (tokens, _) = tokenize(sql);
    if tokens.get(1).is_some_and(|t| t.is_word(sql, "index")) {
        return None;
    }
    // A table that a pack knows to be empty is asked by nobody.
    if names(sql, &effect.relation) || ctx.sizes.whole(&effect.relation).rows == 0.0 {
        return None;
    }
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    found.what = format!("it takes {} on {} too, which it does not name", lock.name(), effect.relation);
    found.why = format!("{who} there waits for it, and it waits for whoever uses that table");
    let goes = traced.effects.iter().any(|e| e.part && e.dropped);
    found.help = match goes {
        true => {
            "set a lock_timeout; from 14 on, and where no partition is the default one, DETACH it CONCURRENTLY first: then \
             its DROP locks nothing of the rest"
        }
        false => "set a lock_timeout, and run it when both tables are quiet",
    }
    .to_owned();
    found.evidence = vec![Evidence::text("lock", lock.name())];
    Some(found)
}
