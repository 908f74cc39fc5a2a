//! Reads what a planner knows of a database: sizes, statistics, the ends of its indexes, settings.
//!
//! Refuses to write, and to read rows: of those only the two ends of each index are asked for, which the planner
//! itself asks.

use super::catalog::parse;
use super::reader::{Hole, Reader};
use super::session::{Session, TextParam};
use super::templates::{self, Guards};
use crate::error::{Error, Kind, Result};
use crate::pack::redact::{Ranks, Values};
use crate::pack::{Column, Extended, FORMAT, Gin, Pack, Relation, Source};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

const SOURCE: &str = include_str!("queries/pack_source.sql");
const RELATIONS: &str = include_str!("queries/pack_relations.sql");
const STATISTICS: &str = include_str!("queries/pack_statistics.sql");
const VISIBLE: &str = include_str!("queries/pack_visible.sql");
const EXTENDED: &str = include_str!("queries/pack_extended.sql");
const EXPRESSIONS: &str = include_str!("queries/pack_expressions.sql");
const GIN: &str = include_str!("queries/pack_gin.sql");
const TREES: &str = include_str!("queries/pack_trees.sql");
const SLOTS: &str = include_str!("queries/pack_slots.sql");

/// Indexes whose ends are asked for at once: one that takes too long takes the others of its lot with it.
const ENDS_AT_ONCE: usize = 50;
/// Indexes whose heights are asked for at once.
const HEIGHTS_AT_ONCE: usize = 500;
/// What a level of a B-tree costs, in `cpu_operator_cost` (`DEFAULT_PAGE_CPU_MULTIPLIER`).
const LEVEL: f64 = 50.0;

