//! Two plans compared, in one screen: how much faster, and what in the plan made it so.
//!
//! Refuses to fill pages: of each kind of change the largest are told and the rest is counted.

use super::Style;
use super::label::kind;
use super::names::{Names, method, order};
use super::text::{paint, shorten, wrap};
use crate::compare::{Change, Comparison, Moved, Spent, Totals, Unmeasured};
use crate::finding::Finding;
use crate::report::{Planned, Report};
use crate::units::{Blocks, Millis};
use crate::words::{count, counted, duration, size, times};
use anstyle::AnsiColor;
use std::fmt::Write as _;

/// Lines that a comparison takes at most.
const LINES: usize = 40;
/// Changes of one kind that are told where there is room.
const TOLD: usize = 6;
/// Factors nearer to 1 are what two runs of one plan differ by.
const SAME: f64 = 1.1;
/// Width of the column that names the kinds of change.
const MARGIN: usize = 12;

/// The comparison of a report that has one.
pub(super) fn diff(report: &Report, style: &Style) -> Option<String> {
    let comparison = report.comparison.as_ref()?;
    let [base, head] = &report.statements[..] else { return None };
    let (was, is) = (base.plans.first()?, head.plans.first()?);
    let path = |origin: &crate::capture::Origin| origin.path.clone().unwrap_or_else(|| "a plan".to_owned());
    let mut out = String::new();
    let _ = writeln!(out, "{}", shorten(&format!("old: {}", path(&base.origin)), style.width));
    let _ = writeln!(out, "{}", shorten(&format!("new: {}", path(&head.origin)), style.width));
    let _ = writeln!(out, "{}", summary(comparison, style));
    for line in totals(comparison).into_iter().chain(doubts(comparison, was)).chain(shape(comparison)) {
        let _ = writeln!(out, "{}", wrap(&line, style.width, "", "  "));
    }
    if style.quiet {
        return Some(out);
    }
    let mut sections = sections(comparison, was, is);
    if !comparison.unmeasured.iter().any(|why| matches!(why, Unmeasured::NotExecuted { .. })) {
        sections.extend(findings(report));
    }
    out.push('\n');
    let room = LINES.saturating_sub(out.lines().count());
    let mut text = String::new();
    for told in (1..=TOLD).rev() {
        text = sections.iter().map(|section| section.lines(told, style)).collect();
        if style.verbose || text.lines().count() <= room {
            break;
        }
    }
    match style.verbose {
        true => out.extend(sections.iter().map(|section| section.lines(usize::MAX, style))),
        false => out.push_str(&text),
    }
    Some(out)
}

/// The first thing to know: how much faster or slower.
fn summary(comparison: &Comparison, style: &Style) -> String {
    let (base, head) = (&comparison.base, &comparison.head);
    match (base.execution, head.execution) {
        (Some(before), Some(after)) => {
            let (less, more) = (before.0.min(after.0).max(0.001), before.0.max(after.0).max(0.001));
            let (word, color) = match more / less {
                factor if factor < SAME => ("about as fast".to_owned(), None),
                factor if after < before => (format!("{} faster", times(factor)), Some(AnsiColor::Green)),
                factor => (format!("{} slower", times(factor)), Some(AnsiColor::Red)),
            };
            let word = color.map_or(word.clone(), |color| paint(style, color, &word));
            format!("execution {} → {}, {word}", duration(before), duration(after))
        }
        (None, None) => "no times to compare".to_owned(),
        (before, after) => {
            let side = |time: Option<Millis>| time.map_or("not measured".to_owned(), duration);
            format!("execution {} → {}", side(before), side(after))
        }
    }
}

