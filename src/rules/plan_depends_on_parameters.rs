//! A statement whose plan, and with it its time, depends on the values of its parameters.
//!
//! Refuses to speak of an average: it tells the slowest run, and what the server would do there.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::capture::Mode;
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::units::Millis;
use crate::words::{count, duration, times};

pub(super) const SPEC: Spec = Spec {
    name: "plan-depends-on-parameters",
    summary: "other values of its parameters give a statement another plan, and another time",
    thresholds: &[
        Threshold {
            name: "min-loss",
            default: 5.0,
            unit: "times the time",
            why: "a generic plan is made once for all values: so much slower for one of them is no accident",
        },
        Threshold {
            name: "min-ratio",
            default: 10.0,
            unit: "times the time or cost",
            why: "within a factor of ten the number of rows explains the time, whatever the plan",
        },
        Threshold {
            name: "min-tail",
            default: 10.0,
            unit: "ms",
            why: "where the slowest run is quicker than this nobody waits for it",
        },
        Threshold {
            name: "min-tail-cost",
            default: 1_000.0,
            unit: "of the planner's cost",
            why: "a thousand sequential pages: about the same 10 ms where nothing was executed",
        },
    ],
    page: include_str!("../../rules/plan-depends-on-parameters.md"),
    of_estimates: true,
    check: Check::Runs(check),
};

/// Sees all runs of one statement: those with values, and the generic plan, alone or executed with values.
fn check(runs: &[PlanContext], tuning: &Tuning) -> Vec<Finding> {
    // Where each execution is planned for its values, this is settled.
    let settled = |ctx: &PlanContext| {
        ctx.server.and_then(|s| s.setting("plan_cache_mode")) == Some("force_custom_plan")
    };
    if runs.iter().any(settled) {
        return Vec::new();
    }
    let misfit = runs.iter().find_map(|generic| misfit(runs, generic, tuning));
    misfit.or_else(|| tail(runs, tuning)).into_iter().collect()
}

/// The generic plan, executed with values that a plan of their own serves far better. The runs with plans of their own
/// come first; compared with itself no run is slower.
fn misfit(runs: &[PlanContext], generic: &PlanContext, tuning: &Tuning) -> Option<Finding> {
    let own = runs.iter().find(|ctx| ctx.parameters == generic.parameters)?;
    let (slow, quick) = (generic.facts.execution?, own.facts.execution?);
    if slow.0 < tuning.get("min-loss") * quick.0 {
        return None;
    }
    let planning = own.plan.planning_time?;
    let mut found = finding(&SPEC, generic, generic.plan.root()?);
    found = found.recovering(generic, Millis(slow.0 - quick.0 - planning.0));
    let values = values(generic.parameters, runs);
    found.what = format!(
        "with {values} the generic plan takes {}, a plan made for these values {}",
        duration(slow),
        duration(quick)
    );
    found.why = format!(
        "a prepared statement may keep the generic plan from its sixth execution on: {}, where these values want {}",
        access(generic),
        access(own)
    );
    found.help = format!(
        "plan_cache_mode = force_custom_plan for this statement plans each execution anew, which takes {}",
        duration(planning)
    );
    found.evidence = vec![
        Evidence::text("values", values),
        Evidence::timing("generic plan", slow.0, "ms"),
        Evidence::timing("plan for these values", quick.0, "ms"),
    ];
    found.remedies = vec![Remedy::Setting {
        name: "plan_cache_mode",
        value: "force_custom_plan".to_owned(),
        remark: "it concerns prepared statements: set it for this statement (SET LOCAL in its transaction) or for its \
                 role; each execution is then planned anew",
    }];
    Some(found)
}

/// The slowest of the runs with values against the quickest, where their plans read in other ways.
fn tail(runs: &[PlanContext], tuning: &Tuning) -> Option<Finding> {
    let custom: Vec<&PlanContext> = runs.iter().filter(|ctx| ctx.mode != Mode::Generic).collect();
    let measured = custom.iter().all(|ctx| ctx.measured());
    let weight = |ctx: &PlanContext| match measured {
        true => ctx.facts.execution.map(|time| time.0),
        false => ctx.plan.root().and_then(|root| root.estimate).map(|e| e.total_cost.0),
    };
    let mut weighed: Vec<(f64, &PlanContext)> =
        custom.iter().filter_map(|ctx| Some((weight(ctx)?, *ctx))).collect();
    weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (&(quick, best), &(slow, worst)) = weighed.first().zip(weighed.last())?;
    let least = if measured { tuning.get("min-tail") } else { tuning.get("min-tail-cost") };
    if slow < least || slow < tuning.get("min-ratio") * quick || paths(worst) == paths(best) {
        return None;
    }
    let shown = |weight: f64| match measured {
        true => duration(Millis(weight)),
        false => format!("an estimated cost of {}", count(weight.round())),
    };
    let mut found = finding(&SPEC, worst, worst.plan.root()?);
    let slow_values = values(worst.parameters, runs);
    found.what = format!(
        "with {slow_values} the statement takes {}, {} as much as with {} ({})",
        shown(slow),
        times(slow / quick),
        values(best.parameters, runs),
        shown(quick)
    );
    found.why = format!(
        "its plan depends on the value: {} for the slow one, {} for the other; their average hides it",
        access(worst),
        access(best)
    );
    found.help = "tune and judge it by the slow value: give it with --param".to_owned();
    found.evidence = vec![Evidence::text("slow with", slow_values)];
    let unit = if measured { "ms" } else { "cost" };
    found.evidence.extend([Evidence::timing("slowest", slow, unit), Evidence::timing("quickest", quick, unit)]);
    Some(found)
}

/// `$1 = 'done', $3 = '7'`: the parameters that differ between runs.
fn values(parameters: &[Option<String>], runs: &[PlanContext]) -> String {
    let differs = |at: usize, value: &Option<String>| {
        runs.iter().any(|other| other.parameters.get(at).is_some_and(|o| o != value))
    };
    let shown = parameters.iter().enumerate().filter(|(at, value)| differs(*at, value)).map(|(at, value)| {
        let value = value.as_ref().map_or("NULL".to_owned(), |v| format!("'{}'", v.replace('\'', "''")));
        format!("${} = {value}", at + 1)
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// How a plan reads its tables and joins them, in order.
fn paths<'a>(ctx: &PlanContext<'a>) -> Vec<(&'a str, Option<&'a str>)> {
    let plan = ctx.plan;
    plan.nodes.iter().map(|n| (n.kind.as_str(), n.detail.index.as_deref())).collect()
}

/// The scan that takes most of a plan's time or, unmeasured, of its cost.
fn access(ctx: &PlanContext) -> String {
    let scans = ctx.plan.nodes.iter().filter(|n| n.detail.relation.is_some());
    let weight = |node: &&crate::plan::Node| {
        ctx.self_time(node.id).map_or_else(|| node.estimate.map_or(0.0, |e| e.total_cost.0), |t| t.0)
    };
    match scans.max_by(|a, b| weight(a).total_cmp(&weight(b))) {
        Some(scan) => {
            let index = scan.detail.index.as_ref().map_or(String::new(), |i| format!(" by {i}"));
            format!("{} of {}{index}", scan.kind, ctx.relation_name(scan))
        }
        None => "another plan".to_owned(),
    }
}
