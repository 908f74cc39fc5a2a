//! An index that a rule names by its parts, made exact against the catalog.
//!
//! Refuses to name one that a live index already is.

use super::definition::{IndexDefinition, Key};
use super::name::index_name;
use super::{Candidate, WhyNot};
use crate::catalog::RelationKind;
use crate::context::PlanContext;
use crate::finding::WantedIndex;

/// The definition of `wanted`, on the partitioned table where its relation is a partition.
///
/// # Errors
/// Why it cannot be had, or which index already is it.
pub(super) fn wanted(ctx: &PlanContext, wanted: &WantedIndex) -> Result<Candidate, WhyNot> {
    let leaf = ctx.catalog.relation(Some(&wanted.schema), &wanted.relation).ok_or(WhyNot::UnknownRelation)?;
    if leaf.kind == RelationKind::Foreign {
        return Err(WhyNot::Foreign);
    }
    let root = leaf.partition_root.as_ref().and_then(|r| ctx.catalog.relation(Some(&r.schema), &r.name));
    let relation = root.unwrap_or(leaf);
    let keys: Vec<Key> = wanted
        .keys
        .iter()
        .map(|key| Key {
            text: key.text.clone(),
            column: key.column,
            descending: key.descending,
            nulls_first: key.descending,
            operator_class: key.operator_class,
        })
        .collect();
    let name = index_name(&relation.name, &keys, &[], &relation.taken_names);
    let definition = IndexDefinition {
        schema: relation.schema.clone(),
        table: relation.name.clone(),
        name,
        method: wanted.method,
        keys,
        include: Vec::new(),
        predicate: wanted.predicate.clone(),
        partitions: relation.partitions.clone(),
        partitioned: relation.kind == RelationKind::Partitioned,
    };
    match [relation, leaf].iter().flat_map(|r| &r.indexes).find(|live| definition.served_by(live, 0)) {
        Some(live) => Err(WhyNot::Served(live.name.clone())),
        None => Ok(Candidate { definition, share: 1.0, sorts: false }),
    }
}
