//! Whether an index can hold an expression: its value must depend on the row alone.
//!
//! Refuses to guess: what it does not know (a function's volatility comes from the caller) is not immutable.
//! Casts and operators between times have volatilities of their own, which differ by type and not by name.

use super::ident;
use sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// Types as far as volatility tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeKind {
    /// `smallint`, `integer`, `bigint`.
    Integer,
    Numeric,
    Float,
    /// `text`, `character varying`, `name`.
    Text,
    /// `character(n)`: a cast to `text` cuts its spaces off.
    Padded,
    Boolean,
    Uuid,
    Json,
    Date,
    Time,
    Timestamp,
    /// Its fields depend on the session's time zone.
    TimestampTz,
    Interval,
    Other,
}

/// The kind of a type as `format_type` or a cast prints it.
pub fn type_kind(name: &str) -> TypeKind {
    let name = name.to_ascii_lowercase();
    let zoned = name.contains("with time zone") && !name.contains("without");
    let word = name.split(['(', ' ']).next().unwrap_or("");
    match word {
        _ if name.ends_with(']') => TypeKind::Other,
        "smallint" | "integer" | "bigint" | "int" | "int2" | "int4" | "int8" => TypeKind::Integer,
        "numeric" | "decimal" => TypeKind::Numeric,
        "real" | "double" | "float" | "float4" | "float8" => TypeKind::Float,
        "text" | "varchar" | "name" => TypeKind::Text,
        "character" if name.starts_with("character varying") => TypeKind::Text,
        "character" | "char" | "bpchar" => TypeKind::Padded,
        "boolean" | "bool" => TypeKind::Boolean,
        "uuid" => TypeKind::Uuid,
        "json" | "jsonb" => TypeKind::Json,
        "date" => TypeKind::Date,
        "timestamptz" => TypeKind::TimestampTz,
        "timestamp" if zoned => TypeKind::TimestampTz,
        "timestamp" => TypeKind::Timestamp,
        "time" if !zoned => TypeKind::Time,
        "interval" => TypeKind::Interval,
        _ => TypeKind::Other,
    }
}

/// Whether the expression that a plan prints as `text` may be an index's key. `column` gives a column's type,
/// `function` says whether every function of a name is immutable.
pub fn immutable(
    text: &str,
    column: &dyn Fn(&str) -> Option<TypeKind>,
    function: &dyn Fn(&str) -> bool,
) -> bool {
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).and_then(|mut p| p.parse_expr());
    parsed.is_ok_and(|expr| kind(&expr, &Known { column, function }).is_some())
}

struct Known<'a> {
    column: &'a dyn Fn(&str) -> Option<TypeKind>,
    function: &'a dyn Fn(&str) -> bool,
}

/// The kind of an immutable expression; `None` for one that is not, or may not be.
fn kind(expr: &Expr, known: &Known) -> Option<TypeKind> {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } | Expr::UnaryOp { expr: inner, .. } => {
            kind(inner, known)
        }
        Expr::Identifier(name) => (known.column)(&ident::unquote(&name.to_string())),
        Expr::Value(value) => match value.value {
            Value::Number(..) => Some(TypeKind::Integer),
            Value::Boolean(_) => Some(TypeKind::Boolean),
            Value::Placeholder(_) => None,
            _ => Some(TypeKind::Text),
        },
        Expr::TypedString(typed) => Some(type_kind(&typed.data_type.to_string())),
        Expr::Interval(_) => Some(TypeKind::Interval),
        Expr::Cast { expr, data_type, .. } => {
            let to = type_kind(&data_type.to_string());
            // The server has folded a literal's cast when it prints it.
            if matches!(expr.as_ref(), Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_))) {
                return Some(to);
            }
            kind(expr, known).filter(|from| cast_is_immutable(*from, to)).map(|_| to)
        }
        Expr::AtTimeZone { timestamp, time_zone } => {
            kind(time_zone, known).filter(|zone| *zone == TypeKind::Text)?;
            match kind(timestamp, known)? {
                TypeKind::Timestamp => Some(TypeKind::TimestampTz),
                TypeKind::TimestampTz => Some(TypeKind::Timestamp),
                _ => None,
            }
        }
        Expr::Extract { expr, .. } => part(kind(expr, known)?),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            [substring_from, substring_for]
                .into_iter()
                .flatten()
                .try_for_each(|e| kind(e, known).map(|_| ()))?;
            kind(expr, known)
        }
        Expr::Trim { expr, trim_what, .. } => {
            trim_what.iter().try_for_each(|e| kind(e, known).map(|_| ()))?;
            kind(expr, known)
        }
        Expr::BinaryOp { left, op, right } => operation(kind(left, known)?, op, kind(right, known)?),
        Expr::Function(call) => {
            let name = ident::unquote(&call.name.0.last()?.to_string());
            let FunctionArguments::List(list) = &call.args else { return None };
            let argument = |argument: &FunctionArg| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => kind(expr, known),
                _ => None,
            };
            let arguments = list.args.iter().map(argument).collect::<Option<Vec<_>>>()?;
            called(&name, &arguments, known)
        }
        _ => None,
    }
}

/// A field of a point in time.
fn part(of: TypeKind) -> Option<TypeKind> {
    let fixed = [TypeKind::Date, TypeKind::Time, TypeKind::Timestamp, TypeKind::Interval].contains(&of);
    fixed.then_some(TypeKind::Numeric)
}

