//! Which node of one plan is which of the other.
//!
//! Equal subtrees first, from the top; then sources of rows by name; then what stands above the same sources, by
//! its job; at last neighbours of what was found. Refuses to give a node two counterparts.

use super::keys::{Conditions, Hash, Keys, category, in_bitmap, is_input, is_join};
use super::{Pair, Side};
use crate::plan::Node;
use std::collections::HashMap;
use std::collections::VecDeque;

/// Counterparts, in both directions.
pub(super) struct Pairs {
    pub(super) list: Vec<Pair>,
    pub(super) head_of: Vec<Option<usize>>,
    pub(super) base_of: Vec<Option<usize>>,
    /// What each node's rows are made from: equal for nodes above the same sources.
    pub(super) base_sources: Vec<u64>,
    pub(super) head_sources: Vec<u64>,
}

struct Linking<'a> {
    base: Side<'a>,
    head: Side<'a>,
    head_of: Vec<Option<usize>>,
    base_of: Vec<Option<usize>>,
}

/// Finds counterparts.
pub(super) fn pairs(base: Side, head: Side, base_keys: &Keys, head_keys: &Keys) -> Pairs {
    let mut linking = Linking {
        base,
        head,
        head_of: vec![None; base.plan.nodes.len()],
        base_of: vec![None; head.plan.nodes.len()],
    };
    linking.equal_subtrees(base_keys, head_keys);
    let source = |keys: &Keys, node: &Node| keys.source.get(node.id) == Some(&true);
    let named = |node: &Node| {
        let d = &node.detail;
        let name = [&d.relation, &d.cte, &d.function, &d.table_function, &d.tuplestore];
        let name = name.into_iter().flatten().next();
        // What has no name is known by its kind.
        name.map_or(Hash::new().text(&node.kind), |name| Hash::new().text("").text(name))
    };
    type Key<'k> = &'k dyn Fn(&Node) -> u64;
    let by_schema: Key = &|node| named(node).optional(&node.detail.alias).optional(&node.detail.schema).end();
    let by_alias: Key = &|node| named(node).optional(&node.detail.alias).end();
    let by_conditions: Key = &|node| {
        let conditions = Conditions::of_scan(node).without_values;
        conditions.iter().fold(named(node), |hash, test| hash.text(test)).end()
    };
    let by_name: Key = &|node| named(node).end();
    for key in [by_schema, by_alias, by_conditions, by_name] {
        linking.by_key(&|node| source(base_keys, node).then(|| key(node)), &|node| {
            source(head_keys, node).then(|| key(node))
        });
    }
    let base_sources = sources(base, base_keys, &|id| linking.identity(Some(id), None));
    let head_sources = sources(head, head_keys, &|id| linking.identity(None, Some(id)));
    let above = |sources: &[u64], node: &Node, name: &str| {
        sources.get(node.id).map(|sources| Hash::new().text(name).number(*sources))
    };
    let by_kind = |sources: &[u64], node: &Node| {
        let hash = above(sources, node, &node.kind)?.optional(&node.detail.strategy);
        Some(hash.optional(&node.detail.partial_mode).optional(&node.detail.index).end())
    };
    let by_job = |sources: &[u64], node: &Node| {
        let hash = above(sources, node, category(node)).filter(|_| !in_bitmap(node));
        hash.map(Hash::end)
    };
    linking.by_key(&|node| by_kind(&base_sources, node), &|node| by_kind(&head_sources, node));
    linking.by_key(&|node| by_job(&base_sources, node), &|node| by_job(&head_sources, node));
    linking.neighbours();
    let list = linking.head_of.iter().enumerate();
    let list = list.filter_map(|(base, head)| head.map(|head| Pair { base, head })).collect();
    Pairs { list, head_of: linking.head_of, base_of: linking.base_of, base_sources, head_sources }
}

