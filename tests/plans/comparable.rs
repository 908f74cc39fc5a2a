//! What two executions of one statement have in common, whatever their notation.

use pgproof::plan::{Execution, Plan, Relationship};
use pgproof::units::{Blocks, Millis};

/// A plan without what differs from run to run, and without what text leaves out because it is false or zero.
pub fn comparable(mut plan: Plan) -> Plan {
    let parallel = plan.nodes.iter().any(|n| n.workers_planned.is_some());
    plan.planning_time = plan.planning_time.map(|_| Millis(0.0));
    plan.execution_time = plan.execution_time.map(|_| Millis(0.0));
    (plan.planning_buffers, plan.planning_io, plan.planning_memory) = (None, None, None);
    plan.triggers = plan.triggers.filter(|t| !t.is_empty());
    for trigger in plan.triggers.iter_mut().flatten() {
        trigger.time = trigger.time.map(|_| Millis(0.0));
        // Text names the relation only where there are several.
        trigger.relation = None;
    }
    plan.settings = plan.settings.filter(|s| !s.is_empty());
    if let Some(jit) = &mut plan.jit {
        for time in [
            &mut jit.generation,
            &mut jit.deform,
            &mut jit.inlining,
            &mut jit.optimization,
            &mut jit.emission,
            &mut jit.total,
        ] {
            *time = time.map(|_| Millis(0.0));
        }
    }
    if let Some(serialization) = &mut plan.serialization {
        serialization.time = serialization.time.map(|_| Millis(0.0));
        (serialization.buffers, serialization.io) = (None, None);
    }
    let modifying: Vec<usize> = plan.nodes.iter().filter(|n| n.kind == "ModifyTable").map(|n| n.id).collect();
    for node in &mut plan.nodes {
        let under_modify = node.parent.is_some_and(|p| modifying.contains(&p));
        (node.buffers, node.io, node.wal) = (None, None, None);
        let d = &mut node.detail;
        for flag in [
            &mut d.parallel_aware,
            &mut d.async_capable,
            &mut d.disabled,
            &mut d.inner_unique,
            &mut d.single_copy,
        ] {
            *flag = flag.filter(|f| *f);
        }
        for count in [
            &mut d.rows_removed_by_filter,
            &mut d.rows_removed_by_join_filter,
            &mut d.rows_removed_by_index_recheck,
            &mut d.rows_removed_by_conflict_filter,
            &mut d.index_searches,
            &mut d.heap_fetches,
            &mut d.subplans_removed,
        ] {
            *count = count.filter(|c| *c != 0.0);
        }
        for blocks in [&mut d.exact_heap_blocks, &mut d.lossy_heap_blocks] {
            *blocks = blocks.filter(|b| *b != Blocks(0));
        }
        // Text says "originally" only where it was another number, and no zeros.
        if let Some(hash) = &mut d.hash {
            hash.original_buckets = hash.original_buckets.filter(|o| Some(*o) != hash.buckets);
            hash.original_batches = hash.original_batches.filter(|o| Some(*o) != hash.batches);
            hash.planned_partitions = hash.planned_partitions.filter(|p| *p != 0.0);
            hash.disk = hash.disk.filter(|b| b.0 != 0);
        }
        d.hash = d.hash.take().filter(|h| **h != pgproof::plan::Hash::default());
        // Text does not say that the child of a writing node was a list up to 13.
        if node.relationship == Relationship::Member && under_modify {
            node.relationship = Relationship::Outer;
        }
        // Up to 15 an index scan without an order has no direction; text says nothing, as for forward.
        if d.scan_direction.as_deref() == Some("NoMovement") {
            d.scan_direction = Some("Forward".to_owned());
        }
        // `Function Scan on x`: text does not say whether `x` is the function or only its alias.
        d.function = d.function.take().filter(|function| Some(function) != d.alias.as_ref());
        // Without VERBOSE text leaves it out.
        d.inner_unique = None;
        node.extra.retain(|(key, value)| !(key.starts_with("Tuples ") && value == 0));
        if let Execution::Ran(ran) = &mut node.execution {
            ran.startup_time = ran.startup_time.map(|_| Millis(0.0));
            ran.total_time = ran.total_time.map(|_| Millis(0.0));
            if parallel {
                (ran.rows.0, ran.loops) = (0.0, 0.0);
            }
        }
        if parallel {
            // Who did how much is decided by the clock.
            (d.rows_removed_by_filter, d.rows_removed_by_join_filter, d.sort, d.hash, d.memoize) =
                (None, None, None, None, None);
            (d.exact_heap_blocks, d.lossy_heap_blocks, d.storage, d.heap_fetches) = (None, None, None, None);
            (d.full_sort_groups, d.presorted_groups, d.rows_removed_by_index_recheck, d.index_searches) =
                (None, None, None, None);
            node.workers.clear();
            node.extra.retain(|(key, _)| !key.contains("Storage"));
        }
    }
    plan
}

/// The lines in which two values differ, a few of each.
pub fn diff(a: &str, b: &str) -> Vec<String> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    let only = |from: &[&str], other: &[&str], sign: &str| {
        from.iter()
            .filter(|l| !other.contains(l))
            .take(6)
            .map(|l| format!("{sign}{}", l.trim()))
            .collect::<Vec<_>>()
    };
    let mut lines = only(&a, &b, "json:");
    lines.extend(only(&b, &a, "text:"));
    lines
}
