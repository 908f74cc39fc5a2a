//! Some pages of a table instead of all of them: TABLESAMPLE behind its name.
//!
//! Refuses joins and what groups rows: a sample of one table is no sample of a join.

use super::keyset::{only_table, plain};
use crate::sql::Parsed;
use sqlparser::ast::{SetExpr, Statement, TableFactor};

/// The statement with about `percent` of its table's pages.
pub fn sampled(parsed: &Parsed, percent: f64) -> Option<String> {
    let donor = Parsed::read(&format!("SELECT 1 FROM t TABLESAMPLE SYSTEM ({percent})"))?;
    let TableFactor::Table { sample: Some(sample), .. } = only_table(donor.select()?)? else { return None };
    let mut query = parsed.query()?.clone();
    plain(&query)?;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    only_table(select)?;
    match &mut select.from.first_mut()?.relation {
        TableFactor::Table { args: None, sample: to @ None, .. } => *to = Some(sample.clone()),
        _ => return None,
    }
    Some(Statement::Query(Box::new(query)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_stands_behind_its_table() {
        for (sql, expected) in [
            (
                "SELECT * FROM t AS x WHERE a = 1 ORDER BY random() LIMIT 5",
                Some("SELECT * FROM t AS x TABLESAMPLE SYSTEM (0.25) WHERE a = 1 ORDER BY random() LIMIT 5"),
            ),
            ("SELECT * FROM t, u ORDER BY random() LIMIT 5", None),
            ("SELECT a, count(*) FROM t GROUP BY a ORDER BY random() LIMIT 5", None),
            ("SELECT * FROM generate_series(1, 9) ORDER BY random() LIMIT 5", None),
            ("SELECT * FROM t TABLESAMPLE SYSTEM (1) ORDER BY random() LIMIT 5", None),
        ] {
            let parsed = Parsed::read(sql).expect("plain SQL");
            assert_eq!(sampled(&parsed, 0.25).as_deref(), expected, "{sql}");
        }
    }
}
