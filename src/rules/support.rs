//! What several rules need: a finding's frame, and where a node stands in its plan.
//!
//! Refuses to decide anything.

use super::{Spec, Threshold};
use crate::context::{NEAR, PlanContext};
use crate::facts::NodeFacts;
use crate::finding::{Confidence, Finding, Severity};
use crate::plan::{Node, Relationship};
use crate::sql::condition::{Comparison, Condition, Operand, Test, condition};
use crate::units::Millis;
use std::collections::HashMap;

// What is lost by reading rows to throw them away is the same, whoever is to blame.
pub(super) const MIN_REMOVED_SHARE: Threshold = Threshold {
    name: "min-removed-share",
    default: 0.9,
    unit: "of rows read",
    why: "an index scan reads pages in random order: below nine in ten discarded it seldom wins",
};
pub(super) const MIN_ROWS: Threshold = Threshold {
    name: "min-rows",
    default: 10_000.0,
    unit: "rows",
    why: "smaller tables are read in about a millisecond",
};
pub(super) const MIN_COST_SHARE: Threshold = Threshold {
    name: "min-cost-share",
    default: 0.3,
    unit: "of plan cost",
    why: "without ANALYZE only the planner's cost ranks nodes",
};

/// A number of rows that is a sum of rounded averages, those of several processes: the last digits mean nothing.
pub(super) fn rounded(rows: f64) -> f64 {
    let unit = 10_f64.powf((rows.max(1.0).log10().floor() - 3.0).max(0.0));
    (rows / unit).round() * unit
}

/// A finding of `spec` at `node` with its place filled in; the sentences and numbers are the rule's.
pub(super) fn finding(spec: &Spec, ctx: &PlanContext, node: &Node) -> Finding {
    Finding {
        rule: spec.name.into(),
        at: ctx.place(node.id),
        relation: node.detail.relation.as_ref().map(|_| ctx.relation_name(node)),
        index: node.detail.index.clone(),
        within: None,
        severity: Severity::Info,
        confidence: if ctx.measured() { Confidence::Measured } else { Confidence::Estimated },
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

impl Finding {
    /// Sets what a remedy could recover, in time and as a share of the execution.
    pub(super) fn recovering(mut self, ctx: &PlanContext, saves: Millis) -> Self {
        self.saves = Some(saves);
        self.share = ctx.facts.execution.filter(|e| e.0 > 0.0).map_or(0.0, |e| (saves.0 / e.0).min(1.0));
        self
    }
}

/// The scan of one table: one node, or those that read its partitions below one Append.
pub(super) struct TableScan<'a> {
    pub nodes: Vec<&'a Node>,
    /// The node that stands for all: the scan itself, or the Append above several.
    pub at: &'a Node,
    /// Schema and name of the partitioned table above several partitions.
    parent: Option<(Option<&'a str>, &'a str)>,
}

/// Puts scans of several partitions of one table together: they tell one story and ask for one index.
pub(super) fn by_table<'a>(
    ctx: &PlanContext<'a>,
    scans: impl Iterator<Item = &'a Node>,
) -> Vec<TableScan<'a>> {
    let mut tables: Vec<TableScan<'a>> = Vec::new();
    let mut known = HashMap::new();
    for scan in scans {
        let parent = scan.parent.filter(|_| scan.relationship == Relationship::Member);
        let place = parent.zip(partitioned(ctx, scan));
        let sibling = place.and_then(|place| Some((place, *known.get(&place)?)));
        match sibling.and_then(|(place, index): (_, usize)| Some((place, tables.get_mut(index)?))) {
            Some(((parent, name), table)) => {
                table.nodes.push(scan);
                table.at = &ctx.plan.nodes[parent];
                table.parent = Some(name);
            }
            None => {
                known.extend(place.map(|place| (place, tables.len())));
                tables.push(TableScan { nodes: vec![scan], at: scan, parent: None });
            }
        }
    }
    tables
}

