//! Of each table, the indexes that may go because another one stays and does their work.
//!
//! Refuses to name a cover that goes itself: chains end at the longest index that stays.

use super::database::{by_waste, entries_written, finding};
use super::{Spec, Tuning};
use crate::catalog::Cover;
use crate::catalog::snapshot::TableIndex;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::units::Bytes;
use crate::words::{count, size};
use std::cmp::Ordering;

/// An index, what covers it, and how.
pub(super) struct Covered<'a> {
    pub index: &'a TableIndex,
    pub cover: &'a TableIndex,
    pub how: Cover,
}

/// Every index with one that does its work and stays; the longest one where there are several.
pub(super) fn covered<'a>(ctx: &CatalogContext<'a>) -> Vec<Covered<'a>> {
    ctx.snapshot
        .tables
        .iter()
        .filter(|t| !t.extension)
        .flat_map(|t| of_table(ctx, ctx.indexes_of(t.oid)))
        .collect()
}

fn of_table<'a>(ctx: &CatalogContext<'a>, indexes: &[&'a TableIndex]) -> Vec<Covered<'a>> {
    // A goes where B covers it, and B stays against A: B is more than A, or the one of two equals that stays.
    let beats = |b: &TableIndex, a: &TableIndex| {
        let how = ctx.snapshot.covers(b, a)?;
        let equals = ctx.snapshot.covers(a, b).is_some();
        (!equals || b.before(a) == Ordering::Less).then_some(how)
    };
    let goes = |a: &TableIndex| a.free() && indexes.iter().any(|b| beats(b, a).is_some());
    let stays: Vec<&TableIndex> = indexes.iter().copied().filter(|i| !goes(i)).collect();
    let longest = |a: &&&TableIndex, b: &&&TableIndex| {
        a.key_count
            .cmp(&b.key_count)
            .then_with(|| b.before(a))
            .then_with(|| b.columns.len().cmp(&a.columns.len()))
    };
    let cover = |index: &&'a TableIndex| {
        let cover = stays.iter().filter(|b| beats(b, index).is_some()).max_by(longest)?;
        Some(Covered { index, cover, how: beats(cover, index)? })
    };
    indexes.iter().filter(|i| goes(i)).filter_map(cover).collect()
}

/// The finding about a covered index, but for its first sentence.
pub(super) fn told(
    spec: &Spec,
    ctx: &CatalogContext,
    covered: &Covered,
    what: String,
    _: &Tuning,
) -> Finding {
    let Covered { index, cover, .. } = covered;
    let (bytes, kept) = (ctx.bytes(index), ctx.bytes(cover));
    let written = entries_written(ctx, index.table);
    let scans: f64 = ctx.index_leaves(index).iter().map(|i| i.scans).sum();
    let mut found = finding(spec, ctx.table(index.table), Some(index));
    found.what = what;
    found.why = format!(
        "it takes {} beside the {} of {}; {} were written to it since counting began, and {} read it, which the other \
         one can serve",
        size(Bytes(bytes as i64)),
        size(Bytes(kept as i64)),
        cover.qualified(),
        entries(written),
        scans_of(scans)
    );
    found.help = format!("drop {}: {} does its work", index.qualified(), cover.qualified());
    found.evidence = vec![
        Evidence::text("covered by", cover.qualified()),
        Evidence::data("size", bytes, "bytes"),
        Evidence::data("size of the other one", kept, "bytes"),
        Evidence::data("entries written", written, "entries"),
        Evidence::data("scans", scans, "scans"),
    ];
    found.severity = by_waste(bytes, written);
    found.remedies = vec![Remedy::DropIndex { index: index.oid, cover: Some(cover.oid) }];
    found
}

pub(super) fn entries(number: f64) -> String {
    if number == 1.0 { "1 entry".to_owned() } else { format!("{} entries", count(number)) }
}

pub(super) fn scans_of(number: f64) -> String {
    if number == 1.0 { "1 scan".to_owned() } else { format!("{} scans", count(number)) }
}
