//! Whether PostgreSQL itself gave a name, so that it may stay: grammar, types, functions, keys, settings.
//!
//! Refuses to judge what is not listed: that is hidden.

use super::lists::{
    COLLATIONS, FIELDS, KEYS, KINDS, SCHEMAS, SETTING_VALUES, SYNTAX, SYSTEM_COLUMNS, TYPE_WORDS, TYPES,
    WORDS,
};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Functions of `pg_catalog` in 13–18, without those that only the server itself calls (`pg_proc`).
static FUNCTIONS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("functions.txt").split_whitespace().collect());

/// Whether the server brings a function of this name.
pub(super) fn function(name: &str) -> bool {
    FUNCTIONS.contains(name)
}

/// Whether `word`, as written, is a word of the grammar.
pub(super) fn syntax(word: &str) -> bool {
    SYNTAX.contains(&word)
}

pub(super) fn field(word: &str) -> bool {
    FIELDS.contains(&word)
}

pub(super) fn data_type(name: &str) -> bool {
    TYPES.contains(&name)
}

pub(super) fn type_word(word: &str) -> bool {
    TYPE_WORDS.contains(&word)
}

pub(super) fn collation(name: &str) -> bool {
    COLLATIONS.contains(&name)
}

pub(super) fn schema(name: &str) -> bool {
    SCHEMAS.contains(&name)
}

pub(super) fn system_column(name: &str) -> bool {
    SYSTEM_COLUMNS.contains(&name)
}

/// Names that the server gives to what the statement left without one: `*VALUES*`, `*SELECT* 2`, `excluded`.
pub(super) fn alias(name: &str) -> bool {
    let starred = name.strip_prefix('*').and_then(|rest| rest.split_once('*'));
    let number = |rest: &str| rest.trim_start_matches([' ', '_']).bytes().all(|b| b.is_ascii_digit());
    match starred {
        Some((word, rest)) => {
            ["VALUES", "SELECT", "TLOCRN", "TROCRN", "RESULT", "GROUP"].contains(&word) && number(rest)
        }
        None => ["excluded", "json_table", "new", "old", "unnamed_subquery", "xmltable"].contains(&name),
    }
}

/// What the server names a subplan after (19+): `exists_1`, `minmax_2`.
pub(super) fn subplan(name: &str) -> bool {
    const STEMS: &[&str] = &[
        "all",
        "any",
        "array",
        "array_expr",
        "exists",
        "expr",
        "minmax",
        "multiexpr",
        "rowcompare",
        "sublink",
    ];
    name.rsplit_once('_').is_some_and(|(stem, number)| {
        STEMS.contains(&stem) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Whether the server has a node of this kind.
pub(super) fn kind(kind: &str) -> bool {
    KINDS.contains(&kind)
}

pub(super) fn word(word: &str) -> bool {
    WORDS.contains(&word)
}

/// Whether a property of this name is one that is known.
pub(super) fn key(key: &str) -> bool {
    KEYS.contains(&key)
}

/// Whether a text is figures with names of EXPLAIN's own: `avg=3.0 max=9 capacity=16` (19+).
pub(super) fn figures(text: &str) -> bool {
    const NAMES: &[&str] = &["avg", "capacity", "count", "in-progress", "max", "size", "waits"];
    !text.is_empty()
        && text.split_whitespace().all(|pair| {
            pair.split_once('=')
                .is_some_and(|(name, number)| NAMES.contains(&name) && number.parse::<f64>().is_ok())
        })
}

/// Whether a setting's value is a number, perhaps with its unit, or a word that settings take.
pub(super) fn setting_value(value: &str) -> bool {
    let units = ["", "B", "kB", "MB", "GB", "TB", "us", "ms", "s", "min", "h", "d"];
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    SETTING_VALUES.contains(&value)
        || (digits.parse::<f64>().is_ok() && units.contains(&&value[digits.len()..]))
}

/// Whether a setting is named as the server's own are: those of extensions have a dot.
pub(super) fn setting(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_named_is_known_and_nothing_else() {
        assert!(
            function("lower") && function("generate_series") && function("date_trunc") && function("count")
        );
        assert!(!function("charge_customer"));
        assert!(alias("*VALUES*") && alias("*VALUES*_1") && alias("*SELECT* 12") && !alias("*mine*"));
        assert!(subplan("exists_1") && subplan("minmax_12") && !subplan("orders_1") && !subplan("exists_x"));
        assert!(
            setting_value("64kB") && setting_value("1.1") && setting_value("off") && !setting_value("secret")
        );
    }
}
