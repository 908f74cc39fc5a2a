//! GitLab's code quality report.
//!
//! Refuses to give two issues one fingerprint: GitLab would show one of them.

use super::told;
use crate::finding::Severity;
use crate::identity;
use crate::report::Report;
use serde_json::{Value, json};

/// Bytes of a description.
const MESSAGE: usize = 4_000;

/// The report as an array of issues.
pub fn render(report: &Report) -> String {
    let places = identity::places(report);
    let answers = told::answers(report);
    let fingerprints = identity::fingerprints(report, &places);
    let issues: Vec<Value> = told::loudest(report)
        .into_iter()
        .map(|(number, finding)| {
            let place = places[number].as_ref();
            let remedies = told::remedies(report, &answers[number]);
            let text = match remedies.as_str() {
                "" => told::sentences(finding),
                sql => format!("{} {sql}", told::sentences(finding)),
            };
            json!({
                "description": told::cut(&text, MESSAGE),
                "check_name": &*finding.rule,
                "fingerprint": fingerprints[number],
                "severity": match finding.severity {
                    Severity::Error => "critical",
                    Severity::Warning => "major",
                    Severity::Info => "info",
                },
                "location": {
                    // An issue without a file is not shown.
                    "path": place.map_or("pgproof", |place| place.path.as_str()),
                    "lines": { "begin": place.map_or(1, |place| place.line) },
                },
            })
        })
        .collect();
    format!("{:#}\n", Value::Array(issues))
}
