//! A sort that did not fit work_mem.
//!
//! Refuses to promise more than half of the sort's time: comparing the rows stays.

use super::memory::propose;
use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding};
use crate::plan::{GroupSpace, Node, Sort, SortSpace, Worker};
use crate::units::Bytes;
use crate::words::{counted, duration, size};

pub(super) const SPEC: Spec = Spec {
    name: "sort-spills-to-disk",
    summary: "a sort runs out of work_mem and merges from disk",
    thresholds: &[
        Threshold {
            name: "recoverable-share",
            default: 0.5,
            unit: "of the sort's time",
            why: "an in-memory sort still compares every row; writing and merging runs is at most about half",
        },
        Threshold {
            name: "max-work-mem",
            default: 1024.0,
            unit: "MB",
            why: "beyond this a single statement can exhaust a server: fewer rows or an index is the remedy",
        },
    ],
    page: include_str!("../../rules/sort-spills-to-disk.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let sorts = ctx.plan.nodes.iter().filter(|n| n.kind == "Sort" || n.kind == "Incremental Sort");
    sorts.filter_map(|node| spill(ctx, tuning, node)).collect()
}

/// What the processes of one sort wrote.
struct Spill {
    /// Summed over leader and workers.
    total: Bytes,
    /// The largest share of one process.
    largest: Bytes,
    processes: usize,
}

fn spill(ctx: &PlanContext, tuning: &Tuning, node: &Node) -> Option<Finding> {
    let spill = spilled(node)?;
    let time = ctx.self_time(node.id)?;
    let saves = time * tuning.get("recoverable-share");
    let rows = ctx.children(node.id).next().and_then(|c| ctx.facts_of(c.id).rows_total)?.0;
    let (most, on_tape) = most_rows(node, &spill, rows);
    let major = ctx.server.map_or(13, |s| s.major());
    let needed = memory_for(most, on_tape, major, node.detail.output.len() == 1);
    let current = ctx.server.and_then(|s| s.bytes("work_mem"));
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, saves);
    found.what = format!(
        "sorting {} takes {} on disk{}{}",
        counted(rows, "row"),
        size(spill.total),
        if spill.processes > 1 { format!(", over {} processes", spill.processes) } else { String::new() },
        current.map_or(String::new(), |c| format!("; work_mem is {}", size(Bytes(c))))
    );
    found.why = format!(
        "{} go into this sort, part of it into writing runs to disk and merging them",
        duration(time)
    );
    let otherwise = "sort fewer rows, or read them in order from an index";
    propose(&mut found, tuning, needed, "keeps it in memory", otherwise);
    found.evidence = vec![
        Evidence::text("sort key", node.detail.sort_key.join(", ")),
        Evidence::data("on disk", spill.total.0 as f64, "bytes"),
        Evidence::data("memory needed", needed.0 as f64, "bytes"),
        Evidence::timing("time in the sort", time.0, "ms"),
    ];
    Some(found)
}

fn spilled(node: &Node) -> Option<Spill> {
    let plain = |sort: &Option<Sort>| sort.as_ref().filter(|s| s.space == SortSpace::Disk).map(|s| s.used);
    let groups = |group: &Option<Box<GroupSpace>>| group.as_ref().and_then(|g| g.disk_peak);
    let leader = [
        plain(&node.detail.sort),
        groups(&node.detail.full_sort_groups),
        groups(&node.detail.presorted_groups),
    ];
    let workers = node
        .workers
        .iter()
        .flat_map(|w| [plain(&w.sort), groups(&w.full_sort_groups), groups(&w.presorted_groups)]);
    let used: Vec<Bytes> = leader.into_iter().chain(workers).flatten().filter(|b| b.0 > 0).collect();
    let largest = used.iter().copied().max_by_key(|b| b.0)?;
    Some(Spill { total: used.iter().copied().sum(), largest, processes: used.len() })
}

/// The most rows that have to be in memory at once, and the bytes that one of them takes on tape. Of an
/// incremental sort that is its largest group. Of processes that share a sort it is all rows: how many each of
/// them gets is luck, and where no worker starts the leader gets them all.
fn most_rows(node: &Node, spill: &Spill, rows: f64) -> (f64, f64) {
    let disk = spill.largest.0 as f64;
    let workers =
        node.workers.iter().filter_map(|w| Some((w.presorted_groups.as_ref()?, w.execution.as_ref())));
    let leader = node.detail.presorted_groups.as_ref().map(|groups| (groups, None));
    let largest = |g: &GroupSpace| g.disk_peak == Some(spill.largest);
    if let Some((groups, ran)) = leader.into_iter().chain(workers).find(|(g, _)| largest(g)) {
        let sorted = ran.map_or(rows, |r| r.rows.0 * r.loops);
        let average = groups.disk_average.map_or(1.0, |a| a.0.max(1) as f64);
        let most = (sorted / groups.groups.max(1.0) * disk / average).min(rows);
        return (most, disk / most.max(1.0));
    }
    let of_worker = |w: &Worker| w.execution.map_or(0.0, |ran| ran.rows.0 * ran.loops);
    let spilled = |w: &&Worker| w.sort.as_ref().is_some_and(|s| s.used == spill.largest);
    let sorted = match node.workers.iter().find(spilled) {
        Some(worker) => of_worker(worker),
        None => rows - node.workers.iter().map(of_worker).sum::<f64>(),
    };
    (rows, disk / sorted.max(1.0))
}

/// Bytes per row of a sort of bare values on tape: the value (8), its length (4), a part of the block's end. A
/// whole row with one small column takes 14.
const DATUM_ON_TAPE: f64 = 13.0;

/// Bytes for what a sort needs beside its rows.
const SLACK: f64 = (1 << 20) as f64;

/// Memory that keeps a sort of `rows` rows, which take `on_tape` bytes each there, in memory (tuplesort.c): a tape holds a
/// row without 6 bytes of its in-memory header; memory adds 24 bytes of `SortTuple` and what the allocator of
/// that major rounds to (powers of two up to 14, a chunk header up to 16). One tenth on top.
/// A `single` column that is passed by value (15+) has no row beside its `SortTuple`.
fn memory_for(rows: f64, on_tape: f64, major: u32, single: bool) -> Bytes {
    if single && on_tape < DATUM_ON_TAPE {
        return Bytes((24.0 * rows * 1.1 + SLACK) as i64);
    }
    let tuple = align(on_tape + 6.0);
    let chunk = match major {
        0..=14 => tuple.log2().ceil().exp2() + 16.0,
        15 => tuple + 16.0,
        16 => tuple + 8.0,
        _ => tuple,
    };
    Bytes(((chunk + 24.0) * rows * 1.1 + SLACK) as i64)
}

fn align(bytes: f64) -> f64 {
    (bytes / 8.0).ceil() * 8.0
}
