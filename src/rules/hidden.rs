//! What the rules about hidden indexes share: scans that discard rows at a cost, and the test that no index searches.
//!
//! Refuses to say why an index cannot search it: that is each rule's own.

use super::support::{
    MIN_COST_SHARE, MIN_REMOVED_SHARE, MIN_ROWS, TableScan, by_table, own_cost_share, planned_processes,
    rescanning_loop, rounded,
};
use super::{Spec, Threshold, Tuning};
use crate::catalog::{Index, Relation};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Rewrite};
use crate::plan::Node;
use crate::sql::condition::{Comparison, Condition, Operand, Shape, Test, condition};
use crate::sql::ident::quote;
use crate::sql::rewrite::{Hidden, Sargable};
use crate::sql::volatility::{immutable, type_kind};
use crate::units::Millis;
use crate::words::{counted, duration, percent};

/// As `seq-scan-discards-rows` has them: what is lost is the same, whoever is to blame.
pub(super) const THRESHOLDS: &[Threshold] = &[MIN_REMOVED_SHARE, MIN_ROWS, MIN_COST_SHARE];

const SCANS: &[&str] = &["Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"];

/// Scans of one table whose filter throws away most of what they read.
pub(super) struct Discarding<'a> {
    pub scan: TableScan<'a>,
    read: f64,
    kept: f64,
    /// `None` where nothing was executed.
    time: Option<Millis>,
    /// Of the plan's cost, where nothing was executed.
    cost_share: f64,
}

/// Every scan whose filter discards rows at a cost, but not one that a nested loop repeats: `nested-loop-rescans` tells
/// that story.
pub(super) fn discarding<'a>(ctx: &PlanContext<'a>, tuning: &Tuning) -> Vec<Discarding<'a>> {
    let scans = ctx.plan.nodes.iter().filter(|n| {
        let repeated = || n.kind == "Seq Scan" && rescanning_loop(ctx, n).is_some();
        n.detail.filter.is_some() && SCANS.contains(&n.kind.as_str()) && !repeated()
    });
    let all = by_table(ctx, scans).into_iter();
    all.filter_map(|scan| if ctx.measured() { measured(ctx, scan) } else { estimated(ctx, scan) })
        .filter(|d| {
            d.removed_share() >= tuning.get("min-removed-share")
                && d.read >= tuning.get("min-rows")
                && (d.time.is_some() || d.cost_share >= tuning.get("min-cost-share"))
        })
        .collect()
}

fn measured<'a>(ctx: &PlanContext<'a>, scan: TableScan<'a>) -> Option<Discarding<'a>> {
    // Not the facts' sum: what a recheck removed is no matter of conditions.
    let removed_by = |n: &Node| Some(n.detail.rows_removed_by_filter? * n.ran()?.loops);
    let removed: f64 = scan.nodes.iter().filter_map(|n| removed_by(n)).sum();
    let kept = scan.sum(ctx, |f| f.rows_total.map(|r| r.0))?;
    let bitmaps = scan.nodes.iter().flat_map(|n| ctx.children(n.id)).filter_map(|n| ctx.subtree_time(n.id));
    let time = scan.self_time(ctx)? + bitmaps.sum::<Millis>();
    Some(Discarding { read: kept + removed, kept, time: Some(time), cost_share: 0.0, scan })
}

fn estimated<'a>(ctx: &PlanContext<'a>, scan: TableScan<'a>) -> Option<Discarding<'a>> {
    let sum = |number: fn(&PlanContext, &Node) -> Option<f64>| {
        scan.nodes.iter().map(|n| number(ctx, n)).try_fold(0.0, |sum, n| Some(sum + n?))
    };
    // How many rows an index finds before the filter no plan says.
    let read = sum(|ctx, n| ctx.relation(n).filter(|_| n.kind == "Seq Scan")?.rows)?;
    let kept = sum(|ctx, n| Some(n.estimate?.rows.0 * planned_processes(ctx, n)))?;
    let cost_share = sum(|ctx, n| Some(own_cost_share(ctx, n)))?;
    Some(Discarding { read, kept, time: None, cost_share, scan })
}

