//! Which nodes were, or may have been, stopped before their last row.

use super::expressions::{What, expressions, mentions};
use super::shape::{Shape, cte_name};
use crate::plan::{Node, Plan, Relationship};
use std::collections::HashSet;

/// How a node's output may be cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    /// Its last pass only: below a LIMIT.
    Last,
    /// Every pass: the inner side of a semi join.
    Every,
}

/// For each node, whether it may have been stopped early.
pub(super) fn stopped_early(plan: &Plan, shape: &Shape) -> Vec<bool> {
    let mut stops = vec![Stop::No; plan.nodes.len()];
    let brief = brief_subplans(plan);
    let mut scans: Vec<&[usize]> = vec![&[]; plan.nodes.len()];
    for (cte, list) in &shape.cte_scans {
        scans[*cte] = list.as_slice();
    }
    // A stack, so that CTEs come after everything that reads them: they are pushed first.
    let mut stack: Vec<usize> = plan.nodes.first().map(|root| root.id).into_iter().collect();
    while let Some(id) = stack.pop() {
        let node = &plan.nodes[id];
        if let Some(parent) = node.parent {
            stops[id] = match node.relationship {
                Relationship::InitPlan if cte_name(node).is_some() => of_cte(plan, &stops, node, scans[id]),
                Relationship::InitPlan | Relationship::SubPlan => {
                    if brief[id] {
                        Stop::Every
                    } else {
                        Stop::No
                    }
                }
                _ => below(
                    shape.inner[parent].map(|id| &plan.nodes[id]),
                    &plan.nodes[parent],
                    stops[parent],
                    node,
                ),
            };
        }
        let is_cte = |&&child: &&usize| cte_name(&plan.nodes[child]).is_some();
        stack.extend(shape.children[id].iter().filter(is_cte));
        stack.extend(shape.children[id].iter().filter(|child| !is_cte(child)));
    }
    stops.into_iter().map(|stop| stop != Stop::No).collect()
}

/// A CTE is read as far as its scans ask, but one that writes runs to its end.
fn of_cte(plan: &Plan, stops: &[Stop], node: &Node, scans: &[usize]) -> Stop {
    let mut read = scans.iter().filter(|&&scan| plan.nodes[scan].ran().is_some()).peekable();
    if node.kind == "ModifyTable" || read.peek().is_none() {
        return Stop::No;
    }
    if read.all(|&scan| stops[scan] != Stop::No) { Stop::Last } else { Stop::No }
}

/// How `child` may be cut short by `node`, which itself may be cut short as `stop` says; `hash` is its inner child.
fn below(hash: Option<&Node>, node: &Node, stop: Stop, child: &Node) -> Stop {
    let inherited = match node.kind.as_str() {
        "Sort" | "Hash" | "Bitmap Heap Scan" | "BitmapAnd" | "BitmapOr" | "ModifyTable" => Stop::No,
        "Aggregate" | "SetOp" if node.detail.strategy.as_deref() != Some("Sorted") => Stop::No,
        // A second pass over a Materialize begins when the first has come to its end.
        "Materialize" if stop == Stop::Last && node.ran().is_some_and(|ran| ran.loops > 1.0) => Stop::No,
        _ => stop,
    };
    let outer = child.relationship == Relationship::Outer;
    let inner = child.relationship == Relationship::Inner;
    let join = node.detail.join_type.as_deref().unwrap_or("Inner");
    let own = match node.kind.as_str() {
        "Limit" if outer => Stop::Last,
        "WindowAgg" if outer && node.detail.run_condition.is_some() => Stop::Last,
        "Nested Loop" if inner => {
            let first_match = matches!(join, "Semi" | "Anti") || node.detail.inner_unique == Some(true);
            if first_match { Stop::Every } else { Stop::No }
        }
        "Merge Join" => match (join, outer, inner) {
            ("Inner" | "Semi", _, _) => Stop::Last,
            ("Left" | "Anti", _, true) | ("Right" | "Right Anti", true, _) => Stop::Last,
            _ => Stop::No,
        },
        // An empty hash table ends the join at once where unmatched outer rows are not wanted.
        "Hash Join" if outer && matches!(join, "Inner" | "Semi" | "Right" | "Right Anti" | "Right Semi") => {
            if hash.and_then(Node::ran).is_some_and(|ran| ran.rows.0 == 0.0) {
                Stop::Last
            } else {
                Stop::No
            }
        }
        _ => Stop::No,
    };
    match (inherited, own) {
        (Stop::Every, _) | (_, Stop::Every) => Stop::Every,
        (Stop::Last, _) | (_, Stop::Last) => Stop::Last,
        _ => Stop::No,
    }
}

/// The subplans that a single row can decide: those of EXISTS, which return no column, and of ANY and ALL.
fn brief_subplans(plan: &Plan) -> Vec<bool> {
    let mut brief = vec![false; plan.nodes.len()];
    let mut parents: HashSet<usize> = HashSet::new();
    for node in &plan.nodes {
        if matches!(node.relationship, Relationship::SubPlan | Relationship::InitPlan) {
            brief[node.id] = node.estimate.is_some_and(|estimate| estimate.width == 0.0)
                || name(node).is_some_and(|name| name.starts_with("exists"));
            if node.relationship == Relationship::SubPlan {
                parents.extend(node.parent);
            }
        }
    }
    let mut stopping: HashSet<&str> = HashSet::new();
    for &parent in &parents {
        let node = &plan.nodes[parent];
        let whole = [&node.detail.filter, &node.detail.join_filter];
        for text in whole.into_iter().flatten() {
            let alone = text.strip_prefix("(SubPlan ").and_then(|rest| rest.strip_suffix(')'));
            stopping.extend(alone.filter(|name| !name.contains(')')));
        }
        for text in expressions(node) {
            mentions(text, |mention| {
                if let (What::SubPlan(name), true) = (mention.what, mention.may_stop) {
                    stopping.insert(name);
                }
            });
        }
    }
    for node in plan.nodes.iter().filter(|node| node.relationship == Relationship::SubPlan) {
        brief[node.id] |= name(node).is_some_and(|name| stopping.contains(name));
    }
    brief
}

fn name(node: &Node) -> Option<&str> {
    let name = node.subplan_name.as_deref()?;
    name.strip_prefix("SubPlan ").or_else(|| name.strip_prefix("InitPlan "))
}
