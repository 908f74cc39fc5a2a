//! A few random rows, found by giving every row a random number and sorting all of them.
//!
//! Refuses to call a sample equal: which rows come is chance in both, but not the same chance.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy, Rewrite};
use crate::plan::Node;
use crate::sql::condition::sort_key;
use crate::sql::rewrite::keyset::table;
use crate::sql::rewrite::sample::sampled;
use crate::words::{count, counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "order-by-random",
    summary: "a few random rows are picked by sorting all rows by a random number",
    thresholds: &[Threshold {
        name: "max-taken-share",
        default: 0.1,
        unit: "of rows sorted",
        why: "who wants a large part of the rows has to read most of the table anyway",
    }],
    page: include_str!("../../rules/order-by-random.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

/// Functions whose value has nothing to do with the row.
const RANDOM: &[&str] = &["random", "gen_random_uuid", "uuid_generate_v4"];

/// Rows that a sample should hold for each that is wanted, so that it rarely holds too few.
const SPARE: f64 = 5.0;

/// Pages that a sample should hold: each page is taken or not by chance, and with ten expected there are none once in
/// 20,000 times.
const PAGES: f64 = 10.0;

/// A sample of more than a tenth of the pages is hardly quicker than all of them.
const MOST: f64 = 10.0;

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let sorts = ctx.plan.nodes.iter().filter(|n| n.kind == "Sort");
    sorts.filter_map(|sort| shuffled(ctx, tuning, sort)).collect()
}

fn shuffled(ctx: &PlanContext, tuning: &Tuning, sort: &Node) -> Option<Finding> {
    let key = sort_key(sort.detail.sort_key.first()?).operand;
    if !key.columns.is_empty() || !key.functions.iter().any(|f| RANDOM.contains(&f.as_str())) {
        return None;
    }
    let limit = ctx.above(sort.id, &["Gather Merge", "Result", "Subquery Scan"]).filter(|n| n.kind == "Limit")?;
    let taken = ctx.facts_of(limit.id).rows_total?.0;
    let sorted = ctx.children(sort.id).next().and_then(|n| ctx.facts_of(n.id).rows_total)?.0;
    if taken > sorted * tuning.get("max-taken-share") {
        return None;
    }
    let time = ctx.subtree_time(sort.id)?;
    let mut found = finding(&SPEC, ctx, sort).recovering(ctx, time);
    found.what = format!("{} are read and sorted by {} to pick {}", counted(sorted, "row"), key.text, count(taken));
    found.why = format!("{} go into rows of which all but {} are dropped", duration(time), count(taken));
    found.help = "read a part of the table at random (TABLESAMPLE), or look up random values of a key".to_owned();
    found.evidence = vec![
        Evidence::data("rows sorted", sorted, "rows"),
        Evidence::data("rows picked", taken, "rows"),
        Evidence::timing("time to read and sort", time.0, "ms"),
    ];
    found.remedies.extend(sample(ctx, sorted, taken));
    Some(found)
}

/// The statement over a sample of its table that holds enough rows, where that is a small part.
fn sample(ctx: &PlanContext, sorted: f64, taken: f64) -> Option<Remedy> {
    let parsed = ctx.parsed?;
    let pages = ctx.catalog.relation(None, &table(parsed)?)?.pages;
    let percent = (100.0 * SPARE * taken / sorted).max(100.0 * PAGES / pages.max(1.0));
    let percent = (percent * 100.0).ceil() / 100.0;
    if percent > MOST {
        return None;
    }
    let to_check = vec![
        "a sample holds whole pages: rows that were stored together are picked together".to_owned(),
        format!("it may hold fewer than {}: ask again then, or take more than {percent} % of the pages", counted(taken, "row")),
    ];
    Some(Remedy::Rewrite(Rewrite { sql: sampled(parsed, percent)?, to_check }))
}
