//! Statements asked in other words: one file per rewrite, each from syntax tree to syntax tree.
//!
//! Refuses to guess: what it cannot show to be the same it lists, and what it cannot read it leaves alone.

mod disjunction;
mod distinct;
mod hidden;
pub mod keyset;
mod not_in;
pub mod sample;
pub mod sargable;
mod scope;
mod subqueries;
pub mod uncast;

pub use disjunction::or_to_union;
pub use distinct::distinct_join_to_exists;
pub use hidden::{Hidden, Sargable};
pub use not_in::{asks_not_all, not_in_to_not_exists};
pub use scope::{Known, Rewritten, Table, TableColumn};
pub use subqueries::subqueries_to_joins;
