//! A cast column compared with a value becomes the column compared with the value cast to its type.
//!
//! Refuses where the two are another question: `n::numeric = 5.5` has no integer, `t::int = 5` means `'05'` too.

use super::hidden::{
    Change, Hidden, Sargable, bare, fixed, flipped, name, number, placeholder, replace, string,
};
use crate::sql::Parsed;
use crate::sql::volatility::{TypeKind, type_kind};
use sqlparser::ast::{BinaryOperator, Expr};

/// Integers up to this one have a float of their own.
const EXACT_FLOAT: i64 = 1 << 53;

/// The statement with its tests of the column cast to `to` on the bare column.
pub fn rewrite(parsed: &Parsed, hidden: &Hidden, to: &str) -> Option<Sargable> {
    let to = type_kind(to);
    let change = |test: &Expr| match test {
        Expr::BinaryOp { left, op, right } => {
            let sides = [(left, op.clone(), right), (right, flipped(op)?, left)];
            sides.into_iter().find_map(|(side, op, value)| {
                let (column, explicit) = column(side, to)?;
                let values = vec![value.as_ref()];
                change(column, &op, &values, hidden, to, explicit)
            })
        }
        Expr::InList { expr, list, negated: false } => {
            let (column, explicit) = column(expr, to)?;
            change(column, &BinaryOperator::Eq, &list.iter().collect::<Vec<_>>(), hidden, to, explicit)
        }
        _ => None,
    };
    replace(parsed, hidden, &change)
}

/// The column of one side, and whether its cast is spelled.
fn column(side: &Expr, to: TypeKind) -> Option<(&Expr, bool)> {
    match bare(side) {
        Expr::Cast { expr, data_type, .. } if type_kind(&data_type.to_string()) == to => {
            name(expr).map(|_| (bare(expr), true))
        }
        other => name(other).map(|_| (other, false)),
    }
}

fn change(
    column: &Expr,
    op: &BinaryOperator,
    values: &[&Expr],
    hidden: &Hidden,
    to: TypeKind,
    explicit: bool,
) -> Option<Change> {
    // A column without a cast is compared as another type only where the value is of that type.
    if !values.iter().all(|v| fixed(v)) || !(explicit || values.iter().any(|v| of_kind(v, to))) {
        return None;
    }
    let put: Option<Vec<_>> = values.iter().map(|value| put(op, value, hidden, to)).collect();
    let sql = put.as_ref().map(|put| match &put[..] {
        [one] => format!("{column} {} {}", one.op, one.value),
        many => {
            let values: Vec<&str> = many.iter().map(|p| p.value.as_str()).collect();
            format!("{column} IN ({})", values.join(", "))
        }
    });
    let to_check = put.and_then(|put| put.into_iter().find_map(|p| p.to_check));
    Some(Change { column: name(column)?, sql, to_check })
}

/// A value that makes the server cast an integer beside it.
fn of_kind(value: &Expr, to: TypeKind) -> bool {
    match bare(value) {
        Expr::Cast { data_type, .. } => type_kind(&data_type.to_string()) == to,
        Expr::TypedString(typed) => type_kind(&typed.data_type.to_string()) == to,
        _ => to == TypeKind::Numeric && number(value).is_some_and(|n| n.contains(['.', 'e', 'E'])),
    }
}

/// One value as the column's type has it.
struct Put {
    op: BinaryOperator,
    value: String,
    to_check: Option<String>,
}

fn put(op: &BinaryOperator, value: &Expr, hidden: &Hidden, to: TypeKind) -> Option<Put> {
    let inner = match bare(value) {
        Expr::Cast { expr, .. } => bare(expr),
        other => other,
    };
    let of_parameter = |holds: &str| {
        let parameter = placeholder(inner)?;
        let to_check = Some(format!("{parameter} {holds}"));
        Some(Put { op: op.clone(), value: format!("{parameter}::{}", hidden.data_type), to_check })
    };
    let equal = *op == BinaryOperator::Eq;
    match (hidden.kind, to) {
        (TypeKind::Integer, TypeKind::Numeric | TypeKind::Float) => {
            let Some(text) = number(inner).or_else(|| string(inner)) else {
                return of_parameter("holds a whole number");
            };
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let value: i64 = whole.parse().ok()?;
            if !fraction.bytes().all(|b| b.is_ascii_digit())
                || (to == TypeKind::Float && value.abs() >= EXACT_FLOAT)
            {
                return None;
            }
            let integral = fraction.bytes().all(|b| b == b'0');
            let below = if text.starts_with('-') { value.checked_sub(1)? } else { value };
            let (op, value) = match op {
                op if integral => (op.clone(), value),
                BinaryOperator::Gt | BinaryOperator::GtEq => (BinaryOperator::Gt, below),
                BinaryOperator::Lt | BinaryOperator::LtEq => (BinaryOperator::LtEq, below),
                _ => return None,
            };
            Some(Put { op, value: value.to_string(), to_check: None })
        }
        (TypeKind::Integer, TypeKind::Text) if equal => {
            let Some(text) = string(inner) else {
                return of_parameter("holds a number as the server writes it: no leading zero, no space");
            };
            let value: i64 = text.parse().ok()?;
            (value.to_string() == text).then(|| Put { op: op.clone(), value: text, to_check: None })
        }
        (TypeKind::Uuid, TypeKind::Text) if equal => {
            let Some(text) = string(inner) else {
                return of_parameter("holds a UUID as the server writes it: lower case, with hyphens");
            };
            canonical_uuid(&text).then(|| Put { op: op.clone(), value: format!("'{text}'"), to_check: None })
        }
        _ => None,
    }
}

