//! One side of a condition: which columns it reads and whether it is one, a constant, or an expression.
//!
//! Refuses to resolve names: the caller knows the relations.

use super::ident;
use super::token::{Token, TokenKind};
use sqlparser::ast::{Expr, UnaryOperator, Value, visit_expressions};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// A column as printed: `alias.name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnRef {
    /// The alias of the relation; `None` where only a name was printed.
    pub qualifier: Option<String>,
    pub name: String,
}

/// What an operand is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A column and nothing else.
    Column,
    /// A column cast to the named type (as printed, lower case).
    CastColumn(String),
    /// Functions or operators over at least one column.
    Expression,
    /// A literal, possibly cast.
    Constant,
    /// Stable for the execution, and no column: `$1`, `now()`, the result of an InitPlan.
    Runtime,
    /// Not understood; its columns may be incomplete.
    Opaque,
}

/// One side of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// As printed, without the relations' aliases: fit for an index definition.
    pub text: String,
    pub shape: Shape,
    /// The columns read, in order, without repeats.
    pub columns: Vec<ColumnRef>,
    /// The functions called, lower case where unquoted, without schema.
    pub functions: Vec<String>,
}

impl Operand {
    pub(super) fn opaque(text: &str) -> Self {
        Operand { text: text.to_owned(), shape: Shape::Opaque, columns: Vec::new(), functions: Vec::new() }
    }

    /// The one column that this operand is, bare or under a cast.
    pub fn column(&self) -> Option<&ColumnRef> {
        match self.shape {
            Shape::Column | Shape::CastColumn(_) => self.columns.first(),
            _ => None,
        }
    }

    /// No column in it: its value is the same for every row of a scan.
    pub fn is_fixed(&self) -> bool {
        matches!(self.shape, Shape::Constant | Shape::Runtime)
    }

    /// The value of a plain literal, unquoted and without its cast; `None` for anything else.
    pub fn literal(&self) -> Option<String> {
        if self.shape != Shape::Constant {
            return None;
        }
        let quoted = self.text.strip_prefix('\'').and_then(|rest| Some(&rest[..rest.rfind('\'')?]));
        Some(match quoted {
            Some(inner) => inner.replace("''", "'"),
            None => self.text.split("::").next().unwrap_or(&self.text).to_owned(),
        })
    }
}

/// Reads the operand that `tokens` of `sql` spell.
pub(super) fn read(sql: &str, tokens: &[Token]) -> Operand {
    plain(sql, tokens).unwrap_or_else(|| parsed(sql, tokens))
}

/// Words that stand alone and are no columns: the server writes them unquoted, and quotes columns of that name.
const VALUES: &[&str] = &[
    "true",
    "false",
    "null",
    "default",
    "array",
    "row",
    "case",
    "not",
    "user",
    "current_user",
    "current_role",
    "session_user",
    "system_user",
    "current_catalog",
    "current_schema",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
];

/// The operands that nearly all tests have, known by their tokens alone: a column, with or without its relation, a
/// number, a string of a type that is one word. `None` for anything else.
fn plain(sql: &str, tokens: &[Token]) -> Option<Operand> {
    use TokenKind::{Number, QuotedIdent, String, Word};
    let text = |token: &Token| &sql[token.start..token.end];
    let adjacent = |a: &Token, b: &Token| a.end == b.start;
    let (shape, qualifier, text) = match tokens {
        [name] if name.kind == QuotedIdent => (Shape::Column, None, text(name)),
        [name] if name.kind == Word && !VALUES.iter().any(|v| text(name).eq_ignore_ascii_case(v)) => {
            (Shape::Column, None, text(name))
        }
        [relation, dot, name]
            if dot.is_punct(sql, ".")
                && [relation.kind, name.kind].iter().all(|kind| [Word, QuotedIdent].contains(kind))
                && adjacent(relation, dot)
                && adjacent(dot, name) =>
        {
            (Shape::Column, Some(text(relation)), text(name))
        }
        [number] if number.kind == Number && text(number).bytes().all(|b| b.is_ascii_digit()) => {
            (Shape::Constant, None, text(number))
        }
        [value, colons, to]
            if value.kind == String
                && text(value).starts_with('\'')
                && colons.is_punct(sql, "::")
                && to.kind == Word =>
        {
            (Shape::Constant, None, &sql[value.start..to.end])
        }
        _ => return None,
    };
    let columns = match shape {
        Shape::Column => {
            vec![ColumnRef { qualifier: qualifier.map(ident::unquote), name: ident::unquote(text) }]
        }
        _ => Vec::new(),
    };
    Some(Operand { text: text.to_owned(), shape, columns, functions: Vec::new() })
}

