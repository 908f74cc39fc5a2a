//! How large the tables are that migrations work on, and what stands in the columns that they ask something of.
//!
//! Refuses to know what nobody said: without a pack every table is taken to be of one assumed size, and that is told.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Sizes of production's tables, where a pack tells them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sizes {
    /// By name, qualified and quoted where needed; `None`: no pack.
    known: Option<BTreeMap<String, Size>>,
    /// By name: partitioned tables with all of their partitions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    partitioned: BTreeMap<String, Size>,
    /// By the same name and the column's, of columns that migrations ask something of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    spreads: BTreeMap<String, BTreeMap<String, Spread>>,
}

/// How the values of a column were spread when its table was last analysed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Rows of the table then.
    pub rows: f64,
    /// Share of the rows that are NULL.
    pub nulls: f64,
    /// Different values, as `stadistinct`: negative is a share of the rows, 0 is unknown.
    pub distinct: f64,
    /// Share of the rows that the most common value stands in; `None`: none was seen more than once.
    pub common: Option<f64>,
}

/// A table's size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Size {
    pub rows: f64,
    /// Of its heap.
    pub bytes: f64,
    /// Of all its indexes.
    pub index_bytes: f64,
    /// Nobody measured it.
    pub assumed: bool,
}

/// What a table of unknown size is taken for: ten million rows of a hundred bytes, and two indexes. Large enough that a
/// lock on it is felt, small enough that nobody is told of hours.
pub const ASSUMED: Size = Size { rows: 10_000_000.0, bytes: 1e9, index_bytes: 4e8, assumed: true };

impl Sizes {
    /// The sizes that a pack tells: of tables by themselves, and of partitioned ones with all of their partitions.
    pub fn known(sizes: BTreeMap<String, Size>, partitioned: BTreeMap<String, Size>) -> Sizes {
        Sizes { known: Some(sizes), partitioned, spreads: BTreeMap::new() }
    }

    /// The same with the spread of one more column.
    pub fn add_spread(&mut self, relation: &str, column: &str, spread: Spread) {
        self.spreads.entry(relation.to_owned()).or_default().insert(column.to_owned(), spread);
    }

    /// How the values of a column were spread; `None` where no pack tells.
    pub fn spread(&self, relation: &str, column: &str) -> Option<Spread> {
        self.spreads.get(relation)?.get(column).copied()
    }

    /// A pack says how large things are.
    pub fn packed(&self) -> bool {
        self.known.is_some()
    }

    /// The size of a table with its partitions, where it has some.
    pub fn whole(&self, relation: &str) -> Size {
        self.partitioned.get(relation).copied().unwrap_or_else(|| self.of(relation))
    }

    /// The tables of a pack that a statement may mean by a name, with or without a schema, quoted where needed.
    pub fn meant(&self, name: &str) -> BTreeSet<&str> {
        let tables =
            self.known.iter().flat_map(BTreeMap::keys).chain(self.partitioned.keys()).map(String::as_str);
        let ends = |table: &&str| {
            let schema = table.strip_suffix(name);
            schema.is_some_and(|schema| schema.is_empty() || schema.ends_with('.'))
        };
        tables.filter(ends).collect()
    }

    /// The size of a table by itself: a partitioned one has no rows of its own. Where there is a pack and it does not know the table,
    /// it is empty: new in production.
    pub fn of(&self, relation: &str) -> Size {
        match &self.known {
            None => ASSUMED,
            Some(known) => known.get(relation).copied().unwrap_or(Size {
                rows: 0.0,
                bytes: 0.0,
                index_bytes: 0.0,
                assumed: false,
            }),
        }
    }
}
