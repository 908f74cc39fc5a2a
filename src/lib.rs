//! pgproof: every slow PostgreSQL query explained, every remedy proven.
//!
//! The library behind the binary of the same name. `ARCHITECTURE.md` draws the line that the data follows.

pub mod error;
pub mod exit;
pub mod facts;
pub mod plan;
pub mod postgres;
pub mod units;
