//! EXPLAIN's text notation, indented as the server does.
//!
//! Refuses to print what text has no words for: false flags, zeros that the server leaves out, relationships.

use super::super::{Buffers, GroupSpace, Hash, IoTimes, Jit, Memoize, Node, Plan, Trigger, Wal};
use super::{
    Figures, Properties, Property, Spelling, blocks, conditions, filters, group, kilobytes, label, plain,
    space, time, times,
};
use crate::units::Bytes;
use serde_json::Value;

/// The plan in EXPLAIN's text notation, each line ended by a line feed.
///
/// [`read_text`](super::super::read_text) gives back what text can say. The notation indents each level by six
/// columns, so its length grows with depth times nodes; the work is linear in that length.
pub fn write_text(plan: &Plan) -> String {
    let spelling = Spelling::of(plan);
    let mut text = Text { out: String::new(), margin: "" };
    if let Some(utility) = &plan.utility {
        text.line(0, if utility == "Notify" { "NOTIFY" } else { utility });
        return text.out;
    }
    if let Some(duration) = plan.duration {
        // The head of auto_explain's entry in a log, which has a tab before each line below it.
        text.line(0, &format!("duration: {} ms  plan:", time(duration)));
        text.margin = "\t";
    }
    for (key, value) in [("Query Text", &plan.query_text), ("Query Parameters", &plan.query_parameters)] {
        if let Some(value) = value {
            text.line(0, &format!("{key}: {value}"));
        }
    }
    // Where each node's own text begins.
    let mut columns: Vec<usize> = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        let line = label::line(node, spelling);
        let column = match node.parent.and_then(|parent| columns.get(parent)) {
            None => {
                text.line(0, &line);
                0
            }
            Some(parent) => {
                let mut indent = parent + 2;
                if let Some(name) = &node.subplan_name {
                    text.line(indent, name);
                    indent += 2;
                }
                text.line(indent, &format!("->  {line}"));
                indent + 4
            }
        };
        columns.push(column);
        below(&mut text, node, column + 2, spelling);
    }
    behind(&mut text, plan);
    text.out
}

struct Text {
    out: String,
    /// What stands before each line.
    margin: &'static str,
}

impl Text {
    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(self.margin);
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.out.push_str(text);
        self.out.push('\n');
    }
}

/// The lines of a node.
fn below(text: &mut Text, node: &Node, indent: usize, spelling: Spelling) {
    for target in node.extra.iter().filter(|(key, _)| key == "Target Tables") {
        targets(text, node, &target.1, indent);
    }
    let foreign = ["Foreign Scan", "Custom Scan"].contains(&node.kind.as_str());
    let mut lines = listed(conditions(node), spelling);
    let (extra, filters) = (extra(&node.extra, &node.kind), listed(filters(node), spelling));
    if foreign {
        lines.extend(filters);
        lines.extend(extra);
    } else {
        lines.extend(extra);
        lines.extend(filters);
    }
    if let Some(storage) = &node.detail.storage {
        let maximum = kilobytes(storage.maximum);
        lines.push(format!("Storage: {}  Maximum Storage: {maximum}kB", storage.kind));
    }
    figures(&mut lines, &Figures::of_node(node));
    for line in lines {
        text.line(indent, &line);
    }
    for worker in &node.workers {
        let mut lines = Vec::new();
        lines.extend(worker.execution.as_ref().map(|ran| label::actual(ran, spelling)));
        lines.extend(worker.jit.iter().flat_map(|jit| jit_lines(jit)));
        lines.extend(self::extra(&worker.extra, &node.kind));
        figures(&mut lines, &Figures::of_worker(worker, node));
        let mut lines = lines.into_iter();
        let first = lines.next().map_or(String::new(), |first| format!("  {first}"));
        text.line(indent, &format!("Worker {}:{first}", worker.number));
        for line in lines {
            text.line(indent + 2, &line);
        }
    }
}

fn listed(properties: Properties<'_>, spelling: Spelling) -> Vec<String> {
    let line = |(key, property)| match property {
        Property::Text(text) => Some(format!("{key}: {text}")),
        Property::Texts(texts) => Some(format!("{key}: {}", texts.join(", "))),
        Property::Flag(false) => None,
        Property::Removed(0.0) if !spelling.from_text => None,
        Property::Count(number) | Property::Removed(number) => Some(format!("{key}: {}", plain(number))),
        Property::Flag(true) => Some(format!("{key}: true")),
    };
    properties.into_iter().filter_map(line).collect()
}

