//! Files of `cargo sqlx prepare`: one query each, with the types of its parameters.

use super::{Origin, Query, budget};
use crate::error::{Error, Kind, Result};
use crate::finding::Location;
use crate::sql;
use crate::sql::ident::quote;
use crate::sql::token::{TokenKind, tokenize};
use serde::Deserialize;
use serde_json::Value;

/// The server's own types as sqlx names them, without those that exist only as an array's element or as nothing.
/// An array is the same word with `Array` behind.
const TYPES: &[&str] = &[
    "Bool",
    "Bytea",
    "Char",
    "Name",
    "Int8",
    "Int2",
    "Int4",
    "Text",
    "Oid",
    "Json",
    "Jsonb",
    "Jsonpath",
    "Point",
    "Lseg",
    "Path",
    "Box",
    "Polygon",
    "Line",
    "Circle",
    "Cidr",
    "Inet",
    "Macaddr",
    "Macaddr8",
    "Float4",
    "Float8",
    "Bpchar",
    "Varchar",
    "Date",
    "Time",
    "Timetz",
    "Timestamp",
    "Timestamptz",
    "Interval",
    "Bit",
    "Varbit",
    "Numeric",
    "Uuid",
    "Money",
    "Int4Range",
    "Int8Range",
    "NumRange",
    "TsRange",
    "TstzRange",
    "DateRange",
];

#[derive(Deserialize)]
struct Prepared {
    query: String,
    #[serde(default)]
    db_name: Option<String>,
    #[serde(default)]
    describe: Option<Describe>,
}

#[derive(Deserialize)]
struct Describe {
    #[serde(default)]
    parameters: Value,
}

/// The query of a file. What it holds of other databases' is none of ours.
pub(super) fn read(path: &str, text: &str) -> Result<Option<Query>> {
    let damaged = |e: serde_json::Error| {
        Error::new(Kind::Input, format!("read the query in {path}"))
            .because(e)
            .help("name files that `cargo sqlx prepare` wrote, or a server's jsonlog")
    };
    let prepared: Prepared = serde_json::from_str(text).map_err(damaged)?;
    let ours = prepared.db_name.is_none_or(|name| name == "PostgreSQL");
    let at =
        text.lines().position(|line| line.trim_start().starts_with("\"query\"")).map_or(1, |line| line + 1);
    let place = Location { path: path.to_owned(), line: at, end_line: at };
    let text = prepared.query.trim().trim_end_matches(';').to_owned();
    let types = prepared.describe.and_then(|describe| types(&describe.parameters));
    let budget = budget(path, sql::comments(&text).into_iter().map(|comment| (comment.text, at)))?;
    let comments = sql::comments(&text).into_iter().map(|comment| (comment.text.to_owned(), at)).collect();
    Ok(ours.then_some(Query {
        comments,
        name: None,
        text,
        places: vec![place],
        types,
        origin: Origin::Written,
        budget,
    }))
}

/// `{"Left": ["Int4", …]}` as names that SQL takes; `None` without a single one.
fn types(parameters: &Value) -> Option<Vec<Option<String>>> {
    let types: Vec<Option<String>> = parameters.get("Left")?.as_array()?.iter().map(sql_type).collect();
    types.iter().any(Option::is_some).then_some(types)
}

/// A type as sqlx writes it, as SQL has it; `None` for one that is not known here.
fn sql_type(written: &Value) -> Option<String> {
    if let Some(word) = written.as_str() {
        let (element, array) = word.strip_suffix("Array").map_or((word, ""), |element| (element, "[]"));
        TYPES.contains(&element).then_some(())?;
        // `char` is another type.
        let name = if element == "Char" { "\"char\"".to_owned() } else { element.to_ascii_lowercase() };
        return Some(name + array);
    }
    if let Some(name) = written.get("DeclareWithName") {
        return custom(name.as_str()?);
    }
    let own = written.get("Custom")?;
    // An array without brackets has the name of its element behind an underscore.
    custom(own.get("name")?.as_str()?)
}

/// A type of the user's, as `regtype` prints it or as it is called. Nothing but a name is taken: it will stand in SQL.
fn custom(name: &str) -> Option<String> {
    let element = name.strip_suffix("[]").unwrap_or(name);
    let (tokens, error) = tokenize(element);
    let alone = error.is_none() && tokens.len() % 2 == 1 && tokens.len() <= 3;
    // What is between the tokens is a blank or a comment.
    let whole = tokens.iter().map(|token| token.end - token.start).sum::<usize>() == element.len();
    let mut sql = String::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Punct if at % 2 == 1 && token.is_punct(element, ".") => sql.push('.'),
            TokenKind::QuotedIdent if at % 2 == 0 => sql.push_str(token.text(element)),
            TokenKind::Word if at % 2 == 0 => sql.push_str(&quote(token.text(element))),
            _ => return None,
        }
    }
    (alone && whole).then(|| sql + &name[element.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_are_named_as_sql_names_them() {
        for (written, name) in [
            (json!("Int4"), Some("int4")),
            (json!("Timestamptz"), Some("timestamptz")),
            (json!("Int4Array"), Some("int4[]")),
            (json!("Jsonb"), Some("jsonb")),
            (json!("Char"), Some("\"char\"")),
            (json!("TstzRange"), Some("tstzrange")),
            (json!("Void"), None),
            (json!("Array"), None),
            (json!("Int4); DROP TABLE t"), None),
            (json!({"Custom": {"name": "mood", "kind": {"Enum": ["sad", "ok"]}}}), Some("mood")),
            (json!({"Custom": {"name": "_mood", "kind": "Simple"}}), Some("_mood")),
            (json!({"Custom": {"name": "mood[]", "kind": "Simple"}}), Some("mood[]")),
            (json!({"Custom": {"name": "shop.\"Mood\"", "kind": "Simple"}}), Some("shop.\"Mood\"")),
            (json!({"Custom": {"name": "Mood", "kind": "Simple"}}), Some("\"Mood\"")),
            (json!({"Custom": {"name": "a) AS SELECT 1; --", "kind": "Simple"}}), None),
            (json!({"Custom": {"name": "a.b.c", "kind": "Simple"}}), None),
            (json!({"Custom": {"name": "", "kind": "Simple"}}), None),
            (json!({"DeclareWithName": "ltree"}), Some("ltree")),
            (json!({"DeclareWithOid": 16388}), None),
            (json!(5), None),
        ] {
            assert_eq!(sql_type(&written).as_deref(), name, "{written}");
        }
        assert_eq!(types(&json!({"Right": 2})), None);
        assert_eq!(types(&json!({"Left": []})), None);
        assert_eq!(types(&Value::Null), None);
        let two = types(&json!({"Left": ["Unknown", "Text"]}));
        assert_eq!(two, Some(vec![None, Some("text".to_owned())]));
    }
}
