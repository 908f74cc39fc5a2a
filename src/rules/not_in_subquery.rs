//! `NOT IN (SELECT …)` whose rows are gone through again for every outer row.
//!
//! Refuses to blame a hashed subquery: that is read once, as an anti join would read it.

use super::rewriting;
use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::{Node, Relationship};
use crate::sql::rewrite::{asks_not_all, not_in_to_not_exists};
use crate::words::{count, counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "not-in-subquery",
    summary: "NOT IN compares every row with every row of its subquery",
    thresholds: &[Threshold {
        name: "min-loops",
        default: 10.0,
        unit: "loops",
        why: "a hash table costs about as much as reading its rows a few times",
    }],
    page: include_str!("../../rules/not-in-subquery.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let subplans = ctx.plan.nodes.iter().filter(|n| n.relationship == Relationship::SubPlan);
    subplans.filter_map(|subplan| compared(ctx, tuning, subplan)).collect()
}

fn compared(ctx: &PlanContext, tuning: &Tuning, subplan: &Node) -> Option<Finding> {
    let node = &ctx.plan.nodes[subplan.parent?];
    let ran = subplan.ran()?;
    if ran.loops < tuning.get("min-loops") || !is_not_in(ctx, node, subplan) {
        return None;
    }
    let time = ctx.self_time(node.id)? + ctx.subtree_time(subplan.id)?;
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, time * (1.0 - 1.0 / ran.loops));
    found.what = format!(
        "NOT IN goes through {} rows of its subquery {}: {} in all",
        count(ran.rows.0),
        counted(ran.loops, "time"),
        counted(ran.rows.0 * ran.loops, "comparison")
    );
    found.why = format!(
        "{} go into it; one NULL among them would have to empty the result, so no join can do it",
        duration(time)
    );
    found.help =
        "NOT EXISTS asks the same of columns that are never NULL, and it is done by an anti join".to_owned();
    found.evidence = vec![
        Evidence::data("loops", ran.loops, "loops"),
        Evidence::data("rows per loop", ran.rows.0, "rows"),
        Evidence::timing("time in the comparison", time.0, "ms"),
    ];
    found.remedies = rewriting::remedy(ctx, not_in_to_not_exists).into_iter().collect();
    Some(found)
}

/// Whether the subplan is asked for `NOT IN`, or for `<> ALL`, which no server hashes. Up to 16 that is printed as NOT EXISTS is; but only the rows of an IN
/// are stored for the next time.
fn is_not_in(ctx: &PlanContext, node: &Node, subplan: &Node) -> bool {
    let Some(name) = subplan.subplan_name.as_deref() else { return false };
    let (since_17, until_16) = (format!("({name}).col"), format!("(NOT ({name}))"));
    let all = subplan.kind == "Materialize" && ctx.parsed.is_some_and(asks_not_all);
    let alone = format!("({name})");
    let texts = [&node.detail.filter, &node.detail.join_filter];
    texts.into_iter().flatten().any(|text| {
        (text.contains("NOT (ANY") && text.contains(&since_17))
            || (text.contains("(ALL (") && text.contains(" <> ") && text.contains(&since_17))
            || (all && text.contains(&alone) && !text.contains(&until_16))
            || (text.contains(&until_16)
                && (subplan.kind == "Materialize" || rewriting::remedy(ctx, not_in_to_not_exists).is_some()))
    })
}
