//! How fast stored plans are read and diagnosed, and that neither gets slower as they grow.
//!
//! ```text
//! cargo bench --bench plan        about two minutes, no server
//! ```
//!
//! Three claims, each measured in this one run:
//!
//! - JSON: reading, facts and every rule together take at most twice as long as `serde_json` takes to build a
//!   `Value` of the same bytes. Both go through the recorded plans one file after the other, from memory.
//! - Text: at least 50 MB/s, with the notation named and with it guessed. YAML and XML stand beside it.
//! - Linear: generated plans ten times as large take ten times as long, so time per byte or per node is flat, for
//!   wide and balanced plans, for chains, and for one very long line. The largest plans cost each node
//!   two to three times as much as the smallest: presumably memory, not profiled; a square would cost ten times as
//!   much from line to line.
//!   A chain in text is indented by six columns more at each level: there the bytes count, not the levels.
//!
//! Times are the fastest and the median of several runs; the fastest is what a busy machine disturbs least. It prints
//! and never judges: a test that fails when a neighbour compiles would be switched off.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // A benchmark is an edge.

use pgproof::analyse::analyse_plans;
use pgproof::capture::{Origin, OriginKind};
use pgproof::error::Result;
use pgproof::facts::facts;
use pgproof::plan::{Notation, Plan, read, read_json, read_text, read_xml, read_yaml};
use pgproof::rules::Config;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// What we hold ourselves to.
const TIMES_SERDE: f64 = 2.0;
const TEXT_MB_PER_S: f64 = 50.0;

/// A measurement is repeated this often at least, and until this much time is spent.
const RUNS: usize = 3;
const SPEND: Duration = Duration::from_millis(1500);
/// A size that might take longer than this, should time grow by the square, is left out, and said so.
const TOO_LONG: Duration = Duration::from_secs(20);

fn main() {
    // `cargo test --all-targets` runs this as well, without --bench: there is nothing to test.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    recorded_json();
    recorded_notations();
    println!();
    println!("Linear: time per node, and per byte, as generated plans grow");
    println!("{:<52} {:>9} {:>9} {:>11} {:>9}", "", "MB", "ms", "ns/node", "ns/byte");
    for (name, shape) in [("wide", wide as fn(usize) -> Vec<Line>), ("balanced", balanced)] {
        growing(name, "nodes", &[1_000, 10_000, 100_000], shape);
    }
    growing("chain", "levels", &[100, 1_000, 10_000], chain);
    long_line();
}

/// Claim 1: JSON beside serde_json.
fn recorded_json() {
    let texts = recorded("json");
    let bytes = texts.iter().map(String::len).sum::<usize>();
    println!("Recorded JSON plans: {} files, {:.1} MB", texts.len(), mb(bytes));
    println!("{:<52} {:>9} {:>9} {:>11} {:>9}", "", "fastest", "median", "MB/s", "serde = 1");
    let value = measure(|| {
        for text in &texts {
            black_box(serde_json::from_str::<serde_json::Value>(text).expect("recorded by a server"));
        }
    });
    let plans = |then: fn(Vec<Plan>)| measure(|| texts.iter().for_each(|text| then(plans(read_json(text)))));
    let all = plans(|plans| {
        black_box(diagnose(plans));
    });
    let rows = [
        ("serde_json: Value", value),
        ("read", plans(|plans| drop(black_box(plans)))),
        ("read, facts", plans(|plans| plans.iter().for_each(|plan| drop(black_box(facts(plan)))))),
        ("read, facts, rules", all),
    ];
    for (name, took) in rows {
        let times = took.fastest.as_secs_f64() / value.fastest.as_secs_f64();
        println!("{name:<52} {} {:>11.0} {times:>8.2}x", took.columns(), speed(bytes, took.fastest));
    }
    let times = all.fastest.as_secs_f64() / value.fastest.as_secs_f64();
    println!("read, facts and rules take {times:.2} times as long as serde_json (at most {TIMES_SERDE})");
}

