//! The snapshot of a database: its rules run, their remedies made exact.
//!
//! Refuses to try anything: no change of a whole database is timed by one statement.

use super::judged;
use crate::catalog::snapshot::Snapshot;
use crate::context::CatalogContext;
use crate::finding::Remedy;
use crate::proposals::{Change, Proposal, propose_for_database};
use crate::report::{Report, Skipped};
use crate::rules::{self, Config};
use std::collections::BTreeSet;

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
pub(super) fn examine(report: &mut Report, snapshot: &Snapshot, major: u32, config: &Config) {
    let ctx = CatalogContext::new(snapshot, major);
    let checked = rules::run_catalog(&ctx, config);
    let first = report.findings.len();
    let proposals = propose_for_database(&ctx, &checked.findings, first);
    report.findings.extend(checked.findings);
    report.clean.extend(checked.clean.into_iter().map(str::to_owned));
    let skipped = |(rule, needs): (&str, String)| Skipped { rule: rule.to_owned(), needs };
    report.skipped.extend(checked.not_judged.into_iter().map(skipped));
    for proposal in proposals {
        let why = why_not_tried(&proposal);
        let mut one = judged(proposal, None);
        one.verdict.reason = Some(why.to_owned());
        report.proposals.push(one);
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
        _ => "not tried: it changes what later plans rest on, in no single statement",
    }
}
