//! What several rules need: a finding's frame, and where a node stands in its plan.
//!
//! Refuses to decide anything.

use super::Spec;
use crate::context::PlanContext;
use crate::finding::{Confidence, Finding, Severity};
use crate::plan::{Node, Relationship};
use crate::units::Millis;

/// A finding of `spec` at `node` with its place filled in; the sentences and numbers are the rule's.
pub(super) fn finding(spec: &Spec, ctx: &PlanContext, node: &Node) -> Finding {
    Finding {
        rule: spec.name,
        at: ctx.place(node.id),
        relation: node.detail.relation.as_ref().map(|_| ctx.relation_name(node)),
        index: node.detail.index.clone(),
        severity: Severity::Info,
        confidence: if ctx.measured() { Confidence::Measured } else { Confidence::Estimated },
        what: String::new(),
        why: String::new(),
        help: String::new(),
        evidence: Vec::new(),
        saves: None,
        share: 0.0,
        remedies: Vec::new(),
    }
}

impl Finding {
    /// Sets what a remedy could recover, in time and as a share of the execution.
    pub(super) fn recovering(mut self, ctx: &PlanContext, saves: Millis) -> Self {
        self.saves = Some(saves);
        self.share = ctx.facts.execution.filter(|e| e.0 > 0.0).map_or(0.0, |e| (saves.0 / e.0).min(1.0));
        self
    }
}

/// The nested loop whose inner side this node belongs to, looking through nodes that only pass rows on.
pub(super) fn rescanning_loop<'a>(ctx: &PlanContext<'a>, node: &'a Node) -> Option<&'a Node> {
    let mut below = node;
    for above in ctx.plan.ancestors(node.id) {
        match above.kind.as_str() {
            "Nested Loop" if below.relationship == Relationship::Inner => return Some(above),
            "Materialize" | "Memoize" | "Result" | "Subquery Scan" | "Append" => below = above,
            _ => return None,
        }
    }
    None
}

/// Share of the plan's estimated cost that a node adds to its children's; 0 where costs are off.
pub(super) fn own_cost_share(ctx: &PlanContext, node: &Node) -> f64 {
    let total = |n: &Node| n.estimate.map_or(0.0, |e| e.total_cost.0);
    let root = ctx.plan.root().map_or(0.0, total);
    let children: f64 = ctx.plan.children(node.id).map(total).sum();
    if root > 0.0 { ((total(node) - children) / root).clamp(0.0, 1.0) } else { 0.0 }
}

/// Processes that share the estimate of a node below a Gather: the planner divides by workers plus what the
/// leader has left, `max(0, 1 - 0.3 × workers)`.
pub(super) fn planned_processes(ctx: &PlanContext, node: &Node) -> f64 {
    if node.detail.parallel_aware != Some(true) {
        return 1.0;
    }
    let gather = ctx.plan.ancestors(node.id).find(|n| n.workers_planned.is_some());
    let workers = gather.and_then(|n| n.workers_planned).map_or(0.0, f64::from);
    workers + (1.0 - 0.3 * workers).max(0.0)
}
