//! The page behind a known row instead of the page behind so many rows: OFFSET becomes a comparison.
//!
//! Refuses what has no row of one table behind each row returned: joins, groups, DISTINCT, window functions.

use crate::sql::Parsed;
use crate::sql::ident::{quote, unquote};
use sqlparser::ast::{
    Expr, GroupByExpr, Ident, LimitClause, OrderByExpr, OrderByKind, OrderBySort, Query, Select, SelectItem,
    SetExpr, Statement, TableFactor, Value, visit_expressions,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// A statement that asks for the rows behind one that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyset {
    pub sql: String,
    /// The columns of the order, in its order.
    pub columns: Vec<String>,
    /// The parameters that take their values of the last row seen.
    pub parameters: Vec<String>,
    /// Columns that were added to the order, so that no two rows are equal in it.
    pub added: Vec<String>,
    /// No two rows are equal in the order.
    pub unique: bool,
}

/// The one table that the statement reads.
pub fn table(parsed: &Parsed) -> Option<String> {
    let query = parsed.query().filter(|q| q.with.is_none())?;
    match only_table(plain(query)?)? {
        TableFactor::Table { name, args: None, .. } => name.0.last().map(|part| unquote(&part.to_string())),
        _ => None,
    }
}

/// The statement with a comparison instead of its OFFSET. `keys` are the unique keys of its table whose columns are
/// never null, the best first: the order is made unique by the first of them, where it contains none.
pub fn next_page(parsed: &Parsed, keys: &[Vec<String>]) -> Option<Keyset> {
    let mut query = parsed.query()?.clone();
    let order = match &query.order_by.as_ref()?.kind {
        OrderByKind::Expressions(order) => order.clone(),
        OrderByKind::All(_) => return None,
    };
    let select = plain(&query)?;
    let mut columns: Vec<Key> = order.iter().map(|o| key(o, select)).collect::<Option<_>>()?;
    let holds = |all: &[Key], name: &String| all.iter().any(|k| k.name == *name);
    let mut added = Vec::new();
    let mut unique = keys.iter().any(|key| key.iter().all(|name| holds(&columns, name)));
    if let (false, Some(key)) = (unique, keys.first()) {
        let descending = columns.last()?.descending;
        let table = qualifier(only_table(select)?)?;
        for name in key.iter().filter(|name| !holds(&columns, name)) {
            added.push(Key { sql: format!("{table}.{}", quote(name)), name: name.clone(), descending });
        }
        unique = true;
    }
    match query.limit_clause.as_mut()? {
        LimitClause::LimitOffset { offset, limit, .. } => {
            offset.take()?;
            if limit.is_none() {
                query.limit_clause = None;
            }
        }
        LimitClause::OffsetCommaLimit { .. } => return None,
    }
    let tail: Vec<OrderByExpr> = added.iter().map(Key::ordered).collect::<Option<_>>()?;
    if let Some(OrderByKind::Expressions(order)) = query.order_by.as_mut().map(|o| &mut o.kind) {
        order.extend(tail);
    }
    let added_names = added.iter().map(|k| k.name.clone()).collect();
    columns.extend(added);
    let parameters = free_parameters(&query, columns.len());
    let behind = expression(&comparison(&columns, &parameters))?;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    select.selection = Some(match select.selection.take() {
        Some(before) if matches!(before, Expr::BinaryOp { .. }) && has_or(&before) => {
            and(Expr::Nested(Box::new(before)), behind)
        }
        Some(before) => and(before, behind),
        None => behind,
    });
    Some(Keyset {
        sql: Statement::Query(Box::new(query)).to_string(),
        columns: columns.into_iter().map(|k| k.name).collect(),
        parameters,
        added: added_names,
        unique,
    })
}

/// One column of the order.
struct Key {
    /// As the statement spells it.
    sql: String,
    name: String,
    descending: bool,
}

impl Key {
    fn ordered(&self) -> Option<OrderByExpr> {
        let direction = if self.descending { " DESC" } else { "" };
        let parsed = Parsed::read(&format!("SELECT 1 ORDER BY {}{direction}", self.sql))?;
        match &parsed.query()?.order_by.as_ref()?.kind {
            OrderByKind::Expressions(order) => order.first().cloned(),
            OrderByKind::All(_) => None,
        }
    }
}

/// A SELECT whose rows are rows of its table, one for one.
pub(super) fn plain(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    let mut windowed = false;
    let _ = visit_expressions(&select.projection, |e| {
        windowed |= matches!(e, Expr::Function(f) if f.over.is_some());
        ControlFlow::<()>::Continue(())
    });
    let set = select.distinct.is_some() || grouped || select.having.is_some() || windowed;
    (!set && query.fetch.is_none() && query.locks.is_empty()).then_some(select)
}

pub(super) fn only_table(select: &Select) -> Option<&TableFactor> {
    match &select.from[..] {
        [from] if from.joins.is_empty() => Some(&from.relation),
        _ => None,
    }
}

/// What columns of the table are qualified by.
fn qualifier(table: &TableFactor) -> Option<String> {
    match table {
        TableFactor::Table { alias: Some(alias), .. } => Some(alias.name.to_string()),
        TableFactor::Table { name, .. } => name.0.last().map(ToString::to_string),
        _ => None,
    }
}

/// A column of the table that is no name of an output column, whose expression it would stand for.
fn key(order: &OrderByExpr, select: &Select) -> Option<Key> {
    let name = match &order.expr {
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(parts) => parts.last()?,
        _ => return None,
    };
    let name = unquote(&name.to_string());
    let named = |alias: &Ident| unquote(&alias.to_string()) == name;
    let output = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => named(alias),
        _ => false,
    };
    let descending = match &order.options.sort {
        None | Some(OrderBySort::Asc) => false,
        Some(OrderBySort::Desc) => true,
        Some(OrderBySort::Using(_)) => return None,
    };
    (!select.projection.iter().any(output)).then(|| Key { sql: order.expr.to_string(), name, descending })
}

