//! A `work_mem` that, used by many connections at once, is more than the machine has.
//!
//! Refuses to guess the machine's memory: it is taken from the settings that describe it, where somebody set them.

use super::database::{Looked, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::Moment;
use crate::context::CatalogContext;
use crate::finding::{Confidence, Evidence};
use crate::units::Bytes;
use crate::words::{count, counted, size};

pub(super) const SPEC: Spec = Spec {
    name: "work-mem-exceeds-memory",
    summary: "work_mem allows connections to take more memory together than there is",
    thresholds: &[Threshold {
        name: "overcommitted",
        default: 8.0,
        unit: "times",
        why: "the memory: one large hash in every eighth connection then takes all of it",
    }],
    page: include_str!("../../rules/work-mem-exceeds-memory.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

/// What 13 and 14 take for a hash table, in work_mem; later ones take two.
const HASH_13: f64 = 1.0;

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let moment = ctx.moment();
    match moment.settings.get("work_mem").map(|s| s.source.as_str()) {
        // The default is small enough for every machine that runs a server.
        Some("default") => return Looked::default(),
        Some("user" | "database user") => {
            return Looked::blind("a role without a work_mem of its own: this role's is not the server's");
        }
        _ => {}
    }
    let (Some(each), Some(connections)) = (moment.bytes("work_mem"), moment.number("max_connections")) else {
        return Looked::blind("work_mem and max_connections, which the server did not tell");
    };
    let Some((memory, by)) = memory(moment) else {
        return Looked::blind(
            "effective_cache_size or shared_buffers set for this machine: nothing else tells how much memory it has",
        );
    };
    let hash = moment.number("hash_mem_multiplier").unwrap_or(HASH_13);
    let all = each * hash * connections;
    if all < memory * tuning.get("overcommitted") {
        return Looked::default();
    }
    let mut found = finding(&SPEC, None, None);
    found.what = format!(
        "with work_mem {}, {} could take {} together, and {by} speaks of a machine with {}",
        size(Bytes(each as i64)),
        counted(connections, "connection"),
        size(Bytes(all as i64)),
        size(Bytes(memory as i64))
    );
    found.why = format!(
        "each hash in a plan may take {} (work_mem × hash_mem_multiplier {}), each sort a work_mem, and parallel workers take \
         their own: when memory ends, the system kills the server and all connections with it",
        size(Bytes((each * hash) as i64)),
        count(hash)
    );
    found.help = "set work_mem for the roles or statements that need it (ALTER ROLE … SET work_mem, SET LOCAL), and a smaller \
                  one for all; or put a pooler in front and lower max_connections"
        .to_owned();
    found.evidence = vec![
        Evidence::data("work_mem", each, "bytes"),
        Evidence::data("hash_mem_multiplier", hash, "times"),
        Evidence::data("max_connections", connections, "connections"),
        Evidence::data("memory, as far as told", memory, "bytes"),
    ];
    // How many connections work at once, and how much memory there is, nobody measured.
    found.confidence = Confidence::Guessed;
    vec![found].into()
}

/// How much memory the machine has, by what somebody set for it, and by which setting. People give shared_buffers a
/// quarter of it.
fn memory(moment: &Moment) -> Option<(f64, &'static str)> {
    /// Of the memory, as the manual suggests.
    const SHARE: f64 = 4.0;
    /// What `initdb` writes where it can have it: nobody chose that.
    const BUFFERS: f64 = 128.0 * 1024.0 * 1024.0;
    let cache = moment.bytes("effective_cache_size").filter(|_| moment.set("effective_cache_size"));
    let buffers = moment.bytes("shared_buffers").filter(|bytes| *bytes > BUFFERS);
    let cache = cache.map(|bytes| (bytes, "effective_cache_size"));
    let buffers = buffers.map(|bytes| (bytes * SHARE, "shared_buffers"));
    [cache, buffers].into_iter().flatten().max_by(|a, b| a.0.total_cmp(&b.0))
}
