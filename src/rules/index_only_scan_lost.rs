//! A query that read a table from an index alone, and with the migrations has to look into the table too.
//!
//! Refuses to tell again what is told as a regression, and to speak where that costs nothing.

use super::gate::{finding, name};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::GateContext;
use crate::finding::{Finding, Severity};
use crate::gate::Outcome;
use crate::words::percent;

pub(super) const SPEC: Spec = Spec {
    name: "index-only-scan-lost",
    summary: "a query that no longer reads a table from an index alone",
    thresholds: &[Threshold {
        name: "min-growth",
        default: 0.02,
        unit: "of the cost",
        why: "below that the cost moves as much between two ANALYZE of the same data",
    }],
    page: include_str!("../../rules/index-only-scan-lost.md"),
    of_estimates: true,
    check: Check::Gate(check),
};

fn check(ctx: &GateContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for (query, judged) in ctx.judged.iter().enumerate() {
        let quiet = !matches!(judged.outcome, Outcome::Changed | Outcome::Unchanged | Outcome::Tie);
        let growth = judged.ratio.map_or(0.0, |ratio| ratio - 1.0);
        let Some(relation) = judged.heap.first().filter(|_| !quiet && growth >= tuning.get("min-growth")) else {
            continue;
        };
        let mut finding = finding(ctx, &SPEC, query);
        finding.severity = Severity::Info;
        finding.relation = Some(relation.clone());
        finding.what = format!("{} no longer reads {} from an index alone", name(ctx, query), judged.heap.join(", "));
        finding.why = format!(
            "each row costs a look into the table now, which makes {} more of the query's cost, and more on a cold cache",
            percent(growth)
        );
        finding.help = "keep the columns that it needs in the index: INCLUDE (…)".to_owned();
        found.push(finding);
    }
    found
}
