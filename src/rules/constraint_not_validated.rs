//! A constraint that was added NOT VALID and never held against the rows that were there.
//!
//! Refuses to say that a row breaks it: nobody has looked.

use super::database::{Looked, finding};
use super::{Check, Spec, Tuning};
use crate::catalog::snapshot::Unproven;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::sql::ident::quote;

pub(super) const SPEC: Spec = Spec {
    name: "constraint-not-validated",
    summary: "a constraint was added NOT VALID and never validated",
    thresholds: &[],
    page: include_str!("../../rules/constraint-not-validated.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, _: &Tuning) -> Looked {
    ctx.snapshot.unproven.iter().filter_map(|one| told(ctx, one)).collect::<Vec<Finding>>().into()
}

fn told(ctx: &CatalogContext, one: &Unproven) -> Option<Finding> {
    let table = ctx.table(one.table).filter(|t| !t.extension)?;
    let mut found = finding(&SPEC, Some(table), None);
    let (kind, use_) = match one.kind.as_str() {
        "f" => ("foreign key", "a join that relies on it may still lose rows"),
        "n" => ("NOT NULL constraint", "the planner still expects NULLs"),
        _ => ("check", "the planner does not skip this table or partition because of it"),
    };
    found.what = format!("the {kind} {} of {} was never validated", quote(&one.name), table.qualified());
    found.why = format!("it holds for new rows only: older ones may break it, and {use_}");
    found.help = format!(
        "ALTER TABLE {} VALIDATE CONSTRAINT {}: it reads the table while others read and write",
        table.qualified(),
        quote(&one.name)
    );
    found.evidence = vec![Evidence::text("constraint", one.name.clone()), Evidence::text("kind", kind)];
    if !ctx.moment().in_recovery {
        found.remedies = vec![Remedy::Validate { table: one.table, name: one.name.clone() }];
    }
    Some(found)
}
