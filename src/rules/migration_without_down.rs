//! A new migration that nothing undoes, in a project whose other migrations can be undone.
//!
//! Refuses to ask it of a project that does not do so, and to tell whether what undoes is right.

use super::migration::finding_at;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding};
use crate::migrate::{Migration, NoDown};

pub(super) const SPEC: Spec = Spec {
    name: "migration-without-down",
    summary: "a new migration has no part that undoes it, and the project's other migrations have one",
    thresholds: &[Threshold {
        name: "undone-share",
        default: 0.5,
        unit: "of the others",
        why: "where no more than half of them can be undone, nobody counts on it",
    }],
    page: include_str!("../../rules/migration-without-down.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let lacking = ctx.migrations.iter().filter_map(|migration| Some((migration, migration.no_down.as_ref()?)));
    let usual = |no: &NoDown| no.undone as f64 > no.others as f64 * tuning.get("undone-share");
    lacking.filter(|(_, no)| usual(no)).map(|(migration, no)| found(ctx, migration, no)).collect()
}

fn found(ctx: &TraceContext, migration: &Migration, no: &NoDown) -> Finding {
    let line = migration.steps.first().map_or(1, |step| step.line);
    let mut finding = finding_at(&SPEC, migration, line, line);
    let NoDown { wanted, empty, others, undone } = no;
    finding.what = match empty {
        true => format!("nothing undoes it: {wanted} holds no statement"),
        false => format!("nothing undoes it: there is no {wanted}"),
    };
    let many = match undone == others {
        true => "every other migration of the project".to_owned(),
        false => format!("{undone} of the project's {others} other migrations"),
    };
    finding.why =
        format!("{many} can be undone; who rolls back past this one is left with what it did, or with an error");
    finding.help = "write what undoes it, or say with pgproof:ignore that it cannot be undone".to_owned();
    finding.evidence = vec![
        Evidence::text("framework", ctx.framework.name()),
        Evidence::text("wanted", wanted.clone()),
    ];
    finding
}
