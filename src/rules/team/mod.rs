//! Rules that a team writes itself: a page like ours with a block that says when to speak and what.
//!
//! Refuses to know more than our own rules do: they see the facts of one plan, and change nothing.

mod expression;
mod facts;
mod read;
mod template;

pub use facts::{Scope, list as facts};
pub use read::read;

use super::Config;
use super::page::Case;
use crate::context::PlanContext;
use crate::finding::{Confidence, Finding, Place, Remedy, Severity};
use crate::units::Millis;
use expression::Expression;
use facts::{Value, View};
use template::Template;

/// A team's rule.
#[derive(Debug, Clone)]
pub struct Team {
    pub name: String,
    pub summary: String,
    pub thresholds: Vec<Threshold>,
    /// The file that it was read from.
    pub path: String,
    /// The Markdown page.
    pub page: String,
    pub cases: Vec<Case>,
    scope: Scope,
    when: Expression,
    saves: Option<Expression>,
    /// The loudest that it may be.
    cap: Option<Severity>,
    what: Template,
    why: Template,
    help: Template,
    /// Its remedy is an index for the scan that it speaks of.
    index: bool,
}

/// A number that the rule compares with.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    pub name: String,
    pub default: f64,
    pub unit: String,
    /// Where the number comes from.
    pub why: String,
}

impl Team {
    /// Whether it has something to say of a plan that was not executed.
    pub fn of_estimates(&self) -> bool {
        !self.when.measured
    }

    /// The findings in one plan.
    pub(super) fn check(&self, ctx: &PlanContext, config: &Config) -> Vec<Finding> {
        let in_force = self.thresholds.iter().map(|of| {
            let set = config.thresholds.get(&(self.name.clone(), of.name.clone()));
            (read::spelled(&of.name), set.copied().unwrap_or(of.default))
        });
        let thresholds: Vec<(String, f64)> = in_force.collect();
        let thresholds = thresholds.as_slice();
        let speaks = |view: &View| self.when.value(view) == Some(Value::Flag(true));
        match self.scope {
            Scope::Node => {
                let views = ctx.plan.nodes.iter().zip(&ctx.facts.nodes);
                let views = views.map(|node| View { ctx, node: Some(node), thresholds });
                views.filter(|view| speaks(view)).map(|view| self.finding(&view)).collect()
            }
            // A statement is asked about once, whatever the number of its plans.
            Scope::Statement if ctx.run_id > 0 => Vec::new(),
            Scope::Plan | Scope::Statement => {
                let view = View { ctx, node: None, thresholds };
                speaks(&view).then(|| self.finding(&view)).into_iter().collect()
            }
        }
    }

    /// A severity within what the rule may have.
    pub(super) fn capped(&self, severity: Severity) -> Severity {
        self.cap.map_or(severity, |cap| severity.min(cap))
    }

    fn finding(&self, view: &View) -> Finding {
        let ctx = view.ctx;
        let node = view.node.map(|(node, _)| node);
        let confidence = match (self.scope, ctx.measured()) {
            (Scope::Statement, _) => Confidence::Guessed,
            (_, true) => Confidence::Measured,
            (_, false) => Confidence::Estimated,
        };
        let scan = node.filter(|n| {
            let scans = ["Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"];
            self.index && scans.contains(&n.kind.as_str())
        });
        let mut found = Finding {
            rule: self.name.clone().into(),
            at: Place { node: node.map(|n| n.id), ..ctx.place(0) },
            relation: node.and_then(|n| n.detail.relation.as_ref().map(|_| ctx.relation_name(n))),
            index: node.and_then(|n| n.detail.index.clone()),
            within: None,
            severity: Severity::Info,
            confidence,
            what: self.what.fill(view),
            why: self.why.fill(view),
            help: self.help.fill(view),
            evidence: Vec::new(),
            location: None,
            also: Vec::new(),
            saves: None,
            share: 0.0,
            remedies: scan.map(|n| Remedy::Index { scan: n.id, join: None }).into_iter().collect(),
        };
        let saves = self.saves.as_ref().and_then(|saves| saves.value(view));
        if let Some(Value::Number(saves)) = saves {
            // Never more than was spent there, whatever the rule's author thought of.
            let spent = node.map_or(ctx.facts.execution, |n| ctx.subtree_time(n.id));
            if let Some(spent) = spent {
                found = found.recovering(ctx, Millis(saves.clamp(0.0, spent.0.max(0.0))));
            }
        }
        found
    }
}
