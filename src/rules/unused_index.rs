//! An index that no query has read for longer than the slowest periodic job takes to come round.
//!
//! Refuses to judge by a counter whose beginning is unknown, on one node of several, or of an index whose age nothing
//! shows; and to name one that does something else than serve scans.

use super::covers::{entries, scans_of};
use super::database::{Looked, ago, by_waste, entries_written, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::{NodeIndex, TableIndex, TableKey};
use crate::context::CatalogContext;
use crate::finding::{Confidence, Evidence, Finding, Remedy, Severity};
use crate::units::Bytes;
use crate::words::{counted, size};

pub(super) const SPEC: Spec = Spec {
    name: "unused-index",
    summary: "no query reads an index that every write keeps",
    thresholds: &[
        Threshold {
            name: "window-days",
            default: 35.0,
            unit: "days",
            why: "the slowest periodic jobs run once a month; a few days more for the late ones",
        },
        Threshold {
            name: "min-size",
            default: 32_768.0,
            unit: "bytes",
            why: "four blocks: an empty index has two, and what is smaller costs next to nothing",
        },
        Threshold {
            name: "max-probes",
            default: 1_000.0,
            unit: "scans",
            why: "scans that fetched no row and read one entry at most look like the planner's; more of them are no accident",
        },
        Threshold {
            name: "standbys-without-reads",
            default: 0.0,
            unit: "standbys",
            why: "how many of the standbys that stream from here serve no queries and need not be asked",
        },
    ],
    page: include_str!("../../rules/unused-index.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

const DAY: f64 = 86_400.0;

/// How an index was used, on all nodes together.
struct Use {
    scans: f64,
    read: f64,
    fetched: f64,
    /// Seconds without a scan on every node.
    idle: f64,
}

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    if let Some(needs) = blind(ctx, tuning) {
        return Looked::blind(needs);
    }
    let window = tuning.get("window-days") * DAY;
    let mut looked = Looked::default();
    let (mut early, mut ageless, mut elsewhere) = (0.0, 0.0, 0.0);
    for index in ctx.snapshot.indexes.iter().filter(|i| droppable(ctx, i)) {
        let Some(used) = usage(ctx, index) else {
            elsewhere += 1.0;
            continue;
        };
        let probes = used.scans > 0.0
            && used.fetched == 0.0
            && used.read <= used.scans
            && used.scans <= tuning.get("max-probes");
        // Whatever the window, what was scanned today is in use.
        let unread = used.scans == 0.0 || used.idle >= window.max(DAY);
        let idle = match (unread, probes) {
            (true, _) => used.idle,
            (false, true) => counting(ctx).unwrap_or(0.0),
            (false, false) => 0.0,
        };
        if idle <= 0.0 || ctx.bytes(index) < tuning.get("min-size") {
            continue;
        }
        let old = ctx.index_leaves(index).iter().map(|i| i.old_seconds.unwrap_or(0.0)).reduce(f64::min);
        if idle < window {
            early += 1.0;
        } else if old.unwrap_or(0.0) < window {
            ageless += 1.0;
        } else if !unread {
            looked.findings.push(planned_only(ctx, index, &used));
        } else {
            looked.findings.push(unused(ctx, index, &used));
        }
    }
    let weight = |f: &Finding| f.evidence.iter().find_map(|e| match (&e.value, e.label.as_str()) {
        (crate::finding::Value::Number(bytes), "size") => Some(*bytes),
        _ => None,
    });
    looked.findings.sort_by(|a, b| weight(b).unwrap_or(0.0).total_cmp(&weight(a).unwrap_or(0.0)));
    looked.not_judged = too_early(ctx, tuning, early, ageless, elsewhere);
    looked
}

fn too_early(ctx: &CatalogContext, tuning: &Tuning, early: f64, ageless: f64, elsewhere: f64) -> Vec<String> {
    let days = counted(tuning.get("window-days"), "day");
    let mut needs = Vec::new();
    if early > 0.0 {
        let (since, why) = shortest(ctx);
        needs.push(format!(
            "a window of {days}: {} without a scan, but scans are counted for {} only ({why}); ask again when it is over",
            counted(early, "index").replace("indexs", "indexes"),
            ago(since)
        ));
    }
    if ageless > 0.0 {
        let timed = if ctx.moment().commit_timestamps {
            "they are younger, or older than the commit timestamps"
        } else {
            "track_commit_timestamp = on tells of those built after it is set"
        };
        needs.push(format!(
            "the age of {} without a scan: nothing shows that they have stood for {days}; {timed}",
            counted(ageless, "index").replace("indexs", "indexes")
        ));
    }
    if elsewhere > 0.0 {
        needs.push(format!(
            "{} on every node: a standby that was asked does not have them",
            counted(elsewhere, "index").replace("indexs", "indexes")
        ));
    }
    needs
}

/// Why nothing can be said of any index.
fn blind(ctx: &CatalogContext, tuning: &Tuning) -> Option<String> {
    let moment = ctx.moment();
    if moment.in_recovery {
        return Some("the primary: connect to that one, and name this standby with --also".to_owned());
    }
    if !moment.counts || ctx.snapshot.nodes.iter().any(|n| !n.counts) {
        return Some("track_counts = on, on every node: without it nobody counts scans".to_owned());
    }
    let asked = ctx.snapshot.nodes.iter().filter(|n| n.in_recovery).count() as f64;
    let idle = tuning.get("standbys-without-reads");
    let standbys = moment.standbys.unwrap_or(moment.wal_senders) as f64;
    if standbys > asked + idle {
        return Some(format!(
            "the scans of {} that stream from here, each counting its own: --also URL for each of them{}",
            counted(standbys - asked - idle, "standby"),
            if moment.standbys.is_none() { "; GRANT pg_monitor tells them from backups" } else { "" }
        ));
    }
    counting(ctx).is_none().then(|| "a known beginning of the counters".to_owned())
}

/// Seconds that every node has counted for.
fn counting(ctx: &CatalogContext) -> Option<f64> {
    let nodes = ctx.snapshot.nodes.iter().map(|n| n.counting_seconds);
    nodes.chain([ctx.moment().counting_seconds]).reduce(|a, b| Some(a?.min(b?)))?
}

/// The same, with why it is not longer.
fn shortest<'a>(ctx: &CatalogContext<'a>) -> (f64, &'a str) {
    let here = (ctx.moment().counting_seconds.unwrap_or(0.0), ctx.moment().counting_since.as_str());
    let nodes = ctx.snapshot.nodes.iter();
    nodes
        .map(|n| (n.counting_seconds.unwrap_or(0.0), n.counting_since.as_str()))
        .fold(here, |a, b| if b.0 < a.0 { b } else { a })
}

/// It serves scans and nothing else.
fn droppable(ctx: &CatalogContext, index: &TableIndex) -> bool {
    let table = ctx.table(index.table);
    index.free()
        && index.usable()
        && !index.unique
        // ANALYZE keeps statistics of its expressions, which steer plans that never scan it.
        && index.expressions.is_empty()
        && table.is_some_and(|t| !t.extension)
        && !serves_a_key(ctx, index)
}

/// A foreign key of its table, or of a partitioned table above that, is served by it.
fn serves_a_key(ctx: &CatalogContext, index: &TableIndex) -> bool {
    let Some(table) = ctx.table(index.table) else { return true };
    let mut above = Some(table);
    while let Some(owner) = above {
        for key in ctx.snapshot.foreign_keys.iter().filter(|key| key.table == owner.oid) {
            let number = |column: &i16| {
                let name = owner.columns.get(column)?;
                table.columns.iter().find(|(_, other)| *other == name).map(|(number, _)| *number)
            };
            let columns: Option<Vec<i16>> = key.columns.iter().map(number).collect();
            if columns.is_some_and(|columns| index.serves(&TableKey { columns, ..key.clone() }, table)) {
                return true;
            }
        }
        above = owner.parent.and_then(|oid| ctx.table(oid));
    }
    false
}

/// `None` where a standby does not have the index.
fn usage(ctx: &CatalogContext, index: &TableIndex) -> Option<Use> {
    let idle = |scans: f64, scanned: Option<f64>, window: Option<f64>| match (scans > 0.0, scanned) {
        (false, _) => window.unwrap_or(0.0),
        (true, Some(seconds)) => seconds,
        (true, None) => 0.0,
    };
    let mut used = Use { scans: 0.0, read: 0.0, fetched: 0.0, idle: f64::INFINITY };
    for part in ctx.index_leaves(index) {
        used.scans += part.scans;
        used.read += part.tuples_read;
        used.fetched += part.tuples_fetched;
        used.idle = used.idle.min(idle(part.scans, part.scanned_seconds, ctx.moment().counting_seconds));
        let name = format!("{}.{}", part.schema, part.name);
        for node in &ctx.snapshot.nodes {
            let counted: &NodeIndex = match node.indexes.get(&name) {
                Some(counted) => counted,
                None if node.in_recovery => return None,
                None => continue,
            };
            used.scans += counted.scans;
            used.read += counted.tuples_read;
            used.fetched += counted.tuples_fetched;
            used.idle = used.idle.min(idle(counted.scans, counted.scanned_seconds, node.counting_seconds));
        }
    }
    used.idle.is_finite().then_some(used)
}

fn unused(ctx: &CatalogContext, index: &TableIndex, used: &Use) -> Finding {
    let mut found = about(ctx, index, used);
    let nodes = match ctx.snapshot.nodes.len() {
        0 => String::new(),
        more => format!(" on any of {} nodes", more + 1),
    };
    found.what = format!("no query has read {} for {}{nodes}", index.qualified(), ago(used.idle));
    found.help = format!("drop {}, once those who know its purpose agree", index.qualified());
    found.remedies = vec![Remedy::DropIndex { index: index.oid, cover: None }];
    found
}

/// Scans that look like the planner's own: enough to ask, too little to drop.
fn planned_only(ctx: &CatalogContext, index: &TableIndex, used: &Use) -> Finding {
    let mut found = about(ctx, index, used);
    found.what = format!(
        "the {} of {} fetched no row and read one entry each at most: so does the planner when it estimates a range",
        scans_of(used.scans),
        index.qualified()
    );
    found.help = "look at its counters before and after a day of work: where they grow with EXPLAIN alone, it is unused; \
                  index-only and bitmap scans of single rows look the same"
        .to_owned();
    found.confidence = Confidence::Guessed;
    found.severity = Severity::Info;
    found
}

fn about(ctx: &CatalogContext, index: &TableIndex, used: &Use) -> Finding {
    let bytes = ctx.bytes(index);
    let written = entries_written(ctx, index.table);
    let mut found = finding(&SPEC, ctx.table(index.table), Some(index));
    found.why = format!(
        "it takes {}, in every backup and copy too; {} were written to it since counting began, and each column of it \
         that changes keeps an update from being HOT",
        size(Bytes(bytes as i64)),
        entries(written)
    );
    found.evidence = vec![
        Evidence::data("size", bytes, "bytes"),
        Evidence::data("scans", used.scans, "scans"),
        Evidence::data("entries written", written, "entries"),
        Evidence::timing("without a scan for", used.idle, "seconds"),
    ];
    found.severity = by_waste(bytes, written);
    found
}
