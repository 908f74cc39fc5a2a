//! A WHERE whose OR reads several tables as one SELECT for each side, put together by UNION ALL.
//!
//! Refuses to rely on keys: each SELECT leaves out what those before it have found, so every row comes as often as it
//! did, duplicates included.

use super::super::operand::name_of;
use super::scope::{
    Known, Rewritten, Scope, all_of, bracketed, conjuncts, disjuncts, gathers, limit_check, ungrouped,
};
use crate::sql::Parsed;
use sqlparser::ast::{
    Distinct, Expr, Join, JoinConstraint, JoinOperator, OrderBy, OrderByKind, Select, SelectItem, SetExpr,
    SetOperator, SetQuantifier, Statement, Value,
};
use std::collections::BTreeSet;

/// Sides of one OR that are told apart: each is a SELECT of its own.
const MOST: usize = 4;

/// Where the OR stands.
#[derive(Clone, Copy)]
enum Stands {
    Where,
    /// In the ON of this item's join.
    On(usize, usize),
}

/// The statement as one SELECT for each side of its OR; `None` where there is none that reads several tables.
pub fn or_to_union(parsed: &Parsed, known: Known) -> Option<Rewritten> {
    let mut statement = parsed.statement.clone();
    let Statement::Query(query) = &mut statement else { return None };
    let to_check = limit_check(query).into_iter().collect();
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    if !ungrouped(select)
        || matches!(select.distinct, Some(Distinct::On(_)))
        || select.projection.iter().any(gathering)
        || !query.locks.is_empty()
    {
        return None;
    }
    let scope = Scope::of(&select.from, known)?;
    let (stands, sides, rest) = places(select).into_iter().find_map(|(stands, condition)| {
        let mut rest = conjuncts(&condition);
        let at = rest.iter().position(|test| across(test, &scope))?;
        let sides = disjuncts(&rest.remove(at));
        Some((stands, sides, rest))
    })?;
    if !(2..=MOST).contains(&sides.len()) {
        return None;
    }
    let distinct = select.distinct.is_some();
    let order = match &query.order_by {
        None => None,
        Some(order) => Some(by_output(order, select, &scope)?),
    };
    let branches: Vec<Select> = (0..sides.len())
        .map(|n| {
            let mut branch = (**select).clone();
            branch.distinct = None;
            // Beside DISTINCT nothing has to be left out: duplicates go anyway.
            let known = if distinct { &sides[..0] } else { &sides[..n] };
            let others = known.iter().map(|side| Expr::IsNotTrue(Box::new(bracketed(side))));
            let condition = all_of(rest.iter().cloned().chain([sides[n].clone()]).chain(others));
            place(&mut branch, stands, condition);
            branch
        })
        .collect();
    let set_quantifier = if distinct { SetQuantifier::None } else { SetQuantifier::All };
    let body = branches.into_iter().map(|b| SetExpr::Select(Box::new(b))).reduce(|left, right| {
        SetExpr::SetOperation {
            left: Box::new(left),
            op: SetOperator::Union,
            set_quantifier,
            right: Box::new(right),
        }
    })?;
    *query.body = body;
    query.order_by = order;
    Some(Rewritten { sql: statement.to_string(), to_check })
}

fn gathering(item: &SelectItem) -> bool {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => gathers(expr),
        _ => false,
    }
}

/// The conditions that a row of the result must meet: WHERE, and the ON of inner joins that no outer join wraps.
fn places(select: &Select) -> Vec<(Stands, Expr)> {
    let mut places: Vec<(Stands, Expr)> =
        select.selection.iter().map(|c| (Stands::Where, c.clone())).collect();
    for (item, tables) in select.from.iter().enumerate() {
        let wraps = |join: &Join| {
            use JoinOperator::{FullOuter, Right, RightOuter};
            matches!(join.join_operator, FullOuter(_) | Right(_) | RightOuter(_))
        };
        if tables.joins.iter().any(wraps) {
            continue;
        }
        for (n, join) in tables.joins.iter().enumerate() {
            if let JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) =
                &join.join_operator
            {
                places.push((Stands::On(item, n), on.clone()));
            }
        }
    }
    places
}

fn place(select: &mut Select, stands: Stands, condition: Option<Expr>) {
    match stands {
        Stands::Where => select.selection = condition,
        Stands::On(item, n) => {
            if let (
                JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)),
                Some(condition),
            ) = (&mut select.from[item].joins[n].join_operator, condition)
            {
                *on = condition;
            }
        }
    }
}

