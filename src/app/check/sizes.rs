//! What a pack says of the tables that migrations work on: their sizes, and how the values of a column are spread.
//!
//! Refuses to take a value along: shares and counts are all that rules of migrations ask for.

use crate::migrate::traced::Traced;
use crate::migrate::{Size, Sizes, Spread};
use crate::pack::place::{Laid, Layout};
use crate::pack::{Column, Pack, Relation, RelationKind, array, kind};
use crate::sql::ident::qualified;
use std::collections::{BTreeMap, HashMap};

/// The sizes of a pack's tables, their indexes with them, and the spread of what migrations ask something of.
pub fn of(pack: &Pack, layout: &Layout, traced: &[Traced]) -> Sizes {
    let block = f64::from(pack.source.block_size);
    let mut sizes: BTreeMap<String, Size> = BTreeMap::new();
    let none = Size { rows: 0.0, bytes: 0.0, index_bytes: 0.0, assumed: false };
    let mut tables: HashMap<String, &Relation> = HashMap::new();
    for relation in &pack.relations {
        let bytes = relation.blocks.unwrap_or(relation.pages) * block;
        let name = qualified(&relation.schema, &relation.name);
        match (&relation.table, relation.kind) {
            (Some(table), _) => {
                sizes.entry(qualified(&table.schema, &table.name)).or_insert(none).index_bytes += bytes;
            }
            (None, RelationKind::Partitioned) => drop(tables.insert(name, relation)),
            (None, _) => {
                let size = sizes.entry(name.clone()).or_insert(none);
                size.bytes += bytes;
                size.rows += relation.rows.max(0.0);
                tables.insert(name, relation);
            }
        }
    }
    let partitioned = partitioned(layout, &sizes);
    let mut sizes = Sizes::known(sizes, partitioned);
    for effect in traced.iter().flat_map(|traced| &traced.effects) {
        let Some(relation) = tables.get(&effect.relation) else { continue };
        for was in effect.demands.iter().filter_map(|demand| demand.was.as_ref()) {
            // A partitioned table has rows in its partitions alone.
            let whole = relation.kind == RelationKind::Partitioned;
            let column = relation.columns.iter().find(|c| c.name == *was && c.inherited == whole);
            if let Some(column) = column {
                sizes.add_spread(&effect.relation, was, spread(relation, column));
            }
        }
    }
    sizes
}

/// Partitioned tables with what all of their partitions have.
fn partitioned(layout: &Layout, sizes: &BTreeMap<String, Size>) -> BTreeMap<String, Size> {
    let laid: HashMap<u32, &Laid> = layout.relations.iter().map(|laid| (laid.oid, laid)).collect();
    let mut partitioned: BTreeMap<String, Size> = BTreeMap::new();
    for leaf in layout.relations.iter().filter(|laid| laid.kind == "r") {
        let Some(own) = sizes.get(&qualified(&leaf.schema, &leaf.name)) else { continue };
        let parent = |one: &&Laid| laid.get(&one.parent?).copied();
        for above in std::iter::successors(parent(&leaf), parent) {
            let none = Size { rows: 0.0, bytes: 0.0, index_bytes: 0.0, assumed: false };
            let whole = partitioned.entry(qualified(&above.schema, &above.name)).or_insert(none);
            whole.rows += own.rows;
            whole.bytes += own.bytes;
            whole.index_bytes += own.index_bytes;
        }
    }
    partitioned
}

fn spread(relation: &Relation, column: &Column) -> Spread {
    let common = column.slots.iter().find(|slot| slot.kind == kind::COMMON);
    let shares = common.and_then(|slot| array::parse(slot.numbers.as_deref()?));
    let most = shares.and_then(|shares| shares.first()?.as_deref()?.parse().ok());
    Spread {
        rows: relation.rows.max(0.0),
        nulls: column.null_fraction,
        distinct: column.distinct,
        common: most,
    }
}
