//! A Gather that got fewer workers than the plan was made for.
//!
//! Refuses to promise more than an even split: what the workers would have shared is divided by their number at best.

use super::support::finding;
use super::{Check, Spec, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::Node;
use crate::words::{counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "workers-not-launched",
    summary: "a parallel plan runs with fewer workers than it was made for",
    thresholds: &[],
    page: include_str!("../../rules/workers-not-launched.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, _: &Tuning) -> Vec<Finding> {
    let gathers = || ctx.plan.nodes.iter().filter(|n| n.workers_planned.is_some());
    // Gathers may run at the same time, as below a Merge Append.
    let wanted: u32 = gathers().filter_map(|n| n.workers_planned).sum();
    gathers().filter_map(|gather| missing(ctx, gather, wanted)).collect()
}

fn missing(ctx: &PlanContext, gather: &Node, wanted: u32) -> Option<Finding> {
    let (planned, launched) = (gather.workers_planned?, gather.workers_launched?);
    // The one worker of such a Gather does all the work: where it is missing, the leader does.
    if gather.detail.single_copy == Some(true) {
        return None;
    }
    // None where the Gather never ran: it says that it launched none, too.
    let shared = ctx.subtree_time(ctx.children(gather.id).next()?.id)?;
    let (had, meant) = (f64::from(launched) + 1.0, f64::from(planned) + 1.0);
    // Nothing where all started, and then nothing is said.
    let mut found = finding(&SPEC, ctx, gather).recovering(ctx, shared * (1.0 - had / meant));
    found.what = format!(
        "{} of {} started, so {} did what the plan divides by {meant}",
        if launched == 0 { "none".to_owned() } else { launched.to_string() },
        counted(f64::from(planned), "planned worker"),
        counted(had, "process").replace("processs", "processes")
    );
    let setting = |name: &str| ctx.server.and_then(|server| server.number(name));
    let (limit, pool) = (setting("max_parallel_workers"), setting("max_worker_processes"));
    let needed = f64::from(wanted);
    found.why = format!(
        "{} went into the part below that workers share; the cost of the plan was estimated with them",
        duration(shared)
    );
    found.evidence = vec![
        Evidence::data("workers planned", f64::from(planned), "workers"),
        Evidence::data("workers launched", f64::from(launched), "workers"),
        Evidence::timing("time below the Gather", shared.0, "ms"),
    ];
    found.help = match (limit, pool) {
        (Some(limit), Some(pool)) if limit < needed && needed <= pool => {
            let remark = "the limit counts the workers of all sessions, and max_worker_processes bounds it: more for \
                          this statement leaves fewer to others";
            let value = pool.to_string();
            found.remedies = vec![Remedy::Setting { name: "max_parallel_workers", value, remark }];
            format!(
                "max_parallel_workers is {limit}, and this plan may want {needed} at once: raise it for this statement"
            )
        }
        (Some(limit), Some(pool)) if needed > pool => format!(
            "max_worker_processes is {pool} and max_parallel_workers {limit}, and this plan may want {needed} at once: \
             raise the first (it needs a restart), or lower max_parallel_workers_per_gather"
        ),
        (Some(limit), _) => format!(
            "other statements had the workers (max_parallel_workers is {limit} for all sessions): raise it with \
             max_worker_processes, or lower max_parallel_workers_per_gather so that statements share them"
        ),
        _ => "see max_parallel_workers and max_worker_processes: they bound the workers of all sessions".to_owned(),
    };
    Some(found)
}
