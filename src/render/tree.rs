//! The plan as a tree of lines: where the time went, rows seen against rows expected, the guilty node marked.
//!
//! Refuses to wrap: a line that does not fit is cut with an ellipsis. Colour only repeats what characters say.

use super::Style;
use super::columns::{Columns, Numbers, WIDE};
use super::fold::{self, Placed, Row};
use super::label::{conditions, kind, label};
use super::text::shorten;
use crate::plan::{Node, Plan, SortSpace, Trigger};
use crate::report::Planned;
use crate::units::{Bytes, Millis};
use crate::words::{count, counted, duration, size};
use anstyle::{AnsiColor, Style as Ansi};
use std::collections::HashMap;

/// Columns that the label of the deepest node keeps.
const LABEL: usize = 24;
/// With less room than this a condition says nothing.
const CONDITION: usize = 24;
/// Lines that a tree may take with the conditions of its marked nodes.
const SCREEN: usize = 60;
/// Findings named at one node.
const MARKS: usize = 4;
/// Nodes that a plan in one line names.
const CHAIN: usize = 16;
/// What takes less of the execution than this beside the nodes has no line.
const BESIDE: f64 = 0.1;
/// Planning quicker than this is only in the line of totals: nobody waits for it.
const PLANNING_MS: f64 = 1.0;

/// The findings at each marked node.
pub(super) type Marks = HashMap<usize, Mark>;

/// The findings at one node.
#[derive(Debug, Default)]
pub(super) struct Mark {
    /// What they are called below the tree.
    pub(super) names: Vec<String>,
    /// What they say there, so that it is not said twice.
    pub(super) told: Vec<String>,
}

/// The lines of a plan.
pub(super) fn lines(planned: &Planned, marks: &Marks, style: &Style) -> Vec<String> {
    let rows = fold::rows(planned, &|id| marks.contains_key(&id), style.verbose);
    let mut numbers: Vec<Numbers> = rows.iter().map(|placed| Numbers::of(planned, &placed.row)).collect();
    let beside = beside(planned);
    numbers.extend(beside.iter().map(|(numbers, _)| numbers.clone()));
    let columns = Columns::fit(planned, &numbers, style.width);
    let deepest = rows.iter().map(|placed| placed.depth).max().unwrap_or(0);
    let mut branch = Branch::fit(style.width.saturating_sub(columns.width() + LABEL), deepest);
    let mut lines = vec![format!("{}node", columns.header())];
    let mut spent = 0;
    for (index, (placed, numbers)) in rows.iter().zip(&numbers).enumerate() {
        let parent = rows.get(index + 1).is_some_and(|next| next.depth > placed.depth);
        let front = format!("{}{}", columns.cells(numbers), branch.step(placed));
        let below = format!("{:width$}{}", "", branch.below(placed, parent), width = columns.width());
        let own = match placed.row {
            Row::Node(id) => planned.plan.nodes.get(id),
            _ => None,
        };
        let found = own.and_then(|node| marks.get(&node.id));
        let mark = found.map_or(String::new(), |found| mark(&found.names));
        // The label gives way, never the mark.
        let text = format!("{front}{}", row_label(planned, &placed.row));
        let mut line = format!("{}{mark}", shorten(&text, style.width.saturating_sub(mark.chars().count())));
        let said = own.map_or(Vec::new(), conditions);
        let room = style.width.saturating_sub(line.chars().count() + 2);
        let beside = style.width >= WIDE && room >= CONDITION && !said.is_empty();
        if beside {
            let said: Vec<String> = said.iter().map(|(name, text)| format!("{name}: {text}")).collect();
            line.push_str(&format!("  {}", shorten(&said.join("; "), room)));
        }
        lines.push(painted(line, found.is_some(), own.is_none(), style));
        let room = if style.verbose { said.len() } else { SCREEN.saturating_sub(rows.len() + spent) };
        if style.verbose || found.is_some() {
            let told =
                |text: &str| found.is_some_and(|found| found.told.iter().any(|told| told.contains(text)));
            for (name, text) in said.iter().filter(|(_, text)| !beside && !told(text)).take(room) {
                spent += 1;
                lines.push(shorten(&format!("{below}{name}: {text}"), style.width));
            }
        }
        if style.verbose {
            let workers = own.into_iter().flat_map(workers);
            lines.extend(workers.map(|worker| shorten(&format!("{below}{worker}"), style.width)));
        }
    }
    for (numbers, label) in &beside {
        lines.push(shorten(&format!("{}{label}", columns.cells(numbers)), style.width));
    }
    lines
}

