//! An OFFSET that has many rows made, only to drop them.
//!
//! Refuses to blame a LIMIT for what a sort or a filter below it reads: it counts what reached the Limit node.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy, Rewrite};
use crate::plan::Node;
use crate::sql::rewrite::keyset::{Keyset, next_page, table};
use crate::words::{counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "offset-discards-rows",
    summary: "an OFFSET makes the server produce many rows and drop them",
    thresholds: &[
        Threshold {
            name: "min-discarded",
            default: 1_000.0,
            unit: "rows",
            why: "a thousand rows are pages that a person leafs through; beyond are programs and crawlers",
        },
        Threshold {
            name: "min-discarded-share",
            default: 0.8,
            unit: "of rows produced",
            why: "under five rows for each that is returned, a page costs about what its rows cost",
        },
    ],
    page: include_str!("../../rules/offset-discards-rows.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let limits = ctx.plan.nodes.iter().filter(|n| n.kind == "Limit");
    limits.filter_map(|limit| discards(ctx, tuning, limit)).collect()
}

fn discards(ctx: &PlanContext, tuning: &Tuning, limit: &Node) -> Option<Finding> {
    let rows = |node: &Node| ctx.facts_of(node.id).rows_total.map(|r| r.0);
    let (produced, returned) = (rows(ctx.children(limit.id).next()?)?, rows(limit)?);
    let discarded = produced - returned;
    let share = discarded / produced.max(1.0);
    if discarded < tuning.get("min-discarded") || share < tuning.get("min-discarded-share") {
        return None;
    }
    let time = ctx.subtree_time(limit.id)? * share;
    let mut found = finding(&SPEC, ctx, limit).recovering(ctx, time);
    found.what = format!("{} are produced and dropped by OFFSET to return {}", counted(discarded, "row"), counted(returned, "row"));
    found.why = format!("{} go into rows before the first one returned, and a larger OFFSET takes longer", duration(time));
    found.help = "ask for the rows behind the last one seen, by the columns of ORDER BY and a unique one, instead of counting from the start".to_owned();
    found.evidence = vec![
        Evidence::data("rows produced", produced, "rows"),
        Evidence::data("rows returned", returned, "rows"),
        Evidence::timing("time on dropped rows", time.0, "ms"),
    ];
    // The OFFSET of a subquery is not that of the statement.
    if limit.parent.is_none() {
        found.remedies.extend(keyset(ctx));
    }
    Some(found)
}

/// The statement that asks for the page behind a row.
fn keyset(ctx: &PlanContext) -> Option<Remedy> {
    let parsed = ctx.parsed?;
    let name = table(parsed)?;
    let relation = ctx.catalog.relation(None, &name)?;
    let keyset = next_page(parsed, &unique_keys(relation))?;
    let to_check = to_check(&keyset, relation);
    Some(Remedy::Rewrite(Rewrite { sql: keyset.sql, to_check }))
}

/// Unique keys whose columns are never null, the primary key first.
fn unique_keys(relation: &Relation) -> Vec<Vec<String>> {
    let fit = relation.indexes.iter().filter(|index| {
        let column = |name: &str| relation.column(name).is_some_and(|c| c.not_null);
        index.unique && index.usable && index.predicate.is_none() && index.keys.iter().all(|k| column(&k.text))
    });
    let mut fit: Vec<_> = fit.collect();
    fit.sort_by_key(|index| (!index.primary, index.keys.len()));
    fit.iter().map(|index| index.keys.iter().map(|k| k.text.clone()).collect()).collect()
}

fn to_check(keyset: &Keyset, relation: &Relation) -> Vec<String> {
    let mut checks = vec![format!(
        "the caller keeps {} of the last row that it has shown and passes them as {}; a page can no longer be asked \
         for by its number",
        keyset.columns.join(", "),
        keyset.parameters.join(", ")
    )];
    if !keyset.added.is_empty() {
        checks.push(format!(
            "rows that are equal in the order come in that of {} from now on: so far they came in any, and could be \
             on two pages or on none",
            keyset.added.join(", ")
        ));
    }
    if !keyset.unique {
        checks.push("rows may be equal in the order: those behind the end of a page are then left out".to_owned());
    }
    let nullable = |name: &&String| relation.column(name).is_none_or(|c| !c.not_null);
    let nullable: Vec<&str> = keyset.columns.iter().filter(nullable).map(String::as_str).collect();
    if !nullable.is_empty() {
        checks.push(format!("rows without {} are left out: no comparison is true of null", nullable.join(", ")));
    }
    checks
}
