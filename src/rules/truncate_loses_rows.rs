//! A table of before that a migration empties.
//!
//! Refuses to speak of rows that a DELETE with a condition takes.

use super::migration::{finding, text};
use super::whole::wholes;
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::migrate::traced::Effect;
use crate::sql::token::tokenize;

pub(super) const SPEC: Spec = Spec {
    name: "truncate-loses-rows",
    summary: "a migration empties a table, and no migration brings its rows back",
    thresholds: &[],
    page: include_str!("../../rules/truncate-loses-rows.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, _: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for traced in ctx.traced {
        let sql = text(ctx, traced);
        let (tokens, _) = tokenize(sql);
        let first = |word: &str| tokens.first().is_some_and(|t| t.is_word(sql, word));
        let where_ = tokens.iter().any(|t| t.is_word(sql, "where") || t.is_word(sql, "using"));
        let emptied = |e: &Effect| {
            e.table && ((first("truncate") && e.rewritten) || (first("delete") && !where_ && e.changes_rows && e.scanned))
        };
        for whole in wholes(ctx, traced, emptied) {
            let (effect, size) = (&whole.effect, whole.size);
            if size.rows == 0.0 {
                continue;
            }
            let mut finding = finding(ctx, &SPEC, traced, Some(effect));
            finding.severity = Severity::Warning;
            finding.what = format!("all rows of {} are gone after it", whole.name());
            finding.why = "no migration brings them back, and an older version of the program may ask for them".to_owned();
            finding.help = "say so with pgproof:ignore where that is meant; else copy them to another table first".to_owned();
            let label = if size.assumed { "rows, assumed" } else { "rows" };
            finding.evidence = vec![Evidence::data(label, size.rows, "rows")];
            found.push(finding);
        }
    }
    found
}
