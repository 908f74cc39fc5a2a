//! DISTINCT over a join that multiplies rows by a table of which nothing is selected.
//!
//! Refuses to blame a DISTINCT whose duplicates are in the data: EXISTS would not save them.

use super::rewriting;
use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::{NEAR, PlanContext};
use crate::finding::{Evidence, Finding};
use crate::plan::{Node, Relationship};
use crate::sql::condition::{Operand, sort_key};
use crate::sql::rewrite::distinct_join_to_exists;
use crate::units::Millis;
use crate::words::{counted, duration};
use std::collections::BTreeSet;

pub(super) const SPEC: Spec = Spec {
    name: "distinct-hides-fan-out",
    summary: "a join multiplies rows, and DISTINCT throws the copies away",
    thresholds: &[Threshold {
        name: "min-fan-out",
        default: 3.0,
        unit: "joined rows per row kept",
        why: "a semi join saves the copies only; with two of each, finding out costs about what they do",
    }],
    page: include_str!("../../rules/distinct-hides-fan-out.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

/// Nodes between the DISTINCT and its join: they hand rows on.
const PASSING: &[&str] = &["Sort", "Incremental Sort", "Gather", "Gather Merge", "Unique", "Aggregate", "Result"];
const JOINS: &[&str] = &["Nested Loop", "Hash Join", "Merge Join"];
/// Nodes below one join that are looked at: nobody writes more tables into one SELECT.
const MOST: usize = 1_000;

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for node in ctx.plan.nodes.iter().filter(|n| matches!(n.kind.as_str(), "Unique" | "Aggregate")) {
        // A parallel DISTINCT has two nodes: the upper one speaks.
        if told.contains(&node.id) || !over_join(ctx, node) || !distinct(node) {
            continue;
        }
        found.extend(hidden(ctx, tuning, node, &mut told));
    }
    found
}

/// A join's rows are what it gets. Cheaper to know than what its keys are.
fn over_join(ctx: &PlanContext, node: &Node) -> bool {
    let mut below = ctx.children(node.id).next();
    for _ in 0..NEAR {
        match below {
            Some(n) if PASSING.contains(&n.kind.as_str()) => below = ctx.children(n.id).next(),
            _ => break,
        }
    }
    below.is_some_and(|n| JOINS.contains(&n.kind.as_str()))
}

/// A node that throws duplicates away and computes nothing of them.
fn distinct(node: &Node) -> bool {
    let keys: Vec<Operand> = node.detail.group_key.iter().map(|key| sort_key(key).operand).collect();
    match node.kind.as_str() {
        "Unique" => true,
        // Without VERBOSE an aggregate does not say what it computes.
        "Aggregate" => {
            let output = &node.detail.output;
            !output.is_empty() && output.iter().all(|text| keys.contains(&sort_key(text).operand))
        }
        _ => false,
    }
}

fn hidden(ctx: &PlanContext, tuning: &Tuning, node: &Node, told: &mut BTreeSet<usize>) -> Option<Finding> {
    let used = selected(ctx, node)?;
    let mut time = ctx.self_time(node.id)?;
    let mut below = ctx.children(node.id).next()?;
    for _ in 0..NEAR {
        if !PASSING.contains(&below.kind.as_str()) {
            break;
        }
        told.insert(below.id);
        time += ctx.self_time(below.id)?;
        below = ctx.children(below.id).next()?;
    }
    let (join, kept, other) = fan_out(ctx, below, &used, &mut time)?;
    let (joined, kept) = (ctx.facts_of(join.id).rows_total?.0, kept);
    let fan_out = joined / kept.max(1.0);
    if fan_out < tuning.get("min-fan-out") {
        return None;
    }
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, time * (1.0 - 1.0 / fan_out));
    let rows = ctx.facts_of(node.id).rows_total?.0;
    found.what = format!(
        "the join with {other} makes {} of {}, and DISTINCT leaves {rows}",
        counted(joined, "row"),
        crate::words::count(kept),
        rows = crate::words::count(rows)
    );
    found.why = format!("{} go into joining, sorting or hashing copies: nothing of {other} is selected", duration(time));
    found.help = match join.detail.join_type.as_deref() {
        Some("Inner") => format!("EXISTS asks whether there is a row of {other}, and makes no copies"),
        _ => format!("leave {other} out: an outer join neither adds what is selected nor takes it away"),
    };
    found.evidence = vec![
        Evidence::data("rows joined", joined, "rows"),
        Evidence::data("rows before the join", kept, "rows"),
        Evidence::data("rows that DISTINCT leaves", rows, "rows"),
        Evidence::timing("time in the join and the DISTINCT", time.0, "ms"),
    ];
    found.remedies = rewriting::remedy(ctx, distinct_join_to_exists).into_iter().collect();
    Some(found)
}

