//! A table that has changed so much since ANALYZE that autovacuum should have come.
//!
//! Refuses to be ahead of autovacuum: until twice its own measure is passed, it may be on its way.

use super::database::{Looked, ago, finding};
use super::vacuuming::{Task, automatic, trigger};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::RelationKind;
use crate::catalog::snapshot::Table;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Remedy, Severity};
use crate::words::{count, counted, percent};

pub(super) const SPEC: Spec = Spec {
    name: "stale-statistics",
    summary: "the planner's statistics describe a table as it was long ago",
    thresholds: &[
        Threshold {
            name: "overdue",
            default: 2.0,
            unit: "times",
            why: "twice what makes autovacuum come: it did not, or is late; once, where autovacuum is off",
        },
        Threshold {
            name: "min-rows",
            default: 1_000.0,
            unit: "rows",
            why: "changed: fewer rows cost about a millisecond whatever the plan",
        },
    ],
    page: include_str!("../../rules/stale-statistics.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

/// From here on, and from half of the table, it is a warning: a million rows where nobody expects them.
const WARNING_ROWS: f64 = 1_000_000.0;

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    if let Some(needs) = uncounted(ctx) {
        return Looked::blind(needs);
    }
    let tables = ctx.snapshot.tables.iter().filter(|t| !t.extension && t.described != Some(false));
    let found = tables.filter_map(|t| match t.kind {
        RelationKind::Partitioned => outgrown(ctx, t, tuning),
        _ => stale(ctx, t, tuning),
    });
    found.collect::<Vec<Finding>>().into()
}

/// Why the changes of rows are not known here.
pub(super) fn uncounted(ctx: &CatalogContext) -> Option<String> {
    match (ctx.moment().in_recovery, ctx.moment().counts) {
        (true, _) => Some("the primary: a standby does not count what is written there".to_owned()),
        (_, false) => Some("track_counts = on: without it nobody counts what is written".to_owned()),
        _ => None,
    }
}

fn stale(ctx: &CatalogContext, table: &Table, tuning: &Tuning) -> Option<Finding> {
    let counters = table.counters.as_ref()?;
    let automatic = automatic(ctx.moment(), table);
    let factor = if automatic { tuning.get("overdue") } else { 1.0 };
    let limit = trigger(ctx.moment(), table, Task::Analyze);
    let changed = counters.modified_since_analyze;
    // Never analysed is another rule's matter.
    if changed < tuning.get("min-rows") || changed < factor * limit || table.rows.is_none() {
        return None;
    }
    let rows = table.size().max(1.0);
    let mut found = finding(&SPEC, Some(table), None);
    found.what = format!(
        "{} of {} changed since it was last analysed{}",
        counted(changed, "row"),
        table.qualified(),
        counters.analyzed_seconds.map_or(String::new(), |s| format!(" {} ago", ago(s)))
    );
    found.why = format!(
        "the planner expects what was there before; autovacuum {} {}",
        if automatic { "comes at" } else { "is off for it and would come at" },
        counted(limit.ceil(), "change")
    );
    found.help = "ANALYZE it; where that comes back, lower autovacuum_analyze_scale_factor for this table".to_owned();
    found.evidence = vec![
        Evidence::data("changed since ANALYZE", changed, "rows"),
        Evidence::data("rows", rows, "rows"),
        Evidence::data("autovacuum comes at", limit, "rows"),
        Evidence::text("autovacuum", if automatic { "on" } else { "off" }),
    ];
    found.severity = severity(changed, rows);
    found.remedies = vec![Remedy::Analyze { schema: table.schema.clone(), relation: table.name.clone() }];
    Some(found)
}

fn severity(changed: f64, rows: f64) -> Severity {
    if changed >= WARNING_ROWS && changed >= rows / 2.0 { Severity::Warning } else { Severity::Info }
}

/// Autovacuum never analyses a partitioned table itself: its statistics age while those of its partitions do not.
fn outgrown(ctx: &CatalogContext, table: &Table, tuning: &Tuning) -> Option<Finding> {
    let known = table.rows.filter(|_| table.parent.is_none() && ctx.major >= 14)?;
    let rows = ctx.rows(table.oid);
    let changed = (rows - known).abs();
    let limit = trigger(ctx.moment(), table, Task::Analyze);
    if changed < tuning.get("min-rows") || changed < tuning.get("overdue") * limit {
        return None;
    }
    let mut found = finding(&SPEC, Some(table), None);
    found.what = format!(
        "{} was analysed with {} and has {}",
        table.qualified(),
        counted(known, "row"),
        count(rows)
    );
    found.why = format!(
        "autovacuum analyses partitions, never the partitioned table: what plans expect of it as a whole is off by {}",
        percent(changed / known.max(1.0))
    );
    found.help = "ANALYZE it from a job of your own".to_owned();
    found.evidence = vec![Evidence::data("rows then", known, "rows"), Evidence::data("rows now", rows, "rows")];
    found.severity = severity(changed, rows);
    found.remedies = vec![Remedy::Analyze { schema: table.schema.clone(), relation: table.name.clone() }];
    Some(found)
}
