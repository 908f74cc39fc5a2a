//! A query that goes beyond what its author, or the settings, let it cost.
//!
//! Refuses to set a limit of its own, and to speak of one that could not be tested.

use super::gate::{finding, name};
use super::{Check, Spec, Tuning};
use crate::context::GateContext;
use crate::finding::{Confidence, Evidence, Finding, Severity};
use crate::gate::budget::Over;
use crate::words::{count, counted};

pub(super) const SPEC: Spec = Spec {
    name: "query-over-budget",
    summary: "a query that costs, reads or returns more than its budget allows",
    thresholds: &[],
    page: include_str!("../../rules/query-over-budget.md"),
    of_estimates: true,
    check: Check::Gate(check),
};

fn check(ctx: &GateContext, _: &Tuning) -> Vec<Finding> {
    let all = ctx.held.iter().enumerate().flat_map(|(query, held)| held.over.iter().map(move |over| (query, over)));
    let wrong = ctx
        .held
        .iter()
        .enumerate()
        .flat_map(|(query, held)| held.wrong.iter().map(move |why| untested(ctx, query, why)));
    all.map(|(query, over)| beyond(ctx, query, over)).chain(wrong).collect()
}

/// A budget that holds nobody to anything: as loud as a mistyped comment.
fn untested(ctx: &GateContext, query: usize, why: &str) -> Finding {
    let mut finding = finding(ctx, &SPEC, query);
    finding.location = ctx.compared.queries[query].places.first().cloned().or(finding.location);
    finding.severity = Severity::Warning;
    finding.confidence = Confidence::Measured;
    finding.what = format!("the budget of {} could not be tested: {why}", name(ctx, query));
    finding.why = "a limit that nothing is held to protects nobody".to_owned();
    finding.help = "mend the budget, its param=VALUE or the data of --seed".to_owned();
    finding.evidence.clear();
    finding
}

fn beyond(ctx: &GateContext, query: usize, over: &Over) -> Finding {
    let mut finding = finding(ctx, &SPEC, query);
    let name = name(ctx, query);
    let asked = &ctx.compared.queries[query];
    finding.location = finding.location.or_else(|| asked.places.first().cloned());
    let limits = |unit, limit, is| [Evidence::data("limit", limit, unit), Evidence::data("is", is, unit)];
    match over {
        Over::Buffers { limit, is } => {
            finding.confidence = Confidence::Measured;
            let touched = counted(*is, "block");
            finding.what = format!("{name} touches {touched}, and its budget is {}", count(*limit));
            finding.why = "counted in an execution against the seeded data, hits and reads together".to_owned();
            finding.evidence.extend(limits("blocks", *limit, *is));
        }
        Over::Cost { limit, is, often } => {
            let values = match often {
                None => String::new(),
                Some(often) => format!(" with a {} value", often.name()),
            };
            finding.what = format!("{name} costs {}{values}, and its budget is {}", count(*is), count(*limit));
            finding.why = "the planner's estimate of the whole plan on head".to_owned();
            finding.evidence.extend(limits("", *limit, *is));
        }
        Over::Rows { limit, is, counted: seen } => {
            let (word, from) = match seen {
                true => ("returns", "counted in an execution against the seeded data"),
                false => ("is estimated to return", "the planner's estimate on head"),
            };
            finding.what = format!("{name} {word} {}, and its budget is {}", counted(*is, "row"), count(*limit));
            finding.why = from.to_owned();
            finding.evidence.extend(limits("rows", *limit, *is));
            if *seen {
                finding.confidence = Confidence::Measured;
            }
        }
        Over::Unindexed { relation } => {
            finding.what = format!("{name} reads {relation} without an index, and its budget asks for one");
            finding.why = "the planner takes none of the table's indexes on head".to_owned();
            finding.relation = Some(relation.clone());
        }
    }
    finding.help = "make it cheaper, or give it a budget that it keeps".to_owned();
    finding
}