/// Further relations that a node writes to have a line each.
fn targets(text: &mut Text, node: &Node, list: &Value, indent: usize) {
    let operation = node.detail.operation.as_deref().unwrap_or("Update");
    for target in list.as_array().into_iter().flatten() {
        let word = |key: &str| target.get(key).and_then(Value::as_str);
        let named = label::named(word("Schema"), word("Relation Name"), word("Alias"));
        text.line(indent, &format!("{operation}{named}"));
    }
}

/// Properties that have no field, in order: those that text words differently, and each other as one line.
fn extra(extra: &[(String, Value)], kind: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = extra.iter().peekable();
    let count = |value: &Value| value.as_f64().map_or_else(|| value.to_string(), plain);
    while let Some((key, value)) = rest.next() {
        match key.as_str() {
            "Target Tables" if kind == "ModifyTable" => {}
            "Grouping Sets" => grouping_sets(&mut lines, value),
            "Sampling Method" => {
                let mut line = format!("Sampling: {}", scalar(value));
                if let Some((_, parameters)) = rest.next_if(|(key, _)| key == "Sampling Parameters") {
                    line.push_str(&format!(" ({})", scalar(parameters)));
                }
                if let Some((_, seed)) = rest.next_if(|(key, _)| key == "Repeatable Seed") {
                    line.push_str(&format!(" REPEATABLE ({})", scalar(seed)));
                }
                lines.push(line);
            }
            _ if tuples(key).is_some() => {
                let mut counts: Vec<(&str, String)> = Vec::new();
                counts.extend(tuples(key).map(|word| (word, count(value))));
                while let Some((key, value)) = rest.next_if(|(key, _)| tuples(key).is_some()) {
                    counts.extend(tuples(key).map(|word| (word, count(value))));
                }
                // MERGE has them on one line; INSERT … ON CONFLICT has one only, on its own.
                let merges = counts.len() > 1;
                if merges {
                    counts.retain(|(_, count)| count != "0");
                    let words: Vec<String> = counts
                        .iter()
                        .map(|(word, count)| format!("{}={count}", word.to_lowercase()))
                        .collect();
                    lines.extend((!words.is_empty()).then(|| format!("Tuples: {}", words.join(" "))));
                } else {
                    lines.extend(counts.iter().map(|(word, count)| format!("Tuples {word}: {count}")));
                }
            }
            _ => lines.push(format!("{key}: {}", scalar(value))),
        }
    }
    lines
}

fn tuples(key: &str) -> Option<&str> {
    key.strip_prefix("Tuples ").filter(|word| ["Inserted", "Updated", "Deleted", "Skipped"].contains(word))
}

/// Lists as the server joins them; what text has no form for as JSON on one line.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Value::Number(number) => number.as_i64().map_or_else(
            || number.as_f64().map_or_else(|| number.to_string(), plain),
            |integer| integer.to_string(),
        ),
        other => other.to_string(),
    }
}

fn grouping_sets(lines: &mut Vec<String>, sets: &Value) {
    for set in sets.as_array().into_iter().flatten() {
        let sorted = set.get("Sort Key");
        lines.extend(sorted.map(|key| format!("Sort Key: {}", scalar(key))));
        let indent = if sorted.is_some() { "  " } else { "" };
        for (name, line) in [("Hash Keys", "Hash Key"), ("Group Keys", "Group Key")] {
            for keys in set.get(name).and_then(Value::as_array).into_iter().flatten() {
                let keys = scalar(keys);
                let keys = if keys.is_empty() { "()" } else { &keys };
                lines.push(format!("{indent}{line}: {keys}"));
            }
        }
    }
}

fn figures(lines: &mut Vec<String>, figures: &Figures<'_>) {
    if let Some(sort) = figures.sort {
        let (space, used) = (space(sort.space), kilobytes(sort.used));
        lines.push(format!("Sort Method: {}  {space}: {used}kB", sort.method));
    }
    lines.extend(figures.groups().map(|(name, groups)| group_line(name, groups)));
    lines.extend(figures.hash.map(hash_line).filter(|line| !line.is_empty()));
    lines.extend(figures.memoize.into_iter().flat_map(cache_lines));
    let heap = [("exact", figures.exact_heap_blocks), ("lossy", figures.lossy_heap_blocks)];
    let heap: Vec<String> = heap
        .into_iter()
        .filter_map(|(word, blocks)| Some((word, blocks.filter(|b| b.0 != 0)?)))
        .map(|(word, blocks)| format!("{word}={}", blocks.0))
        .collect();
    lines.extend((!heap.is_empty()).then(|| format!("Heap Blocks: {}", heap.join(" "))));
    lines.extend(counters(figures.buffers, figures.io));
    lines.extend(figures.wal.and_then(wal_line));
}

