//! A function of a column compared with a value becomes the column compared with a value: what an index can search.
//!
//! Refuses values whose notation depends on a setting, and functions that do not keep their argument's order.

use super::hidden::{
    Change, Hidden, Name, Sargable, bare, current, expression, fixed, flipped, name, number, placeholder,
    replace, string,
};
use crate::sql::Parsed;
use crate::sql::calendar::{Moment, Unit};
use crate::sql::volatility::{TypeKind, type_kind};
use sqlparser::ast::{BinaryOperator, DateTimeField, Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

const CLOCKS: &str =
    "no change of clocks repeats midnight in the time zone of the sessions that run it (Havana has one)";
const INTERVALS: &str =
    "the interval can be taken from one side to the other: months and days with a change of clocks cannot";

/// A column under a function, as a statement or a plan spells it.
struct Form<'a> {
    shape: Shape,
    column: Name,
    /// The column as spelled.
    sql: String,
    /// A cast between kinds of timestamps was looked through.
    zoned: bool,
    /// What is added to the column, what it is taken from, or what stands for its nulls.
    with: Option<&'a Expr>,
}

/// What the function does to the column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// `c::date`, `date(c)`.
    Date,
    /// `date_trunc('month', c)`.
    Trunc(Unit),
    /// `extract(year FROM c)`.
    Year,
    /// `to_char(c, 'YYYY-MM')`.
    Text(String),
    /// `c + x`.
    Plus,
    /// `c - x`.
    Minus,
    /// `x - c`.
    From,
    /// `coalesce(c, x)`.
    Coalesce,
}

/// The statement with the tests of `expression`, as a plan prints it, on the bare column.
pub fn rewrite(parsed: &Parsed, hidden: &Hidden, plan_text: &str) -> Option<Sargable> {
    let printed = expression(plan_text)?;
    let wanted = form(&printed)?;
    let change = |test: &Expr| {
        let (form, parts) = taken_apart(test).filter(|(form, _)| form.shape == wanted.shape)?;
        let put = |(op, value): &(BinaryOperator, &Expr)| put(&form, hidden, op, value, wanted.zoned);
        let parts: Option<Vec<_>> = parts.iter().map(put).collect();
        let sql =
            parts.as_ref().map(|p| p.iter().map(|(sql, _)| sql.as_str()).collect::<Vec<_>>().join(" AND "));
        let to_check = parts.and_then(|p| p.into_iter().find_map(|(_, check)| check)).map(str::to_owned);
        Some(Change { column: form.column, sql, to_check })
    };
    replace(parsed, hidden, &change)
}

/// A test as its function, and the comparisons that it makes.
fn taken_apart(test: &Expr) -> Option<(Form<'_>, Vec<(BinaryOperator, &Expr)>)> {
    match test {
        Expr::BinaryOp { left, op, right } => {
            let (form, op, value) = match form(left) {
                Some(form) => (form, op.clone(), right.as_ref()),
                None => (form(right)?, flipped(op)?, left.as_ref()),
            };
            (flipped(&op).is_some() && fixed(value)).then(|| (form, vec![(op, value)]))
        }
        Expr::Between { expr, negated: false, low, high } if fixed(low) && fixed(high) => {
            Some((form(expr)?, vec![(BinaryOperator::GtEq, low), (BinaryOperator::LtEq, high)]))
        }
        _ => None,
    }
}

