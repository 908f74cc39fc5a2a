//! How large the tables are that migrations work on.
//!
//! Refuses to know what nobody said: without a pack every table is taken to be of one assumed size, and that is told.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sizes of production's tables, where a pack tells them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sizes {
    /// By name, qualified and quoted where needed; `None`: no pack.
    known: Option<BTreeMap<String, Size>>,
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
    /// The sizes that a pack tells.
    pub fn known(sizes: BTreeMap<String, Size>) -> Sizes {
        Sizes { known: Some(sizes) }
    }

    /// The size of a table; where there is a pack and it does not know the table, it is empty: new in production.
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