fn called(name: &str, arguments: &[TypeKind], known: &Known) -> Option<TypeKind> {
    use TypeKind::{Date, Interval, Text, Timestamp, TimestampTz};
    match (name, arguments) {
        ("coalesce" | "greatest" | "least" | "nullif", [first, ..]) => Some(*first),
        ("date", [Timestamp | Date]) => Some(Date),
        ("date_trunc", [Text, of @ (Timestamp | Interval)]) => Some(*of),
        ("date_part", [Text, of]) => part(*of),
        ("age", [Timestamp, Timestamp]) => Some(Interval),
        ("timezone", [Text, Timestamp]) => Some(TimestampTz),
        ("timezone", [Text, TimestampTz]) => Some(Timestamp),
        _ if !(known.function)(name) => None,
        ("lower" | "upper" | "btrim" | "ltrim" | "rtrim" | "substr" | "substring" | "left" | "right", _)
        | ("replace" | "reverse" | "md5" | "lpad" | "rpad" | "translate", _) => Some(Text),
        ("length" | "char_length" | "octet_length" | "strpos", _) => Some(TypeKind::Integer),
        _ => Some(TypeKind::Other),
    }
}

fn operation(left: TypeKind, op: &BinaryOperator, right: TypeKind) -> Option<TypeKind> {
    use TypeKind::{Date, Float, Integer, Interval, Json, Numeric, Text, Time, Timestamp, TimestampTz};
    let number = |k: TypeKind| [Integer, Numeric, Float].contains(&k);
    match (left, op, right) {
        (_, BinaryOperator::StringConcat, _) => (left == Text && right == Text).then_some(Text),
        (Json, BinaryOperator::LongArrow | BinaryOperator::HashLongArrow, _) => Some(Text),
        (Json, BinaryOperator::Arrow | BinaryOperator::HashArrow, _) => Some(Json),
        _ if number(left) && number(right) => Some(if left == Integer { right } else { left }),
        (TimestampTz, ..) | (.., TimestampTz) => None,
        (Timestamp, BinaryOperator::Minus, Timestamp) => Some(Interval),
        (Date, BinaryOperator::Minus, Date) => Some(Integer),
        (Date, BinaryOperator::Plus | BinaryOperator::Minus, Integer) => Some(Date),
        (Date | Timestamp, BinaryOperator::Plus | BinaryOperator::Minus, Interval) => Some(Timestamp),
        (Date, BinaryOperator::Plus, Time) => Some(Timestamp),
        _ => None,
    }
}

/// What times look like depends on `DateStyle` and the time zone; the rest of these casts on nothing (`pg_cast`, and
/// the volatility of the types' input and output functions).
fn cast_is_immutable(from: TypeKind, to: TypeKind) -> bool {
    use TypeKind::{Boolean, Date, Float, Integer, Json, Numeric, Padded, Text, Time, Timestamp, Uuid};
    let plain = |k: TypeKind| [Integer, Numeric, Float, Text, Padded, Boolean, Uuid, Json].contains(&k);
    from == to
        || (plain(from) && plain(to))
        || matches!((from, to), (Timestamp, Date | Time) | (Date, Timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_index_may_hold() {
        let column = |name: &str| {
            Some(match name {
                "at" => TypeKind::Timestamp,
                "tz" => TypeKind::TimestampTz,
                "day" => TypeKind::Date,
                "n" => TypeKind::Integer,
                "data" => TypeKind::Json,
                "t" => TypeKind::Text,
                "mood" => TypeKind::Other,
                _ => return None,
            })
        };
        let function = |name: &str| ["lower", "md5", "abs"].contains(&name);
        for (text, holds) in [
            ("lower((t)::text)", true),
            ("(at)::date", true),
            ("date(at)", true),
            ("date_trunc('day'::text, at)", true),
            ("EXTRACT(year FROM at)", true),
            ("date_part('year'::text, day)", true),
            ("((tz AT TIME ZONE 'UTC'::text))::date", true),
            ("timezone('UTC'::text, tz)", true),
            ("(n + 1)", true),
            ("(n)::numeric", true),
            ("(n)::text", true),
            ("(day + 1)", true),
            ("(at + '1 day'::interval)", true),
            ("(data ->> 'k'::text)", true),
            ("((data ->> 'k'::text))::integer", true),
            ("COALESCE(n, 0)", true),
            ("(lower(t) || 'x'::text)", true),
            ("SUBSTRING(t FROM 1 FOR 2)", true),
            ("(tz)::date", false),
            ("date(tz)", false),
            ("date_trunc('month'::text, tz)", false),
            ("date_trunc('month'::text, (day)::timestamp with time zone)", false),
            ("EXTRACT(year FROM tz)", false),
            ("(at)::text", false),
            ("lower((tz)::text)", false),
            ("to_char(at, 'YYYY'::text)", false),
            ("(tz + '1 day'::interval)", false),
            ("(now() - at)", false),
            ("(mood)::text", false),
            ("(t || mood)", false),
            ("unknown(t)", false),
            ("lower(other)", false),
            ("COALESCE(n, $1)", false),
            ("(((data ->> 'k'::text))::timestamp without time zone)::date", false),
        ] {
            assert_eq!(immutable(text, &column, &function), holds, "{text}");
        }
    }
}
