//! Finding things in the catalog's values.
//!
//! Refuses to invent: a relation that was not captured is `None`.

use super::{Relation, ServerInfo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Relations, function volatility and settings of one database.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Catalog {
    pub relations: Vec<Relation>,
    /// The least stable volatility of all functions of a name: `i`mmutable, `s`table, `v`olatile.
    #[serde(default)]
    pub functions: BTreeMap<String, String>,
}

impl Catalog {
    /// The relation of that schema and name; any schema where the plan did not print one.
    pub fn relation(&self, schema: Option<&str>, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|r| r.name == name && schema.is_none_or(|s| s == r.schema))
    }

    /// Every function of that name is immutable, so that an index may hold its results.
    pub fn immutable(&self, function: &str) -> bool {
        self.functions.get(function).is_some_and(|v| v == "i")
    }
}

impl ServerInfo {
    /// A setting as `SHOW` prints it.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// A memory setting in bytes: `4MB`, `512kB`, `1GB`; a bare number is kilobytes, as for work_mem.
    pub fn bytes(&self, name: &str) -> Option<i64> {
        parse_bytes(self.setting(name)?)
    }

    /// A numeric setting.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.setting(name)?.parse().ok()
    }
}

fn parse_bytes(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let factor = match text[digits..].trim() {
        "B" => 1.0,
        "" | "kB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        "TB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some((text[..digits].parse::<f64>().ok()? * factor) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_settings_are_read_as_show_prints_them() {
        for (text, bytes) in
            [("4MB", Some(4 << 20)), ("64kB", Some(65536)), ("1GB", Some(1 << 30)), ("x", None)]
        {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }
}
