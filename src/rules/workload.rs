//! The rules that look at a whole workload, and how loud they are.
//!
//! Refuses to look into a plan.

use super::{Check, Config, RULES, Spec, Tuning, WARNING_SHARE};
use crate::context::WorkloadContext;
use crate::finding::{Confidence, Finding, Place, Severity};

/// What the rules say of a workload. The places are those of its ranking. A finding is a warning where it is about a
/// tenth of the window's time or calls, an error never: nobody can say what of it would be recovered.
pub fn run_workload(ctx: &WorkloadContext, config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    for &spec in RULES.iter().filter(|spec| config.runs(spec.name)) {
        let Check::Workload(check) = spec.check else { continue };
        found.extend(check(ctx, &Tuning { spec, config }).into_iter().map(|finding| {
            let severity = match config.severity.get(spec.name) {
                Some(Some(set)) => *set,
                _ if finding.share >= WARNING_SHARE => Severity::Warning,
                _ => Severity::Info,
            };
            Finding { severity, ..finding }
        }));
    }
    found
}

/// A finding of `spec` about a statement of the ranking; `share` of the window's time or calls is at stake.
pub(super) fn finding(spec: &Spec, statement: usize, share: f64) -> Finding {
    Finding {
        rule: spec.name.into(),
        at: Place { statement: Some(statement), run: None, node: None },
        relation: None,
        index: None,
        within: None,
        severity: Severity::Info,
        confidence: Confidence::Guessed,
        what: String::new(),
        why: String::new(),
        help: String::new(),
        evidence: Vec::new(),
        location: None,
        also: Vec::new(),
        saves: None,
        share: share.min(1.0),
        remedies: Vec::new(),
    }
}

/// Share of the window's execution time.
pub(super) fn time_share(ctx: &WorkloadContext, statement: usize) -> f64 {
    ctx.ranking.statements[statement].counters.total_ms / ctx.ranking.all.total_ms.max(f64::MIN_POSITIVE)
}

/// Share of the window's calls.
pub(super) fn call_share(ctx: &WorkloadContext, statement: usize) -> f64 {
    ctx.ranking.statements[statement].counters.calls / ctx.ranking.all.calls.max(1.0)
}

/// Tables of the server's own.
pub(super) fn of_the_server(schema: Option<&str>, name: &str) -> bool {
    schema.is_some_and(|s| s == "pg_catalog" || s == "information_schema") || name.starts_with("pg_")
}
