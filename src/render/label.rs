//! What a node is, in the words of EXPLAIN's text format, and the conditions it prints.
//!
//! Refuses to show a number: those have columns of their own.

use crate::plan::{Node, Relationship};

/// The kind of a node: `HashAggregate`, `Hash Left Join`, `Index Scan Backward`, `Update` …
pub(super) fn kind(node: &Node) -> String {
    let d = &node.detail;
    let strategy = d.strategy.as_deref().unwrap_or("Plain");
    let mut text = match (node.kind.as_str(), strategy) {
        ("Aggregate", "Hashed") => "HashAggregate".to_owned(),
        ("Aggregate", "Sorted") => "GroupAggregate".to_owned(),
        ("Aggregate", "Mixed") => "MixedAggregate".to_owned(),
        ("SetOp", "Hashed") => "HashSetOp".to_owned(),
        ("ModifyTable", _) => d.operation.clone().unwrap_or_else(|| node.kind.clone()),
        (kind, _) => kind.to_owned(),
    };
    if let Some(command) = &d.command {
        text = format!("{text} {command}");
    }
    if let Some(mode) = d.partial_mode.as_deref().filter(|mode| *mode != "Simple") {
        text = format!("{mode} {text}");
    }
    if let Some(kind) = d.join_type.as_deref().filter(|kind| *kind != "Inner") {
        let method = text.strip_suffix(" Join").unwrap_or(&text);
        text = format!("{method} {kind} Join");
    }
    if d.scan_direction.as_deref() == Some("Backward") {
        text.push_str(" Backward");
    }
    if d.parallel_aware == Some(true) {
        text = format!("Parallel {text}");
    }
    text
}

/// What a node reads or writes: ` using index on relation alias`; empty for one that does neither.
pub(super) fn source(node: &Node) -> String {
    let d = &node.detail;
    let mut text = String::new();
    if let Some(index) = &d.index {
        // A bitmap index scan reads the index and nothing else.
        let word = if d.relation.is_some() { "using" } else { "on" };
        text.push_str(&format!(" {word} {index}"));
    }
    let what = [&d.relation, &d.cte, &d.function, &d.table_function, &d.tuplestore];
    if let Some(what) = what.into_iter().flatten().next() {
        text.push_str(&format!(" on {what}"));
        if let Some(alias) = d.alias.as_ref().filter(|alias| *alias != what) {
            text.push_str(&format!(" {alias}"));
        }
    } else if let Some(alias) = &d.alias {
        text.push_str(&format!(" on {alias}"));
    }
    text
}

/// The kind with what it reads, and the name of the subplan that it computes.
pub(super) fn label(node: &Node) -> String {
    let text = format!("{}{}", kind(node), source(node));
    match (&node.relationship, &node.subplan_name) {
        (Relationship::InitPlan | Relationship::SubPlan, Some(name)) => format!("{name}: {text}"),
        _ => text,
    }
}

/// The conditions and keys of a node as EXPLAIN names them, the one that costs most first.
pub(super) fn conditions(node: &Node) -> Vec<(&'static str, String)> {
    let d = &node.detail;
    let single = [
        ("Filter", &d.filter),
        ("Join Filter", &d.join_filter),
        ("Index Cond", &d.index_cond),
        ("Hash Cond", &d.hash_cond),
        ("Merge Cond", &d.merge_cond),
        ("Recheck Cond", &d.recheck_cond),
        ("Tid Cond", &d.tid_cond),
        ("Order By", &d.order_by),
        ("One-Time Filter", &d.one_time_filter),
        ("Run Condition", &d.run_condition),
        ("Cache Key", &d.cache_key),
    ];
    // The bitmap index scans below say what a recheck says.
    let wanted = |name: &str| name != "Recheck Cond" || d.rows_removed_by_index_recheck.is_some();
    let keys = [("Sort Key", &d.sort_key), ("Group Key", &d.group_key)];
    let single = single
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .filter_map(|(name, text)| Some((name, text.clone()?)));
    let keys =
        keys.into_iter().filter(|(_, keys)| !keys.is_empty()).map(|(name, keys)| (name, keys.join(", ")));
    single.chain(keys).collect()
}
