//! The plan's tree prepared once, so that children and subtrees are found without searching.
//!
//! Refuses to know what a node does: it knows parents, and the order in which nodes were printed.

use super::Plan;
use std::ops::Range;

/// Where each node's subtree ends and how deep it stands. Made in time linear in the plan, without recursion.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    end: Vec<usize>,
    depth: Vec<usize>,
}

impl Tree {
    /// The tree of `plan`.
    pub fn of(plan: &Plan) -> Tree {
        let count = plan.nodes.len();
        let mut end: Vec<usize> = (1..=count).collect();
        for node in plan.nodes.iter().rev() {
            if let Some(parent) = node.parent {
                end[parent] = end[parent].max(end[node.id]);
            }
        }
        let mut depth = vec![0; count];
        for node in &plan.nodes {
            depth[node.id] = node.parent.map_or(0, |parent| depth[parent] + 1);
        }
        Tree { end, depth }
    }

    /// One past the last node of the subtree of `id`.
    pub fn end(&self, id: usize) -> usize {
        self.end.get(id).copied().unwrap_or(id + 1)
    }

    /// `id` and everything below it: in pre-order that is a range.
    pub fn subtree(&self, id: usize) -> Range<usize> {
        id..self.end(id)
    }

    /// Levels above `id`; 0 for the root.
    pub fn depth(&self, id: usize) -> usize {
        self.depth.get(id).copied().unwrap_or(0)
    }

    /// The direct children of `id`, in order, in time linear in their number.
    pub fn children(&self, id: usize) -> impl Iterator<Item = usize> {
        let end = self.end(id);
        let within = move |child: usize| Some(child).filter(|&child| child < end);
        std::iter::successors(within(id + 1), move |&child| within(self.end(child)))
    }
}
