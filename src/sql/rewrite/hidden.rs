//! Finds the tests of a statement that hide a column from its index, and writes them in other words.
//!
//! Refuses to know catalogs and plans: the caller says what the columns are, and what of the rows stays the same.

use crate::sql::Parsed;
use crate::sql::ident::unquote;
use crate::sql::volatility::TypeKind;
use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, Select, Value, VisitMut, VisitorMut,
    visit_expressions,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// The column that a plan's test reads, as the catalog knows it.
#[derive(Debug, Clone, Copy)]
pub struct Hidden<'a> {
    pub column: &'a str,
    /// What the plan calls its relation.
    pub alias: Option<&'a str>,
    /// The type as `format_type` prints it.
    pub data_type: &'a str,
    pub kind: TypeKind,
    pub not_null: bool,
}

/// A statement in other words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sargable {
    pub sql: String,
    /// The statement's name for the column, where that is not the plan's: a view gave it another.
    pub renamed: Option<String>,
    /// What a person has to check before the two are the same.
    pub to_check: Vec<String>,
}

/// One test of the statement that can be put otherwise.
pub(super) struct Change {
    pub(super) column: Name,
    /// The test in other words; `None` where this one cannot be put otherwise.
    pub(super) sql: Option<String>,
    pub(super) to_check: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) qualifier: Option<String>,
    pub(super) name: String,
}

/// Writes the tests of `hidden`'s column that `change` knows in its words. `None` where there is none, and where it
/// cannot be told which of several the plan's is.
pub(super) fn replace(
    parsed: &Parsed,
    hidden: &Hidden,
    change: &dyn Fn(&Expr) -> Option<Change>,
) -> Option<Sargable> {
    parsed.query()?;
    let mut statement = parsed.statement.clone();
    let mut found: Vec<(usize, Change)> = Vec::new();
    walk(&mut statement, &mut |scope, expr| found.extend(change(expr).map(|change| (scope, change))));
    let named: Vec<_> = found.iter().filter(|(_, c)| c.column.name == hidden.column).collect();
    let named = if named.is_empty() { found.iter().collect() } else { named };
    let only = |all: &[&(usize, Change)]| {
        let (scope, first) = all.first()?;
        all.iter()
            .all(|(s, c)| s == scope && c.column == first.column)
            .then(|| (*scope, first.column.clone()))
    };
    let aliased = |(_, c): &&&(usize, Change)| c.column.qualifier.as_deref() == hidden.alias;
    let (scope, column) =
        only(&named).or_else(|| only(&named.iter().filter(aliased).copied().collect::<Vec<_>>()))?;
    let mut to_check: Vec<String> = Vec::new();
    let mut changed = false;
    walk(&mut statement, &mut |at, expr| {
        let Some(change) = change(expr).filter(|c| at == scope && c.column == column) else { return };
        let Some(other) = change.sql.as_deref().and_then(expression) else { return };
        changed = true;
        *expr = other;
        to_check.extend(change.to_check.filter(|check| !to_check.contains(check)));
    });
    let renamed = (column.name != hidden.column).then_some(column.name);
    changed.then(|| Sargable { sql: statement.to_string(), renamed, to_check })
}

/// Calls `f` with every test that rows of a SELECT must meet, in WHERE or ON, and the number of its SELECT.
pub(super) fn walk(statement: &mut sqlparser::ast::Statement, f: &mut dyn FnMut(usize, &mut Expr)) {
    struct Walk<'a> {
        scope: usize,
        f: &'a mut dyn FnMut(usize, &mut Expr),
    }
    impl VisitorMut for Walk<'_> {
        type Break = ();
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            self.scope += 1;
            let joins = select.from.iter_mut().flat_map(|from| &mut from.joins).filter_map(on);
            for condition in select.selection.iter_mut().chain(joins) {
                conjuncts(condition, &mut |test| (self.f)(self.scope, test));
            }
            ControlFlow::Continue(())
        }
    }
    let _ = statement.visit(&mut Walk { scope: 0, f });
}

pub(super) fn on(join: &mut Join) -> Option<&mut Expr> {
    match &mut join.join_operator {
        JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on))
        | JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on)) => Some(on),
        _ => None,
    }
}

pub(super) fn conjuncts(expr: &mut Expr, f: &mut dyn FnMut(&mut Expr)) {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(left, f);
            conjuncts(right, f);
        }
        Expr::Nested(inner) => conjuncts(inner, f),
        test => f(test),
    }
}

/// Reads one expression.
pub(super) fn expression(sql: &str) -> Option<Expr> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).ok()?;
    let expr = parser.parse_expr().ok()?;
    parser.expect_token(&sqlparser::tokenizer::Token::EOF).ok()?;
    Some(expr)
}

/// An expression without the brackets around it.
pub(super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

pub(super) fn name(expr: &Expr) -> Option<Name> {
    let text = |ident: &Ident| unquote(&ident.to_string());
    match bare(expr) {
        // What reads like a column and is none.
        Expr::Identifier(name) if name.quote_style.is_none() && current(&name.value) => None,
        Expr::Identifier(name) => Some(Name { qualifier: None, name: text(name) }),
        Expr::CompoundIdentifier(parts) => match &parts[..] {
            [.., qualifier, name] => Some(Name { qualifier: Some(text(qualifier)), name: text(name) }),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn current(word: &str) -> bool {
    let words = ["current_date", "current_timestamp", "localtimestamp"];
    words.iter().any(|w| w.eq_ignore_ascii_case(word))
}

/// No column and no subquery in it: it has one value for all rows.
pub(super) fn fixed(expr: &Expr) -> bool {
    let met = visit_expressions(expr, |e| match e {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        e if matches!(e, Expr::Nested(_)) || name(e).is_none() => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    met.is_continue()
}

/// The text of a quoted literal, under a cast or behind its type's name.
pub(super) fn string(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        Expr::TypedString(typed) => typed.value.clone().into_string(),
        Expr::Cast { expr, .. } => string(expr),
        _ => None,
    }
}

/// The digits of a literal number, with its sign.
pub(super) fn number(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => Some(digits.clone()),
            _ => None,
        },
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => {
            number(expr).filter(|digits| !digits.starts_with('-')).map(|digits| format!("-{digits}"))
        }
        _ => None,
    }
}

/// `$1`.
pub(super) fn placeholder(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// `=`, `<`, `<=`, `>` or `>=` as read from right to left.
pub(super) fn flipped(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq => BinaryOperator::Eq,
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        _ => return None,
    })
}
