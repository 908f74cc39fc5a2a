//! The figures and the small groups of EXPLAIN (FORMAT JSON).
//!
//! Refuses to know where they stand: a node, a worker or the plan says that.

use super::super::build::number_value;
use super::super::{Buffers, IoTimes, Jit, Trigger};
use super::json::Json;
use super::{Figures, blocks, kilobytes, plain, space, time, times};
use crate::units::Millis;
use serde_json::{Map, Value};

pub(super) fn figures(json: &mut Json, figures: &Figures<'_>) {
    if let Some(sort) = figures.sort {
        json.text("Sort Method", &sort.method);
        json.number("Sort Space Used", &kilobytes(sort.used));
        json.text("Sort Space Type", space(sort.space));
    }
    for (name, groups) in figures.groups() {
        json.key(name);
        json.open('{');
        json.number("Group Count", &plain(groups.groups));
        if !groups.methods.is_empty() {
            json.texts("Sort Methods Used", &groups.methods);
        }
        for (key, average, peak) in [
            ("Sort Space Memory", groups.memory_average, groups.memory_peak),
            ("Sort Space Disk", groups.disk_average, groups.disk_peak),
        ] {
            if average.is_none() && peak.is_none() {
                continue;
            }
            json.key(key);
            json.open('{');
            for (key, size) in [("Average Sort Space Used", average), ("Peak Sort Space Used", peak)] {
                if let Some(size) = size {
                    json.number(key, &kilobytes(size));
                }
            }
            json.close('}');
        }
        json.close('}');
    }
    if let Some(hash) = figures.hash {
        let batches = if figures.of_hash { "Hash Batches" } else { "HashAgg Batches" };
        for (key, number) in [
            ("Planned Partitions", hash.planned_partitions.map(plain)),
            ("Hash Buckets", hash.buckets.map(plain)),
            ("Original Hash Buckets", hash.original_buckets.map(plain)),
            (batches, hash.batches.map(plain)),
            ("Original Hash Batches", hash.original_batches.map(plain)),
            ("Peak Memory Usage", hash.peak_memory.map(kilobytes)),
            ("Disk Usage", hash.disk.map(kilobytes)),
        ] {
            if let Some(number) = number {
                json.number(key, &number);
            }
        }
    }
    if let Some(cache) = figures.memoize {
        json.text_if("Cache Mode", cache.mode.as_deref());
        for (key, number) in [
            ("Cache Hits", cache.hits.map(plain)),
            ("Cache Misses", cache.misses.map(plain)),
            ("Cache Evictions", cache.evictions.map(plain)),
            ("Cache Overflows", cache.overflows.map(plain)),
            ("Peak Memory Usage", cache.peak_memory.map(kilobytes)),
        ] {
            if let Some(number) = number {
                json.number(key, &number);
            }
        }
    }
    for (key, blocks) in
        [("Exact Heap Blocks", figures.exact_heap_blocks), ("Lossy Heap Blocks", figures.lossy_heap_blocks)]
    {
        if let Some(blocks) = blocks {
            json.number(key, &blocks.0.to_string());
        }
    }
    counters(json, figures.buffers, figures.io);
    if let Some(wal) = figures.wal {
        json.number("WAL Records", &plain(wal.records));
        json.number("WAL FPI", &plain(wal.full_page_images));
        json.number("WAL Bytes", &wal.bytes.0.to_string());
        if let Some(full) = wal.buffers_full {
            json.number("WAL Buffers Full", &plain(full));
        }
    }
}

pub(super) fn counters(json: &mut Json, buffers: Option<&Buffers>, io: Option<&IoTimes>) {
    for (kind, counts) in buffers.iter().flat_map(|b| blocks(b)) {
        for (word, count) in counts.iter().filter(|(word, _)| !word.is_empty()) {
            json.number(&format!("{kind} {word} Blocks"), &count.0.to_string());
        }
    }
    for (kind, both) in io.iter().flat_map(|io| times(io)) {
        // Up to 16 servers did not tell shared from local blocks.
        let old =
            kind == "Shared" && io.is_some_and(|io| io.local_read.is_none() && io.local_write.is_none());
        let kind = if old { String::new() } else { format!("{kind} ") };
        for (word, spent) in both {
            if let Some(spent) = spent {
                json.number(&format!("{kind}I/O {word} Time"), &time(spent));
            }
        }
    }
}

pub(super) fn trigger_group(trigger: &Trigger) -> Value {
    let mut group = Map::new();
    let mut add = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            group.insert(key.to_owned(), value);
        }
    };
    add("Trigger Name", trigger.name.as_deref().map(Value::from));
    add("Constraint Name", trigger.constraint.as_deref().map(Value::from));
    add("Relation", trigger.relation.as_deref().map(Value::from));
    add("Time", trigger.time.map(|spent| Value::from(spent.0)));
    add("Calls", Some(whole_number(trigger.calls)));
    group.extend(trigger.extra.iter().cloned());
    group.into()
}

pub(super) fn jit_group(jit: &Jit) -> Value {
    let mut group = Map::new();
    group.insert("Functions".to_owned(), whole_number(jit.functions));
    let options: Map<String, Value> =
        jit.options.iter().map(|(name, flag)| (name.clone(), Value::Bool(*flag))).collect();
    if !options.is_empty() {
        group.insert("Options".to_owned(), options.into());
    }
    let mut timing = Map::new();
    let add = |timing: &mut Map<String, Value>, key: &str, spent: Option<Millis>| {
        timing.extend(spent.map(|spent| (key.to_owned(), Value::from(spent.0))));
    };
    if jit.deform.is_some() {
        let mut generation = Map::new();
        add(&mut generation, "Deform", jit.deform);
        add(&mut generation, "Total", jit.generation);
        timing.insert("Generation".to_owned(), generation.into());
    } else {
        add(&mut timing, "Generation", jit.generation);
    }
    add(&mut timing, "Inlining", jit.inlining);
    add(&mut timing, "Optimization", jit.optimization);
    add(&mut timing, "Emission", jit.emission);
    add(&mut timing, "Total", jit.total);
    if !timing.is_empty() {
        group.insert("Timing".to_owned(), timing.into());
    }
    for (key, value) in &jit.extra {
        merge(&mut group, key, value);
    }
    group.into()
}

/// Puts what a reader took out of a group back into it.
fn merge(group: &mut Map<String, Value>, key: &str, value: &Value) {
    match (group.get_mut(key), value) {
        (Some(Value::Object(known)), Value::Object(rest)) => {
            for (key, value) in rest {
                merge(known, key, value);
            }
        }
        _ => {
            group.insert(key.to_owned(), value.clone());
        }
    }
}

/// A count: `3`, where an `f64` would be written as `3.0`.
fn whole_number(number: f64) -> Value {
    number_value(number, &plain(number))
}
