//! The parts of JSON format 1 that tell what was ignored, and by which comment.
//!
//! Refuses to count: what is here is in no other list of the report.

use super::json::{plan_id, statement_id};
use crate::finding::Severity;
use crate::report::Report;
use crate::suppress::Status;
use schemars::JsonSchema;
use serde::Serialize;

/// A finding that a `pgproof:ignore` comment or an entry of `pgproof-accepted.json` took out of `findings`.
#[derive(Serialize, JsonSchema)]
pub(super) struct JsonSuppressed {
    rule: String,
    statement: Option<String>,
    plan: Option<String>,
    node: Option<usize>,
    severity: Severity,
    what: String,
    saves_ms: Option<f64>,
    reason: String,
    /// The last day, `YYYY-MM-DD`.
    until: Option<String>,
}

/// A `pgproof:ignore` comment, or an entry of `pgproof-accepted.json`. Those whose status is not `applied` or `idle` count as a warning for `--fail-on`.
#[derive(Serialize, JsonSchema)]
pub(super) struct JsonSuppression {
    /// As written.
    rule: String,
    statement: Option<String>,
    /// An entry of `pgproof-accepted.json`: the fingerprint of the finding that it accepts.
    accepted: Option<String>,
    path: Option<String>,
    line: Option<usize>,
    reason: Option<String>,
    until: Option<String>,
    status: Status,
    why: Option<String>,
    help: Option<String>,
}

impl JsonSuppressed {
    pub(super) fn all(report: &Report) -> Vec<Self> {
        let one = |s: &crate::report::Suppressed| {
            let by = report.suppressions.get(s.by)?;
            let finding = &s.finding;
            Some(JsonSuppressed {
                rule: finding.rule.to_string(),
                statement: finding.at.statement.map(statement_id),
                plan: finding
                    .at
                    .statement
                    .zip(finding.at.run)
                    .map(|(statement, run)| plan_id(statement, run)),
                node: finding.at.node,
                severity: finding.severity,
                what: finding.what.clone(),
                saves_ms: finding.saves.map(|s| s.0),
                reason: by.reason.clone(),
                until: by.until.clone(),
            })
        };
        report.suppressed.iter().filter_map(one).collect()
    }
}

impl JsonSuppression {
    pub(super) fn all(report: &Report) -> Vec<Self> {
        let filled = |text: &String| (!text.is_empty()).then(|| text.clone());
        let one = |s: &crate::suppress::Suppression| JsonSuppression {
            rule: s.rule.clone(),
            statement: s.statement.map(statement_id),
            accepted: s.accepted.clone(),
            path: s.file.clone().or_else(|| {
                s.statement.and_then(|at| report.statements.get(at)).and_then(|s| s.origin.path.clone())
            }),
            line: s.line,
            reason: filled(&s.reason),
            until: s.until.clone(),
            status: s.status,
            why: filled(&s.why),
            help: filled(&s.help),
        };
        report.suppressions.iter().map(one).collect()
    }
}
