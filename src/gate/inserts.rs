//! INSERTs that can be planned and never executed: they leave out a column that takes no NULL and has no default.
//!
//! Refuses to speak of values that are known only when it runs, and of tables whose triggers may fill a row.

use super::Side;
use crate::plan::{Node, Relationship, read_statement};
use std::collections::BTreeMap;

/// By `schema.table`, unquoted: by position, the columns that take no NULL and that nothing but the statement fills.
pub type Strict = BTreeMap<String, Vec<Option<String>>>;

/// SQLSTATE `not_null_violation`.
pub const CODE: &str = "23502";

/// The column that an INSERT puts NULL into although it takes none: the target list of an INSERT has each column of its
/// table in order, dropped ones too, and a constant for what the statement leaves out.
fn lacks(side: &Side, strict: &Strict) -> Option<(String, String)> {
    let Side::Planned(raw) = side else { return None };
    // Nearly every plan is done here, unread.
    if !raw.get().contains("\"Insert\"") {
        return None;
    }
    let plan = read_statement(raw.get()).ok()?;
    plan.nodes.iter().find_map(|node| {
        let detail = &node.detail;
        let inserts = detail.operation.as_deref() == Some("Insert");
        let (schema, relation) = detail.schema.as_ref().zip(detail.relation.as_ref()).filter(|_| inserts)?;
        let columns = strict.get(&format!("{schema}.{relation}"))?;
        let below = |child: &&Node| {
            let rows = matches!(child.relationship, Relationship::Outer | Relationship::Member);
            child.parent == Some(node.id) && rows
        };
        let output = &plan.nodes.iter().find(below)?.detail.output;
        let null = |value: &String| value.starts_with("NULL::");
        let mut put = columns.iter().zip(output).filter(|(_, value)| null(value));
        put.find_map(|(column, _)| column.clone()).map(|column| (relation.clone(), column))
    })
}

/// What the server would say of each on head that it plans and cannot execute, where base was no such one.
pub fn refuse<'a>(sides: impl Iterator<Item = (&'a Side, &'a mut Side)>, (base, head): (&Strict, &Strict)) {
    for (was, is) in sides {
        let Some((table, column)) = lacks(is, head) else { continue };
        if lacks(was, base).is_none() {
            let message =
                format!("column \"{column}\" of \"{table}\" takes no NULL, and nothing gives it a value");
            *is = Side::Failed { code: CODE.to_owned(), message };
        }
    }
}