/// The partitioned table that a scan reads a part of, by schema and name. Where the catalog is unknown it is what
/// the server's numbering of aliases tells: `o_7` of relation `orders_2026_11` is a partition of what the statement
/// calls `o`.
fn partitioned<'a>(ctx: &PlanContext<'a>, scan: &'a Node) -> Option<(Option<&'a str>, &'a str)> {
    if let Some(relation) = ctx.relation(scan) {
        let root = relation.partition_root.as_ref()?;
        return Some((Some(&root.schema), &root.name));
    }
    let parent = ctx.outer_alias(scan)?;
    let (alias, relation) = (scan.detail.alias.as_deref()?, scan.detail.relation.as_deref()?);
    (parent != alias && alias != relation).then_some((None, parent))
}

impl<'a> TableScan<'a> {
    /// The first of the scans: its conditions are those of all.
    pub(super) fn first(&self) -> &'a Node {
        self.nodes[0]
    }

    /// The table as people write it: the partitioned one above several partitions.
    pub(super) fn name(&self, ctx: &PlanContext) -> String {
        match self.parent {
            Some((Some(schema), name)) => crate::sql::ident::qualified(schema, name),
            Some((None, name)) => crate::sql::ident::quote(name),
            None => ctx.relation_name(self.first()),
        }
    }

    /// Sums a number over the scans that have it; `None` where none has.
    pub(super) fn sum(&self, ctx: &PlanContext, number: impl Fn(&NodeFacts) -> Option<f64>) -> Option<f64> {
        self.nodes.iter().filter_map(|n| number(ctx.facts_of(n.id))).reduce(|a, b| a + b)
    }

    /// Time of all scans alone; never more than the whole execution took.
    pub(super) fn self_time(&self, ctx: &PlanContext) -> Option<Millis> {
        let time = Millis(self.sum(ctx, |f| f.self_time.map(|t| t.0))?);
        Some(ctx.facts.execution.map_or(time, |all| if time > all { all } else { time }))
    }

    /// `the sequential scan of public.orders`, or of so many partitions of it.
    pub(super) fn phrase(&self, ctx: &PlanContext, kind: &str) -> String {
        match self.nodes.len() {
            1 => format!("the {kind} of {}", self.name(ctx)),
            many => format!("the {kind} of {many} partitions of {}", self.name(ctx)),
        }
    }

    /// A finding that stands at this scan.
    pub(super) fn finding(&self, spec: &Spec, ctx: &PlanContext) -> Finding {
        let mut found = finding(spec, ctx, self.at);
        found.relation = Some(self.name(ctx));
        found
    }
}

/// What to do about a filter that discards rows: `with_index` where a B-tree index could test part of it.
pub(super) fn filter_help(ctx: &PlanContext, scan: &Node, with_index: &str) -> String {
    let filter = scan.detail.filter.as_deref().map(condition);
    let tests = filter.iter().flat_map(Condition::conjuncts);
    let comparisons: Vec<&Test> = tests.filter(|t| t.comparison != Comparison::IsNotNull).collect();
    let operator = |t: &Test| match &t.comparison {
        Comparison::Operator(operator) => Some(operator.clone()),
        _ => None,
    };
    if ctx.scan_conditions(scan).is_empty() || comparisons.iter().any(|t| usable(t)) {
        return with_index.to_owned();
    }
    if matches!(filter, Some(Condition::Or(_))) {
        return "no single index answers an OR: an index for each of its sides can be combined by a bitmap"
            .to_owned();
    }
    let operators: Vec<String> = comparisons.iter().filter_map(|t| operator(t)).collect();
    let any = |of: &[&str]| operators.iter().any(|o| of.contains(&o.as_str()));
    if any(&["~~", "~~*", "~", "~*"]) {
        "a B-tree index cannot search inside text: a trigram index (pg_trgm) can".to_owned()
    } else if any(&["@>", "<@", "&&", "?", "?|", "?&", "@@", "@?"]) {
        "a B-tree index cannot test this operator: a GIN or GiST index on the column can".to_owned()
    } else {
        "no index is proposed for this filter as it is written: one on a column that is compared with a value would be".to_owned()
    }
}

/// A test that a B-tree index can answer, on a column or on an expression.
fn usable(test: &Test) -> bool {
    match &test.comparison {
        Comparison::Other | Comparison::IsNotNull => false,
        Comparison::Operator(operator) => {
            let pattern = test.right.as_ref().and_then(Operand::literal);
            operator == "~~" && pattern.is_some_and(|p| !p.starts_with(['%', '_']))
        }
        _ => true,
    }
}

