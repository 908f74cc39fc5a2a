//! Whose column is it: the tables of one FROM list, as far as the catalog knows them.
//!
//! Refuses to guess: a name that two tables may have is nobody's.

use super::super::operand::name_of;
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArguments, GroupByExpr, Ident, JoinConstraint, JoinOperator,
    ObjectName, Query, Select, SetExpr, TableFactor, TableWithJoins, UnaryOperator, Value, visit_expressions,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// What the catalog knows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub columns: Vec<TableColumn>,
    /// The columns of each unique index that holds all rows.
    pub keys: Vec<Vec<String>>,
}

/// One column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    pub name: String,
    pub data_type: String,
    pub not_null: bool,
}

/// Looks a table up by its schema, where the statement names it, and its name.
pub type Known<'a> = &'a dyn Fn(Option<&str>, &str) -> Option<Table>;

/// A statement in other words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    pub sql: String,
    /// What the catalog does not show: a person has to check it.
    pub to_check: Vec<String>,
}

/// One table of a FROM list.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// What columns call it, as typed.
    pub ident: Ident,
    pub alias: String,
    pub table: Option<Table>,
    /// An outer join may fill its columns with NULL.
    pub nullable: bool,
    /// Which comma-separated item of the list it belongs to.
    pub item: usize,
}

/// The tables of one FROM list.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub sources: Vec<Source>,
}

impl Scope {
    /// Reads a FROM list; `None` where something in it has no name, or columns are merged (`USING`, `NATURAL`).
    pub(super) fn of(from: &[TableWithJoins], known: Known) -> Option<Scope> {
        let mut scope = Scope::default();
        for (item, tables) in from.iter().enumerate() {
            let first = scope.sources.len();
            scope.sources.push(source(&tables.relation, item, known)?);
            for join in &tables.joins {
                let (constraint, left, right) = match &join.join_operator {
                    JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on) => {
                        (on, false, false)
                    }
                    JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => (on, false, true),
                    JoinOperator::Right(on) | JoinOperator::RightOuter(on) => (on, true, false),
                    JoinOperator::FullOuter(on) => (on, true, true),
                    _ => return None,
                };
                if matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural) {
                    return None;
                }
                if left {
                    scope.sources[first..].iter_mut().for_each(|source| source.nullable = true);
                }
                scope.sources.push(Source { nullable: right, ..source(&join.relation, item, known)? });
            }
        }
        Some(scope)
    }

    /// The table that a column belongs to; `None` where that cannot be told, or it is none of these.
    pub(super) fn owner(&self, column: &Expr) -> Option<usize> {
        match column {
            Expr::CompoundIdentifier(parts) => {
                let [.., relation, _] = &parts[..] else { return None };
                let relation = name_of(relation);
                self.sources.iter().position(|source| source.alias == relation)
            }
            Expr::Identifier(name) => {
                let name = name_of(name);
                let mut owners = self.sources.iter().enumerate().filter(|(_, source)| source.may_have(&name));
                let (owner, _) = owners.next()?;
                owners.next().is_none().then_some(owner)
            }
            _ => None,
        }
    }

    /// No table of these has such a column, as far as names tell.
    pub(super) fn lacks(&self, column: &Expr) -> bool {
        match column {
            Expr::CompoundIdentifier(parts) => {
                let [.., relation, _] = &parts[..] else { return false };
                let relation = name_of(relation);
                self.sources.iter().all(|source| source.alias != relation)
            }
            Expr::Identifier(name) => {
                let name = name_of(name);
                self.sources.iter().all(|source| source.table.is_some() && !source.may_have(&name))
            }
            _ => false,
        }
    }

    /// The tables that an expression reads; `None` where one of its columns is nobody's, or it asks a subquery.
    pub(super) fn reads(&self, expr: &Expr) -> Option<BTreeSet<usize>> {
        if asks_subquery(expr) {
            return None;
        }
        columns(expr).iter().map(|column| self.owner(column)).collect()
    }

    /// What the catalog knows of a column.
    pub(super) fn column(&self, expr: &Expr) -> Option<(&Source, &TableColumn)> {
        let source = &self.sources[self.owner(expr)?];
        let name = column_name(expr)?;
        source.table.as_ref()?.columns.iter().find(|column| column.name == name).map(|known| (source, known))
    }

    /// A column that the catalog shows is never NULL here.
    pub(super) fn never_null(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Nested(inner) => self.never_null(inner),
            Expr::Value(value) => !matches!(value.value, Value::Null | Value::Placeholder(_)),
            _ => self.column(expr).is_some_and(|(source, column)| column.not_null && !source.nullable),
        }
    }

    /// The column with the name of its table in front; `None` where nobody knows whose it is.
    pub(super) fn qualify(&self, column: &Expr) -> Option<Expr> {
        match column {
            Expr::Identifier(name) => {
                let source = &self.sources[self.owner(column)?];
                Some(Expr::CompoundIdentifier(vec![source.ident.clone(), name.clone()]))
            }
            Expr::CompoundIdentifier(_) => Some(column.clone()),
            _ => None,
        }
    }
}

impl Source {
    /// It has a column of that name, or nobody knows.
    fn may_have(&self, name: &str) -> bool {
        self.table.as_ref().is_none_or(|table| table.columns.iter().any(|column| column.name == name))
    }
}

