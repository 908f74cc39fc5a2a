//! A query without any value in it, asked again and again: the answer is mostly the one from before.
//!
//! Refuses queries that lock what they read, that call functions, or that read nothing.

use super::workload::{call_share, finding, of_the_server, time_share};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::WorkloadContext;
use crate::finding::{Evidence, Finding};
use crate::sql::shape::Shape;
use crate::units::Millis;
use crate::words::{counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "identical-repeats",
    summary: "the same question, without any value in it, is asked again and again",
    thresholds: &[
        Threshold {
            name: "min-calls",
            default: 1_000.0,
            unit: "calls",
            why: "what is asked less often costs nobody anything",
        },
        Threshold {
            name: "min-share",
            default: 0.05,
            unit: "of calls or of execution time",
            why: "below a twentieth nothing would be felt",
        },
    ],
    page: include_str!("../../rules/identical-repeats.md"),
    of_estimates: false,
    check: Check::Workload(check),
};

fn check(ctx: &WorkloadContext, tuning: &Tuning) -> Vec<Finding> {
    let shapes = ctx.shapes.iter().enumerate();
    let found = shapes.filter_map(|(at, shape)| {
        let Some(Shape::Read(read)) = shape else { return None };
        let statement = &ctx.ranking.statements[at];
        let share = call_share(ctx, at).max(time_share(ctx, at));
        // A function may be volatile, or tell the time.
        let repeats = !read.parameters && !read.locks && !read.functions;
        if !repeats
            || read.tables.iter().all(|t| of_the_server(t.schema.as_deref(), &t.name))
            || statement.counters.calls < tuning.get("min-calls")
            || share < tuning.get("min-share")
        {
            return None;
        }
        let mut found = finding(&SPEC, at, share);
        let every = ctx.window.seconds.map(|s| s * 1000.0 / statement.counters.calls);
        found.what = format!(
            "candidate: one question, without any value in it, was asked {}{}",
            counted(statement.counters.calls, "time"),
            every.map_or(String::new(), |ms| format!(", every {}", duration(Millis(ms))))
        );
        found.why = format!(
            "each is a round trip, and all took {} on the server",
            duration(Millis(statement.counters.total_ms))
        );
        found.help = "where its tables seldom change, keep the answer in the application, or ask once per request"
            .to_owned();
        found.evidence = vec![
            Evidence::data("calls", statement.counters.calls, "calls"),
            Evidence::timing("execution time", statement.counters.total_ms, "ms"),
        ];
        Some(found)
    });
    found.collect()
}
