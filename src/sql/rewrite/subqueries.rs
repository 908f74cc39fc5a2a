//! Scalar subqueries that depend on the outer row as LEFT JOINs, so that they are answered for all rows at once.
//!
//! Refuses what is not one row per outer row for sure: a subquery in GROUP BY, one with LIMIT, one that compares by
//! anything but equality.

use super::super::operand::name_of;
use super::scope::{
    Known, Rewritten, Scope, all_of, bare_select, bracketed, column_name, columns, conjuncts, expression,
    gathers, known_aggregate, limit_check, ungrouped, unnested,
};
use crate::sql::{Parsed, ident};
use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, Ident, Query, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    Statement, TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The statement with each scalar subquery of its SELECT list and WHERE that can be one as a LEFT JOIN; `None` where
/// none of them reads a table that a plan calls by one of `aliases`.
pub fn subqueries_to_joins(parsed: &Parsed, known: Known, aliases: &[&str]) -> Option<Rewritten> {
    let mut statement = parsed.statement.clone();
    let Statement::Query(query) = &mut statement else { return None };
    let mut to_check: Vec<String> = limit_check(query).into_iter().collect();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let outer = Scope::of(&select.from, known)?;
    if !ungrouped(select) || matches!(select.distinct, Some(Distinct::On(_))) {
        return None;
    }
    let mut turn = Turn { outer: &outer, known, depth: 0, taken: BTreeSet::new(), made: Vec::new() };
    // First what names are taken, then the subqueries.
    let mut look = Look { depth: 0, names: BTreeSet::new(), gathers: false };
    let _ = select.projection.visit(&mut look);
    let _ = select.selection.visit(&mut look);
    let _ = query.order_by.visit(&mut look);
    if look.gathers {
        return None;
    }
    turn.taken = look.names;
    turn.taken.extend(outer.sources.iter().map(|source| source.alias.clone()));
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item {
            let name = output_name(expr);
            let before = expr.clone();
            let _ = expr.visit(&mut turn);
            if let Some(alias) = name.filter(|_| *expr != before) {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        } else {
            let _ = item.visit(&mut turn);
        }
    }
    let _ = select.selection.visit(&mut turn);
    let made = turn.made;
    // The server numbers an alias that is there twice.
    let calls = |printed: &str, alias: &str| {
        printed.strip_prefix(alias).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    if !made.iter().flat_map(|join| &join.reads).any(|own| aliases.iter().any(|alias| calls(alias, own))) {
        return None;
    }
    select.projection = select.projection.iter().flat_map(|item| starless(item, &outer)).collect();
    for join in made {
        let joined = joined(&join.text)?;
        select.from.get_mut(join.item)?.joins.extend(joined.joins);
        to_check.extend(join.to_check);
    }
    Some(Rewritten { sql: statement.to_string(), to_check })
}

/// What the server calls the column of a subquery that has no other name: as the subquery's own column.
fn output_name(expr: &Expr) -> Option<Ident> {
    let Expr::Subquery(query) = unnested(expr) else { return None };
    match bare_select(query)?.projection.first()? {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Function(function)) => function.name.0.last()?.as_ident().cloned(),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        _ => None,
    }
}

/// `*` named table by table, so that the joined columns are not among it.
fn starless(item: &SelectItem, outer: &Scope) -> Vec<SelectItem> {
    let SelectItem::Wildcard(_) = item else { return vec![item.clone()] };
    let of = |ident: &Ident| {
        let name = SelectItemQualifiedWildcardKind::ObjectName(vec![ident.clone()].into());
        SelectItem::QualifiedWildcard(name, WildcardAdditionalOptions::default())
    };
    outer.sources.iter().map(|source| of(&source.ident)).collect()
}

/// `LEFT JOIN … ON …` as tree.
fn joined(text: &str) -> Option<TableWithJoins> {
    let sql = format!("SELECT 1 FROM t {text}");
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql).ok()?;
    let Statement::Query(query) = statements.pop()? else { return None };
    match *query.body {
        SetExpr::Select(mut select) => select.from.pop(),
        _ => None,
    }
}

/// Names that stand without a table's in the outer query, and whether it gathers rows.
struct Look {
    depth: usize,
    names: BTreeSet<String>,
    gathers: bool,
}

