//! Production's planner in one file: sizes, statistics and settings of a database, without its rows.
//!
//! Refuses to hold a row. What the statistics hold are values that stood in rows: [`redact`] takes those out. Numbers
//! and arrays stay in the server's own text, so that what is put into a twin is what was taken out.

pub mod array;
pub mod height;
pub mod place;
pub mod redact;
mod retyped;

use crate::capture::Gap;
use crate::catalog::QualifiedName;
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this version writes. Readers accept this and older numbers.
pub const FORMAT: u32 = 1;

/// Everything that a planner knows of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pack {
    /// [`FORMAT`] when it was written.
    pub pgproof_pack: u32,
    pub source: Source,
    /// Values are replaced by others in the same order.
    pub redacted: bool,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// In the order of their names.
    pub relations: Vec<Relation>,
    #[serde(default)]
    pub extended: Vec<Extended>,
    /// What pg_stat_statements counted, most time first, where it was asked for.
    #[serde(default)]
    pub statements: Vec<Statement>,
}

/// The server that it was taken from, as far as plans depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// `server_version_num`.
    pub version_num: u32,
    pub database: String,
    pub encoding: String,
    /// Histograms are sorted by it.
    pub collate: String,
    pub ctype: String,
    /// `c`, `i` (ICU), `b` (built in), as in `datlocprovider`.
    pub provider: String,
    /// The locale of ICU and of the builtin provider.
    pub locale: Option<String>,
    pub block_size: u32,
    pub search_path: String,
    /// Planner settings in force, as `SHOW` prints them.
    pub settings: BTreeMap<String, String>,
    /// Version of each extension.
    pub extensions: BTreeMap<String, String>,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelationKind {
    Table,
    Partitioned,
    MaterializedView,
    Index,
    PartitionedIndex,
}

/// A table or an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    /// Of an index: its table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<QualifiedName>,
    /// Of an index: `pg_get_indexdef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// `pg_class.relpages`.
    pub pages: f64,
    /// `pg_class.reltuples`; -1 where never vacuumed or analysed (14+).
    pub rows: f64,
    /// `pg_class.relallvisible`.
    pub visible: f64,
    /// Blocks of its file; `None` where it has none, or could not be read.
    pub blocks: Option<f64>,
    /// Of a B-tree: levels above its leaves; `None`: unknown, then [`height::modelled`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Of a GIN index, where the role may read its metapage; `None`: the planner guesses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gin: Option<Gin>,
    /// Statistics of its columns; of an index those of its expressions.
    pub columns: Vec<Column>,
}

/// What VACUUM counted in a GIN index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gin {
    pub pages: u32,
    pub entry_pages: u32,
    pub data_pages: u32,
    pub entries: u64,
}

/// The statistics of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub number: i16,
    /// With those of the children of its table.
    pub inherited: bool,
    pub null_fraction: f64,
    /// Bytes of a value that is not NULL.
    pub width: f64,
    /// As `stadistinct`: negative is a share of the rows.
    pub distinct: f64,
    pub slots: Vec<Slot>,
    /// The smallest and the largest value of now: the planner asks an index for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<(String, String)>,
}

/// A slot of pg_statistic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// `stakind`: see [`kind`].
    pub kind: i16,
    /// As `regoperator` prints it with an empty search_path.
    pub operator: Option<String>,
    /// Quoted where needed.
    pub collation: Option<String>,
    /// `real[]` as the server prints it.
    pub numbers: Option<String>,
    /// An array as the server prints it.
    pub values: Option<String>,
    /// The type of its elements.
    pub element: Option<String>,
    /// They are labels of an enum.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub labels: bool,
}

/// Numbers of `stakind`.
pub mod kind {
    /// Most common values.
    pub const COMMON: i16 = 1;
    pub const HISTOGRAM: i16 = 2;
    pub const CORRELATION: i16 = 3;
    /// Most common elements of arrays, lexemes of tsvector.
    pub const COMMON_ELEMENTS: i16 = 4;
}

