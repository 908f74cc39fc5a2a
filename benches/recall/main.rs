//! Recall: troubles made in other words than the pages' own: five variants of each rule's, through aliases, CTEs, views,
//! partitioned tables, quoted names, other types, parameters. Each is explained as a user would; the finding must be
//! there, its proposal applied must end it, and the trial must confirm it.
//!
//! ```text
//! cargo bench --bench recall                          release build
//! cargo bench --bench recall --profile dev            quicker to build
//! ```
//!
//! Ends with 1 where fewer than 95 % are found, ended or confirmed. A benchmark and no test: trials are judged by time,
//! and a test that a busy machine can fail is none. On the newest major found; `PGPROOF_RECALL_MAJORS=all` takes every one, `PGPROOF_CASE=words` only the variants
//! whose rule and name contain these words.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // A benchmark is an edge.

#[path = "../../tests/support/mod.rs"]
mod support;
mod variant;

use serde_json::Value;
use std::process::Command;
use variant::{Remedy, Set, Variant};

/// Variants of which the finding must be there, and of those with a remedy: which end and are confirmed.
const RECALL: f64 = 0.95;

#[derive(Default)]
struct Score {
    variants: usize,
    found: usize,
    with_remedy: usize,
    gone: usize,
    confirmed: usize,
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let words = std::env::var("PGPROOF_CASE").unwrap_or_default();
    let mut majors = support::majors();
    majors.sort_unstable();
    if std::env::var("PGPROOF_RECALL_MAJORS").is_ok_and(|m| m == "all") {
        majors.reverse();
    } else {
        majors.drain(..majors.len().saturating_sub(1));
    }
    let (mut total, mut misses) = (Score::default(), Vec::new());
    for major in majors {
        for set in variant::sets() {
            let mut score = Score::default();
            let wanted =
                |v: &&Variant| v.covers(major) && format!("{} {}", set.rule, v.name).contains(&words);
            let variants: Vec<&Variant> = set.variants.iter().filter(wanted).collect();
            if variants.is_empty() {
                continue;
            }
            let db = support::database(major);
            db.execute_each(&variant::pieces(&set.setup));
            for variant in variants {
                if let Err(why) = try_one(&db, &set, variant, &mut score) {
                    misses.push(format!("PostgreSQL {major}: {} / {}: {why}", set.rule, variant.name));
                }
            }
            eprintln!(
                "PostgreSQL {major}: {}: {} of {} found; of {} with a remedy {} ended, {} confirmed",
                set.rule, score.found, score.variants, score.with_remedy, score.gone, score.confirmed
            );
            total.variants += score.variants;
            total.found += score.found;
            total.with_remedy += score.with_remedy;
            total.gone += score.gone;
            total.confirmed += score.confirmed;
        }
    }
    let share = |part: usize, all: usize| if all == 0 { 1.0 } else { part as f64 / all as f64 };
    let line = format!(
        "{} of {} found ({:.1} %); of {} with a remedy {} ended, {} confirmed",
        total.found,
        total.variants,
        100.0 * share(total.found, total.variants),
        total.with_remedy,
        total.gone,
        total.confirmed
    );
    eprintln!("recall: {line}");
    assert!(total.variants > 0, "no variant contains `{words}`");
    let enough = share(total.found, total.variants) >= RECALL
        && share(total.gone, total.with_remedy) >= RECALL
        && share(total.confirmed, total.with_remedy) >= RECALL;
    eprintln!("{}", misses.join("\n"));
    if !enough {
        eprintln!("fewer than 95 %");
        std::process::exit(1);
    }
}

