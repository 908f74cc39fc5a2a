//! A function of a column is compared, and so no index on the column can be searched.
//!
//! Refuses to offer an index for what depends on a session's settings: the server would refuse it too.

use super::hidden::{HiddenTest, THRESHOLDS, discarding, hidden_test, remedy, searches};
use super::{Check, Spec, Tuning};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Finding, Remedy};
use crate::sql::condition::{Comparison, Operand, Shape};
use crate::sql::rewrite::sargable;
use crate::sql::volatility::{TypeKind, type_kind};

pub(super) const SPEC: Spec = Spec {
    name: "function-hides-index",
    summary: "a filter compares a function of a column, which no index on the column can search",
    thresholds: THRESHOLDS,
    page: include_str!("../../rules/function-hides-index.md"),
    of_estimates: true,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let found = discarding(ctx, tuning).into_iter().filter_map(|discarding| {
        let scan = discarding.scan.first();
        let test = hidden_test(ctx, tuning, scan, hides)?;
        let columns = test.columns();
        let reason = match test.index {
            Some(index) => format!("{} is sorted by {columns}, not by {}", index.name, test.operand.text),
            None => format!("an index on {columns} would be sorted by {columns}, not by {}", test.operand.text),
        };
        let mut found = discarding.finding(&SPEC, ctx, &test.operand.text, &reason);
        found.index = test.index.map(|index| index.name.clone());
        let rewritten = test.hidden(ctx, scan).zip(ctx.parsed).and_then(|(hidden, parsed)| {
            let rewritten = sargable::rewrite(parsed, &hidden, &test.operand.text)?;
            remedy(test.relation?, hidden.column, rewritten)
        })
            // Where nothing is indexed yet, an index on the expression needs no change of the statement.
            .filter(|_| test.index.is_some() || !test.indexable(ctx));
        found.help = help(ctx, &test, rewritten.is_some());
        found.remedies = match rewritten {
            Some(rewritten) => vec![Remedy::Rewrite(rewritten)],
            // Of an expression too, where an index can hold it: the proposal knows.
            None => vec![Remedy::Index { scan: scan.id, join: None }],
        };
        Some(found)
    });
    found.collect()
}

/// A function or operator over columns; a cast to a date cuts off the time, as a function does.
fn hides(_: Option<&Relation>, operand: &Operand, comparison: &Comparison) -> bool {
    let function = match &operand.shape {
        Shape::Expression => true,
        Shape::CastColumn(to) => [TypeKind::Date, TypeKind::Time].contains(&type_kind(to)),
        _ => false,
    };
    function && searches(comparison)
}

fn help(ctx: &PlanContext, test: &HiddenTest, rewritten: bool) -> String {
    let (columns, expression) = (test.columns(), &test.operand.text);
    match (rewritten, test.index) {
        (true, Some(index)) => format!("compare {columns} itself with values: {} finds them", index.name),
        (true, None) => {
            format!("compare {columns} itself with values, which an index on it can then find")
        }
        (false, _) if test.indexable(ctx) => format!("an index on the expression {expression} can be searched"),
        (false, _) if test.immutable(ctx) => {
            format!("compare {columns} itself, or index {expression} and ANALYZE, so that the planner knows its values")
        }
        (false, _) if test.relation.is_none() => {
            format!("compare {columns} itself, or index {expression} if it is immutable")
        }
        (false, _) => format!("compare {columns} itself: {expression} is not immutable, so that no index can hold it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::found;
    use super::*;

    /// No page can tell this: its cases have a catalog.
    #[test]
    fn without_a_catalog_nobody_knows_whether_the_function_is_immutable() {
        let plan = "Seq Scan on people  (cost=0.00..1500.00 rows=300 width=4) (actual time=0.100..20.000 rows=6 loops=1)\n  \
                    Filter: (lower(name) = 'x'::text)\n  Rows Removed by Filter: 59994\n\
                    Planning Time: 0.1 ms\nExecution Time: 20.1 ms\n";
        let help: Vec<String> = found(&SPEC, plan).expect("a plan").into_iter().map(|f| f.help).collect();
        assert_eq!(help, ["compare name itself, or index lower(name) if it is immutable"]);
    }
}
