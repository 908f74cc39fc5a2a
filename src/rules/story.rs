//! One trouble, one finding: symptoms become evidence of the finding that explains them.
//!
//! Refuses to judge plans: it knows which rules explain which, and where their nodes have to stand for it.

use crate::context::PlanContext;
use crate::finding::{Also, Finding, Remedy};

/// Where the symptom's node stands, seen from the cause's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The same node.
    Here,
    /// At it or above: what a cause low in the tree brings about higher up.
    Above,
    /// At it or below: what a cause high in the tree makes happen over and over.
    Below,
    /// On the same relation, in whatever node.
    OnRelation,
    /// Anywhere in the plan.
    Anywhere,
}

/// `(cause, symptom, where)`. A cause that is a symptom of another one passes what it explains on to that one.
const EXPLAINS: &[(&str, &str, Seen)] = &[
    // The statement is written so that no index, no join and no order can serve it.
    ("function-hides-index", "seq-scan-discards-rows", Seen::Here),
    ("function-hides-index", "index-scan-discards-rows", Seen::Here),
    ("function-hides-index", "estimate-drift", Seen::Here),
    ("cast-hides-index", "seq-scan-discards-rows", Seen::Here),
    ("cast-hides-index", "index-scan-discards-rows", Seen::Here),
    ("cast-hides-index", "estimate-drift", Seen::Here),
    ("leading-wildcard", "seq-scan-discards-rows", Seen::Here),
    ("leading-wildcard", "index-scan-discards-rows", Seen::Here),
    ("leading-wildcard", "estimate-drift", Seen::Here),
    ("or-across-tables", "join-filter-discards-rows", Seen::Here),
    ("or-across-tables", "nested-loop-rescans", Seen::Here),
    ("or-across-tables", "estimate-drift", Seen::Here),
    ("not-in-subquery", "subplan-per-row", Seen::Here),
    ("not-in-subquery", "tuplestore-spills-to-disk", Seen::Below),
    ("not-in-subquery", "seq-scan-discards-rows", Seen::Here),
    ("not-in-subquery", "estimate-drift", Seen::Here),
    ("subplan-per-row", "seq-scan-discards-rows", Seen::Below),
    ("subplan-per-row", "index-scan-discards-rows", Seen::Below),
    ("order-by-random", "sort-spills-to-disk", Seen::Here),
    ("distinct-hides-fan-out", "sort-spills-to-disk", Seen::Below),
    ("distinct-hides-fan-out", "aggregate-spills-to-disk", Seen::Below),
    ("offset-discards-rows", "sort-could-use-index", Seen::Below),
    ("offset-discards-rows", "sort-spills-to-disk", Seen::Below),
    ("partitions-not-pruned", "function-hides-index", Seen::Here),
    ("partitions-not-pruned", "cast-hides-index", Seen::Here),
    // One index ends both.
    ("partitions-not-pruned", "seq-scan-discards-rows", Seen::OnRelation),
    ("partitions-not-pruned", "index-scan-discards-rows", Seen::OnRelation),
    ("limit-walks-unselective-index", "index-scan-discards-rows", Seen::Here),
    ("limit-walks-unselective-index", "estimate-drift", Seen::Here),
    ("sort-could-use-index", "sort-spills-to-disk", Seen::Here),
    // A misestimate made the planner choose the loop.
    ("estimate-drift", "nested-loop-rescans", Seen::Above),
    ("estimate-drift", "memoize-thrashes", Seen::Above),
    // Where rows are read in vain, so are their blocks.
    ("seq-scan-discards-rows", "reads-dominate", Seen::Here),
    ("index-scan-discards-rows", "reads-dominate", Seen::Here),
    ("index-scan-discards-rows", "many-blocks-per-row", Seen::Here),
    ("many-blocks-per-row", "reads-dominate", Seen::Here),
    ("subplan-per-row", "reads-dominate", Seen::Below),
    ("result-set-unbounded", "select-star", Seen::Anywhere),
];

/// Causes whose rewrite or setting changes what the scan is asked: an index of a symptom was made for what it was.
const REWRITES: &[&str] = &["function-hides-index", "cast-hides-index", "partitions-not-pruned"];

/// Merges findings of one plan that tell one story. The cause keeps its words; it can recover at least what its
/// symptoms could, and their remedies stand behind its own.
pub(super) fn merge(ctx: &PlanContext, mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() < 2 {
        return findings;
    }
    // For every finding the cause that explains it, followed to the end of the chain.
    let direct: Vec<Option<usize>> = (0..findings.len()).map(|at| cause(ctx, &findings, at)).collect();
    let ultimate = |at: usize| {
        let chain = std::iter::successors(direct[at], |&next| direct[next]);
        chain.take(findings.len()).last()
    };
    let causes: Vec<Option<usize>> = (0..findings.len()).map(ultimate).collect();
    for (at, cause) in causes.iter().enumerate() {
        let Some(cause) = cause.filter(|&cause| cause != at) else { continue };
        let symptom = findings[at].clone();
        let told = &mut findings[cause];
        told.also.push(Also { rule: symptom.rule, at: symptom.at, what: symptom.what });
        if symptom.saves.map_or(0.0, |s| s.0) > told.saves.map_or(0.0, |s| s.0) {
            told.saves = symptom.saves;
        }
        told.share = told.share.max(symptom.share);
        let rewritten = REWRITES.contains(&told.rule)
            && told
                .remedies
                .iter()
                .any(|remedy| matches!(remedy, Remedy::Rewrite(_) | Remedy::Setting { .. }));
        for remedy in symptom.remedies {
            let useless = rewritten && matches!(remedy, Remedy::Index { .. });
            if !useless && !told.remedies.contains(&remedy) {
                told.remedies.push(remedy);
            }
        }
    }
    let mut keep = causes.iter().enumerate().map(|(at, cause)| cause.is_none_or(|cause| cause == at));
    findings.retain(|_| keep.next().unwrap_or(true));
    findings
}

/// The finding that explains the one at `at`: the first in the table's order, of several the nearest node.
fn cause(ctx: &PlanContext, findings: &[Finding], at: usize) -> Option<usize> {
    let symptom = &findings[at];
    EXPLAINS.iter().filter(|(_, rule, _)| *rule == symptom.rule).find_map(|&(rule, _, seen)| {
        let apart = |other: &Finding| other.at.node.zip(symptom.at.node).map_or(0, |(a, b)| a.abs_diff(b));
        findings
            .iter()
            .enumerate()
            .filter(|&(i, other)| i != at && other.rule == rule && explains(ctx, other, symptom, seen))
            .min_by_key(|(_, other)| apart(other))
            .map(|(i, _)| i)
    })
}

fn explains(ctx: &PlanContext, cause: &Finding, symptom: &Finding, seen: Seen) -> bool {
    let nodes = cause.at.node.zip(symptom.at.node);
    let within = |top: usize, id: usize| ctx.facts.tree.subtree(top).contains(&id);
    match seen {
        Seen::Anywhere => true,
        Seen::OnRelation => cause.relation.is_some() && cause.relation == symptom.relation,
        Seen::Here => nodes.is_some_and(|(cause, symptom)| cause == symptom),
        Seen::Above => nodes.is_some_and(|(cause, symptom)| within(symptom, cause)),
        Seen::Below => nodes.is_some_and(|(cause, symptom)| within(cause, symptom)),
    }
}
