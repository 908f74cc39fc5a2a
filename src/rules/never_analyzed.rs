//! A table without any statistics: the planner guesses.
//!
//! Refuses to take invisible statistics for missing ones.

use super::database::{Looked, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::RelationKind;
use crate::catalog::snapshot::Table;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Remedy, Severity};
use crate::words::counted;

pub(super) const SPEC: Spec = Spec {
    name: "never-analyzed",
    summary: "a table has no statistics, so plans rest on guesses",
    thresholds: &[
        Threshold {
            name: "min-rows",
            default: 1_000.0,
            unit: "rows",
            why: "fewer rows cost about a millisecond whatever the plan",
        },
        Threshold {
            name: "min-blocks",
            default: 100.0,
            unit: "blocks",
            why: "where the rows are not known: a thousand rows of ordinary width take some tens of blocks",
        },
    ],
    page: include_str!("../../rules/never-analyzed.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

/// From here on it is a warning: guesses of a hundred thousand rows choose the wrong join.
const WARNING_ROWS: f64 = 100_000.0;

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let mut looked = Looked::default();
    let mut unseen = 0.0;
    for table in ctx.snapshot.tables.iter().filter(|t| !t.extension) {
        let whole = table.kind == RelationKind::Partitioned;
        let leaves = ctx.leaves(table.oid);
        let (rows, blocks) = (ctx.rows(table.oid), leaves.iter().map(|t| t.pages).sum::<f64>());
        let large = rows >= tuning.get("min-rows") || blocks >= tuning.get("min-blocks");
        // The levels between a partitioned table and its partitions are seldom asked for.
        if !large || (whole && (table.parent.is_some() || ctx.partitions_of(table.oid).is_empty())) {
            continue;
        }
        match analyzed(ctx, table) {
            Some(true) => {}
            Some(false) => looked.findings.push(lacking(table, whole, rows, blocks)),
            None => unseen += 1.0,
        }
    }
    if unseen > 0.0 {
        let right = if ctx.major >= 14 { "GRANT pg_read_all_data" } else { "GRANT SELECT on them" };
        looked.not_judged.push(format!(
            "a look at the statistics of {} that this role may not read: {right}",
            counted(unseen, "table")
        ));
    }
    looked
}

/// Whether there are statistics; `None` where this role cannot know.
fn analyzed(ctx: &CatalogContext, table: &Table) -> Option<bool> {
    if table.described.is_some() {
        return table.described;
    }
    if table.counters.as_ref().is_some_and(|c| c.analyzed_seconds.is_some()) {
        return Some(true);
    }
    // -1 in `reltuples` says so from 14 on; before, 0 also stands for an empty table.
    (ctx.major >= 14 && table.rows.is_none()).then_some(false)
}

fn lacking(table: &Table, whole: bool, rows: f64, blocks: f64) -> Finding {
    let mut found = finding(&SPEC, Some(table), None);
    let size = if rows > 0.0 { counted(rows, "row") } else { counted(blocks, "block") };
    (found.what, found.why, found.help) = match whole {
        true => (
            format!("{} has no statistics as a whole, over {size} in its partitions", table.qualified()),
            "autovacuum analyses each partition, never the partitioned table: joins and groupings over all of it are \
             planned without knowing how many distinct values there are"
                .to_owned(),
            "ANALYZE it, and again from a job of your own as it grows".to_owned(),
        ),
        false => (
            format!("{} was never analysed, with {size}", table.qualified()),
            "without statistics the planner guesses: 0.5 % of the rows for each equality, 200 distinct values".to_owned(),
            "ANALYZE it, as the last step of what loads it".to_owned(),
        ),
    };
    found.evidence = vec![Evidence::data("rows", rows, "rows"), Evidence::data("blocks", blocks, "blocks")];
    found.severity = if rows >= WARNING_ROWS { Severity::Warning } else { Severity::Info };
    found.remedies = vec![Remedy::Analyze { schema: table.schema.clone(), relation: table.name.clone() }];
    found
}