/// The nested loop whose inner side this node belongs to, looking through nodes that only pass rows on.
pub(super) fn rescanning_loop<'a>(ctx: &PlanContext<'a>, node: &'a Node) -> Option<&'a Node> {
    let mut below = node;
    for above in ctx.plan.ancestors(node.id).take(NEAR) {
        match above.kind.as_str() {
            "Nested Loop" if below.relationship == Relationship::Inner => return Some(above),
            "Materialize" | "Memoize" | "Result" | "Subquery Scan" | "Append" => below = above,
            _ => return None,
        }
    }
    None
}

/// Share of the plan's estimated cost that a node adds to its children's; 0 where costs are off. Below a subquery that
/// runs for each row, of all of its runs.
pub(super) fn own_cost_share(ctx: &PlanContext, node: &Node) -> f64 {
    let root = ctx.plan.root().map_or(0.0, total_cost);
    let children: f64 = ctx.children(node.id).map(total_cost).sum();
    let mut often = 1.0;
    let mut below = node;
    for above in ctx.plan.ancestors(node.id) {
        if below.relationship == Relationship::SubPlan {
            often *= planned_runs(ctx, below, above);
        }
        below = above;
    }
    if root > 0.0 { ((total_cost(node) - children) * often / root).clamp(0.0, 1.0) } else { 0.0 }
}

fn total_cost(node: &Node) -> f64 {
    node.estimate.map_or(0.0, |e| e.total_cost.0)
}

/// How often a subquery is planned to run: what its node costs beyond what that reads, in runs of the subquery, and no more
/// often than there are rows to run it for. A hashed one is in there once.
fn planned_runs(ctx: &PlanContext, subplan: &Node, node: &Node) -> f64 {
    let beside = |n: &&Node| !matches!(n.relationship, Relationship::SubPlan | Relationship::InitPlan);
    let read: Vec<&Node> = ctx.children(node.id).filter(beside).collect();
    let own = total_cost(node) - read.iter().map(|n| total_cost(n)).sum::<f64>();
    let tested =
        [&node.detail.filter, &node.detail.join_filter].into_iter().flatten().any(|f| f.contains("SubPlan"));
    let given = || {
        ctx.relation(node).and_then(|relation| relation.rows).or_else(|| Some(read.first()?.estimate?.rows.0))
    };
    let rows = if tested { given() } else { node.estimate.map(|e| e.rows.0) };
    let runs = own / total_cost(subplan).max(0.01);
    rows.map_or(runs, |rows| runs.min(rows)).max(1.0)
}

/// Processes that share the estimate of a node below a Gather: the planner divides by workers plus what the
/// leader has left, `max(0, 1 - 0.3 × workers)`.
pub(super) fn planned_processes(ctx: &PlanContext, node: &Node) -> f64 {
    if node.detail.parallel_aware != Some(true) {
        return 1.0;
    }
    let gather = ctx.gather(node.id);
    let workers = gather.and_then(|n| n.workers_planned).map_or(0.0, f64::from);
    workers + (1.0 - 0.3 * workers).max(0.0)
}

/// What the filter of a join has thrown away.
pub(super) struct JoinFilter {
    pub removed: f64,
    pub kept: f64,
    /// Time of the join, with that of an inner side that it reads again for each outer row.
    pub time: Millis,
}

impl JoinFilter {
    pub(super) fn share(&self) -> f64 {
        self.removed / (self.removed + self.kept).max(1.0)
    }
}

/// The numbers of a join's filter; `None` where it has none, or was not measured.
pub(super) fn join_filter(ctx: &PlanContext, join: &Node) -> Option<JoinFilter> {
    let removed = join.detail.rows_removed_by_join_filter? * join.ran()?.loops;
    let kept = ctx.facts_of(join.id).rows_total?.0;
    let inner = ctx.children(join.id).find(|n| n.relationship == Relationship::Inner);
    let again = inner.filter(|n| join.kind == "Nested Loop" && n.ran().is_some_and(|ran| ran.loops > 1.0));
    let below = again.and_then(|n| ctx.subtree_time(n.id)).unwrap_or(Millis(0.0));
    Some(JoinFilter { removed, kept, time: ctx.self_time(join.id)? + below })
}
