//! What follows from a plan's tree alone: subtree ends, the Gather above a node, who scans which CTE.

use crate::plan::{Node, Plan, Relationship, Tree};
use std::collections::HashMap;

/// The tree, prepared once.
pub(super) struct Shape {
    pub(super) tree: Tree,
    /// The Gather or Gather Merge whose workers run this node.
    pub(super) gather: Vec<Option<usize>>,
    /// The nearest Append or Merge Append above, in the same subplan.
    pub(super) append: Vec<Option<usize>>,
    pub(super) children: Vec<Vec<usize>>,
    /// The inner child of each node that has one.
    pub(super) inner: Vec<Option<usize>>,
    /// For each CTE subplan, the scans that read it, in pre-order.
    pub(super) cte_scans: Vec<(usize, Vec<usize>)>,
    /// The InitPlans that are no CTE.
    pub(super) init_plans: Vec<usize>,
}

pub(super) fn is_gather(node: &Node) -> bool {
    matches!(node.kind.as_str(), "Gather" | "Gather Merge")
}

/// The name of a CTE, for the node that computes it.
pub(super) fn cte_name(node: &Node) -> Option<&str> {
    if node.relationship != Relationship::InitPlan {
        return None;
    }
    node.subplan_name.as_deref()?.strip_prefix("CTE ")
}

/// Whether a node's time lies inside its parent's: true for all but InitPlans and CTEs, which run inside the
/// node that needs them first.
pub(super) fn is_plain(node: &Node) -> bool {
    !matches!(node.relationship, Relationship::InitPlan | Relationship::Root)
}

impl Shape {
    pub(super) fn of(plan: &Plan) -> Shape {
        let count = plan.nodes.len();
        let mut gather = vec![None; count];
        let mut append = vec![None; count];
        let mut init_plans = Vec::new();
        let mut children = vec![Vec::new(); count];
        let mut inner = vec![None; count];
        for node in &plan.nodes {
            let Some(parent) = node.parent else { continue };
            let above = &plan.nodes[parent];
            children[parent].push(node.id);
            if node.relationship == Relationship::Inner && inner[parent].is_none() {
                inner[parent] = Some(node.id);
            }
            gather[node.id] = match node.relationship {
                Relationship::Outer if is_gather(above) => Some(parent),
                _ => gather[parent],
            };
            if is_plain(node) && node.relationship != Relationship::SubPlan {
                let appends = matches!(above.kind.as_str(), "Append" | "Merge Append");
                append[node.id] = if appends { Some(parent) } else { append[parent] };
            }
            if node.relationship == Relationship::InitPlan && cte_name(node).is_none() {
                init_plans.push(node.id);
            }
        }
        let tree = Tree::of(plan);
        let cte_scans = cte_scans(plan, &tree);
        Shape { tree, gather, append, children, inner, cte_scans, init_plans }
    }

    pub(super) fn contains(&self, top: usize, id: usize) -> bool {
        self.tree.subtree(top).contains(&id)
    }
}

/// Resolves every CTE Scan to the nearest CTE of its name, as SQL does: a name is visible below the node that
/// owns the WITH list, but not inside the CTE itself.
fn cte_scans(plan: &Plan, tree: &Tree) -> Vec<(usize, Vec<usize>)> {
    let mut found: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut owned: HashMap<usize, Vec<(&str, usize)>> = HashMap::new();
    for node in &plan.nodes {
        if let (Some(name), Some(parent)) = (cte_name(node), node.parent) {
            owned.entry(parent).or_default().push((name, found.len()));
            found.push((node.id, Vec::new()));
        }
    }
    let mut visible: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut owners: Vec<usize> = Vec::new();
    for node in &plan.nodes {
        while let Some(owner) = owners.pop_if(|&mut owner| tree.end(owner) <= node.id) {
            for &(name, _) in &owned[&owner] {
                visible.entry(name).or_default().pop();
            }
        }
        for &(name, index) in owned.get(&node.id).into_iter().flatten() {
            visible.entry(name).or_default().push(index);
        }
        if owned.contains_key(&node.id) {
            owners.push(node.id);
        }
        let name = node.detail.cte.as_deref().filter(|_| node.kind == "CTE Scan");
        let candidates = name.and_then(|name| visible.get(name)).into_iter().flatten();
        let outside = |&&index: &&usize| !tree.subtree(found[index].0).contains(&node.id);
        if let Some(&index) = candidates.rev().find(outside) {
            found[index].1.push(node.id);
        }
    }
    found
}