fn source(factor: &TableFactor, item: usize, known: Known) -> Option<Source> {
    let (ident, table) = match factor {
        TableFactor::Table { name, alias, args: None, .. } => {
            let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
            let (last, schema) = (*parts.last()?, parts.iter().rev().nth(1).map(|part| name_of(part)));
            let renamed = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
            let table = if renamed { None } else { known(schema.as_deref(), &name_of(last)) };
            (alias.as_ref().map_or(last, |alias| &alias.name), table)
        }
        TableFactor::Derived { alias: Some(alias), lateral: false, .. } => (&alias.name, None),
        _ => return None,
    };
    Some(Source { alias: name_of(ident), ident: ident.clone(), table, nullable: false, item })
}

/// The name of a column, without its table's.
pub(super) fn column_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name_of(name)),
        Expr::CompoundIdentifier(parts) => parts.last().map(name_of),
        _ => None,
    }
}

/// Every column that an expression spells, in subqueries too.
pub(super) fn columns(expr: &Expr) -> Vec<Expr> {
    let mut found = Vec::new();
    let _ = visit_expressions(expr, |e| {
        if matches!(e, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            found.push(e.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// A query stands somewhere inside the expression.
pub(super) fn asks_subquery(expr: &Expr) -> bool {
    visit_expressions(expr, |e| match e {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        Expr::Function(function) if matches!(function.args, FunctionArguments::Subquery(_)) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Aggregates that give NULL for no rows; `count` gives 0.
const AGGREGATES: &[&str] = &["avg", "bool_and", "bool_or", "count", "every", "max", "min", "sum"];

/// The name of an aggregate that this module knows, where the expression calls one.
pub(super) fn known_aggregate(function: &Function) -> Option<String> {
    let name = function_name(&function.name)?;
    (AGGREGATES.contains(&name.as_str()) && function.over.is_none()).then_some(name)
}

fn function_name(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(name_of)
}

/// The expression gathers rows (an aggregate) or looks at several (a window), as far as names tell.
pub(super) fn gathers(expr: &Expr) -> bool {
    const MORE: &[&str] = &["array_agg", "corr", "mode", "percentile_cont", "percentile_disc", "rank"];
    const ENDS: &[&str] = &["_agg", "_agg_strict", "agg_unique"];
    const STARTS: &[&str] = &["stddev", "variance", "var_", "covar_", "regr_", "bit_", "range_"];
    visit_expressions(expr, |e| match e {
        Expr::Function(function) => {
            let name = function_name(&function.name).unwrap_or_default();
            let aggregate = known_aggregate(function).is_some()
                || function.over.is_some()
                || function.filter.is_some()
                || !function.within_group.is_empty()
                || MORE.contains(&name.as_str())
                || ENDS.iter().any(|end| name.ends_with(end))
                || STARTS.iter().any(|start| name.starts_with(start));
            if aggregate { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Neither grouped nor `HAVING`.
pub(super) fn ungrouped(select: &Select) -> bool {
    matches!(&select.group_by, GroupByExpr::Expressions(list, more) if list.is_empty() && more.is_empty())
        && select.having.is_none()
        && select.named_window.is_empty()
}

/// The SELECT of a query that is nothing but one: no WITH, no LIMIT, no lock. An order of its rows is no matter.
pub(super) fn bare_select(query: &Query) -> Option<&Select> {
    let whole = query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty();
    match query.body.as_ref() {
        SetExpr::Select(select) if whole => Some(select),
        _ => None,
    }
}

/// The parts that AND joins at the top.
pub(super) fn conjuncts(expr: &Expr) -> Vec<Expr> {
    parts(expr, &BinaryOperator::And)
}

/// The parts that OR joins at the top.
pub(super) fn disjuncts(expr: &Expr) -> Vec<Expr> {
    parts(expr, &BinaryOperator::Or)
}

fn parts(expr: &Expr, operator: &BinaryOperator) -> Vec<Expr> {
    match expr {
        Expr::BinaryOp { left, op, right } if op == operator => {
            let mut all = parts(left, operator);
            all.extend(parts(right, operator));
            all
        }
        Expr::Nested(inner) if matches!(&**inner, Expr::BinaryOp { op, .. } if op == operator) => {
            parts(inner, operator)
        }
        _ => vec![expr.clone()],
    }
}

/// Joins conditions with AND, brackets around those that need them.
pub(super) fn all_of(conditions: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    conditions.into_iter().map(operand).reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    })
}

/// An operand of AND.
fn operand(expr: Expr) -> Expr {
    match expr {
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => Expr::Nested(Box::new(expr)),
        _ => expr,
    }
}

/// In brackets, unless it is a column, a value or a call.
pub(super) fn bracketed(expr: &Expr) -> Expr {
    match expr {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Value(_)
        | Expr::Nested(_)
        | Expr::Function(_) => expr.clone(),
        _ => Expr::Nested(Box::new(expr.clone())),
    }
}

/// `NOT` in front of what stands in brackets, or nothing.
pub(super) fn negated(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Some(unnested(expr)),
        _ => None,
    }
}

pub(super) fn unnested(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => unnested(inner),
        _ => expr,
    }
}

/// Reads an expression that was put together as text.
pub(super) fn expression(text: &str) -> Option<Expr> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?;
    let expr = parser.parse_expr().ok()?;
    parser.expect_token(&sqlparser::tokenizer::Token::EOF).ok()?;
    Some(expr)
}

/// What LIMIT leaves open whatever the rewrite is.
pub(super) fn limit_check(query: &Query) -> Option<String> {
    (query.limit_clause.is_some() || query.fetch.is_some()).then(|| {
        "ORDER BY leaves no ties at the LIMIT: of rows that tie, another one may be taken".to_owned()
    })
}
