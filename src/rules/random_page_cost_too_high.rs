//! Costs of a spinning disk on a server whose reads are quick.
//!
//! Refuses to tell a disk by its settings: only how long reads took shows what it is.

use super::database::{Looked, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::CatalogContext;
use crate::finding::{Confidence, Evidence};
use crate::units::Millis;
use crate::words::{count, counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "random-page-cost-too-high",
    summary: "the planner takes random reads for slow ones, and they are quick",
    thresholds: &[
        Threshold {
            name: "ratio",
            default: 3.0,
            unit: "times",
            why: "random_page_cost over seq_page_cost: 4 is the default, made for disks that spin; 1.1 to 2 is what others take",
        },
        Threshold {
            name: "quick-ms",
            default: 1.0,
            unit: "ms",
            why: "a disk that spins needs several to find a block; less is flash, or the system's cache",
        },
        Threshold {
            name: "min-reads",
            default: 100_000.0,
            unit: "reads",
            why: "an average over fewer may be that of one scan",
        },
    ],
    page: include_str!("../../rules/random-page-cost-too-high.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let moment = ctx.moment();
    let (Some(random), Some(sequential)) = (moment.number("random_page_cost"), moment.number("seq_page_cost")) else {
        return Looked::blind("random_page_cost and seq_page_cost, which the server did not tell");
    };
    if random < tuning.get("ratio") * sequential {
        return Looked::default();
    }
    if ctx.major < 16 {
        return Looked::blind("PostgreSQL 16 or later: before, nobody counts how long reads of single blocks take");
    }
    let Some(reads) = moment.reads else {
        return Looked::blind("pg_stat_io, which could not be read");
    };
    if !moment.is("track_io_timing", "on") {
        return Looked::blind("track_io_timing = on: without it nobody knows how long a read takes here");
    }
    if reads.count < tuning.get("min-reads") {
        return Looked::blind(format!(
            "{} of single blocks: so far there were {}",
            counted(tuning.get("min-reads"), "read"),
            count(reads.count)
        ));
    }
    let each = reads.ms / reads.count;
    // Switched on a moment ago: what was read before counts without its time.
    if reads.ms <= 0.0 || each >= tuning.get("quick-ms") {
        return Looked::default();
    }
    let mut found = finding(&SPEC, None, None);
    found.what = format!(
        "random_page_cost is {} and seq_page_cost {}, while a read of a single block took {} on average",
        count(random),
        count(sequential),
        duration(Millis(each))
    );
    found.why = "the planner takes a read out of order for that much dearer, and leaves indexes unused; so quick a read comes \
                 from flash or from the system's cache, which of them pgproof cannot see"
        .to_owned();
    found.help = "try it with the statements that matter, SET random_page_cost = 1.1 in one session, then ALTER SYSTEM SET \
                  random_page_cost = 1.1"
        .to_owned();
    found.evidence = vec![
        Evidence::data("random_page_cost", random, "cost"),
        Evidence::data("seq_page_cost", sequential, "cost"),
        Evidence::data("reads", reads.count, "reads"),
        Evidence::timing("a read takes", each, "ms"),
    ];
    found.confidence = Confidence::Guessed;
    vec![found].into()
}
