//! The runs of one statement together: rules that compare them, and no trouble told once per run.
//!
//! Refuses to look into a plan.

use super::{Config, RUN_RULES, Tuning, is_on, run, severity};
use crate::capture::Mode;
use crate::context::PlanContext;
use crate::finding::{Confidence, Finding};
use std::cmp::Ordering;

/// Runs every rule on every run of one statement; one list of findings per run. What is found in several runs stays
/// where most can be recovered, and estimates give way to what was measured.
pub fn run_all(runs: &[PlanContext], config: &Config) -> Vec<Vec<Finding>> {
    let measured = runs.iter().any(PlanContext::measured);
    let mut found: Vec<Vec<Finding>> = runs
        .iter()
        // A generic plan is executed to be compared with the plan for the same values, which is examined already.
        .map(|ctx| match (ctx.mode == Mode::Generic, ctx.measured()) {
            (true, true) => Vec::new(),
            (_, false) if measured => Vec::new(),
            _ => run(ctx, config),
        })
        .collect();
    tell_once(&mut found);
    for &(spec, check) in RUN_RULES {
        if runs.len() < 2 || !is_on(spec, config) {
            continue;
        }
        for mut finding in check(runs, &Tuning { spec, config }) {
            let at = finding.at.run;
            if finding.saves.is_none_or(|saves| saves.0 >= super::FLOOR_MS) {
                finding.severity = severity(&runs[at], &finding, config);
                found[at].push(finding);
            }
        }
    }
    found
}

/// Of findings of one rule on one relation in several runs, those of the run with the most to recover stay.
fn tell_once(found: &mut [Vec<Finding>]) {
    let most = |findings: &[Finding], like: &Finding| {
        let alike = findings.iter().filter(|f| f.rule == like.rule && f.relation == like.relation);
        alike.cloned().max_by(more)
    };
    for at in 0..found.len() {
        let kept: Vec<bool> = found[at]
            .iter()
            .map(|finding| {
                let here = most(&found[at], finding);
                found.iter().enumerate().filter(|(other, _)| *other != at).all(
                    |(other, findings)| match most(findings, finding).zip(here.as_ref()) {
                        Some((there, here)) => more(&there, here).then(at.cmp(&other)) == Ordering::Less,
                        None => true,
                    },
                )
            })
            .collect();
        // Compared with all runs as they were: what goes here has lost against one that stays.
        let mut kept = kept.into_iter();
        found[at].retain(|_| kept.next().unwrap_or(true));
    }
}

/// Which of two findings of one rule tells of more.
fn more(a: &Finding, b: &Finding) -> Ordering {
    let measured = |f: &Finding| f.confidence == Confidence::Measured;
    let saves = |f: &Finding| f.saves.map_or(0.0, |s| s.0);
    measured(a).cmp(&measured(b)).then(saves(a).total_cmp(&saves(b))).then(a.share.total_cmp(&b.share))
}
