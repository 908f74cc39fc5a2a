//! Which relation of a database each part of a pack is for.
//!
//! Refuses to match by likeness: a name, or an index of the same definition. On a database with migrations applied,
//! relations are those of before by their OIDs, so that statistics follow a rename.

use super::retyped::{bare, becomes};
use super::{Column, Gin, Pack, Relation, RelationKind, Slot, array, height, kind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The relations of a database without rows.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Layout {
    pub relations: Vec<Laid>,
    pub objects: Vec<LaidObject>,
    /// Types that are enums, as columns have them.
    pub enums: BTreeSet<String>,
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
    /// Of an index, by the number of its column: what it computes.
    pub expressions: BTreeMap<i16, String>,
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
    /// Which relation of the pack, and which column of it, has the statistics of an expression; by the table's OID and the
    /// expression.
    expressions: HashMap<(u32, String), (usize, usize)>,
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
        let mut expressions = HashMap::new();
        for (at, (relation, oid)) in pack.relations.iter().zip(&oids).enumerate() {
            let Some(laid) = oid.and_then(|oid| laid.get(&oid)) else { continue };
            for (column, known) in relation.columns.iter().enumerate() {
                if let (Some(table), Some(expression)) = (laid.table, laid.expressions.get(&known.number)) {
                    expressions.entry((table, expression.clone())).or_insert((at, column));
                }
            }
        }
        Places { oids, columns, objects, expressions }
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
    /// since. What was made anew holds what it held: a table under its name, an index of the same definition.
    pub fn on(&self, pack: &Pack, layout: &Layout, major: u32) -> Placed {
        let mut placed = Placed::default();
        let known: HashMap<u32, usize> =
            self.oids.iter().enumerate().filter_map(|(at, oid)| Some(((*oid)?, at))).collect();
        let named: HashMap<(&str, &str), usize> = pack
            .relations
            .iter()
            .enumerate()
            .map(|(at, r)| ((r.schema.as_str(), r.name.as_str()), at))
            .collect();
        let again = |now: &Laid| {
            let same = named.get(&(now.schema.as_str(), now.name.as_str())).copied()?;
            kinds(&now.kind).contains(&pack.relations[same].kind).then_some(same)
        };
        let tables: HashMap<u32, usize> = (layout.relations.iter().filter(|now| now.table.is_none()))
            .filter_map(|now| Some((now.oid, known.get(&now.oid).copied().or_else(|| again(now))?)))
            .collect();
        let mut does_same: HashMap<(usize, bool, &str), usize> = HashMap::new();
        for (at, relation) in pack.relations.iter().enumerate() {
            let table = relation.table.as_ref();
            let table = table.and_then(|t| named.get(&(t.schema.as_str(), t.name.as_str())).copied());
            if let (Some(table), Some((unique, does))) =
                (table, relation.definition.as_deref().and_then(does))
            {
                does_same.entry((table, unique, does)).or_insert(at);
            }
        }
        for now in &layout.relations {
            let made = || match now.table {
                Some(table) => {
                    let (unique, does) = now.definition.as_deref().and_then(does)?;
                    does_same.get(&(*tables.get(&table)?, unique, does)).copied()
                }
                None => tables.get(&now.oid).copied(),
            };
            match known.get(&now.oid).copied().or_else(made) {
                Some(at) => {
                    let columns = self.columns_on(at, &pack.relations[at], now);
                    placed.relation(
                        &pack.relations[at],
                        now,
                        &columns,
                        pack.source.block_size,
                        &layout.enums,
                    );
                }
                None => {
                    if ["r", "m", "i"].contains(&now.kind.as_str()) {
                        placed.new.push(now.oid);
                    }
                    self.computed(pack, now, &tables, layout, &mut placed);
                }
            }
        }
        let there: BTreeSet<u32> = layout.objects.iter().map(|o| o.oid).collect();
        for (object, oid) in pack.extended.iter().zip(&self.objects) {
            let Some(oid) = oid.filter(|oid| there.contains(oid) && major == pack.major()) else { continue };
            let expression = |column: &Column| statistics(0, column.number, column, None, &layout.enums);
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

    /// Number and type of the columns of a relation of the pack, as they were, where `now` has them.
    fn columns_on(&self, at: usize, relation: &Relation, now: &Laid) -> Vec<Option<(i16, String)>> {
        if self.oids[at] == Some(now.oid) {
            return self.columns[at].clone();
        }
        let places = relation.columns.iter().zip(&self.columns[at]);
        let place = |(column, place): (&Column, &Option<(i16, String)>)| {
            let (_, kind) = place.as_ref()?;
            number(relation, column, now).map(|(number, _)| (number, kind.clone()))
        };
        places.map(place).collect()
    }

    /// The statistics of what a new index computes, where another index of its table computed it before.
    fn computed(
        &self,
        pack: &Pack,
        now: &Laid,
        tables: &HashMap<u32, usize>,
        layout: &Layout,
        placed: &mut Placed,
    ) {
        let table = now.table.and_then(|table| tables.get(&table)).and_then(|at| self.oids[*at]);
        let Some(table) = table else { return };
        for (number, expression) in &now.expressions {
            let Some((at, column)) = self.expressions.get(&(table, expression.clone())) else { continue };
            let place = self.columns[*at][*column].as_ref();
            let (Some((_, then)), Some((_, kind))) = (place, now.columns.get(number)) else { continue };
            let column = &pack.relations[*at].columns[*column];
            placed.statistics.push(statistics(now.oid, *number, column, Some((then, kind)), &layout.enums));
        }
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
        enums: &BTreeSet<String>,
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
            self.statistics.push(statistics(now.oid, *number, column, Some((then, kind)), enums));
        }
    }
}

/// A column's statistics as they are stored. `types`: what its type was, and is; `None`: none can have changed it.
fn statistics(
    oid: u32,
    number: i16,
    column: &Column,
    types: Option<(&str, &str)>,
    enums: &BTreeSet<String>,
) -> Statistics {
    let mut slots: Vec<Slot> = column.slots.clone();
    if let Some((low, high)) = &column.ends {
        slots.iter_mut().filter(|s| s.kind == kind::HISTOGRAM).for_each(|slot| with_ends(slot, low, high));
    }
    let retyped = types.map(|(was, is)| (bare(was), bare(is))).filter(|(was, is)| was != is);
    if let Some((was, is)) = retyped {
        slots.retain_mut(|slot| becomes(slot, was, is, enums.contains(is)));
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

/// The histogram's outer bounds are what the planner would find at the ends of the index.
fn with_ends(slot: &mut Slot, low: &str, high: &str) {
    let Some(mut bounds) = slot.values.as_deref().and_then(array::parse) else { return };
    if let [first, .., last] = bounds.as_mut_slice() {
        *first = Some(low.to_owned());
        *last = Some(high.to_owned());
        slot.values = Some(array::print(bounds.iter().map(Option::as_deref)));
    }
}
