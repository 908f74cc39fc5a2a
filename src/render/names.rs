//! What nodes of two compared plans are called.
//!
//! Refuses to list every relation below a node: a few name it.

use super::label::{kind, label, source};
use crate::compare::Term;
use crate::plan::{Node, Relationship};
use crate::report::Planned;
use std::collections::HashSet;

/// Relations that are named; the others are counted.
const NAMED: usize = 3;
/// Nodes that are looked through for names.
const LOOKED: usize = 500;
/// Parts of a join order that are written out.
const TERMS: usize = 24;

/// A plan whose nodes are to be named.
pub(super) struct Names<'a> {
    planned: &'a Planned,
    /// Relations that the statement reads more than once: their aliases tell them apart.
    twice: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn of(planned: &'a Planned) -> Names<'a> {
        let mut known = HashSet::new();
        let relations = planned.plan.nodes.iter().filter_map(|node| node.detail.relation.as_deref());
        Names { planned, twice: relations.filter(|relation| !known.insert(*relation)).collect() }
    }

    /// What a node reads: its relation, with the alias where that is needed.
    fn relation(&self, node: &Node) -> Option<String> {
        let d = &node.detail;
        let name = [&d.relation, &d.cte, &d.function, &d.table_function].into_iter().flatten().next();
        match (name, &d.alias) {
            (Some(name), Some(alias)) if name != alias && self.twice.contains(name.as_str()) => {
                Some(format!("{name} {alias}"))
            }
            (Some(name), _) => Some(name.clone()),
            (None, alias) => alias.clone(),
        }
    }

    /// The relations that a node's rows come from.
    fn below(&self, id: usize) -> Vec<String> {
        let nodes = self.planned.plan.nodes.get(self.planned.facts.tree.subtree(id)).unwrap_or(&[]);
        let mut names: Vec<String> = Vec::new();
        for name in nodes
            .iter()
            .take(LOOKED)
            .filter(|node| reads(node))
            .filter_map(|node| partitioned(node).or_else(|| self.relation(node)))
        {
            if names.len() > NAMED {
                break;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// A node in words: the relation that it reads, the relations that it joins, or its kind and what it is made
    /// from.
    pub(super) fn name(&self, id: usize) -> String {
        let Some(node) = self.planned.plan.nodes.get(id) else { return String::new() };
        if let Some(name) = self.relation(node).filter(|_| reads(node)) {
            return name;
        }
        let names = self.below(id);
        match node.kind.as_str() {
            "Nested Loop" | "Hash Join" | "Merge Join" => joined(names, " ⋈ "),
            _ if names.is_empty() => label(node),
            _ => format!("{} of {}", kind(node), joined(names, ", ")),
        }
    }

    /// A node with its kind: `Seq Scan on orders`, `Hash Join orders ⋈ users`, `Sort of orders`.
    pub(super) fn whole(&self, id: usize) -> String {
        let Some(node) = self.planned.plan.nodes.get(id) else { return String::new() };
        let (kind, source, name) = (kind(node), source(node), self.name(id));
        match source.is_empty() {
            false => format!("{kind}{source}"),
            true if name.starts_with(&kind) => name,
            true => format!("{kind} {name}"),
        }
    }
}

/// What the statement calls the table that a scan reads a partition of: the server numbers the aliases below it.
fn partitioned(node: &Node) -> Option<String> {
    let alias = node.detail.alias.as_deref().filter(|_| node.relationship == Relationship::Member)?;
    let (parent, number) = alias.rsplit_once('_')?;
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (numbered && node.detail.relation.as_deref() != Some(alias)).then(|| parent.to_owned())
}

/// The node's rows come from what it names.
fn reads(node: &Node) -> bool {
    node.kind != "ModifyTable" && node.kind != "Subquery Scan"
}

fn joined(mut names: Vec<String>, with: &str) -> String {
    if names.len() > NAMED {
        names.truncate(NAMED);
        names.push("…".to_owned());
    }
    names.join(with)
}

/// How a node works: its kind with its indexes.
pub(super) fn method(planned: &Planned, id: usize) -> String {
    let Some(node) = planned.plan.nodes.get(id) else { return String::new() };
    let nodes = planned.plan.nodes.get(planned.facts.tree.subtree(id)).unwrap_or(&[]);
    let bitmap = node.kind == "Bitmap Heap Scan";
    let own = if bitmap { nodes } else { std::slice::from_ref(node) };
    let indexes: Vec<&str> = own.iter().filter_map(|node| node.detail.index.as_deref()).take(NAMED).collect();
    let using = if indexes.is_empty() { String::new() } else { format!(" using {}", indexes.join(" and ")) };
    format!("{}{using}", kind(node))
}

/// A join order: `((a ⋈ b) ⋈ c)`, the outer side first.
pub(super) fn order(planned: &Planned, terms: &[Term]) -> String {
    let names = Names::of(planned);
    let mut text = String::new();
    for (place, term) in terms.iter().enumerate() {
        if place >= TERMS {
            text.push('…');
            break;
        }
        match term {
            Term::Open => {
                between(&mut text);
                text.push('(');
            }
            Term::Close => text.push(')'),
            Term::Input { node, .. } => {
                between(&mut text);
                text.push_str(&names.name(*node));
            }
        }
    }
    // The outermost brackets say nothing.
    match text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None => text,
    }
}

fn between(text: &mut String) {
    if !text.is_empty() && !text.ends_with('(') {
        text.push_str(" ⋈ ");
    }
}
