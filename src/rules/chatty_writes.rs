//! Rows written one by one in a loop, a round trip each.
//!
//! Refuses to take one write per transaction for a loop: many clients that write a row each are no trouble.

use super::workload::{call_share, finding, of_the_server};
use super::{Check, Spec, Threshold, Tuning};
use crate::context::WorkloadContext;
use crate::finding::{Evidence, Finding, Remedy, Rewrite};
use crate::sql::Parsed;
use crate::sql::shape::{Shape, of_rows};
use crate::units::Millis;
use crate::words::{counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "chatty-writes",
    summary: "rows are written one by one in a loop, a round trip each",
    thresholds: &[
        Threshold {
            name: "min-calls",
            default: 1_000.0,
            unit: "calls",
            why: "a thousand round trips are about a second where the server is a millisecond away",
        },
        Threshold {
            name: "min-per-transaction",
            default: 5.0,
            unit: "calls per transaction",
            why: "five of one kind in each transaction are a loop, one is how applications write",
        },
        Threshold {
            name: "min-share",
            default: 0.5,
            unit: "of calls",
            why: "where no transactions were counted: half of all calls are a load, not an application",
        },
    ],
    page: include_str!("../../rules/chatty-writes.md"),
    of_estimates: false,
    check: Check::Workload(check),
};

/// Rows in the statement that is shown.
const ROWS: usize = 3;

fn check(ctx: &WorkloadContext, tuning: &Tuning) -> Vec<Finding> {
    let commits: f64 = ctx
        .ranking
        .statements
        .iter()
        .filter(|s| s.text.as_deref().is_some_and(ends_transaction))
        .map(|s| s.counters.calls)
        .sum();
    let shapes = ctx.shapes.iter().enumerate();
    let found = shapes.filter_map(|(at, shape)| {
        let (table, verb) = match shape.as_ref()? {
            Shape::InsertRow(table) => (table, "inserted"),
            Shape::Change { table, delete: true, .. } => (table, "deleted"),
            Shape::Change { table, .. } => (table, "updated"),
            Shape::Read(_) => return None,
        };
        let statement = &ctx.ranking.statements[at];
        let (calls, rows) = (statement.counters.calls, statement.counters.rows);
        let looped = match commits > 0.0 {
            true => calls / commits >= tuning.get("min-per-transaction"),
            false => call_share(ctx, at) >= tuning.get("min-share"),
        };
        if !looped
            || calls < tuning.get("min-calls")
            || rows > calls
            || of_the_server(table.schema.as_deref(), &table.name)
        {
            return None;
        }
        // Whether the calls stand in those transactions nobody can say: told, and not shouted.
        let share = if commits > 0.0 { 0.0 } else { call_share(ctx, at) };
        let mut found = finding(&SPEC, at, share);
        found.relation = Some(table.written());
        found.what = format!(
            "candidate: rows of {} are {verb} one by one: {}{}",
            table.written(),
            counted(calls, "call"),
            match commits > 0.0 {
                true => format!(" beside {}", counted(commits, "COMMIT")),
                false => String::new(),
            }
        );
        found.why = format!(
            "each is a round trip, for {} on the server: the way there and back takes longer",
            duration(Millis(statement.counters.total_ms / calls.max(1.0)))
        );
        found.help = match verb {
            "inserted" => "put many rows into one INSERT, or use COPY",
            _ => "change many rows by one statement: key = ANY($1), or FROM unnest($1, $2)",
        }
        .to_owned();
        found.evidence = vec![
            Evidence::data("calls", calls, "calls"),
            Evidence::data("rows", rows, "rows"),
            Evidence::data("transactions", commits, "transactions"),
        ];
        let rewritten = statement.text.as_deref().and_then(Parsed::read).and_then(|p| of_rows(&p, ROWS));
        found.remedies = rewritten
            .map(|sql| {
                let rows = format!("{ROWS} rows stand for as many as there are at hand, up to 65,535 values");
                // A row may not be changed twice by one statement.
                let keys = sql.contains("DO UPDATE").then(|| "no two rows have the same key".to_owned());
                Remedy::Rewrite(Rewrite { sql, to_check: [rows].into_iter().chain(keys).collect() })
            })
            .into_iter()
            .collect();
        Some(found)
    });
    found.collect()
}

fn ends_transaction(text: &str) -> bool {
    let word = text.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    ["commit", "end"].iter().any(|end| word.eq_ignore_ascii_case(end))
}
