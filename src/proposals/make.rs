//! Findings' remedies made exact.
//!
//! Refuses to repeat itself: findings that ask for the same change share one proposal.

use super::name::{index_name, statistics_name};
use super::size::{index_size, write_ms_per_1000};
use super::wanted::wanted;
use super::{Applicability, Candidate, Change, Proposal, WhyNot, WriteCost, candidate};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::sql::ident::{qualified, quote};
use crate::units::Bytes;

/// More writes than this per scan, and the index is for a person to weigh.
const WRITE_HEAVY: f64 = 100.0;

/// With fewer scans on record the ratio says when the table was loaded, not how it is used.
const MIN_READS: i64 = 1_000;

/// The proposals that `findings` (of this plan) ask for; `first` is the index of the first of them in the
/// report. Remedies for which there is no candidate come back as the reason why.
pub fn propose(
    ctx: &PlanContext,
    findings: &[Finding],
    first: usize,
) -> (Vec<Proposal>, Vec<(usize, WhyNot)>) {
    let mut proposals: Vec<Proposal> = Vec::new();
    let mut reasons = Vec::new();
    for (i, finding) in findings.iter().enumerate() {
        for remedy in &finding.remedies {
            match make(ctx, remedy) {
                Ok(mut proposal) => {
                    proposal.answers.push(first + i);
                    add(&mut proposals, proposal);
                }
                Err(why) => reasons.push((first + i, why)),
            }
        }
    }
    drop_prefixes(&mut proposals);
    (proposals, reasons)
}

/// The proposals of several runs of one statement as one list: the same change is proposed once, for the first run
/// that asks for it.
pub fn together(runs: Vec<Vec<Proposal>>) -> Vec<Proposal> {
    let mut proposals = Vec::new();
    runs.into_iter().flatten().for_each(|proposal| add(&mut proposals, proposal));
    drop_prefixes(&mut proposals);
    proposals
}

/// Gives an index another name than those that `others` of the same report give to other indexes, so that all of them
/// can be applied as they are printed.
pub fn named_apart<'a>(
    ctx: &PlanContext,
    mut proposal: Proposal,
    others: impl Iterator<Item = &'a Proposal>,
) -> Proposal {
    let Change::CreateIndex(index) = &mut proposal.change else { return proposal };
    let named = |other: &'a Proposal| match &other.change {
        Change::CreateIndex(o) if o.schema == index.schema && other.apply != proposal.apply => {
            Some(o.name.clone())
        }
        _ => None,
    };
    let mut taken: Vec<String> = others.filter_map(named).collect();
    if taken.contains(&index.name) {
        let relation = ctx.catalog.relation(Some(&index.schema), &index.table);
        taken.extend(relation.into_iter().flat_map(|r| r.taken_names.iter().cloned()));
        index.name = index_name(&index.table, &index.keys, &index.include, &taken);
        proposal.apply = index.apply();
        proposal.undo = index.undo();
    }
    proposal
}

/// Adds a proposal, or what it answers to the one that is the same.
fn add(proposals: &mut Vec<Proposal>, mut proposal: Proposal) {
    let Some(known) = proposals.iter_mut().find(|p| same(p, &proposal)) else {
        return proposals.push(proposal);
    };
    // Findings come in order: a second remedy of the same one has answered it already.
    let new: Vec<usize> = proposal.answers.iter().copied().filter(|a| !known.answers.contains(a)).collect();
    known.answers.extend(new);
    // One setting for all: the largest is enough for each.
    if proposal.size > known.size {
        std::mem::swap(&mut proposal.answers, &mut known.answers);
        *known = proposal;
    }
}

/// The same change, or the same setting with another value.
fn same(a: &Proposal, b: &Proposal) -> bool {
    match (&a.change, &b.change) {
        (Change::Setting { name: a, .. }, Change::Setting { name: b, .. }) => a == b,
        _ => a.apply == b.apply,
    }
}

/// Of two indexes proposed for one statement, one whose keys the other starts with goes.
pub(super) fn drop_prefixes(proposals: &mut Vec<Proposal>) {
    let keys = |p: &Proposal| match &p.change {
        Change::CreateIndex(d) => Some((d.target(), d.predicate.clone(), d.keys.clone())),
        _ => None,
    };
    let mut at = 0;
    while at < proposals.len() {
        let cover = keys(&proposals[at]).and_then(|(table, predicate, short)| {
            proposals.iter().enumerate().position(|(other, p)| {
                other != at
                    && keys(p).is_some_and(|(t, w, long)| {
                        t == table && w == predicate && long.len() > short.len() && long.starts_with(&short)
                    })
            })
        });
        match cover {
            Some(cover) => {
                let answers = proposals[at].answers.clone();
                proposals[cover].answers.extend(answers);
                proposals[cover].answers.sort_unstable();
                proposals[cover].answers.dedup();
                proposals.remove(at);
            }
            None => at += 1,
        }
    }
}

