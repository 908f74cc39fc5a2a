//! The rules that look at a whole database: run, told apart into found, clean and not judged, and put together.
//!
//! Refuses to call clean what could not be looked at. A change that one rule proposes never rests on an index that
//! another one drops.

use super::{Check, Config, RULES, Spec, Tuning};
use crate::catalog::snapshot::{Table, TableIndex};
use crate::context::CatalogContext;
use crate::finding::{Also, Confidence, Finding, Place, Remedy, Severity};
use std::collections::{HashMap, HashSet};

/// From here on what is wasted on disk, and in every copy and backup of it, is a warning: a gigabyte.
pub const WARNING_BYTES: f64 = 1024.0 * 1024.0 * 1024.0;
/// From here on the work done in vain since counting began is a warning: ten million rows read, or index entries
/// written, are minutes of one core.
pub const WARNING_WORK: f64 = 10_000_000.0;

/// What one rule says of a database: what it found, and what it could not judge.
#[derive(Debug, Default)]
pub struct Looked {
    pub findings: Vec<Finding>,
    /// What is missing, a sentence each: a right, a setting, a longer window.
    pub not_judged: Vec<String>,
}

impl Looked {
    /// Nothing but that it could not be judged.
    pub(super) fn blind(needs: impl Into<String>) -> Self {
        Looked { findings: Vec::new(), not_judged: vec![needs.into()] }
    }
}

impl From<Vec<Finding>> for Looked {
    fn from(findings: Vec<Finding>) -> Self {
        Looked { findings, not_judged: Vec::new() }
    }
}

/// What all rules say of a database.
#[derive(Debug, Default)]
pub struct Checked {
    pub findings: Vec<Finding>,
    /// The rules that looked at everything and found nothing.
    pub clean: Vec<&'static str>,
    /// (rule, what it needs).
    pub not_judged: Vec<(&'static str, String)>,
}

/// A finding about an index or a table; the sentences and numbers are the rule's.
pub(super) fn finding(spec: &Spec, table: Option<&Table>, index: Option<&TableIndex>) -> Finding {
    Finding {
        rule: spec.name.into(),
        at: Place::DATABASE,
        relation: table.map(Table::qualified),
        index: index.map(TableIndex::qualified),
        within: None,
        severity: Severity::Info,
        confidence: Confidence::Measured,
        what: String::new(),
        why: String::new(),
        help: String::new(),
        evidence: Vec::new(),
        location: None,
        also: Vec::new(),
        saves: None,
        share: 0.0,
        remedies: Vec::new(),
    }
}

/// A warning where as much is wasted as a person would miss, else information.
pub(super) fn by_waste(bytes: f64, work: f64) -> Severity {
    if bytes >= WARNING_BYTES || work >= WARNING_WORK { Severity::Warning } else { Severity::Info }
}

/// Entries written into one index of a table since counting began: each row inserted, each update that is not HOT.
pub(super) fn entries_written(ctx: &CatalogContext, table: u32) -> f64 {
    let counters = |t: &&Table| t.counters.as_ref().map(|c| c.inserts + (c.updates - c.hot_updates).max(0.0));
    ctx.leaves(table).iter().filter_map(counters).sum()
}

/// A time that people speak of: days, hours, or less.
pub(super) fn ago(seconds: f64) -> String {
    use crate::words::counted;
    match seconds {
        s if s >= 172_800.0 => counted((s / 86_400.0).floor(), "day"),
        s if s >= 7_200.0 => counted((s / 3_600.0).floor(), "hour"),
        s if s >= 120.0 => counted((s / 60.0).floor(), "minute"),
        s => counted(s.floor(), "second"),
    }
}

/// Runs every rule about databases.
pub fn run_catalog(ctx: &CatalogContext, config: &Config) -> Checked {
    let mut checked = Checked::default();
    for &spec in RULES.iter().filter(|spec| config.runs(spec.name)) {
        let Check::Catalog(check) = spec.check else { continue };
        let looked = check(ctx, &Tuning { spec, config });
        if looked.findings.is_empty() && looked.not_judged.is_empty() {
            checked.clean.push(spec.name);
        }
        checked.findings.extend(looked.findings);
        checked.not_judged.extend(looked.not_judged.into_iter().map(|needs| (spec.name, needs)));
    }
    put_together(&mut checked.findings);
    for finding in &mut checked.findings {
        if let Some(Some(set)) = config.severity.get(&*finding.rule) {
            finding.severity = *set;
        }
    }
    checked.findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    checked
}

/// (the index that goes, the index that does its work) of a finding that drops one.
fn dropped(finding: &Finding) -> Option<(u32, Option<u32>)> {
    finding.remedies.iter().find_map(|remedy| match remedy {
        Remedy::DropIndex { index, cover } => Some((*index, *cover)),
        _ => None,
    })
}

/// (the finding that tells it, the one that is told) where VACUUM, which analyses too, ends both.
fn one_vacuum(findings: &[Finding]) -> Vec<(usize, usize)> {
    let vacuums = |f: &Finding| f.remedies.iter().any(|r| matches!(r, Remedy::Vacuum { .. }));
    let known: HashMap<&str, usize> = findings
        .iter()
        .enumerate()
        .filter(|(_, f)| vacuums(f))
        .filter_map(|(at, f)| Some((f.relation.as_deref()?, at)))
        .collect();
    let analyzes = |f: &Finding| f.remedies.iter().any(|r| matches!(r, Remedy::Analyze { .. }));
    let told = findings.iter().enumerate().filter(|(_, f)| analyzes(f));
    told.filter_map(|(at, f)| Some((*known.get(f.relation.as_deref()?)?, at))).collect()
}

/// One index goes for one reason, and none because of another that goes too.
fn put_together(findings: &mut Vec<Finding>) {
    let alone: HashSet<u32> = findings
        .iter()
        .filter_map(dropped)
        .filter(|(_, cover)| cover.is_none())
        .map(|(index, _)| index)
        .collect();
    // Nobody uses the cover, so it goes, and what it covers is judged by its own use.
    findings.retain(|f| dropped(f).and_then(|(_, cover)| cover).is_none_or(|cover| !alone.contains(&cover)));
    let mut again = one_vacuum(findings);
    let mut first: HashMap<u32, usize> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        if let Some((index, _)) = dropped(finding) {
            match first.get(&index) {
                Some(&known) => again.push((known, at)),
                None => drop(first.insert(index, at)),
            }
        }
    }
    for &(known, at) in &again {
        let also =
            Also { rule: findings[at].rule.clone(), at: Place::DATABASE, what: findings[at].what.clone() };
        findings[known].also.push(also);
    }
    let gone: HashSet<usize> = again.into_iter().map(|(_, at)| at).collect();
    let mut at = 0;
    findings.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
}