/// The data of an extended statistics object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extended {
    pub schema: String,
    pub name: String,
    pub table: QualifiedName,
    pub definition: String,
    pub inherited: bool,
    /// Bytes in hexadecimal digits, which a server of the same major takes back.
    pub distinct: Option<String>,
    pub dependencies: Option<String>,
    pub common: Option<String>,
    /// Of its expressions in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<Column>,
}

/// A statement that pg_stat_statements counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    pub text: String,
    pub calls: f64,
    pub total_ms: f64,
    pub rows: f64,
}

impl Pack {
    /// The major version that it was taken from.
    pub fn major(&self) -> u32 {
        self.source.version_num / 10_000
    }

    /// The table or index of that name.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        let at = self
            .relations
            .binary_search_by(|r| (r.schema.as_str(), r.name.as_str()).cmp(&(schema, name)))
            .ok()?;
        Some(&self.relations[at])
    }

    /// A pack from what [`Pack::write`] made of it. `name` is the file's, for messages.
    ///
    /// # Errors
    /// [`Kind::Input`] for what is no pack, and for one of a newer format.
    pub fn read(text: &str, name: &str) -> Result<Pack> {
        let doing = || format!("read the pack {name}");
        #[derive(Deserialize)]
        struct Format {
            pgproof_pack: u32,
        }
        let no_pack = |e: serde_json::Error| {
            Error::new(Kind::Input, doing()).because(e).help("name a file that `pgproof pack` wrote")
        };
        let format: Format = serde_json::from_str(text).map_err(no_pack)?;
        if format.pgproof_pack > FORMAT {
            return Err(Error::new(Kind::Input, doing())
                .because(format!("its format is {}, this pgproof reads up to {FORMAT}", format.pgproof_pack))
                .help("use a newer pgproof"));
        }
        let mut pack: Pack = serde_json::from_str(text).map_err(no_pack)?;
        pack.sort();
        Ok(pack)
    }

    /// As JSON with one relation, column, object or statement to a line, in the order of names: two packs can be
    /// compared line by line.
    ///
    /// # Errors
    /// [`Kind::Environment`] for a number that JSON has no notation for.
    pub fn write(&self) -> Result<String> {
        let mut text = format!(
            "{{\n\"pgproof_pack\": {},\n\"source\": {},\n\"redacted\": {},\n\"gaps\": {},\n\"relations\": [",
            self.pgproof_pack,
            line(&self.source)?,
            self.redacted,
            line(&self.gaps)?
        );
        for (at, relation) in self.relations.iter().enumerate() {
            let bare = Relation { columns: Vec::new(), ..relation.clone() };
            let bare = line(&bare)?;
            // `columns` is its last key, and empty: its lines go in between.
            let open = bare.strip_suffix("]}").unwrap_or(&bare);
            text.push_str(if at == 0 { "\n" } else { ",\n" });
            text.push_str(open);
            for (at, column) in relation.columns.iter().enumerate() {
                text.push_str(if at == 0 { "\n  " } else { ",\n  " });
                text.push_str(&line(column)?);
            }
            text.push_str("]}");
        }
        text.push_str("\n],\n\"extended\": [");
        text.push_str(&lines(&self.extended)?);
        text.push_str("],\n\"statements\": [");
        text.push_str(&lines(&self.statements)?);
        text.push_str("]\n}\n");
        Ok(text)
    }

    /// Puts everything into the order of its names.
    pub fn sort(&mut self) {
        self.relations.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        for relation in &mut self.relations {
            relation.columns.sort_by_key(|c| (c.number, c.inherited));
        }
        self.extended
            .sort_by(|a, b| (&a.schema, &a.name, a.inherited).cmp(&(&b.schema, &b.name, b.inherited)));
    }
}

/// A value on one line.
fn line<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::new(Kind::Environment, "write the pack").because(e))
}

/// A value to a line.
fn lines<T: Serialize>(values: &[T]) -> Result<String> {
    let lines: Vec<String> = values.iter().map(line).collect::<Result<_>>()?;
    Ok(if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join(",\n")) })
}
