//! One trouble, one finding: symptoms become evidence of the finding that explains them.
//!
//! Refuses to judge plans: it knows which rules explain which, and where their nodes have to stand for it.

use crate::context::{NEAR, PlanContext};
use crate::finding::{Also, Finding, Remedy};
use std::collections::HashMap;

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
    ("not-in-subquery", "subplan-per-row", Seen::Below),
    ("not-in-subquery", "tuplestore-spills-to-disk", Seen::Below),
    ("not-in-subquery", "seq-scan-discards-rows", Seen::Here),
    ("not-in-subquery", "estimate-drift", Seen::Here),
    ("subplan-per-row", "seq-scan-discards-rows", Seen::Below),
    ("subplan-per-row", "index-scan-discards-rows", Seen::Below),
    ("order-by-random", "sort-spills-to-disk", Seen::Here),
    ("distinct-hides-fan-out", "sort-spills-to-disk", Seen::Below),
    ("distinct-hides-fan-out", "aggregate-spills-to-disk", Seen::Below),
    ("partitions-not-pruned", "function-hides-index", Seen::Here),
    ("partitions-not-pruned", "cast-hides-index", Seen::Here),
    // One index ends both.
    ("partitions-not-pruned", "seq-scan-discards-rows", Seen::OnRelation),
    ("partitions-not-pruned", "index-scan-discards-rows", Seen::OnRelation),
    ("limit-walks-unselective-index", "index-scan-discards-rows", Seen::Here),
    ("limit-walks-unselective-index", "estimate-drift", Seen::Here),
    ("limit-walks-unselective-index", "offset-discards-rows", Seen::Above),
    ("order-by-random", "offset-discards-rows", Seen::Above),
    ("seq-scan-discards-rows", "sort-could-use-index", Seen::Above),
    ("index-scan-discards-rows", "sort-could-use-index", Seen::Above),
    ("sort-could-use-index", "sort-spills-to-disk", Seen::Here),
    ("sort-could-use-index", "offset-discards-rows", Seen::Above),
    // One index ends both.
    ("nested-loop-rescans", "join-filter-discards-rows", Seen::Here),
    // A misestimate made the planner choose the loop.
    ("estimate-drift", "nested-loop-rescans", Seen::Above),
    ("estimate-drift", "memoize-thrashes", Seen::Above),
    // Where rows are read in vain, so are their blocks.
    ("seq-scan-discards-rows", "reads-dominate", Seen::Here),
    ("index-scan-discards-rows", "reads-dominate", Seen::Here),
    ("index-scan-discards-rows", "many-blocks-per-row", Seen::Here),
    ("many-blocks-per-row", "reads-dominate", Seen::Here),
    ("subplan-per-row", "reads-dominate", Seen::Below),
    ("subplan-per-row", "many-blocks-per-row", Seen::Below),
    // The columns that a star carries along are what did not fit.
    ("select-star", "sort-spills-to-disk", Seen::Here),
    ("select-star", "hash-spills-to-disk", Seen::Here),
    ("sort-could-use-index", "select-star", Seen::Here),
    ("result-set-unbounded", "select-star", Seen::Anywhere),
    // What is compiled or planned for each partition is no reading of it.
    ("jit-dominates", "partitions-not-pruned", Seen::Anywhere),
    ("planning-dominates", "partitions-not-pruned", Seen::Anywhere),
];

/// Causes whose rewrite or setting changes what the nodes are asked: an index or memory for what they were asked is no
/// longer wanted.
const REWRITES: &[&str] =
    &["function-hides-index", "cast-hides-index", "not-in-subquery", "partitions-not-pruned"];

