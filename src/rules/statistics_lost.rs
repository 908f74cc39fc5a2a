//! A column or an expression of which the planner knows nothing once the migrations have run.
//!
//! Refuses to speak of a table whose size nobody said, and of a new column: its rows hold what its default says.

use super::migration::{finding, names, text};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::migrate::traced::{Effect, Traced};
use crate::sql::ident::quote;
use crate::sql::token::tokenize;

pub(super) const SPEC: Spec = Spec {
    name: "statistics-lost",
    summary: "a migration leaves the planner without statistics of a column or an expression",
    thresholds: &[Threshold {
        name: "min-rows",
        default: 10_000.0,
        unit: "rows",
        why: "a table this small is read in a millisecond whatever the plan",
    }],
    page: include_str!("../../rules/statistics-lost.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, traced) in ctx.traced.iter().enumerate() {
        let lost = |effect: &&Effect| !effect.retyped.is_empty() || !effect.computed.is_empty();
        for effect in traced.effects.iter().filter(lost) {
            let size = ctx.sizes.whole(&effect.relation);
            // What is done to partitions is told of their table.
            let told = effect.part || size.assumed || size.rows < tuning.get("min-rows");
            if !told && !analyzed(ctx, at, &effect.relation) {
                found.push(lose(ctx, traced, effect, size.rows));
            }
        }
    }
    found
}

/// This statement or a later one collects statistics of the table.
fn analyzed(ctx: &TraceContext, at: usize, table: &str) -> bool {
    ctx.traced[at + 1..].iter().map(|traced| text(ctx, traced)).any(|sql| {
        let (tokens, _) = tokenize(sql);
        let first = |words: &[&str]| tokens.first().is_some_and(|t| words.iter().any(|word| t.is_word(sql, word)));
        let collects = first(&["analyze", "analyse"])
            || (first(&["vacuum", "do", "call"]) && (names(sql, "analyze") || names(sql, "analyse")));
        let all = !tokens.iter().skip(1).any(|t| !["verbose", "analyze", "full", "freeze"].iter().any(|w| t.is_word(sql, w)));
        collects && (all || names(sql, table))
    })
}

fn lose(ctx: &TraceContext, traced: &Traced, effect: &Effect, rows: f64) -> Finding {
    let table = &effect.relation;
    let columns: Vec<String> = effect.retyped.iter().map(|(column, ..)| quote(column)).collect();
    let mut finding = finding(ctx, &SPEC, traced, Some(effect));
    finding.severity = Severity::Warning;
    let which = match columns.as_slice() {
        [] => format!("what {} computes", effect.computed.join(" and ")),
        columns => format!("{} of {table}", columns.join(" and ")),
    };
    finding.what = format!("the planner has no statistics of {which} from here on");
    finding.why = "until ANALYZE has run it takes constants for them, and plans by these; autovacuum does not see that \
                   anything changed"
        .to_owned();
    finding.help = format!("run ANALYZE {table} as soon as it has committed");
    finding.within = Some(columns.iter().chain(&effect.computed).map(String::as_str).collect::<Vec<_>>().join(" "));
    finding.evidence = vec![Evidence::data("rows", rows, "rows")];
    finding
}
