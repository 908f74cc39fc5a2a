//! An index that no query may use: a build that failed, or a partitioned one that lacks a part.
//!
//! Refuses to name one that is being built.

use super::covers::entries;
use super::database::{Looked, entries_written, finding};
use super::{Check, Spec, Tuning};
use crate::catalog::snapshot::{Build, TableIndex};
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Remedy, Severity};
use crate::units::Bytes;
use crate::words::size;

pub(super) const SPEC: Spec = Spec {
    name: "invalid-index",
    summary: "an index is kept that no query may use",
    thresholds: &[],
    page: include_str!("../../rules/invalid-index.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, _: &Tuning) -> Looked {
    let invalid = || ctx.snapshot.indexes.iter().filter(|i| !i.usable() && !i.extension);
    let mut looked = Looked::default();
    for index in invalid() {
        match index.build {
            Build::Running => {}
            Build::Unknown => looked.not_judged.push(format!(
                "{} is not valid, and somebody holds the lock of a build: ask again when that has ended, or with GRANT \
                 pg_monitor, which shows what is being built",
                index.qualified()
            )),
            Build::None if index.partitioned => looked.findings.push(partitioned(ctx, index)),
            Build::None => looked.findings.push(left(ctx, index)),
        }
    }
    looked
}

/// What is left of a build.
fn left(ctx: &CatalogContext, index: &TableIndex) -> Finding {
    let bytes = ctx.bytes(index);
    let written = entries_written(ctx, index.table);
    let mut found = finding(&SPEC, ctx.table(index.table), Some(index));
    found.what = format!("{} is not valid: its build failed or was cancelled", index.qualified());
    found.why = match (index.ready, index.unique) {
        (true, true) => format!(
            "no query may use it, every write still keeps it ({} on disk), and it already refuses duplicates",
            size(Bytes(bytes as i64))
        ),
        (true, false) => format!(
            "no query may use it, and every write still keeps it: {} on disk, {} written to the table since counting \
             began",
            size(Bytes(bytes as i64)),
            entries(written)
        ),
        (false, _) => format!(
            "no query may use it and no write keeps it; {} on disk, and updates of its columns are not HOT",
            size(Bytes(bytes as i64))
        ),
    };
    found.evidence = vec![
        Evidence::text("written", if index.ready { "yes" } else { "no" }),
        Evidence::data("size", bytes, "bytes"),
        Evidence::data("entries written to the table", written, "entries"),
    ];
    // Every write pays for what is ready; what is not only lies there.
    found.severity = if index.ready { Severity::Warning } else { Severity::Info };
    let twin = ctx.indexes_of(index.table).iter().find(|other| {
        let repaired = TableIndex { valid: true, ready: true, live: true, ..index.clone() };
        ctx.snapshot.covers(other, &repaired).is_some()
    });
    let needed = !TableIndex { clustered: false, ..index.clone() }.free();
    (found.help, found.remedies) = match twin {
        _ if !index.live => ("it is being dropped: finish that with DROP INDEX".to_owned(), vec![drop_it(index)]),
        _ if leftover(&index.name) && !needed => {
            ("REINDEX CONCURRENTLY left it behind: drop it".to_owned(), vec![drop_it(index)])
        }
        Some(twin) if !needed => {
            (format!("drop it: {} does what it was meant for", twin.qualified()), vec![drop_it(index)])
        }
        _ if index.unique => (
            "find the rows that stand twice and mend them, then build it again: until then REINDEX fails too".to_owned(),
            vec![Remedy::Reindex { index: index.oid }],
        ),
        _ => ("build it again, or drop it".to_owned(), vec![Remedy::Reindex { index: index.oid }]),
    };
    found
}

fn drop_it(index: &TableIndex) -> Remedy {
    Remedy::DropIndex { index: index.oid, cover: None }
}

/// `…_ccnew`, `…_ccold`, `…_ccnew1`.
fn leftover(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name.ends_with("_ccnew") || name.ends_with("_ccold")
}

/// A partitioned index becomes valid when every partition has its part.
fn partitioned(ctx: &CatalogContext, index: &TableIndex) -> Finding {
    let mut found = finding(&SPEC, ctx.table(index.table), Some(index));
    let attached =
        |table: u32| ctx.indexes_of(table).iter().find(|child| child.parent == Some(index.oid)).copied();
    let mut missing = Vec::new();
    let mut broken = Vec::new();
    for part in ctx.partitions_of(index.table) {
        match attached(part.oid) {
            None => missing.push(part.qualified()),
            Some(child) if !child.usable() => broken.push(child.qualified()),
            Some(_) => {}
        }
    }
    found.what = format!("{} is not valid: a partition lacks its part of it", index.qualified());
    found.why = "every attached part is kept by writes and used where the planner sees one partition; the whole counts \
                 for nothing: it proves no uniqueness, and new partitions repeat it"
        .to_owned();
    let mut help = Vec::new();
    if !missing.is_empty() {
        help.push(format!(
            "build the index CONCURRENTLY on {} and ATTACH it: ALTER INDEX {} ATTACH PARTITION …",
            missing.join(", "),
            index.qualified()
        ));
    }
    if !broken.is_empty() {
        help.push(format!("REINDEX INDEX CONCURRENTLY {}", broken.join(", ")));
    }
    if help.is_empty() {
        help.push(format!(
            "every partition has its part: ALTER INDEX {} ATTACH PARTITION with one of them makes the server look again",
            index.qualified()
        ));
    }
    found.help = help.join("; ");
    found.evidence = vec![
        Evidence::data("partitions without it", missing.len() as f64, "partitions"),
        Evidence::data("parts that are not valid", broken.len() as f64, "indexes"),
    ];
    found.severity = Severity::Warning;
    found
}
