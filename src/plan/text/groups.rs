//! What several lines make together: the groups behind a plan, the keys of a grouping node.
//!
//! Refuses to drop: a line that is not understood stays in its group under its own key.

use super::super::build::PlanBuilder;
use super::property::{buffers, list, number_or_text, pairs, timings};
use serde_json::{Map, Value};

/// `Planning:`, `JIT:`, `JIT for worker 0:` while its lines are read.
pub(super) struct Group<'l> {
    name: &'l str,
    value: &'l str,
    lines: Vec<(&'l str, &'l str)>,
}

impl<'l> Group<'l> {
    /// The group that a line begins: a header, or `Serialization: time=…`, whose buffers stand below it.
    pub(super) fn named(key: &'l str, value: &'l str) -> Option<Self> {
        let group =
            value.is_empty() && (key == "Planning" || key == "JIT" || key.starts_with("JIT for worker "));
        (group || key == "Serialization").then(|| Group { name: key, value, lines: Vec::new() })
    }

    /// The group below any header.
    pub(super) fn headed(name: &'l str) -> Self {
        Group { name, value: "", lines: Vec::new() }
    }

    pub(super) fn line(&mut self, key: &'l str, value: &'l str) {
        self.lines.push((key, value));
    }

    /// Hands the group on in the shape of the other formats.
    pub(super) fn fill(self, builder: &mut PlanBuilder) {
        let mut group = Map::new();
        for (word, text) in pairs(self.value) {
            let (name, text) = match word {
                "time" => ("Time", text),
                "output" => ("Output Volume", text.trim_end_matches("kB")),
                "format" => ("Format", text),
                other => (other, text),
            };
            group.insert(name.to_owned(), number_or_text(text));
        }
        for (key, value) in self.lines {
            match key {
                "Buffers" | "I/O Timings" => {
                    let mut add = |key: &str, text: &str| {
                        group.insert(key.to_owned(), number_or_text(text));
                    };
                    if key == "Buffers" { buffers(value, &mut add) } else { timings(value, &mut add) }
                }
                "Memory" => {
                    for (word, text) in pairs(value) {
                        let name = if word == "used" { "Memory Used" } else { "Memory Allocated" };
                        group.insert(name.to_owned(), number_or_text(text.trim_end_matches("kB")));
                    }
                }
                "Options" => {
                    let options = value.split(", ").filter_map(|o| o.rsplit_once(' '));
                    let options: Map<String, Value> =
                        options.map(|(k, v)| (k.to_owned(), Value::Bool(v == "true"))).collect();
                    group.insert(key.to_owned(), options.into());
                }
                "Timing" => {
                    group.insert(key.to_owned(), jit_times(value));
                }
                _ => {
                    group.insert(key.to_owned(), number_or_text(value));
                }
            }
        }
        builder.value(self.name, group.into());
    }
}

/// `Generation 0.5 ms (Deform 0.1 ms), Inlining 0.0 ms, …`.
fn jit_times(text: &str) -> Value {
    let mut times = Map::new();
    let time = |text: &str| number_or_text(text.trim().trim_end_matches(" ms"));
    for part in text.split(", ") {
        let Some((name, rest)) = part.split_once(' ') else { continue };
        let value = match rest.split_once(" (Deform ") {
            Some((total, deform)) => {
                let mut both = Map::new();
                both.insert("Deform".to_owned(), time(deform.trim_end_matches(')')));
                both.insert("Total".to_owned(), time(total));
                both.into()
            }
            None => time(rest),
        };
        times.insert(name.to_owned(), value);
    }
    times.into()
}

/// The keys of a grouping node.
#[derive(Default)]
pub(super) struct Sets<'l> {
    lines: Vec<(&'l str, &'l str)>,
}

impl<'l> Sets<'l> {
    /// Takes a line that belongs to the keys.
    pub(super) fn take(&mut self, key: &'l str, value: &'l str) -> bool {
        let ours = ["Group Key", "Hash Key"].contains(&key) || (key == "Sort Key" && !self.lines.is_empty());
        if ours {
            self.lines.push((key, value));
        }
        ours
    }

    /// Hands them on: as one key, or as the grouping sets of the other formats.
    pub(super) fn fill(self, builder: &mut PlanBuilder) {
        match &self.lines[..] {
            [] => return,
            [(key, value)] if *value != "()" => return builder.texts(key, list(value)),
            _ => {}
        }
        let mut sets: Vec<Map<String, Value>> = Vec::new();
        for (key, value) in &self.lines {
            let keys = if *value == "()" { Vec::new() } else { list(value) };
            let keys = Value::Array(keys.into_iter().map(Value::String).collect());
            let grows = |set: &Map<String, Value>| *key == "Group Key" && !set.contains_key("Hash Keys");
            if *key == "Sort Key" {
                sets.push(Map::from_iter([((*key).to_owned(), keys)]));
                continue;
            }
            if !sets.last().is_some_and(grows) {
                sets.push(Map::new());
            }
            if let Some(set) = sets.last_mut() {
                let known = set.entry(format!("{key}s")).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(known) = known {
                    known.push(keys);
                }
            }
        }
        builder.value("Grouping Sets", Value::Array(sets.into_iter().map(Value::Object).collect()));
    }
}
