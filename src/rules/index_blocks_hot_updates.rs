//! Updates that could stay on their page and write no index, were it not for an index on a column that they change.
//!
//! Refuses to blame an index where the page had no room.

use super::database::{Looked, WARNING_WORK, finding};
use super::stale_statistics::uncounted;
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::{Table, TableIndex};
use crate::context::CatalogContext;
use crate::finding::{Confidence, Evidence, Finding, Severity};
use crate::words::{count, percent};

pub(super) const SPEC: Spec = Spec {
    name: "index-blocks-hot-updates",
    summary: "updates write every index because one of them holds a column that changes",
    thresholds: &[
        Threshold {
            name: "min-updates",
            default: 10_000.0,
            unit: "rows",
            why: "updated since counting began: a few thousand entries more are no matter",
        },
        Threshold {
            name: "max-hot-share",
            default: 0.5,
            unit: "of updates",
            why: "where most updates are HOT already, little is left to win",
        },
        Threshold {
            name: "min-same-page-share",
            default: 0.3,
            unit: "of the others",
            why: "16+: that many found room on their page and were not HOT all the same, so an index was the reason",
        },
        Threshold {
            name: "max-hot-share-unseen",
            default: 0.1,
            unit: "of updates",
            why: "up to 15 nothing tells a full page from an index; pages that vacuum cleans have room now and then",
        },
    ],
    page: include_str!("../../rules/index-blocks-hot-updates.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    if let Some(needs) = uncounted(ctx) {
        return Looked::blind(needs);
    }
    let tables = ctx.snapshot.tables.iter().filter(|t| !t.extension);
    tables.filter_map(|t| blocked(ctx, t, tuning)).collect::<Vec<Finding>>().into()
}

fn blocked(ctx: &CatalogContext, table: &Table, tuning: &Tuning) -> Option<Finding> {
    let counters = table.counters.as_ref().filter(|c| c.updates >= tuning.get("min-updates"))?;
    let others = counters.updates - counters.hot_updates;
    let hot = counters.hot_updates / counters.updates;
    let same_page = counters.newpage_updates.map(|moved| (others - moved) / others.max(1.0));
    let blamed = match same_page {
        Some(share) => hot < tuning.get("max-hot-share") && share >= tuning.get("min-same-page-share"),
        None => hot < tuning.get("max-hot-share-unseen"),
    };
    // From 16 on BRIN does not count; a primary key is seldom what changes.
    let blocks = |i: &&&TableIndex| !i.primary && (i.method != "brin" || ctx.major < 16);
    let mut indexes: Vec<&TableIndex> = ctx.indexes_of(table.oid).iter().filter(blocks).copied().collect();
    if !blamed || indexes.is_empty() {
        return None;
    }
    indexes.sort_by(|a, b| a.scans.total_cmp(&b.scans).then_with(|| a.name.cmp(&b.name)));
    let all = ctx.indexes_of(table.oid).len() as f64;
    let mut found = finding(&SPEC, Some(table), None);
    found.what = format!(
        "{} of {} updates of {} were HOT",
        if counters.hot_updates == 0.0 { "none".to_owned() } else { percent(hot) },
        count(counters.updates),
        table.qualified()
    );
    found.why = match same_page {
        Some(share) => format!(
            "{} of the others found room on their page: they changed a column that an index holds, and wrote an entry \
             into each of {all} indexes",
            percent(share)
        ),
        None => format!(
            "each of the others wrote an entry into each of {all} indexes; up to PostgreSQL 15 nothing tells whether the \
             pages were full or an index holds a column that changes"
        ),
    };
    let names: Vec<String> = indexes.iter().take(5).map(|i| held(i, table)).collect();
    found.help = format!(
        "which of these columns do your updates change? {}; without that index, or with the column in a table of its own, \
         they would be HOT",
        names.join(", ")
    );
    found.evidence = vec![
        Evidence::data("updates", counters.updates, "rows"),
        Evidence::data("HOT updates", counters.hot_updates, "rows"),
        Evidence::data("indexes", all, "indexes"),
    ];
    found.evidence.extend(
        counters.newpage_updates.map(|moved| Evidence::data("updates that found no room on the page", moved, "rows")),
    );
    found.confidence = if same_page.is_some() { Confidence::Measured } else { Confidence::Guessed };
    found.severity = if others * all >= WARNING_WORK && same_page.is_some() { Severity::Warning } else { Severity::Info };
    Some(found)
}

/// `name (columns)`, with those of INCLUDE, which count too.
fn held(index: &TableIndex, table: &Table) -> String {
    let columns = index.columns.iter().filter_map(|c| table.columns.get(c).cloned());
    let all: Vec<String> = columns.chain(index.expressions.iter().cloned()).collect();
    let only = index.predicate.as_ref().map_or(String::new(), |p| format!(" WHERE {p}"));
    format!("{} ({}){only}", index.name, all.join(", "))
}
