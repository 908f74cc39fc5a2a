//! The snapshot of a database: its rules run, their remedies made exact.
//!
//! Refuses to try anything: no change of a whole database is timed by one statement.

use super::judged;
use crate::capture::{KnownPlan, KnownPlans};
use crate::catalog::snapshot::Snapshot;
use crate::context::CatalogContext;
use crate::finding::Remedy;
use crate::plan::read_json;
use crate::proposals::{Change, Proposal, propose_for_database};
use crate::report::{Report, Skipped};
use crate::rules::{self, Config};
use crate::words::{brief, counted};
use std::collections::{BTreeSet, HashMap};

/// What the rules ask to be looked at closely: indexes that may be proposed to go or to be built anew, and tables whose
/// size only the file system knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InQuestion {
    pub indexes: Vec<u32>,
    pub tables: Vec<u32>,
}

/// Which parts of a snapshot a second, closer look is for.
pub fn in_question(snapshot: &Snapshot, major: u32, config: &Config) -> InQuestion {
    let ctx = CatalogContext::new(snapshot, major);
    let mut config = config.clone();
    // What VACUUM last counted says little of how large an index is now.
    config.thresholds.insert(("unused-index".to_owned(), "min-size".to_owned()), 0.0);
    let mut indexes = BTreeSet::new();
    for finding in rules::run_catalog(&ctx, &config).findings {
        for remedy in finding.remedies {
            match remedy {
                Remedy::DropIndex { index, cover } => {
                    indexes.extend([Some(index), cover].into_iter().flatten());
                }
                Remedy::Reindex { index } => drop(indexes.insert(index)),
                _ => {}
            }
        }
    }
    // Never vacuumed nor analysed, and the counters may have been lost: as good as unknown.
    let unknown =
        snapshot.tables.iter().filter(|t| t.counters.is_some() && t.rows.is_none() && t.size() < 1.0);
    InQuestion { indexes: indexes.into_iter().collect(), tables: unknown.map(|t| t.oid).collect() }
}

/// Adds what the rules say of a database to a report.
pub(super) fn examine(
    report: &mut Report,
    snapshot: &Snapshot,
    known: Option<&KnownPlans>,
    major: u32,
    config: &Config,
) {
    let ctx = CatalogContext::new(snapshot, major);
    let checked = rules::run_catalog(&ctx, config);
    let first = report.findings.len();
    let proposals = propose_for_database(&ctx, &checked.findings, first);
    report.findings.extend(checked.findings);
    report.clean.extend(checked.clean.into_iter().map(str::to_owned));
    let skipped = |(rule, needs): (&str, String)| Skipped { rule: rule.to_owned(), needs };
    report.skipped.extend(checked.not_judged.into_iter().map(skipped));
    let known = known.map(Known::of);
    for mut proposal in proposals {
        if let (Change::DropIndex { schema, name }, Some(known)) = (&proposal.change, &known) {
            proposal.remarks.push(known.users(&parts(snapshot, schema, name)));
        }
        let why = why_not_tried(&proposal);
        let mut one = judged(proposal, None);
        one.verdict.reason = Some(why.to_owned());
        report.proposals.push(one);
    }
}

/// The statements whose plans are known, and which indexes these use.
struct Known<'a> {
    planned: Vec<&'a KnownPlan>,
    /// Places in `planned`, by an index's name.
    by_index: HashMap<String, Vec<usize>>,
    unplanned: usize,
}

/// The names of an index and, where it is partitioned, of its parts.
fn parts(snapshot: &Snapshot, schema: &str, name: &str) -> Vec<String> {
    let index = snapshot.indexes.iter().find(|index| index.schema == schema && index.name == name);
    let children = index.and_then(|index| index.detail.as_ref()).into_iter().flat_map(|d| &d.children);
    std::iter::once(name.to_owned()).chain(children.map(|child| child.name.clone())).collect()
}

impl<'a> Known<'a> {
    /// A plan that cannot be read says nothing of any index: it counts with those that could not be made.
    fn of(plans: &'a KnownPlans) -> Self {
        let mut known = Known { planned: Vec::new(), by_index: HashMap::new(), unplanned: plans.unplanned };
        for one in &plans.planned {
            let Ok(read) = read_json(one.plan.get()) else {
                known.unplanned += 1;
                continue;
            };
            let nodes = read.iter().flat_map(|plan| &plan.nodes);
            let indexes: BTreeSet<String> = nodes.filter_map(|node| node.detail.index.clone()).collect();
            for index in indexes {
                known.by_index.entry(index).or_default().push(known.planned.len());
            }
            known.planned.push(one);
        }
        known
    }

    /// What they say of an index that is to go, by its name and those of its parts.
    fn users(&self, parts: &[String]) -> String {
        /// Characters of a statement that are shown.
        const WIDTH: usize = 80;
        let by: BTreeSet<usize> =
            parts.iter().filter_map(|name| self.by_index.get(name)).flatten().copied().collect();
        let most = by.iter().max_by(|a, b| self.planned[**a].calls.total_cmp(&self.planned[**b].calls));
        let all = counted(self.planned.len() as f64, "known statement");
        let rest = match self.unplanned {
            0 => String::new(),
            n => format!(", {n} more could not be planned"),
        };
        match most {
            None => format!("checked: of {all} on these tables none is planned with it{rest}"),
            Some(most) => format!(
                "of {all} on these tables {} planned with it, such as: {}{rest}",
                match by.len() {
                    1 => "1 is".to_owned(),
                    n => format!("{n} are"),
                },
                brief(&self.planned[*most].text, WIDTH)
            ),
        }
    }
}

fn why_not_tried(proposal: &Proposal) -> &'static str {
    match proposal.change {
        Change::DropIndex { .. } => {
            "not tried: what a drop saves shows in all writes together, in no single statement"
        }
        Change::Reindex { .. } => "not tried: it builds the index in full",
        Change::CreateIndex(_) => {
            "not tried: `pgproof explain --allow-writes --prove rollback` on a DELETE from the parent measures it"
        }
        Change::Validate { .. } => {
            "not tried: it reads the whole table, and makes no statement quicker by itself"
        }
        _ => "not tried: it changes what later plans rest on, in no single statement",
    }
}
