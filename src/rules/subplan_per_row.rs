//! A subquery that is executed once for each outer row.
//!
//! Refuses to blame index probes of a small part of a table: a join would read all of it.

use super::rewriting;
use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::{Node, Relationship};
use crate::sql::rewrite::subqueries_to_joins;
use crate::units::Millis;
use crate::words::{counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "subplan-per-row",
    summary: "a subquery that depends on the outer row is executed once for each",
    thresholds: &[
        Threshold {
            name: "min-loops",
            default: 10.0,
            unit: "loops",
            why: "a join's hash table costs about as much as reading the rows a few times",
        },
        Threshold {
            name: "min-part-of-table",
            default: 0.5,
            unit: "of the table's rows",
            why: "a probe costs some five times as much per row as reading a table in order does",
        },
        Threshold {
            name: "recoverable-share",
            default: 0.5,
            unit: "of the probes' time",
            why: "a join reads the same rows once more; measured, it takes a third to a half of the probes' time",
        },
    ],
    page: include_str!("../../rules/subplan-per-row.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut told = 0;
    for node in &ctx.plan.nodes {
        // What runs inside a subquery that runs too often is that one's story.
        if node.id < told || node.relationship != Relationship::SubPlan {
            continue;
        }
        if let Some(finding) = repeated(ctx, tuning, node) {
            found.push(finding);
            told = ctx.facts.tree.subtree(node.id).end;
        }
    }
    found
}

fn repeated(ctx: &PlanContext, tuning: &Tuning, subplan: &Node) -> Option<Finding> {
    let ran = subplan.ran()?;
    if ran.loops < tuning.get("min-loops") {
        return None;
    }
    let time = ctx.subtree_time(subplan.id)?;
    let scans = own_scans(ctx, subplan);
    let whole: Vec<&Node> = scans.iter().copied().filter(|n| WHOLE.contains(&n.kind.as_str())).collect();
    let aliases: Vec<&str> = scans.iter().filter_map(|n| ctx.outer_alias(n)).collect();
    let rewrite = rewriting::remedy(ctx, |parsed, known| subqueries_to_joins(parsed, known, &aliases));
    let (scan, saves) = match whole.first() {
        Some(scan) => (*scan, time * (1.0 - 1.0 / ran.loops)),
        None => {
            rewrite.as_ref()?;
            let probed = |scan: &&Node| part_of_table(ctx, scan) >= Some(tuning.get("min-part-of-table"));
            (scans.iter().copied().find(probed)?, time * tuning.get("recoverable-share"))
        }
    };
    let mut found = finding(&SPEC, ctx, subplan).recovering(ctx, saves);
    let name = ctx.relation_name(scan);
    let each = Millis(time.0 / ran.loops);
    let how = if whole.is_empty() { "looks into" } else { "reads" };
    found.what = format!(
        "a subquery {how} {name} {}, once for each outer row, {} each time",
        counted(ran.loops, "time"),
        duration(each)
    );
    found.why = format!("{} go into it: what is quick once is not so often", duration(time));
    found.help = match (&rewrite, whole.is_empty()) {
        (Some(_), true) => "a LEFT JOIN on the grouped rows answers for all outer rows at once".to_owned(),
        (Some(_), false) => {
            "a LEFT JOIN on the grouped rows answers for all outer rows at once; or an index on what the subquery \
             compares makes each time quick"
                .to_owned()
        }
        (None, _) => "an index on what the subquery compares makes each time quick; or join what it reads".to_owned(),
    };
    found.relation = scan.detail.relation.as_ref().map(|_| name);
    found.evidence = vec![
        Evidence::data("loops", ran.loops, "loops"),
        Evidence::timing("time in the subquery", time.0, "ms"),
    ];
    found.remedies = rewrite.into_iter().collect();
    let tables = whole.iter().filter(|n| n.kind == "Seq Scan");
    found.remedies.extend(tables.map(|scan| Remedy::Index { scan: scan.id, join: None }));
    Some(found)
}

/// Scans that read all there is every time.
const WHOLE: &[&str] = &["Seq Scan", "CTE Scan"];

/// The scans of a subplan, without those of subplans inside it: so each scan is looked at once.
fn own_scans<'a>(ctx: &PlanContext<'a>, subplan: &'a Node) -> Vec<&'a Node> {
    let (mut scans, mut stack) = (Vec::new(), vec![subplan]);
    while let Some(node) = stack.pop() {
        if node.detail.relation.is_some() || node.kind == "CTE Scan" {
            scans.push(node);
        }
        stack.extend(ctx.children(node.id).filter(|n| n.relationship != Relationship::SubPlan));
    }
    scans
}

/// How much of its table a scan has read in all, where the catalog knows its size.
fn part_of_table(ctx: &PlanContext, scan: &Node) -> Option<f64> {
    let relation = ctx.relation(scan)?;
    let facts = ctx.facts_of(scan.id);
    let read = facts.rows_total?.0 + facts.rows_removed_total.map_or(0.0, |rows| rows.0);
    Some(read / relation.rows?.max(1.0))
}