impl VisitorMut for Look {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Identifier(name) => {
                self.names.insert(name_of(name));
            }
            Expr::Function(_) => self.gathers |= gathers_itself(expr),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The call itself gathers rows; what its arguments ask in a subquery is that one's matter.
fn gathers_itself(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    let mut bare = function.clone();
    bare.args = sqlparser::ast::FunctionArguments::None;
    gathers(&Expr::Function(bare))
}

struct Turn<'a> {
    outer: &'a Scope,
    known: Known<'a>,
    depth: usize,
    taken: BTreeSet<String>,
    made: Vec<Joined>,
}

/// One subquery as a join.
struct Joined {
    text: String,
    /// The item of the outer FROM that it is joined to.
    item: usize,
    /// What its tables are called.
    reads: Vec<String>,
    to_check: Vec<String>,
}

impl VisitorMut for Turn<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let (0, Expr::Subquery(query)) = (self.depth, &*expr)
            && let Some((value, joined)) = self.join(query)
        {
            *expr = value;
            self.made.push(joined);
        }
        self.depth += usize::from(compares_rows(expr));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.depth -= usize::from(compares_rows(expr));
        ControlFlow::Continue(())
    }
}

/// `= ANY (SELECT …)` and `<> ALL (SELECT …)`: the subquery is no scalar one.
fn compares_rows(expr: &Expr) -> bool {
    matches!(expr, Expr::AnyOp { .. } | Expr::AllOp { .. })
}

impl Turn<'_> {
    /// A name that nothing else has.
    fn fresh(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|n| format!("{wanted}_{n}"));
        let free = std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !self.taken.contains(name));
        free.unwrap_or_default()
    }

    fn join(&mut self, query: &Query) -> Option<(Expr, Joined)> {
        let select = bare_select(query)?;
        let (1, Some(SelectItem::UnnamedExpr(wanted) | SelectItem::ExprWithAlias { expr: wanted, .. })) =
            (select.projection.len(), select.projection.first())
        else {
            return None;
        };
        if select.distinct.is_some() || !ungrouped(select) {
            return None;
        }
        let inner = Scope::of(&select.from, self.known)?;
        let (keys, kept) = self.keys(select.selection.as_ref()?, &inner)?;
        let items: BTreeSet<usize> = keys
            .iter()
            .flat_map(|(_, outer)| self.outer.reads(outer).unwrap_or_default())
            .map(|source| self.outer.sources[source].item)
            .collect();
        let item = *items.first().filter(|_| items.len() == 1)?;
        let first = &inner.sources.first()?.alias;
        let by: Vec<String> = keys.iter().filter_map(|(inner, _)| column_name(inner)).collect();
        let alias =
            self.fresh(&format!("{first}_by_{}", if by.is_empty() { "key".into() } else { by.join("_") }));
        self.taken.insert(alias.clone());
        let mut made = Columns { alias: ident::quote(&alias), list: Vec::new() };
        let mut tests = Vec::new();
        for (key, outer) in &keys {
            let name = self.fresh(&column_name(key).unwrap_or_else(|| "key".to_owned()));
            let key_column = made.add(key, &name);
            tests.push(format!("{key_column} = {}", bracketed(outer)));
        }
        let mut to_check: Vec<String> =
            keys.iter().filter_map(|(key, outer)| self.same_type(key, outer, &inner)).collect();
        let grouped = gathers(wanted);
        let value = match grouped {
            true => self.value(wanted, &inner, &mut made)?,
            false => {
                inner.owner(wanted)?;
                to_check.extend(many(&keys, &inner));
                let name = self.fresh(&column_name(wanted)?);
                expression(&made.add(wanted, &name))?
            }
        };
        let by: Vec<String> = keys.iter().map(|(key, _)| key.to_string()).collect();
        let from: Vec<String> = select.from.iter().map(ToString::to_string).collect();
        let condition = all_of(kept).map_or(String::new(), |kept| format!(" WHERE {kept}"));
        let group = if grouped { format!(" GROUP BY {}", by.join(", ")) } else { String::new() };
        let text = format!(
            "LEFT JOIN (SELECT {} FROM {}{condition}{group}) AS {} ON {}",
            made.list.iter().map(|(_, item)| item.as_str()).collect::<Vec<_>>().join(", "),
            from.join(", "),
            made.alias,
            tests.join(" AND ")
        );
        let reads = inner.sources.iter().map(|source| source.alias.clone()).collect();
        Some((value, Joined { text, item, reads, to_check }))
    }

    /// The condition's equalities between an inner and an outer expression, and what else it says of the inner tables;
    /// `None` where it says anything else.
    #[allow(clippy::type_complexity)] // A list of pairs and a list.
    fn keys(&self, condition: &Expr, inner: &Scope) -> Option<(Vec<(Expr, Expr)>, Vec<Expr>)> {
        let (mut keys, mut kept) = (Vec::new(), Vec::new());
        let within = |e: &Expr| inner.reads(e).is_some();
        let without = |e: &Expr| {
            let columns = columns(e);
            !columns.is_empty() && columns.iter().all(|c| inner.lacks(c) && self.outer.owner(c).is_some())
        };
        for test in conjuncts(condition) {
            if within(&test) {
                kept.push(test);
                continue;
            }
            let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = &test else { return None };
            let pair = match (within(left) && !columns(left).is_empty(), without(right)) {
                (true, true) => (left, right),
                _ if within(right) && !columns(right).is_empty() && without(left) => (right, left),
                _ => return None,
            };
            keys.push(((**pair.0).clone(), (**pair.1).clone()));
        }
        (!keys.is_empty()).then_some((keys, kept))
    }

    /// What has to be checked where groups by one type are matched by another.
    fn same_type(&self, key: &Expr, outer: &Expr, inner: &Scope) -> Option<String> {
        let kind = |scope: &Scope, e: &Expr| scope.column(e).map(|(_, c)| c.data_type.clone());
        let same = kind(inner, key).zip(kind(self.outer, outer)).is_some_and(|(a, b)| bare(&a) == bare(&b));
        (!same).then(|| {
            format!("{key} and {outer} have the same type, so that values that are equal form one group")
        })
    }

    /// The expression over the groups: each aggregate a column of the joined table, a count 0 where no row joins.
    fn value(&mut self, wanted: &Expr, inner: &Scope, made: &mut Columns) -> Option<Expr> {
        struct Calls<'a>(&'a Scope, &'a mut Columns, bool);
        impl VisitorMut for Calls<'_> {
            type Break = ();
            fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
                let Expr::Function(function) = &*expr else {
                    // An inner column outside every aggregate: nothing that a group has one value of.
                    let inner = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
                        && !self.0.lacks(expr)
                        && !matches!(expr, Expr::CompoundIdentifier(p) if name_of(&p[0]) == ident::unquote(&self.1.alias));
                    self.2 |= inner;
                    return ControlFlow::Continue(());
                };
                match known_aggregate(function) {
                    Some(_) if self.0.reads(expr).is_none() => self.2 = true,
                    Some(name) => {
                        let column = self.1.add(expr, &name);
                        let text = if name == "count" { format!("coalesce({column}, 0)") } else { column };
                        match expression(&text) {
                            Some(made) => *expr = made,
                            None => self.2 = true,
                        }
                    }
                    None => self.2 |= gathers_itself(expr),
                }
                ControlFlow::Continue(())
            }
        }
        let mut value = wanted.clone();
        let mut calls = Calls(inner, made, false);
        let _ = value.visit(&mut calls);
        (!calls.2).then_some(value)
    }
}

