//! SQL texts: splitting, what kind a statement is, names, conditions as plans print them, fingerprints.
//!
//! The only user of `sqlparser`. Refuses to know about plans and to be the judge of validity: the server is.

mod calendar;
mod comment;
pub mod condition;
mod explainable;
mod fingerprint;
pub mod ident;
mod operand;
mod parsed;
pub mod retype;
pub mod rewrite;
pub mod shape;
mod stars;
mod statement;
pub mod token;
pub mod volatility;

pub use comment::{Comment, comments};
pub use explainable::explainable;
pub use fingerprint::{digest, fingerprint, hex};
pub use parsed::Parsed;
pub use stars::{reads_one_name, starred_tables};
pub use statement::{Kind, Piece, Statement, copies_in, read, split};
