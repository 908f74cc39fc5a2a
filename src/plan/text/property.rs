//! The lines below a node, and those behind the plan: `Key: value`, several of them with a grammar of their own.
//!
//! Refuses to drop: a line that is not understood goes on as text under its own key.

use super::super::build::{PlanBuilder, Scalar};
use super::label::scalar;
use serde_json::{Map, Value};

/// The key and the value of a property line; `None` where the line is something else.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let colon = text.match_indices(':').find(|(at, _)| text.as_bytes().get(at + 1) == Some(&b' '));
    let (key, value) = match colon {
        Some((at, _)) => (&text[..at], text[at + 2..].trim()),
        None => (text.strip_suffix(':')?, ""),
    };
    // `Filter: ((a)::text = 'x: y')` has its key before any bracket or quote.
    let named = !key.is_empty() && key.len() < 200 && key.starts_with(|c: char| c.is_ascii_uppercase());
    let trigger = key.starts_with("Trigger");
    (named && (trigger || !key.contains(['\'', '=', ';', '"', '(']))).then_some((key, value))
}

/// The number in `Worker 0`.
pub(super) fn worker(key: &str) -> Option<u32> {
    key.strip_prefix("Worker ")?.parse().ok()
}

/// Whether a line with this key speaks of the whole plan, where it stands further out than any node's.
pub(super) fn is_behind(key: &str) -> bool {
    const KEYS: &[&str] = &[
        "Planning",
        "Planning Time",
        "Planning time",
        "Execution Time",
        "Execution time",
        "Total runtime",
        "JIT",
        "Settings",
        "Query Identifier",
        "Serialization",
    ];
    let key = if key.starts_with("JIT") { "JIT" } else { key };
    KEYS.contains(&key) || key.starts_with("Trigger")
}

/// Whether a plan may hold a line with this key.
pub(super) fn is_known(key: &str) -> bool {
    use super::super::{Detail, fields};
    const WORDS: &[&str] = &[
        "Buffers",
        "I/O",
        "WAL",
        "Sort",
        "Pre-sorted",
        "Full-sort",
        "Rows",
        "Worker",
        "Workers",
        "Heap",
        "Exact",
        "Lossy",
        "Batches",
        "Buckets",
        "Planned",
        "Hits",
        "Storage",
        "Window",
        "Index",
        "Subplans",
        "Tuples",
        "Conflict",
        "Remote",
        "Planning",
        "Execution",
        "Total",
        "JIT",
        "Trigger",
        "Settings",
        "Query",
        "Serialization",
        "Functions",
        "Options",
        "Timing",
        "Memory",
        "Relations",
        "Task",
        "Tasks",
        "Custom",
    ];
    let mut detail = Detail::default();
    let first = key.split(' ').next().unwrap_or(key);
    WORDS.contains(&first)
        || fields::text_field(&mut detail, key).is_some()
        || fields::texts_field(&mut detail, key).is_some()
        || fields::flag_field(&mut detail, key).is_some()
}

/// Hands a line behind the plan to the builder.
pub(super) fn footer(builder: &mut PlanBuilder, key: &str, value: &str) {
    match key {
        "Planning time" => footer(builder, "Planning Time", value),
        "Execution time" | "Total runtime" => footer(builder, "Execution Time", value),
        "Planning Time" | "Execution Time" => builder.scalar(key, scalar(value.trim_end_matches(" ms"))),
        "Settings" => builder.value(key, settings(value)),
        _ if key.starts_with("Trigger") => builder.value("Triggers", Value::Array(vec![trigger(key, value)])),
        _ => builder.scalar(key, scalar(value)),
    }
}

/// `a = 'x', b = 'y, z'`.
fn settings(text: &str) -> Value {
    let mut group = Map::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once(" = '") {
        let mut end = after.len();
        let mut chars = after.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == '\'' {
                if chars.peek().is_some_and(|(_, next)| *next == '\'') {
                    chars.next();
                } else {
                    end = at;
                    break;
                }
            }
        }
        group.insert(
            name.trim_start_matches([',', ' ']).to_owned(),
            Value::String(after[..end].replace("''", "'")),
        );
        rest = after.get(end + 1..).unwrap_or("");
    }
    group.into()
}

/// `Trigger for constraint fk on t` or `Trigger audit on t`, with `time=1.2 calls=3`.
fn trigger(key: &str, value: &str) -> Value {
    let mut group = Map::new();
    let name = key.strip_prefix("Trigger").unwrap_or(key).trim();
    let (name, relation) = match name.rsplit_once(" on ") {
        Some((name, relation)) => (name, Some(relation)),
        None => (name, None),
    };
    match name.strip_prefix("for constraint ") {
        Some(constraint) => group.insert("Constraint Name".to_owned(), constraint.into()),
        None => match name.split_once(" for constraint ") {
            Some((trigger, constraint)) => {
                group.insert("Trigger Name".to_owned(), trigger.into());
                group.insert("Constraint Name".to_owned(), constraint.into())
            }
            None => group.insert("Trigger Name".to_owned(), name.into()),
        },
    };
    if let Some(relation) = relation {
        group.insert("Relation".to_owned(), relation.into());
    }
    for (word, text) in pairs(value) {
        let name = match word {
            "time" => "Time",
            "calls" => "Calls",
            other => other,
        };
        group.insert(name.to_owned(), number_or_text(text));
    }
    group.into()
}

