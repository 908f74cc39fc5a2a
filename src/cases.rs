//! A page's case held to a report: which nodes, which findings, which exact proposals.
//!
//! Refuses to run anything: who has a server makes the report.

use crate::finding::{Finding, Place};
use crate::plan::{Node, Plan};
use crate::report::{Judged, Report};
use crate::rules::page::Case;
use crate::sql::ident;

/// A node as EXPLAIN's text form heads it: `Parallel Seq Scan on "Order Lines"`, `Index Scan using i on t`.
pub fn label(node: &Node) -> String {
    let detail = &node.detail;
    let mut label = node.kind.clone();
    if detail.parallel_aware == Some(true) {
        label.insert_str(0, "Parallel ");
    }
    if detail.scan_direction.as_deref() == Some("Backward") {
        label.push_str(" Backward");
    }
    match (&detail.index, node.kind.as_str()) {
        (Some(index), "Bitmap Index Scan") => label.push_str(&format!(" on {}", ident::quote(index))),
        (Some(index), _) => label.push_str(&format!(" using {}", ident::quote(index))),
        (None, _) => {}
    }
    if let Some(relation) = &detail.relation {
        label.push_str(&format!(" on {}", ident::quote(relation)));
    }
    label
}

/// The plan of a run: a statement with parameters has several.
fn plan_of(report: &Report, run: usize) -> Option<&Plan> {
    Some(&report.statements.first()?.plans.get(run)?.plan)
}

/// The findings of a report as the pages write them.
pub fn findings(report: &Report) -> Vec<String> {
    let node = |at: Place| plan_of(report, at.run?)?.nodes.get(at.node?).map(label);
    let place = |f: &Finding| match (f.at.run, node(f.at)) {
        (_, Some(node)) => node,
        (Some(_), None) => "the plan".to_owned(),
        // What is no matter of a plan stands at an index, else at a relation.
        (None, None) => {
            let whole = || match (&f.location, f.at.statement) {
                (Some(place), _) => format!("{}:{}", place.path, place.line),
                (None, Some(_)) => "the statement".to_owned(),
                (None, None) => "the database".to_owned(),
            };
            f.index.as_ref().or(f.relation.as_ref()).map_or_else(whole, String::clone)
        }
    };
    report.findings.iter().map(|f| format!("{} at {}", f.rule, place(f))).collect()
}

/// What differs between a report and what its page expects, a line for each; empty where nothing does.
pub fn differences(report: &Report, case: &Case) -> Vec<String> {
    let mut wrong = Vec::new();
    let plans = report.statements.first().into_iter().flat_map(|statement| &statement.plans);
    let nodes: Vec<String> = plans.flat_map(|planned| planned.plan.nodes.iter().map(label)).collect();
    for node in case.nodes.iter().filter(|node| !nodes.contains(node)) {
        wrong.push(format!("the plan lacks the node {node}; it has: {}", nodes.join(", ")));
    }
    let mut left: Vec<String> =
        case.findings.iter().map(|(rule, node)| format!("{rule} at {node}")).collect();
    for found in findings(report) {
        match left.iter().position(|expected| *expected == found) {
            Some(at) => drop(left.swap_remove(at)),
            None => wrong.push(format!("not expected: finding: {found}")),
        }
    }
    left.sort();
    wrong.extend(left.into_iter().map(|finding| format!("missing: finding: {finding}")));
    let apply = |judged: &Judged| judged.proposal.apply.clone();
    let proposed: Vec<String> = report.proposals.iter().flat_map(apply).collect();
    let same = proposed.len() == case.proposals.len()
        && proposed.iter().zip(&case.proposals).all(|(sql, pattern)| matches(sql, pattern));
    if !same {
        let list = |all: &[String]| if all.is_empty() { "none".to_owned() } else { all.join("; ") };
        wrong.push(format!("expected proposals: {}; got: {}", list(&case.proposals), list(&proposed)));
    }
    wrong
}

/// Equality, but `12..16` in the pattern stands for a number between these.
fn matches(sql: &str, pattern: &str) -> bool {
    let Some((head, tail)) = pattern.split_once("..") else { return sql == pattern };
    let digits = head.len() - head.bytes().rev().take_while(u8::is_ascii_digit).count();
    let end = tail.bytes().take_while(u8::is_ascii_digit).count();
    let (before, low) = head.split_at(digits);
    let (high, after) = tail.split_at(end);
    let middle = sql.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    let numbers = (low.parse::<u64>(), middle.map(str::parse::<u64>), high.parse::<u64>());
    matches!(numbers, (Ok(low), Some(Ok(value)), Ok(high)) if (low..=high).contains(&value))
}
