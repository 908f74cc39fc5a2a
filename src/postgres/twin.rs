//! Makes a database without rows plan as production does: statistics, sizes, heights, settings.
//!
//! Refuses to work on a database that pgproof did not make: it writes catalogs and files. Refuses to execute anything on
//! a twin: its tables are as large as production's, and empty.

use super::catalog::parse;
use super::session::{Session, TextParam};
use super::templates;
use crate::error::{Error, Kind, Result};
use crate::pack::place::{Class, File, Layout, ObjectData, Placed, Statistics};
use crate::pack::{Gin, Source};
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;

const LAYOUT: &str = include_str!("queries/twin_layout.sql");
const CLASSES: &str = include_str!("queries/twin_classes.sql");
const CLEAR: &str = include_str!("queries/twin_clear.sql");
const STATISTICS: &str = include_str!("queries/twin_statistics.sql");
const CLEAR_EXTENDED: &str = include_str!("queries/twin_clear_extended.sql");
const EXTENDED: &str = include_str!("queries/twin_extended.sql");
const EXPRESSIONS: &str = include_str!("queries/twin_expressions.sql");
const PAGES: &str = include_str!("queries/twin_pages.sql");
const TREES: &str = include_str!("queries/twin_trees.sql");

/// Blocks of a segment: a file is never longer than a gigabyte.
const SEGMENT: u64 = 131_072;
const BLOCK: u64 = 8192;
/// Files that one line of [`templates::GROW`] names at most.
const FILES_AT_ONCE: usize = 200;
/// Where `btm_root` stands in a B-tree's metapage, and the counts in that of a GIN index.
const BTREE_ROOT: usize = 32;
const GIN_COUNTS: usize = 48;
/// How often a copy is tried while the server still closes the last connection to what is copied.
const COPY_TRIES: u32 = 100;

/// Makes an empty database with the encoding and the order of another server's. Returns what could not be had.
///
/// # Errors
/// As the server says.
pub async fn create(
    admin: &Session,
    name: &str,
    source: Option<&Source>,
    major: u32,
) -> Result<Option<String>> {
    let doing = "make a database";
    let Some(source) = source else {
        return admin.batch(doing, &templates::create_database(name, None)).await.map(|()| None);
    };
    let locale = templates::Locale {
        encoding: &source.encoding,
        collate: &source.collate,
        ctype: &source.ctype,
        provider: (major >= 15 && source.provider != "c")
            .then_some((source.provider.as_str(), source.locale.as_deref())),
    };
    match admin.batch(doing, &templates::create_database(name, Some(&locale))).await {
        Ok(()) => Ok(None),
        Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => Err(error),
        Err(error) => {
            let cause = error.cause();
            admin.batch(doing, &templates::create_database(name, None)).await?;
            Ok(Some(format!(
                "this machine cannot sort as production does ({}, {}): {cause}; estimates of ranges of text may differ",
                source.collate, source.encoding
            )))
        }
    }
}

/// How the connections of this process are called on a server that stays.
pub fn run_name() -> String {
    templates::run_name(std::process::id())
}

/// Says of a database on a server that stays that this process made it.
///
/// # Errors
/// As the server says.
pub async fn mark(admin: &Session, name: &str) -> Result<()> {
    admin.batch("mark a database", &templates::mark_database(name)).await
}

/// Drops the roles that migrations of this process made, and nobody needs any more.
///
/// # Errors
/// A lost connection.
pub async fn remove_roles(session: &Session) -> Result<()> {
    drop_each(session, &templates::marked_roles()).await
}

/// Drops databases and roles of processes of ours that were killed.
///
/// # Errors
/// A lost connection.
pub async fn remove_left_behind(session: &Session) -> Result<()> {
    drop_each(session, templates::LEFT_BEHIND).await
}

