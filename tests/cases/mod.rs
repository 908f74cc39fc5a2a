//! The cases on the rules' pages, compared with a report: which nodes, which findings, which exact proposals.
#![allow(dead_code)] // Every test binary uses its own part.

use pgproof::cases::differences;
#[allow(unused_imports)] // Every test binary uses its own part.
pub use pgproof::cases::{findings, label};
use pgproof::report::Report;
use pgproof::rules::page::{self, Case};
use pgproof::rules::{RULES, Spec};
use pgproof::sql;
use std::path::{Path, PathBuf};

/// Rules that speak of what the tests' servers are started with: on the pages of others they are off.
pub const OF_OUR_SERVERS: &[&str] = &["autovacuum-off", "crash-loses-data"];

/// Every rule with the cases of its page.
pub fn pages() -> Vec<(&'static Spec, Vec<Case>)> {
    let cases = |spec: &Spec| {
        // From the source folder, so that an edited page needs no build to be tried.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules").join(format!("{}.md", spec.name));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut cases = page::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", spec.name)).cases;
        let off: Vec<String> =
            OF_OUR_SERVERS.iter().filter(|rule| **rule != spec.name).map(|rule| (*rule).to_owned()).collect();
        cases.iter_mut().for_each(|case| case.off = off.clone());
        cases
    };
    RULES.iter().map(|&spec| (spec, cases(spec))).collect()
}

/// What differs between a report and what its page expects; `None` where nothing does.
pub fn difference(report: &Report, case: &Case) -> Option<String> {
    let mut wrong = differences(report, case);
    if wrong.is_empty() {
        return None;
    }
    wrong.extend(report.findings.iter().map(|f| {
        let evidence: Vec<String> =
            f.evidence.iter().map(|e| format!("{} {:?} {}", e.label, e.value, e.unit)).collect();
        format!("{}: {}\n  {}\n  {}\n  {}", f.rule, f.what, f.why, f.help, evidence.join("; "))
    }));
    wrong.extend(report.statements.iter().flat_map(|s| s.notes.clone()));
    Some(wrong.join("\n"))
}

/// What a recording was made from: a changed setup, query or option makes it stale.
pub fn made_from(case: &Case) -> String {
    let options: Vec<String> = case.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let calls: String = case.calls.iter().map(|(often, sql)| format!("{often} {sql}\n")).collect();
    // A number stands for no name, which is how all were recorded before files had names.
    let numbered = |name: &&String| name.trim_end_matches(".sql").parse::<u32>().is_ok();
    let named: String = case.names.iter().filter(|name| !numbered(name)).map(String::as_str).collect();
    let bases: String =
        case.bases.iter().chain(&case.gone).map(|(name, text)| format!("{name}\n{text}")).collect();
    let migrations = case.migrations.concat() + &case.queries.concat() + &named + &bases;
    let text =
        format!("{}\n{}{calls}{}{migrations}\n{}", case.setup, case.query, case.beside, options.join("\n"));
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
