//! Rows that are gone for everybody and still lie in their table.
//!
//! Refuses to propose VACUUM where somebody keeps it from removing them: that one is named instead.

use super::database::{Looked, ago, finding};
use super::stale_statistics::uncounted;
use super::vacuuming::{Task, automatic, describe, end, oldest, trigger};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::Table;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Remedy, Severity};
use crate::words::{counted, percent};

pub(super) const SPEC: Spec = Spec {
    name: "dead-rows",
    summary: "dead rows lie in a table that vacuum should have cleaned",
    thresholds: &[
        Threshold {
            name: "overdue",
            default: 2.0,
            unit: "times",
            why: "twice what makes autovacuum come: it did not, is late, or is held back; once, where autovacuum is off",
        },
        Threshold {
            name: "min-rows",
            default: 10_000.0,
            unit: "rows",
            why: "dead: fewer make a scan longer by about a millisecond",
        },
        Threshold {
            name: "held-seconds",
            default: 300.0,
            unit: "s",
            why: "who keeps an old snapshot for less is no reason why vacuum is late",
        },
    ],
    page: include_str!("../../rules/dead-rows.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

/// From here on, and where they are as many as the live ones, it is a warning: scans take twice as long.
const WARNING_ROWS: f64 = 1_000_000.0;

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    if let Some(needs) = uncounted(ctx) {
        return Looked::blind(needs);
    }
    let tables = ctx.snapshot.tables.iter().filter(|t| !t.extension);
    let findings: Vec<Finding> = tables.filter_map(|t| dead(ctx, t, tuning)).collect();
    let mut looked: Looked = findings.into();
    if !looked.findings.is_empty() && !ctx.moment().reads_all_stats {
        looked.not_judged.push(
            "GRANT pg_read_all_stats to see whether another session's transaction keeps vacuum from them".to_owned(),
        );
    }
    looked
}

fn dead(ctx: &CatalogContext, table: &Table, tuning: &Tuning) -> Option<Finding> {
    let counters = table.counters.as_ref()?;
    let automatic = automatic(ctx.moment(), table);
    let factor = if automatic { tuning.get("overdue") } else { 1.0 };
    let limit = trigger(ctx.moment(), table, Task::Vacuum);
    let dead = counters.dead_rows;
    if dead < tuning.get("min-rows") || dead < factor * limit {
        return None;
    }
    let holder = oldest(ctx.moment(), tuning.get("held-seconds"));
    let mut found = finding(&SPEC, Some(table), None);
    found.what = format!(
        "{} lie in {} beside {}",
        counted(dead, "dead row"),
        table.qualified(),
        counted(counters.live_rows, "live one")
    );
    let last = counters.vacuumed_seconds.map_or("it was not vacuumed since counting began".to_owned(), |s| {
        format!("it was vacuumed {} ago", ago(s))
    });
    let why_late = match holder {
        Some(holder) => format!("vacuum may not remove them: {}", describe(holder)),
        None if automatic => format!("autovacuum should have come at {}; {last}", counted(limit.ceil(), "row")),
        None => format!("autovacuum is off for it; {last}"),
    };
    found.why = format!("every scan reads them, and every index points at them; {why_late}");
    found.help = match holder {
        Some(holder) => format!("{}; then VACUUM", end(holder)),
        None => "VACUUM it; where that comes back, lower autovacuum_vacuum_scale_factor for this table, or raise \
                 autovacuum_vacuum_cost_limit"
            .to_owned(),
    };
    found.evidence = vec![
        Evidence::data("dead rows", dead, "rows"),
        Evidence::data("live rows", counters.live_rows, "rows"),
        Evidence::data("autovacuum comes at", limit, "rows"),
        Evidence::text("autovacuum", if automatic { "on" } else { "off" }),
    ];
    found.evidence.extend(holder.map(|h| Evidence::text("held back by", format!("{} {}", h.kind, h.name))));
    let share = dead / (dead + counters.live_rows).max(1.0);
    found.severity = if dead >= WARNING_ROWS && share >= 0.5 { Severity::Warning } else { Severity::Info };
    if share > 0.0 && holder.is_none() {
        found.what.push_str(&format!(" ({})", percent(share)));
    }
    if holder.is_none() {
        found.remedies = vec![Remedy::Vacuum { schema: table.schema.clone(), relation: table.name.clone() }];
    }
    Some(found)
}