fn try_one(db: &support::Database, set: &Set, variant: &Variant, score: &mut Score) -> Result<(), String> {
    score.variants += 1;
    let prove = if variant.remedy == Remedy::Building { "rollback" } else { "auto" };
    let report = explain(&db.url, &variant.query, variant, &[], prove)?;
    let found = place(&report, &set.rule).ok_or_else(|| format!("not found; {}", summary(&report)))?;
    score.found += 1;
    if variant.remedy == Remedy::None {
        return Ok(());
    }
    score.with_remedy += 1;
    let id = report["findings"][found]["id"].as_str().expect("an id");
    let answers = |p: &&Value| p["answers"].as_array().is_some_and(|a| a.iter().any(|a| a == id));
    let proposals: Vec<&Value> =
        report["proposals"].as_array().expect("proposals").iter().filter(answers).collect();
    let outcome = |p: &&Value| p["verdict"]["outcome"].as_str().unwrap_or("").to_owned();
    let best = proposals.iter().find(|p| outcome(p) == "confirmed" || p["kind"] == "vacuum");
    let Some(best) = best else {
        let seen: Vec<String> = proposals
            .iter()
            .map(|p| format!("{} {}: {}", outcome(p), p["apply"], p["verdict"]["reason"]))
            .collect();
        return Err(format!("not confirmed: {}", seen.join("; ")));
    };
    score.confirmed += 1;
    let lines = |key: &str| -> Vec<String> {
        let list = best[key].as_array().into_iter().flatten();
        list.filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let after = match best["kind"].as_str() {
        Some("rewrite") => explain(&db.url, &lines("apply")[0], variant, &[], "off")?,
        Some("setting") => {
            let (name, value) = setting(&lines("apply")[0]);
            explain(&db.url, &variant.query, variant, &[format!("{name}={value}")], "off")?
        }
        _ => {
            db.execute_each(&lines("apply"));
            let after = explain(&db.url, &variant.query, variant, &[], "off");
            db.execute_each(&lines("undo"));
            after?
        }
    };
    if place(&after, &set.rule).is_some() {
        return Err(format!("still there after {:?}", lines("apply")));
    }
    score.gone += 1;
    Ok(())
}

/// `SET name = 'value'` taken apart.
fn setting(sql: &str) -> (String, String) {
    let (name, value) = sql.trim_start_matches("SET ").split_once(" = ").expect("SET name = value");
    (name.to_owned(), value.trim_matches('\'').to_owned())
}

/// The finding of that rule, or the one that tells it along.
fn place(report: &Value, rule: &str) -> Option<usize> {
    let also = |e: &Value| {
        e["label"] == "also" && e["value"].as_str().is_some_and(|v| v.split([' ', ':']).next() == Some(rule))
    };
    report["findings"]
        .as_array()?
        .iter()
        .position(|f| f["rule"] == rule || f["evidence"].as_array().is_some_and(|list| list.iter().any(also)))
}

fn summary(report: &Value) -> String {
    let rules: Vec<&str> =
        report["findings"].as_array().into_iter().flatten().filter_map(|f| f["rule"].as_str()).collect();
    let nodes: Vec<String> = report["statements"][0]["plans"][0]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|n| format!("{} {}", n["kind"].as_str().unwrap_or("?"), n["relation"].as_str().unwrap_or("")))
        .collect();
    format!("findings {rules:?}, plan {nodes:?}, gaps {}", report["gaps"])
}

fn explain(url: &str, query: &str, variant: &Variant, more: &[String], prove: &str) -> Result<Value, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .args(["explain", query, "--prove", prove, "--runs", "3", "--format", "json", "--quiet", "-d", url]);
    variant.params.iter().for_each(|value| {
        command.args(["--param", value]);
    });
    if variant.writes {
        command.arg("--allow-writes");
    }
    let settings = std::iter::once("jit=off").chain(variant.settings.iter().map(String::as_str));
    let options: Vec<String> = settings
        .chain(more.iter().map(String::as_str))
        .map(|s| format!("-c {}", s.replace(' ', "\\ ")))
        .collect();
    let output = command.env("PGOPTIONS", options.join(" ")).output().expect("run pgproof");
    serde_json::from_slice(&output.stdout).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
}
