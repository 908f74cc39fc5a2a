//! A Memoize that throws away what it will be asked for again, or is never asked twice.
//!
//! Refuses to blame memory where a cache was emptied because an outer parameter changed: no size helps there.

use super::memory::{input, propose};
use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::{Memoize, Node};
use crate::sql::condition::{Condition, condition};
use crate::units::{Bytes, Millis};
use crate::words::{count, counted, duration, percent, size};
use std::collections::HashMap;

pub(super) const SPEC: Spec = Spec {
    name: "memoize-thrashes",
    summary: "a Memoize evicts what it needs again for lack of work_mem, or its keys do not repeat",
    thresholds: &[
        Threshold {
            name: "max-hit-ratio",
            default: 0.1,
            unit: "of lookups",
            why: "looking up and keeping a row costs about as much as a probe of a cached index, which a hit saves",
        },
        Threshold {
            name: "miss-time",
            default: 0.0005,
            unit: "ms per miss",
            why: "a nested loop took 0.7 to 1 µs longer per miss; the node's own times are too coarse to tell",
        },
        Threshold {
            name: "max-work-mem",
            default: 1024.0,
            unit: "MB",
            why: "beyond this a single statement can exhaust a server: a hash join needs the table once",
        },
    ],
    page: include_str!("../../rules/memoize-thrashes.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let caches: Vec<Cache> = ctx.plan.nodes.iter().filter_map(|node| cache(ctx, node)).collect();
    if caches.is_empty() {
        return Vec::new();
    }
    let named = |n: &'_ Node| n.detail.relation.is_some();
    let scans: HashMap<&str, &Node> =
        ctx.plan.nodes.iter().filter(|n| named(n)).filter_map(|n| Some((ctx.outer_alias(n)?, n))).collect();
    let least = tuning.get("max-hit-ratio");
    let known: Vec<(&Cache, Option<f64>)> = caches.iter().map(|c| (c, distinct(ctx, &scans, c))).collect();
    let idle_all = known.iter().all(|(cache, distinct)| cache.idle(*distinct, least));
    let one = |&(cache, distinct): &(&Cache, Option<f64>)| match cache.evicted_in_vain(distinct, least) {
        lost if lost > 0.0 => thrashes(ctx, tuning, cache, lost, distinct),
        _ if cache.idle(distinct, least) => idle(ctx, tuning, cache, idle_all),
        _ => None,
    };
    known.iter().filter_map(one).collect()
}

/// The counters of a Memoize, summed over processes: each has a cache of its own.
struct Cache<'a> {
    node: &'a Node,
    hits: f64,
    misses: f64,
    evictions: f64,
    overflows: f64,
    /// Entries that the fullest of the caches held at its end, and their memory.
    held: f64,
    memory: f64,
}

fn cache<'a>(ctx: &PlanContext, node: &'a Node) -> Option<Cache<'a>> {
    let all: Vec<&Memoize> =
        node.detail.memoize.as_deref().into_iter().chain(node.workers.iter().filter_map(|w| w.memoize.as_ref())).collect();
    let sum = |of: fn(&Memoize) -> Option<f64>| all.iter().filter_map(|m| of(m)).sum::<f64>();
    let fullest = all.iter().max_by(|a, b| a.misses.unwrap_or(0.0).total_cmp(&b.misses.unwrap_or(0.0)))?;
    let memory = fullest.peak_memory?.0 as f64;
    // Less than half full: what was evicted went when a parameter changed.
    let full = allowed(ctx).is_none_or(|allowed| memory * 2.0 > allowed);
    let evicted = fullest.evictions? + fullest.overflows?;
    Some(Cache {
        node,
        hits: sum(|m| m.hits),
        misses: sum(|m| m.misses),
        evictions: if full { sum(|m| m.evictions) } else { 0.0 },
        overflows: sum(|m| m.overflows),
        held: (fullest.misses? - evicted).max(1.0),
        memory,
    })
}

impl Cache<'_> {
    fn hit_ratio(&self) -> f64 {
        self.hits / (self.hits + self.misses).max(1.0)
    }

    /// Misses that a larger cache would have answered: all but the first of each key, as far as entries went for
    /// lack of room. Where nobody knows how many keys there are and none comes back, none may come twice.
    fn evicted_in_vain(&self, distinct: Option<f64>, least: f64) -> f64 {
        let first = match distinct {
            Some(distinct) => distinct,
            None if self.hit_ratio() < least => self.misses,
            None => self.held,
        };
        (self.misses - first).min(self.evictions)
    }

    /// Nothing to gain by size, and nothing gained.
    fn idle(&self, distinct: Option<f64>, least: f64) -> bool {
        self.hit_ratio() < least && self.evicted_in_vain(distinct, least) <= 0.0
    }

    /// Keys that have to fit. Where statistics do not tell: of keys that come at random as large a share is in the
    /// cache as of lookups hit.
    fn keys(&self, distinct: Option<f64>) -> f64 {
        distinct.unwrap_or(self.held / self.hit_ratio().max(f64::EPSILON)).min(self.misses)
    }
}

