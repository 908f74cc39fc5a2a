//! A node's line: `->  Parallel Index Only Scan Backward using i on public.t a  (cost=…) (actual …)`.
//!
//! Refuses to know every node: one without a spelling of its own is printed by its kind.

use super::super::{Detail, Execution, Node, Ran};
use super::{Spelling, fixed, plain, time};
use crate::sql::ident;

/// The node's line without its indentation and arrow.
pub(super) fn line(node: &Node, spelling: Spelling) -> String {
    let mut out = String::new();
    if node.detail.parallel_aware == Some(true) {
        out.push_str("Parallel ");
    }
    if node.detail.async_capable == Some(true) {
        out.push_str("Async ");
    }
    out.push_str(&name(node));
    if let Some(estimate) = node.estimate {
        out.push_str(&format!(
            "  (cost={}..{} rows={} width={})",
            fixed(estimate.startup_cost.0, 2),
            fixed(estimate.total_cost.0, 2),
            plain(estimate.rows.0),
            plain(estimate.width)
        ));
    }
    match &node.execution {
        Execution::NotMeasured => {}
        Execution::NeverRan => out.push_str(" (never executed)"),
        Execution::Ran(ran) => out.push_str(&format!(" ({})", actual(ran, spelling))),
    }
    out
}

/// `actual time=0.1..0.2 rows=3 loops=1`, as nodes and workers print it.
pub(super) fn actual(ran: &Ran, spelling: Spelling) -> String {
    let times = match (ran.startup_time, ran.total_time) {
        (Some(startup), Some(total)) => format!("time={}..{} ", time(startup), time(total)),
        _ => String::new(),
    };
    format!("actual {times}rows={} loops={}", spelling.rows(ran.rows.0), plain(ran.loops))
}

fn name(node: &Node) -> String {
    let d = &node.detail;
    let joined = |word: &str| match d.join_type.as_deref() {
        Some("Inner") | None => None,
        Some(kind) => Some(format!("{word} {kind} Join")),
    };
    match node.kind.as_str() {
        "Aggregate" => {
            let name = match d.strategy.as_deref() {
                Some("Sorted") => "GroupAggregate",
                Some("Hashed") => "HashAggregate",
                Some("Mixed") => "MixedAggregate",
                _ => "Aggregate",
            };
            match d.partial_mode.as_deref() {
                None | Some("Simple") => name.to_owned(),
                Some(mode) => format!("{mode} {name}"),
            }
        }
        "Nested Loop" => joined("Nested Loop").unwrap_or_else(|| node.kind.clone()),
        "Hash Join" => joined("Hash").unwrap_or_else(|| node.kind.clone()),
        "Merge Join" => joined("Merge").unwrap_or_else(|| node.kind.clone()),
        "SetOp" => {
            let name = if d.strategy.as_deref() == Some("Hashed") { "HashSetOp" } else { "SetOp" };
            d.command.as_deref().map_or_else(|| name.to_owned(), |command| format!("{name} {command}"))
        }
        "ModifyTable" => {
            let operation = d.operation.as_deref().unwrap_or("ModifyTable");
            format!("{operation}{}", target(d))
        }
        "Foreign Scan" => match d.operation.as_deref() {
            None | Some("Select") => format!("Foreign Scan{}", target(d)),
            Some(operation) => format!("Foreign {operation}{}", target(d)),
        },
        "Custom Scan" => match &d.custom_plan_provider {
            Some(provider) => format!("Custom Scan ({provider}){}", target(d)),
            None => format!("Custom Scan{}", target(d)),
        },
        "Bitmap Index Scan" => match &d.index {
            Some(index) => format!("Bitmap Index Scan on {}", ident::quote(index)),
            None => node.kind.clone(),
        },
        kind => {
            let backward = if d.scan_direction.as_deref() == Some("Backward") { " Backward" } else { "" };
            let using = d.index.as_deref().map_or(String::new(), |i| format!(" using {}", ident::quote(i)));
            format!("{kind}{backward}{using}{}", target(d))
        }
    }
}

/// ` on schema.name alias`, as far as known.
fn target(d: &Detail) -> String {
    let names = [&d.relation, &d.function, &d.table_function, &d.cte, &d.tuplestore];
    let name = names.into_iter().flatten().next();
    named(d.schema.as_deref(), name.map(String::as_str), d.alias.as_deref())
}

/// ` on schema.name alias`: the alias only where it is another name.
pub(super) fn named(schema: Option<&str>, name: Option<&str>, alias: Option<&str>) -> String {
    let mut out = String::new();
    if let Some(name) = name {
        out.push_str(" on ");
        if let Some(schema) = schema {
            out.push_str(&ident::quote(schema));
            out.push('.');
        }
        out.push_str(&ident::quote(name));
    }
    if let Some(alias) = alias.filter(|alias| Some(*alias) != name) {
        out.push_str(if name.is_some() { " " } else { " on " });
        out.push_str(&ident::quote(alias));
    }
    out
}
