//! The queries that the base's revision has and head does not: programs that were not deployed anew go on asking them.
//!
//! Refuses to judge their plans: whether the migrations break them is all that matters of what is on its way out.

use super::files;
use super::queries::wanted;
use crate::capture::Gap;
use crate::corpus::{self, Origin, Query};
use std::path::{Path, PathBuf};

/// The queries below the paths as a revision of git has them, but for those that are still there.
pub fn queries(revision: &str, paths: &[PathBuf], now: &[Query], gaps: &mut Vec<Gap>) -> Vec<Query> {
    let mut old = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        match files::changed(revision, path) {
            Ok(changed) => files.extend(changed),
            Err(error) => gaps.push(not_seen(format!("the queries of {revision}: {}", error.cause()))),
        }
    }
    files.sort();
    files.dedup();
    for (name, text) in files.iter().filter(|(name, _)| wanted(Path::new(name))) {
        // What is no query of the project's was told of head's files.
        match corpus::read(name, text, &mut Vec::new()) {
            Ok(queries) => old.extend(queries.into_iter().filter(|query| query.origin == Origin::Written)),
            Err(error) => gaps.push(not_seen(format!("{name} in {revision}: {}", error.cause()))),
        }
    }
    if old.is_empty() {
        return old;
    }
    let mut old = corpus::lacking(now, old);
    for query in &mut old {
        (query.origin, query.budget) = (Origin::Earlier, None);
    }
    old
}

fn not_seen(what: String) -> Gap {
    Gap { what, sqlstate: None, disables: vec!["check of queries that are being replaced".to_owned()] }
}
