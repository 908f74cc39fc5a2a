//! Looks at a whole database in a few set-based questions, whatever its size.
//!
//! Refuses to fail for a part that it may not see or that takes too long: that becomes a hole, with what it costs.

pub use super::reader::Hole;
use super::reader::Reader;
use super::session::{Session, TextParam};
use super::templates::Guards;
use crate::catalog::snapshot::{
    Build, IndexDetail, Moment, Node, NodeIndex, OperatorClass, Reads, Sequence, Snapshot, Table, TableIndex,
    TableKey, Unproven,
};
use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};

const MOMENT: &str = include_str!("queries/snapshot_moment.sql");
const TABLES: &str = include_str!("queries/snapshot_tables.sql");
const INDEXES: &str = include_str!("queries/snapshot_indexes.sql");
const KEYS: &str = include_str!("queries/snapshot_keys.sql");
const RECENT: &str = include_str!("queries/snapshot_recent.sql");
const DESCRIBED: &str = include_str!("queries/snapshot_described.sql");
const ANCHORS: &str = include_str!("queries/snapshot_anchors.sql");
const SEQUENCES: &str = include_str!("queries/snapshot_sequences.sql");
const DETAILS: &str = include_str!("queries/snapshot_details.sql");
const SIZES: &str = include_str!("queries/snapshot_sizes.sql");
const RIGHTS: &str = include_str!("queries/snapshot_rights.sql");
const NODE: &str = include_str!("queries/snapshot_node.sql");
const READS: &str = include_str!("queries/snapshot_reads.sql");
const CONTROL: &str = include_str!("queries/control_system.sql");

/// What the keys' question answers.
#[derive(Deserialize)]
struct Keys {
    foreign_keys: Vec<TableKey>,
    unproven: Vec<Unproven>,
    classes: BTreeMap<u32, OperatorClass>,
}

#[derive(Deserialize)]
struct Sequences {
    unread: u64,
    sequences: Vec<Sequence>,
}

/// The database behind a session, as far as the role sees it. Inside a transaction, which stays open.
///
/// # Errors
/// As the server says of tables and indexes themselves; a lost connection; [`Kind::Interrupted`].
pub async fn read(session: &mut Session, guards: &Guards, major: u32) -> Result<(Snapshot, Vec<Hole>)> {
    let moment: Moment = one("read the server's state", session, MOMENT).await?;
    let tables = {
        let rows = session.cells("read the tables", TABLES, &[]).await?;
        rows.map(|row| parse("read the tables", row.first())).collect::<Result<Vec<Table>>>()?
    };
    let mut snapshot = Snapshot { tables, ..Snapshot::default() };
    let ages = indexes(session, &moment, &mut snapshot).await?;
    let keys: Keys = one("read the constraints", session, KEYS).await?;
    snapshot.foreign_keys = keys.foreign_keys;
    snapshot.unproven = keys.unproven;
    snapshot.classes = keys.classes;
    snapshot.moment = moment;
    if snapshot.moment.identifies {
        snapshot.moment.system = system(session).await?;
    }
    let mut reader = Reader::new(session, guards, &[], Vec::new());
    if major >= 16 {
        recent(&mut reader, &mut snapshot).await?;
        reads(&mut reader, &mut snapshot).await?;
    }
    described(&mut reader, &mut snapshot).await?;
    let anchors = anchors(&mut reader, &snapshot).await?;
    age(&mut snapshot, &ages, &anchors);
    sequences(&mut reader, &mut snapshot).await?;
    Ok((snapshot, reader.holes))
}

/// Fills in what it takes to make the indexes of `oids` again, and the exact sizes of these and of `tables`. Inside a
/// transaction, which stays open.
///
/// # Errors
/// A lost connection; [`Kind::Interrupted`].
pub async fn details(
    session: &mut Session,
    guards: &Guards,
    snapshot: &mut Snapshot,
    oids: &[u32],
    tables: &[u32],
) -> Result<Vec<Hole>> {
    if oids.is_empty() && tables.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(session, guards, &[], Vec::new());
    let doing = "read the definitions of indexes";
    let list = |oids: &[u32]| {
        let words: Vec<String> = oids.iter().map(u32::to_string).collect();
        [TextParam(Some(format!("[{}]", words.join(","))))]
    };
    let at: HashMap<u32, usize> = snapshot.indexes.iter().enumerate().map(|(at, i)| (i.oid, at)).collect();
    let without = ["unused-index", "duplicate-index", "redundant-index", "invalid-index"];
    for row in reader.part(doing, DETAILS, &list(oids), &without).await?.unwrap_or_default() {
        let Some(&at) = number(&row, 0).and_then(|oid| at.get(&(oid as u32))) else { continue };
        let detail: IndexDetail = parse(doing, row.get(1))?;
        snapshot.indexes[at].detail = Some(detail);
    }
    let all: Vec<u32> = oids.iter().chain(tables).copied().collect();
    let sized = reader.part("read the sizes of relations", SIZES, &list(&all), &[]).await?;
    let table_at: HashMap<u32, usize> =
        snapshot.tables.iter().enumerate().map(|(at, t)| (t.oid, at)).collect();
    for row in sized.unwrap_or_default() {
        let (Some(oid), Some(bytes)) = (number(&row, 0), number(&row, 1)) else { continue };
        match at.get(&(oid as u32)) {
            Some(&at) => {
                if let Some(detail) = &mut snapshot.indexes[at].detail {
                    detail.size_bytes = Some(bytes);
                }
            }
            None => {
                if let Some(&at) = table_at.get(&(oid as u32)) {
                    snapshot.tables[at].pages = bytes / snapshot.moment.block_size.max(1.0);
                }
            }
        }
    }
    Ok(reader.holes)
}