fn make(ctx: &PlanContext, remedy: &Remedy) -> Result<Proposal, WhyNot> {
    match remedy {
        Remedy::Index { scan, join } => Ok(index(ctx, candidate(ctx, *scan, *join)?)),
        Remedy::Analyze { schema, relation } => {
            let known = ctx.catalog.relation(Some(schema), relation).ok_or(WhyNot::UnknownRelation)?;
            Ok(analyze(ctx, known))
        }
        Remedy::Statistics { schema, relation, columns, expression } => {
            let known = ctx.catalog.relation(Some(schema), relation).ok_or(WhyNot::UnknownRelation)?;
            Ok(statistics(ctx, known, columns, expression.as_deref()))
        }
        Remedy::WorkMem { bytes } => Ok(work_mem(ctx, *bytes)),
        Remedy::IndexOn(index) => {
            let mut made = self::index(ctx, wanted(ctx, index)?);
            if let Some(extension) = index.extension {
                made.remarks.push(format!(
                    "it needs the extension {extension}: CREATE EXTENSION IF NOT EXISTS {extension}"
                ));
            }
            Ok(made)
        }
        Remedy::Setting { name, value, remark } => Ok(setting(ctx, name, value, remark)),
        Remedy::Rewrite(rewrite) => Ok(rewritten(ctx, rewrite)),
        Remedy::Vacuum { schema, relation } => {
            let known = ctx.catalog.relation(Some(schema), relation).ok_or(WhyNot::UnknownRelation)?;
            Ok(vacuum(ctx, known))
        }
        // What a database's catalog or a migration shows is no matter of a plan.
        Remedy::Migration(_)
        | Remedy::DropIndex { .. }
        | Remedy::Reindex { .. }
        | Remedy::IndexForKey { .. }
        | Remedy::Freeze { .. }
        | Remedy::Validate { .. } => Err(WhyNot::UnknownRelation),
    }
}

fn proposal(ctx: &PlanContext, change: Change, relation: Option<&Relation>) -> Proposal {
    Proposal {
        change,
        relation: relation.map(Relation::qualified),
        apply: Vec::new(),
        undo: Vec::new(),
        answers: Vec::new(),
        statement: Some(ctx.statement_id),
        run: ctx.run_id,
        applicability: Applicability::Safe,
        locks: Vec::new(),
        size: None,
        write_cost: None,
        remarks: relation
            .filter(|r| !r.owned)
            .map(|r| format!("this role does not own {}: its owner must run this", r.qualified()))
            .into_iter()
            .collect(),
    }
}

fn index(ctx: &PlanContext, candidate: Candidate) -> Proposal {
    let definition = candidate.definition;
    let relation = ctx.catalog.relation(Some(&definition.schema), &definition.table);
    let mut made = proposal(ctx, Change::CreateIndex(definition.clone()), relation);
    made.apply = definition.apply();
    made.undo = definition.undo();
    made.locks = definition.locks();
    let Some(relation) = relation else { return made };
    made.size = index_size(&definition, relation, candidate.share);
    let activity = relation.activity.as_ref();
    let writes_per_read = activity.and_then(|a| {
        let reads = a.sequential_scans + a.index_scans;
        (reads >= MIN_READS)
            .then(|| (a.inserts + a.updates - a.hot_updates + a.deletes) as f64 / reads as f64)
    });
    let unindexed = definition.keys.iter().map(|k| &k.text).chain(&definition.include).any(|column| {
        !relation
            .indexes
            .iter()
            .any(|i| i.keys.iter().any(|k| k.text == *column) || i.include.contains(column))
    });
    made.write_cost = Some(WriteCost {
        writes_per_read,
        extra_ms_per_1000_writes: write_ms_per_1000(&definition, relation, candidate.share),
        blocks_hot_updates: activity.map(|a| a.hot_updates > 0 && unindexed),
    });
    if writes_per_read.is_some_and(|w| w > WRITE_HEAVY) {
        made.applicability = Applicability::Review;
        made.remarks.push("this table is written far more often than it is read".to_owned());
    }
    for live in relation.indexes.iter().filter(|i| i.usable && i.method == "btree" && !i.unique) {
        let shorter = live.keys.len() < definition.keys.len() && live.predicate == definition.predicate;
        if shorter
            && live.include.is_empty()
            && definition.keys.iter().zip(&live.keys).all(|(k, l)| k.same_values(l))
        {
            made.remarks.push(format!(
                "it starts with the keys of {}, which may then be dropped",
                qualified(&live.schema, &live.name)
            ));
        }
    }
    made
}