/// A row comparison where all columns have one direction, else the same spelled out.
fn comparison(keys: &[Key], parameters: &[String]) -> String {
    let operator = |key: &Key| if key.descending { "<" } else { ">" };
    if let [only] = keys {
        return format!("{} {} {}", only.sql, operator(only), parameters[0]);
    }
    if keys.iter().all(|k| k.descending == keys[0].descending) {
        let columns: Vec<&str> = keys.iter().map(|k| k.sql.as_str()).collect();
        return format!("({}) {} ({})", columns.join(", "), operator(&keys[0]), parameters.join(", "));
    }
    let mut sides = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let equal = keys[..at].iter().zip(parameters).map(|(k, p)| format!("{} = {p}", k.sql));
        let tests: Vec<String> =
            equal.chain([format!("{} {} {}", key.sql, operator(key), parameters[at])]).collect();
        sides.push(tests.join(" AND "));
    }
    // The first test alone is one that an index can use.
    format!("({} {}= {} AND ({}))", keys[0].sql, operator(&keys[0]), parameters[0], sides.join(" OR "))
}

fn expression(sql: &str) -> Option<Expr> {
    Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).ok()?.parse_expr().ok()
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: sqlparser::ast::BinaryOperator::And, right: Box::new(right) }
}

fn has_or(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryOp { op: sqlparser::ast::BinaryOperator::Or, .. } => true,
        Expr::BinaryOp { op: sqlparser::ast::BinaryOperator::And, left, right } => {
            has_or(left) || has_or(right)
        }
        _ => false,
    }
}

/// The lowest numbers that no parameter left in the statement has: gaps would have no type.
fn free_parameters(query: &Query, count: usize) -> Vec<String> {
    let mut used = Vec::new();
    let _ = visit_expressions(query, |e| {
        if let Expr::Value(value) = e
            && let Value::Placeholder(name) = &value.value
        {
            used.push(name.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    (1..).map(|n| format!("${n}")).filter(|name| !used.contains(name)).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(sql: &str) -> Option<String> {
        let id = vec![vec!["id".to_owned()]];
        next_page(&Parsed::read(sql).expect("plain SQL"), &id).map(|keyset| keyset.sql)
    }

    #[test]
    fn an_offset_becomes_a_comparison_with_the_last_row_seen() {
        for (sql, rewritten) in [
            (
                "SELECT * FROM t ORDER BY id LIMIT 5 OFFSET 100",
                "SELECT * FROM t WHERE id > $1 ORDER BY id LIMIT 5",
            ),
            (
                "SELECT * FROM t WHERE a = $1 OR b = 2 ORDER BY c DESC LIMIT $2 OFFSET $3",
                "SELECT * FROM t WHERE (a = $1 OR b = 2) AND (c, t.id) < ($3, $4) ORDER BY c DESC, t.id DESC LIMIT $2",
            ),
            (
                "SELECT x.a FROM t AS x ORDER BY x.\"C\", x.id DESC LIMIT 5 OFFSET 100",
                "SELECT x.a FROM t AS x WHERE (x.\"C\" >= $1 AND (x.\"C\" > $1 OR x.\"C\" = $1 AND x.id < $2)) \
                 ORDER BY x.\"C\", x.id DESC LIMIT 5",
            ),
            ("SELECT a FROM t ORDER BY id OFFSET 100", "SELECT a FROM t WHERE id > $1 ORDER BY id"),
        ] {
            assert_eq!(next(sql).as_deref(), Some(rewritten), "{sql}");
        }
    }

    #[test]
    fn what_has_no_row_behind_it_is_left_alone() {
        for sql in [
            "SELECT DISTINCT a FROM t ORDER BY a LIMIT 5 OFFSET 100",
            "SELECT a, count(*) FROM t GROUP BY a ORDER BY a LIMIT 5 OFFSET 100",
            "SELECT row_number() OVER (ORDER BY a), a FROM t ORDER BY a LIMIT 5 OFFSET 100",
            "SELECT t.a FROM t JOIN u ON u.id = t.id ORDER BY t.a LIMIT 5 OFFSET 100",
            "SELECT -a AS a FROM t ORDER BY a LIMIT 5 OFFSET 100",
            "SELECT a FROM t ORDER BY 1 LIMIT 5 OFFSET 100",
            "SELECT a FROM t ORDER BY lower(a) LIMIT 5 OFFSET 100",
            "SELECT a FROM t ORDER BY a USING ~<~ LIMIT 5 OFFSET 100",
            "SELECT a FROM t ORDER BY a LIMIT 5",
            "SELECT a FROM t LIMIT 5 OFFSET 100",
            "SELECT a FROM t UNION ALL SELECT a FROM u ORDER BY a LIMIT 5 OFFSET 100",
        ] {
            assert_eq!(next(sql), None, "{sql}");
        }
    }

    #[test]
    fn the_table_is_named_where_it_is_one() {
        let table = |sql: &str| table(&Parsed::read(sql).expect("plain SQL"));
        assert_eq!(table("SELECT * FROM public.\"T x\" AS y"), Some("T x".to_owned()));
        assert_eq!(table("SELECT * FROM generate_series(1, 2)"), None);
        assert_eq!(table("WITH t AS (SELECT 1) SELECT * FROM t"), None);
        assert_eq!(table("SELECT * FROM t, u"), None);
    }
}