fn canonical_uuid(text: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|p| hex(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(kind: TypeKind, to: &str, test: &str) -> Option<(String, usize)> {
        let parsed = Parsed::read(&format!("SELECT * FROM e WHERE {test}")).expect("plain SQL");
        let hidden = Hidden { column: "c", alias: Some("e"), data_type: "integer", kind, not_null: false };
        let rewritten = rewrite(&parsed, &hidden, to)?;
        Some((rewritten.sql.strip_prefix("SELECT * FROM e WHERE ")?.to_owned(), rewritten.to_check.len()))
    }

    #[test]
    fn the_value_takes_the_columns_type() {
        use TypeKind::{Integer, Uuid};
        let uuid = "c4ca4238-a0b9-2382-0dcc-509a6f75849b";
        for (kind, to, test, sql, checks) in [
            (Integer, "numeric", "c = 5.0", "c = 5".to_owned(), 0),
            (Integer, "numeric", "e.c::numeric = 5 AND c > 3", "e.c = 5 AND c > 3".to_owned(), 0),
            (Integer, "numeric", "5.50 < c", "c > 5".to_owned(), 0),
            (Integer, "numeric", "c >= 5.5", "c > 5".to_owned(), 0),
            (Integer, "numeric", "c < 5.5", "c <= 5".to_owned(), 0),
            (Integer, "numeric", "c <= -5.5", "c <= -6".to_owned(), 0),
            (Integer, "numeric", "c > -0.5", "c > -1".to_owned(), 0),
            (Integer, "numeric", "c >= 5.0", "c >= 5".to_owned(), 0),
            (Integer, "numeric", "c IN (5.0, 6.0)", "c IN (5, 6)".to_owned(), 0),
            (Integer, "numeric", "c = $1::numeric", "c = $1::INTEGER".to_owned(), 1),
            (Integer, "double precision", "c = 5::float8", "c = 5".to_owned(), 0),
            (Integer, "double precision", "c = '5'::double precision", "c = 5".to_owned(), 0),
            (Integer, "text", "c::text = '5'", "c = 5".to_owned(), 0),
            (Integer, "text", "c::text IN ('5', '-6')", "c IN (5, -6)".to_owned(), 0),
            (Integer, "text", "CAST(c AS text) = $1", "c = $1::INTEGER".to_owned(), 1),
            (Uuid, "text", &format!("c::text = '{uuid}'"), format!("c = '{uuid}'"), 0),
        ] {
            assert_eq!(rewritten(kind, to, test), Some((sql, checks)), "{test}");
        }
    }

    #[test]
    fn what_would_be_another_question_is_left_alone() {
        use TypeKind::{Integer, Text, Uuid};
        for (kind, to, test) in [
            (Integer, "numeric", "c = 5.5"),
            (Integer, "numeric", "c = 5"),
            (Integer, "numeric", "c = d::numeric"),
            (Integer, "numeric", "c = 99999999999999999999.0"),
            (Integer, "numeric", "c = 1e3"),
            (Integer, "double precision", "c = 9007199254740992::float8"),
            (Integer, "text", "c::text = '05'"),
            (Integer, "text", "c::text = 'x'"),
            (Integer, "text", "c::text > '5'"),
            (Integer, "text", "c::text LIKE '5%'"),
            (Uuid, "text", "c::text = 'C4CA4238-A0B9-2382-0DCC-509A6F75849B'"),
            (Uuid, "text", "c::text = 'c4ca4238a0b923820dcc509a6f75849b'"),
            (Text, "integer", "c::int = 5"),
        ] {
            assert_eq!(rewritten(kind, to, test), None, "{test}");
        }
    }
}