fn mark(names: &[String]) -> String {
    let more = if names.len() > MARKS { ", …" } else { "" };
    let named: Vec<&str> = names.iter().take(MARKS).map(String::as_str).collect();
    format!("  ◀ {}{more}", named.join(", "))
}

fn painted(line: String, marked: bool, folded: bool, style: &Style) -> String {
    let ansi = match (marked, folded) {
        (true, _) => Ansi::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
        (false, true) => Ansi::new().dimmed(),
        _ => return line,
    };
    if style.color { format!("{ansi}{line}{ansi:#}") } else { line }
}

/// The lines in front of labels, which say what hangs below what.
struct Branch {
    /// Characters for each level.
    step: usize,
    /// Levels that are drawn; those above are only counted.
    levels: usize,
    /// For each depth, whether a sibling of the row there follows.
    open: Vec<bool>,
}

impl Branch {
    /// Levels as wide as `room` allows for the deepest.
    fn fit(room: usize, deepest: usize) -> Branch {
        let step = (1..=3).rev().find(|step| deepest * step <= room).unwrap_or(1);
        Branch { step, levels: (room / step).max(8), open: Vec::new() }
    }

    fn step(&mut self, placed: &Placed) -> String {
        self.open.truncate(placed.depth);
        self.open.push(!placed.last);
        let connector = if placed.last { "└─ " } else { "├─ " };
        match placed.depth {
            0 => String::new(),
            depth => format!("{}{}", self.above(depth - 1), self.part(connector)),
        }
    }

    /// In front of a line that says more of the same row; `parent` where rows hang below it.
    fn below(&self, placed: &Placed, parent: bool) -> String {
        format!("{}{}", self.above(placed.depth), if parent { "│  " } else { "   " })
    }

    /// The levels from 1 to `depth`.
    fn above(&self, depth: usize) -> String {
        let hidden = (depth + 1).saturating_sub(self.levels);
        let level = |open: &bool| self.part(if *open { "│  " } else { "   " });
        let drawn: String = self.open.iter().take(depth + 1).skip(1 + hidden).map(level).collect();
        if hidden > 0 { format!("⋯{} {drawn}", depth + 1) } else { drawn }
    }

    fn part(&self, text: &str) -> String {
        match self.step {
            3 => text.to_owned(),
            2 => text.chars().take(1).chain([' ']).collect(),
            _ => text.chars().take(1).collect(),
        }
    }
}

fn row_label(planned: &Planned, row: &Row) -> String {
    let node = |id: usize| planned.plan.nodes.get(id);
    match row {
        Row::Node(id) => node(*id).map_or(String::new(), |node| format!("{}{}", label(node), counts(node))),
        Row::Folded(nodes) => format!("⋮ {}", counted(nodes.len() as f64, "node")),
        Row::Alike(tops) => {
            let sources = |top: &usize| {
                let own = planned.plan.nodes.get(planned.facts.tree.subtree(*top)).unwrap_or(&[]);
                own.iter().find_map(|node| node.detail.relation.as_ref().or(node.detail.alias.as_ref()))
            };
            let first = tops.first().and_then(|&top| node(top));
            let size = tops.first().map_or(0, |&top| planned.facts.tree.subtree(top).len());
            let inside = if size > 1 { format!(" of {size} nodes each") } else { String::new() };
            let ends = match (tops.first().and_then(sources), tops.last().and_then(sources)) {
                (Some(first), Some(last)) => format!(" on {first} … {last}"),
                _ => String::new(),
            };
            format!("{} × {}{inside}{ends}", count(tops.len() as f64), first.map_or(String::new(), kind))
        }
    }
}

