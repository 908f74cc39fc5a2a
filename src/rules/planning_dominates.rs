//! Planning that takes longer than the execution it is for.
//!
//! Refuses to blame without a reason in the plan: a catalog cache that was cold makes any planning slow, once.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::capture::Mode;
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::Node;
use crate::words::{counted, duration, percent};
use std::collections::HashSet;

pub(super) const SPEC: Spec = Spec {
    name: "planning-dominates",
    summary: "planning a statement takes longer than executing it",
    thresholds: &[
        Threshold {
            name: "min-planning",
            default: 5.0,
            unit: "ms",
            why: "a statement of a few tables is planned in well under a millisecond, with cold caches in a few",
        },
        Threshold {
            name: "min-share",
            default: 0.5,
            unit: "of planning and execution",
            why: "below a half the execution is where to look first",
        },
        Threshold {
            name: "min-relations",
            default: 50.0,
            unit: "tables and partitions",
            why: "each costs the planner some 10 to 100 microseconds, with its columns, indexes and statistics",
        },
        Threshold {
            name: "min-joins",
            default: 7.0,
            unit: "joins",
            why: "eight tables are the default of join_collapse_limit: from there on the orders to compare explode",
        },
        Threshold {
            name: "min-list",
            default: 200.0,
            unit: "values",
            why: "the selectivity of a list is estimated value by value, against all common values of the column",
        },
        Threshold {
            name: "min-indexes",
            default: 30.0,
            unit: "indexes of one table",
            why: "each is weighed for each condition and each order, in each join that the table may stand in",
        },
    ],
    page: include_str!("../../rules/planning-dominates.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    dominates(ctx, tuning).into_iter().collect()
}

fn dominates(ctx: &PlanContext, tuning: &Tuning) -> Option<Finding> {
    let (planning, execution) = (ctx.plan.planning_time?, ctx.facts.execution?);
    let share = planning.0 / (planning.0 + execution.0);
    if planning.0 < tuning.get("min-planning") || share < tuning.get("min-share") {
        return None;
    }
    let reasons = reasons(ctx, tuning);
    if reasons.is_empty() {
        return None;
    }
    let mut found = finding(&SPEC, ctx, ctx.plan.root()?).recovering(ctx, planning);
    found.share = share;
    found.what = format!(
        "planning takes {}, {} of the time until the last row; executing it {}",
        duration(planning),
        percent(share),
        duration(execution)
    );
    let (because, help): (Vec<String>, Vec<&str>) = reasons.into_iter().unzip();
    found.why = format!("the planner has to weigh {}", because.join(", and "));
    found.help = format!("a prepared statement can keep its plan; {}", help.join("; "));
    found.evidence =
        vec![Evidence::timing("planning", planning.0, "ms"), Evidence::timing("execution", execution.0, "ms")];
    // Our own runs are planned once before: what is touched then are the ends of indexes, which estimates look at.
    let stored = ctx.plan.planning_buffers.filter(|_| ctx.mode == Mode::Stored);
    let blocks = stored.map_or(0, |b| b.shared_hit.0 + b.shared_read.0);
    if blocks > 0 {
        found.why.push_str(&format!(
            "; {} touched meanwhile may tell of a catalog cache that was cold: then the next planning in the same \
             session is quicker",
            counted(blocks as f64, "block")
        ));
    }
    Some(found)
}

/// What in the plan makes planning slow, each with what to do about it.
fn reasons(ctx: &PlanContext, tuning: &Tuning) -> Vec<(String, &'static str)> {
    let nodes = &ctx.plan.nodes;
    let scanned = || nodes.iter().filter(|n| n.detail.relation.is_some());
    let relations: HashSet<_> = scanned().map(|n| (&n.detail.schema, &n.detail.relation)).collect();
    let joins = nodes.iter().filter(|n| n.kind == "Nested Loop" || n.kind.ends_with(" Join")).count();
    let list = nodes.iter().map(longest_list).max().unwrap_or(0);
    let indexes = scanned().filter_map(|n| ctx.relation(n)).map(|r| r.indexes.len()).max().unwrap_or(0);
    let each = [
        (
            "min-relations",
            relations.len(),
            format!("{} tables and partitions", relations.len()),
            "a condition that compares the partition key with a constant leaves partitions out before they are planned",
        ),
        (
            "min-joins",
            joins,
            format!("the orders of {joins} joins"),
            "a lower join_collapse_limit compares fewer orders, and keeps closer to the one that is written",
        ),
        (
            "min-list",
            list,
            format!("a list of {list} values"),
            "= ANY ($1) takes any list as one parameter, so that one plan serves all",
        ),
        ("min-indexes", indexes, format!("{indexes} indexes of one table"), "indexes that no statement uses can go"),
    ];
    let enough = each.into_iter().filter(|(name, number, ..)| *number as f64 >= tuning.get(name));
    enough.map(|(_, _, reason, help)| (reason, help)).collect()
}

/// Values of the longest list that a node compares with: `= ANY ('{1,2,3}'::integer[])`.
fn longest_list(node: &Node) -> usize {
    let detail = &node.detail;
    let conditions = [&detail.index_cond, &detail.filter, &detail.recheck_cond];
    let lists = conditions.into_iter().flatten().flat_map(|text| text.split("('{").skip(1));
    lists.map(|list| list.split("}'").next().unwrap_or(list).split(',').count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::facts::facts;
    use crate::plan::read_text;
    use crate::rules::Config;

    /// The runs of the pages' cases are planned twice in a session: they never see a cold cache.
    #[test]
    fn a_cold_catalog_is_told_beside_a_reason_and_blamed_for_nothing_without_one() {
        let told = |list: usize| {
            let values: Vec<String> = (0..list).map(|n| n.to_string()).collect();
            let text = format!(
                "Seq Scan on t  (cost=0.00..1.00 rows=1 width=6) (actual time=0.010..0.020 rows=1 loops=1)\n  \
                 Filter: (x = ANY ('{{{}}}'::integer[]))\nPlanning:\n  Buffers: shared hit=240 read=60\n\
                 Planning Time: 40.0 ms\nExecution Time: 0.1 ms\n",
                values.join(",")
            );
            let plan = read_text(&text).expect("a plan").remove(0);
            let ctx = PlanContext {
                statement_id: 0,
                run_id: 0,
                statement: &crate::sql::read(""),
                parsed: None,
                mode: Mode::Stored,
                parameters: &[],
                plan: &plan,
                facts: &facts(&plan),
                catalog: &Catalog::default(),
                server: None,
            };
            check(&ctx, &Tuning { spec: &SPEC, config: &Config::default() })
        };
        assert!(told(9).is_empty());
        assert!(told(900)[0].why.starts_with("the planner has to weigh a list of 900 values; 300 blocks"));
    }
}
