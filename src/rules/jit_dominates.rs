//! Just-in-time compilation that takes a large part of the execution.
//!
//! Refuses to add up what processes do at once: the user waits for the slowest of them.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::Jit;
use crate::units::Millis;
use crate::words::{count, counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "jit-dominates",
    summary: "compiling a statement's expressions takes a large part of its execution",
    thresholds: &[Threshold {
        name: "min-share",
        default: 0.25,
        unit: "of the execution",
        why: "compiled code makes expressions faster, seldom by so much that a quarter of the time comes back",
    }],
    page: include_str!("../../rules/jit-dominates.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    dominates(ctx, tuning).into_iter().collect()
}

fn dominates(ctx: &PlanContext, tuning: &Tuning) -> Option<Finding> {
    let jit = ctx.plan.jit.as_ref()?;
    let (root, execution) = (ctx.plan.root()?, ctx.facts.execution?.0);
    let waited = waited(ctx, jit)?;
    let share = waited / execution;
    if share < tuning.get("min-share") {
        return None;
    }
    let mut found = finding(&SPEC, ctx, root).recovering(ctx, Millis(waited));
    found.what = format!(
        "compiling {} takes {}, {} of the execution",
        counted(jit.functions, "function"),
        duration(Millis(waited)),
        percent(share.min(1.0))
    );
    let phases = [
        ("generation", jit.generation),
        ("inlining", jit.inlining),
        ("optimization", jit.optimization),
        ("emission", jit.emission),
    ];
    let timed = phases.iter().filter_map(|(name, time)| time.map(|t| (*name, t)));
    let largest = timed.max_by(|a, b| a.1.0.total_cmp(&b.1.0));
    found.why = format!(
        "the machine code is made anew for each execution{}; it pays only where it saves more than that",
        largest.map_or(String::new(), |(name, time)| format!(", {name} alone takes {}", duration(time)))
    );
    let cost = root.estimate.map_or(String::new(), |e| {
        format!(", or a jit_above_cost beyond this plan's {} spares all such plans", count(e.total_cost.0.ceil()))
    });
    found.help = format!("jit = off for this statement (SET LOCAL in its transaction){cost}");
    found.evidence = vec![
        Evidence::data("functions", jit.functions, "functions"),
        Evidence::timing("compilation waited for", waited, "ms"),
    ];
    let timed = |(name, time): &(&str, Option<Millis>)| Some(Evidence::timing(name, (*time)?.0, "ms"));
    found.evidence.extend(phases.iter().filter_map(timed));
    found.remedies = vec![Remedy::Setting {
        name: "jit",
        value: "off".to_owned(),
        remark: "set it for this statement (SET LOCAL in its transaction) or for its role: other statements may gain \
                 from compiled code",
    }];
    Some(found)
}

/// The times are sums over all processes, which compile side by side: the one that compiles longest is waited for.
fn waited(ctx: &PlanContext, jit: &Jit) -> Option<f64> {
    let workers = ctx.plan.nodes.iter().flat_map(|n| &n.workers).filter_map(|w| w.jit.as_ref()?.total);
    let (sum, longest) = workers.fold((0.0, 0.0), |(sum, longest), t| (sum + t.0, f64::max(longest, t.0)));
    Some(f64::max(jit.total?.0 - sum, longest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Mode;
    use crate::catalog::Catalog;
    use crate::facts::facts;
    use crate::plan::read_json;
    use crate::rules::Config;

    /// No server of the pages' cases prints it: of those at hand, only 15 has LLVM.
    #[test]
    fn generation_as_an_object_is_read_too() {
        let plan = r#"[{"Plan": {"Node Type": "Result", "Startup Cost": 0.0, "Total Cost": 9.5, "Plan Rows": 1,
            "Plan Width": 4, "Actual Startup Time": 90.0, "Actual Total Time": 90.0, "Actual Rows": 1.00,
            "Actual Loops": 1}, "JIT": {"Functions": 3, "Options": {"Inlining": true, "Optimization": true,
            "Expressions": true, "Deforming": true}, "Timing": {"Generation": {"Deform": 0.1, "Total": 2.0},
            "Inlining": 20.0, "Optimization": 50.0, "Emission": 10.0, "Total": 82.0}}, "Execution Time": 100.0}]"#;
        let plan = read_json(plan).expect("a plan").remove(0);
        let ctx = PlanContext {
            statement_id: 0,
            run_id: 0,
            statement: &crate::sql::read(""),
            parsed: None,
            mode: Mode::Stored,
            parameters: &[],
            plan: &plan,
            facts: &facts(&plan),
            catalog: &Catalog::default(),
            server: None,
        };
        let found = check(&ctx, &Tuning { spec: &SPEC, config: &Config::default() });
        assert_eq!(found[0].what, "compiling 3 functions takes 82.0 ms, 82 % of the execution");
        assert!(found[0].why.contains("optimization alone takes 50.0 ms"));
    }
}
