//! The runs of one statement together: rules that compare them, and no trouble told once per run.
//!
//! Refuses to look into a plan.

use super::{Check, Config, Found, RULES, Tuning, run, severity};
use crate::capture::Mode;
use crate::context::PlanContext;
use crate::finding::{Confidence, Finding};
use std::cmp::Ordering;

/// Runs every rule on every run of one statement; what was found of each. What is found in several runs stays where
/// most can be recovered, and estimates give way to what was measured.
pub fn run_all(runs: &[PlanContext], config: &Config, ignored: &[&str]) -> Vec<Found> {
    let measured = runs.iter().any(PlanContext::measured);
    let mut found: Vec<Found> = runs
        .iter()
        // A generic plan is executed to be compared with the plan for the same values, which is examined already.
        .map(|ctx| match (ctx.mode == Mode::Generic, ctx.measured()) {
            (true, true) => Found::default(),
            (_, false) if measured => Found::default(),
            _ => run(ctx, config, ignored),
        })
        .collect();
    if runs.len() < 2 {
        return found;
    }
    tell_once(&mut found);
    for &spec in RULES.iter().filter(|spec| config.runs(spec.name)) {
        let Check::Runs(check) = spec.check else { continue };
        for mut finding in check(runs, &Tuning { spec, config }) {
            let Some(at) = finding.at.run else { continue };
            finding.severity = severity(&runs[at], &finding, config);
            found[at].add(spec.name, vec![finding], ignored);
        }
    }
    found
}

/// Of findings of one rule on one relation in several runs, those of the run with the most to recover stay.
fn tell_once(found: &mut [Found]) {
    let most = |findings: &[Finding], like: &Finding| {
        let alike = findings.iter().filter(|f| f.rule == like.rule && f.relation == like.relation);
        alike.cloned().max_by(more)
    };
    for at in 0..found.len() {
        let kept: Vec<bool> = found[at]
            .findings
            .iter()
            .map(|finding| {
                let here = most(&found[at].findings, finding);
                found.iter().enumerate().filter(|(other, _)| *other != at).all(
                    |(other, findings)| match most(&findings.findings, finding).zip(here.as_ref()) {
                        Some((there, here)) => more(&there, here).then(at.cmp(&other)) == Ordering::Less,
                        None => true,
                    },
                )
            })
            .collect();
        // Compared with all runs as they were: what goes here has lost against one that stays.
        let mut kept = kept.into_iter();
        found[at].findings.retain(|_| kept.next().unwrap_or(true));
    }
}

/// Which of two findings of one rule tells of more.
fn more(a: &Finding, b: &Finding) -> Ordering {
    let measured = |f: &Finding| f.confidence == Confidence::Measured;
    let saves = |f: &Finding| f.saves.map_or(0.0, |s| s.0);
    measured(a).cmp(&measured(b)).then(saves(a).total_cmp(&saves(b))).then(a.share.total_cmp(&b.share))
}
