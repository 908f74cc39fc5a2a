//! Exit codes, as documented in the README. They are part of the interface: scripts test them.
//!
//! Refuses to decide anything: [`crate::error::Kind`] says which code an error has.

/// Nothing at or above `--fail-on`.
pub const OK: u8 = 0;
/// Findings at or above `--fail-on`.
pub const FINDINGS: u8 = 1;
/// The command line, a config file, an input file or the SQL is wrong.
pub const USAGE: u8 = 2;
/// The environment failed: no connection, a missing right, any other server error.
pub const ENVIRONMENT: u8 = 3;
/// Interrupted by a signal; everything was undone.
pub const INTERRUPTED: u8 = 130;