impl Linking<'_> {
    fn link(&mut self, base: usize, head: usize) {
        if let (Some(there @ None), Some(here @ None)) =
            (self.head_of.get_mut(base), self.base_of.get_mut(head))
        {
            (*there, *here) = (Some(head), Some(base));
        }
    }

    fn open(&self, pair: Pair) -> bool {
        self.head_of.get(pair.base) == Some(&None) && self.base_of.get(pair.head) == Some(&None)
    }

    /// Links whole subtrees that are the same, the largest first.
    fn equal_subtrees(&mut self, base_keys: &Keys, head_keys: &Keys) {
        let mut places: HashMap<u64, VecDeque<usize>> = HashMap::new();
        for (id, key) in head_keys.deep.iter().enumerate() {
            places.entry(*key).or_default().push_back(id);
        }
        for (id, key) in base_keys.deep.iter().enumerate() {
            if self.head_of.get(id) != Some(&None) {
                continue;
            }
            let Some(candidates) = places.get_mut(key) else { continue };
            while candidates.front().is_some_and(|&head| self.base_of.get(head) != Some(&None)) {
                candidates.pop_front();
            }
            let Some(head) = candidates.pop_front() else { continue };
            for (base, head) in self.base.facts.tree.subtree(id).zip(self.head.facts.tree.subtree(head)) {
                self.link(base, head);
            }
        }
    }

    /// Links what has the same key, in the order in which it stands in the plans.
    fn by_key(&mut self, base_key: &dyn Fn(&Node) -> Option<u64>, head_key: &dyn Fn(&Node) -> Option<u64>) {
        let mut places: HashMap<u64, VecDeque<usize>> = HashMap::new();
        for node in self.head.plan.nodes.iter().filter(|node| self.base_of.get(node.id) == Some(&None)) {
            if let Some(key) = head_key(node) {
                places.entry(key).or_default().push_back(node.id);
            }
        }
        let base = self.base;
        for node in &base.plan.nodes {
            if self.head_of.get(node.id) != Some(&None) {
                continue;
            }
            let head = base_key(node).and_then(|key| places.get_mut(&key)?.pop_front());
            if let Some(head) = head {
                self.link(node.id, head);
            }
        }
    }

    /// One number for both counterparts of a pair, one of its own for a node without.
    fn identity(&self, base: Option<usize>, head: Option<usize>) -> u64 {
        let base = base.or_else(|| self.base_of.get(head?).copied().flatten());
        let head = head.or_else(|| self.head_of.get(base?).copied().flatten());
        let number = |id: Option<usize>| id.map_or(u64::MAX, |id| id as u64);
        Hash::new().number(number(base)).number(number(head)).end()
    }

    /// What joins something else with a known input is another join.
    fn same_inputs(&self, pair: Pair) -> bool {
        if !self.base.plan.nodes.get(pair.base).is_some_and(is_join) {
            return true;
        }
        let known = |child: usize| self.head_of.get(child).copied().flatten();
        let below = |head: usize| self.head.plan.nodes.get(head).is_some_and(|n| n.parent == Some(pair.head));
        let inputs = self.base.facts.tree.children(pair.base).filter_map(known);
        inputs.filter(|&input| below(input)).count() > 1
    }

    /// Links what does the same job next to a pair: above it, then below it.
    fn neighbours(&mut self) {
        let (base, head) = (self.base, self.head);
        let same_job = |pair: Pair| match (base.plan.nodes.get(pair.base), head.plan.nodes.get(pair.head)) {
            (Some(one), Some(other)) => {
                // Another relation is another scan.
                let place = |node: &Node| (node.detail.relation.clone(), node.detail.cte.clone());
                category(one) == category(other)
                    && is_input(one) == is_input(other)
                    && place(one) == place(other)
            }
            _ => false,
        };
        for child in base.plan.nodes.iter().rev() {
            let Some(counterpart) = self.head_of.get(child.id).copied().flatten() else { continue };
            let above = head.plan.nodes.get(counterpart).and_then(|node| node.parent);
            let Some(pair) = child.parent.zip(above).map(|(base, head)| Pair { base, head }) else {
                continue;
            };
            if self.open(pair) && same_job(pair) && self.same_inputs(pair) {
                self.link(pair.base, pair.head);
            }
        }
        let roots = Pair { base: 0, head: 0 };
        if same_job(roots) && self.same_inputs(roots) {
            self.link(0, 0);
        }
        for parent in &base.plan.nodes {
            let Some(counterpart) = self.head_of.get(parent.id).copied().flatten() else { continue };
            let mut left: VecDeque<usize> = head.facts.tree.children(counterpart).collect();
            left.retain(|&child| self.base_of.get(child) == Some(&None));
            for child in base.facts.tree.children(parent.id) {
                // A counterpart comes in the same place or soon after: nobody looks through thousands.
                let found = left.iter().take(8).position(|&other| {
                    let pair = Pair { base: child, head: other };
                    self.open(pair) && same_job(pair) && self.same_inputs(pair)
                });
                if let Some(other) = found.and_then(|found| left.remove(found)) {
                    self.link(child, other);
                }
            }
        }
    }
}

/// For each node a number for the multiset of sources that its rows are made from.
fn sources(side: Side, keys: &Keys, identity: &dyn Fn(usize) -> u64) -> Vec<u64> {
    let mut sums = vec![0_u64; side.plan.nodes.len()];
    for node in side.plan.nodes.iter().rev() {
        if keys.source.get(node.id) == Some(&true) {
            sums[node.id] = identity(node.id);
        }
        let below = sums[node.id];
        let flows = is_input(node) && !in_bitmap(node);
        if let Some(parent) = node.parent.filter(|&parent| flows && keys.source.get(parent) == Some(&false)) {
            sums[parent] = sums[parent].wrapping_add(below);
        }
    }
    sums
}
