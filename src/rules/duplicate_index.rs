//! Two indexes of one definition.
//!
//! Refuses to compare what they are called or how full their pages are: only what they hold and enforce.

use super::covers::{covered, told};
use super::database::Looked;
use super::{Check, Spec, Tuning};
use crate::catalog::Cover;
use crate::context::CatalogContext;
use crate::finding::Finding;

pub(super) const SPEC: Spec = Spec {
    name: "duplicate-index",
    summary: "two indexes of one table are the same",
    thresholds: &[],
    page: include_str!("../../rules/duplicate-index.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let duplicates = covered(ctx).into_iter().filter(|c| c.how == Cover::Duplicate);
    let finding = |c| {
        let what = |c: &super::covers::Covered| {
            format!("{} is the same index as {}", c.index.qualified(), c.cover.qualified())
        };
        told(&SPEC, ctx, &c, what(&c), tuning)
    };
    duplicates.map(finding).collect::<Vec<Finding>>().into()
}
