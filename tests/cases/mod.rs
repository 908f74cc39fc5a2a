//! The cases on the rules' pages, compared with a report: which nodes, which findings, which exact proposals.
#![allow(dead_code)] // Every test binary uses its own part.

use pgproof::plan::{Node, Plan};
use pgproof::report::Report;
use pgproof::rules::page::{self, Case};
use pgproof::rules::{RULES, Spec};
use pgproof::sql::{self, ident};
use std::path::{Path, PathBuf};

/// Every rule with the cases of its page.
pub fn pages() -> Vec<(&'static Spec, Vec<Case>)> {
    let cases = |spec: &Spec| {
        // From the source folder, so that an edited page needs no build to be tried.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules").join(format!("{}.md", spec.name));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        page::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", spec.name)).cases
    };
    RULES.iter().map(|&spec| (spec, cases(spec))).collect()
}

/// A node as EXPLAIN's text form heads it: `Parallel Seq Scan on "Order Lines"`, `Index Scan using i on t`.
pub fn label(node: &Node) -> String {
    let detail = &node.detail;
    let mut label = node.kind.clone();
    if detail.parallel_aware == Some(true) {
        label.insert_str(0, "Parallel ");
    }
    if detail.scan_direction.as_deref() == Some("Backward") {
        label.push_str(" Backward");
    }
    match (&detail.index, node.kind.as_str()) {
        (Some(index), "Bitmap Index Scan") => label.push_str(&format!(" on {}", ident::quote(index))),
        (Some(index), _) => label.push_str(&format!(" using {}", ident::quote(index))),
        (None, _) => {}
    }
    if let Some(relation) = &detail.relation {
        label.push_str(&format!(" on {}", ident::quote(relation)));
    }
    label
}

/// The plan of a run: a statement with parameters has several.
fn plan_of(report: &Report, run: usize) -> &Plan {
    &report.statements[0].plans[run].plan
}

/// The findings of a report as the pages write them.
pub fn findings(report: &Report) -> Vec<String> {
    let one = |f: &pgproof::finding::Finding| {
        let node = f.at.node.map_or("the plan".to_owned(), |id| label(&plan_of(report, f.at.run).nodes[id]));
        format!("{} at {node}", f.rule)
    };
    report.findings.iter().map(one).collect()
}

/// What differs between a report and what its page expects; `None` where nothing does.
pub fn difference(report: &Report, case: &Case) -> Option<String> {
    let mut wrong = Vec::new();
    let plans = report.statements[0].plans.iter();
    let nodes: Vec<String> = plans.flat_map(|planned| planned.plan.nodes.iter().map(label)).collect();
    for node in case.nodes.iter().filter(|node| !nodes.contains(node)) {
        wrong.push(format!("the plan lacks the node {node}"));
    }
    let mut expected: Vec<String> =
        case.findings.iter().map(|(rule, node)| format!("{rule} at {node}")).collect();
    let mut found = findings(report);
    expected.sort();
    found.sort();
    if expected != found {
        wrong.push(format!("expected the findings {expected:#?}\nand got {found:#?}"));
    }
    let apply = |judged: &pgproof::report::Judged| judged.proposal.apply.clone();
    let proposed: Vec<String> = report.proposals.iter().flat_map(apply).collect();
    let same = proposed.len() == case.proposals.len()
        && proposed.iter().zip(&case.proposals).all(|(sql, pattern)| matches(sql, pattern));
    if !same {
        wrong.push(format!("expected the proposals {:#?}\nand got {proposed:#?}", case.proposals));
    }
    if wrong.is_empty() {
        return None;
    }
    wrong.push(format!("nodes: {nodes:#?}"));
    wrong.extend(report.findings.iter().map(|f| {
        let evidence: Vec<String> =
            f.evidence.iter().map(|e| format!("{} {:?} {}", e.label, e.value, e.unit)).collect();
        format!("{}: {}\n  {}\n  {}\n  {}", f.rule, f.what, f.why, f.help, evidence.join("; "))
    }));
    wrong.extend(report.statements.iter().flat_map(|s| s.notes.clone()));
    Some(wrong.join("\n"))
}

/// Equality, but `12..16` in the pattern stands for a number between these.
fn matches(sql: &str, pattern: &str) -> bool {
    let Some((head, tail)) = pattern.split_once("..") else { return sql == pattern };
    let digits = head.len() - head.bytes().rev().take_while(u8::is_ascii_digit).count();
    let end = tail.bytes().take_while(u8::is_ascii_digit).count();
    let (before, low) = head.split_at(digits);
    let (high, after) = tail.split_at(end);
    let middle = sql.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    let numbers = (low.parse::<u64>(), middle.map(str::parse::<u64>), high.parse::<u64>());
    matches!(numbers, (Ok(low), Some(Ok(value)), Ok(high)) if (low..=high).contains(&value))
}

/// What a recording was made from: a changed setup, query or option makes it stale.
pub fn made_from(case: &Case) -> String {
    let options: Vec<String> = case.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = format!("{}\n{}\n{}", case.setup, case.query, options.join("\n"));
    // FNV-1a: fingerprints ignore literals, which matter here.
    let hash =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    sql::hex(hash)
}

/// The major whose capture of a case is kept: 15, or the first that the case is about.
pub fn recorded(case: &Case) -> u32 {
    if case.covers(15) { 15 } else { (13..=18).find(|major| case.covers(*major)).unwrap_or(15) }
}

/// Where the recording of a case is kept.
pub fn recording(rule: &str, case: &Case) -> PathBuf {
    let words = case.name.to_lowercase();
    let words: Vec<&str> =
        words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures").join(rule);
    folder.join(format!("{}.json", words.join("-")))
}