fn allowed(ctx: &PlanContext) -> Option<f64> {
    Some(super::memory::work_mem(ctx)?.0 as f64 * multiplier(ctx))
}

fn multiplier(ctx: &PlanContext) -> f64 {
    ctx.server.and_then(|s| s.number("hash_mem_multiplier")).unwrap_or(1.0)
}

/// Distinct values of the cache's keys, by the statistics of their columns. Statistics that know fewer than were
/// in the cache at once are wrong.
fn distinct(ctx: &PlanContext, scans: &HashMap<&str, &Node>, cache: &Cache) -> Option<f64> {
    let mut product = 1.0;
    for key in cache.node.detail.cache_key.as_deref()?.split(", ") {
        let Condition::Test(test) = condition(key) else { return None };
        let column = test.left.column()?;
        let relation = ctx.relation(scans.get(column.qualifier.as_deref()?)?)?;
        let statistics = relation.column(&column.name)?.statistics.as_ref()?;
        product *= statistics.distinct(relation.rows?);
    }
    Some(product.min(cache.misses)).filter(|&distinct| distinct > cache.held)
}

/// More memory would answer again what was evicted.
fn thrashes(ctx: &PlanContext, tuning: &Tuning, cache: &Cache, lost: f64, distinct: Option<f64>) -> Option<Finding> {
    let below = input(ctx, cache.node)?;
    let saves = ctx.subtree_time(below.id)? * (lost / cache.misses);
    let mut found = finding(&SPEC, ctx, cache.node).recovering(ctx, saves);
    let key = cache.node.detail.cache_key.as_deref().unwrap_or("its key");
    found.what = format!(
        "Memoize on {key} evicts {} in {}, and {} hit{}",
        counted(cache.evictions, "key"),
        counted(cache.hits + cache.misses, "lookup"),
        percent(cache.hit_ratio()),
        allowed(ctx).map_or(String::new(), |a| format!("; work_mem × hash_mem_multiplier allows {}", size(Bytes(a as i64))))
    );
    found.why = format!("{} go into finding again what was in the cache before", duration(saves));
    let needed = cache.memory / cache.held * cache.keys(distinct) / multiplier(ctx);
    let work_mem = Bytes((needed * 1.1) as i64);
    if cache.overflows > 0.0 {
        found.help = format!(
            "the rows of one key alone did not fit {} times: join fewer or narrower rows, or raise work_mem",
            count(cache.overflows)
        );
    } else {
        propose(&mut found, tuning, work_mem, "keeps every key", "a hash join may do with less");
    }
    found.evidence = evidence(cache);
    Some(found)
}

/// No key comes twice: the cache is work for nothing.
fn idle(ctx: &PlanContext, tuning: &Tuning, cache: &Cache, all: bool) -> Option<Finding> {
    let time = ctx.subtree_time(cache.node.id)?;
    let lost = Millis(cache.misses * tuning.get("miss-time"));
    let saves = if lost > time { time } else { lost };
    let mut found = finding(&SPEC, ctx, cache.node).recovering(ctx, saves);
    let key = cache.node.detail.cache_key.as_deref().unwrap_or("its key");
    found.what = format!(
        "Memoize on {key} answers {} of {} from its cache: the keys hardly repeat",
        count(cache.hits),
        counted(cache.hits + cache.misses, "lookup")
    );
    found.why = format!("about {} go into looking for keys that are not there, and keeping rows that nobody asks for", duration(saves));
    if all {
        found.help = "enable_memoize = off for this statement saves the cache's work; the planner expected keys to repeat, so look at its estimate too".to_owned();
        let remark = "it switches off every Memoize of the statement; none of this plan's hits";
        found.remedies = vec![Remedy::Setting { name: "enable_memoize", value: "off".to_owned(), remark }];
    } else {
        found.help = "the planner expected keys to repeat: better statistics of the outer side make it drop this cache; enable_memoize = off would drop useful ones too".to_owned();
    }
    found.evidence = evidence(cache);
    Some(found)
}

fn evidence(cache: &Cache) -> Vec<Evidence> {
    vec![
        Evidence::data("hits", cache.hits, "lookups"),
        Evidence::data("misses", cache.misses, "lookups"),
        Evidence::data("evictions", cache.evictions, "entries"),
        Evidence::data("overflows", cache.overflows, "entries"),
        Evidence::data("memory", cache.memory, "bytes"),
    ]
}
