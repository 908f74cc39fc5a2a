//! What changed between counterparts, and what has none.
//!
//! Refuses to list noise: times and blocks have a floor, in absolute terms and as a share of the whole.

use super::keys::{Conditions, Keys, category, in_bitmap, is_join};
use super::pairs::Pairs;
use super::rows::RowsCompared;
use super::{Change, Moved, Pair, Side, Spent, Term};
use crate::facts::NodeFacts;
use crate::plan::{Buffers, Node};
use crate::units::Blocks;
use std::collections::HashMap;

/// Times that differ by less are not told: nobody notices.
const FLOOR_MS: f64 = 1.0;
/// Blocks that differ by less are not told: 64 kB.
const FLOOR_BLOCKS: f64 = 8.0;
/// A node's difference is told from this share of the larger plan's total on.
const SHARE: f64 = 0.05;
/// Two runs of one plan differ by such factors without a reason.
const NOISE: f64 = 1.3;
/// Nodes between two joins that only hand rows on are a few at most.
const NEAR: usize = 100;

/// Everything that changed, of one kind what matters most first.
pub(super) fn changes(
    base: Side,
    head: Side,
    pairs: &Pairs,
    keys: &(Keys, Keys),
    rows: &RowsCompared,
) -> Vec<Change> {
    let own = (Own::of(base), Own::of(head));
    let mut found: Vec<(f64, Change)> = Vec::new();
    let mut alike: Vec<Pair> = Vec::new();
    let nodes = |pair: Pair| Some((base.plan.nodes.get(pair.base)?, head.plan.nodes.get(pair.head)?));
    for (at, (one, other)) in pairs.list.iter().filter_map(|&pair| Some((pair, nodes(pair)?))) {
        let weight = own.0.weight(base, at.base).max(own.1.weight(head, at.head));
        let spent = spent(at, &own);
        let mut add = |change: Change| found.push((weight, change));
        let source = keys.0.source.get(at.base) == Some(&true);
        let changed = if source {
            let access = (Access::of(base, one), Access::of(head, other));
            (access.0 != access.1).then_some(Change::AccessPath { at, spent })
        } else if is_join(one) && is_join(other) {
            let join =
                |node: &Node| (node.kind.clone(), node.detail.join_type.clone().unwrap_or("Inner".into()));
            (join(one) != join(other)).then_some(Change::JoinMethod { at, spent })
        } else {
            let method = |node: &Node| {
                let d = &node.detail;
                let mode = d.partial_mode.clone().filter(|mode| mode != "Simple");
                let strategy = d.strategy.clone().filter(|strategy| strategy != "Plain");
                (node.kind.clone(), strategy, mode, d.index.clone())
            };
            (method(one) != method(other) && !in_bitmap(one)).then_some(Change::Method { at, spent })
        };
        if changed.is_none() {
            conditions(at, one, other).into_iter().for_each(&mut add);
            alike.push(at);
        }
        changed.into_iter().for_each(&mut add);
        if let (Some(before), Some(after)) = (one.workers_launched, other.workers_launched)
            && before != after
        {
            add(Change::Workers { at, workers: Moved { base: before.into(), head: after.into() } });
        }
    }
    found.extend(join_orders(base, head, pairs));
    found.extend(rows.actual.iter().map(|&(at, rows)| (distance(rows), Change::ActualRows { at, rows })));
    found
        .extend(rows.expected.iter().map(|&(at, rows)| (distance(rows), Change::EstimatedRows { at, rows })));
    found.extend(amounts(base, head, pairs, &alike, &own));
    let alone = |of: &[Option<usize>], side: Side, own: &Own, make: fn(usize) -> Change| {
        let ids = of.iter().enumerate().filter(|(_, other)| other.is_none()).map(|(id, _)| id);
        let ids = ids.filter(|&id| side.plan.nodes.get(id).is_some_and(|node| !in_bitmap(node)));
        ids.map(|id| (own.weight(side, id), make(id))).collect::<Vec<_>>()
    };
    found.extend(alone(&pairs.head_of, base, &own.0, |base| Change::Gone { base }));
    found.extend(alone(&pairs.base_of, head, &own.1, |head| Change::New { head }));
    found.extend(settings(base, head).into_iter().map(|change| (0.0, change)));
    found.sort_by(|a, b| rank(&a.1).cmp(&rank(&b.1)).then(b.0.total_cmp(&a.0)));
    found.into_iter().map(|(_, change)| change).collect()
}

fn rank(change: &Change) -> usize {
    match change {
        Change::AccessPath { .. } => 0,
        Change::JoinOrder { .. } => 1,
        Change::JoinMethod { .. } => 2,
        Change::Method { .. } => 3,
        Change::ActualRows { .. } => 4,
        Change::EstimatedRows { .. } => 5,
        Change::Time { .. } => 6,
        Change::Blocks { .. } => 7,
        Change::Temp { .. } => 8,
        Change::Workers { .. } => 9,
        Change::Gone { .. } => 10,
        Change::New { .. } => 11,
        Change::Condition { .. } => 12,
        Change::Setting { .. } => 13,
    }
}

