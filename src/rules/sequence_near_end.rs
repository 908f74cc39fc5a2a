//! A sequence that will soon give numbers that its column cannot hold.
//!
//! Refuses to look at the sequence alone: the column's type may end first.

use super::database::{Looked, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::Sequence;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::sql::ident::{qualified, quote};
use crate::words::{count, counted, percent};

pub(super) const SPEC: Spec = Spec {
    name: "sequence-near-end",
    summary: "a sequence nears the last number that its column can hold",
    thresholds: &[
        Threshold {
            name: "used-share",
            default: 0.75,
            unit: "of the numbers",
            why: "a quarter left is time to plan for a change of type, which rewrites the table",
        },
        Threshold {
            name: "error-share",
            default: 0.95,
            unit: "of the numbers",
            why: "from here on it is an error: inserts are about to fail",
        },
    ],
    page: include_str!("../../rules/sequence-near-end.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let near = ctx.snapshot.sequences.iter().filter(|s| !s.cycles && s.last / s.end >= tuning.get("used-share"));
    let mut looked: Looked = near.map(|s| ending(ctx, s, tuning)).collect::<Vec<Finding>>().into();
    let unread = ctx.snapshot.sequences_unread as f64;
    if unread > 0.0 {
        looked.not_judged.push(format!(
            "a look at {}: GRANT SELECT on them where this role may not read them; of very many, those of the thousand \
             largest tables are read",
            counted(unread, "sequence")
        ));
    }
    looked
}

fn ending(ctx: &CatalogContext, sequence: &Sequence, tuning: &Tuning) -> Finding {
    let table = sequence.table.and_then(|oid| ctx.table(oid));
    let name = qualified(&sequence.schema, &sequence.name);
    let mut found = finding(&SPEC, table, None);
    let used = sequence.last / sequence.end;
    let left = ((sequence.end - sequence.last) / sequence.increment).floor();
    found.what = format!("{name} has used {} of its numbers: {} are left", percent(used), count(left));
    let column = table.zip(sequence.column.as_ref());
    found.why = match column {
        Some((table, column)) => format!(
            "{}.{} is {} and ends at {}: the insert after that fails",
            table.qualified(),
            quote(column),
            sequence.type_name,
            count(sequence.end)
        ),
        None => format!("it ends at {}: the call after that fails", count(sequence.end)),
    };
    found.help = "change the column, those that refer to it, and the sequence to bigint: ALTER COLUMN … TYPE bigint rewrites \
                  the table under an exclusive lock, so a large one wants a new column that is filled bit by bit"
        .to_owned();
    found.evidence = vec![
        Evidence::text("sequence", name),
        Evidence::data("last", sequence.last, "number"),
        Evidence::data("end", sequence.end, "number"),
    ];
    found.severity = if used >= tuning.get("error-share") { Severity::Error } else { Severity::Warning };
    found
}
