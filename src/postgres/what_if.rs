//! What the planner would do with an index that is not there: one question, and two who answer it.
//!
//! Refuses to build anything on a user's server: HypoPG keeps its indexes in the session's memory, and the indexes of a
//! twin are empty files of the size that a model gives them, on a server of ours.

use super::session::Session;
use super::templates;
use super::twin;
use crate::catalog::Catalog;
use crate::error::{Error, Kind, Result};
use crate::pack::height;
use crate::pack::place::{Class, File};
use crate::proposals::{IndexDefinition, index_size};

/// An index of a twin that the pack does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIndex {
    pub oid: u32,
    /// Of its table.
    pub schema: String,
    pub table: String,
    pub name: String,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhatIf {
    /// The extension in this schema.
    Hypopg { schema: String },
    /// The session is on a twin.
    Twin,
}

impl WhatIf {
    /// From here on the session's planner knows the index, on each leaf of a partitioned table. Returns the bytes that
    /// it is taken to have. `size` is what a model gives all leaves together; HypoPG has a model of its own.
    ///
    /// # Errors
    /// As the server says.
    pub async fn create(
        &self,
        session: &Session,
        index: &IndexDefinition,
        size: Option<i64>,
    ) -> Result<Option<i64>> {
        match self {
            WhatIf::Hypopg { schema } => hypopg(session, schema, index).await.map(Some),
            WhatIf::Twin => on_twin(session, index, size).await.map(Some),
        }
    }

    /// Statements that make the planner forget every index of [`WhatIf::create`].
    pub fn forget(&self, index: &IndexDefinition) -> String {
        match self {
            WhatIf::Hypopg { schema } => templates::hypopg_reset(schema),
            WhatIf::Twin => {
                let each = index.leaves().into_iter().enumerate();
                let drops: Vec<String> = each
                    .map(|(at, (schema, _))| templates::drop_index(&schema, &leaf_name(&index.name, at)))
                    .collect();
                drops.join("; ")
            }
        }
    }
}

async fn hypopg(session: &Session, schema: &str, index: &IndexDefinition) -> Result<i64> {
    let mut size = 0;
    for (leaf_schema, leaf) in index.leaves() {
        let leaf = IndexDefinition { schema: leaf_schema, table: leaf, partitioned: false, ..index.clone() };
        let sql = templates::hypopg_create(schema, &leaf.build(&index.name));
        let rows = session.rows("ask HypoPG for an index", &sql).await?;
        let bytes = rows.first().and_then(|row| row.get(1)?.as_deref()?.parse::<i64>().ok());
        size += bytes.unwrap_or(0);
    }
    Ok(size)
}

fn leaf_name(name: &str, at: usize) -> String {
    if at == 0 { name.to_owned() } else { format!("{}_{at}", crate::sql::ident::clip(name, 55)) }
}

/// A table of the twin as it stands.
struct Heap {
    oid: u32,
    pages: f64,
    rows: f64,
    visible: f64,
    blocks: f64,
}

/// The files of indexes that are there and not yet of any size, as migrations made them: a model's sizes. `tables` have
/// their sizes and statistics already. Their indexes are read by no plan before they have theirs.
///
/// # Errors
/// As the server says.
pub async fn sizes(session: &Session, new: &[NewIndex], catalog: &Catalog) -> Result<Vec<(File, Class)>> {
    let mut sizes = Vec::new();
    for new in new {
        let Some(relation) = catalog.relation(Some(&new.schema), &new.table) else { continue };
        let Some(index) = relation.indexes.iter().find(|index| index.name == new.name) else { continue };
        let Some(definition) = IndexDefinition::of(relation, index) else { continue };
        let heap = heap(session, &new.schema, &new.table).await?;
        let share = match &definition.predicate {
            Some(predicate) => {
                let unseen =
                    templates::unseen(new.oid, &templates::rows_where(&definition.target(), predicate));
                estimated(session, &unseen, &heap).await?
            }
            None => 1.0,
        };
        let modelled = index_size(&definition, relation, share).map(|size| size.0 as f64);
        let bytes = modelled.unwrap_or_else(|| rough(definition.method, &heap, share));
        let blocks = (bytes / 8192.0).ceil().max(1.0);
        let tree = (definition.method == "btree" && blocks > 1.0).then(|| height::modelled(blocks, 8.0));
        let class = Class { oid: new.oid, pages: blocks, rows: (heap.rows * share).max(0.0), visible: 0.0 };
        sizes.push((File { oid: new.oid, blocks, height: tree, gin: None }, class));
    }
    Ok(sizes)
}