async fn drop_each(session: &Session, asked: &str) -> Result<()> {
    for row in session.rows("look for what is ours", asked).await? {
        let Some(Some(drop)) = row.into_iter().next() else { continue };
        // What something of the user's depends on stays.
        match session.batch("drop what is ours", &drop).await {
            Err(error) if super::trace::ends(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Drops a database of ours, where it is there.
///
/// # Errors
/// As the server says.
pub async fn remove(admin: &Session, name: &str) -> Result<()> {
    admin.batch("drop a database of ours", &templates::drop_database(name)).await
}

/// Copies a database that nobody is connected to, file by file.
///
/// # Errors
/// As the server says.
pub async fn copy(admin: &Session, from: &str, to: &str, major: u32) -> Result<()> {
    let sql = templates::copy_database(from, to, major >= 15);
    for _ in 0..COPY_TRIES {
        match admin.batch("copy a database", &sql).await {
            // 55006: our own last connection is still on its way out.
            Err(error) if error.code() == Some("55006") => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            ended => return ended,
        }
    }
    admin.batch("copy a database", &sql).await
}

/// Gives a database production's planner settings. Returns those that this version does not know.
///
/// # Errors
/// A lost connection.
pub async fn settings(admin: &Session, database: &str, source: &Source) -> Result<Vec<String>> {
    let mut unknown = Vec::new();
    let all = source.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let statements: Vec<(&str, String)> = all
        .map(|(name, value)| (name, templates::set_for_database(database, name, value)))
        .chain([("search_path", templates::set_search_path(database, &source.search_path))])
        .collect();
    // All at once, as a rule; one by one where one is refused.
    let together: Vec<&str> = statements.iter().map(|(_, sql)| sql.as_str()).collect();
    let doing = "take over the planner's settings";
    match admin.batch(doing, &together.join(";\n")).await {
        Ok(()) => return Ok(unknown),
        Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
        Err(_) => {}
    }
    for (name, sql) in statements {
        match admin.batch(doing, &sql).await {
            Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
            Err(_) => unknown.push(name.to_owned()),
            Ok(()) => {}
        }
    }
    Ok(unknown)
}

/// Settings for every new session on a database.
///
/// # Errors
/// As the server says.
pub async fn set(admin: &Session, database: &str, settings: &[(&str, &str)]) -> Result<()> {
    let each: Vec<String> =
        settings.iter().map(|(name, value)| templates::set_for_database(database, name, value)).collect();
    admin.batch("set up a database", &each.join(";\n")).await
}

/// What the database behind a session is made of.
///
/// # Errors
/// As the server says.
pub async fn layout(session: &Session) -> Result<Layout> {
    let doing = "look at the schema";
    // Names in full, as a pack has them: a path that hides the schema of a type or a function makes another definition.
    let sql = format!("BEGIN; SET LOCAL search_path = ''; {LAYOUT}; ROLLBACK");
    let rows = session.rows(doing, &sql).await?;
    let cell = rows.into_iter().find_map(|row| row.into_iter().next()).flatten();
    parse(doing, &cell.unwrap_or_default())
}

/// Writes sizes and statistics into the catalog. Returns what could not be written, a sentence each.
///
/// # Errors
/// As the server says of the whole; a lost connection.
pub async fn inject(session: &Session, placed: &Placed, major: u32) -> Result<Vec<String>> {
    let mut lost = Vec::new();
    session.batch("inject statistics", &templates::pack_notation(&super::pack::NOTATION)).await?;
    classes(session, &placed.classes).await?;
    statistics(session, &placed.statistics, &mut lost).await?;
    extended(session, &placed.extended, major, &mut lost).await?;
    session.batch("inject statistics", "RESET ALL").await?;
    Ok(lost)
}

/// Writes the numbers of `pg_class`.
///
/// # Errors
/// As the server says.
pub async fn classes(session: &Session, classes: &[Class]) -> Result<()> {
    if classes.is_empty() {
        return Ok(());
    }
    session.query("inject sizes", CLASSES, &[json(&classes)?]).await.map(drop)
}

async fn statistics(session: &Session, all: &[Statistics], lost: &mut Vec<String>) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let doing = "inject statistics";
    session.query(doing, CLEAR, &[json(&all)?]).await?;
    match session.query(doing, STATISTICS, &[json(&all)?]).await {
        Ok(_) => return Ok(()),
        Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
        Err(_) => {}
    }
    // A value that its type no longer takes: the others are none the worse for it.
    for one in all {
        let one = std::slice::from_ref(one);
        match session.query(doing, STATISTICS, &[json(&one)?]).await {
            Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
            Err(error) => {
                let cause = error.cause();
                lost.push(format!("column {} of relation {}: {cause}", one[0].number, one[0].oid));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

async fn extended(session: &Session, all: &[ObjectData], major: u32, lost: &mut Vec<String>) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let doing = "inject extended statistics";
    session.batch(doing, templates::STATISTICS_CASTS).await?;
    session.query(doing, CLEAR_EXTENDED, &[json(&all)?]).await?;
    let inherited = if major >= 15 { "w.inherited," } else { "" };
    let expressions = if major >= 14 { EXPRESSIONS } else { "" };
    let sql = EXTENDED
        .replace("/* inherited */\n", &format!("{inherited}\n"))
        .replace("/* expressions */", expressions);
    for object in all {
        match session.query(doing, &sql, &[json(&[object])?]).await {
            Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
            Err(error) => {
                let cause = error.cause();
                lost.push(format!("extended statistics {}: {cause}", object.oid));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// What is written into an index's file.
#[derive(Serialize)]
struct Pages {
    oid: u32,
    /// The byte of the metapage that `head` replaces.
    at: usize,
    head: String,
    pages: String,
}

impl Pages {
    fn of(file: &File) -> Option<Pages> {
        let oid = file.oid;
        if let Some(gin) = file.gin {
            return Some(Pages { oid, at: GIN_COUNTS, head: hex(&counts(gin)), pages: String::new() });
        }
        let height = file.height.filter(|height| *height > 0)?;
        Some(Pages { oid, at: BTREE_ROOT, head: hex(&head(height)), pages: hex(&levels(height)) })
    }
}

/// Gives files their sizes, without a byte in them, and B-trees their heights. Before the server reads a page of them.
///
/// # Errors
/// As the server says; a disk that does not take files of that size.
pub async fn grow(session: &Session, files: &[File]) -> Result<()> {
    let doing = "give files their sizes";
    let pages: Vec<Pages> = files.iter().filter_map(Pages::of).collect();
    if !pages.is_empty() && !checksums(session).await? {
        let written: Vec<Vec<Option<String>>> =
            session.cells(doing, TREES, &[json(&pages)?]).await?.collect();
        session.query(doing, PAGES, &[json(&written)?]).await?;
    }
    let list: Vec<(u32, u64)> = files.iter().map(|file| (file.oid, file.blocks.max(0.0) as u64)).collect();
    if list.is_empty() {
        return Ok(());
    }
    let oids: Vec<u32> = list.iter().map(|(oid, _)| *oid).collect();
    let paths = paths(session, &oids).await?;
    let mut sizes: std::collections::BTreeMap<u64, Vec<String>> = std::collections::BTreeMap::new();
    for ((_, blocks), path) in list.iter().zip(paths) {
        let Some(path) = path else { continue };
        let (whole, rest) = (blocks / SEGMENT, blocks % SEGMENT);
        for segment in 0..whole {
            sizes.entry(SEGMENT * BLOCK).or_default().push(segment_path(&path, segment));
        }
        if rest > 0 {
            sizes.entry(rest * BLOCK).or_default().push(segment_path(&path, whole));
        }
    }
    let mut lines = Vec::new();
    for (size, files) in &sizes {
        for lot in files.chunks(FILES_AT_ONCE) {
            lines.push(format!("{size} {}", lot.join(" ")));
        }
    }
    session.batch(doing, &templates::grow(&lines)).await
}

/// Makes files as short as they were made, so that an index is built in no time.
///
/// # Errors
/// As the server says.
pub async fn shrink(session: &Session, oids: &[u32]) -> Result<()> {
    let paths: Vec<String> = paths(session, oids).await?.into_iter().flatten().collect();
    session.batch("make files empty", &templates::grow(&[format!("0 {}", paths.join(" "))])).await
}

async fn paths(session: &Session, oids: &[u32]) -> Result<Vec<Option<String>>> {
    let rows = session.rows("find the files", &templates::file_paths(oids)).await?;
    Ok(rows.into_iter().map(|row| row.into_iter().next().flatten()).collect())
}

fn segment_path(path: &str, segment: u64) -> String {
    if segment == 0 { path.to_owned() } else { format!("{path}.{segment}") }
}

/// Whether the server would call pages of ours damaged.
async fn checksums(session: &Session) -> Result<bool> {
    let rows = session.rows("ask for checksums", "SHOW data_checksums").await?;
    Ok(rows.first().and_then(|row| row.first()?.as_deref()) == Some("on"))
}

/// `nTotalPages`, `nEntryPages`, `nDataPages`, `nEntries` of a GIN metapage (`GinMetaPageData`).
fn counts(gin: Gin) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [gin.pages, gin.entry_pages, gin.data_pages, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(gin.entries.to_le_bytes());
    bytes
}

/// Root, level, fast root and fast level of a metapage (`BTMetaPageData`).
fn head(height: u32) -> Vec<u8> {
    [1, height, 1, height].iter().flat_map(|number: &u32| number.to_le_bytes()).collect()
}

/// The pages from the root to an empty leaf: each inner one holds the downlink to the next, whose key is minus infinity.
fn levels(height: u32) -> Vec<u8> {
    const SPECIAL: usize = BLOCK as usize - 16;
    /// `BTP_ROOT`, `BTP_LEAF`.
    const ROOT: u16 = 2;
    const LEAF: u16 = 1;
    let mut pages = Vec::new();
    for level in (0..=height).rev() {
        let mut page = vec![0u8; BLOCK as usize];
        let (lower, upper) = if level > 0 { (28, SPECIAL - 8) } else { (24, SPECIAL) };
        page[12..14].copy_from_slice(&(lower as u16).to_le_bytes());
        page[14..16].copy_from_slice(&(upper as u16).to_le_bytes());
        page[16..18].copy_from_slice(&(SPECIAL as u16).to_le_bytes());
        // Page size and layout version 4.
        page[18..20].copy_from_slice(&(BLOCK as u16 | 4).to_le_bytes());
        if level > 0 {
            // A line pointer: offset (15 bits), LP_NORMAL (2 bits), length (15 bits).
            let pointer = upper as u32 | 1 << 15 | 8 << 17;
            page[24..28].copy_from_slice(&pointer.to_le_bytes());
            // A pivot tuple: the block below, no key attribute (INDEX_ALT_TID_MASK), eight bytes.
            let below = height - level + 2;
            page[upper..upper + 2].copy_from_slice(&((below >> 16) as u16).to_le_bytes());
            page[upper + 2..upper + 4].copy_from_slice(&((below & 0xffff) as u16).to_le_bytes());
            page[upper + 6..upper + 8].copy_from_slice(&(0x2000u16 | 8).to_le_bytes());
        }
        page[SPECIAL + 8..SPECIAL + 12].copy_from_slice(&level.to_le_bytes());
        let flags = if level == height { ROOT } else { 0 } | if level == 0 { LEAF } else { 0 };
        page[SPECIAL + 12..SPECIAL + 14].copy_from_slice(&flags.to_le_bytes());
        pages.extend(page);
    }
    pages
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn json<T: Serialize>(value: &T) -> Result<TextParam> {
    serde_json::to_string(value)
        .map(|text| TextParam(Some(text)))
        .map_err(|e| Error::new(Kind::Server, "write down what is to be injected").because(e))
}