impl Discarding<'_> {
    fn removed_share(&self) -> f64 {
        1.0 - (self.kept / self.read.max(1.0)).min(1.0)
    }

    /// A finding with its numbers: `what` names the test, `reason` says why no index searches it.
    pub(super) fn finding(&self, spec: &Spec, ctx: &PlanContext, what: &str, reason: &str) -> Finding {
        let mut found = self.scan.finding(spec, ctx);
        let rows = crate::words::count(rounded(self.read));
        found.evidence = vec![
            Evidence::data("rows read", self.read, "rows"),
            Evidence::data("rows kept", self.kept, "rows"),
        ];
        let place = match self.scan.nodes.len() {
            1 => self.scan.name(ctx),
            many => format!("{many} partitions of {}", self.scan.name(ctx)),
        };
        match self.time {
            Some(time) => {
                let saves = time * self.removed_share();
                found = found.recovering(ctx, saves);
                found.what = format!(
                    "{what} is tested on {rows} rows of {place} to keep {}",
                    crate::words::count(self.kept)
                );
                found.why = format!("{} go into rows that are thrown away: {reason}", duration(saves));
                found.evidence.push(Evidence::timing("time in the scan", time.0, "ms"));
            }
            None => {
                found.share = self.cost_share * self.removed_share();
                found.what = format!(
                    "{what} would be tested on {rows} rows of {place} to keep about {}",
                    counted(self.kept, "row")
                );
                found.why =
                    format!("that is {} of the plan's estimated cost: {reason}", percent(self.cost_share));
                found.evidence.push(Evidence::data("share of plan cost", self.cost_share, "ratio"));
            }
        }
        found
    }
}

/// A test that keeps an index from being used.
pub(super) struct HiddenTest<'a> {
    /// The side that is made of the table's columns.
    pub operand: Operand,
    pub comparison: Comparison,
    pub value: Operand,
    pub relation: Option<&'a Relation>,
    /// An index that could search the bare column.
    pub index: Option<&'a Index>,
}

/// The test of a scan's filter that `hides` an index. Where another test is as selective as the scan is, or where there
/// is no index to be hidden and another test could have one, then that index is what the scan lacks.
pub(super) fn hidden_test<'a>(
    ctx: &PlanContext<'a>,
    tuning: &Tuning,
    scan: &Node,
    hides: impl Fn(Option<&Relation>, &Operand, &Comparison) -> bool,
) -> Option<HiddenTest<'a>> {
    let relation = ctx.relation(scan);
    let filter = condition(scan.detail.filter.as_deref()?);
    let tests: Vec<&Test> = filter.conjuncts();
    let ours = |operand: &Operand| {
        let alias = scan.detail.alias.as_deref();
        !operand.columns.is_empty()
            && operand.columns.iter().all(|c| c.qualifier.is_none() || c.qualifier.as_deref() == alias)
    };
    let hidden = |test: &&Test| -> Option<HiddenTest<'a>> {
        let right = test.right.as_ref()?;
        let sides = [
            Some((&test.left, test.comparison.clone(), right)),
            test.comparison.flipped().map(|flipped| (right, flipped, &test.left)),
        ];
        let (operand, comparison, value) =
            sides.into_iter().flatten().find(|(operand, comparison, value)| {
                ours(operand) && value.columns.is_empty() && hides(relation, operand, comparison)
            })?;
        let index = relation.and_then(|r| leading(r, operand));
        Some(HiddenTest { operand: operand.clone(), comparison, value: value.clone(), relation, index })
    };
    let mut found: Vec<HiddenTest> = tests.iter().filter_map(hidden).collect();
    found.sort_by_key(|test| test.index.is_none());
    let searchable = |t: &Test| t.left.shape == Shape::Column && searches(&t.comparison);
    let selective = |t: &Test| {
        let column = t.left.column().zip(relation).and_then(|(c, r)| Some((r.column(&c.name)?, r.rows?)));
        let distinct = column.and_then(|(column, rows)| Some(column.statistics.as_ref()?.distinct(rows)));
        t.comparison == Comparison::Eq
            && distinct.is_some_and(|distinct| 1.0 - 1.0 / distinct >= tuning.get("min-removed-share"))
    };
    let other = |found: &HiddenTest| {
        let mut others = tests.iter().filter(|t| searchable(t));
        others.any(|t| found.index.is_none() || selective(t))
    };
    found.into_iter().find(|found| !other(found))
}

/// A scan whose rows mostly find no partner in the hash join above it, which has few rows on its other side, and that
/// join. The joins and the numbers are those of `seq-scan-discards-rows`.
pub(super) fn joined<'a>(
    ctx: &PlanContext<'a>,
    tuning: &Tuning,
    scan: TableScan<'a>,
) -> Option<(Discarding<'a>, &'a Node)> {
    let join = ctx.above(scan.at.id, &["Hash", "Gather", "Gather Merge"])?;
    if join.kind != "Hash Join" {
        return None;
    }
    let read = scan.sum(ctx, |f| Some(f.rows_total?.0 + f.rows_removed_total.map_or(0.0, |r| r.0)))?;
    let kept = ctx.facts_of(join.id).rows_total?.0.min(read);
    let side = ctx.children(join.id).find(|child| !ctx.facts.tree.subtree(child.id).contains(&scan.at.id))?;
    let probes = ctx.facts_of(side.id).rows_total?.0;
    let time = Some(scan.self_time(ctx)?);
    let found = Discarding { read, kept, time, cost_share: 0.0, scan };
    let discards = found.removed_share() >= tuning.get("min-removed-share") && read >= tuning.get("min-rows");
    (discards && probes <= read * MAX_PROBES).then_some((found, join))
}

