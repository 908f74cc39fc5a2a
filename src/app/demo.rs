//! `pgproof demo`.
//!
//! Refuses to touch a server it did not start.
use crate::cli::{Common, Demo};
use crate::error::Result;
/// stub
pub async fn run(_args: &Demo, _common: &Common) -> Result<u8> {
    Ok(0)
}
