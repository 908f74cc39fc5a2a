//! DISTINCT over a join with a table of which nothing is selected, as EXISTS of that table.
//!
//! A LEFT JOIN with such a table is left out. Refuses other outer joins. DISTINCT stays, unless a key of what is left is among the selected columns.

use super::scope::{
    Known, Rewritten, Scope, all_of, asks_subquery, column_name, conjuncts, gathers, limit_check,
};
use crate::sql::Parsed;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, OrderByKind, Query, Select, SelectItem,
    SetExpr, Statement, TableFactor, TableWithJoins,
};
use std::collections::BTreeSet;

/// The statement with the tables that it selects nothing of inside EXISTS; `None` where there is none, or not only inner
/// joins.
pub fn distinct_join_to_exists(parsed: &Parsed, known: Known) -> Option<Rewritten> {
    let mut statement = parsed.statement.clone();
    let Statement::Query(query) = &mut statement else { return None };
    let to_check = limit_check(query).into_iter().collect();
    let order = ordered(query)?;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let selected = selected(select)?;
    if !distinct(select, &selected) {
        return None;
    }
    let whole = Scope::of(&select.from, known)?;
    let wanted: Vec<&Expr> = selected.iter().chain(&order).collect();
    let left_out = leave_out(select, &whole, &wanted)?;
    let scope = Scope::of(&select.from, known)?;
    let mut used = BTreeSet::new();
    for expr in wanted {
        used.extend(scope.reads(expr)?);
    }
    let unused = |source: &usize| !used.contains(source);
    if used.is_empty() {
        return None;
    }
    let keyed = used.iter().all(|&source| keyed(&scope, source, &selected));
    let distinct = (!keyed).then_some(Distinct::Distinct);
    if !(0..scope.sources.len()).any(|source| unused(&source)) {
        if left_out == 0 {
            return None;
        }
        select.distinct = distinct;
        select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
        return Some(Rewritten { sql: statement.to_string(), to_check });
    }
    let (tables, conditions) = flat(&select.from)?;
    let conditions = conditions.into_iter().chain(select.selection.iter().flat_map(conjuncts));
    let (mut within, mut outside) = (Vec::new(), Vec::new());
    for condition in conditions {
        if asks_subquery(&condition) {
            return None;
        }
        let inside = scope.reads(&condition)?.iter().any(unused);
        if inside { within.push(condition) } else { outside.push(condition) }
    }
    let list = |wanted: &dyn Fn(&usize) -> bool| -> Vec<TableFactor> {
        tables.iter().enumerate().filter(|(n, _)| wanted(n)).map(|(_, table)| table.clone()).collect()
    };
    let exists = exists(list(&unused), within)?;
    let mut made = Select::clone(select);
    made.from = joined(list(&|n| used.contains(n)), &mut outside, &scope, &used)?;
    outside.push(exists);
    made.selection = all_of(outside);
    made.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    made.distinct = distinct;
    **select = made;
    Some(Rewritten { sql: statement.to_string(), to_check })
}

/// Takes out the LEFT JOINs with tables that nothing reads but their own conditions, and counts them.
fn leave_out(select: &mut Select, scope: &Scope, wanted: &[&Expr]) -> Option<usize> {
    let mut conditions: Vec<(usize, Expr)> = Vec::new();
    let mut lefts = Vec::new();
    let mut source = 0;
    for (item, tables) in select.from.iter().enumerate() {
        for (n, join) in tables.joins.iter().enumerate() {
            source += 1;
            let (JoinOperator::Join(on)
            | JoinOperator::Inner(on)
            | JoinOperator::CrossJoin(on)
            | JoinOperator::Left(on)
            | JoinOperator::LeftOuter(on)) = &join.join_operator
            else {
                return None;
            };
            if let JoinConstraint::On(on) = on {
                conditions.push((source, on.clone()));
            }
            if matches!(join.join_operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_)) {
                lefts.push((source, item, n));
            }
        }
        source += 1;
    }
    let mut read = BTreeSet::new();
    for expr in wanted.iter().copied().chain(&select.selection) {
        read.extend(scope.reads(expr)?);
    }
    for (own, on) in &conditions {
        read.extend(scope.reads(on)?.into_iter().filter(|table| table != own));
    }
    lefts.retain(|(source, ..)| !read.contains(source));
    for (_, item, n) in lefts.iter().rev() {
        select.from[*item].joins.remove(*n);
    }
    Some(lefts.len())
}

/// The selected expressions; `None` where `*` stands among them.
fn selected(select: &Select) -> Option<Vec<Expr>> {
    let one = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
        _ => None,
    };
    select.projection.iter().map(one).collect()
}

/// Duplicates go: DISTINCT, or a GROUP BY of exactly what is selected.
fn distinct(select: &Select, selected: &[Expr]) -> bool {
    if select.having.is_some() || selected.iter().any(gathers) {
        return false;
    }
    match (&select.distinct, &select.group_by) {
        (Some(Distinct::Distinct), GroupByExpr::Expressions(list, more)) => {
            list.is_empty() && more.is_empty()
        }
        (None, GroupByExpr::Expressions(list, more)) => {
            !list.is_empty()
                && more.is_empty()
                && list.iter().all(|e| selected.contains(e))
                && selected.iter().all(|e| list.contains(e))
        }
        _ => false,
    }
}

/// What the result is sorted by, where it is columns; a position or an output's name is selected anyway.
fn ordered(query: &Query) -> Option<Vec<Expr>> {
    match query.order_by.as_ref().map(|order| &order.kind) {
        None => Some(Vec::new()),
        Some(OrderByKind::Expressions(list)) => Some(
            list.iter().map(|key| key.expr.clone()).filter(|e| !matches!(e, Expr::Identifier(_))).collect(),
        ),
        Some(OrderByKind::All(_)) => None,
    }
}