fn parsed(sql: &str, tokens: &[Token]) -> Operand {
    let whole = match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => &sql[first.start..last.end],
        _ => "",
    };
    let (bare, qualified_columns) = unqualify(sql, tokens);
    if qualified_columns.is_none() || chained(sql, tokens) {
        return Operand::opaque(whole);
    }
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(whole).and_then(|mut parser| {
        let expr = parser.parse_expr()?;
        parser.expect_token(&sqlparser::tokenizer::Token::EOF)?;
        Ok(expr)
    });
    let Ok(expr) = parsed else {
        return Operand::opaque(whole);
    };
    let mut columns: Vec<ColumnRef> = Vec::new();
    let mut functions = Vec::new();
    let mut runtime = false;
    let _ = visit_expressions(&expr, |e| {
        let column = match e {
            Expr::CompoundIdentifier(parts) => match &parts[..] {
                [.., relation, name] => {
                    Some(ColumnRef { qualifier: Some(name_of(relation)), name: name_of(name) })
                }
                _ => None,
            },
            Expr::Identifier(name) => Some(ColumnRef { qualifier: None, name: name_of(name) }),
            Expr::Function(function) => {
                functions.extend(function.name.0.last().map(|part| ident::unquote(&part.to_string())));
                None
            }
            Expr::Value(value) => {
                runtime |= matches!(value.value, Value::Placeholder(_));
                None
            }
            _ => None,
        };
        if let Some(column) = column.filter(|c| !columns.contains(c)) {
            columns.push(column);
        }
        ControlFlow::<()>::Continue(())
    });
    let shape = shape(&expr, &columns, runtime || !functions.is_empty());
    Operand { text: bare, shape, columns, functions }
}

/// Operators in a row that are read. `sqlparser` bounds what nests in brackets, but not how long
/// `a + a + …` or `a::text::text…` is: each is one level more of a tree that is walked and dropped by recursion.
const CHAIN: usize = 300;

/// Whether more than [`CHAIN`] operators, each with its operand, follow each other on one level of brackets.
fn chained(sql: &str, tokens: &[Token]) -> bool {
    let mut levels = vec![0];
    for token in tokens {
        if token.is_punct(sql, "(") || token.is_punct(sql, "[") {
            levels.push(0);
        } else if (token.is_punct(sql, ")") || token.is_punct(sql, "]")) && levels.len() > 1 {
            levels.pop();
        } else if let Some(links) = levels.last_mut() {
            *links = if token.is_punct(sql, ",") { 0 } else { *links + 1 };
            if *links > 2 * CHAIN {
                return true;
            }
        }
    }
    false
}

pub(super) fn name_of(name: &sqlparser::ast::Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_ascii_lowercase() }
}

fn shape(expr: &Expr, columns: &[ColumnRef], runtime: bool) -> Shape {
    match expr {
        Expr::Nested(inner) => shape(inner, columns, runtime),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Shape::Column,
        Expr::Cast { expr, data_type, .. } => match shape(expr, columns, runtime) {
            Shape::Column => Shape::CastColumn(data_type.to_string().to_ascii_lowercase()),
            Shape::CastColumn(_) => Shape::Expression,
            inner => inner,
        },
        Expr::TypedString(_) => Shape::Constant,
        Expr::Value(_) if !runtime => Shape::Constant,
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } if columns.is_empty() => {
            shape(expr, columns, runtime)
        }
        _ if columns.is_empty() && !runtime && matches!(expr, Expr::Array(_)) => Shape::Constant,
        _ if columns.is_empty() => Shape::Runtime,
        _ => Shape::Expression,
    }
}

