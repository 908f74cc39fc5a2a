//! Statements written anew from their syntax tree, one file for each way.
//!
//! Refuses to know catalogs and plans: the caller says which columns are unique, and whether the rows stay the same.

pub mod keyset;
pub mod sample;