/// The columns of one joined table.
struct Columns {
    /// Its name as it is typed.
    alias: String,
    /// Name and `expression AS name`.
    list: Vec<(String, String)>,
}

impl Columns {
    /// Adds one under the wanted name, or one like it, and gives what to call it outside.
    fn add(&mut self, expr: &Expr, wanted: &str) -> String {
        let text = expr.to_string();
        let taken = |name: &str, list: &[(String, String)]| list.iter().any(|(n, _)| n == name);
        let numbered = (2..).map(|n| format!("{wanted}_{n}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        let name = names.find(|name| !taken(name, &self.list)).unwrap_or_default();
        let quoted = ident::quote(&name);
        let own = column_name(expr).as_deref() == Some(&name);
        self.list.push((name, if own { text } else { format!("{text} AS {quoted}") }));
        format!("{}.{quoted}", self.alias)
    }
}

/// What has to be checked where several inner rows could match one outer row: the statement would fail there, a join
/// gives them all.
fn many(keys: &[(Expr, Expr)], inner: &Scope) -> Option<String> {
    let names: Vec<String> = keys.iter().filter_map(|(key, _)| column_name(key)).collect();
    let table = inner.sources.first().filter(|_| inner.sources.len() == 1).and_then(|s| s.table.as_ref());
    let unique =
        table.is_some_and(|t| t.keys.iter().any(|key| key.iter().all(|column| names.contains(column))));
    let all: Vec<String> = keys.iter().map(|(key, _)| key.to_string()).collect();
    (!unique).then(|| format!("no two rows have the same {}: a join returns both", all.join(", ")))
}

/// A type without its length: `character varying(20)` compares as `character varying` does.
fn bare(data_type: &str) -> &str {
    data_type.split('(').next().unwrap_or(data_type)
}

#[cfg(test)]
mod tests {
    use super::super::{Table, TableColumn};
    use super::*;

    fn known(_: Option<&str>, name: &str) -> Option<Table> {
        let column = |(name, data_type): &(&str, &str)| TableColumn {
            name: (*name).to_owned(),
            data_type: (*data_type).to_owned(),
            not_null: true,
        };
        let columns = match name {
            "users" => &[("id", "integer"), ("name", "text"), ("city", "bigint")][..],
            "orders" => &[("id", "integer"), ("user_id", "integer"), ("total", "integer")],
            _ => return None,
        };
        Some(Table { columns: columns.iter().map(column).collect(), keys: vec![vec!["id".to_owned()]] })
    }

    fn rewrite(sql: &str) -> (String, usize) {
        let parsed = Parsed::read(sql).expect("plain SQL");
        let made = subqueries_to_joins(&parsed, &known, &["orders_1", "o", "u"]);
        made.map_or((String::new(), 0), |made| (made.sql, made.to_check.len()))
    }

    #[test]
    fn subqueries_become_joins_and_an_empty_count_stays_zero() {
        for (sql, made, checks) in [
            (
                "SELECT *, (SELECT count(*) FROM orders WHERE user_id = users.id) FROM users",
                "SELECT users.*, coalesce(orders_by_user_id.count, 0) AS count FROM users LEFT JOIN (SELECT user_id, count(*) AS count FROM orders GROUP BY user_id) AS orders_by_user_id ON orders_by_user_id.user_id = users.id",
                0,
            ),
            (
                "SELECT u.name FROM users u WHERE (SELECT coalesce(sum(o.total), 0) FROM orders o WHERE o.total > $1 AND u.id = o.user_id) > 10 ORDER BY user_id LIMIT 3",
                "SELECT u.name FROM users u LEFT JOIN (SELECT o.user_id AS user_id_2, sum(o.total) AS sum FROM orders o WHERE o.total > $1 GROUP BY o.user_id) AS o_by_user_id ON o_by_user_id.user_id_2 = u.id WHERE coalesce(o_by_user_id.sum, 0) > 10 ORDER BY user_id LIMIT 3",
                1,
            ),
            // Not a key: the statement fails where two match, the join returns both. Not one type: two groups may match.
            (
                "SELECT o.id, (SELECT u.name FROM users u WHERE u.city = o.user_id) AS n FROM orders o",
                "SELECT o.id, u_by_city.name AS n FROM orders o LEFT JOIN (SELECT u.city, u.name FROM users u) AS u_by_city ON u_by_city.city = o.user_id",
                2,
            ),
            (
                "SELECT o.id, (SELECT u.name FROM users u WHERE u.id = o.user_id) FROM orders o",
                "SELECT o.id, u_by_id.name AS name FROM orders o LEFT JOIN (SELECT u.id, u.name FROM users u) AS u_by_id ON u_by_id.id = o.user_id",
                0,
            ),
        ] {
            assert_eq!(rewrite(sql), (made.to_owned(), checks), "{sql}");
        }
    }

    #[test]
    fn what_cannot_be_one_join_stays() {
        for sql in [
            "SELECT (SELECT count(*) FROM orders o WHERE o.user_id > u.id) FROM users u",
            "SELECT (SELECT o.total FROM orders o WHERE o.user_id = u.id ORDER BY o.id LIMIT 1) FROM users u",
            "SELECT (SELECT sum(o.total + u.id) FROM orders o WHERE o.user_id = u.id) FROM users u",
            "SELECT max((SELECT count(*) FROM orders o WHERE o.user_id = u.id)) FROM users u",
            "SELECT u.id, (SELECT count(*) FROM orders o WHERE o.user_id = u.id) FROM users u GROUP BY u.id",
            "SELECT (SELECT string_agg(o.note, ',') FROM orders o WHERE o.user_id = u.id) FROM users u",
            "SELECT (SELECT count(*) FROM orders o) FROM users u",
            "SELECT u.id FROM users u WHERE u.id <> ALL (SELECT o.total FROM orders o WHERE o.user_id = u.id)",
        ] {
            assert_eq!(rewrite(sql).0, "", "{sql}");
        }
    }
}