fn analyze(ctx: &PlanContext, relation: &Relation) -> Proposal {
    let columns = relation.columns.iter().map(|c| c.name.clone()).collect();
    let change =
        Change::Analyze { schema: relation.schema.clone(), relation: relation.name.clone(), columns };
    let mut made = proposal(ctx, change, Some(relation));
    made.apply = vec![format!("ANALYZE {}", relation.qualified())];
    made.undo = Vec::new();
    made.remarks
        .push("it cannot be undone, and need not be: it replaces old statistics by fresh ones".to_owned());
    made.locks = vec![format!("SHARE UPDATE EXCLUSIVE on {}", relation.qualified())];
    made
}

fn statistics(
    ctx: &PlanContext,
    relation: &Relation,
    columns: &[String],
    expression: Option<&str>,
) -> Proposal {
    let (name_part, body) = match expression {
        Some(expression) => ("expr".to_owned(), format!("ON ({expression})")),
        None => {
            let quoted: Vec<String> = columns.iter().map(|c| quote(c)).collect();
            (columns.join("_"), format!("(ndistinct, dependencies, mcv) ON {}", quoted.join(", ")))
        }
    };
    let taken: Vec<String> =
        relation.statistics.iter().map(|s| s.name.clone()).chain(relation.taken_names.clone()).collect();
    let name = statistics_name(&relation.name, &name_part, &taken);
    let full = qualified(&relation.schema, &name);
    let change = Change::CreateStatistics {
        schema: relation.schema.clone(),
        relation: relation.name.clone(),
        name,
        body: body.clone(),
        columns: columns.to_vec(),
        expression: expression.is_some(),
    };
    let mut made = proposal(ctx, change, Some(relation));
    made.apply = vec![
        format!("CREATE STATISTICS {full} {body} FROM {}", relation.qualified()),
        format!("ANALYZE {}", relation.qualified()),
    ];
    made.undo = vec![format!("DROP STATISTICS {full}")];
    made.locks = vec![format!("SHARE UPDATE EXCLUSIVE on {}", relation.qualified())];
    made
}

fn setting(ctx: &PlanContext, name: &str, value: &str, remark: &str) -> Proposal {
    let mut made = proposal(ctx, Change::Setting { name: name.to_owned(), value: value.to_owned() }, None);
    made.apply = vec![format!("SET {name} = '{value}'")];
    made.undo = vec![format!("RESET {name}")];
    made.applicability = Applicability::Review;
    made.remarks.push(remark.to_owned());
    made
}

/// A statement in other words is the application's to take over: there is nothing to undo on the server.
fn rewritten(ctx: &PlanContext, rewrite: &Rewrite) -> Proposal {
    let shown = rewrite.to_check.is_empty();
    let mut made = proposal(ctx, Change::Rewrite { sql: rewrite.sql.clone(), shown }, None);
    made.apply = vec![rewrite.sql.clone()];
    made.applicability = if shown { Applicability::Safe } else { Applicability::Display };
    made.remarks = rewrite.to_check.iter().map(|check| format!("to check: {check}")).collect();
    made
}

/// A statement in other words that no plan asked for: it answers a finding about the statement as a whole.
pub fn in_other_words(rewrite: &Rewrite, statement: usize, answers: usize) -> Proposal {
    Proposal {
        change: Change::Rewrite { sql: rewrite.sql.clone(), shown: false },
        relation: None,
        apply: vec![rewrite.sql.clone()],
        undo: Vec::new(),
        answers: vec![answers],
        statement: Some(statement),
        run: 0,
        applicability: Applicability::Display,
        locks: Vec::new(),
        size: None,
        write_cost: None,
        remarks: rewrite.to_check.iter().map(|check| format!("to check: {check}")).collect(),
    }
}

fn vacuum(ctx: &PlanContext, relation: &Relation) -> Proposal {
    let change = Change::Vacuum { schema: relation.schema.clone(), relation: relation.name.clone() };
    let mut made = proposal(ctx, change, Some(relation));
    made.apply = vec![format!("VACUUM {}", relation.qualified())];
    made.locks = vec![format!("SHARE UPDATE EXCLUSIVE on {}", relation.qualified())];
    made.remarks.push("it cannot be undone, and need not be: it is what autovacuum does".to_owned());
    made
}

fn work_mem(ctx: &PlanContext, bytes: i64) -> Proposal {
    let megabytes = (bytes + (1 << 20) - 1) >> 20;
    let value = format!("{megabytes}MB");
    let mut made = proposal(ctx, Change::Setting { name: "work_mem".into(), value: value.clone() }, None);
    made.apply = vec![format!("SET work_mem = '{value}'")];
    made.undo = vec!["RESET work_mem".to_owned()];
    made.applicability = Applicability::Review;
    made.size = Some(Bytes(megabytes << 20));
    made.remarks.push(
        "every sort and hash of every process may take this much: set it for this statement \
         (SET LOCAL in its transaction) or for its role, not for the server"
            .to_owned(),
    );
    made
}
