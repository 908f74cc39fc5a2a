//! Migrations that were traced: their rules run, their `pgproof:ignore` comments heard, safe forms made proposals.
//!
//! Refuses to try a safe form: it is for a migration that somebody writes.

use super::{judged, speaking};
use crate::capture::{Comment, Origin, OriginKind};
use crate::context::TraceContext;
use crate::finding::{Finding, Remedy};
use crate::migrate::{Migration, Step, Trace};
use crate::proposals::{Applicability, Change, Proposal};
use crate::report::{Migrations, Report, Statement, Suppressed};
use crate::rules::{self, Config};
use crate::sql;
use crate::suppress::{self, Status};

/// Adds what the rules say of migrations to a report. The settings of each file's path hold for its findings.
pub(super) fn examine(report: &mut Report, trace: &Trace, config: &Config) {
    let ctx = &TraceContext {
        migrations: &trace.migrations,
        traced: &trace.traced,
        sizes: &trace.sizes,
        framework: trace.framework,
        rewritten: trace.rewritten.as_ref(),
    };
    report.migrations = Some(Migrations {
        framework: trace.framework.name(),
        applied: trace.applied,
        new: trace.migrations.len(),
        files: trace.migrations.iter().map(|migration| migration.path.clone()).collect(),
        base: trace.base.clone(),
        failed: trace.traced.iter().any(|traced| traced.failure.is_some()),
        packed: trace.sizes.packed(),
    });
    let first = report.suppressions.len();
    let ignoring = listen(report, ctx.migrations, config);
    let told = rules::run_migrations(ctx, config);
    let off = |finding: &Finding| {
        let path = finding.location.as_ref().map(|place| place.path.as_str());
        !config.at(path).runs(&finding.rule)
    };
    for finding in told.into_iter().filter(|finding| !off(finding)) {
        let by =
            report.suppressions[first..].iter().zip(&ignoring).position(|(suppression, (path, line))| {
                let at = finding.location.as_ref();
                suppression.in_force()
                    // Nothing after it was looked at: that is nobody's to live with.
                    && finding.rule != rules::FAILS
                    && suppression.rule == finding.rule
                    && at.is_some_and(|at| at.path == *path && at.line == *line)
            });
        match by {
            Some(by) => {
                report.suppressions[first + by].status = Status::Applied;
                report.suppressed.push(Suppressed { finding, by: first + by });
            }
            None => add(report, finding),
        }
    }
    for suppression in report.suppressions[first..].iter_mut().filter(|s| s.status == Status::Unused) {
        if suppression.rule == rules::FAILS {
            suppression.why =
                "a migration that fails cannot be ignored: nothing after it is looked at".to_owned();
            suppression.help = "mend the migration".to_owned();
        } else if rules::of_queries(&suppression.rule) {
            // Where queries were planned, `gate` says more.
            suppression.status = Status::Idle;
            suppression.why = "no queries were compared".to_owned();
        } else if suppression.why.is_empty() {
            suppression.why = "its rule found nothing in this statement".to_owned();
            suppression.help = "take the comment out".to_owned();
        }
    }
}

/// Reads the comments of all steps. Returns for each suppression the path and first line of its statement.
fn listen(report: &mut Report, migrations: &[Migration], config: &Config) -> Vec<(String, usize)> {
    let mut places = Vec::new();
    for migration in migrations {
        for step in &migration.steps {
            let around = step.comments.iter().filter(|(text, _)| suppress::mentions(text));
            let mut comments: Vec<Comment> =
                around.map(|(text, line)| Comment { text: text.clone(), line: Some(*line) }).collect();
            comments.extend(speaking(&step.text, |line| Some(step.line + line - 1)));
            comments.dedup();
            if comments.is_empty() {
                continue;
            }
            let at = report.statements.len();
            let read = suppress::read(at, &comments, config.today.as_deref(), config);
            places.extend(read.iter().map(|_| (migration.path.clone(), step.line)));
            report.suppressions.extend(read);
            report.statements.push(statement(migration, step));
        }
    }
    places
}

fn statement(migration: &Migration, step: &Step) -> Statement {
    let origin = Origin { kind: OriginKind::File, path: Some(migration.path.clone()), line: Some(step.line) };
    Statement::new(step.text.clone(), sql::fingerprint(&step.text), origin)
}

fn add(report: &mut Report, finding: Finding) {
    let at = report.findings.len();
    let steps = finding.remedies.iter().find_map(|remedy| match remedy {
        Remedy::Migration(steps) => Some(steps.clone()),
        _ => None,
    });
    let relation = finding.relation.clone();
    report.findings.push(finding);
    let Some(steps) = steps else { return };
    let known = report.proposals.iter_mut().find(|judged| judged.proposal.apply == steps);
    if let Some(known) = known {
        known.proposal.answers.push(at);
        return;
    }
    // A setting replaces nothing.
    let prefix = steps.iter().all(|step| step.starts_with("SET "));
    let proposal = Proposal {
        change: Change::Migration { steps: steps.clone() },
        relation,
        apply: steps,
        undo: Vec::new(),
        answers: vec![at],
        statement: None,
        run: 0,
        applicability: Applicability::Review,
        locks: Vec::new(),
        size: None,
        write_cost: None,
        remarks: vec![match prefix {
            true => "before the statement, in the same session".to_owned(),
            false => "in place of the statement: each in a transaction of its own".to_owned(),
        }],
    };
    let mut one = judged(proposal, None);
    one.verdict.reason = Some("not tried: it is for a migration of yours".to_owned());
    report.proposals.push(one);
}
