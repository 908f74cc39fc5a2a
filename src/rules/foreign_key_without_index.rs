//! A foreign key whose child table is read in full for each row that leaves the parent.
//!
//! Refuses to ask for an index where nothing ever leaves the parent: joins may want one, and their plans say so.

use super::database::{Looked, WARNING_WORK, ago, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::{Table, TableKey};
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Remedy, Severity};
use crate::words::{count, counted};

pub(super) const SPEC: Spec = Spec {
    name: "foreign-key-without-index",
    summary: "rows that leave a parent table make the server read its child table in full",
    thresholds: &[
        Threshold {
            name: "min-rows",
            default: 1_000.0,
            unit: "rows",
            why: "a child table this small is read in a fraction of a millisecond",
        },
        Threshold {
            name: "min-deletes",
            default: 1.0,
            unit: "rows",
            why: "deleted from the parent since counting began: without one nothing was read in vain",
        },
        Threshold {
            name: "window-days",
            default: 7.0,
            unit: "days",
            why: "whoever deletes does so at least once a week; counters that are younger show nothing",
        },
    ],
    page: include_str!("../../rules/foreign-key-without-index.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let moment = ctx.moment();
    if !moment.counts || moment.in_recovery {
        return Looked::blind(match moment.in_recovery {
            true => "the primary: a standby does not count what is deleted there".to_owned(),
            false => "track_counts = on: without it nobody knows what is deleted from parents".to_owned(),
        });
    }
    let mut looked = Looked::default();
    let mut unknown = 0;
    for key in &ctx.snapshot.foreign_keys {
        let Some((child, parent)) = ctx.table(key.table).zip(ctx.table(key.target)) else { continue };
        let rows = ctx.rows(child.oid);
        if child.extension || rows < tuning.get("min-rows") || served(ctx, key, child) {
            continue;
        }
        let deleted: f64 = ctx.leaves(parent.oid).iter().filter_map(|t| t.counters.as_ref()).map(|c| c.deletes).sum();
        if deleted >= tuning.get("min-deletes") {
            looked.findings.push(lacking(ctx, key, child, parent, rows, deleted));
        } else if moment.counting_seconds.is_none_or(|s| s < tuning.get("window-days") * 86_400.0) {
            unknown += 1;
        }
    }
    if unknown > 0 {
        let since = moment.counting_seconds.map_or("an unknown time".to_owned(), ago);
        looked.not_judged.push(format!(
            "a longer window for {}: the parent's rows were counted for {since} only ({}), and none was deleted",
            counted(f64::from(unknown), "foreign key"),
            moment.counting_since
        ));
    }
    looked
}

/// An index of the table, or one of each partition, serves the key.
fn served(ctx: &CatalogContext, key: &TableKey, table: &Table) -> bool {
    if ctx.indexes_of(table.oid).iter().any(|i| i.usable() && i.serves(key, table)) {
        return true;
    }
    let parts = ctx.partitions_of(table.oid);
    !parts.is_empty()
        && parts.iter().all(|part| {
            // A partition may number its columns in another way.
            let number = |column: &i16| {
                let name = table.columns.get(column)?;
                part.columns.iter().find(|(_, other)| *other == name).map(|(number, _)| *number)
            };
            let columns: Option<Vec<i16>> = key.columns.iter().map(number).collect();
            columns.is_some_and(|columns| served(ctx, &TableKey { columns, ..key.clone() }, part))
        })
}

fn lacking(
    ctx: &CatalogContext,
    key: &TableKey,
    child: &Table,
    parent: &Table,
    rows: f64,
    deleted: f64,
) -> Finding {
    let columns: Vec<String> = key.columns.iter().filter_map(|c| child.columns.get(c).cloned()).collect();
    let mut found = finding(&SPEC, Some(child), None);
    found.what = format!(
        "no index of {} serves its foreign key {} ({}) to {}",
        child.qualified(),
        key.name,
        columns.join(", "),
        parent.qualified()
    );
    let work = rows * deleted;
    found.why = format!(
        "each row deleted from {} reads all {} of {} while it holds its locks; {} deleted since counting began",
        parent.qualified(),
        counted(rows, "row"),
        child.qualified(),
        if deleted == 1.0 { "1 was".to_owned() } else { format!("{} were", count(deleted)) }
    );
    found.help = format!("an index on {} ({})", child.qualified(), columns.join(", "));
    found.evidence = vec![
        Evidence::text("foreign key", key.name.clone()),
        Evidence::data("rows of the child", rows, "rows"),
        Evidence::data("rows deleted from the parent", deleted, "rows"),
    ];
    found.severity = if work >= WARNING_WORK { Severity::Warning } else { Severity::Info };
    let broken = ctx.indexes_of(child.oid).iter().find(|i| !i.usable() && i.serves(key, child));
    match broken {
        Some(index) => found.help = format!("{} would serve it, but is not valid", index.qualified()),
        None => found.remedies = vec![Remedy::IndexForKey { table: child.oid, columns }],
    }
    found
}