fn form(expr: &Expr) -> Option<Form<'_>> {
    let of = |shape: Shape, column: &Expr| {
        let (bare, zoned) = column_below(column);
        Some(Form { shape, column: name(bare)?, sql: bare.to_string(), zoned, with: None })
    };
    match bare(expr) {
        Expr::Cast { expr, data_type, .. } if type_kind(&data_type.to_string()) == TypeKind::Date => {
            of(Shape::Date, expr)
        }
        Expr::Extract { field: DateTimeField::Year, expr, .. } => of(Shape::Year, expr),
        Expr::BinaryOp { left, op, right } => {
            let (shape, column, with) = match op {
                BinaryOperator::Plus if fixed(right) => (Shape::Plus, left, right),
                BinaryOperator::Plus if fixed(left) => (Shape::Plus, right, left),
                BinaryOperator::Minus if fixed(right) => (Shape::Minus, left, right),
                BinaryOperator::Minus if fixed(left) => (Shape::From, right, left),
                _ => return None,
            };
            Some(Form { with: Some(with.as_ref()), ..of(shape, column)? })
        }
        Expr::Function(call) => {
            let FunctionArguments::List(list) = &call.args else { return None };
            let argument_at = |at: usize| match list.args.get(at) {
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) => Some(expr),
                _ => None,
            };
            let called = call.name.0.last()?.to_string().to_ascii_lowercase();
            match (called.as_str(), argument_at(0)?, argument_at(1)) {
                ("date", column, None) => of(Shape::Date, column),
                ("date_trunc", unit, Some(column)) => {
                    let unit = match string(unit)?.to_ascii_lowercase().as_str() {
                        "hour" => Unit::Hour,
                        "day" => Unit::Day,
                        "month" => Unit::Month,
                        "year" => Unit::Year,
                        _ => return None,
                    };
                    of(Shape::Trunc(unit), column)
                }
                ("date_part", field, Some(column)) if string(field)?.eq_ignore_ascii_case("year") => {
                    of(Shape::Year, column)
                }
                ("to_char", column, Some(format)) => of(Shape::Text(string(format)?), column),
                ("coalesce", column, Some(default)) if list.args.len() == 2 => {
                    Some(Form { with: Some(default), ..of(Shape::Coalesce, column)? })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// A column below the casts that the server adds for a function's argument.
fn column_below(expr: &Expr) -> (&Expr, bool) {
    match bare(expr) {
        Expr::Cast { expr, data_type, .. } => match type_kind(&data_type.to_string()) {
            TypeKind::Timestamp | TypeKind::TimestampTz => (column_below(expr).0, true),
            TypeKind::Text => column_below(expr),
            _ => (bare(expr), false),
        },
        other => (other, false),
    }
}

/// One comparison on the bare column, and what has to be checked.
fn put(
    form: &Form,
    hidden: &Hidden,
    op: &BinaryOperator,
    value: &Expr,
    zoned: bool,
) -> Option<(String, Option<&'static str>)> {
    let column = &form.sql;
    let point_in_time = [TypeKind::Date, TypeKind::Timestamp, TypeKind::TimestampTz].contains(&hidden.kind);
    let clocks = (hidden.kind == TypeKind::TimestampTz || form.zoned || zoned).then_some(CLOCKS);
    match &form.shape {
        Shape::Date | Shape::Trunc(_) | Shape::Year | Shape::Text(_) if point_in_time => {
            let (start, next) = bounds(&form.shape, op, value)?;
            Some((half_open(column, op, &start, &next)?, clocks))
        }
        Shape::Plus | Shape::Minus => {
            let (back, with) = (if form.shape == Shape::Plus { "-" } else { "+" }, form.with?);
            if hidden.kind == TypeKind::Integer {
                let (by, value) = (number(with)?.parse::<i64>().ok()?, number(value)?.parse::<i64>().ok()?);
                let moved = if back == "-" { value.checked_sub(by) } else { value.checked_add(by) };
                return Some((format!("{column} {op} {}", moved?), None));
            }
            if hidden.kind == TypeKind::Date && number(with).is_some() {
                return Some((format!("{column} {op} {} {back} {with}", date(value)?), None));
            }
            (point_in_time && interval(with)).then(|| {
                Some((
                    format!("{column} {op} {} {back} {with}", moment(value, hidden.kind)?),
                    Some(INTERVALS),
                ))
            })?
        }
        Shape::From => {
            let (op, with) = (flipped(op)?, form.with?);
            if hidden.kind == TypeKind::Date && number(value).is_some() {
                return Some((format!("{column} {op} {} - {value}", date(with)?), None));
            }
            (point_in_time && interval(value)).then(|| {
                Some((format!("{column} {op} {} - {value}", moment(with, hidden.kind)?), Some(INTERVALS)))
            })?
        }
        Shape::Coalesce => {
            let default = form.with?;
            (hidden.not_null || never(default, op, value, hidden.kind))
                .then(|| (format!("{column} {op} {value}"), None))
        }
        _ => None,
    }
}

/// Where the period of a value starts, and where the next one does.
fn bounds(shape: &Shape, op: &BinaryOperator, value: &Expr) -> Option<(String, String)> {
    let pair = |moment: Moment, unit: Unit| (moment.sql(), moment.next(unit).sql());
    match shape {
        Shape::Date => match string(value) {
            Some(text) => Moment::read(&text).filter(|m| m.starts(Unit::Day)).map(|m| pair(m, Unit::Day)),
            None => date(value).map(|day| (day.clone(), format!("{day} + 1"))),
        },
        Shape::Trunc(unit) => {
            Moment::read(&string(value)?).filter(|m| m.starts(*unit)).map(|m| pair(m, *unit))
        }
        Shape::Year => {
            let year = number(value).or_else(|| string(value))?.parse().ok()?;
            Moment::year(year).map(|m| pair(m, Unit::Year))
        }
        Shape::Text(format) => {
            let (moment, unit) = Moment::read_as(format, &string(value)?)?;
            (*op == BinaryOperator::Eq).then(|| pair(moment, unit))
        }
        _ => None,
    }
}

fn half_open(column: &str, op: &BinaryOperator, start: &str, next: &str) -> Option<String> {
    Some(match op {
        BinaryOperator::Eq => format!("{column} >= {start} AND {column} < {next}"),
        BinaryOperator::GtEq => format!("{column} >= {start}"),
        BinaryOperator::Gt => format!("{column} >= {next}"),
        BinaryOperator::Lt => format!("{column} < {start}"),
        BinaryOperator::LtEq => format!("{column} < {next}"),
        _ => return None,
    })
}

/// A value that is a date whatever the column beside it is.
fn date(value: &Expr) -> Option<String> {
    match bare(value) {
        _ if placeholder(value).is_some() => Some(format!("{}::date", placeholder(value)?)),
        Expr::Cast { data_type, .. } if type_kind(&data_type.to_string()) == TypeKind::Date => {
            Some(bare(value).to_string())
        }
        Expr::TypedString(typed) if type_kind(&typed.data_type.to_string()) == TypeKind::Date => {
            Some(bare(value).to_string())
        }
        Expr::Value(_) => string(value).map(|_| format!("{}::date", bare(value))),
        other => Some(other.to_string()).filter(|text| text.eq_ignore_ascii_case("current_date")),
    }
}

/// A value that is a point in time whatever the column beside it is.
fn moment(value: &Expr, kind: TypeKind) -> Option<String> {
    let name = if kind == TypeKind::TimestampTz { "timestamptz" } else { "timestamp" };
    match bare(value) {
        bare @ Expr::Value(_) if placeholder(value).is_some() || string(value).is_some() => {
            Some(format!("{bare}::{name}"))
        }
        Expr::Value(_) => None,
        bare @ Expr::Function(_) => {
            let text = bare.to_string();
            (current(&text) || text.eq_ignore_ascii_case("now()")).then_some(text)
        }
        bare @ (Expr::Cast { .. } | Expr::TypedString(_)) => Some(bare.to_string()),
        Expr::Identifier(word) if current(&word.value) => Some(word.value.clone()),
        _ => None,
    }
}

fn interval(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Interval(_) => true,
        Expr::Cast { data_type, .. } => type_kind(&data_type.to_string()) == TypeKind::Interval,
        _ => false,
    }
}

/// What stands for a null does not meet the comparison, so that no row without a value is kept.
fn never(default: &Expr, op: &BinaryOperator, value: &Expr, kind: TypeKind) -> bool {
    let integer = |e: &Expr| number(e).and_then(|digits| digits.parse::<i64>().ok());
    match (kind, integer(default), integer(value)) {
        (TypeKind::Integer, Some(default), Some(value)) => match op {
            BinaryOperator::Eq => default != value,
            BinaryOperator::Lt => default >= value,
            BinaryOperator::LtEq => default > value,
            BinaryOperator::Gt => default <= value,
            BinaryOperator::GtEq => default < value,
            _ => false,
        },
        // No collation takes a letter for nothing.
        (TypeKind::Text, ..) => {
            let letters = |text: String| text.bytes().any(|b| b.is_ascii_alphanumeric());
            *op == BinaryOperator::Eq
                && string(default).is_some_and(|text| text.is_empty())
                && string(value).is_some_and(letters)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(kind: TypeKind, not_null: bool, plan: &str, test: &str) -> Option<(String, usize)> {
        let parsed = Parsed::read(&format!("SELECT * FROM e WHERE {test}")).expect("plain SQL");
        let hidden = Hidden { column: "c", alias: Some("e"), data_type: "", kind, not_null };
        let rewritten = rewrite(&parsed, &hidden, plan)?;
        assert_eq!(rewritten.renamed, None);
        Some((rewritten.sql.strip_prefix("SELECT * FROM e WHERE ")?.to_owned(), rewritten.to_check.len()))
    }

    #[test]
    fn functions_become_ranges() {
        use TypeKind::{Date, Integer, Text, Timestamp, TimestampTz};
        for (kind, plan, test, sql, checks) in [
            (Timestamp, "(c)::date", "c::date = '2024-01-31'", "c >= '2024-01-31' AND c < '2024-02-01'", 0),
            (
                TimestampTz,
                "(c)::date",
                "CAST(e.c AS date) = DATE '2024-01-05'",
                "e.c >= '2024-01-05' AND e.c < '2024-01-06'",
                1,
            ),
            (
                Timestamp,
                "date(c)",
                "date(c) = $1 AND x = 2",
                "c >= $1::DATE AND c < $1::DATE + 1 AND x = 2",
                0,
            ),
            (
                Timestamp,
                "(c)::date",
                "c::date = current_date",
                "c >= current_date AND c < current_date + 1",
                0,
            ),
            (Timestamp, "(c)::date", "'2024-01-05' <= c::date", "c >= '2024-01-05'", 0),
            (Timestamp, "(c)::date", "c::date > '2024-01-05'", "c >= '2024-01-06'", 0),
            (Timestamp, "(c)::date", "c::date < '2024-01-05'", "c < '2024-01-05'", 0),
            (Timestamp, "(c)::date", "c::date <= '2024-01-05'", "c < '2024-01-06'", 0),
            (
                Timestamp,
                "(c)::date",
                "c::date BETWEEN '2024-01-01' AND '2024-01-31'",
                "c >= '2024-01-01' AND c < '2024-02-01'",
                0,
            ),
            (
                Timestamp,
                "date_trunc('month'::text, c)",
                "date_trunc('MONTH', c) = '2024-02-01'",
                "c >= '2024-02-01' AND c < '2024-03-01'",
                0,
            ),
            (
                Timestamp,
                "date_trunc('hour'::text, c)",
                "date_trunc('hour', c) = '2024-02-01 23:00'",
                "c >= '2024-02-01 23:00' AND c < '2024-02-02'",
                0,
            ),
            (
                Date,
                "date_trunc('month'::text, (c)::timestamp with time zone)",
                "date_trunc('month', c) = '2024-02-01'",
                "c >= '2024-02-01' AND c < '2024-03-01'",
                1,
            ),
            (
                Timestamp,
                "EXTRACT(year FROM c)",
                "extract(year from c) = 2024",
                "c >= '2024-01-01' AND c < '2025-01-01'",
                0,
            ),
            (
                Timestamp,
                "date_part('year'::text, c)",
                "extract(year from c) = 2024",
                "c >= '2024-01-01' AND c < '2025-01-01'",
                0,
            ),
            (
                Timestamp,
                "to_char(c, 'YYYY-MM'::text)",
                "to_char(c, 'YYYY-MM') = '2024-02'",
                "c >= '2024-02-01' AND c < '2024-03-01'",
                0,
            ),
            (Integer, "(c + 1)", "c + 1 > 10", "c > 9", 0),
            (Integer, "(1 + c)", "1 + c > 10", "c > 9", 0),
            (Integer, "(c - 1)", "10 < c - 1", "c > 11", 0),
            (Integer, "(c + '-1'::integer)", "c + -1 = -10", "c = -9", 0),
            (Date, "(c + 7)", "c + 7 > $1", "c > $1::DATE - 7", 0),
            (Date, "(CURRENT_DATE - c)", "current_date - c < 7", "c > current_date - 7", 0),
            (TimestampTz, "(now() - c)", "now() - c <= interval '1 day'", "c >= now() - INTERVAL '1 day'", 1),
            (
                Timestamp,
                "(c + '1 day'::interval)",
                "c + interval '1 day' > '2024-01-05'",
                "c > '2024-01-05'::TIMESTAMP - INTERVAL '1 day'",
                1,
            ),
            (Integer, "COALESCE(c, 0)", "coalesce(c, 0) = 7", "c = 7", 0),
            (Integer, "COALESCE(c, 0)", "coalesce(c, 0) > 0", "c > 0", 0),
            (Text, "COALESCE(c, ''::text)", "coalesce(c, '') = 'x'", "c = 'x'", 0),
        ] {
            assert_eq!(rewritten(kind, false, plan, test), Some((sql.to_owned(), checks)), "{test}");
        }
        let not_null = rewritten(Integer, true, "COALESCE(c, 0)", "coalesce(c, 0) = 0");
        assert_eq!(not_null, Some(("c = 0".to_owned(), 0)));
    }

    #[test]
    fn what_would_be_another_question_is_left_alone() {
        use TypeKind::{Integer, Other, Text, Timestamp};
        for (kind, plan, test) in [
            (Timestamp, "(c)::date", "c::date = '05.01.2024'"),
            (Timestamp, "(c)::date", "c::date = 'today'"),
            (Timestamp, "(c)::date", "c::date = other_column"),
            (Timestamp, "(c)::date", "c::date <> '2024-01-05'"),
            (Timestamp, "(c)::date", "NOT c::date = '2024-01-05'"),
            (Timestamp, "(c)::date", "c::date = '2024-01-05' OR x = 1"),
            (Timestamp, "(c)::date", "c::date NOT BETWEEN '2024-01-01' AND '2024-01-31'"),
            (Timestamp, "(c)::date", "d::date = '2024-01-05' AND e::date = '2024-01-06'"),
            (Other, "(c)::date", "c::date = '2024-01-05'"),
            (Timestamp, "date_trunc('month'::text, c)", "date_trunc('month', c) = '2024-02-02'"),
            (Timestamp, "date_trunc('day'::text, c)", "date_trunc('month', c) = '2024-02-01'"),
            (Timestamp, "date_trunc('week'::text, c)", "date_trunc('week', c) = '2024-02-05'"),
            (Timestamp, "EXTRACT(month FROM c)", "extract(month from c) = 2"),
            (Timestamp, "to_char(c, 'YYYY-MM'::text)", "to_char(c, 'YYYY-MM') > '2024-02'"),
            (Timestamp, "to_char(c, 'DD'::text)", "to_char(c, 'DD') = '02'"),
            (Integer, "(c * 2)", "c * 2 = 10"),
            (Integer, "(c + 1)", "c + 1 > 9223372036854775808"),
            (Integer, "COALESCE(c, 0)", "coalesce(c, 0) = 0"),
            (Integer, "COALESCE(c, 0)", "coalesce(c, 0) < 5"),
            (Integer, "COALESCE(c, 0)", "coalesce(c, 0) <= 0"),
            (Integer, "COALESCE(c, 9)", "coalesce(c, 9) > 5"),
            (Integer, "COALESCE(c, 5)", "coalesce(c, 5) >= 5"),
            (Text, "COALESCE(c, 'x'::text)", "coalesce(c, 'x') = 'y'"),
            (Text, "lower(c)", "lower(c) = 'y'"),
        ] {
            assert_eq!(rewritten(kind, false, plan, test), None, "{test}");
        }
    }

    #[test]
    fn the_right_column_of_several_is_taken() {
        let sql = "SELECT 1 FROM t a JOIN t b ON a.x = b.x AND b.c::date = '2024-01-05' WHERE a.c::date = '2024-01-06'";
        let hidden = Hidden {
            column: "c",
            alias: Some("b"),
            data_type: "",
            kind: TypeKind::Timestamp,
            not_null: false,
        };
        let of =
            |sql: &str, hidden: &Hidden| rewrite(&Parsed::read(sql).expect("plain SQL"), hidden, "(c)::date");
        let found = of(sql, &hidden).expect("the alias tells which");
        assert!(
            found.sql.contains("ON a.x = b.x AND b.c >= '2024-01-05' AND b.c < '2024-01-06' WHERE a.c::"),
            "{}",
            found.sql
        );
        assert_eq!(of(sql, &Hidden { alias: Some("t_1"), ..hidden }), None);
        let view =
            of("SELECT * FROM v WHERE \"When\"::date = '2024-01-05'", &hidden).expect("one column alone");
        assert_eq!(view.renamed.as_deref(), Some("When"));
        assert_eq!(view.sql, "SELECT * FROM v WHERE \"When\" >= '2024-01-05' AND \"When\" < '2024-01-06'");
        let twice =
            "SELECT 1 FROM t WHERE c::date = '2024-01-05' UNION SELECT 2 FROM u WHERE c::date = '2024-01-05'";
        assert_eq!(of(twice, &hidden), None);
    }
}
