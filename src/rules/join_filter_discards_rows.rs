//! A join that brings many rows together and keeps few of them.
//!
//! Refuses to count the rows of a join that keeps most of what it joins.

use super::support::{finding, join_filter};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy, WantedIndex, WantedKey};
use crate::plan::{Node, Relationship};
use crate::sql::condition::{Comparison, Condition, Shape, Test, condition};
use crate::words::{counted, duration, percent};

pub(super) const SPEC: Spec = Spec {
    name: "join-filter-discards-rows",
    summary: "a join brings many rows together, and the filter behind it keeps few",
    thresholds: &[Threshold {
        name: "min-removed-share",
        default: 0.9,
        unit: "of joined rows",
        why: "a join that keeps most of what it joins has to join it",
    }],
    page: include_str!("../../rules/join-filter-discards-rows.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    ctx.plan.nodes.iter().filter_map(|join| discards(ctx, tuning, join)).collect()
}

fn discards(ctx: &PlanContext, tuning: &Tuning, join: &Node) -> Option<Finding> {
    let filter = join.detail.join_filter.as_deref()?;
    let filtered = join_filter(ctx, join)?;
    if filtered.share() < tuning.get("min-removed-share") {
        return None;
    }
    let mut found = finding(&SPEC, ctx, join).recovering(ctx, filtered.time * filtered.share());
    let equality = join.detail.hash_cond.as_deref().or(join.detail.merge_cond.as_deref());
    let by = equality.map_or(String::new(), |equality| format!(" by {equality}"));
    found.what = format!(
        "the join brings {} together{by}, and its filter discards {} of them",
        counted(filtered.removed + filtered.kept, "row"),
        percent(filtered.share())
    );
    found.why = format!("{} go into pairs that are thrown away: {filter}", duration(filtered.time * filtered.share()));
    found.evidence = vec![
        Evidence::data("rows kept", filtered.kept, "rows"),
        Evidence::data("rows discarded", filtered.removed, "rows"),
        Evidence::timing("time in the join", filtered.time.0, "ms"),
    ];
    let tests = condition(filter);
    let index = sides(ctx, join).into_iter().find_map(|scan| wanted(ctx, join, scan, &tests));
    found.help = match &index {
        Some(Remedy::IndexOn(index)) => {
            let keys: Vec<&str> = index.keys.iter().map(|key| key.text.as_str()).collect();
            format!("an index on {} finds the partners of each row, and no others", keys.join(", "))
        }
        _ => "only an equality can be hashed or merged, and only a comparison of a table's own column can use an index: \
              write the filter as one"
            .to_owned(),
    };
    found.remedies = index.into_iter().collect();
    Some(found)
}

/// The tables that the join reads right below it and that a loop could probe, the one with more rows first. The side
/// whose rows come out in any case cannot be probed by the other.
fn sides<'a>(ctx: &PlanContext<'a>, join: &'a Node) -> Vec<&'a Node> {
    let through = ["Hash", "Sort", "Materialize"];
    let free: &[Relationship] = match join.detail.join_type.as_deref() {
        Some("Inner") => &[Relationship::Outer, Relationship::Inner],
        Some("Left" | "Semi" | "Anti") => &[Relationship::Inner],
        Some("Right" | "Right Semi" | "Right Anti") => &[Relationship::Outer],
        _ => &[],
    };
    let mut scans: Vec<(f64, &Node)> = ctx
        .children(join.id)
        .filter(|n| free.contains(&n.relationship))
        .filter_map(|side| if through.contains(&side.kind.as_str()) { ctx.children(side.id).next() } else { Some(side) })
        .filter_map(|side| table(ctx, side).map(|scan| (side.ran().map_or(0.0, |ran| ran.rows.0), scan)))
        .collect();
    scans.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scans.into_iter().map(|(_, scan)| scan).collect()
}

/// The scan of a table, or that of its first partition.
fn table<'a>(ctx: &PlanContext<'a>, side: &'a Node) -> Option<&'a Node> {
    let scan = match side.kind.as_str() {
        "Append" | "Merge Append" => ctx.children(side.id).find(|n| n.relationship == Relationship::Member)?,
        _ => side,
    };
    scan.detail.relation.is_some().then_some(scan)
}

/// An index of a table for the join's equalities and one comparison of its filter.
fn wanted(ctx: &PlanContext, join: &Node, scan: &Node, filter: &Condition) -> Option<Remedy> {
    let alias = ctx.outer_alias(scan)?;
    let equalities = [&join.detail.hash_cond, &join.detail.merge_cond].into_iter().flatten().map(|t| condition(t));
    let equalities: Vec<Condition> = equalities.collect();
    let mut keys: Vec<String> = equalities.iter().flat_map(Condition::conjuncts).filter_map(|t| own(t, alias)).collect();
    let tests = filter.conjuncts();
    let equal = tests.iter().filter(|t| t.comparison == Comparison::Eq).find_map(|t| own(t, alias));
    let range = || tests.iter().filter(|t| t.comparison.is_range()).find_map(|t| own(t, alias));
    keys.push(equal.or_else(range)?);
    let keys = keys.into_iter().map(|text| WantedKey { text, column: true, descending: false, operator_class: None });
    Some(Remedy::IndexOn(Box::new(WantedIndex {
        schema: scan.detail.schema.clone()?,
        relation: scan.detail.relation.clone()?,
        method: "btree",
        keys: keys.collect(),
        predicate: None,
        extension: None,
    })))
}

/// The table's column that a test compares with something of another table.
fn own(test: &Test, alias: &str) -> Option<String> {
    let right = test.right.as_ref()?;
    let ours = |o: &crate::sql::condition::Operand| o.columns.iter().any(|c| c.qualifier.as_deref() == Some(alias));
    let (mine, other) = if ours(&test.left) { (&test.left, right) } else { (right, &test.left) };
    let plain = mine.shape == Shape::Column && ours(mine) && !ours(other);
    plain.then(|| mine.columns.first().map(|c| c.name.clone())).flatten()
}