/// What else a person wants to know of a node, as numbers.
fn counts(node: &Node) -> String {
    let d = &node.detail;
    let loops = node.ran().map_or(0.0, |ran| ran.loops);
    let some = |value: Option<f64>| value.filter(|value| *value > 0.0).map(count);
    let disk = d.sort.as_ref().filter(|sort| sort.space == SortSpace::Disk).map(|sort| sort.used);
    let disk = disk.or(d.hash.as_ref().and_then(|hash| hash.disk)).filter(|bytes| *bytes > Bytes(0));
    let parts = [
        some(d.rows_removed_by_filter.map(|rows| rows * loops)).map(|rows| format!("{rows} discarded")),
        some(d.rows_removed_by_join_filter.map(|rows| rows * loops))
            .map(|rows| format!("{rows} pairs discarded")),
        some(d.rows_removed_by_index_recheck.map(|rows| rows * loops))
            .map(|rows| format!("{rows} rechecked in vain")),
        some(d.heap_fetches).map(|rows| format!("{rows} heap fetches")),
        d.hash
            .as_ref()
            .and_then(|hash| hash.batches)
            .filter(|n| *n > 1.0)
            .map(|n| format!("{} batches", count(n))),
        disk.map(|bytes| format!("{} on disk", size(bytes))),
        Some(loops)
            .filter(|loops| *loops > 1.0 && node.workers.is_empty())
            .map(|l| format!("{} loops", count(l))),
        node.workers_planned
            .zip(node.workers_launched)
            .map(|(planned, launched)| format!("{launched} of {planned} workers")),
    ];
    parts.into_iter().flatten().map(|part| format!(", {part}")).collect()
}

/// Each worker's part, where the server told them apart.
fn workers(node: &Node) -> impl Iterator<Item = String> {
    node.workers.iter().filter_map(|worker| {
        let ran = worker.execution?;
        let time = ran.total_time.map_or(String::new(), |time| format!("{}, ", duration(time * ran.loops)));
        let disk = worker.sort.as_ref().filter(|sort| sort.space == SortSpace::Disk);
        let disk = disk.map_or(String::new(), |sort| format!(", {} on disk", size(sort.used)));
        Some(format!("worker {}: {time}{}{disk}", worker.number, counted(ran.rows.0 * ran.loops, "row")))
    })
}

/// What took its time beside the nodes, where that is notable: triggers, compiling, planning.
fn beside(planned: &Planned) -> Vec<(Numbers, String)> {
    let plan = &planned.plan;
    let Some(execution) = planned.facts.execution.filter(|time| time.0 > 0.0) else { return Vec::new() };
    let line = |time: Option<Millis>, share: bool, label: String| {
        let part = time.filter(|time| time.0 >= execution.0 * BESIDE)?;
        let share = Some(part.0 / execution.0).filter(|_| share);
        Some((Numbers { share, time: Some(part), ..Numbers::default() }, label))
    };
    let trigger = |trigger: &Trigger| {
        let name = match (&trigger.constraint, &trigger.name) {
            (Some(constraint), _) => format!(" for constraint {constraint}"),
            (None, Some(name)) => format!(" {name}"),
            (None, None) => String::new(),
        };
        let on = trigger.relation.as_ref().map_or(String::new(), |relation| format!(" on {relation}"));
        line(trigger.time, true, format!("Trigger{name}{on}, {}", counted(trigger.calls, "call")))
    };
    let jit = plan.jit.as_ref().and_then(|jit| {
        // The nodes' times hold it already.
        let functions = counted(jit.functions, "function");
        line(jit.total, false, format!("of this in compiling {functions} (JIT)"))
    });
    let slow = plan.planning_time.filter(|time| time.0 >= PLANNING_MS);
    let planning = line(slow, false, "planning, before the execution".to_owned());
    plan.triggers.iter().flatten().filter_map(trigger).chain(jit).chain(planning).collect()
}

/// A plan in one line: what each node is made from follows it. Of a large plan its first nodes.
pub(super) fn line(plan: &Plan) -> String {
    let mut text = String::new();
    // Brackets that are open, by the node whose children they hold.
    let mut open: Vec<usize> = Vec::new();
    let shown = plan.nodes.get(..CHAIN).unwrap_or(&plan.nodes);
    let siblings = |parent: Option<usize>| shown.iter().filter(|node| node.parent == parent).count();
    for node in shown {
        while open.last().is_some_and(|&top| node.parent.is_none_or(|parent| parent < top)) {
            open.pop();
            text.push(')');
        }
        match node.parent {
            None => {}
            Some(parent) if open.last() == Some(&parent) => text.push_str(", "),
            Some(parent) if siblings(node.parent) > 1 => {
                open.push(parent);
                text.push_str(" ← (");
            }
            Some(_) => text.push_str(" ← "),
        }
        text.push_str(&format!("{}{}", label(node), counts(node)));
    }
    text.extend(open.iter().map(|_| ')'));
    match plan.nodes.len() - shown.len() {
        0 => text,
        more => format!("{text}, … {} more", counted(more as f64, "node")),
    }
}