fn totals(comparison: &Comparison) -> Option<String> {
    let (base, head) = (&comparison.base, &comparison.head);
    let part = |label: &str, of: &dyn Fn(&Totals) -> Option<String>| match (of(base)?, of(head)?) {
        (one, other) if one == other => Some(format!("{label} {one}")),
        (one, other) => Some(format!("{label} {one} → {other}")),
    };
    let pages = |blocks: Option<Blocks>| blocks.map(|blocks| count(blocks.0 as f64));
    let some =
        |of: fn(&Totals) -> Option<Blocks>| [base, head].iter().any(|t| of(t).is_some_and(|b| b.0 > 0));
    let parts = [
        part("planning", &|t| t.planning.map(duration)),
        part("cost", &|t| t.cost.map(|cost| count(cost.0.round()))),
        part("blocks", &|t| pages(t.blocks)),
        part("of them not cached", &|t| pages(t.read)).filter(|_| some(|t| t.read)),
        part("temporary", &|t| pages(t.temp)).filter(|_| some(|t| t.temp)),
        part("rows", &|t| t.rows.map(|rows| count(rows.0))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What keeps the two from being compared like with like.
fn doubts(comparison: &Comparison, was: &Planned) -> Vec<String> {
    let side = |head: bool| if head { "the new plan" } else { "the old plan" };
    let lacks = |why: &Unmeasured| match *why {
        Unmeasured::NotExecuted { head } => {
            (head, "times, rows and blocks are", "was not executed (no ANALYZE)")
        }
        Unmeasured::NoTiming { head } => (head, "times are", "was executed without timing (TIMING OFF)"),
        Unmeasured::NoBlocks { head } => (head, "blocks are", "was executed without BUFFERS"),
    };
    let mut lines: Vec<String> = match comparison.unmeasured.iter().map(lacks).collect::<Vec<_>>()[..] {
        [(_, what, why), (_, _, same)] if why == same => vec![format!("{what} not compared: each {why}")],
        ref lacking => {
            let line = |(head, what, why): &(bool, &str, &str)| {
                format!("{what} not compared: {} {why}", side(*head))
            };
            lacking.iter().map(line).collect()
        }
    };
    let named = Names::of(was);
    let names: Vec<String> = comparison.other_data.iter().take(3).map(|&at| named.name(at.base)).collect();
    if comparison.other_values {
        lines.push(
            "other values: the conditions differ in their constants, so times do not compare like with like"
                .to_owned(),
        );
    } else if !names.is_empty() {
        lines.push(format!(
            "another number of rows came out ({}): other data, parameters or LIMIT, so times do not compare like with like",
            names.join("; ")
        ));
    }
    lines
}

fn shape(comparison: &Comparison) -> Option<String> {
    let (base, head) = (comparison.base.nodes, comparison.head.nodes);
    let nodes = |nodes: usize| counted(nodes as f64, "node");
    Some(match comparison.same_shape {
        true if comparison.changes.is_empty() => format!("same plan shape, {}: nothing changed", nodes(base)),
        true => format!("same plan shape, {}", nodes(base)),
        false if comparison.pairs.is_empty() => {
            "no node has a counterpart: these seem to be plans of different statements".to_owned()
        }
        false => {
            let matched = count(comparison.pairs.len() as f64);
            format!("{} → {}, {matched} of them matched", count(base as f64), nodes(head))
        }
    })
}

/// Changes of one kind.
struct Section {
    title: &'static str,
    items: Vec<String>,
}

impl Section {
    fn lines(&self, told: usize, style: &Style) -> String {
        let mut text = String::new();
        for (place, item) in self.items.iter().take(told).enumerate() {
            let title = if place == 0 { self.title } else { "" };
            let first = format!("{title:<MARGIN$}");
            let rest = " ".repeat(MARGIN);
            let whole = wrap(item, style.width, &first, &rest);
            let most = if style.verbose { usize::MAX } else { 2 };
            let lines: Vec<&str> = whole.lines().collect();
            for (number, line) in lines.iter().take(most).enumerate() {
                let cut = if number + 1 == most && lines.len() > most {
                    format!("{line}…")
                } else {
                    (*line).to_owned()
                };
                let _ = writeln!(text, "{}", shorten(&cut, style.width).trim_end());
            }
        }
        let more = self.items.len().saturating_sub(told);
        if more > 0 {
            let _ = writeln!(text, "{:MARGIN$}… {} more", "", count(more as f64));
        }
        text
    }
}

fn sections(comparison: &Comparison, was: &Planned, is: &Planned) -> Vec<Section> {
    let names = Names::of(was);
    let mut sections: Vec<Section> = Vec::new();
    let mut add = |title: &'static str, item: String| match sections.last_mut() {
        Some(section) if section.title == title => section.items.push(item),
        _ => sections.push(Section { title, items: vec![item] }),
    };
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    let access = super::accesses::accesses(&comparison.changes, was, is, &spent);
    access.into_iter().for_each(|item| add("access", item));
    for change in &comparison.changes {
        match change {
            Change::AccessPath { .. } => {}
            Change::JoinOrder { base, head, .. } => {
                add("join order", format!("{} → {}", order(was, base), order(is, head)));
            }
            Change::JoinMethod { at, spent } => {
                let (one, other) = (method(was, at.base), method(is, at.head));
                add("joins", format!("{}: {one} → {other}{}", names.name(at.base), self::spent(spent)));
            }
            Change::Method { at, spent } => {
                let (one, other) = (names.name(at.base), method(is, at.head));
                add("methods", format!("{one} → {other}{}", self::spent(spent)));
            }
            Change::ActualRows { at, rows } => {
                add("rows", format!("{}: {}", names.name(at.base), moved(*rows, count)))
            }
            Change::EstimatedRows { at, rows } => {
                add("estimates", format!("{}: {} rows expected", names.name(at.base), moved(*rows, count)));
            }
            Change::Time { at, ms } => {
                add("time", format!("{}: {}", names.whole(at.base), moved(*ms, |ms| duration(Millis(ms)))));
            }
            Change::Blocks { at, blocks } => {
                add("blocks", format!("{}: {}", names.whole(at.base), moved(*blocks, count)));
            }
            Change::Temp { at, blocks } => {
                let bytes = |blocks: f64| size(Blocks(blocks as i64).bytes());
                add("temp files", format!("{}: {}", names.whole(at.base), moved(*blocks, bytes)));
            }
            Change::Workers { at, workers } => {
                add("workers", format!("{}: {} launched", names.whole(at.base), moved(*workers, count)));
            }
            Change::Condition { at, name, base, head, values_only } => {
                let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
                let only = if *values_only { " (other constants)" } else { "" };
                let text = format!("{}, {name}: {} → {}{only}", names.whole(at.base), side(base), side(head));
                add("conditions", text);
            }
            Change::Setting { name, base, head } => {
                let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "not listed".to_owned());
                add("settings", format!("{name}: {} → {}", side(base), side(head)));
            }
            Change::Gone { base } => gone.push(*base),
            Change::New { head } => new.push(*head),
        }
    }
    let before =
        sections.iter().position(|s| matches!(s.title, "conditions" | "settings")).unwrap_or(sections.len());
    for (title, planned, ids) in [("new", is, new), ("gone", was, gone)] {
        if !ids.is_empty() {
            sections.insert(before, Section { title, items: vec![alone(planned, &ids)] });
        }
    }
    sections
}

/// Nodes without a counterpart, those of one kind together, the most time first.
fn alone(planned: &Planned, ids: &[usize]) -> String {
    let names = Names::of(planned);
    let mut kinds: Vec<(String, Vec<usize>)> = Vec::new();
    for &id in ids {
        let kind = planned.plan.nodes.get(id).map_or(String::new(), kind);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, list)) => list.push(id),
            None => kinds.push((kind, vec![id])),
        }
    }
    let text = |(kind, ids): &(String, Vec<usize>)| {
        let facts = ids.iter().filter_map(|&id| planned.facts.nodes.get(id));
        let time = facts.filter_map(|facts| facts.self_time).reduce(|a, b| a + b);
        let time = time.map_or(String::new(), |time| format!(" ({})", duration(Millis(time.0.max(0.0)))));
        match ids[..] {
            [only] => format!("{}{time}", names.whole(only)),
            _ => format!("{} × {kind}{time}", count(ids.len() as f64)),
        }
    };
    kinds.iter().map(text).collect::<Vec<_>>().join("; ")
}

