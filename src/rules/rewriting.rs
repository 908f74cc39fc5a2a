//! What rules that rewrite statements need: the catalog as `sql::rewrite` asks it, and whether rewriting is fair.
//!
//! Refuses statements whose result depends on how often something is called.

use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Remedy, Rewrite};
use crate::sql::Parsed;
use crate::sql::rewrite::{Known, Rewritten, Table, TableColumn};

/// A rewrite of the statement as a remedy; `None` where there is no text, or a volatile function is called, or the
/// rewrite does not apply.
pub(super) fn remedy(
    ctx: &PlanContext,
    rewrite: impl Fn(&Parsed, Known) -> Option<Rewritten>,
) -> Option<Remedy> {
    let parsed = ctx.parsed?;
    let volatile = |name: &String| ctx.catalog.functions.get(name).is_some_and(|v| v == "v");
    if ctx.statement.calls.iter().any(volatile) {
        return None;
    }
    let known = |schema: Option<&str>, name: &str| ctx.catalog.relation(schema, name).map(table);
    let made = rewrite(parsed, &known)?;
    Some(Remedy::Rewrite(Rewrite { sql: made.sql, to_check: made.to_check }))
}

fn table(relation: &Relation) -> Table {
    let columns = relation.columns.iter().map(|column| TableColumn {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        not_null: column.not_null,
    });
    let whole = relation.indexes.iter().filter(|i| i.unique && i.usable && i.predicate.is_none());
    let keys = whole.filter(|i| i.keys.iter().all(|key| key.column));
    Table {
        columns: columns.collect(),
        keys: keys.map(|i| i.keys.iter().map(|key| key.text.clone()).collect()).collect(),
    }
}
