//! An OR that reads several tables, so that only the joined rows can be tested.
//!
//! Refuses ORs of one table, which a bitmap or a filter below the join can answer.

use super::rewriting;
use super::support::{finding, join_filter};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::Node;
use crate::sql::condition::{Condition, condition};
use crate::sql::rewrite::or_to_union;
use crate::words::{counted, duration, percent};
use std::collections::BTreeSet;

pub(super) const SPEC: Spec = Spec {
    name: "or-across-tables",
    summary: "an OR reads several tables, so that rows are joined first and discarded then",
    thresholds: &[Threshold {
        name: "min-removed-share",
        default: 0.9,
        unit: "of joined rows",
        why: "a join that keeps most of what it joins has to join it",
    }],
    page: include_str!("../../rules/or-across-tables.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    ctx.plan.nodes.iter().filter_map(|join| across(ctx, tuning, join)).collect()
}

fn across(ctx: &PlanContext, tuning: &Tuning, join: &Node) -> Option<Finding> {
    let filter = join.detail.join_filter.as_deref()?;
    let filtered = join_filter(ctx, join)?;
    if filtered.share() < tuning.get("min-removed-share") {
        return None;
    }
    let tables = tables_of_or(&condition(filter))?;
    let names: Vec<&str> = tables.iter().map(String::as_str).collect();
    let mut found = finding(&SPEC, ctx, join).recovering(ctx, filtered.time * filtered.share());
    found.what = format!(
        "an OR reads {}, so {} are joined first and {} of them discarded",
        names.join(" and "),
        counted(filtered.removed + filtered.kept, "row"),
        percent(filtered.share())
    );
    found.why = format!("{} go into it; no index and no hash can answer both sides at once: {filter}", duration(filtered.time));
    found.help = "a SELECT for each side of the OR, put together by UNION, lets each use its own index or hash".to_owned();
    found.evidence = vec![
        Evidence::data("rows kept", filtered.kept, "rows"),
        Evidence::data("rows discarded", filtered.removed, "rows"),
        Evidence::timing("time in the join", filtered.time.0, "ms"),
    ];
    found.remedies = rewriting::remedy(ctx, or_to_union).into_iter().collect();
    Some(found)
}

/// What the first OR that reads more than one table reads, by the names in the condition.
fn tables_of_or(condition: &Condition) -> Option<BTreeSet<String>> {
    match condition {
        Condition::Test(_) => None,
        Condition::And(parts) => parts.iter().find_map(tables_of_or),
        Condition::Or(_) => {
            let operands = condition.tests().into_iter().flat_map(|t| std::iter::once(&t.left).chain(&t.right));
            let tables: BTreeSet<String> =
                operands.flat_map(|o| &o.columns).filter_map(|c| c.qualifier.clone()).collect();
            (tables.len() > 1).then_some(tables)
        }
    }
}
