//! What pg_stat_statements tells, beside the plans of its leading statements.
//!
//! Refuses to tell a statement twice: a finding about one that is not among the leading ones adds it behind them.

use super::{Report, judged};
use crate::capture::Origin;
use crate::context::WorkloadContext;
use crate::finding::{Confidence, Evidence, Remedy, Severity};
use crate::proposals::in_other_words;
use crate::report::{Judged, Statement, Workload};
use crate::rules::{self, Config, ERROR_MS, ERROR_SHARE, WARNING_MS, WARNING_SHARE};
use crate::sql::shape::{Shape, shape};
use crate::sql::{self, Parsed};
use crate::units::Millis;
use crate::workload::{Observed, Ranked, Ranking, rank, window};
use std::collections::HashMap;

/// Adds what the workload's rules find. The report's statements are the leading ones already, in their rank.
pub(super) fn examine(report: &mut Report, observed: &Observed, config: &Config) {
    let window = window(observed.before.as_ref(), &observed.after);
    let ranking = rank(&window, observed.by);
    let ranked = report.statements.len().min(ranking.statements.len());
    for (told, counted) in report.statements.iter_mut().zip(&ranking.statements) {
        told.counted = Some(counted.clone());
    }
    weigh(report, &ranking, config);
    let shapes: Vec<Option<Shape>> = ranking
        .statements
        .iter()
        .map(|s| shape(&Parsed::read(&sql::explainable(&listed(s.text.as_deref()?)))?))
        .collect();
    let ctx = WorkloadContext { observed, window: &window, ranking: &ranking, shapes: &shapes };
    let mut places: HashMap<usize, usize> = (0..ranked).map(|at| (at, at)).collect();
    for mut finding in rules::run_workload(&ctx, config) {
        let Some(at) = finding.at.statement else { continue };
        let place = *places.entry(at).or_insert_with(|| {
            report.statements.push(untold(&ranking.statements[at]));
            report.statements.len() - 1
        });
        finding.at.statement = Some(place);
        let answers = report.findings.len();
        let rewrites = finding.remedies.iter().filter_map(|remedy| match remedy {
            Remedy::Rewrite(rewrite) => Some(in_other_words(rewrite, place, answers)),
            _ => None,
        });
        let judged = rewrites.filter_map(|proposal| {
            let checked = observed.rewrites.iter().find(|checked| checked.sql == proposal.key());
            // What the server cannot plan is no remedy.
            let reason = match checked.map(|checked| &checked.error) {
                Some(Some(_)) => return None,
                Some(None) => "the server planned it; only the application that asks can time it",
                None => "not planned by the server; only the application that asks can time it",
            };
            let mut one = judged(proposal, None);
            one.verdict.reason = Some(reason.to_owned());
            Some(one)
        });
        report.proposals.extend(judged.collect::<Vec<Judged>>());
        report.findings.push(finding);
    }
    report.workload = Some(Workload {
        by: observed.by,
        seconds: window.seconds,
        lifetime: observed.before.is_none(),
        reset: window.reset,
        restarted: window.restarted,
        evictions: window.evictions,
        statements: ranking.statements.len(),
        all: ranking.all,
        hidden: ranking.hidden,
        nested: ranking.nested,
        ranked,
    });
}

/// From 18 on the server writes a list as its first element and a comment: it is a list all the same.
fn listed(text: &str) -> String {
    text.replace("/*, ... */", ", $1")
}

/// What a plan's estimates say of a statement weighs as much as the statement does: its mean execution, and its part of
/// the window, take the place of the execution that nobody measured.
fn weigh(report: &mut Report, ranking: &Ranking, config: &Config) {
    for finding in &mut report.findings {
        let counted = finding.at.statement.and_then(|at| report.statements.get(at)?.counted.as_ref());
        let Some(counted) = counted.filter(|_| finding.confidence == Confidence::Estimated) else { continue };
        let part = |ms: f64| Millis(ms * finding.share.min(1.0));
        let of_all = counted.counters.total_ms / ranking.all.total_ms.max(f64::MIN_POSITIVE);
        let (each, all) = (part(counted.counters.mean_ms().unwrap_or(0.0)), part(counted.counters.total_ms));
        finding.evidence.push(Evidence::timing("of the window's time, at most", all.0, "ms"));
        if config.severity.contains_key(&*finding.rule) {
            continue;
        }
        let half = finding.share >= ERROR_SHARE;
        let busy = of_all >= WARNING_SHARE && all.0 >= ERROR_MS;
        finding.severity = match half {
            true if each.0 >= ERROR_MS => Severity::Error,
            true if each.0 >= WARNING_MS || busy => Severity::Warning,
            _ => Severity::Info,
        };
    }
}

/// A statement that a finding is about, without a plan.
fn untold(counted: &Ranked) -> Statement {
    let text = counted.text.clone().unwrap_or_default();
    let statement = Statement::new(text, counted.fingerprint, Origin::PG_STAT_STATEMENTS);
    Statement { counted: Some(counted.clone()), ..statement }
}
