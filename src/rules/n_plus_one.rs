//! A query that is asked once for each row that another one returned.
//!
//! Refuses to be sure: counters show that the numbers agree, not who called whom. So it is a candidate, with both
//! numbers.

use super::workload::{call_share, finding, of_the_server, time_share};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::WorkloadContext;
use crate::finding::{Evidence, Finding, Remedy, Rewrite, Stability};
use crate::sql::Parsed;
use crate::sql::shape::{Named, Read, Shape, for_many};
use crate::words::{brief, count, counted};

pub(super) const SPEC: Spec = Spec {
    name: "n-plus-one",
    summary: "a query is asked once for each row that another one returned",
    thresholds: &[
        Threshold {
            name: "min-calls",
            default: 50.0,
            unit: "calls",
            why: "fewer round trips are not felt, and small numbers agree by chance",
        },
        Threshold {
            name: "max-rows",
            default: 100.0,
            unit: "rows per call",
            why: "who fetches more at once is paging, or exporting",
        },
        Threshold {
            name: "max-difference",
            default: 0.02,
            unit: "of the rows",
            why: "keys that are NULL or cached are not asked for; beyond a fiftieth it is another number",
        },
    ],
    page: include_str!("../../rules/n-plus-one.md"),
    of_estimates: false,
    check: Check::Workload(check),
};

/// Characters of the other statement that are shown.
const WIDTH: usize = 90;

/// A table that is asked by a key, and why its calls may follow another's rows.
struct Link<'a> {
    key: &'a str,
    data_type: &'a str,
    /// Schema and name of the table that the rows come from.
    from: (&'a str, &'a str),
}

fn check(ctx: &WorkloadContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for (at, shape) in ctx.shapes.iter().enumerate() {
        let Some(Shape::Read(read)) = shape else { continue };
        let counters = &ctx.ranking.statements[at].counters;
        let rows = counters.rows / counters.calls.max(1.0);
        let asked = read.single && !read.locks && !read.keys.is_empty();
        if !asked || counters.calls < tuning.get("min-calls") || rows > tuning.get("max-rows") {
            continue;
        }
        found.extend(links(ctx, read).iter().find_map(|link| follows(ctx, tuning, at, read, link)));
    }
    found
}

/// The foreign keys between the table that is asked by a key and others.
fn links<'a>(ctx: &WorkloadContext<'a>, read: &'a Read) -> Vec<Link<'a>> {
    let Some(table) = read.tables.first() else { return Vec::new() };
    if of_the_server(table.schema.as_deref(), &table.name) {
        return Vec::new();
    }
    let foreign = &ctx.observed.keys.foreign;
    let mut links = Vec::new();
    for key in &read.keys {
        // The rows that belong to each: their key refers to the other table.
        let belonging = foreign.iter().filter(|f| table.means(&f.schema, &f.table) && f.column == *key);
        links.extend(belonging.map(|f| Link {
            key,
            data_type: &f.data_type,
            from: (&f.to_schema, &f.to_table),
        }));
        // The one row that each refers to.
        let referred = foreign.iter().filter(|f| table.means(&f.to_schema, &f.to_table) && f.to_column == *key);
        links.extend(referred.map(|f| Link { key, data_type: &f.data_type, from: (&f.schema, &f.table) }));
    }
    links
}

fn follows(
    ctx: &WorkloadContext,
    tuning: &Tuning,
    at: usize,
    read: &Read,
    link: &Link,
) -> Option<Finding> {
    let statement = &ctx.ranking.statements[at];
    let calls = statement.counters.calls;
    let difference = |rows: f64| (rows - calls).abs() / rows.max(1.0);
    let returns = |(other, shape): (usize, &Option<Shape>)| -> Option<(usize, f64)> {
        let Some(Shape::Read(parent)) = shape else { return None };
        let counters = &ctx.ranking.statements[other].counters;
        let several = counters.rows > counters.calls * 1.5;
        let reads = parent.tables.iter().any(|t| t.means(link.from.0, link.from.1));
        (other != at && several && reads && difference(counters.rows) <= tuning.get("max-difference"))
            .then_some((other, counters.rows))
    };
    let mut parents: Vec<(usize, f64)> = ctx.shapes.iter().enumerate().filter_map(returns).collect();
    parents.sort_by(|a, b| difference(a.1).total_cmp(&difference(b.1)));
    let &(parent, rows) = parents.first()?;
    let asked = &ctx.ranking.statements[parent].counters;
    let saved = calls - asked.calls;
    let mut found = finding(&SPEC, at, call_share(ctx, at).max(time_share(ctx, at)));
    let table = read.tables.first().map(Named::written).unwrap_or_default();
    found.what = format!(
        "candidate: {table} is asked by {} {}, and {} returned by: {}",
        link.key,
        counted(calls, "time"),
        match rows == 1.0 {
            true => "1 row was".to_owned(),
            false => format!("{} were", counted(rows, "row")),
        },
        ctx.ranking.statements[parent].text.as_deref().map(|text| brief(text, WIDTH)).unwrap_or_default()
    );
    found.relation = Some(table);
    found.why = format!(
        "a foreign key joins it with {}: {} for each of {} there are round trips, of which {} can go",
        crate::sql::ident::qualified(link.from.0, link.from.1),
        counted(calls / asked.calls.max(1.0), "call"),
        counted(asked.calls, "call"),
        count(saved)
    );
    let known = &ctx.observed.keys.unique;
    let unique = read.tables.first().is_some_and(|table| {
        known.iter().any(|k| table.means(&k.schema, &k.table) && k.column == link.key)
    });
    found.help = match (read.aggregated, read.limited) {
        (true, _) => "ask once for all keys, grouped by key",
        (_, true) if !unique => "ask once for the first rows of every key, by LATERAL",
        _ => "ask once for all keys, or join the two; ORMs call it eager loading",
    }
    .to_owned();
    found.evidence = vec![
        Evidence::data("calls", calls, "calls"),
        Evidence::data("rows of the other statement", rows, "rows"),
        Evidence::data("calls of the other statement", asked.calls, "calls"),
        Evidence::data("round trips saved", saved, "round trips"),
    ];
    let others = parents.iter().filter_map(|(other, _)| {
        let text = ctx.ranking.statements[*other].text.as_deref()?;
        Some(Evidence { stability: Stability::Data, ..Evidence::text("the other statement", text) })
    });
    found.evidence.extend(others.take(3));
    let parsed = statement.text.as_deref().and_then(Parsed::read);
    let rewritten = parsed.and_then(|parsed| for_many(&parsed, link.key, link.data_type, unique));
    found.remedies = rewritten
        .map(|(sql, parameter)| {
            let array = format!("{parameter} is an array of {} values now: the keys of all rows", link.data_type);
            let empty = read.aggregated.then(|| "a key without rows has no row in the answer".to_owned());
            Remedy::Rewrite(Rewrite { sql, to_check: [array].into_iter().chain(empty).collect() })
        })
        .into_iter()
        .collect();
    Some(found)
}