fn spent(spent: &Spent) -> String {
    let some = |moved: &Moved| moved.base.max(moved.head) > 0.0;
    let ms = spent.ms.filter(some).map(|ms| moved(ms, |ms| duration(Millis(ms))));
    let blocks = spent.blocks.filter(some).map(|blocks| match blocks.base == blocks.head {
        true => counted(blocks.base, "block"),
        false => format!("{} blocks", moved(blocks, count)),
    });
    [ms, blocks].into_iter().flatten().map(|part| format!(", {part}")).collect()
}

fn moved(moved: Moved, format: impl Fn(f64) -> String) -> String {
    format!("{} → {}", format(moved.base), format(moved.head))
}

/// What the rules say of one plan and not of the other.
fn findings(report: &Report) -> Vec<Section> {
    let of = |statement: usize| {
        report.findings.iter().filter(move |finding| finding.at.statement == Some(statement))
    };
    let same = |one: &Finding, other: &Finding| one.rule == other.rule && one.relation == other.relation;
    let text = |finding: &Finding| {
        let on = finding.relation.as_ref().map_or(String::new(), |relation| format!(" on {relation}"));
        let saves =
            finding.saves.map_or(String::new(), |time| format!(", up to {} to recover", duration(time)));
        format!("{}{on}{saves}", finding.rule)
    };
    let only = |here: usize, there: usize, title: &'static str| {
        let others: Vec<&Finding> = of(there).take(1_000).collect();
        let items: Vec<String> =
            of(here).take(1_000).filter(|f| !others.iter().any(|other| same(f, other))).map(text).collect();
        (!items.is_empty()).then_some(Section { title, items })
    };
    [only(0, 1, "cured"), only(1, 0, "found")].into_iter().flatten().collect()
}