/// Merges findings of one plan that tell one story. The cause keeps its words; it can recover at least what its
/// symptoms could, and their remedies stand behind its own.
pub(super) fn merge(ctx: &PlanContext, mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() < 2 {
        return findings;
    }
    // For every finding the cause that explains it, followed to the end of the chain.
    let direct = causes(ctx, &findings);
    let ultimate = |at: usize| {
        let chain = std::iter::successors(direct[at], |&next| direct[next]);
        chain.take(EXPLAINS.len()).last()
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
        let rewritten = REWRITES.contains(&&*told.rule)
            && told
                .remedies
                .iter()
                .any(|remedy| matches!(remedy, Remedy::Rewrite(_) | Remedy::Setting { .. }));
        for remedy in symptom.remedies {
            let useless = rewritten && matches!(remedy, Remedy::Index { .. } | Remedy::WorkMem { .. });
            if !useless && !told.remedies.contains(&remedy) {
                told.remedies.push(remedy);
            }
        }
    }
    let mut keep = causes.iter().enumerate().map(|(at, cause)| cause.is_none_or(|cause| cause == at));
    findings.retain(|_| keep.next().unwrap_or(true));
    findings
}

/// For every finding the one that explains it: the first in the table's order, of several the nearest node.
/// Looks from node to node, a few levels up or down at most: linear in the findings.
fn causes(ctx: &PlanContext, findings: &[Finding]) -> Vec<Option<usize>> {
    let mut by_rule: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_place: HashMap<(&str, usize), usize> = HashMap::new();
    let mut by_relation: HashMap<(&str, &str), usize> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        by_rule.entry(&finding.rule).or_default().push(at);
        if let Some(node) = finding.at.node {
            by_place.entry((&finding.rule, node)).or_insert(at);
        }
        if let Some(relation) = finding.relation.as_deref() {
            by_relation.entry((&finding.rule, relation)).or_insert(at);
        }
    }
    let mut found: Vec<Option<usize>> = vec![None; findings.len()];
    for &(cause, symptom, seen) in EXPLAINS {
        let (Some(causes), Some(symptoms)) = (by_rule.get(cause), by_rule.get(symptom)) else { continue };
        if seen == Seen::Above {
            // From each cause up, to the symptoms that it brings about.
            for &at in causes {
                for node in around(ctx, findings[at].at.node) {
                    if let Some(&other) = by_place.get(&(symptom, node)) {
                        found[other].get_or_insert(at);
                    }
                }
            }
            continue;
        }
        for &at in symptoms.iter().filter(|&&at| found[at].is_none()).collect::<Vec<_>>() {
            let place = findings[at].at.node;
            found[at] = match seen {
                Seen::Here => place.and_then(|node| by_place.get(&(cause, node))).copied(),
                Seen::Below => around(ctx, place).find_map(|node| by_place.get(&(cause, node)).copied()),
                Seen::OnRelation => {
                    findings[at].relation.as_deref().and_then(|name| by_relation.get(&(cause, name))).copied()
                }
                Seen::Anywhere | Seen::Above => causes.first().copied(),
            };
        }
    }
    found
}

/// A node and those above it, nearest first.
fn around<'a>(ctx: &PlanContext<'a>, node: Option<usize>) -> impl Iterator<Item = usize> + 'a {
    let plan = ctx.plan;
    node.into_iter().flat_map(move |node| {
        std::iter::once(node).chain(plan.ancestors(node).take(NEAR).map(|above| above.id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_symptoms_are_rules_and_no_story_ends_where_it_began() {
        for (cause, symptom, _) in EXPLAINS {
            for name in [cause, symptom] {
                assert!(super::super::find(name).is_some(), "there is no rule {name}");
            }
            let mut reached = vec![*cause];
            for step in 0..EXPLAINS.len() {
                let Some(&rule) = reached.get(step) else { break };
                assert_ne!(rule, *symptom, "{cause} explains {symptom}, which explains it");
                let further = EXPLAINS.iter().filter(|(_, s, _)| *s == rule).map(|(c, ..)| *c);
                let further: Vec<&str> = further.filter(|c| !reached.contains(c)).collect();
                reached.extend(further);
            }
        }
    }
}
