//! An index scan whose rows lie in many more blocks than they would fill.
//!
//! Refuses to propose: CLUSTER and VACUUM FULL lock the table, and a covering index is for a person to weigh.

use super::support::{TableScan, by_table};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::Node;
use crate::units::{Blocks, Millis};
use crate::words::{count, counted, duration, times};

pub(super) const SPEC: Spec = Spec {
    name: "many-blocks-per-row",
    summary: "rows that an index finds together lie far apart, or among the empty space of a bloated table",
    thresholds: &[
        Threshold {
            name: "min-excess",
            default: 5.0,
            unit: "blocks visited per block needed",
            why: "below it the time of the blocks is lost in that of the rows, which stays",
        },
        Threshold {
            name: "max-correlation",
            default: 0.9,
            unit: "of the index's leading column, without sign",
            why: "so close to the index's order neighbours share blocks: what was visited then is TOAST or the index",
        },
        Threshold {
            name: "min-bloat",
            default: 2.0,
            unit: "times the pages that the rows fill",
            why: "autovacuum leaves a fifth empty by default, and widths are averages: a factor of two is neither",
        },
        Threshold {
            name: "visit-time",
            default: 0.0003,
            unit: "ms per visit",
            why: "100,000 rows at random took 26 ms longer than in the table's order, with every block in memory",
        },
    ],
    page: include_str!("../../rules/many-blocks-per-row.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

const SCANS: &[&str] = &["Index Scan", "Bitmap Heap Scan"];

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let scans = ctx.plan.nodes.iter().filter(|n| SCANS.contains(&n.kind.as_str()));
    by_table(ctx, scans).iter().filter_map(|scan| spread(ctx, tuning, scan)).collect()
}

/// What one scan visited.
struct Visits<'a> {
    relation: &'a Relation,
    rows: f64,
    /// Visits to heap blocks: no more than one per row. The counters hold those of the index and of TOAST too.
    blocks: f64,
    /// Those of them that were not in the server's memory.
    read: f64,
    /// Blocks that the rows of each loop would fill.
    needed: f64,
    pages: f64,
    /// Pages that all rows of the table would fill.
    filled: f64,
}

fn visits<'a>(ctx: &PlanContext<'a>, node: &Node) -> Option<Visits<'a>> {
    let relation = ctx.relation(node)?;
    let ran = node.ran()?;
    let filled = filled(relation)?;
    let per_block = relation.rows? / filled.min(relation.pages);
    let removed = node.detail.rows_removed_by_filter.unwrap_or(0.0);
    let per_loop = ran.rows.0 + removed;
    let buffers = ctx.facts_of(node.id).self_buffers?;
    let read = (buffers.shared_read + buffers.local_read).0 as f64;
    let touched = (buffers.shared_hit + buffers.local_hit).0 as f64 + read;
    let blocks = touched.min(per_loop * ran.loops);
    Some(Visits {
        relation,
        rows: per_loop * ran.loops,
        blocks,
        read: read * blocks / touched.max(1.0),
        needed: (per_loop / per_block).ceil() * ran.loops,
        pages: relation.pages,
        filled,
    })
}

/// Pages that the table's rows fill: 24 bytes of header, 4 of line pointer, the columns' average widths, in pages
/// that are filled as far as the table's fillfactor says.
fn filled(relation: &Relation) -> Option<f64> {
    let width: f64 = relation.columns.iter().map(|c| relation.width(c)).sum();
    let percent = relation.options.iter().find_map(|o| o.strip_prefix("fillfactor=")?.parse::<f64>().ok());
    let usable = Blocks::BYTES as f64 * percent.unwrap_or(100.0) / 100.0;
    Some((relation.rows? * (28.0 + width) / usable).ceil().max(1.0))
}

fn spread(ctx: &PlanContext, tuning: &Tuning, scan: &TableScan) -> Option<Finding> {
    let visits: Vec<Visits> = scan.nodes.iter().filter_map(|n| visits(ctx, n)).collect();
    let sum = |of: fn(&Visits) -> f64| visits.iter().map(of).sum::<f64>();
    let (rows, blocks, needed) = (sum(|v| v.rows), sum(|v| v.blocks), sum(|v| v.needed));
    if blocks < needed * tuning.get("min-excess") {
        return None;
    }
    let bloat = sum(|v| v.pages) / sum(|v| v.filled).max(1.0);
    let index = ctx.subtree(scan.first().id).iter().find_map(|n| n.detail.index.as_deref());
    let order = index.and_then(|index| correlation(visits.first()?.relation, index));
    let bloated = bloat >= tuning.get("min-bloat");
    if !bloated && order.is_some_and(|(_, value)| value.abs() > tuning.get("max-correlation")) {
        return None;
    }
    let (time, excess) = (scan.self_time(ctx)?, 1.0 - needed / blocks.max(1.0));
    // What was not in memory took what the node took; of the rest a visit's cost is known.
    let read = sum(|v| v.read) / blocks.max(1.0);
    let lost = blocks * tuning.get("visit-time") + time.0 * read;
    let saves = Millis(time.0.min(lost) * excess);
    let mut found = scan.finding(&SPEC, ctx).recovering(ctx, saves);
    found.index = index.map(str::to_owned);
    found.what = format!(
        "{} visits {} for {}, which would fill {}",
        scan.phrase(ctx, "index scan"),
        counted(blocks, "heap block"),
        counted(rows, "row"),
        count(needed)
    );
    if bloated {
        found.what = format!("{}: the table has {} the pages that its rows fill", found.what, times(bloat));
        found.why = format!("about {} go into blocks that are mostly empty", duration(saves));
        found.help = "VACUUM FULL writes the table anew under an exclusive lock, pg_repack nearly without one; then \
                      find out why autovacuum came too late"
            .to_owned();
    } else {
        found.why = format!(
            "about {} go into visiting a block for a row or two of it{}",
            duration(saves),
            order.map_or(String::new(), |(column, value)| format!(
                ": {column} and the table's order correlate by {value:.2}"
            ))
        );
        found.help = format!(
            "CLUSTER {} USING {} writes the table in this order, once and under an exclusive lock; an index that \
             includes every column of the query visits no heap block of a vacuumed table",
            scan.name(ctx),
            index.unwrap_or("the index")
        );
    }
    found.evidence = vec![
        Evidence::data("heap blocks visited", blocks, "blocks"),
        Evidence::data("blocks needed", needed, "blocks"),
        Evidence::data("rows", rows, "rows"),
        Evidence::data("pages per page filled", bloat, ""),
    ];
    found.evidence.extend(order.map(|(_, value)| Evidence::data("correlation", value, "")));
    Some(found)
}

/// The leading column of an index and how far the table lies in its order.
fn correlation<'a>(relation: &'a Relation, index: &str) -> Option<(&'a str, f64)> {
    let key = relation.indexes.iter().find(|i| i.name == index)?.keys.first()?;
    let column = relation.column(&key.text)?;
    Some((&column.name, column.statistics.as_ref()?.correlation?))
}
