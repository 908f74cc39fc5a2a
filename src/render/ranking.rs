//! The statements of pg_stat_statements as a table, and what of the window could not be seen.
//!
//! Refuses to show a column that says the same for all.

use super::Style;
use super::text::{bold, wrap};
use crate::report::{Report, Workload};
use crate::units::{Bytes, Millis};
use crate::words::{brief, count, counted, duration, percent, size};
use crate::workload::{By, Ranked};
use std::fmt::Write as _;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Padding, Style as TableStyle};

/// A column: its head, what it shows of a statement.
type Column = (&'static str, fn(&Workload, &Ranked) -> Option<String>);

/// Appends the table and what stands around it.
pub(super) fn ranking(out: &mut String, report: &Report, workload: &Workload, style: &Style) {
    let _ = writeln!(out, "{}", bold(style, &head(workload)));
    for line in notes(workload) {
        let _ = writeln!(out, "{}", wrap(&line, style.width, "", "  "));
    }
    out.push('\n');
    let told = &report.statements[..workload.ranked];
    if told.is_empty() {
        return;
    }
    let columns = columns(workload);
    let mut table = Builder::default();
    table.push_record(std::iter::once("").chain(columns.iter().map(|(head, _)| *head)));
    for (number, statement) in told.iter().enumerate() {
        let Some(counted) = &statement.counted else { continue };
        let cells = columns.iter().map(|(_, of)| of(workload, counted).unwrap_or_else(|| "-".to_owned()));
        table.push_record(std::iter::once((number + 1).to_string()).chain(cells));
    }
    let mut table = table.build();
    table
        .with(TableStyle::blank())
        .with(Padding::new(0, 2, 0, 0))
        .with(Modify::new(Columns::new(..)).with(Alignment::right()));
    let table = table.to_string();
    let mut texts = told.iter().map(|s| s.text.as_str());
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let text = match at {
            0 => String::new(),
            _ => texts.next().unwrap_or_default().to_owned(),
        };
        let width = table.lines().next().map_or(0, |line| line.chars().count());
        let room = style.width.saturating_sub(width);
        let text = if text.is_empty() && at > 0 { "(text unknown)".to_owned() } else { text };
        match room >= 30 {
            true => {
                let _ = writeln!(out, "{line:width$}{}", brief(&text, room));
            }
            false => {
                let _ = writeln!(out, "{line}");
                if at > 0 {
                    let _ = writeln!(out, "     {}", brief(&text, style.width.saturating_sub(5)));
                }
            }
        }
    }
    out.push('\n');
}

fn head(workload: &Workload) -> String {
    let window = match workload.seconds {
        Some(seconds) => format!(" in {}", duration(Millis(seconds * 1000.0))),
        None => String::new(),
    };
    let since = if workload.lifetime { ", all that was counted since the last reset" } else { "" };
    format!(
        "{} with {} took {}{window}{since}",
        counted(workload.statements as f64, "statement"),
        counted(workload.all.calls, "call"),
        duration(Millis(workload.all.total_ms)),
    )
}

fn notes(workload: &Workload) -> Vec<String> {
    let mut notes = Vec::new();
    if workload.reset {
        notes.push("the counters were reset within this window: it starts there".to_owned());
    }
    if workload.restarted {
        notes.push(
            "the server was started anew within this window: after a crash counters start from zero"
                .to_owned(),
        );
    }
    if let Some(evictions) = workload.evictions.filter(|n| *n > 0) {
        notes.push(format!(
            "statements were thrown out {} for want of room, and what they counted is lost: more than \
             pg_stat_statements.max are in use",
            counted(evictions as f64, "time")
        ));
    }
    if workload.nested.entries > 0 {
        notes.push(format!(
            "{} inside functions ({}) are left out: their time is in their callers'",
            counted(workload.nested.entries as f64, "statement"),
            duration(Millis(workload.nested.total_ms))
        ));
    }
    if workload.hidden.entries > 0 {
        // Without their identifiers there is nothing to subtract from them.
        let time = match workload.lifetime {
            true => format!(" ({})", duration(Millis(workload.hidden.total_ms))),
            false => String::new(),
        };
        notes.push(format!(
            "{}{time} left out: this role may not see the texts",
            match workload.hidden.entries {
                1 => "1 statement is".to_owned(),
                n => format!("{n} statements are"),
            }
        ));
    }
    notes
}

fn columns(workload: &Workload) -> Vec<Column> {
    let mut columns: Vec<Column> = vec![
        ("share", |w, s| Some(percent(s.counters.total_ms / w.all.total_ms.max(f64::MIN_POSITIVE)))),
        ("total", |_, s| Some(duration(Millis(s.counters.total_ms)))),
        ("calls", |_, s| Some(count(s.counters.calls))),
        ("mean", |_, s| s.counters.mean_ms().map(|ms| duration(Millis(ms)))),
    ];
    if !workload.lifetime {
        columns.push(("before", |_, s| {
            // What began anew within the window was there before, and nobody knows how long it took.
            let unknown = if s.partial { "?" } else { "new" };
            Some(s.earlier_mean_ms().map_or(unknown.to_owned(), |ms| duration(Millis(ms))))
        }));
    }
    columns.push(("rows/call", |_, s| Some(count(s.counters.rows / s.counters.calls.max(1.0)))));
    match workload.by {
        By::Total | By::Calls | By::Mean => {}
        By::Io => columns.push(("I/O", |_, s| {
            let waited = s.counters.read_ms + s.counters.write_ms;
            let blocks = s.counters.read + s.counters.written;
            Some(if waited > 0.0 { duration(Millis(waited)) } else { format!("{} blocks", count(blocks)) })
        })),
        By::Temp => columns.push(("temp", |_, s| {
            Some(size(Bytes(((s.counters.temp_read + s.counters.temp_written) * 8192.0) as i64)))
        })),
        By::Wal => columns.push(("WAL", |_, s| s.counters.wal_bytes.map(|b| size(Bytes(b as i64))))),
        By::Planning => {
            columns.push(("planning", |_, s| s.counters.planning_ms.map(|ms| duration(Millis(ms)))));
        }
        By::Variation => columns.push(("deviation", |_, s| Some(duration(Millis(s.deviation_ms))))),
    }
    columns
}
