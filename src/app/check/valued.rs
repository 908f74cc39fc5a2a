//! Values to plan the queries with, out of the statistics of the base.
//!
//! Refuses to invent: a query whose parameters are compared with nothing that has statistics is planned for any value
//! only, and so is one whose values are all as frequent.

use crate::app::{observe, values};
use crate::error::Result;
use crate::gate::{Often, Side};
use crate::plan::Plan;
use crate::postgres::plans::Asked;
use crate::postgres::{Session, catalog};
use std::collections::BTreeSet;

/// One set of values for one query.
pub struct Values {
    /// Index of the query.
    pub query: usize,
    pub often: Often,
    pub parameters: Vec<Option<String>>,
}

/// The sets of values for all queries, of which `base` are the generic plans there: at most three for each.
///
/// # Errors
/// As the server says when it is asked for the statistics.
pub async fn values(session: &Session, asked: &[Asked], base: &[Side]) -> Result<Vec<Values>> {
    let plans: Vec<(usize, Plan)> = base
        .iter()
        .enumerate()
        .filter(|(query, _)| asked[*query].parameters > 0)
        .filter_map(|(query, side)| match side {
            Side::Planned(raw) => observe::first_plan(raw).ok().map(|plan| (query, plan)),
            Side::Failed { .. } => None,
        })
        .collect();
    let relations: BTreeSet<_> = plans.iter().flat_map(|(_, plan)| observe::relations(plan)).collect();
    if relations.is_empty() {
        return Ok(Vec::new());
    }
    let relations: Vec<_> = relations.into_iter().collect();
    let wanted = catalog::Asked { relations: &relations, functions: &[], writes: false, parameters: true };
    let facts = catalog::read(session, wanted).await?;
    let mut found: Vec<Values> = Vec::new();
    for (query, plan) in plans {
        let Asked { sql, parameters, .. } = &asked[query];
        let Some(three) = values::values(sql, &plan, &facts.catalog, *parameters) else { continue };
        let sets = [(Often::Common, three.common), (Often::Median, three.median), (Often::Rare, three.rare)];
        for (often, parameters) in sets {
            let known = found.iter().rev().take_while(|v| v.query == query);
            if known.into_iter().all(|v| v.parameters != parameters) {
                found.push(Values { query, often, parameters });
            }
        }
    }
    Ok(found)
}
