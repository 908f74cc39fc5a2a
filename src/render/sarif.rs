//! SARIF 2.1.0, for code scanning.
//!
//! Refuses to leave a result without a region, which scanners drop: what stands in no file stands in line 1 of an
//! artifact called `pgproof`. Refuses to be longer than GitHub takes.

use super::told;
use crate::finding::{Location, Severity};
use crate::identity;
use crate::report::Report;
use crate::rules;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Results that GitHub takes of one run.
const RESULTS: usize = 25_000;
/// Notifications at most: they are for people.
const NOTIFICATIONS: usize = 200;
/// Bytes of all results: GitHub takes ten megabytes, compressed.
const BYTES: usize = 9_000_000;
/// Bytes of a message.
const MESSAGE: usize = 4_000;

/// The report as SARIF.
pub fn render(report: &Report) -> String {
    let places = identity::places(report);
    let answers = told::answers(report);
    let fingerprints = identity::fingerprints(report, &places);
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &report.findings {
        let next = known.len();
        known.entry(&finding.rule).or_insert(next);
    }
    let mut names: Vec<(&str, usize)> = known.iter().map(|(name, at)| (*name, *at)).collect();
    names.sort_by_key(|(_, at)| *at);
    let rules: Vec<Value> = names.iter().map(|(name, _)| rule(name)).collect();
    let mut room = BYTES;
    let results: Vec<Value> = told::loudest(report)
        .into_iter()
        .take(RESULTS)
        .map(|(number, finding)| {
            let remedies = told::remedies(report, &answers[number]);
            let text = match remedies.as_str() {
                "" => told::sentences(finding),
                sql => format!("{}\n{sql}", told::sentences(finding)),
            };
            let mut result = json!({
                "ruleId": &*finding.rule,
                "ruleIndex": known[&*finding.rule],
                "level": level(finding.severity),
                "message": { "text": told::cut(&brackets(&text), MESSAGE) },
                "locations": [ location(places[number].as_ref()) ],
                "partialFingerprints": { "pgproof/v1": fingerprints[number] },
            });
            let query = finding.at.statement.and_then(|at| report.statements.get(at)).and_then(|statement| {
                let (path, line) = statement.origin.path.clone().zip(statement.origin.line)?;
                let lines = statement.text.lines().count().max(1);
                Some(Location { path, line, end_line: line + lines - 1 })
            });
            // The query that a migration made worse stands beside the statement that did it.
            if let Some(query) = query.filter(|query| Some(query) != places[number].as_ref()) {
                let mut related = location(Some(&query));
                related["id"] = json!(1);
                related["message"] = json!({ "text": "the query" });
                result["relatedLocations"] = json!([related]);
            }
            result
        })
        .take_while(|result| {
            let length = result.to_string().len();
            let fits = length <= room;
            room = room.saturating_sub(length);
            fits
        })
        .collect();
    let left_out = report.findings.len() - results.len();
    let notifications: Vec<Value> = (left_out > 0)
        .then(|| json!({ "level": "warning", "message": { "text": format!("{left_out} more results were left out") } }))
        .into_iter()
        .chain(report.gaps.iter().map(|gap| note(&gap.what)))
        .chain(report.skipped.iter().map(|skipped| note(&format!("{} needs {}", skipped.rule, skipped.needs))))
        .take(NOTIFICATIONS)
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "pgproof",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notifications }],
        }],
    });
    format!("{document}\n")
}

fn rule(name: &str) -> Value {
    let summary = rules::find(name).map_or(name, |spec| spec.summary);
    let mut rule = json!({
        "id": name,
        "name": name,
        "shortDescription": { "text": summary },
        "help": { "text": format!("pgproof rule {name}") },
    });
    if let Some(spec) = rules::find(name) {
        rule["help"]["markdown"] = json!(told::cut(spec.page, MESSAGE));
    }
    rule
}

/// What was not looked at.
fn note(text: &str) -> Value {
    json!({ "level": "note", "message": { "text": told::cut(text, MESSAGE) } })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn location(place: Option<&Location>) -> Value {
    let nowhere = Location { path: "pgproof".to_owned(), line: 1, end_line: 1 };
    let place = place.unwrap_or(&nowhere);
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&place.path) },
        "region": { "startLine": place.line.max(1), "endLine": place.end_line.max(place.line).max(1) },
    }})
}

/// Brackets would make links.
fn brackets(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

/// A path as a relative reference.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