/// `a=1  b c=2`: a key may hold a space (`buffers full=2`).
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        let (key, after) = rest.split_once('=')?;
        let end = after.find(' ').unwrap_or(after.len());
        // `time=0.006 ms`: the unit belongs to the value.
        let unit = if after[end..].starts_with(" ms") { end + 3 } else { end };
        rest = after[unit..].trim_start();
        Some((key.trim(), after[..unit].trim_end_matches(" ms")))
    })
}

pub(super) fn number_or_text(text: &str) -> Value {
    match text.parse::<f64>() {
        Ok(number) => super::super::build::number_value(number, text),
        Err(_) => Value::String(text.to_owned()),
    }
}

/// `shared hit=1 read=2, temp written=3` as the keys of the other formats.
pub(super) fn buffers(text: &str, add: &mut dyn FnMut(&str, &str)) {
    for group in text.split(", ") {
        let Some((kind, counts)) = group.split_once(' ') else { continue };
        for (word, count) in pairs(counts) {
            add(&format!("{} {} Blocks", capital(kind), capital(word)), count);
        }
    }
}

/// `read=1 write=2` (up to 14), `shared read=1, temp write=2` (15 on).
pub(super) fn timings(text: &str, add: &mut dyn FnMut(&str, &str)) {
    for group in text.split(", ") {
        let (prefix, times) = match group.split_once(' ') {
            Some((kind, times)) if !kind.contains('=') => (format!("{} ", capital(kind)), times),
            _ => (String::new(), group),
        };
        for (word, time) in pairs(times) {
            add(&format!("{prefix}I/O {} Time", capital(word)), time);
        }
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// `Word: value` pairs on one line, two spaces apart: `Buckets: 1024  Batches: 1 (originally 2)`.
fn columns<'a>(key: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut parts = value.split("  ").map(str::trim).filter(|p| !p.is_empty());
    let mut columns = vec![(key, parts.next().unwrap_or(""))];
    columns.extend(parts.map(|part| part.split_once(": ").unwrap_or((part, ""))));
    columns
}

/// The names that the other formats give to the words of 19's `Prefetch:` and `I/O:` lines.
fn io_key<'a>(line: &str, word: &'a str) -> &'a str {
    match (line, word) {
        ("Prefetch", "avg") => "Average Prefetch Distance",
        ("Prefetch", "max") => "Max Prefetch Distance",
        ("Prefetch", "capacity") => "Prefetch Capacity",
        ("I/O", "count") => "I/O Count",
        ("I/O", "waits") => "I/O Waits",
        ("I/O", "size") => "Average I/O Size",
        ("I/O", "in-progress") => "Average I/Os In Progress",
        _ => word,
    }
}

/// `distinct keys` as `Distinct Keys`; the planner's word for them is longer.
fn titled(words: &str) -> String {
    let words: Vec<String> = words.split(' ').map(capital).collect();
    words.join(" ").replace("Distinct Keys", "Distinct Lookup Keys")
}

/// Hands a node's (or worker's) property to the builder under the names of the other formats.
pub(super) fn fill(builder: &mut PlanBuilder, kind: &str, key: &str, value: &str) {
    match key {
        "Output" | "Sort Key" | "Presorted Key" | "Group Key" | "Hash Key" | "Params Evaluated" => {
            builder.texts(key, list(value));
        }
        "Buffers" => buffers(value, &mut |key, text| builder.scalar(key, scalar(text))),
        "I/O Timings" => timings(value, &mut |key, text| builder.scalar(key, scalar(text))),
        "WAL" => {
            for (word, text) in pairs(value) {
                let name = match word {
                    "fpi" => "FPI".to_owned(),
                    "fpi bytes" => "FPI Bytes".to_owned(),
                    "buffers full" => "Buffers Full".to_owned(),
                    other => capital(other),
                };
                builder.scalar(&format!("WAL {name}"), scalar(text));
            }
        }
        "Prefetch" | "I/O" => {
            for (word, text) in pairs(value) {
                builder.scalar(io_key(key, word), scalar(text));
            }
        }
        "Estimates" if kind == "Memoize" => {
            for (word, text) in pairs(value) {
                let name = format!("Estimated {}", titled(word));
                builder.scalar(&name, scalar(text.trim_end_matches('%')));
            }
        }
        "Heap Blocks" => {
            for (word, text) in pairs(value) {
                builder.scalar(&format!("{} Heap Blocks", capital(word)), scalar(text));
            }
        }
        "Full-sort Groups" | "Pre-sorted Groups" => builder.value(key, groups(key, value)),
        "Sort Method" | "Buckets" | "Batches" | "Planned Partitions" | "Hits" | "Storage" => {
            for (column, text) in columns(key, value) {
                column_value(builder, kind, key, column, text);
            }
        }
        "Inner Unique" | "Single Copy" | "Disabled" => builder.scalar(key, Scalar::Bool(value == "true")),
        "Sampling" => sampling(builder, value),
        "Conflict Arbiter Indexes" => {
            builder.value(key, Value::Array(list(value).into_iter().map(Value::String).collect()));
        }
        "Tuples" => {
            for (word, text) in pairs(value) {
                builder.scalar(&format!("Tuples {}", capital(word)), scalar(text));
            }
        }
        "Filter" | "Index Cond" | "Recheck Cond" | "Join Filter" | "Hash Cond" | "Merge Cond"
        | "Cache Key" | "Order By" | "One-Time Filter" | "TID Cond" | "Run Condition" | "Function Call"
        | "Conflict Filter" => {
            builder.scalar(key, Scalar::Text(value.into()));
        }
        _ => builder.scalar(key, scalar(value)),
    }
}

