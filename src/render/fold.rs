//! Which nodes of a plan get a line: all where they fit on a screen, else those that matter and what they stand below.
//!
//! Refuses to hide a node without a trace: what is folded is counted in a line of its own. Linear in the plan,
//! without recursion.

use crate::plan::Execution;
use crate::report::Planned;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Lines that a tree may take: a screen, with room for what is said below it.
const LINES: usize = 50;
/// So many alike below one Append are told in one line.
const ALIKE: usize = 4;
/// A node with less of the time (or of the cost, where no time was measured) may be folded.
const DULL_SHARE: f64 = 0.01;
/// A finding counts for as much as this share of the time: a node with more of it comes first all the same.
const MARKED: f64 = 0.1;
/// A sibling that takes so many times what the others do, and this share of the whole, is none of them.
const OUTLIER: (f64, f64) = (3.0, 0.05);

/// What a line stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Row {
    Node(usize),
    /// Children of one node that are alike, each the top of its subtree.
    Alike(Vec<usize>),
    /// Nodes that are not shown.
    Folded(Vec<usize>),
}

/// A row with its place in the tree of rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) row: Row,
    /// Rows above it.
    pub(super) depth: usize,
    /// No row with the same parent follows.
    pub(super) last: bool,
}

/// The rows of a plan, from its root down; `all` where nothing may be folded.
pub(super) fn rows(planned: &Planned, marked: &dyn Fn(usize) -> bool, all: bool) -> Vec<Placed> {
    let Units { shown: units, alike } = units(planned, marked, all);
    if all || units.len() <= LINES {
        return place(planned, &units, &alike, &|_| true);
    }
    let shares = Shares::of(planned);
    let weight = |unit: usize| {
        let below =
            |top: usize| planned.facts.tree.subtree(top).map(|id| shares.own(planned, id)).sum::<f64>();
        match alike.get(&unit) {
            Some(members) => members.iter().map(|&member| below(member)).sum(),
            None => shares.own(planned, unit),
        }
    };
    let mut ranked: Vec<(f64, usize)> = units
        .iter()
        .map(|&unit| (weight(unit) + if marked(unit) { MARKED } else { 0.0 }, unit))
        .filter(|&(weight, unit)| unit == 0 || weight >= DULL_SHARE)
        .collect();
    ranked.sort_by(|a, b| (b.1 == 0).cmp(&(a.1 == 0)).then(b.0.total_cmp(&a.0)).then(a.1.cmp(&b.1)));
    let mut most = LINES;
    loop {
        ranked.truncate(most);
        let mut chosen = vec![false; planned.plan.nodes.len()];
        ranked.iter().for_each(|&(_, unit)| chosen[unit] = true);
        let rows = place(planned, &units, &alike, &|unit| chosen[unit]);
        if rows.len() <= LINES || most < 4 {
            return rows;
        }
        most = ranked.len().min(most) * 3 / 4;
    }
}

/// Share of the time, or of the cost where there is no time.
struct Shares {
    timed: bool,
    cost: f64,
}

impl Shares {
    fn of(planned: &Planned) -> Shares {
        let root = planned.plan.root().and_then(|root| root.estimate);
        Shares { timed: planned.facts.execution.is_some(), cost: root.map_or(0.0, |e| e.total_cost.0) }
    }

    fn own(&self, planned: &Planned, id: usize) -> f64 {
        let total =
            |id: usize| planned.plan.nodes.get(id).and_then(|n| n.estimate).map_or(0.0, |e| e.total_cost.0);
        match self.timed {
            true => planned.facts.nodes.get(id).and_then(|f| f.self_share).map_or(0.0, |share| share.0),
            false if self.cost > 0.0 => {
                let below: f64 = planned.facts.tree.children(id).map(total).sum();
                (total(id) - below).max(0.0) / self.cost
            }
            false => 0.0,
        }
    }
}

/// The nodes that could have a line, in pre-order, and for the first of those that are alike, all of them.
struct Units {
    shown: Vec<usize>,
    alike: HashMap<usize, Vec<usize>>,
}

fn units(planned: &Planned, marked: &dyn Fn(usize) -> bool, all: bool) -> Units {
    let nodes = &planned.plan.nodes;
    let tree = &planned.facts.tree;
    if all || !nodes.iter().any(appends) {
        return Units { shown: (0..nodes.len()).collect(), alike: HashMap::new() };
    }
    let shapes = shapes(planned, marked);
    let mut covered = vec![false; nodes.len()];
    let mut alike = HashMap::new();
    for node in nodes.iter().filter(|node| appends(node)) {
        if covered[node.id] {
            continue;
        }
        let mut groups: HashMap<u64, Vec<usize>> = HashMap::new();
        for child in tree.children(node.id) {
            if let Some(shape) = shapes[child] {
                groups.entry(shape).or_default().push(child);
            }
        }
        for mut group in groups.into_values() {
            without_outliers(planned, &mut group);
            if group.len() < ALIKE {
                continue;
            }
            for (index, &member) in group.iter().enumerate() {
                let from = if index == 0 { member + 1 } else { member };
                covered[from..tree.end(member)].fill(true);
            }
            if let Some(&first) = group.first() {
                alike.insert(first, group);
            }
        }
    }
    Units { shown: (0..nodes.len()).filter(|&id| !covered[id]).collect(), alike }
}

fn appends(node: &crate::plan::Node) -> bool {
    matches!(node.kind.as_str(), "Append" | "Merge Append" | "ModifyTable")
}

