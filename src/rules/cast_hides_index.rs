//! A column is cast to be compared, and so no index on the column can be searched.
//!
//! Refuses to judge types it does not know: a cast between a domain and its base changes nothing.

use super::hidden::{HiddenTest, THRESHOLDS, discarding, hidden_test, remedy, searches};
use super::support::{by_table, rescanning_loop};
use super::{Check, Spec, Tuning};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Finding, Remedy};
use crate::plan::Node;
use crate::sql::condition::{Comparison, Operand, Shape};
use crate::sql::rewrite::uncast;
use crate::sql::volatility::{TypeKind, type_kind};

pub(super) const SPEC: Spec = Spec {
    name: "cast-hides-index",
    summary: "a filter or a join casts a column, and no index on the column can be searched",
    thresholds: THRESHOLDS,
    page: include_str!("../../rules/cast-hides-index.md"),
    of_estimates: true,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let filtered = discarding(ctx, tuning).into_iter().filter_map(|discarding| {
        let scan = discarding.scan.first();
        let test = hidden_test(ctx, tuning, scan, hides)?;
        let rewritten = test.hidden(ctx, scan).zip(ctx.parsed).and_then(|(hidden, parsed)| {
            let rewritten = uncast::rewrite(parsed, &hidden, cast(&test.operand)?)?;
            remedy(test.relation?, hidden.column, rewritten)
        });
        let mut found = discarding.finding(&SPEC, ctx, &test.operand.text, &reason(&test));
        found.index = test.index.map(|index| index.name.clone());
        found.help = help(ctx, &test, rewritten.is_some());
        found.remedies = match rewritten {
            Some(rewritten) => vec![Remedy::Rewrite(rewritten)],
            // Of an expression too, where an index can hold it: the proposal knows.
            None => vec![Remedy::Index { scan: scan.id, join: None }],
        };
        Some(found)
    });
    let filtered: Vec<Finding> = filtered.collect();
    let scans = ctx.plan.nodes.iter().filter(|n| n.kind == "Seq Scan" && rescanning_loop(ctx, n).is_none());
    let joined = by_table(ctx, scans).into_iter().filter_map(|scan| {
        let (discarding, join) = super::hidden::joined(ctx, tuning, scan)?;
        let scan = discarding.scan.first();
        let test = super::hidden::joined_test(ctx, scan, join, hides)?;
        let mut found = discarding.finding(&SPEC, ctx, &join_text(join, &test), &reason(&test));
        found.index = test.index.map(|index| index.name.clone());
        found.help = help(ctx, &test, false);
        if test.indexable(ctx) {
            found.remedies = vec![Remedy::Index { scan: scan.id, join: Some(join.id) }];
        }
        Some(found)
    });
    filtered.into_iter().chain(joined).collect()
}

/// A cast that changes what the values are sorted by. One that cuts off the time is a function's work.
fn hides(relation: Option<&Relation>, operand: &Operand, comparison: &Comparison) -> bool {
    let from = operand.column().and_then(|c| relation?.column(&c.name)).map(|c| type_kind(&c.data_type));
    let (Some(from), Some(to)) = (from, cast(operand).map(type_kind)) else { return false };
    let known = from != TypeKind::Other && to != TypeKind::Other;
    let cuts = [TypeKind::Date, TypeKind::Time].contains(&to);
    known && from != to && !cuts && searches(comparison)
}

fn cast(operand: &Operand) -> Option<&str> {
    match &operand.shape {
        Shape::CastColumn(to) => Some(to),
        _ => None,
    }
}

fn reason(test: &HiddenTest) -> String {
    let (columns, to) = (test.columns(), cast(&test.operand).unwrap_or("another type"));
    let own = test.operand.column().and_then(|c| test.relation?.column(&c.name));
    let own = own.map_or("another type", |c| &c.data_type);
    match test.index {
        Some(index) => format!("{} holds {columns} as {own}, which is compared as {to}", index.name),
        None => format!("an index on {columns} would hold it as {own}, which is compared as {to}"),
    }
}

fn join_text(join: &Node, test: &HiddenTest) -> String {
    join.detail.hash_cond.clone().unwrap_or_else(|| test.operand.text.clone())
}

fn help(ctx: &PlanContext, test: &HiddenTest, rewritten: bool) -> String {
    let (columns, expression) = (test.columns(), &test.operand.text);
    match (rewritten, test.index) {
        (true, Some(index)) => format!("cast the value to the type of {columns}: {} finds it", index.name),
        (true, None) => format!("cast the value to the type of {columns}, which an index on it can then find"),
        (false, _) if test.indexable(ctx) => {
            format!("give both sides one type, or index the expression {expression}")
        }
        (false, _) => format!("give both sides one type: cast the value to that of {columns}"),
    }
}