/// What another node of the cluster counts, under the name that it was asked by.
///
/// # Errors
/// As the server says.
pub async fn node(session: &mut Session, guards: &Guards, major: u32, name: &str) -> Result<Node> {
    let doing = "read the counters of another node";
    session.begin(guards, &[]).await?;
    let moment: Moment = one(doing, session, MOMENT).await?;
    let mut by_oid: HashMap<u32, String> = HashMap::new();
    let mut indexes = BTreeMap::new();
    for mut row in session.cells(doing, NODE, &[]).await? {
        let value = |at| number(&row, at).unwrap_or(0.0);
        let counted = NodeIndex {
            scans: value(1),
            tuples_read: value(2),
            tuples_fetched: value(3),
            scanned_seconds: None,
        };
        let oid = value(4) as u32;
        let Some(name) = row.first_mut().and_then(Option::take) else { continue };
        by_oid.insert(oid, name.clone());
        indexes.insert(name, counted);
    }
    if major >= 16 {
        for row in session.cells(doing, RECENT, &[]).await? {
            let (Some(oid), Some(value)) = (number(&row, 0), number(&row, 1)) else { continue };
            if let Some(index) = by_oid.get(&(oid as u32)).and_then(|name| indexes.get_mut(name)) {
                index.scanned_seconds = Some(value);
            }
        }
    }
    let system = if moment.identifies { system(session).await? } else { None };
    session.rollback().await?;
    Ok(Node {
        name: name.to_owned(),
        in_recovery: moment.in_recovery,
        system,
        database: moment.database,
        counting_seconds: moment.counting_seconds,
        counting_since: moment.counting_since,
        counts: moment.counts,
        indexes,
    })
}

/// How old an index's catalog entry is: in transactions, and in seconds where commits are timed.
type Ages = Vec<(Option<f64>, Option<f64>)>;

async fn indexes(session: &Session, moment: &Moment, snapshot: &mut Snapshot) -> Result<Ages> {
    let doing = "read the indexes";
    let sees = [TextParam(Some(moment.reads_all_stats.to_string()))];
    let rows = session.cells(doing, INDEXES, &sees).await?;
    let mut ages = Vec::new();
    for row in rows {
        let index: TableIndex = parse(doing, row.first())?;
        snapshot.indexes.push(index);
        ages.push((number(&row, 1), number(&row, 2)));
    }
    // A build that somebody else's right hides shows only where there is something invalid.
    debug_assert!(snapshot.indexes.iter().all(|i| i.build != Build::Unknown || !i.valid));
    Ok(ages)
}

async fn recent(reader: &mut Reader<'_>, snapshot: &mut Snapshot) -> Result<()> {
    let rows = reader.part("read when indexes were last scanned", RECENT, &[], &["unused-index"]).await?;
    let mut values: HashMap<u32, f64> = HashMap::new();
    for row in rows.unwrap_or_default() {
        if let (Some(oid), Some(value)) = (number(&row, 0), number(&row, 1)) {
            values.insert(oid as u32, value);
        }
    }
    for index in &mut snapshot.indexes {
        index.scanned_seconds = values.get(&index.oid).copied();
    }
    for table in &mut snapshot.tables {
        let newpage = values.get(&table.oid).copied();
        if let Some(counters) = table.counters.as_mut() {
            counters.newpage_updates = newpage;
        }
    }
    Ok(())
}

async fn reads(reader: &mut Reader<'_>, snapshot: &mut Snapshot) -> Result<()> {
    let rows = reader.part("read how long reads take", READS, &[], &["random-page-cost-too-high"]).await?;
    let row = rows.into_iter().flatten().next();
    let read = row.and_then(|row| Some(Reads { count: number(&row, 0)?, ms: number(&row, 1)? }));
    snapshot.moment.reads = read;
    Ok(())
}

