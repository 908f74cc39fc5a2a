//! Reads EXPLAIN (FORMAT JSON).
use super::Plan;
use crate::error::{Error, Kind, Result};

/// stub
pub fn read_json(_text: &str) -> Result<Vec<Plan>> {
    Err(Error::new(Kind::Input, "read the plan"))
}
