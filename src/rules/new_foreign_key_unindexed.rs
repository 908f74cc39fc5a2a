//! A new foreign key whose child table has no index for it when all migrations have run.
//!
//! Refuses to know whether anybody deletes from the parent: `health` sees that, once it happens.

use super::migration::{SMALL, finding};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::migrate::keys::Key;
use crate::migrate::traced::Traced;

pub(super) const SPEC: Spec = Spec {
    name: "new-foreign-key-unindexed",
    summary: "a migration adds a foreign key, and no index of its table begins with the key's columns",
    thresholds: &[SMALL],
    page: include_str!("../../rules/new-foreign-key-unindexed.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    // Where one fails, the index may be in what did not run.
    if ctx.traced.iter().any(|traced| traced.failure.is_some()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for traced in ctx.traced {
        let small = |key: &Key| {
            let was = key.was.as_ref();
            was.is_some_and(|name| ctx.sizes.whole(name).rows < tuning.get("min-rows"))
        };
        for key in traced.keys.iter().filter(|key| key.unserved && !key.lost && !small(key)) {
            found.push(lacking(ctx, traced, key));
        }
    }
    found
}

fn lacking(ctx: &TraceContext, traced: &Traced, key: &Key) -> Finding {
    let Key { name, child, parent, .. } = key;
    let columns = key.columns.join(", ");
    let mut found = finding(ctx, &SPEC, traced, None);
    found.relation = Some(child.clone());
    found.severity = Severity::Warning;
    found.what = format!("the new foreign key {name} has no index: none of {child} begins with ({columns})");
    found.why = format!(
        "each row that leaves {parent}, or changes its key, reads all of {child} while it holds its locks"
    );
    found.help = match &key.was {
        Some(_) if key.partitioned => format!(
            "CREATE INDEX ON ONLY {child} ({columns}), then CREATE INDEX CONCURRENTLY on each partition in a migration \
             without a transaction, and ALTER INDEX … ATTACH PARTITION"
        ),
        Some(_) => {
            format!("in a migration without a transaction: CREATE INDEX CONCURRENTLY ON {child} ({columns})")
        }
        None => format!("nobody waits while the table is new: CREATE INDEX ON {child} ({columns})"),
    };
    found.evidence =
        vec![Evidence::text("foreign key", name.clone()), Evidence::text("parent", parent.clone())];
    if let Some(was) = &key.was {
        let size = ctx.sizes.whole(was);
        let label = if size.assumed { "rows, assumed" } else { "rows" };
        found.evidence.push(Evidence::data(label, size.rows, "rows"));
    }
    found
}