/// The number of the cluster, which the role may ask for. Inside a transaction.
pub(super) async fn system(session: &Session) -> Result<Option<String>> {
    let mut rows = session.cells("read the cluster's identifier", CONTROL, &[]).await?;
    Ok(rows.next().and_then(|row| row.into_iter().next().flatten()))
}

async fn described(reader: &mut Reader<'_>, snapshot: &mut Snapshot) -> Result<()> {
    let rows = reader.part("read which tables have statistics", DESCRIBED, &[], &["never-analyzed"]).await?;
    let Some(rows) = rows else { return Ok(()) };
    let mut kinds: HashMap<u32, (bool, bool)> = HashMap::new();
    for row in rows {
        let Some(oid) = number(&row, 0) else { continue };
        let inherited = row.get(1).cloned().flatten().is_some_and(|word| word == "true");
        let entry = kinds.entry(oid as u32).or_default();
        if inherited { entry.1 = true } else { entry.0 = true }
    }
    for table in snapshot.tables.iter_mut().filter(|table| table.readable) {
        let (own, inherited) = kinds.get(&table.oid).copied().unwrap_or_default();
        let partitioned = table.kind == crate::catalog::RelationKind::Partitioned;
        table.described = Some(if partitioned { inherited } else { own });
    }
    Ok(())
}

/// Points that join time to transactions: (seconds ago, transactions ago), nearest transaction first. A transaction
/// that is older than such a point is older than its time.
async fn anchors(reader: &mut Reader<'_>, snapshot: &Snapshot) -> Result<Vec<(f64, f64)>> {
    // A table's freeze horizon was set by its last VACUUM or an earlier one.
    let mut points: Vec<(f64, f64)> = snapshot
        .tables
        .iter()
        .filter_map(|t| Some((t.counters.as_ref()?.vacuumed_seconds?, t.xid_age)))
        .collect();
    if readable(reader).await? {
        let rows = reader.part("read when statistics were written", ANCHORS, &[], &["unused-index"]).await?;
        points.extend(
            rows.unwrap_or_default().iter().filter_map(|row| Some((number(row, 0)?, number(row, 1)?))),
        );
    }
    points.retain(|(_, xids)| *xids >= 0.0);
    points.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(points)
}

/// The role may read `pg_statistic` itself.
async fn readable(reader: &mut Reader<'_>) -> Result<bool> {
    let rows = reader.part("read the role's rights", RIGHTS, &[], &[]).await?.unwrap_or_default();
    Ok(rows.first().and_then(|row| row.first().cloned().flatten()).is_some_and(|word| word == "true"))
}

/// Gives every index the greatest age that something shows.
fn age(snapshot: &mut Snapshot, ages: &Ages, anchors: &[(f64, f64)]) {
    let mut oldest = Vec::with_capacity(anchors.len());
    let mut most = 0.0_f64;
    for (seconds, _) in anchors {
        most = most.max(*seconds);
        oldest.push(most);
    }
    for (index, (xids, exact)) in snapshot.indexes.iter_mut().zip(ages) {
        let shown = xids.filter(|xids| *xids >= 0.0).and_then(|xids| {
            let younger = anchors.partition_point(|(_, anchor)| *anchor <= xids);
            younger.checked_sub(1).map(|at| oldest[at])
        });
        // What was scanned then was there then.
        index.old_seconds = [shown, *exact, index.scanned_seconds].into_iter().flatten().reduce(f64::max);
    }
}

async fn sequences(reader: &mut Reader<'_>, snapshot: &mut Snapshot) -> Result<()> {
    let doing = "read the sequences";
    let rows = reader.part(doing, SEQUENCES, &[], &["sequence-near-end"]).await?;
    if let Some(row) = rows.and_then(|rows| rows.into_iter().next()) {
        let read: Sequences = parse(doing, row.first())?;
        snapshot.sequences = read.sequences;
        snapshot.sequences_unread = read.unread;
    }
    Ok(())
}

async fn one<T: DeserializeOwned>(doing: &str, session: &Session, sql: &str) -> Result<T> {
    let cell = session.query_json(doing, sql, &[]).await?;
    parse(doing, Some(&Some(cell)))
}

fn parse<T: DeserializeOwned>(doing: &str, cell: Option<&Option<String>>) -> Result<T> {
    let text = cell.and_then(Option::as_deref).unwrap_or("null");
    serde_json::from_str(text).map_err(|error| Error::new(Kind::Server, doing).because(error))
}

fn number(row: &[Option<String>], at: usize) -> Option<f64> {
    row.get(at)?.as_deref()?.parse().ok()
}