/// Claim 2: text, YAML and XML in MB/s.
fn recorded_notations() {
    println!();
    println!("Recorded plans in the other notations, reading only");
    println!("{:<52} {:>9} {:>9} {:>11}", "", "fastest", "median", "MB/s");
    type Read = fn(&str) -> Result<Vec<Plan>>;
    let readers: [(&str, &str, Read); 6] = [
        ("text", "txt", read_text),
        ("text, guessed", "txt", |text| read(text, None)),
        ("YAML", "yaml", read_yaml),
        ("YAML, guessed", "yaml", |text| read(text, None)),
        ("XML", "xml", read_xml),
        ("XML, guessed", "xml", |text| read(text, None)),
    ];
    let mut text_speed = f64::INFINITY;
    for (name, ending, reader) in readers {
        let texts = recorded(ending);
        let bytes = texts.iter().map(String::len).sum::<usize>();
        let took = measure(|| texts.iter().for_each(|text| drop(black_box(plans(reader(text))))));
        let speed = speed(bytes, took.fastest);
        let label = format!("{name} ({:.1} MB)", mb(bytes));
        println!("{label:<52} {} {speed:>11.0}", took.columns());
        if ending == "txt" {
            text_speed = text_speed.min(speed);
        }
    }
    println!("text is read at {text_speed:.0} MB/s, guessed or not (at least {TEXT_MB_PER_S})");
}

/// Claim 3: nodes.
fn growing(name: &str, unit: &str, sizes: &[usize], shape: fn(usize) -> Vec<Line>) {
    type Print = fn(&[Line]) -> String;
    type Step = fn(Vec<Plan>);
    let notations: [(Notation, &str, Print); 2] =
        [(Notation::Text, "text", as_text), (Notation::Json, "JSON", as_json)];
    let steps: [(&str, Step); 2] = [
        ("read", |plans| drop(black_box(plans))),
        ("read, facts, rules", |plans| {
            black_box(diagnose(plans));
        }),
    ];
    for (notation, word, print) in notations {
        for (step, then) in steps {
            let mut before: Option<(usize, Duration)> = None;
            for &size in sizes {
                let label = format!("{name}, {word}, {step}: {size} {unit}");
                // Growth by the square is what we look for.
                let worst = before.map(|(n, took)| took.mul_f64((size as f64 / n as f64).powi(2)));
                if worst.is_some_and(|worst| worst > TOO_LONG) {
                    println!("{label:<52} left out: the size before it took {:?}", before.map(|b| b.1));
                    continue;
                }
                let lines = shape(size);
                let text = print(&lines);
                let took = measure(|| then(plans(read(black_box(&text), Some(notation)))));
                row(&label, Some(lines.len()), text.len(), took.fastest);
                before = Some((size, took.fastest));
            }
        }
    }
}

/// Claim 3: one condition of many megabytes, as a list of constants makes it.
fn long_line() {
    for (notation, word) in [(Notation::Text, "text"), (Notation::Json, "JSON")] {
        for megabytes in [1, 10, 50] {
            let mut filter = String::from("(customer = ANY ('{");
            while filter.len() < megabytes * 1_000_000 {
                let _ = write!(filter, "{},", filter.len());
            }
            filter.push_str("0}'::integer[]))");
            let text = match notation {
                Notation::Text => {
                    format!("Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Filter: {filter}\n")
                }
                _ => format!(r#"[{{"Plan": {{"Node Type": "Seq Scan", "Filter": "{filter}"}}}}]"#),
            };
            let took = measure(|| drop(black_box(plans(read(black_box(&text), Some(notation))))));
            row(&format!("one line, {word}, read: {megabytes} MB"), None, text.len(), took.fastest);
        }
    }
}

fn row(label: &str, nodes: Option<usize>, bytes: usize, took: Duration) {
    let ns = took.as_secs_f64() * 1e9;
    let ms = ns / 1e6;
    let per_node = nodes.map_or(String::new(), |nodes| format!("{:.0}", ns / nodes as f64));
    println!("{label:<52} {:>9.1} {ms:>9.2} {per_node:>11} {:>9.2}", mb(bytes), ns / bytes as f64);
}

/// Every recorded plan in one notation, read into memory.
fn recorded(ending: &str) -> Vec<String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans");
    let majors = std::fs::read_dir(&top).expect("fixtures/plans");
    let folders = majors.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let mut files: Vec<_> = folders
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).expect("text")).collect()
}

fn plans(read: Result<Vec<Plan>>) -> Vec<Plan> {
    read.unwrap_or_else(|error| panic!("{error}: {:?} {:?}", error.causes(), error.excerpt()))
}

fn diagnose(plans: Vec<Plan>) -> pgproof::report::Report {
    let origin = |plan| (Origin { kind: OriginKind::File, path: None, line: None }, plan);
    analyse_plans(plans.into_iter().map(origin).collect(), &Config::default())
}

/// A node of a generated plan: how deep it stands, and what it is.
struct Line {
    depth: usize,
    kind: &'static str,
    relationship: &'static str,
}

