//! A query whose plan is another one and costs more once the migrations have run.
//!
//! Refuses to speak of another plan of the same cost, and of a cost alone that is within what models get wrong.

use super::gate::{RATIOS, finding, name};
use super::{Check, Spec, Tuning};
use crate::context::GateContext;
use crate::finding::{Finding, Severity};
use crate::gate::Outcome;
use crate::words::times;

pub(super) const SPEC: Spec = Spec {
    name: "plan-regressed",
    summary: "a query that costs several times as much after the migrations as before",
    thresholds: &RATIOS,
    page: include_str!("../../rules/plan-regressed.md"),
    of_estimates: true,
    check: Check::Gate(check),
};

fn check(ctx: &GateContext, _: &Tuning) -> Vec<Finding> {
    let regressed = ctx.with(Outcome::Regressed).map(|query| (query, Severity::Error));
    let worse = ctx.with(Outcome::Worse).map(|query| (query, Severity::Warning));
    regressed.chain(worse).map(|(query, severity)| costs(ctx, query, severity)).collect()
}

fn costs(ctx: &GateContext, query: usize, severity: Severity) -> Finding {
    let judged = &ctx.judged[query];
    let mut finding = finding(ctx, &SPEC, query);
    finding.severity = severity;
    let ratio = times(judged.ratio.unwrap_or(1.0));
    finding.what = format!("{} costs {ratio} what it did", name(ctx, query));
    finding.why = match (judged.lost.as_slice(), judged.gained.as_slice()) {
        ([], []) => "its plan is the same and reads more".to_owned(),
        (lost, gained) => {
            let list = |paths: &[String]| match paths {
                [] => "nothing".to_owned(),
                paths => paths.join(", "),
            };
            format!("it read {}, and now reads {}", list(lost), list(gained))
        }
    };
    if !judged.heap.is_empty() {
        finding.why += &format!("; {} is no longer read from an index alone", judged.heap.join(", "));
    }
    finding.help = "keep what the query needs until it is no longer asked".to_owned();
    finding
}