/// How many times one is the other.
fn distance(moved: Moved) -> f64 {
    let (less, more) = (moved.base.min(moved.head).max(0.5), moved.base.max(moved.head).max(0.5));
    more / less
}

/// How a relation is read.
#[derive(PartialEq)]
struct Access {
    kind: String,
    parallel: bool,
    backward: bool,
    indexes: Vec<String>,
}

impl Access {
    fn of(side: Side, node: &Node) -> Access {
        let bitmap = node.kind == "Bitmap Heap Scan";
        let below = if bitmap { side.facts.tree.subtree(node.id) } else { node.id..node.id + 1 };
        let nodes = side.plan.nodes.get(below).unwrap_or(&[]);
        Access {
            kind: node.kind.clone(),
            parallel: node.detail.parallel_aware == Some(true),
            backward: node.detail.scan_direction.as_deref() == Some("Backward"),
            indexes: nodes.iter().filter_map(|node| node.detail.index.clone()).collect(),
        }
    }
}

/// Time and blocks of each node alone, those of bitmaps with their heap scan.
pub(super) struct Own {
    time: Vec<Option<f64>>,
    blocks: Vec<Option<f64>>,
    temp: Vec<Option<f64>>,
}

impl Own {
    pub(super) fn of(side: Side) -> Own {
        let blocks = |of: fn(&Buffers) -> Blocks| {
            own(side, &|facts| facts.self_buffers.as_ref().map(|buffers| of(buffers).0.max(0) as f64))
        };
        Own {
            time: own(side, &|facts| facts.self_time.map(|time| time.0.max(0.0))),
            blocks: blocks(|b| b.shared_hit + b.shared_read + b.local_hit + b.local_read),
            temp: blocks(|b| b.temp_read + b.temp_written),
        }
    }

    /// What ranks a node: its time, else its cost.
    fn weight(&self, side: Side, id: usize) -> f64 {
        let cost = || side.plan.nodes.get(id).and_then(|node| node.estimate).map(|e| e.total_cost.0);
        self.time.get(id).copied().flatten().or_else(cost).unwrap_or(0.0)
    }
}

fn own(side: Side, of: &dyn Fn(&NodeFacts) -> Option<f64>) -> Vec<Option<f64>> {
    let mut numbers: Vec<Option<f64>> = side.facts.nodes.iter().map(of).collect();
    for node in side.plan.nodes.iter().rev().filter(|node| in_bitmap(node)) {
        let Some(part) = numbers.get_mut(node.id).map(Option::take) else { continue };
        if let Some(above) = node.parent.and_then(|parent| numbers.get_mut(parent)) {
            *above = above.map(|sum| sum + part.unwrap_or(0.0));
        }
    }
    numbers
}

fn moved(at: Pair, of: (&[Option<f64>], &[Option<f64>])) -> Option<Moved> {
    let number = |list: &[Option<f64>], id: usize| list.get(id).copied().flatten();
    let (base, head) = number(of.0, at.base).zip(number(of.1, at.head))?;
    Some(Moved { base, head })
}

fn spent(at: Pair, own: &(Own, Own)) -> Spent {
    let blocks = moved(at, (&own.0.blocks, &own.1.blocks));
    Spent { ms: moved(at, (&own.0.time, &own.1.time)), blocks }
}

/// Differences in time and blocks that are worth a line: of nodes that work `alike`, for the others tell theirs.
fn amounts(base: Side, head: Side, pairs: &Pairs, alike: &[Pair], own: &(Own, Own)) -> Vec<(f64, Change)> {
    let mut found = Vec::new();
    let total = |side: Side| side.facts.execution.map_or(0.0, |time| time.0);
    let whole_ms = total(base).max(total(head));
    let sum = |own: &Own| own.blocks.iter().flatten().sum::<f64>();
    let whole_blocks = sum(&own.0).max(sum(&own.1));
    let apart = |moved: &Moved| (moved.base - moved.head).abs();
    let notable = |moved: &Moved, floor: f64, whole: f64| {
        let (less, more) = (moved.base.min(moved.head), moved.base.max(moved.head));
        apart(moved) >= floor && apart(moved) >= whole * SHARE && more >= NOISE * less
    };
    for &at in alike {
        let spent = spent(at, own);
        if let Some(ms) = spent.ms.filter(|ms| notable(ms, FLOOR_MS, whole_ms)) {
            found.push((apart(&ms), Change::Time { at, ms }));
        }
        if let Some(blocks) = spent.blocks.filter(|blocks| notable(blocks, FLOOR_BLOCKS, whole_blocks)) {
            found.push((apart(&blocks), Change::Blocks { at, blocks }));
        }
    }
    for &at in &pairs.list {
        let temp = moved(at, (&own.0.temp, &own.1.temp));
        if let Some(blocks) = temp.filter(|temp| notable(temp, FLOOR_BLOCKS, 0.0)) {
            found.push((apart(&blocks), Change::Temp { at, blocks }));
        }
    }
    found
}