/// The tables whose columns come out of the node, by alias; `None` where that cannot be told.
fn selected(ctx: &PlanContext, node: &Node) -> Option<BTreeSet<String>> {
    let sort = ctx.children(node.id).find(|n| !n.detail.sort_key.is_empty());
    let lists = [&node.detail.output, &node.detail.group_key];
    let texts = lists.into_iter().chain(sort.map(|n| &n.detail.sort_key)).find(|list| !list.is_empty())?;
    let columns = texts.iter().flat_map(|text| sort_key(text).operand.columns);
    let used: Option<BTreeSet<String>> = columns.map(|c| c.qualifier).collect();
    used.filter(|used| !used.is_empty())
}

/// The join, at `top` or below it, one side of which is only tables that nothing is selected of: with the rows of the
/// other side and the name of such a table.
fn fan_out<'a>(
    ctx: &PlanContext<'a>,
    top: &'a Node,
    used: &BTreeSet<String>,
    time: &mut Millis,
) -> Option<(&'a Node, f64, String)> {
    let mut join = top;
    for _ in 0..NEAR {
        if !JOINS.contains(&join.kind.as_str()) {
            return None;
        }
        let mut sides = ctx.children(join.id).filter(|n| n.relationship != Relationship::SubPlan);
        let (outer, inner) = (sides.next()?, sides.next()?);
        *time += ctx.self_time(join.id)?;
        // A loop fetches for each copy; besides, only together are their times exact.
        if join.kind == "Nested Loop" {
            *time += ctx.subtree_time(inner.id)?;
        }
        let (of_outer, of_inner) = (unselected(ctx, outer, used)?, unselected(ctx, inner, used)?);
        match (of_outer, of_inner) {
            (Side::All(name), Side::None | Side::Some) => return Some((join, rows_of(ctx, join, inner)?, name)),
            (Side::None | Side::Some, Side::All(name)) => return Some((join, rows_of(ctx, join, outer)?, name)),
            (Side::Some, _) => join = through(ctx, outer),
            (_, Side::Some) => join = through(ctx, inner),
            _ => return None,
        }
    }
    None
}

/// What of a side's tables nothing is selected of.
enum Side {
    None,
    Some,
    /// All of them; the name of the first.
    All(String),
}

fn unselected(ctx: &PlanContext, side: &Node, used: &BTreeSet<String>) -> Option<Side> {
    let below = ctx.subtree(side.id);
    let scans = below.iter().filter(|n| n.detail.relation.is_some()).collect::<Vec<_>>();
    if below.len() > MOST || scans.is_empty() {
        return None;
    }
    let is_used = |n: &&&Node| ctx.outer_alias(n).is_some_and(|alias| used.contains(alias));
    Some(match scans.iter().filter(is_used).count() {
        0 => Side::All(ctx.relation_name(scans[0])),
        n if n == scans.len() => Side::None,
        _ => Side::Some,
    })
}

fn through<'a>(ctx: &PlanContext<'a>, side: &'a Node) -> &'a Node {
    let passes = ["Hash", "Sort", "Materialize", "Memoize"].contains(&side.kind.as_str());
    ctx.children(side.id).next().filter(|_| passes).unwrap_or(side)
}

/// Rows of the side that is kept. Where a loop fetches them by key again and again, it is those of their table.
fn rows_of(ctx: &PlanContext, join: &Node, side: &Node) -> Option<f64> {
    let fetched = ctx.facts_of(side.id).rows_total?.0;
    let again = join.kind == "Nested Loop" && side.relationship == Relationship::Inner;
    if again { Some(ctx.relation(through(ctx, side))?.rows?.min(fetched)) } else { Some(fetched) }
}

#[cfg(test)]
mod tests {
    use super::super::stored::found;
    use super::*;

    /// No page can tell this: its plans are VERBOSE and list what each node hands on.
    #[test]
    fn a_sort_below_says_what_is_selected() {
        let plan = "Unique  (cost=9.00..9.00 rows=900 width=8) (actual time=50.000..60.000 rows=1000 loops=1)\n  \
            ->  Sort  (cost=9.00..9.00 rows=50000 width=8) (actual time=50.000..55.000 rows=50000 loops=1)\n        \
                  Sort Key: u.name\n        Sort Method: quicksort  Memory: 3000kB\n        \
                  ->  Hash Join  (cost=9.00..9.00 rows=50000 width=8) (actual time=1.000..30.000 rows=50000 loops=1)\n              \
                        Hash Cond: (o.user_id = u.id)\n              \
                        ->  Seq Scan on orders o  (cost=0.00..9.00 rows=50000 width=4) (actual time=0.010..9.000 rows=50000 loops=1)\n              \
                        ->  Hash  (cost=9.00..9.00 rows=1000 width=12) (actual time=0.900..0.900 rows=1000 loops=1)\n                    \
                              ->  Seq Scan on users u  (cost=0.00..9.00 rows=1000 width=12) (actual time=0.010..0.500 rows=1000 loops=1)\n\
            Planning Time: 0.1 ms\nExecution Time: 60.1 ms\n";
        let told: Vec<String> = found(&SPEC, plan).expect("a plan").into_iter().map(|f| f.what).collect();
        assert_eq!(told, ["the join with orders makes 50,000 rows of 1,000, and DISTINCT leaves 1,000"]);
    }
}
