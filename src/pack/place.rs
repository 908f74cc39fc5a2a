//! Which relation of a database each part of a pack is for.
//!
//! Refuses to match by likeness: a name, or an index of the same definition. On a database with migrations applied,
//! relations are those of before by their OIDs, so that statistics follow a rename.

use super::{Column, Gin, Pack, Relation, RelationKind, Slot, array, height, kind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The relations of a database without rows.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Layout {
    pub relations: Vec<Laid>,
    pub objects: Vec<LaidObject>,
}

/// A relation of a [`Layout`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Laid {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// `pg_class.relkind`.
    pub kind: String,
    /// Of an index: its table.
    pub table: Option<u32>,
    pub method: Option<String>,
    /// Of a partition: the table that it is a part of.
    pub parent: Option<u32>,
    /// Of a table: blocks that its file has.
    pub blocks: Option<f64>,
    pub definition: Option<String>,
    /// By number: name and type.
    pub columns: BTreeMap<i16, (String, String)>,
    /// Numbers of the columns that take no NULL, where no trigger can fill them.
    pub strict: Vec<i16>,
}

/// An extended statistics object of a [`Layout`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LaidObject {
    pub oid: u32,
    pub table: u32,
    pub schema: String,
    pub name: String,
}

/// A relation of the pack with its place: where on the database before the migrations.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// OID of each relation of the pack, in its order.
    oids: Vec<Option<u32>>,
    /// Number and type of each column of each relation of the pack, in their order.
    columns: Vec<Vec<Option<(i16, String)>>>,
    /// OID of each object of the pack.
    objects: Vec<Option<u32>>,
}

/// What is to be written into a database so that its planner is production's.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Placed {
    pub classes: Vec<Class>,
    pub statistics: Vec<Statistics>,
    pub extended: Vec<ObjectData>,
    #[serde(skip)]
    pub files: Vec<File>,
    /// Tables and indexes with storage that the pack does not know: new ones.
    #[serde(skip)]
    pub new: Vec<u32>,
}

/// Numbers of `pg_class`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    pub oid: u32,
    pub pages: f64,
    pub rows: f64,
    pub visible: f64,
}

/// A row of `pg_statistic`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    pub oid: u32,
    pub number: i16,
    pub inherited: bool,
    pub null_fraction: f64,
    pub width: f64,
    pub distinct: f64,
    pub slots: Vec<Slot>,
}

/// A row of `pg_statistic_ext_data`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObjectData {
    pub oid: u32,
    pub inherited: bool,
    pub distinct: Option<String>,
    pub dependencies: Option<String>,
    pub common: Option<String>,
    pub expressions: Vec<Statistics>,
}

/// The size that a file is to have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct File {
    pub oid: u32,
    pub blocks: f64,
    /// Of a B-tree: levels above its leaves.
    pub height: Option<u32>,
    pub gin: Option<Gin>,
}

/// What an index does, without its name and its table's: `UNIQUE USING btree (a, b) WHERE …`.
pub fn does(definition: &str) -> Option<(bool, &str)> {
    let at = definition.find(" USING ")?;
    Some((definition.starts_with("CREATE UNIQUE"), &definition[at..]))
}

impl Places {
    /// Where each part of the pack is on `base`.
    pub fn find(pack: &Pack, base: &Layout) -> Places {
        let named: HashMap<(&str, &str), &Laid> =
            base.relations.iter().map(|r| ((r.schema.as_str(), r.name.as_str()), r)).collect();
        let mut taken: BTreeSet<u32> = BTreeSet::new();
        let mut oids: Vec<Option<u32>> = Vec::with_capacity(pack.relations.len());
        for relation in &pack.relations {
            let same = named
                .get(&(relation.schema.as_str(), relation.name.as_str()))
                .filter(|laid| kinds(&laid.kind).contains(&relation.kind));
            let fits = |laid: &&&Laid| match (&relation.definition, &laid.definition) {
                (Some(packed), Some(laid)) => does(packed) == does(laid),
                _ => true,
            };
            let oid = same.filter(fits).map(|laid| laid.oid);
            taken.extend(oid);
            oids.push(oid);
        }
        // An index under another name: the schema was written by somebody else than production's.
        let mut equal: HashMap<(u32, bool, &str), Vec<u32>> = HashMap::new();
        for laid in base.relations.iter().filter(|laid| !taken.contains(&laid.oid)) {
            if let (Some(table), Some((unique, does))) =
                (laid.table, laid.definition.as_deref().and_then(does))
            {
                equal.entry((table, unique, does)).or_default().push(laid.oid);
            }
        }
        for (at, relation) in pack.relations.iter().enumerate() {
            let (None, Some(table), Some((unique, does))) =
                (oids[at], &relation.table, relation.definition.as_deref().and_then(does))
            else {
                continue;
            };
            let Some(table) = named.get(&(table.schema.as_str(), table.name.as_str())) else { continue };
            oids[at] = equal.get_mut(&(table.oid, unique, does)).and_then(Vec::pop);
        }
        let laid: HashMap<u32, &Laid> = base.relations.iter().map(|r| (r.oid, r)).collect();
        let columns = pack
            .relations
            .iter()
            .zip(&oids)
            .map(|(relation, oid)| {
                let laid = oid.and_then(|oid| laid.get(&oid).copied());
                relation.columns.iter().map(|c| laid.and_then(|laid| number(relation, c, laid))).collect()
            })
            .collect();
        let object = |schema: &str, name: &str| {
            base.objects.iter().find(|o| o.schema == schema && o.name == name).map(|o| o.oid)
        };
        let objects = pack.extended.iter().map(|e| object(&e.schema, &e.name)).collect();
        Places { oids, columns, objects }
    }