/// A condition with its name.
type Named = (&'static str, Option<String>);

/// Conditions by name, for nodes that are otherwise the same.
fn conditions(at: Pair, one: &Node, other: &Node) -> Vec<Change> {
    let named = |node: &Node| {
        let d = &node.detail;
        let keys = |keys: &Vec<String>| (!keys.is_empty()).then(|| keys.join(", "));
        [
            ("Filter", d.filter.clone()),
            ("Index Cond", d.index_cond.clone()),
            ("Hash Cond", d.hash_cond.clone()),
            ("Merge Cond", d.merge_cond.clone()),
            ("Join Filter", d.join_filter.clone()),
            ("Recheck Cond", d.recheck_cond.clone().filter(|_| node.kind == "Bitmap Heap Scan")),
            ("Sort Key", keys(&d.sort_key)),
            ("Group Key", keys(&d.group_key)),
        ]
    };
    let differ = |((name, base), (_, head)): (Named, Named)| {
        let (was, is) = (Conditions::of(&base), Conditions::of(&head));
        let same = was.exact == is.exact || was.subplan || is.subplan;
        let values_only = was.without_values == is.without_values;
        (!same).then_some(Change::Condition { at, name, base, head, values_only })
    };
    named(one).into_iter().zip(named(other)).filter_map(differ).collect()
}

/// Trees of joins whose expressions differ.
fn join_orders(base: Side, head: Side, pairs: &Pairs) -> Vec<(f64, Change)> {
    let orders = |side: Side, sources: &[u64]| -> HashMap<usize, Vec<Term>> {
        let tops = side.plan.nodes.iter().filter(|node| is_join(node) && !joined(side, node));
        tops.map(|top| (top.id, order(side, top.id, sources))).collect()
    };
    let mut before = orders(base, &pairs.base_sources);
    let mut after = orders(head, &pairs.head_sources);
    let mut found = Vec::new();
    for &at in &pairs.list {
        if let (Some(base), Some(head)) = (before.remove(&at.base), after.remove(&at.head)) {
            let bare = |terms: &[Term]| -> Vec<Option<u64>> {
                let identity = |term: &Term| match term {
                    Term::Open => Some(0),
                    Term::Close => None,
                    Term::Input { identity, .. } => Some(*identity | 1),
                };
                terms.iter().map(identity).collect()
            };
            if bare(&base) != bare(&head) {
                found.push((base.len().max(head.len()) as f64, Change::JoinOrder { at, base, head }));
            }
        }
    }
    found
}

/// Nodes that hand on the rows of a join's input without changing what they are.
fn passes(node: &Node) -> bool {
    let kinds = ["Hash", "Sort", "Incremental Sort", "Gather", "Gather Merge", "store"];
    kinds.contains(&category(node)) || kinds.contains(&node.kind.as_str())
}

/// The node's rows are the input of another join.
fn joined(side: Side, node: &Node) -> bool {
    let mut ancestors = side.plan.ancestors(node.id).take(NEAR);
    ancestors.find(|above| !passes(above)).is_some_and(is_join)
}

/// The joins below `top` as an expression. Linear in what it covers, without recursion.
fn order(side: Side, top: usize, sources: &[u64]) -> Vec<Term> {
    enum Step {
        Node(usize),
        Close,
    }
    let mut terms = Vec::new();
    let mut stack = vec![Step::Node(top)];
    while let Some(step) = stack.pop() {
        let Step::Node(id) = step else {
            terms.push(Term::Close);
            continue;
        };
        let Some(node) = side.plan.nodes.get(id) else { continue };
        let inputs: Vec<usize> = side.facts.tree.children(id).collect();
        let inputs =
            inputs.into_iter().filter(|&child| side.plan.nodes.get(child).is_some_and(super::keys::is_input));
        if is_join(node) {
            terms.push(Term::Open);
            stack.push(Step::Close);
            let inputs: Vec<usize> = inputs.collect();
            stack.extend(inputs.into_iter().rev().map(Step::Node));
        } else if passes(node) {
            stack.extend(inputs.map(Step::Node));
        } else {
            terms.push(Term::Input { node: id, identity: sources.get(id).copied().unwrap_or(0) });
        }
    }
    terms
}

fn settings(base: Side, head: Side) -> Vec<Change> {
    let list =
        |side: Side| -> Vec<(String, String)> { side.plan.settings.iter().flatten().cloned().collect() };
    let (before, after) = (list(base), list(head));
    let mut names: Vec<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let value = |list: &[(String, String)], wanted: &String| {
        list.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    let differ = |name: &String| {
        let (base, head) = (value(&before, name), value(&after, name));
        (base != head).then(|| Change::Setting { name: name.clone(), base, head })
    };
    names.into_iter().filter_map(differ).collect()
}