/// `system ('5'::real) REPEATABLE ('1'::double precision)`.
fn sampling(builder: &mut PlanBuilder, text: &str) {
    let (text, seed) = match text.split_once(" REPEATABLE (") {
        Some((text, seed)) => (text, seed.strip_suffix(')')),
        None => (text, None),
    };
    let (method, parameters) = text.split_once(" (").unwrap_or((text, ""));
    builder.scalar("Sampling Method", Scalar::Text(method.into()));
    let parameters = list(parameters.strip_suffix(')').unwrap_or(parameters));
    builder.value("Sampling Parameters", Value::Array(parameters.into_iter().map(Value::String).collect()));
    if let Some(seed) = seed {
        builder.scalar("Repeatable Seed", Scalar::Text(seed.into()));
    }
}

fn column_value(builder: &mut PlanBuilder, kind: &str, line: &str, column: &str, text: &str) {
    let bytes = |text: &str| text.trim_end_matches("kB").to_owned();
    let mut number = |key: &str, text: &str| builder.scalar(key, scalar(text));
    let (now, original) = match text.split_once(" (originally ") {
        Some((now, original)) => (now, Some(original.trim_end_matches(')'))),
        None => (text, None),
    };
    match (line, column) {
        ("Sort Method", "Memory" | "Disk") => {
            builder.scalar("Sort Space Type", Scalar::Text(column.into()));
            builder.scalar("Sort Space Used", scalar(&bytes(text)));
        }
        ("Sort Method", _) => builder.scalar(column, Scalar::Text(text.into())),
        ("Storage", "Maximum Storage") => number(column, &bytes(text)),
        ("Storage", _) => builder.scalar(column, Scalar::Text(text.into())),
        ("Hits", "Memory Usage") => number("Peak Memory Usage", &bytes(text)),
        ("Hits", _) => number(&format!("Cache {column}"), text),
        (_, "Memory Usage") => number("Peak Memory Usage", &bytes(text)),
        (_, "Disk Usage") => number("Disk Usage", &bytes(text)),
        (_, "Buckets" | "Batches") => {
            let hash = kind == "Hash";
            let name = if hash { format!("Hash {column}") } else { format!("HashAgg {column}") };
            number(&name, now);
            if let Some(original) = original {
                number(&format!("Original Hash {column}"), original);
            }
        }
        _ => number(column, text),
    }
}

/// `7  Sort Methods: quicksort, external merge  Average Memory: 30kB  Peak Memory: 31kB  Average Disk: …`.
fn groups(key: &str, value: &str) -> Value {
    let mut group = Map::new();
    for (column, text) in columns(key, value) {
        match column.split_once(' ') {
            _ if column == key => {
                group.insert("Group Count".to_owned(), number_or_text(text));
            }
            Some(("Sort", _)) => {
                let methods = text.split(", ").map(|m| Value::String(m.to_owned())).collect();
                group.insert("Sort Methods Used".to_owned(), Value::Array(methods));
            }
            Some((which @ ("Average" | "Peak"), place)) => {
                let space = group.entry(format!("Sort Space {place}")).or_insert_with(|| Map::new().into());
                if let Value::Object(space) = space {
                    space.insert(
                        format!("{which} Sort Space Used"),
                        number_or_text(text.trim_end_matches("kB")),
                    );
                }
            }
            _ => {
                group.insert(column.to_owned(), number_or_text(text));
            }
        }
    }
    group.into()
}

/// Splits at commas outside brackets and quotes.
pub(super) fn list(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut depth, mut quote, mut from) = (0i32, None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 && text[at..].starts_with(", ") => {
                parts.push(text[from..at].to_owned());
                from = at + 2;
            }
            _ => {}
        }
    }
    parts.push(text[from..].to_owned());
    parts
}