fn group_line(name: &str, groups: &GroupSpace) -> String {
    let mut line = format!("{name}: {}", plain(groups.groups));
    let plural = if groups.methods.len() > 1 { "s" } else { "" };
    if !groups.methods.is_empty() {
        line.push_str(&format!("  Sort Method{plural}: {}", groups.methods.join(", ")));
    }
    for (word, size) in [
        ("Average Memory", groups.memory_average),
        ("Peak Memory", groups.memory_peak),
        ("Average Disk", groups.disk_average),
        ("Peak Disk", groups.disk_peak),
    ] {
        if let Some(size) = size {
            line.push_str(&format!("  {word}: {}kB", kilobytes(size)));
        }
    }
    line
}

/// `Buckets: 8192 (originally 1024)  Batches: 1 (originally 1)  Memory Usage: 240kB`.
fn hash_line(hash: &Hash) -> String {
    let changed = |now: Option<f64>, before: Option<f64>| before.is_some() && before != now;
    let grew = changed(hash.buckets, hash.original_buckets) || changed(hash.batches, hash.original_batches);
    let originally = |now: f64, before: Option<f64>| match before.filter(|_| grew) {
        Some(before) => format!("{} (originally {})", plain(now), plain(before)),
        None => plain(now),
    };
    let mut parts = Vec::new();
    let partitions = hash.planned_partitions.filter(|partitions| *partitions != 0.0);
    parts.extend(partitions.map(|partitions| format!("Planned Partitions: {}", plain(partitions))));
    parts.extend(hash.buckets.map(|now| format!("Buckets: {}", originally(now, hash.original_buckets))));
    parts.extend(hash.batches.map(|now| format!("Batches: {}", originally(now, hash.original_batches))));
    parts.extend(hash.peak_memory.map(|peak| format!("Memory Usage: {}kB", kilobytes(peak))));
    let disk = hash.disk.filter(|disk| *disk != Bytes(0));
    parts.extend(disk.map(|disk| format!("Disk Usage: {}kB", kilobytes(disk))));
    parts.join("  ")
}

fn cache_lines(cache: &Memoize) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(cache.mode.as_ref().map(|mode| format!("Cache Mode: {mode}")));
    let counts = [
        ("Hits", cache.hits),
        ("Misses", cache.misses),
        ("Evictions", cache.evictions),
        ("Overflows", cache.overflows),
    ];
    let mut parts: Vec<String> =
        counts.iter().filter_map(|(word, count)| Some(format!("{word}: {}", plain((*count)?)))).collect();
    parts.extend(cache.peak_memory.map(|peak| format!("Memory Usage: {}kB", kilobytes(peak))));
    lines.extend((!parts.is_empty()).then(|| parts.join("  ")));
    lines
}

/// `Buffers: shared hit=1, temp written=2` and `I/O Timings: shared read=3.1`.
fn counters(buffers: Option<&Buffers>, io: Option<&IoTimes>) -> Vec<String> {
    let join = |kind: &str, counts: Vec<String>| {
        (!counts.is_empty()).then(|| format!("{} {}", kind.to_lowercase(), counts.join(" ")))
    };
    let mut kinds = Vec::new();
    for (kind, counts) in buffers.iter().flat_map(|buffers| blocks(buffers)) {
        let counts = counts.iter().filter(|(_, count)| count.0 != 0);
        kinds.extend(join(
            kind,
            counts.map(|(w, count)| format!("{}={}", w.to_lowercase(), count.0)).collect(),
        ));
    }
    let mut lines = Vec::new();
    lines.extend((!kinds.is_empty()).then(|| format!("Buffers: {}", kinds.join(", "))));
    let mut kinds = Vec::new();
    for (kind, both) in io.iter().flat_map(|io| times(io)) {
        let both =
            both.iter().filter_map(|(word, spent)| Some((word, spent.filter(|spent| spent.0 != 0.0)?)));
        kinds.extend(join(
            kind,
            both.map(|(w, spent)| format!("{}={}", w.to_lowercase(), time(spent))).collect(),
        ));
    }
    lines.extend((!kinds.is_empty()).then(|| format!("I/O Timings: {}", kinds.join(", "))));
    lines
}

