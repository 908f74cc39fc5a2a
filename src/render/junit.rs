//! JUnit XML: a suite for what migrations do, one for queries, one for the rest; what was not looked at is skipped.
//!
//! Refuses to fail a case for information: it is a note in its output.

use super::told;
use crate::finding::{Finding, Severity};
use crate::gate::Outcome as Fate;
use crate::identity;
use crate::report::Report;
use std::collections::HashMap;
use std::fmt::Write as _;

/// A case and what is said in it.
struct Case<'a> {
    suite: &'static str,
    name: String,
    findings: Vec<(usize, &'a Finding)>,
    /// It could not be planned: nobody knows.
    unknown: bool,
}

/// The report as JUnit XML.
pub fn render(report: &Report) -> String {
    let places = identity::places(report);
    let answers = told::answers(report);
    let mut cases: Vec<Case> = Vec::new();
    // Each statement is a case, with or without findings.
    for (at, statement) in report.statements.iter().enumerate() {
        let place = statement.origin.path.as_ref().zip(statement.origin.line);
        let place =
            place.map_or_else(|| format!("statement {}", at + 1), |(path, line)| format!("{path}:{line}"));
        let title = statement.title.as_ref().map_or(String::new(), |title| format!(" {title}"));
        let unknown = statement.outcome == Some(Fate::Unplanned);
        cases.push(Case { suite: "queries", name: format!("{place}{title}"), findings: Vec::new(), unknown });
    }
    let mut known: HashMap<(&str, String), usize> = HashMap::new();
    for (number, finding) in report.findings.iter().enumerate() {
        if let Some(case) = finding.at.statement.and_then(|at| cases.get_mut(at)) {
            case.findings.push((number, finding));
            continue;
        }
        let (suite, name) = match &places[number] {
            Some(place) => ("migrations", told::at(place)),
            None => ("database", finding.relation.clone().unwrap_or_else(|| "database".to_owned())),
        };
        let at = *known.entry((suite, name.clone())).or_insert(cases.len());
        if at == cases.len() {
            cases.push(Case { suite, name, findings: Vec::new(), unknown: false });
        }
        cases[at].findings.push((number, finding));
    }
    for rule in &report.clean {
        cases.push(Case { suite: "database", name: rule.clone(), findings: Vec::new(), unknown: false });
    }
    let fails = |case: &Case| case.findings.iter().any(|(_, f)| f.severity > Severity::Info);
    let failures = cases.iter().filter(|case| fails(case)).count();
    let not_looked = report.gaps.len() + report.skipped.len();
    let unknown = cases.iter().filter(|case| case.unknown).count();
    let skipped = not_looked + unknown;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let total = cases.len() + not_looked;
    let _ = writeln!(
        out,
        "<testsuites name=\"pgproof\" tests=\"{total}\" failures=\"{failures}\" skipped=\"{skipped}\">"
    );
    for suite in ["migrations", "queries", "database"] {
        let mine: Vec<&Case> = cases.iter().filter(|case| case.suite == suite).collect();
        if mine.is_empty() {
            continue;
        }
        let failed = mine.iter().filter(|case| fails(case)).count();
        let _ =
            writeln!(out, "  <testsuite name=\"{suite}\" tests=\"{}\" failures=\"{failed}\">", mine.len());
        mine.iter().for_each(|case| self::case(&mut out, report, case, &answers));
        out.push_str("  </testsuite>\n");
    }
    if not_looked > 0 {
        let _ = writeln!(
            out,
            "  <testsuite name=\"not looked at\" tests=\"{not_looked}\" failures=\"0\" skipped=\"{not_looked}\">"
        );
        let gaps = report.gaps.iter().map(|gap| (gap.disables.join(", "), gap.what.as_str()));
        let skipped = report.skipped.iter().map(|skipped| (skipped.rule.clone(), skipped.needs.as_str()));
        for (name, why) in gaps.chain(skipped) {
            let _ = writeln!(
                out,
                "    <testcase classname=\"not looked at\" name=\"{}\"><skipped message=\"{}\"/></testcase>",
                told::escaped(&name),
                told::escaped(why)
            );
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, report: &Report, case: &Case, answers: &[Vec<usize>]) {
    let name = told::escaped(&case.name);
    if case.unknown && case.findings.iter().all(|(_, f)| f.severity == Severity::Info) {
        let _ = writeln!(
            out,
            "    <testcase classname=\"{}\" name=\"{name}\"><skipped message=\"it could not be planned on either side\"/></testcase>",
            case.suite
        );
        return;
    }
    if case.findings.is_empty() {
        let _ = writeln!(out, "    <testcase classname=\"{}\" name=\"{name}\"/>", case.suite);
        return;
    }
    let _ = writeln!(out, "    <testcase classname=\"{}\" name=\"{name}\">", case.suite);
    for (number, finding) in &case.findings {
        let text = told::sentences(finding);
        let remedies = told::remedies(report, &answers[*number]);
        let body = told::escaped(&format!("{text}\n{remedies}"));
        let _ = match finding.severity {
            Severity::Info => {
                writeln!(out, "      <system-out>{}: {body}</system-out>", told::escaped(&finding.rule))
            }
            severity => writeln!(
                out,
                "      <failure type=\"{}\" message=\"{}: {}\">{body}</failure>",
                told::word(severity),
                told::escaped(&finding.rule),
                told::escaped(&finding.what)
            ),
        };
    }
    out.push_str("    </testcase>\n");
}
