//! The small groups of a plan: planning, triggers, JIT, serialization, settings, sort groups.
//!
//! Every function takes a value apart and returns what it could not use, so that nothing is lost.

use super::build::possible;
use super::counters::{set_buffers, set_io};
use super::{Buffers, GroupSpace, IoTimes, Jit, Memory, Plan, Serialization, Trigger};
use crate::units::{Blocks, Bytes, Millis};
use serde_json::{Map, Value};

/// Takes a group or list at the top level; returns what is left of it.
pub(super) fn top_level(plan: &mut Plan, key: &str, value: Value) -> Option<Value> {
    match (key, value) {
        ("Planning", Value::Object(mut group)) => {
            counters(&mut group, &mut plan.planning_buffers, &mut plan.planning_io);
            if let (Some(used), Some(allocated)) =
                (number(&group, "Memory Used"), number(&group, "Memory Allocated"))
            {
                group.shift_remove("Memory Used");
                group.shift_remove("Memory Allocated");
                plan.planning_memory =
                    Some(Memory { used: Bytes::from_kb(used), allocated: Bytes::from_kb(allocated) });
            }
            rest(group)
        }
        ("Settings", Value::Object(group)) => {
            let text = |value| match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let settings = group.into_iter().map(|(name, value)| (name, text(value)));
            plan.settings.get_or_insert_default().extend(settings);
            None
        }
        ("Triggers", Value::Array(list)) => triggers(plan, list),
        ("JIT", Value::Object(group)) => {
            plan.jit = Some(jit(group));
            None
        }
        ("Serialization", Value::Object(mut group)) => {
            let (Some(output), Some(Value::String(format))) =
                (number(&group, "Output Volume"), group.get("Format").cloned())
            else {
                return Some(Value::Object(group));
            };
            group.shift_remove("Output Volume");
            group.shift_remove("Format");
            let time = take_millis(&mut group, "Time");
            let (mut buffers, mut io) = (None, None);
            counters(&mut group, &mut buffers, &mut io);
            plan.serialization =
                Some(Serialization { time, output: Bytes::from_kb(output), format, buffers, io });
            rest(group)
        }
        (_, value) => Some(value),
    }
}

/// Takes the groups of an Incremental Sort.
pub(super) fn space(field: &mut Option<GroupSpace>, value: Value) -> Option<Value> {
    let Value::Object(mut group) = value else { return Some(value) };
    let Some(groups) = take_number(&mut group, "Group Count") else { return Some(Value::Object(group)) };
    let mut new = GroupSpace { groups, ..GroupSpace::default() };
    if let Some(Value::Array(methods)) = group.get("Sort Methods Used")
        && methods.iter().all(Value::is_string)
    {
        new.methods = methods.iter().filter_map(|method| method.as_str().map(str::to_owned)).collect();
        group.shift_remove("Sort Methods Used");
    }
    for (key, average, peak) in [
        ("Sort Space Memory", &mut new.memory_average, &mut new.memory_peak),
        ("Sort Space Disk", &mut new.disk_average, &mut new.disk_peak),
    ] {
        let Some(Value::Object(sizes)) = group.get_mut(key) else { continue };
        *average = take_number(sizes, "Average Sort Space Used").map(Bytes::from_kb);
        *peak = take_number(sizes, "Peak Sort Space Used").map(Bytes::from_kb);
        if sizes.is_empty() {
            group.shift_remove(key);
        }
    }
    *field = Some(new);
    rest(group)
}

fn triggers(plan: &mut Plan, list: Vec<Value>) -> Option<Value> {
    let known = plan.triggers.get_or_insert_default();
    let mut unknown = Vec::new();
    for item in list {
        let Value::Object(mut group) = item else {
            unknown.push(item);
            continue;
        };
        let Some(calls) = take_number(&mut group, "Calls") else {
            unknown.push(Value::Object(group));
            continue;
        };
        known.push(Trigger {
            name: take_text(&mut group, "Trigger Name"),
            constraint: take_text(&mut group, "Constraint Name"),
            relation: take_text(&mut group, "Relation"),
            time: take_millis(&mut group, "Time"),
            calls,
            extra: group.into_iter().collect(),
        });
    }
    (!unknown.is_empty()).then_some(Value::Array(unknown))
}

pub(super) fn jit(mut group: Map<String, Value>) -> Jit {
    let mut jit = Jit { functions: take_number(&mut group, "Functions").unwrap_or(0.0), ..Jit::default() };
    if let Some(Value::Object(options)) = group.get_mut("Options") {
        options.retain(|name, value| match value.as_bool() {
            Some(flag) => {
                jit.options.push((name.clone(), flag));
                false
            }
            None => true,
        });
        if options.is_empty() {
            group.shift_remove("Options");
        }
    }
    if let Some(Value::Object(timing)) = group.get_mut("Timing") {
        jit.generation = take_millis(timing, "Generation");
        if let Some(Value::Object(generation)) = timing.get_mut("Generation") {
            jit.deform = take_millis(generation, "Deform");
            jit.generation = take_millis(generation, "Total");
            if generation.is_empty() {
                timing.shift_remove("Generation");
            }
        }
        jit.inlining = take_millis(timing, "Inlining");
        jit.optimization = take_millis(timing, "Optimization");
        jit.emission = take_millis(timing, "Emission");
        jit.total = take_millis(timing, "Total");
        if timing.is_empty() {
            group.shift_remove("Timing");
        }
    }
    jit.extra = group.into_iter().collect();
    jit
}

fn counters(group: &mut Map<String, Value>, buffers: &mut Option<Buffers>, io: &mut Option<IoTimes>) {
    group.retain(|key, value| match as_number(value) {
        Some(number) => !set_buffers(buffers, key, Blocks(number as i64)) && !set_io(io, key, Millis(number)),
        None => true,
    });
}

fn rest(group: Map<String, Value>) -> Option<Value> {
    (!group.is_empty()).then_some(Value::Object(group))
}

/// The number, also where the notation has only text; `None` for what no figure of a plan can be.
fn as_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| possible(*number))
}

fn number(group: &Map<String, Value>, key: &str) -> Option<f64> {
    group.get(key).and_then(as_number)
}

fn take_number(group: &mut Map<String, Value>, key: &str) -> Option<f64> {
    let number = number(group, key)?;
    group.shift_remove(key);
    Some(number)
}

fn take_millis(group: &mut Map<String, Value>, key: &str) -> Option<Millis> {
    take_number(group, key).map(Millis)
}

fn take_text(group: &mut Map<String, Value>, key: &str) -> Option<String> {
    match group.shift_remove(key)? {
        Value::String(text) => Some(text),
        other => {
            group.insert(key.to_owned(), other);
            None
        }
    }
}