    /// Relations of the pack that the database lacks.
    pub fn missing<'a>(&self, pack: &'a Pack) -> Vec<&'a Relation> {
        pack.relations.iter().zip(&self.oids).filter(|(_, oid)| oid.is_none()).map(|(r, _)| r).collect()
    }

    /// Tables and materialized views of the pack, and how many of them the database has.
    pub fn tables(&self, pack: &Pack) -> (usize, usize) {
        let table = |kind| !matches!(kind, RelationKind::Index | RelationKind::PartitionedIndex);
        let tables = pack.relations.iter().zip(&self.oids).filter(|(r, _)| table(r.kind));
        tables.fold((0, 0), |(all, found), (_, oid)| (all + 1, found + usize::from(oid.is_some())))
    }

    /// What is to be written into a database that was copied from the one of [`Places::find`] and may have changed
    /// since.
    pub fn on(&self, pack: &Pack, layout: &Layout, major: u32) -> Placed {
        let laid: HashMap<u32, &Laid> = layout.relations.iter().map(|r| (r.oid, r)).collect();
        let mut placed = Placed::default();
        let mut known: BTreeSet<u32> = BTreeSet::new();
        let mut gone: HashMap<(u32, bool, &str), &Relation> = HashMap::new();
        for ((relation, oid), columns) in pack.relations.iter().zip(&self.oids).zip(&self.columns) {
            let Some(oid) = *oid else { continue };
            let Some(now) = laid.get(&oid) else {
                // Perhaps it was made anew under another name.
                let table = relation.table.as_ref().and_then(|t| self.oid(pack, &t.schema, &t.name));
                if let (Some(table), Some((unique, does))) =
                    (table, relation.definition.as_deref().and_then(does))
                {
                    gone.insert((table, unique, does), relation);
                }
                continue;
            };
            known.insert(oid);
            placed.relation(relation, now, columns, pack.source.block_size);
        }
        for now in layout.relations.iter().filter(|now| !known.contains(&now.oid)) {
            let does = now.definition.as_deref().and_then(does);
            let again =
                now.table.zip(does).and_then(|(table, (unique, does))| gone.get(&(table, unique, does)));
            match again {
                Some(relation) => placed.relation(relation, now, &[], pack.source.block_size),
                None if ["r", "m", "i"].contains(&now.kind.as_str()) => placed.new.push(now.oid),
                None => {}
            }
        }
        let there: BTreeSet<u32> = layout.objects.iter().map(|o| o.oid).collect();
        for (object, oid) in pack.extended.iter().zip(&self.objects) {
            let Some(oid) = oid.filter(|oid| there.contains(oid) && major == pack.major()) else { continue };
            let expression = |column: &Column| statistics(0, column.number, column, None);
            placed.extended.push(ObjectData {
                oid,
                inherited: object.inherited,
                distinct: object.distinct.clone(),
                dependencies: object.dependencies.clone(),
                common: object.common.clone(),
                expressions: object.expressions.iter().map(expression).collect(),
            });
        }
        placed
    }

    fn oid(&self, pack: &Pack, schema: &str, name: &str) -> Option<u32> {
        let at = pack.relations.iter().position(|r| r.schema == schema && r.name == name)?;
        self.oids[at]
    }
}