/// An Append of `nodes` - 1 scans, as partitions make it.
fn wide(nodes: usize) -> Vec<Line> {
    let scan = || Line { depth: 1, kind: "Seq Scan", relationship: "Member" };
    let root = Line { depth: 0, kind: "Append", relationship: "Outer" };
    std::iter::once(root).chain(std::iter::repeat_with(scan).take(nodes - 1)).collect()
}

/// A tree of joins, each with two sides alike; as many levels as `nodes` fill.
fn balanced(nodes: usize) -> Vec<Line> {
    let levels = nodes.ilog2() as usize;
    let mut lines = Vec::new();
    let mut open = vec![(0, "Outer")];
    while let Some((depth, relationship)) = open.pop() {
        let kind = if depth < levels { "Nested Loop" } else { "Seq Scan" };
        lines.push(Line { depth, kind, relationship });
        if depth < levels {
            open.extend([(depth + 1, "Inner"), (depth + 1, "Outer")]);
        }
    }
    lines
}

/// One node under another; in text each is indented by six columns more, so the text grows by the square.
fn chain(levels: usize) -> Vec<Line> {
    let kind = |depth| if depth + 1 == levels { "Seq Scan" } else { "Materialize" };
    (0..levels).map(|depth| Line { depth, kind: kind(depth), relationship: "Outer" }).collect()
}

fn as_text(lines: &[Line]) -> String {
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let arrow = if line.depth == 0 { "" } else { "->  " };
        let indent = (line.depth * 6).saturating_sub(4);
        let target = if line.kind == "Seq Scan" { format!(" on t{number}") } else { String::new() };
        let _ = writeln!(
            text,
            "{:indent$}{arrow}{}{target}  (cost=0.00..35.50 rows=2550 width=4) \
             (actual time=0.010..0.250 rows=2550 loops=1)",
            "", line.kind
        );
        if line.kind == "Seq Scan" {
            let indent = line.depth * 6 + 2;
            let _ = writeln!(text, "{:indent$}Filter: (a < 10)", "");
            let _ = writeln!(text, "{:indent$}Rows Removed by Filter: 10", "");
        }
    }
    text.push_str("Planning Time: 0.100 ms\nExecution Time: 2.000 ms\n");
    text
}

fn as_json(lines: &[Line]) -> String {
    let mut text = String::from("[{\"Plan\": ");
    for (number, line) in lines.iter().enumerate() {
        let _ = write!(
            text,
            "{{\"Node Type\": \"{}\", \"Parent Relationship\": \"{}\", \"Startup Cost\": 0.00, \"Total Cost\": 35.50, \
             \"Plan Rows\": 2550, \"Plan Width\": 4, \"Actual Startup Time\": 0.010, \"Actual Total Time\": 0.250, \
             \"Actual Rows\": 2550, \"Actual Loops\": 1",
            line.kind, line.relationship
        );
        if line.kind == "Seq Scan" {
            let _ = write!(
                text,
                ", \"Relation Name\": \"t{number}\", \"Alias\": \"t{number}\", \"Filter\": \"(a < 10)\", \
                 \"Rows Removed by Filter\": 10"
            );
        }
        let next = lines.get(number + 1).map_or(0, |next| next.depth);
        if next > line.depth {
            text.push_str(", \"Plans\": [");
            continue;
        }
        text.push('}');
        for _ in next..line.depth {
            text.push_str("]}");
        }
        if number + 1 < lines.len() {
            text.push_str(", ");
        }
    }
    text.push_str(", \"Planning Time\": 0.100, \"Execution Time\": 2.000}]");
    text
}

/// Times of several runs.
#[derive(Clone, Copy)]
struct Took {
    fastest: Duration,
    median: Duration,
}

impl Took {
    fn columns(self) -> String {
        let ms = |time: Duration| format!("{:>6.1} ms", time.as_secs_f64() * 1e3);
        format!("{} {}", ms(self.fastest), ms(self.median))
    }
}

fn measure(mut run: impl FnMut()) -> Took {
    let mut times = Vec::new();
    let begun = Instant::now();
    while times.len() < RUNS || begun.elapsed() < SPEND {
        let start = Instant::now();
        run();
        times.push(start.elapsed());
        // One run of what takes long says enough.
        if begun.elapsed() > TOO_LONG {
            break;
        }
    }
    times.sort();
    Took { fastest: times[0], median: times[times.len() / 2] }
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn speed(bytes: usize, took: Duration) -> f64 {
    mb(bytes) / took.as_secs_f64()
}
