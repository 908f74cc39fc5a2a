//! A statement that mostly is quick and sometimes is not.
//!
//! Refuses to say why: of single executions pg_stat_statements keeps nothing but the longest.

use super::workload::{finding, time_share};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::WorkloadContext;
use crate::finding::{Confidence, Evidence, Finding};
use crate::units::Millis;
use crate::words::{duration, times};

pub(super) const SPEC: Spec = Spec {
    name: "latency-unstable",
    summary: "executions of one statement differ by far more than their mean",
    thresholds: &[
        Threshold {
            name: "min-variation",
            default: 3.0,
            unit: "standard deviations per mean",
            why: "times that come from one cause vary by about their mean",
        },
        Threshold {
            name: "min-calls",
            default: 100.0,
            unit: "calls",
            why: "of fewer, one slow first execution decides the deviation",
        },
        Threshold {
            name: "min-longest",
            default: 100.0,
            unit: "ms",
            why: "a person notices a tenth of a second",
        },
        Threshold {
            name: "min-share",
            default: 0.01,
            unit: "of execution time",
            why: "what takes less is not worth the search",
        },
    ],
    page: include_str!("../../rules/latency-unstable.md"),
    of_estimates: false,
    check: Check::Workload(check),
};

fn check(ctx: &WorkloadContext, tuning: &Tuning) -> Vec<Finding> {
    // Of a window nobody can say how its executions differed: the deviation is that of the entry's life.
    if ctx.observed.before.is_some() {
        return Vec::new();
    }
    let statements = ctx.ranking.statements.iter().enumerate();
    let found = statements.filter_map(|(at, statement)| {
        let mean = Some(statement.lifetime_mean_ms).filter(|mean| *mean > 0.0)?;
        let variation = statement.deviation_ms / mean;
        if variation < tuning.get("min-variation")
            || statement.counters.calls < tuning.get("min-calls")
            || statement.max_ms < tuning.get("min-longest")
            || time_share(ctx, at) < tuning.get("min-share")
        {
            return None;
        }
        let mut found = finding(&SPEC, at, 0.0);
        found.confidence = Confidence::Measured;
        found.what = format!(
            "an execution takes {} on average and took up to {}, {} as long",
            duration(Millis(mean)),
            duration(Millis(statement.max_ms)),
            times(statement.max_ms / mean)
        );
        found.why = format!(
            "its times deviate by {} the mean, over the life of its entry: people remember the slow ones",
            times(variation)
        );
        found.help = "explain it with values that are common and with rare ones; look for waits with log_lock_waits, \
                      and for slow executions with auto_explain.log_min_duration"
            .to_owned();
        found.evidence = vec![
            Evidence::timing("mean", mean, "ms"),
            Evidence::timing("standard deviation", statement.deviation_ms, "ms"),
            Evidence::timing("longest", statement.max_ms, "ms"),
            Evidence::data("calls", statement.counters.calls, "calls"),
        ];
        Some(found)
    });
    found.collect()
}
