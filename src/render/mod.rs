//! From a report to text, JSON and the formats of other programs: one file per output format.
//!
//! Refuses to analyse: every number here was in the report.

mod accesses;
mod columns;
mod diff;
pub mod doctor;
pub mod error;
mod fold;
pub mod github;
pub mod gitlab;
pub mod html;
pub mod json;
mod json_comparison;
mod json_suppressed;
mod json_workload;
pub mod junit;
mod label;
pub mod markdown;
mod names;
mod outcomes;
mod overview;
mod ranking;
pub mod sarif;
mod suppressed;
pub mod text;
mod told;
mod tree;

/// What a renderer may know of its surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns to fill; long lines are wrapped or cut.
    pub width: usize,
    /// Emit ANSI colours.
    pub color: bool,
    /// More detail: evidence, all nodes.
    pub verbose: bool,
    /// Less: findings and proposals only.
    pub quiet: bool,
}