/// A number for the kinds of a subtree and whether its top ran; `None` where it holds a marked node.
fn shapes(planned: &Planned, marked: &dyn Fn(usize) -> bool) -> Vec<Option<u64>> {
    let nodes = &planned.plan.nodes;
    let mut shapes: Vec<Option<u64>> = vec![None; nodes.len()];
    for node in nodes.iter().rev() {
        let mut hasher = DefaultHasher::new();
        (&node.kind, &node.detail.join_type, node.execution == Execution::NeverRan).hash(&mut hasher);
        let below: Option<Vec<u64>> =
            planned.facts.tree.children(node.id).map(|child| shapes[child]).collect();
        shapes[node.id] = below.filter(|_| !marked(node.id)).map(|below| {
            below.hash(&mut hasher);
            hasher.finish()
        });
    }
    shapes
}

fn without_outliers(planned: &Planned, group: &mut Vec<usize>) {
    let time = |id: usize| planned.facts.nodes.get(id).and_then(|f| f.subtree_time).map_or(0.0, |t| t.0);
    let mean = group.iter().map(|&id| time(id)).sum::<f64>() / group.len().max(1) as f64;
    let whole = planned.facts.execution.map_or(0.0, |e| e.0);
    group.retain(|&id| time(id) <= mean * OUTLIER.0 || time(id) < whole * OUTLIER.1);
}

/// A row while the tree of rows is made.
struct Draft {
    row: Row,
    children: Vec<usize>,
}

/// Puts hidden nodes together: those that hang together above a shown one stand in its place, the others below a
/// shown node become its last line.
fn place(
    planned: &Planned,
    units: &[usize],
    alike: &HashMap<usize, Vec<usize>>,
    shown: &dyn Fn(usize) -> bool,
) -> Vec<Placed> {
    let nodes = &planned.plan.nodes;
    let parent = |id: usize| nodes.get(id).and_then(|node| node.parent);
    // For each hidden unit, the topmost hidden one that it hangs together with; and whether that stands above a
    // shown one.
    let mut top: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut bridges = vec![false; nodes.len()];
    for &unit in units {
        let above = parent(unit).and_then(|parent| top[parent]);
        match shown(unit) {
            false => top[unit] = Some(above.unwrap_or(unit)),
            true => above.into_iter().for_each(|above| bridges[above] = true),
        }
    }
    let mut drafts: Vec<Draft> = Vec::new();
    let mut row_of: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut rest: HashMap<usize, usize> = HashMap::new();
    for &unit in units {
        let above = parent(unit);
        let members = alike.get(&unit);
        let Some(top) = top[unit] else {
            let row = members.map_or(Row::Node(unit), |members| Row::Alike(members.clone()));
            row_of[unit] = Some(add(&mut drafts, above.and_then(|a| row_of[a]), row));
            continue;
        };
        // All that is folded below one shown node and stands above nothing is told once.
        let known = match bridges[top] {
            true => row_of[top],
            false => parent(top).and_then(|p| rest.get(&p).copied()),
        };
        let draft = match known {
            Some(draft) => draft,
            None => {
                let draft = add(&mut drafts, parent(top).and_then(|p| row_of[p]), Row::Folded(Vec::new()));
                if !bridges[top] {
                    rest.extend(parent(top).map(|p| (p, draft)));
                }
                draft
            }
        };
        row_of[unit] = Some(draft);
        if let Some(Draft { row: Row::Folded(folded), .. }) = drafts.get_mut(draft) {
            for &member in members.map_or(std::slice::from_ref(&unit), Vec::as_slice) {
                match members {
                    Some(_) => folded.extend(planned.facts.tree.subtree(member)),
                    None => folded.push(member),
                }
            }
        }
    }
    for draft in &mut drafts {
        // A line that says "one node" can as well name it.
        if let Row::Folded(folded) = &draft.row
            && let [only] = folded[..]
        {
            draft.row = Row::Node(only);
        }
    }
    in_order(drafts)
}

fn add(drafts: &mut Vec<Draft>, parent: Option<usize>, row: Row) -> usize {
    let new = drafts.len();
    if let Some(parent) = parent.and_then(|parent| drafts.get_mut(parent)) {
        parent.children.push(new);
    }
    drafts.push(Draft { row, children: Vec::new() });
    new
}

/// The drafts in pre-order, with what is merely folded behind its siblings.
fn in_order(drafts: Vec<Draft>) -> Vec<Placed> {
    let leaf = |index: usize| {
        drafts.get(index).is_some_and(|d| matches!(d.row, Row::Folded(_)) && d.children.is_empty())
    };
    let mut placed: Vec<(usize, usize, bool)> = Vec::with_capacity(drafts.len());
    let mut stack: Vec<(usize, usize, bool)> = drafts.first().map(|_| (0, 0, true)).into_iter().collect();
    while let Some((index, depth, last)) = stack.pop() {
        placed.push((index, depth, last));
        let Some(draft) = drafts.get(index) else { continue };
        let (folded, shown): (Vec<usize>, Vec<usize>) =
            draft.children.iter().partition(|&&child| leaf(child));
        for (place, child) in shown.into_iter().chain(folded).rev().enumerate() {
            stack.push((child, depth + 1, place == 0));
        }
    }
    let mut rows: Vec<Option<Row>> = drafts.into_iter().map(|draft| Some(draft.row)).collect();
    let row = |(index, depth, last): (usize, usize, bool)| {
        Some(Placed { row: rows.get_mut(index)?.take()?, depth, last })
    };
    placed.into_iter().filter_map(row).collect()
}
