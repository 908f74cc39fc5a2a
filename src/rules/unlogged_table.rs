//! A table whose rows no crash survives.
//!
//! Refuses to propose a change: who made it so may have meant it.

use super::database::{Looked, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::Table;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding};
use crate::words::counted;

pub(super) const SPEC: Spec = Spec {
    name: "unlogged-table",
    summary: "the rows of an unlogged table are gone after a crash",
    thresholds: &[Threshold {
        name: "min-rows",
        default: 1.0,
        unit: "rows",
        why: "an empty one has nothing to lose",
    }],
    page: include_str!("../../rules/unlogged-table.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let tables = ctx.snapshot.tables.iter();
    let unlogged = tables.filter(|t| t.unlogged && !t.extension && t.counters.is_some());
    let filled = unlogged.filter(|t| t.size() >= tuning.get("min-rows"));
    filled.map(told).collect::<Vec<Finding>>().into()
}

fn told(table: &Table) -> Finding {
    let mut found = finding(&SPEC, Some(table), None);
    found.what = format!("{} is unlogged and holds {}", table.qualified(), counted(table.size(), "row"));
    found.why = "after a crash it is empty; standbys, and so a failover, never have its rows, nor does a physical backup"
        .to_owned();
    found.help = format!(
        "where they can be made again, leave it; else ALTER TABLE {} SET LOGGED, which rewrites it under an exclusive lock",
        table.qualified()
    );
    found.evidence = vec![Evidence::data("rows", table.size(), "rows")];
    found
}