/// So that what one server prints another reads: names in full, no local notation, all digits.
pub(super) const NOTATION: [(&str, &str); 6] = [
    ("search_path", ""),
    ("datestyle", "ISO, YMD"),
    ("intervalstyle", "postgres"),
    ("timezone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
];

/// Nothing costs but the levels of a B-tree, and nothing else is chosen.
const ONLY_LEVELS: [(&str, &str); 12] = [
    ("seq_page_cost", "0"),
    ("random_page_cost", "0"),
    ("cpu_tuple_cost", "0"),
    ("cpu_index_tuple_cost", "0"),
    ("cpu_operator_cost", "1"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("enable_indexscan", "on"),
    ("enable_indexonlyscan", "on"),
];

#[derive(Deserialize)]
struct Asked {
    #[serde(flatten)]
    source: Source,
    reads_statistics: bool,
    reads_extended: bool,
    reads_files: bool,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    relation: Relation,
    /// The role cannot see this table's column statistics in pg_stats.
    unreadable: bool,
}

#[derive(Deserialize)]
struct Described {
    schema: String,
    relation: String,
    column: Column,
}

#[derive(Deserialize)]
struct Expression {
    schema: String,
    name: String,
    inherited: bool,
    column: Column,
}

#[derive(Deserialize)]
struct Counted {
    schema: String,
    name: String,
    /// Three numbers of four bytes, four bytes more, and one of eight, the least byte first.
    counts: String,
}

/// How to ask about one B-tree.
#[derive(Deserialize)]
struct Tree {
    schema: String,
    name: String,
    /// Qualified and quoted.
    table: String,
    table_schema: String,
    table_name: String,
    /// The first key, where it is a column.
    column: Option<String>,
    /// The first key.
    key: String,
    order: String,
    predicate: Option<String>,
    /// Its operator classes are the types' own.
    plain: bool,
    rows: f64,
    table_rows: f64,
    blocks: f64,
}

/// The pack of the database behind a session, without its statements, and what could not be read.
///
/// # Errors
/// As the server says of its catalog; a lost connection; [`Kind::Interrupted`].
pub async fn read(session: &mut Session, guards: &Guards) -> Result<(Pack, Vec<Hole>)> {
    session.begin(guards, &[]).await?;
    let doing = "read the server's settings";
    let cell = session.query_json(doing, SOURCE, &[]).await?;
    let asked: Asked = parse(doing, &cell)?;
    session.rollback().await?;
    let notation: Vec<(&str, String)> = NOTATION.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
    session.begin(guards, &notation).await?;
    let rows: Vec<Row> = all(session, "read the relations' sizes", RELATIONS).await?;
    let mut holes = Vec::new();
    let statistics: Vec<Described> = match asked.reads_statistics {
        true => {
            all(session, "read the statistics", &STATISTICS.replace("/* pack_slots.sql */", SLOTS)).await?
        }
        false => {
            holes.extend(hidden(&rows));
            all(session, "read the statistics", VISIBLE).await?
        }
    };
    let mut reader = Reader::new(session, guards, &notation, holes);
    let extended = extended(&mut reader, &asked).await?;
    let reads_files = asked.reads_files;
    let mut pack = Pack {
        pgproof_pack: FORMAT,
        source: asked.source,
        redacted: false,
        gaps: Vec::new(),
        relations: rows.into_iter().map(|row| row.relation).collect(),
        extended,
        statements: Vec::new(),
    };
    pack.sort();
    let places: HashMap<(String, String), usize> =
        pack.relations.iter().enumerate().map(|(at, r)| ((r.schema.clone(), r.name.clone()), at)).collect();
    for described in statistics {
        if let Some(&at) = places.get(&(described.schema, described.relation)) {
            pack.relations[at].columns.push(described.column);
        }
    }
    trees(&mut reader, &mut pack, &places).await?;
    if reads_files {
        gin(&mut reader, &mut pack, &places).await?;
    }
    let holes = std::mem::take(&mut reader.holes);
    session.rollback().await?;
    Ok((pack, holes))
}

/// What a role that may not read pg_statistic does not see.
fn hidden(rows: &[Row]) -> Option<Hole> {
    let hidden: Vec<String> = rows
        .iter()
        .filter(|row| row.unreadable)
        .map(|row| crate::sql::ident::qualified(&row.relation.schema, &row.relation.name))
        .collect();
    if hidden.is_empty() {
        return None;
    }
    let more = hidden.len().saturating_sub(5);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(Hole {
        what: format!(
            "this role does not see the column statistics of {}{rest}: GRANT pg_read_all_data TO it (14+), or run as \
             their owner",
            hidden[..hidden.len().min(5)].join(", ")
        ),
        sqlstate: Some("42501".to_owned()),
        disables: vec!["plans on a twin that read them".to_owned()],
    })
}

async fn extended(reader: &mut Reader<'_>, asked: &Asked) -> Result<Vec<Extended>> {
    if !asked.reads_extended {
        let count = "SELECT pg_catalog.count(*)::text FROM pg_catalog.pg_statistic_ext";
        let rows = reader.part("count the extended statistics", count, &[], &[]).await?;
        let count = rows.into_iter().flatten().next().and_then(|row| row.into_iter().next()).flatten();
        if count.is_some_and(|count| count != "0") {
            reader.holes.push(Hole {
                what: "this role may not read the data of extended statistics: GRANT pg_read_all_data TO it (14+)"
                    .to_owned(),
                sqlstate: Some("42501".to_owned()),
                disables: vec!["plans on a twin that depend on them".to_owned()],
            });
        }
        return Ok(Vec::new());
    }
    let doing = "read the extended statistics";
    let disables = ["plans on a twin that depend on them"];
    let Some(rows) = reader.part(doing, EXTENDED, &[], &disables).await? else { return Ok(Vec::new()) };
    let mut extended: Vec<Extended> = rows.iter().map(|row| first(doing, row)).collect::<Result<_>>()?;
    if asked.source.version_num < 140_000 {
        return Ok(extended);
    }
    let sql = EXPRESSIONS.replace("/* pack_slots.sql */", SLOTS);
    for row in reader.part(doing, &sql, &[], &disables).await?.unwrap_or_default() {
        let expression: Expression = first(doing, &row)?;
        let of = |e: &&mut Extended| {
            e.schema == expression.schema && e.name == expression.name && e.inherited == expression.inherited
        };
        if let Some(object) = extended.iter_mut().find(of) {
            object.expressions.push(expression.column);
        }
    }
    extended.iter_mut().for_each(|object| object.expressions.sort_by_key(|c| c.number));
    Ok(extended)
}

/// The ends and heights of the B-trees.
async fn trees(
    reader: &mut Reader<'_>,
    pack: &mut Pack,
    places: &HashMap<(String, String), usize>,
) -> Result<()> {
    let doing = "read the B-trees";
    let rows = reader.part(doing, TREES, &[], &["ends and heights of indexes"]).await?.unwrap_or_default();
    let trees: Vec<Tree> = rows.iter().map(|row| first(doing, row)).collect::<Result<_>>()?;
    ends(reader, pack, places, &trees).await?;
    heights(reader, pack, places, &trees).await
}

/// What the GIN indexes say of themselves, where this role may read their files.
async fn gin(
    reader: &mut Reader<'_>,
    pack: &mut Pack,
    places: &HashMap<(String, String), usize>,
) -> Result<()> {
    let doing = "read the counts of GIN indexes";
    let rows = reader.part(doing, GIN, &[], &["costs of GIN indexes"]).await?.unwrap_or_default();
    for row in rows {
        let counted: Counted = first(doing, &row)?;
        if let (Some(&at), Some(gin)) = (places.get(&(counted.schema, counted.name)), counts(&counted.counts))
        {
            pack.relations[at].gin = Some(gin);
        }
    }
    Ok(())
}

fn counts(hex: &str) -> Option<Gin> {
    let number = |from: usize, bytes: usize| {
        (0..bytes).try_fold(0u64, |sum, byte| {
            let digits = hex.get((from + byte) * 2..(from + byte) * 2 + 2)?;
            Some(sum | u64::from_str_radix(digits, 16).ok()? << (8 * byte))
        })
    };
    Some(Gin {
        pages: u32::try_from(number(0, 4)?).ok()?,
        entry_pages: u32::try_from(number(4, 4)?).ok()?,
        data_pages: u32::try_from(number(8, 4)?).ok()?,
        entries: number(16, 8)?,
    })
}

async fn ends(
    reader: &mut Reader<'_>,
    pack: &mut Pack,
    places: &HashMap<(String, String), usize>,
    trees: &[Tree],
) -> Result<()> {
    // The planner asks whole indexes alone, and what has no histogram has no ends to mend.
    let mut wanted: HashMap<(&str, &str), &Tree> = HashMap::new();
    for tree in trees.iter().filter(|tree| tree.predicate.is_none() && tree.plain) {
        wanted.entry((&tree.table, &tree.key)).or_insert(tree);
    }
    let mut wanted: Vec<(&Tree, usize, usize)> = wanted
        .into_values()
        .filter_map(|tree| {
            let (schema, relation) = match &tree.column {
                Some(_) => (&tree.table_schema, &tree.table_name),
                None => (&tree.schema, &tree.name),
            };
            let at = *places.get(&(schema.clone(), relation.clone()))?;
            let column = pack.relations[at].columns.iter().position(|c| {
                !c.inherited && tree.column.as_ref().map_or(c.number == 1, |name| *name == c.name)
            })?;
            let described = pack.relations[at].columns[column].slots.iter();
            described
                .into_iter()
                .any(|slot| slot.kind == crate::pack::kind::HISTOGRAM)
                .then_some((tree, at, column))
        })
        .collect();
    wanted.sort_by_key(|(_, at, column)| (*at, *column));
    for lot in wanted.chunks(ENDS_AT_ONCE) {
        let asked =
            lot.iter().enumerate().map(|(place, (tree, ..))| (place, tree.table.as_str(), tree.key.as_str()));
        let sql = templates::ends(asked);
        let disables = ["estimates beyond the ends of histograms"];
        let rows = reader.part("read the ends of the indexes", &sql, &[], &disables).await?;
        for row in rows.into_iter().flatten() {
            let [Some(place), Some(low), Some(high)] = row.as_slice() else { continue };
            let Some((_, at, column)) = place.parse().ok().and_then(|place: usize| lot.get(place)) else {
                continue;
            };
            pack.relations[*at].columns[*column].ends = Some((low.clone(), high.clone()));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Walk {
    #[serde(rename = "Plan")]
    plan: WalkNode,
}

#[derive(Deserialize)]
struct WalkNode {
    #[serde(rename = "Index Name")]
    index: Option<String>,
    #[serde(rename = "Startup Cost")]
    startup: f64,
}

/// The height of each tree that a plan can be made to walk: what starting it costs shows its levels.
async fn heights(
    reader: &mut Reader<'_>,
    pack: &mut Pack,
    places: &HashMap<(String, String), usize>,
    trees: &[Tree],
) -> Result<()> {
    // One block is a tree without any key.
    let asked: Vec<&Tree> = trees.iter().filter(|tree| tree.plain && tree.blocks > 1.0).collect();
    for lot in asked.chunks(HEIGHTS_AT_ONCE) {
        let settings: Vec<String> =
            ONLY_LEVELS.iter().map(|(name, value)| templates::set_local(name, value)).collect();
        let walks = templates::walks(
            lot.iter().map(|t| (t.table.as_str(), t.order.as_str(), t.predicate.as_deref())),
        );
        let sql = format!("{};\n{walks}", settings.join(";\n"));
        let disables = ["exact heights of indexes, which are modelled instead"];
        let Some(rows) = reader.batch("ask for the heights of the indexes", &sql, &disables).await? else {
            continue;
        };
        for (tree, row) in lot.iter().zip(rows) {
            let Some(Some(cell)) = row.first() else { continue };
            let Ok([walk]) = serde_json::from_str::<[Walk; 1]>(cell) else { continue };
            // Another index of the same order was taken: this one's height is modelled.
            if walk.plan.index.as_ref() != Some(&tree.name) {
                continue;
            }
            let rows = if tree.predicate.is_some() { tree.rows } else { tree.table_rows };
            let Some(height) = height(walk.plan.startup, rows) else { continue };
            if let Some(&at) = places.get(&(tree.schema.clone(), tree.name.clone())) {
                pack.relations[at].height = Some(height);
            }
        }
    }
    Ok(())
}

/// Startup is ceil(log2(tuples)) comparisons and a page for each level (`btcostestimate`). The number of tuples is the
/// planner's, scaled to the file's size, so some comparisons more or less are no matter: a level is fifty.
fn height(startup: f64, rows: f64) -> Option<u32> {
    let comparisons = if rows > 1.0 { rows.log2().ceil() } else { 0.0 };
    let levels = ((startup - comparisons) / LEVEL).round() - 1.0;
    (0.0..=20.0).contains(&levels).then_some(levels as u32)
}

/// The ranks of values, by the server's own order.
///
/// # Errors
/// As the server says.
pub async fn ranks(session: &Session, values: &Values) -> Result<Ranks> {
    let doing = "order the values";
    let mut ranks = Ranks::new();
    for (family, values) in values {
        let list = serde_json::to_string(values).map_err(|e| Error::new(Kind::Server, doing).because(e))?;
        let sql = templates::ranks(&family.element, family.collation.as_deref());
        let rows = session.cells(doing, &sql, &[TextParam(Some(list))]).await?;
        let known = ranks.entry(family.clone()).or_default();
        for row in rows {
            let [Some(value), Some(rank)] = row.as_slice() else { continue };
            let rank = rank.parse().map_err(|e| Error::new(Kind::Server, doing).because(e))?;
            known.insert(value.clone(), rank);
        }
    }
    Ok(ranks)
}

fn first<T: DeserializeOwned>(doing: &str, row: &[Option<String>]) -> Result<T> {
    let cell = row.first().cloned().flatten().ok_or_else(|| {
        Error::new(Kind::Server, doing).because("the server did not answer with a cell of JSON")
    })?;
    parse(doing, &cell)
}

async fn all<T: DeserializeOwned>(session: &Session, doing: &str, sql: &str) -> Result<Vec<T>> {
    session.cells(doing, sql, &[]).await?.map(|row| first(doing, &row)).collect()
}
