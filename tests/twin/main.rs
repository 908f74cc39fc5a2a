//! Twins on real servers: do they plan as the database that the pack was taken from?
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod mishaps;
mod schemas;
#[path = "../support/mod.rs"]
mod support;

use pgproof::scratch;
use schemas::{SCHEMAS, Schema};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use support::Database;

fn pgproof(args: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args(args).current_dir(folder).output().expect("run pgproof")
}

fn ran(args: &[&str], folder: &Path) -> Output {
    let output = pgproof(args, folder);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The folder with the server program of a major.
fn binaries(major: u32) -> String {
    let found = scratch::installations().into_iter().find(|it| it.major == major);
    found.map_or_else(|| format!("docker:postgres:{major}"), |it| it.bin_dir.display().to_string())
}

/// A database with the schema's rows, vacuumed and analysed.
fn filled(major: u32, schema: &Schema) -> Database {
    let db = support::database(major);
    let mut statements = Vec::new();
    for text in [schema.ddl, schema.data, "VACUUM ANALYZE; CHECKPOINT"] {
        statements.extend(pgproof::sql::split(text).expect("SQL").iter().map(|p| p.text.to_owned()));
    }
    db.execute_each(&statements);
    db
}

/// What a plan does, without what it costs.
fn skeleton(node: &Value, depth: usize, out: &mut String) {
    const KEYS: [&str; 11] = [
        "Node Type",
        "Schema",
        "Relation Name",
        "Alias",
        "Index Name",
        "Scan Direction",
        "Join Type",
        "Strategy",
        "Sort Key",
        "Parent Relationship",
        "Partial Mode",
    ];
    out.push_str(&" ".repeat(depth));
    for key in KEYS {
        if let Some(value) = node.get(key) {
            out.push_str(&format!("{value} "));
        }
    }
    out.push('\n');
    for child in node["Plans"].as_array().into_iter().flatten() {
        skeleton(child, depth + 1, out);
    }
}

fn shape(plan: &Value) -> String {
    let mut out = String::new();
    skeleton(&plan[0]["Plan"], 0, &mut out);
    out
}

fn cost(plan: &Value) -> f64 {
    plan[0]["Plan"]["Total Cost"].as_f64().expect("a cost")
}

/// The rows of each node, as estimated.
fn rows(node: &Value, out: &mut Vec<f64>) {
    out.push(node["Plan Rows"].as_f64().expect("rows"));
    for child in node["Plans"].as_array().into_iter().flatten() {
        rows(child, out);
    }
}

/// Each node has so many rows as there, but for a twentieth and a row.
fn same_rows(there: &Value, here: &Value) -> bool {
    let of = |plan: &Value| {
        let mut all = Vec::new();
        rows(&plan[0]["Plan"], &mut all);
        all
    };
    let (there, here) = (of(there), of(here));
    there.len() == here.len() && there.iter().zip(here).all(|(a, b)| (a - b).abs() <= 1.0 + a * 0.05)
}

struct Fidelity {
    plans: usize,
    equal: usize,
    close: usize,
    notes: String,
}

fn compare(major: u32, schema: &Schema, fidelity: &mut Fidelity) {
    let db = filled(major, schema);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("write");
    write("schema.sql", schema.ddl);
    let queries: String = schema.queries.iter().map(|q| format!("{q};\n")).collect();
    write("queries.sql", &queries);
    ran(&["pack", "--quiet", "-d", &db.url, "-o", "pack.json"], folder.path());
    let bin = binaries(major);
    ran(
        &[
            "explain",
            "--quiet",
            "--pack",
            "pack.json",
            "--schema",
            "schema.sql",
            "--postgres",
            &bin,
            "-f",
            "queries.sql",
            "--prove",
            "off",
            "--save-capture",
            "capture.json",
        ],
        folder.path(),
    );
    let capture = std::fs::read_to_string(folder.path().join("capture.json")).expect("the capture");
    let capture: Value = serde_json::from_str(&capture).expect("JSON");
    // An index that is taken for missing has no size of production's, and yet the plans may be equal.
    assert_eq!(capture["gaps"], Value::Array(Vec::new()), "{major} {}", schema.name);
    let statements = capture["statements"].as_array().expect("statements");
    assert_eq!(statements.len(), schema.queries.len(), "{}", capture["gaps"]);
    for (query, statement) in schema.queries.iter().zip(statements) {
        let source = db.query_text(&format!("EXPLAIN (FORMAT JSON, VERBOSE) {query}"));
        let source = source[0][0].clone().expect("a plan");
        let source: Value = serde_json::from_str(&source).expect("JSON");
        let twin = &statement["runs"][0]["plan"];
        let (there, here) = (shape(&source), shape(twin));
        let ratio = cost(twin) / cost(&source);
        fidelity.plans += 1;
        fidelity.equal += usize::from(there == here);
        let close = (ratio - 1.0).abs() <= 0.05 && same_rows(&source, twin);
        fidelity.close += usize::from(close);
        if there != here || !close {
            fidelity.notes.push_str(&format!("{major} {}: {query}\n  cost x {ratio:.3}\n", schema.name));
            if there != here {
                fidelity.notes.push_str(&format!("source:\n{there}twin:\n{here}"));
            }
        }
    }
}

#[test]
fn plans_and_costs_on_a_twin_are_those_of_the_source() {
    let mut all = Fidelity { plans: 0, equal: 0, close: 0, notes: String::new() };
    for major in support::majors() {
        let mut fidelity = Fidelity { plans: 0, equal: 0, close: 0, notes: String::new() };
        for schema in &SCHEMAS {
            compare(major, schema, &mut fidelity);
        }
        eprintln!(
            "{major}: {} plans, {} equal, {} within 5 % of the cost and of all rows\n{}",
            fidelity.plans, fidelity.equal, fidelity.close, fidelity.notes
        );
        all.plans += fidelity.plans;
        all.equal += fidelity.equal;
        all.close += fidelity.close;
        all.notes.push_str(&fidelity.notes);
    }
    assert!(
        all.equal as f64 >= 0.98 * all.plans as f64,
        "{} of {} plans\n{}",
        all.equal,
        all.plans,
        all.notes
    );
    assert!(
        all.close as f64 >= 0.98 * all.plans as f64,
        "{} of {} costs\n{}",
        all.close,
        all.plans,
        all.notes
    );
}
