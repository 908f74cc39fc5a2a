//! What two plans are compared by: the access paths, and the shape.
//!
//! Refuses to hold costs, rows, widths, workers, filters or the names of indexes: none of them makes another plan.

use super::Names;
use crate::plan::{Node, Plan, Relationship};
use crate::sql::{digest, hex};
use std::collections::BTreeSet;

/// The fingerprints of a plan, each behind the version of how it is made: those of other versions are not to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// Of the access paths: `a1:9f86d081884c7d65`.
    pub access: String,
    /// Of the shape: `s1:…`.
    pub shape: String,
}

/// The fingerprints that reports and files of accepted findings hold.
pub fn marks(plan: &Plan, names: &Names) -> Marks {
    let paths = access(plan, names).join("\u{1f}");
    Marks {
        access: format!("a1:{}", hex(digest(&paths))),
        shape: format!("s1:{}", hex(digest(&shape(plan, names)))),
    }
}

/// How the relations are reached, in order: `public.orders index btree (user_id)`. Bitmap, index and index-only scans
/// are one way; partitions are their table, once.
pub fn access(plan: &Plan, names: &Names) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let mut parts: BTreeSet<(String, &str)> = BTreeSet::new();
    for node in &plan.nodes {
        let Some(path) = path(plan, node, names) else { continue };
        match partition(node, names) {
            true => drop(parts.insert((path, alias(node)))),
            false => paths.push(path),
        }
    }
    paths.extend(parts.into_iter().map(|(path, _)| path));
    paths.sort();
    paths
}

/// What a statement calls the table whose partition a node reads: the server counts its partitions behind that, `o_1`.
fn alias(node: &Node) -> &str {
    let alias = node.detail.alias.as_deref().unwrap_or_default();
    match alias.rsplit_once('_') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => alias,
    }
}

/// The relation of a node, with its schema.
pub(super) fn qualified(node: &Node) -> Option<String> {
    let relation = node.detail.relation.as_deref()?;
    Some(match &node.detail.schema {
        Some(schema) => format!("{schema}.{relation}"),
        None => relation.to_owned(),
    })
}

fn partition(node: &Node, names: &Names) -> bool {
    qualified(node).is_some_and(|name| names.roots.contains_key(&name))
}

/// The relation of a node, a partition as its table.
fn relation(node: &Node, names: &Names) -> Option<String> {
    let name = qualified(node)?;
    Some(names.roots.get(&name).cloned().unwrap_or(name))
}

/// One occurrence of a relation and how it is reached; `None` for a node that reads none.
fn path(plan: &Plan, node: &Node, names: &Names) -> Option<String> {
    let way = way(plan, node, names)?;
    match (relation(node, names), node.kind.as_str()) {
        (_, "ModifyTable") => None,
        (Some(relation), _) => Some(format!("{relation} {way}")),
        (None, "CTE Scan" | "WorkTable Scan" | "Function Scan" | "Foreign Scan") => Some(way),
        (None, _) => None,
    }
}

fn way(plan: &Plan, node: &Node, names: &Names) -> Option<String> {
    let schema = node.detail.schema.as_deref();
    match node.kind.as_str() {
        "Seq Scan" | "Sample Scan" => Some("seq".to_owned()),
        "Index Scan" | "Index Only Scan" => {
            node.detail.index.as_deref().map(|index| format!("index {}", does(schema, index, names)))
        }
        "Bitmap Heap Scan" => {
            let mut used: Vec<String> = below(plan, node.id)
                .filter(|n| n.kind == "Bitmap Index Scan")
                .filter_map(|n| n.detail.index.as_deref())
                .map(|index| does(schema, index, names))
                .collect();
            used.sort();
            used.dedup();
            Some(format!("index {}", used.join(" & ")))
        }
        "Tid Scan" | "Tid Range Scan" => Some("tid".to_owned()),
        "Function Scan" => Some("function".to_owned()),
        "Foreign Scan" => Some("foreign".to_owned()),
        "CTE Scan" | "WorkTable Scan" => Some("cte".to_owned()),
        _ => None,
    }
}

