//! `NOT IN (SELECT …)` as `NOT EXISTS`, which can be an anti join.
//!
//! Refuses to call the two the same where a NULL could be among either side's values.

use super::scope::{
    Known, Rewritten, Scope, all_of, bare_select, bracketed, column_name, columns, conjuncts, expression,
    gathers, limit_check, negated, ungrouped, unnested,
};
use crate::sql::Parsed;
use sqlparser::ast::{BinaryOperator, Expr, Query, Select, SelectItem, SetExpr, Statement};

/// The statement with each `NOT IN (SELECT …)` of its outermost WHERE as NOT EXISTS; `None` where there is none that
/// can be turned.
pub fn not_in_to_not_exists(parsed: &Parsed, known: Known) -> Option<Rewritten> {
    let mut statement = parsed.statement.clone();
    let Statement::Query(query) = &mut statement else { return None };
    let mut to_check: Vec<String> = limit_check(query).into_iter().collect();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let outer = Scope::of(&select.from, known)?;
    let before = select.selection.clone()?;
    let after = turned(&before, &outer, known, &mut to_check);
    if after == before {
        return None;
    }
    select.selection = Some(after);
    Some(Rewritten { sql: statement.to_string(), to_check })
}

/// The condition with every NOT IN below its ANDs, ORs and brackets turned.
fn turned(expr: &Expr, outer: &Scope, known: Known, to_check: &mut Vec<String>) -> Expr {
    let found = match expr {
        Expr::InSubquery { expr, subquery, negated: true } => Some((expr.as_ref(), subquery.as_ref())),
        _ => match negated(expr) {
            Some(Expr::InSubquery { expr, subquery, negated: false }) => {
                Some((expr.as_ref(), subquery.as_ref()))
            }
            _ => not_all(expr),
        },
    };
    if let Some((left, subquery)) = found {
        return not_exists(left, subquery, outer, known, to_check).unwrap_or_else(|| expr.clone());
    }
    match expr {
        Expr::BinaryOp { left, op, right } if matches!(op, BinaryOperator::And | BinaryOperator::Or) => {
            Expr::BinaryOp {
                left: Box::new(turned(left, outer, known, to_check)),
                op: op.clone(),
                right: Box::new(turned(right, outer, known, to_check)),
            }
        }
        Expr::Nested(inner) => Expr::Nested(Box::new(turned(inner, outer, known, to_check))),
        _ => expr.clone(),
    }
}

