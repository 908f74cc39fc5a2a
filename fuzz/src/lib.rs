//! What every target does: the bytes as text, a reader, and everything that `pgproof plan` makes of what it read.

pub use pgproof::plan::Notation;

#[path = "../../tests/plans/sane.rs"]
mod sane;

/// Checks what comes of `bytes`; a panic is a finding.
pub fn run(bytes: &[u8], notation: Option<Notation>) {
    let _ = sane::check(&String::from_utf8_lossy(bytes), notation);
}
