//! A planner that believes in less cache than the server itself holds.
//!
//! Refuses to guess the machine's memory: `shared_buffers` is the least that there surely is.

use super::database::{Looked, finding};
use super::{Check, Spec, Tuning};
use crate::context::CatalogContext;
use crate::finding::{Confidence, Evidence};
use crate::units::Bytes;
use crate::words::size;

pub(super) const SPEC: Spec = Spec {
    name: "effective-cache-size-too-small",
    summary: "effective_cache_size is below shared_buffers",
    thresholds: &[],
    page: include_str!("../../rules/effective-cache-size-too-small.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, _: &Tuning) -> Looked {
    let moment = ctx.moment();
    let (Some(cache), Some(buffers)) = (moment.bytes("effective_cache_size"), moment.bytes("shared_buffers")) else {
        return Looked::blind("effective_cache_size and shared_buffers, which the server did not tell");
    };
    if cache >= buffers {
        return Looked::default();
    }
    let mut found = finding(&SPEC, None, None);
    found.what = format!(
        "effective_cache_size is {}, and shared_buffers alone are {}",
        size(Bytes(cache as i64)),
        size(Bytes(buffers as i64))
    );
    found.why = "the planner takes it for all the cache there is, and expects index scans that come back to a page to read it \
                 again: it chooses sequential scans and hash joins where an index would do"
        .to_owned();
    found.help = "set it to shared_buffers and what the system has left for its own cache, usually half to three quarters of \
                  the memory: ALTER SYSTEM SET effective_cache_size; it takes no memory"
        .to_owned();
    found.evidence = vec![
        Evidence::data("effective_cache_size", cache, "bytes"),
        Evidence::data("shared_buffers", buffers, "bytes"),
    ];
    found.confidence = Confidence::Guessed;
    vec![found].into()
}