/// The tables of a FROM list of inner joins, and all their conditions.
fn flat(from: &[TableWithJoins]) -> Option<(Vec<TableFactor>, Vec<Expr>)> {
    let (mut tables, mut conditions) = (Vec::new(), Vec::new());
    for item in from {
        tables.push(item.relation.clone());
        for join in &item.joins {
            let (JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on)) =
                &join.join_operator
            else {
                return None;
            };
            if let JoinConstraint::On(on) = on {
                conditions.extend(conjuncts(on));
            }
            tables.push(join.relation.clone());
        }
    }
    Some((tables, conditions))
}

fn exists(tables: Vec<TableFactor>, conditions: Vec<Expr>) -> Option<Expr> {
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let condition = all_of(conditions)?;
    super::scope::expression(&format!("EXISTS (SELECT 1 FROM {} WHERE {condition})", names.join(", ")))
}

/// The tables that stay, each joined on what it shares with those before it; what is left remains in `conditions`.
fn joined(
    tables: Vec<TableFactor>,
    conditions: &mut Vec<Expr>,
    scope: &Scope,
    used: &BTreeSet<usize>,
) -> Option<Vec<TableWithJoins>> {
    let mut sources = used.iter().copied();
    let mut tables = tables.into_iter();
    let mut made = TableWithJoins { relation: tables.next()?, joins: Vec::new() };
    let mut before: BTreeSet<usize> = sources.next().into_iter().collect();
    for (table, source) in tables.zip(sources) {
        before.insert(source);
        let fits = |e: &Expr| {
            scope.reads(e).is_some_and(|r| r.len() > 1 && r.contains(&source) && r.is_subset(&before))
        };
        let (on, rest): (Vec<Expr>, Vec<Expr>) = conditions.drain(..).partition(|e| fits(e));
        *conditions = rest;
        let join_operator = match all_of(on) {
            Some(on) => JoinOperator::Join(JoinConstraint::On(on)),
            None => JoinOperator::CrossJoin(JoinConstraint::None),
        };
        made.joins.push(Join { relation: table, global: false, join_operator });
    }
    Some(vec![made])
}

/// A key of the table, without NULLs, is among the selected columns.
fn keyed(scope: &Scope, source: usize, selected: &[Expr]) -> bool {
    let Some(table) = &scope.sources[source].table else { return false };
    let own = selected.iter().filter(|e| scope.owner(e) == Some(source) && scope.never_null(e));
    let names: Vec<String> = own.filter_map(column_name).collect();
    table.keys.iter().any(|key| key.iter().all(|column| names.contains(column)))
}

#[cfg(test)]
mod tests {
    use super::super::{Table, TableColumn};
    use super::*;

    fn known(_: Option<&str>, name: &str) -> Option<Table> {
        let columns = match name {
            "users" => &["id", "name", "city_id"][..],
            "orders" => &["id", "user_id"],
            "items" => &["order_id", "price"],
            "cities" => &["id", "city"],
            _ => return None,
        };
        let column = |name: &&str| TableColumn {
            name: (*name).to_owned(),
            data_type: "integer".to_owned(),
            not_null: true,
        };
        Some(Table { columns: columns.iter().map(column).collect(), keys: vec![vec!["id".to_owned()]] })
    }

    fn rewrite(sql: &str) -> String {
        let made = distinct_join_to_exists(&Parsed::read(sql).expect("plain SQL"), &known);
        made.map_or(String::new(), |made| made.sql)
    }

    #[test]
    fn a_table_of_which_nothing_is_selected_goes_into_exists() {
        for (sql, made) in [
            (
                "SELECT DISTINCT u.id, name FROM users u JOIN orders o ON o.user_id = u.id WHERE u.name > 5 AND o.id > 7 ORDER BY name",
                "SELECT u.id, name FROM users u WHERE u.name > 5 AND EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.id > 7) ORDER BY name",
            ),
            (
                "SELECT u.name, c.city FROM orders o JOIN users u ON o.user_id = u.id JOIN cities c ON c.id = u.city_id JOIN items i ON i.order_id = o.id GROUP BY u.name, c.city",
                "SELECT DISTINCT u.name, c.city FROM users u JOIN cities c ON c.id = u.city_id WHERE EXISTS (SELECT 1 FROM orders o, items i WHERE o.user_id = u.id AND i.order_id = o.id)",
            ),
            (
                "SELECT DISTINCT u.id FROM users u LEFT JOIN orders o ON o.user_id = u.id",
                "SELECT u.id FROM users u",
            ),
            (
                "SELECT DISTINCT u.name FROM users u LEFT JOIN orders o ON o.user_id = u.id JOIN cities c ON c.id = u.city_id",
                "SELECT DISTINCT u.name FROM users u WHERE EXISTS (SELECT 1 FROM cities c WHERE c.id = u.city_id)",
            ),
            (
                "SELECT DISTINCT u.id FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.id IS NULL",
                "",
            ),
            ("SELECT DISTINCT u.id, o.id FROM users u JOIN orders o ON o.user_id = u.id", ""),
            ("SELECT u.id, count(*) FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id", ""),
            ("SELECT u.id FROM users u JOIN orders o ON o.user_id = u.id", ""),
            ("SELECT DISTINCT * FROM users u JOIN orders o ON o.user_id = u.id", ""),
        ] {
            assert_eq!(rewrite(sql), made, "{sql}");
        }
    }
}