/// `x <> ALL (SELECT …)`, which is `NOT IN` in other words.
fn not_all(expr: &Expr) -> Option<(&Expr, &Query)> {
    match expr {
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => match right.as_ref() {
            Expr::Subquery(subquery) => Some((left, subquery)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a condition of the outermost WHERE is `<> ALL (SELECT …)`, below its ANDs, ORs and brackets.
pub fn asks_not_all(parsed: &Parsed) -> bool {
    fn within(expr: &Expr) -> bool {
        match expr {
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                within(left) || within(right)
            }
            Expr::Nested(inner) => within(inner),
            _ => not_all(expr).is_some(),
        }
    }
    parsed.select().and_then(|select| select.selection.as_ref()).is_some_and(within)
}

fn not_exists(
    left: &Expr,
    subquery: &Query,
    outer: &Scope,
    known: Known,
    to_check: &mut Vec<String>,
) -> Option<Expr> {
    let lefts = match unnested(left) {
        Expr::Tuple(list) => list.clone(),
        one => vec![one.clone()],
    };
    let select = bare_select(subquery);
    let inner = select.and_then(|select| Scope::of(&select.from, known));
    let values = select.and_then(values).filter(|values| values.len() == lefts.len());
    let never_null = |value: &Expr| {
        let told = select.and_then(|s| s.selection.as_ref()).is_some_and(|selection| {
            conjuncts(selection).iter().any(|c| matches!(c, Expr::IsNotNull(tested) if **tested == *value))
        });
        told || inner.as_ref().is_some_and(|inner| inner.never_null(value))
    };
    let mut checks = Vec::new();
    for left in &lefts {
        if !outer.never_null(left) {
            checks.push(format!("{left} is never NULL: NOT IN drops such rows, NOT EXISTS keeps them"));
        }
    }
    let unknown = || "the values of the subquery are".to_owned();
    let values_of = |value: &Expr| format!("{value} in the subquery is");
    let doubtful: Vec<String> = match &values {
        Some(values) => values.iter().filter(|value| !never_null(value)).map(values_of).collect(),
        None => vec![unknown()],
    };
    checks.extend(doubtful.iter().map(|what| {
        format!("{what} never NULL: with one NULL among them NOT IN keeps no row at all, NOT EXISTS does")
    }));
    let made = match (select, &inner, &values) {
        (Some(select), Some(inner), Some(values)) => direct(&lefts, select, subquery, outer, inner, values),
        _ => None,
    };
    let made = made.or_else(|| wrapped(&lefts, subquery))?;
    to_check.extend(checks);
    Some(made)
}

/// What a SELECT gives, where every item is an expression.
fn values(select: &Select) -> Option<Vec<Expr>> {
    let value = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
        _ => None,
    };
    select.projection.iter().map(value).collect()
}

/// The subquery with the comparison in its own WHERE: for a plain one, whose names hide none of the outer columns.
fn direct(
    lefts: &[Expr],
    select: &Select,
    subquery: &Query,
    outer: &Scope,
    inner: &Scope,
    values: &[Expr],
) -> Option<Expr> {
    if select.distinct.is_some() || !ungrouped(select) || values.iter().any(gathers) {
        return None;
    }
    let mut conditions = select.selection.as_ref().map(conjuncts).unwrap_or_default();
    for (left, value) in lefts.iter().zip(values) {
        let left = outer.qualify(left).filter(|left| inner.lacks(left))?;
        let value = inner.qualify(value)?;
        conditions.retain(
            |c| !matches!(c, Expr::IsNotNull(tested) if inner.qualify(tested).as_ref() == Some(&value)),
        );
        conditions.push(Expr::BinaryOp {
            left: Box::new(value),
            op: BinaryOperator::Eq,
            right: Box::new(left),
        });
    }
    let mut query = subquery.clone();
    let mut made = select.clone();
    made.projection = vec![SelectItem::UnnamedExpr(expression("1")?)];
    made.selection = all_of(conditions);
    query.order_by = None;
    query.body = Box::new(SetExpr::Select(Box::new(made)));
    Some(Expr::Exists { subquery: Box::new(query), negated: true })
}

/// The subquery as it is, as a table whose columns have names that hide nothing.
fn wrapped(lefts: &[Expr], subquery: &Query) -> Option<Expr> {
    let names: Vec<String> = (1..=lefts.len()).map(|n| format!("value_{n}")).collect();
    let taken =
        |name: &str| lefts.iter().flat_map(columns).any(|c| column_name(&c).is_some_and(|n| n == name));
    if names.iter().any(|name| taken(name)) {
        return None;
    }
    let tests: Vec<String> = lefts
        .iter()
        .zip(&names)
        .map(|(left, name)| format!("excluded.{name} = {}", bracketed(left)))
        .collect();
    expression(&format!(
        "NOT EXISTS (SELECT 1 FROM ({subquery}) AS excluded ({}) WHERE {})",
        names.join(", "),
        tests.join(" AND ")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{Table, TableColumn};
    use super::*;

    fn known(_: Option<&str>, name: &str) -> Option<Table> {
        let column = |name: &str, not_null| TableColumn {
            name: name.to_owned(),
            data_type: "integer".to_owned(),
            not_null,
        };
        let columns = match name {
            "users" => vec![column("id", true), column("name", false)],
            "orders" => vec![column("id", true), column("user_id", true), column("buyer", false)],
            _ => return None,
        };
        Some(Table { columns, keys: vec![vec!["id".to_owned()]] })
    }

    fn rewrite(sql: &str) -> (String, usize) {
        let made = not_in_to_not_exists(&Parsed::read(sql).expect("plain SQL"), &known);
        made.map_or((String::new(), 0), |made| (made.sql, made.to_check.len()))
    }

    #[test]
    fn not_in_becomes_not_exists_and_nulls_are_named() {
        for (sql, made, checks) in [
            (
                "SELECT * FROM users WHERE id NOT IN (SELECT user_id FROM orders)",
                "SELECT * FROM users WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.user_id = users.id)",
                0,
            ),
            (
                "SELECT * FROM users u WHERE u.id > 5 AND NOT (u.id IN (SELECT o.buyer FROM orders o WHERE o.id = 1 OR o.id = 2))",
                "SELECT * FROM users u WHERE u.id > 5 AND NOT EXISTS (SELECT 1 FROM orders o WHERE (o.id = 1 OR o.id = 2) AND o.buyer = u.id)",
                1,
            ),
            (
                "SELECT * FROM users u WHERE u.id NOT IN (SELECT buyer FROM orders WHERE buyer IS NOT NULL)",
                "SELECT * FROM users u WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.buyer = u.id)",
                0,
            ),
            // The inner table has the outer one's name: its columns would hide those of the outer.
            (
                "SELECT * FROM users WHERE id NOT IN (SELECT id FROM users WHERE name = 'x')",
                "SELECT * FROM users WHERE NOT EXISTS (SELECT 1 FROM (SELECT id FROM users WHERE name = 'x') AS excluded (value_1) WHERE excluded.value_1 = id)",
                0,
            ),
            (
                "SELECT * FROM orders o LEFT JOIN users u ON u.id = o.buyer WHERE u.id NOT IN (SELECT max(user_id) FROM orders GROUP BY buyer)",
                "SELECT * FROM orders o LEFT JOIN users u ON u.id = o.buyer WHERE NOT EXISTS (SELECT 1 FROM (SELECT max(user_id) FROM orders GROUP BY buyer) AS excluded (value_1) WHERE excluded.value_1 = u.id)",
                2,
            ),
            ("SELECT * FROM users WHERE id IN (SELECT user_id FROM orders)", "", 0),
        ] {
            assert_eq!(rewrite(sql), (made.to_owned(), checks), "{sql}");
        }
    }
}
