//! An index whose work another one does: the same keys with more behind them, or unique.
//!
//! Refuses advice that depends on the queries: a partial index inside a full one, keys in another order, hash beside
//! B-tree.

use super::covers::{Covered, covered, told};
use super::database::Looked;
use super::{Check, Spec, Tuning};
use crate::catalog::Cover;
use crate::context::CatalogContext;
use crate::finding::Finding;

pub(super) const SPEC: Spec = Spec {
    name: "redundant-index",
    summary: "another index of the table does an index's work",
    thresholds: &[],
    page: include_str!("../../rules/redundant-index.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let redundant = covered(ctx).into_iter().filter(|c| c.how != Cover::Duplicate);
    redundant.map(|c| told(&SPEC, ctx, &c, what(&c), tuning)).collect::<Vec<Finding>>().into()
}

fn what(covered: &Covered) -> String {
    let Covered { index, cover, how } = covered;
    let (index_name, cover_name) = (index.qualified(), cover.qualified());
    match how {
        Cover::Prefix => format!("{cover_name} begins with the keys of {index_name}"),
        _ if cover.unique && !index.unique => {
            format!("{cover_name} has the keys of {index_name} and is unique besides")
        }
        _ => format!("{cover_name} has the keys of {index_name} and carries more columns"),
    }
}
