//! One statement that takes a large part of all execution time.
//!
//! Refuses to say that it is slow: what it could be spared, the rules about its plan say.

use super::workload::{finding, time_share};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::WorkloadContext;
use crate::finding::{Confidence, Evidence, Finding};
use crate::units::Millis;
use crate::words::{counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "statement-dominates",
    summary: "one statement takes a large part of all execution time",
    thresholds: &[
        Threshold {
            name: "min-share",
            default: 0.3,
            unit: "of execution time",
            why: "where none takes a third, no single statement decides how busy the server is",
        },
        Threshold {
            name: "min-total",
            default: 1_000.0,
            unit: "ms",
            why: "of a window with less than a second of work nothing can be told",
        },
    ],
    page: include_str!("../../rules/statement-dominates.md"),
    of_estimates: false,
    check: Check::Workload(check),
};

fn check(ctx: &WorkloadContext, tuning: &Tuning) -> Vec<Finding> {
    let all = ctx.ranking.all.total_ms;
    let statements = ctx.ranking.statements.iter().enumerate();
    let found = statements.filter_map(|(at, statement)| {
        let share = time_share(ctx, at);
        let mean = statement.counters.mean_ms()?;
        if share < tuning.get("min-share") || all < tuning.get("min-total") {
            return None;
        }
        let mut found = finding(&SPEC, at, share);
        found.confidence = Confidence::Measured;
        found.what = format!(
            "it takes {} of the execution time of all statements: {} of {} each",
            percent(share),
            counted(statement.counters.calls, "call"),
            duration(Millis(mean))
        );
        let busy = ctx.window.seconds.filter(|s| *s > 0.0).map(|s| statement.counters.total_ms / 1000.0 / s);
        found.why = match busy {
            Some(busy) => format!(
                "{} of {}, which keeps {busy:.2} processes busy all the time",
                duration(Millis(statement.counters.total_ms)),
                duration(Millis(all))
            ),
            None => format!("{} of {}", duration(Millis(statement.counters.total_ms)), duration(Millis(all))),
        };
        found.help = "what makes it cheaper, or rarer, helps everything else that the server does".to_owned();
        found.evidence = vec![
            Evidence::timing("execution time", statement.counters.total_ms, "ms"),
            Evidence::timing("execution time of all statements", all, "ms"),
            Evidence::data("calls", statement.counters.calls, "calls"),
        ];
        Some(found)
    });
    found.collect()
}