fn wal_line(wal: &Wal) -> Option<String> {
    let counts = [
        ("records", plain(wal.records)),
        ("fpi", plain(wal.full_page_images)),
        ("bytes", wal.bytes.0.to_string()),
        ("buffers full", wal.buffers_full.map_or_else(|| "0".to_owned(), plain)),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(_, count)| count != "0")
        .map(|(word, count)| format!("{word}={count}"))
        .collect();
    (!counts.is_empty()).then(|| format!("WAL: {}", counts.join(" ")))
}

/// What is about the whole plan.
fn behind(text: &mut Text, plan: &Plan) {
    if let Some(settings) = plan.settings.as_ref().filter(|settings| !settings.is_empty()) {
        let settings: Vec<String> = settings
            .iter()
            .map(|(name, value)| format!("{name} = '{}'", value.replace('\'', "''")))
            .collect();
        text.line(0, &format!("Settings: {}", settings.join(", ")));
    }
    if let Some(identifier) = plan.query_identifier {
        text.line(0, &format!("Query Identifier: {identifier}"));
    }
    let mut planning = counters(plan.planning_buffers.as_ref(), plan.planning_io.as_ref());
    planning.extend(plan.planning_memory.map(|memory| {
        format!("Memory: used={}kB  allocated={}kB", kilobytes(memory.used), kilobytes(memory.allocated))
    }));
    let unknown = group(&plan.extra, "Planning").flatten();
    planning.extend(unknown.map(|(key, value)| format!("{key}: {}", scalar(value))));
    if !planning.is_empty() {
        text.line(0, "Planning:");
        planning.iter().for_each(|line| text.line(2, line));
    }
    if let Some(planning) = plan.planning_time {
        text.line(0, &format!("Planning Time: {} ms", time(planning)));
    }
    for trigger in plan.triggers.iter().flatten() {
        text.line(0, &trigger_line(trigger));
    }
    if let Some(jit) = &plan.jit {
        for line in jit_lines(jit) {
            text.line(0, &line);
        }
    }
    if let Some(serialization) = &plan.serialization {
        let spent = serialization.time.map_or(String::new(), |spent| format!("time={} ms  ", time(spent)));
        let (output, format) = (kilobytes(serialization.output), &serialization.format);
        text.line(0, &format!("Serialization: {spent}output={output}kB  format={format}"));
        for line in counters(serialization.buffers.as_ref(), serialization.io.as_ref()) {
            text.line(2, &line);
        }
    }
    for (key, value) in plan.extra.iter().filter(|(key, value)| key != "Planning" || !value.is_object()) {
        text.line(0, &format!("{key}: {}", scalar(value)));
    }
    if let Some(execution) = plan.execution_time {
        text.line(0, &format!("Execution Time: {} ms", time(execution)));
    }
}

/// `Trigger RI_… for constraint fk on t: time=1.2 calls=3`.
fn trigger_line(trigger: &Trigger) -> String {
    let mut line = "Trigger".to_owned();
    line.extend(trigger.name.as_ref().map(|name| format!(" {name}")));
    line.extend(trigger.constraint.as_ref().map(|name| format!(" for constraint {name}")));
    line.extend(trigger.relation.as_ref().map(|name| format!(" on {name}")));
    line.push(':');
    line.extend(trigger.time.map(|spent| format!(" time={}", time(spent))));
    line.push_str(&format!(" calls={}", plain(trigger.calls)));
    line.extend(trigger.extra.iter().map(|(key, value)| format!(" {key}={}", scalar(value))));
    line
}

fn jit_lines(jit: &Jit) -> Vec<String> {
    let mut lines = vec!["JIT:".to_owned(), format!("  Functions: {}", plain(jit.functions))];
    let options: Vec<String> = jit.options.iter().map(|(name, flag)| format!("{name} {flag}")).collect();
    if !options.is_empty() {
        lines.push(format!("  Options: {}", options.join(", ")));
    }
    let deform = jit.deform.map_or(String::new(), |deform| format!(" (Deform {} ms)", time(deform)));
    let times: Vec<String> = [
        ("Generation", jit.generation),
        ("Inlining", jit.inlining),
        ("Optimization", jit.optimization),
        ("Emission", jit.emission),
        ("Total", jit.total),
    ]
    .into_iter()
    .filter_map(|(name, spent)| Some((name, spent?)))
    .map(|(name, spent)| {
        format!("{name} {} ms{}", time(spent), if name == "Generation" { deform.as_str() } else { "" })
    })
    .collect();
    if !times.is_empty() {
        lines.push(format!("  Timing: {}", times.join(", ")));
    }
    for (key, value) in &jit.extra {
        lines.push(format!("  {key}: {}", scalar(value)));
    }
    lines
}