/// What an index does; its name where nobody knows.
fn does(schema: Option<&str>, index: &str, names: &Names) -> String {
    let known = schema.and_then(|schema| names.indexes.get(&format!("{schema}.{index}")));
    known.cloned().unwrap_or_else(|| index.to_owned())
}

/// The nodes of a bitmap, which stand right behind the one they are for.
fn below(plan: &Plan, of: usize) -> impl Iterator<Item = &Node> {
    let mut inside = vec![of];
    plan.nodes[of + 1..].iter().take_while(move |node| {
        let within = node.parent.is_some_and(|parent| inside.contains(&parent));
        // A subplan of the filter is none of the bitmap.
        if within && node.kind.starts_with("Bitmap") {
            inside.push(node.id);
        }
        within
    })
}

/// The tree without what comes and goes: Gather, Materialize, Memoize; the sides of a join in order.
pub fn shape(plan: &Plan, names: &Names) -> String {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); plan.nodes.len()];
    for node in &plan.nodes {
        if let Some(parent) = node.parent {
            children[parent].push(node.id);
        }
    }
    // Children stand behind their parents.
    let mut shapes: Vec<String> = vec![String::new(); plan.nodes.len()];
    for node in plan.nodes.iter().rev() {
        let below: Vec<(bool, String)> = children[node.id]
            .iter()
            .map(|&child| {
                let beside =
                    matches!(plan.nodes[child].relationship, Relationship::InitPlan | Relationship::SubPlan);
                (beside, std::mem::take(&mut shapes[child]))
            })
            .collect();
        shapes[node.id] = one(plan, node, names, below);
    }
    shapes.into_iter().next().unwrap_or_default()
}

fn one(plan: &Plan, node: &Node, names: &Names, below: Vec<(bool, String)>) -> String {
    let (beside, inputs): (Vec<_>, Vec<_>) = below.into_iter().partition(|(beside, _)| *beside);
    let mut inputs: Vec<String> = inputs.into_iter().map(|(_, shape)| shape).collect();
    let beside: Vec<String> = beside.into_iter().map(|(_, shape)| shape).collect();
    let passes = matches!(
        node.kind.as_str(),
        "Gather" | "Gather Merge" | "Materialize" | "Memoize" | "Result" | "Hash"
    );
    let part = node.detail.partial_mode.as_deref() == Some("Partial");
    if (passes || part) && inputs.len() == 1 && beside.is_empty() {
        return inputs.swap_remove(0);
    }
    let word = match node.kind.as_str() {
        "Incremental Sort" => "Sort",
        "Bitmap Heap Scan" | "Index Scan" | "Index Only Scan" | "Seq Scan" => "",
        kind => kind,
    };
    if let Some(path) = path(plan, node, names) {
        return if beside.is_empty() { path } else { format!("{path}[{}]", beside.join(";")) };
    }
    if node.kind.ends_with("Join") || node.kind == "Nested Loop" {
        inputs.sort();
    }
    if matches!(node.kind.as_str(), "Append" | "Merge Append") {
        inputs.sort();
        inputs.dedup();
        if inputs.len() == 1 && beside.is_empty() {
            return inputs.swap_remove(0);
        }
    }
    inputs.extend(beside);
    format!("{word}({})", inputs.join(","))
}

/// The relations that are read from an index alone, one for each time.
pub fn index_only(plan: &Plan, names: &Names) -> Vec<String> {
    let alone = plan.nodes.iter().filter(|node| node.kind == "Index Only Scan");
    let mut found: Vec<String> = alone.filter_map(|node| relation(node, names)).collect();
    found.sort();
    found
}

/// The tables that are read as a whole, partitions by themselves.
pub fn read_whole(plan: &Plan) -> impl Iterator<Item = String> {
    plan.nodes.iter().filter(|node| node.kind == "Seq Scan").filter_map(qualified)
}
