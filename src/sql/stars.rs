//! The tables of which a SELECT takes every column with a star.
//!
//! Refuses to look into subqueries: what a star takes of them is what they list.

use super::ident::unquote;
use super::parsed::Parsed;
use sqlparser::ast::{SelectItem, SelectItemQualifiedWildcardKind, TableFactor};

/// The names that the outermost SELECT calls its starred tables by, each as the statement's conditions do.
pub fn starred_tables(parsed: &Parsed) -> Vec<String> {
    let Some(select) = parsed.select() else { return Vec::new() };
    let mut names = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(_) => {
                let joined = select.from.iter().flat_map(|from| from.joins.iter().map(|join| &join.relation));
                let tables = select.from.iter().map(|from| &from.relation).chain(joined);
                names.extend(tables.filter_map(name));
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), _) => {
                names.extend(table.0.last().map(|part| unquote(&part.to_string())));
            }
            _ => {}
        }
    }
    names
}

/// The statement reads one table or view, by its name, and nothing that it defines itself.
pub fn reads_one_name(parsed: &Parsed) -> bool {
    let alone = parsed.select().is_some_and(|select| match select.from.as_slice() {
        [from] => from.joins.is_empty() && matches!(from.relation, TableFactor::Table { args: None, .. }),
        _ => false,
    });
    alone && parsed.query().is_some_and(|query| query.with.is_none())
}

fn name(table: &TableFactor) -> Option<String> {
    match table {
        TableFactor::Table { alias: Some(alias), .. } => Some(unquote(&alias.name.to_string())),
        TableFactor::Table { name, .. } => name.0.last().map(|part| unquote(&part.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_resolved_to_the_tables_they_stand_for() {
        for (sql, tables) in [
            ("SELECT * FROM s.t", &["t"][..]),
            ("SELECT * FROM t AS x JOIN \"U\" ON true, (SELECT * FROM v) w", &["x", "U"]),
            ("SELECT \"X\".*, u.a FROM t \"X\", u", &["X"]),
            ("SELECT count(*) FROM t", &[]),
            ("SELECT a FROM (SELECT * FROM t) x", &[]),
            ("SELECT * FROM t UNION ALL SELECT * FROM u", &[]),
        ] {
            assert_eq!(starred_tables(&Parsed::read(sql).expect("plain SQL")), tables, "{sql}");
        }
    }

    #[test]
    fn one_name_is_told_from_joins_and_ctes() {
        for (sql, one) in [
            ("SELECT * FROM v WHERE a > 1 ORDER BY b", true),
            ("SELECT * FROM v, t", false),
            ("SELECT * FROM v JOIN t ON true", false),
            ("SELECT * FROM f(1)", false),
            ("SELECT * FROM (SELECT * FROM t) x", false),
            ("WITH v AS (SELECT a FROM t) SELECT * FROM v", false),
        ] {
            assert_eq!(reads_one_name(&Parsed::read(sql).expect("plain SQL")), one, "{sql}");
        }
    }
}