/// An OR whose sides together read more than one table.
fn across(test: &Expr, scope: &Scope) -> bool {
    let sides = disjuncts(test);
    let read: Option<Vec<BTreeSet<usize>>> = sides.iter().map(|side| scope.reads(side)).collect();
    sides.len() > 1 && read.is_some_and(|read| read.into_iter().flatten().collect::<BTreeSet<_>>().len() > 1)
}

/// The order in terms of the result's columns, as a UNION wants it; `None` where it sorts by something else.
fn by_output(order: &OrderBy, select: &Select, scope: &Scope) -> Option<OrderBy> {
    let OrderByKind::Expressions(list) = &order.kind else { return None };
    let mut made = list.clone();
    for key in &mut made {
        if let Expr::Value(value) = &key.expr {
            matches!(value.value, Value::Number(..)).then_some(())?;
            continue;
        }
        let position = select.projection.iter().position(|item| match item {
            SelectItem::UnnamedExpr(expr) => *expr == key.expr,
            SelectItem::ExprWithAlias { expr, alias } => {
                *expr == key.expr || matches!(&key.expr, Expr::Identifier(n) if name_of(n) == name_of(alias))
            }
            _ => false,
        });
        let all = select
            .projection
            .iter()
            .any(|i| matches!(i, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
        key.expr = match (position, &key.expr) {
            // Behind a `*` positions are unknown.
            (Some(position), _) if !all => Expr::value(Value::Number((position + 1).to_string(), false)),
            // `SELECT t.*` of one table: the column's own name tells it.
            (_, Expr::CompoundIdentifier(parts))
                if all && select.projection.len() == 1 && only(select, scope, &key.expr) =>
            {
                Expr::Identifier(parts.last()?.clone())
            }
            (_, Expr::Identifier(name)) if all && select.projection.len() == 1 => {
                Expr::Identifier(name.clone())
            }
            _ => return None,
        };
    }
    Some(OrderBy { kind: OrderByKind::Expressions(made), interpolate: None })
}

/// The select list is `t.*` of the table whose column this is.
fn only(select: &Select, scope: &Scope, column: &Expr) -> bool {
    let owner = scope.owner(column).map(|owner| scope.sources[owner].ident.to_string());
    matches!(&select.projection[..], [item @ SelectItem::QualifiedWildcard(..)] if owner.is_some_and(|o| item.to_string() == format!("{o}.*")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(sql: &str) -> String {
        let made = or_to_union(&Parsed::read(sql).expect("plain SQL"), &|_, _| None);
        made.map_or(String::new(), |made| made.sql)
    }

    #[test]
    fn each_side_of_an_or_becomes_a_select() {
        for (sql, made) in [
            (
                "SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.user_id WHERE o.paid AND (o.ref = 'x' OR u.mail = 'y' AND u.name IS NULL) ORDER BY u.name DESC",
                "SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.user_id WHERE o.paid AND o.ref = 'x' UNION ALL SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.user_id WHERE o.paid AND u.mail = 'y' AND u.name IS NULL AND (o.ref = 'x') IS NOT TRUE ORDER BY 2 DESC",
            ),
            (
                "SELECT o.* FROM orders o JOIN users u ON (u.id = o.user_id OR u.id = o.buyer) ORDER BY o.id LIMIT 5",
                "SELECT o.* FROM orders o JOIN users u ON u.id = o.user_id UNION ALL SELECT o.* FROM orders o JOIN users u ON u.id = o.buyer AND (u.id = o.user_id) IS NOT TRUE ORDER BY id LIMIT 5",
            ),
            (
                "SELECT DISTINCT o.id FROM orders o, users u WHERE o.a = u.a OR o.b = u.b",
                "SELECT o.id FROM orders o, users u WHERE o.a = u.a UNION SELECT o.id FROM orders o, users u WHERE o.b = u.b",
            ),
            // One table; groups; an outer join's own condition; an order that is not selected.
            ("SELECT o.id FROM orders o, users u WHERE o.a = u.a AND (o.b = 1 OR o.c = 2)", ""),
            ("SELECT count(*) FROM orders o, users u WHERE o.a = u.a OR o.b = u.b", ""),
            ("SELECT o.id FROM orders o LEFT JOIN users u ON o.a = u.a OR o.b = u.b", ""),
            ("SELECT o.id FROM orders o, users u WHERE o.a = u.a OR o.b = u.b ORDER BY o.c", ""),
        ] {
            assert_eq!(rewrite(sql), made, "{sql}");
        }
    }
}