/// Joining by index costs one probe per row of the other side, about as much as scanning 100 rows.
const MAX_PROBES: f64 = 0.01;

/// The condition of a join that `hides` an index on the scan's table.
pub(super) fn joined_test<'a>(
    ctx: &PlanContext<'a>,
    scan: &'a Node,
    join: &Node,
    hides: impl Fn(Option<&Relation>, &Operand, &Comparison) -> bool,
) -> Option<HiddenTest<'a>> {
    let relation = ctx.relation(scan);
    let alias = ctx.outer_alias(scan);
    let conditions = ctx.join_conditions(join);
    let mut tests = conditions.iter().flat_map(Condition::conjuncts);
    tests.find_map(|test| {
        let right = test.right.as_ref()?;
        let ours = |o: &Operand| o.columns.iter().all(|c| c.qualifier.as_deref() == alias);
        let sides = [(&test.left, right), (right, &test.left)];
        let hidden =
            |(operand, _): &(&Operand, &Operand)| ours(operand) && hides(relation, operand, &test.comparison);
        let (operand, value) = sides.into_iter().find(hidden)?;
        let index = relation.and_then(|r| leading(r, operand));
        let (operand, value) = (operand.clone(), value.clone());
        Some(HiddenTest { operand, comparison: test.comparison.clone(), value, relation, index })
    })
}

/// A B-tree index whose first key is a column of the operand.
fn leading<'a>(relation: &'a Relation, operand: &Operand) -> Option<&'a Index> {
    let leads = |index: &&Index| {
        index.keys.first().is_some_and(|key| key.column && operand.columns.iter().any(|c| c.name == key.text))
    };
    relation.indexes.iter().filter(|i| i.usable && i.method == "btree").find(leads)
}

/// What a B-tree searches, given the right operand.
pub(super) fn searches(comparison: &Comparison) -> bool {
    matches!(comparison, Comparison::Eq | Comparison::AnyEq) || comparison.is_range()
}

impl<'a> HiddenTest<'a> {
    /// An index can hold the operand, and the planner takes it without knowing its values.
    pub(super) fn indexable(&self, ctx: &PlanContext) -> bool {
        !self.comparison.is_range() && self.immutable(ctx)
    }

    pub(super) fn immutable(&self, ctx: &PlanContext) -> bool {
        let Some(relation) = self.relation else { return false };
        immutable(
            &self.operand.text,
            &|name| relation.column(name).map(|c| type_kind(&c.data_type)),
            &|function| ctx.catalog.immutable(function),
        )
    }

    /// The one column of the operand, for who writes the test anew.
    pub(super) fn hidden(&'a self, ctx: &PlanContext<'a>, scan: &'a Node) -> Option<Hidden<'a>> {
        let [column] = &self.operand.columns[..] else { return None };
        let column = self.relation?.column(&column.name)?;
        Some(Hidden {
            column: &column.name,
            alias: ctx.outer_alias(scan),
            data_type: &column.data_type,
            kind: type_kind(&column.data_type),
            not_null: column.not_null,
        })
    }

    /// The names of the operand's columns, as people write them.
    pub(super) fn columns(&self) -> String {
        let names: Vec<String> = self.operand.columns.iter().map(|c| quote(&c.name)).collect();
        names.join(" and ")
    }
}

/// A rewritten statement as a remedy for a test of `column`. Another name for it has come from a view or a subquery; where
/// the table has a column of that name, it is that one's test that was written anew, and no remedy.
pub(super) fn remedy(relation: &Relation, column: &str, rewritten: Sargable) -> Option<Rewrite> {
    let mut to_check = rewritten.to_check;
    if let Some(name) = rewritten.renamed {
        if relation.column(&name).is_some() {
            return None;
        }
        to_check.push(format!(
            "{} is the column {} of {}",
            quote(&name),
            quote(column),
            relation.qualified()
        ));
    }
    Some(Rewrite { sql: rewritten.sql, to_check })
}

/// The tests of an OR count too: every test of a scan, in whatever combination.
pub(super) fn all_tests(conditions: &[Condition]) -> Vec<&Test> {
    conditions.iter().flat_map(Condition::tests).collect()
}
