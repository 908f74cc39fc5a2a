//! What can be seen of a server, as text and as JSON.
//!
//! Refuses to name a remedy twice.

use super::Style;
use super::text::{bold, paint, wrap};
use crate::report::Sight;
use anstyle::AnsiColor;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// As text: a line each, and below it what mends it.
pub fn text(sights: &[Sight], style: &Style) -> String {
    let width = sights.iter().map(|s| s.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for sight in sights {
        let mark = match sight.seen {
            true => paint(style, AnsiColor::Green, "✓"),
            false => paint(style, AnsiColor::Yellow, "✗"),
        };
        let rest = " ".repeat(width + 4);
        let line = wrap(&sight.what, style.width, &format!("{:width$}  ", sight.name), &rest);
        let _ = writeln!(out, "{mark} {line}");
        if !sight.disables.is_empty() {
            let less = format!("without it less is said by: {}", sight.disables.join(", "));
            let _ = writeln!(out, "{}", wrap(&less, style.width, &rest, &rest));
        }
        if let Some(fix) = &sight.fix {
            let _ = writeln!(out, "{rest}{}", bold(style, fix));
        }
    }
    let missing = sights.iter().filter(|s| !s.seen).count();
    let _ = match missing {
        0 => writeln!(out, "everything can be seen"),
        n => writeln!(out, "{} of {} could be better", n, sights.len()),
    };
    out
}

#[derive(Serialize, JsonSchema)]
struct Document<'a> {
    format: u32,
    checks: Vec<Check<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct Check<'a> {
    name: &'a str,
    seen: bool,
    what: &'a str,
    fix: Option<&'a str>,
    disables: &'a [&'static str],
}

/// As JSON, format 1.
pub fn json(sights: &[Sight]) -> String {
    let checks = sights.iter().map(|s| Check {
        name: s.name,
        seen: s.seen,
        what: &s.what,
        fix: s.fix.as_deref(),
        disables: &s.disables,
    });
    let document = Document { format: super::json::FORMAT, checks: checks.collect() };
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}