async fn on_twin(session: &Session, index: &IndexDefinition, size: Option<i64>) -> Result<i64> {
    let leaves = index.leaves();
    let mut heaps = Vec::with_capacity(leaves.len());
    for (schema, table) in &leaves {
        heaps.push(heap(session, schema, table).await?);
    }
    let all_rows: f64 = heaps.iter().map(|heap| heap.rows.max(0.0)).sum();
    let mut total = 0;
    for (at, ((schema, table), heap)) in leaves.into_iter().zip(&heaps).enumerate() {
        let leaf = IndexDefinition { schema, table, partitioned: false, ..index.clone() };
        let share = match &leaf.predicate {
            Some(predicate) => {
                estimated(session, &templates::rows_where(&leaf.target(), predicate), heap).await?
            }
            None => 1.0,
        };
        let part = if all_rows > 0.0 { heap.rows.max(0.0) / all_rows } else { 1.0 / heaps.len() as f64 };
        let bytes = size.map_or_else(|| rough(index.method, heap, share), |size| size as f64 * part);
        let blocks = (bytes / 8192.0).ceil().max(1.0);
        let oid = build(session, &leaf, &leaf_name(&index.name, at), heap).await?;
        let tree = (index.method == "btree" && blocks > 1.0).then(|| height::modelled(blocks, 8.0));
        twin::grow(session, &[File { oid, blocks, height: tree, gin: None }]).await?;
        let class = Class { oid, pages: blocks, rows: (heap.rows * share).max(0.0), visible: 0.0 };
        twin::classes(session, &[class]).await?;
        total += (blocks * 8192.0) as i64;
    }
    Ok(total)
}

/// Builds on an empty file, and puts the table back as it was: a build reads each page, and counts what it read.
async fn build(session: &Session, leaf: &IndexDefinition, name: &str, heap: &Heap) -> Result<u32> {
    twin::shrink(session, &[heap.oid]).await?;
    let built = session.batch("make an index on the twin", &leaf.build(name)).await;
    let file = File { oid: heap.oid, blocks: heap.blocks, height: None, gin: None };
    twin::grow(session, &[file]).await?;
    let class = Class { oid: heap.oid, pages: heap.pages, rows: heap.rows, visible: heap.visible };
    twin::classes(session, &[class]).await?;
    built?;
    let doing = "look at the index on the twin";
    let rows = session.rows(doing, &templates::class_of(&leaf.schema, name)).await?;
    number(rows.first(), 0).map(|oid| oid as u32).ok_or_else(|| missing(doing))
}

async fn heap(session: &Session, schema: &str, table: &str) -> Result<Heap> {
    let doing = "look at the table on the twin";
    let rows = session.rows(doing, &templates::class_of(schema, table)).await?;
    let cell = |at| number(rows.first(), at).ok_or_else(|| missing(doing));
    Ok(Heap { oid: cell(0)? as u32, pages: cell(1)?, rows: cell(2)?, visible: cell(3)?, blocks: cell(4)? })
}

/// The part of a table's rows that a question of [`templates::rows_where`] counts, as the planner estimates it.
async fn estimated(session: &Session, question: &str, heap: &Heap) -> Result<f64> {
    let doing = "estimate the rows of an index on the twin";
    let rows = session.rows(doing, question).await?;
    let cell = rows.first().and_then(|row| row.first()?.as_deref()).unwrap_or_default();
    let plan: serde_json::Value =
        serde_json::from_str(cell).map_err(|e| Error::new(Kind::Server, doing).because(e))?;
    let estimated = plan[0]["Plan"]["Plan Rows"].as_f64().ok_or_else(|| missing(doing))?;
    Ok(if heap.rows > 0.0 { (estimated / heap.rows).min(1.0) } else { 1.0 })
}

/// Bytes of an index whose size depends on the values themselves: an order of magnitude.
fn rough(method: &str, heap: &Heap, share: f64) -> f64 {
    let table = heap.blocks * 8192.0;
    match method {
        "brin" => 3.0 * 8192.0 + table / 20_000.0,
        "hash" => heap.rows.max(0.0) * share * 24.0,
        "gin" => table * share * 0.25,
        _ => table * share * 0.4,
    }
}

fn number(row: Option<&Vec<Option<String>>>, at: usize) -> Option<f64> {
    row?.get(at)?.as_deref()?.parse().ok()
}

fn missing(doing: &str) -> Error {
    Error::new(Kind::Server, doing).because("the server did not answer with its numbers")
}