fn kinds(relkind: &str) -> &'static [RelationKind] {
    match relkind {
        "r" => &[RelationKind::Table],
        "p" => &[RelationKind::Partitioned],
        "m" => &[RelationKind::MaterializedView],
        "i" => &[RelationKind::Index],
        "I" => &[RelationKind::PartitionedIndex],
        _ => &[],
    }
}

/// The number and type of a column of the pack: by its name in a table, by its number in an index.
fn number(relation: &Relation, column: &Column, laid: &Laid) -> Option<(i16, String)> {
    let (number, (_, kind)) = match relation.table {
        None => laid.columns.iter().find(|(_, (name, _))| *name == column.name)?,
        Some(_) => laid.columns.get_key_value(&column.number)?,
    };
    Some((*number, kind.clone()))
}

impl Placed {
    fn relation(
        &mut self,
        packed: &Relation,
        now: &Laid,
        columns: &[Option<(i16, String)>],
        block_size: u32,
    ) {
        self.classes.push(Class {
            oid: now.oid,
            pages: packed.pages,
            rows: packed.rows,
            visible: packed.visible,
        });
        let blocks = packed.blocks.unwrap_or(packed.pages);
        // Nothing but a metapage is there already.
        if ["r", "m", "i"].contains(&now.kind.as_str()) && blocks > 0.0 {
            let tree = now.method.as_deref() == Some("btree") && blocks > 1.0 && block_size == 8192;
            // Eight bytes: the widths of an index's columns are its table's, and most keys are numbers.
            let height = tree.then(|| packed.height.unwrap_or_else(|| height::modelled(blocks, 8.0)));
            let gin = packed.gin.filter(|_| now.method.as_deref() == Some("gin"));
            self.files.push(File { oid: now.oid, blocks, height, gin });
        }
        for (column, place) in packed.columns.iter().zip(columns) {
            let Some((number, then)) = place else { continue };
            let Some((_, kind)) = now.columns.get(number) else { continue };
            let retyped = (kind != then).then(|| (bare(then), bare(kind)));
            self.statistics.push(statistics(now.oid, *number, column, retyped));
        }
    }
}

/// A type without its length: `character varying(20)` is stored as `character varying`.
fn bare(kind: &str) -> &str {
    kind.split('(').next().unwrap_or(kind)
}

/// A column's statistics as they are stored. `retyped`: its type was, and is.
fn statistics(oid: u32, number: i16, column: &Column, retyped: Option<(&str, &str)>) -> Statistics {
    let mut slots: Vec<Slot> = column.slots.clone();
    if let Some((low, high)) = &column.ends {
        slots.iter_mut().filter(|s| s.kind == kind::HISTOGRAM).for_each(|slot| with_ends(slot, low, high));
    }
    if let Some((was, is)) = retyped.filter(|(was, is)| was != is) {
        slots.retain_mut(|slot| becomes(slot, was, is));
    }
    Statistics {
        oid,
        number,
        inherited: column.inherited,
        null_fraction: column.null_fraction,
        width: column.width,
        distinct: column.distinct,
        slots,
    }
}

/// Makes a slot of one type one of another, where its values and their order stay what they are: whether they do. Values of
/// another type under a column would end the server's process.
fn becomes(slot: &mut Slot, was: &str, is: &str) -> bool {
    let text = |kind: &str| matches!(kind, "text" | "character varying");
    let pair = |kind: &str| format!("({kind},{kind})");
    let own = slot.element.as_deref().is_none_or(|element| element == was);
    if text(was) && text(is) {
        // Both are compared as text.
        if own && slot.element.is_some() {
            slot.element = Some(is.to_owned());
        }
        return own;
    }
    let compared = slot.operator.as_ref().is_none_or(|operator| operator.ends_with(&pair(was)));
    if text(was) || text(is) || !own || !compared {
        return false;
    }
    slot.element = slot.element.as_ref().map(|_| is.to_owned());
    slot.operator = slot.operator.as_ref().map(|operator| operator.replace(&pair(was), &pair(is)));
    true
}

/// The histogram's outer bounds are what the planner would find at the ends of the index.
fn with_ends(slot: &mut Slot, low: &str, high: &str) {
    let Some(mut bounds) = slot.values.as_deref().and_then(array::parse) else { return };
    if let [first, .., last] = bounds.as_mut_slice() {
        *first = Some(low.to_owned());
        *last = Some(high.to_owned());
        slot.values = Some(array::print(bounds.iter().map(Option::as_deref)));
    }
}
