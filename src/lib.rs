//! pgproof: every slow PostgreSQL query explained, every remedy proven.
//!
//! The library behind the binary of the same name. `ARCHITECTURE.md` draws the line that the data follows.

pub mod accepted;
pub mod analyse;
pub mod anonymize;
pub mod app;
pub mod capture;
pub mod cases;
pub mod catalog;
pub mod cli;
pub mod compare;
pub mod config;
pub mod context;
pub mod corpus;
pub mod error;
pub mod exit;
pub mod facts;
pub mod finding;
pub mod gate;
pub mod identity;
pub mod migrate;
pub mod pack;
pub mod plan;
pub mod postgres;
pub mod proposals;
pub mod prove;
pub mod render;
pub mod report;
pub mod rules;
pub mod safety;
pub mod scratch;
pub mod sql;
pub mod strict;
pub mod suppress;
pub mod units;
pub mod words;
pub mod workload;
