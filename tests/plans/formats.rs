//! The same statement in every notation gives the same plan.
//!
//! Each recording is an execution of its own, so times and buffers differ; what the planner decided does not.

use super::{MAJORS, read};
use pgproof::plan::{Execution, Plan, Relationship};
use pgproof::units::{Blocks, Millis};
use std::path::Path;

/// A plan without what differs from run to run, and without what text leaves out because it is false or zero.
fn comparable(mut plan: Plan) -> Plan {
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

/// Rolled back, a write still leaves dead rows and a longer file: the next recording's plan differs.
const WRITES: &[&str] = &["/cte-writes", "/update-with-trigger"];

#[test]
fn json_is_sniffed() {
    compare("json", |text| pgproof::plan::read(text, None), &[]);
}

#[test]
fn yaml_is_read_as_json_is() {
    compare("yaml", |text| pgproof::plan::read(text, None), &[]);
}

#[test]
fn xml_is_read_as_json_is() {
    // XML does not say whether an incremental sort's space was memory or disk.
    compare("xml", |text| pgproof::plan::read(text, None), &["/incremental-sort"]);
}

#[test]
fn text_is_read_as_json_is() {
    compare("txt", |text| pgproof::plan::read(text, None), &[]);
}

fn compare(ending: &str, read_other: fn(&str) -> pgproof::error::Result<Vec<Plan>>, lossy: &[&str]) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans");
    let mut failures = Vec::new();
    let mut compared = 0;
    for major in MAJORS {
        for entry in std::fs::read_dir(top.join(major.to_string())).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let json = read(&std::fs::read_to_string(&path).unwrap());
            let source = std::fs::read_to_string(path.with_extension(ending)).unwrap();
            let name = format!("{major}/{}", path.file_stem().unwrap().to_string_lossy());
            let text = match read_other(&source) {
                Ok(text) => text,
                Err(e) => {
                    failures.push(format!("{name}: {e} {:?}", e.excerpt()));
                    continue;
                }
            };
            compared += 1;
            if WRITES.iter().chain(lossy).any(|known| name.ends_with(known)) {
                continue;
            }
            let json: Vec<Plan> = json.into_iter().map(comparable).collect();
            let text: Vec<Plan> = text.into_iter().map(comparable).collect();
            if json.len() != text.len() || json.iter().zip(&text).any(|(a, b)| a.nodes.len() != b.nodes.len())
            {
                failures.push(format!(
                    "{name}: {:?} plans of {:?} nodes",
                    (json.len(), text.len()),
                    json.iter().zip(&text).map(|(a, b)| (a.nodes.len(), b.nodes.len())).collect::<Vec<_>>()
                ));
                continue;
            }
            for (a, b) in json.iter().zip(&text) {
                for (x, y) in a.nodes.iter().zip(&b.nodes) {
                    let (x, y) = (format!("{x:#?}"), format!("{y:#?}"));
                    if x != y {
                        let differ: Vec<String> = diff(&x, &y);
                        failures.push(format!("{name}: {}", differ.join(" ")));
                        break;
                    }
                }
                let rest = |p: &Plan| format!("{:#?}", Plan { nodes: Vec::new(), ..p.clone() });
                if rest(a) != rest(b) {
                    failures.push(format!("{name}: plan: {}", diff(&rest(a), &rest(b)).join(" ")));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared}:\n{}", failures.len(), failures.join("\n"));
}

fn diff(a: &str, b: &str) -> Vec<String> {
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