/// The text without `alias.` in front of columns; `None` as second value where a sub-plan is spelled, which
/// no parser reads.
fn unqualify(sql: &str, tokens: &[Token]) -> (String, Option<()>) {
    let mut text = String::new();
    let mut at = tokens.first().map_or(0, |t| t.start);
    let mut known = Some(());
    for (i, token) in tokens.iter().enumerate() {
        let named = matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent);
        let next = |n: usize| tokens.get(i + n);
        if ["subplan", "initplan"].iter().any(|w| token.is_word(sql, w))
            && next(1).is_some_and(|t| matches!(t.kind, TokenKind::Number | TokenKind::Word))
        {
            known = None;
        }
        let qualifies = named
            && next(1).is_some_and(|t| t.is_punct(sql, ".") && t.start == token.end)
            && next(2).is_some_and(|t| matches!(t.kind, TokenKind::Word | TokenKind::QuotedIdent))
            && !next(3).is_some_and(|t| t.is_punct(sql, "("));
        if qualifies {
            text.push_str(&sql[at..token.start]);
            at = tokens[i + 2].start;
        }
    }
    if let Some(last) = tokens.last() {
        text.push_str(&sql[at..last.end]);
    }
    (text, known)
}

#[cfg(test)]
mod tests {
    use super::super::token::tokenize;
    use super::*;

    fn operand(sql: &str) -> Operand {
        read(sql, &tokenize(sql).0)
    }

    #[test]
    fn operands_know_what_they_are() {
        for (sql, shape) in [
            ("o.a", Shape::Column),
            ("(o.a)::text", Shape::CastColumn("text".into())),
            ("lower(o.a)", Shape::Expression),
            ("(o.a + 1)", Shape::Expression),
            ("(o.a ->> 'k'::text)", Shape::Expression),
            ("'x'::text", Shape::Constant),
            ("'2020-01-01 00:00:00+00'::timestamp with time zone", Shape::Constant),
            ("'{1,2}'::integer[]", Shape::Constant),
            ("'-1'::integer", Shape::Constant),
            ("5.5", Shape::Constant),
            ("$1", Shape::Runtime),
            ("(now() - '30 days'::interval)", Shape::Runtime),
            ("(InitPlan 1).col1", Shape::Opaque),
        ] {
            assert_eq!(operand(sql).shape, shape, "{sql}");
        }
        for sql in [
            "a",
            "\"A b\"",
            "\"a\"\"b\"",
            "o.a",
            "\"O\".\"A\"",
            "o.\"A\"",
            "O.A",
            "5",
            "0",
            "'x'::text",
            "'it''s'::my_type",
            "'{1,2}'::int4",
            "''::text",
            "'2020-01-01'::date",
            "'1 day'::interval",
            "'x'::bpchar",
        ] {
            let tokens = tokenize(sql).0;
            assert_eq!(plain(sql, &tokens), Some(parsed(sql, &tokens)), "{sql}");
        }
        for sql in
            ["true", "NULL", "CURRENT_DATE", "CURRENT_USER", "5.5", "$1", "'x'::a.b", "E'x'::text", "a.b.c"]
        {
            assert_eq!(plain(sql, &tokenize(sql).0), None, "{sql}");
        }
        assert_eq!(operand("lower((\"T x\".\"A\")::text)").text, "lower((\"A\")::text)");
        assert_eq!(operand("pg_catalog.lower(t.a)").text, "pg_catalog.lower(a)");
        assert_eq!(operand("'it''s'::text").literal().as_deref(), Some("it's"));
    }
}
