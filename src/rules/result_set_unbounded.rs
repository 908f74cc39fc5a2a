//! A statement that hands very many rows to its client, without a limit.
//!
//! Refuses to warn of mere rows: what they cost is known where the server measured their serialization (17+).

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::{NEAR, PlanContext};
use crate::finding::{Evidence, Finding};
use crate::plan::{Node, Serialization};
use crate::units::Bytes;
use crate::words::{counted, duration, size};

pub(super) const SPEC: Spec = Spec {
    name: "result-set-unbounded",
    summary: "a statement without LIMIT returns very many rows to its client",
    thresholds: &[Threshold {
        name: "min-rows",
        default: 250_000.0,
        unit: "rows returned",
        why: "a driver takes about 4 µs to receive a row and make a value of each column: so many are a second",
    }],
    page: include_str!("../../rules/result-set-unbounded.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    ctx.plan.root().and_then(|root| unbounded(ctx, tuning, root)).into_iter().collect()
}

fn unbounded(ctx: &PlanContext, tuning: &Tuning, root: &Node) -> Option<Finding> {
    let rows = ctx.facts_of(root.id).rows_total?.0;
    if rows < tuning.get("min-rows") || matches!(maker(ctx, root).kind.as_str(), "Limit" | "Aggregate" | "Group") {
        return None;
    }
    let sent = ctx.plan.serialization.as_ref();
    let time = sent.and_then(|s: &Serialization| s.time);
    let mut found = finding(&SPEC, ctx, root);
    if let Some(time) = time {
        found = found.recovering(ctx, time);
    }
    let width = root.estimate.map(|e| Bytes((e.width * rows) as i64));
    let bytes = sent.map(|s| s.output).or(width);
    found.relation = None;
    found.what = format!(
        "{} are returned to the client{}",
        counted(rows, "row"),
        bytes.map_or(String::new(), |b| format!(", about {}", size(b)))
    );
    found.why = match time {
        Some(time) => format!("{} go into writing them out, and the network and the client come on top", duration(time)),
        None => "writing them out, the network and the client's memory come on top of what this plan shows".to_owned(),
    };
    found.help = "ask for a page (ORDER BY … LIMIT) or for the sums themselves; read in portions by a cursor where all rows are needed".to_owned();
    found.evidence = vec![Evidence::data("rows returned", rows, "rows")];
    found.evidence.extend(bytes.map(|b| Evidence::data("bytes returned", b.0 as f64, "bytes")));
    found.evidence.extend(time.map(|t| Evidence::timing("time to write them out", t.0, "ms")));
    Some(found)
}

/// The node that decides how many rows there are: nodes above it only order or hand on.
fn maker<'a>(ctx: &PlanContext<'a>, root: &'a Node) -> &'a Node {
    const PASS: &[&str] = &["Sort", "Incremental Sort", "Gather", "Gather Merge", "Result", "LockRows"];
    let mut node = root;
    for _ in 0..NEAR {
        match ctx.children(node.id).next() {
            Some(below) if PASS.contains(&node.kind.as_str()) => node = below,
            _ => return node,
        }
    }
    node
}
