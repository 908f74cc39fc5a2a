//! The numbers of a plan's rows as columns: which there are, how wide, and what stands in each cell.
//!
//! Refuses to print a column in which nothing stands, or a zero for what was not measured.

use super::fold::Row;
use crate::plan::{Buffers, Execution};
use crate::report::Planned;
use crate::units::{Blocks, Millis, Ratio};
use crate::words::{count, duration, percent, size, times};

/// Eighths of a cell, for bars finer than a character.
const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// Estimates off by less than this go unmentioned.
pub(super) const NOTABLE_ERROR: f64 = 10.0;
/// From this many columns on there is room for every number.
pub(super) const WIDE: usize = 120;
/// Below this many columns words are shortened.
const NARROW: usize = 100;

/// What is known of one row; `None` where it was not measured or does not apply.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) share: Option<f64>,
    pub(super) time: Option<Millis>,
    pub(super) never_ran: bool,
    pub(super) rows: Option<f64>,
    pub(super) planned: Option<f64>,
    pub(super) error: Option<f64>,
    pub(super) hit: Option<Blocks>,
    pub(super) read: Option<Blocks>,
    pub(super) temp: Option<Blocks>,
    pub(super) cost: Option<f64>,
}

impl Numbers {
    /// The numbers of a row: those of its node, or sums over the nodes that it stands for.
    pub(super) fn of(planned: &Planned, row: &Row) -> Numbers {
        let tree = &planned.facts.tree;
        match row {
            Row::Node(id) => sums(planned, *id..id + 1, &[*id]),
            Row::Alike(tops) => sums(planned, tops.iter().flat_map(|&top| tree.subtree(top)), tops),
            Row::Folded(ids) => sums(planned, ids.iter().copied(), &[]),
        }
    }
}

/// Time and blocks of `all`, rows and costs of `tops`.
fn sums(planned: &Planned, all: impl Iterator<Item = usize>, tops: &[usize]) -> Numbers {
    let mut numbers = Numbers::default();
    let add = |sum: &mut Option<f64>, part: Option<f64>| {
        *sum = sum.map_or(part, |sum| Some(sum + part.unwrap_or(0.0)));
    };
    let add_blocks = |sum: &mut Option<Blocks>, part: Option<Blocks>| {
        *sum = sum.map_or(part, |sum| Some(part.map_or(sum, |part| sum + part)));
    };
    for facts in all.filter_map(|id| planned.facts.nodes.get(id)) {
        let of = |field: fn(&Buffers) -> Blocks| facts.self_buffers.as_ref().map(field);
        add(&mut numbers.share, facts.self_share.map(|share| share.0));
        numbers.time = match (numbers.time, facts.self_time) {
            (Some(sum), Some(part)) => Some(sum + part),
            (sum, part) => sum.or(part),
        };
        add_blocks(&mut numbers.hit, of(|b| b.shared_hit + b.local_hit));
        add_blocks(&mut numbers.read, of(|b| b.shared_read + b.local_read));
        add_blocks(&mut numbers.temp, of(|b| b.temp_read + b.temp_written));
    }
    let mut comparable = !tops.is_empty();
    let mut never_ran = !tops.is_empty();
    for &top in tops {
        let (Some(node), Some(facts)) = (planned.plan.nodes.get(top), planned.facts.nodes.get(top)) else {
            continue;
        };
        never_ran &= node.execution == Execution::NeverRan;
        comparable &= facts.estimate_error.is_some() && !facts.stopped_early;
        let measured = planned.plan.analyzed();
        add(&mut numbers.rows, facts.rows_total.map(|rows| rows.0));
        let expected = if measured { facts.rows_planned_total } else { node.estimate.map(|e| e.rows) };
        add(&mut numbers.planned, expected.map(|rows| rows.0));
        add(&mut numbers.cost, node.estimate.map(|e| e.total_cost.0));
    }
    numbers.never_ran = never_ran;
    let error = numbers.rows.zip(numbers.planned).and_then(|(rows, planned)| Ratio::of(rows, planned));
    numbers.error = error.map(|error| error.0).filter(|_| comparable);
    numbers
}

/// A column: its heading, whether its cells stand at the left, and its cells.
struct Column {
    heading: &'static str,
    left: bool,
    cell: fn(&Numbers, bool) -> String,
}

const SHARE: Column = Column { heading: "share", left: true, cell: share };
const TIME: Column = Column { heading: "self time", left: false, cell: self_time };
const ROWS: Column = Column { heading: "rows", left: false, cell: |n, _| text(n.rows, count) };
const PLANNED: Column = Column { heading: "planned", left: false, cell: |n, _| text(n.planned, count) };
const ERROR: Column = Column { heading: "vs planned", left: false, cell: error };
const SHORT_ERROR: Column = Column { heading: "vs plan", left: false, cell: short_error };
const HIT: Column = Column { heading: "hit", left: false, cell: |n, _| text(n.hit, bytes) };
const READ: Column = Column { heading: "read", left: false, cell: |n, _| text(n.read.filter(some), bytes) };
const TEMP: Column = Column { heading: "temp", left: false, cell: |n, _| text(n.temp.filter(some), bytes) };
const COST: Column =
    Column { heading: "cost", left: false, cell: |n, _| text(n.cost, |cost| count(cost.round())) };

fn text<T>(value: Option<T>, format: impl Fn(T) -> String) -> String {
    value.map_or(String::new(), format)
}

fn some(blocks: &Blocks) -> bool {
    blocks.0 != 0
}

fn bytes(blocks: Blocks) -> String {
    // What several consumers share can leave less than nothing.
    if blocks.0 <= 0 { "0".to_owned() } else { size(blocks.bytes()) }
}

fn share(numbers: &Numbers, wide: bool) -> String {
    let Some(share) = numbers.share.map(|share| share.clamp(0.0, 1.0)) else { return String::new() };
    let cells = if wide { 10 } else { 6 };
    let eighths = (share * (cells * 8) as f64).round() as usize;
    let bar: String =
        (0..cells).filter_map(|cell| EIGHTHS.get(eighths.saturating_sub(cell * 8).min(8))).collect();
    let rounded = (share * 1000.0).round() / 1000.0;
    let part = if rounded > 0.0 { percent(rounded) } else { String::new() };
    if wide { format!("{bar} {part:>6}") } else { bar }
}

fn self_time(numbers: &Numbers, _wide: bool) -> String {
    match numbers.time {
        _ if numbers.never_ran => "never ran".to_owned(),
        Some(time) => duration(Millis(time.0.max(0.0))),
        None => String::new(),
    }
}

/// How many times more or fewer rows came than planned, where that is notable.
fn off(numbers: &Numbers) -> Option<(f64, bool)> {
    match numbers.error? {
        more if more >= NOTABLE_ERROR => Some((more, true)),
        less if less > 0.0 && less <= 1.0 / NOTABLE_ERROR => Some((1.0 / less, false)),
        _ => None,
    }
}

fn error(numbers: &Numbers, _wide: bool) -> String {
    text(off(numbers), |(factor, more)| format!("{} {}", times(factor), if more { "more" } else { "less" }))
}

fn short_error(numbers: &Numbers, _wide: bool) -> String {
    text(off(numbers), |(factor, more)| format!("{}{}", if more { "↑" } else { "↓" }, times(factor)))
}

/// The columns of a plan, fitted to what stands in them.
pub(super) struct Columns {
    shown: Vec<(Column, usize)>,
    wide: bool,
}

impl Columns {
    /// The columns for a terminal of `width`.
    pub(super) fn fit(planned: &Planned, rows: &[Numbers], width: usize) -> Columns {
        let wide = width >= WIDE;
        let candidates = match (planned.plan.analyzed(), wide) {
            (false, _) => vec![COST, Column { heading: "rows", ..PLANNED }],
            (true, true) => vec![SHARE, TIME, ROWS, PLANNED, ERROR, HIT, READ, TEMP],
            (true, false) if width >= NARROW => vec![SHARE, TIME, ROWS, ERROR],
            (true, false) => vec![SHARE, TIME, ROWS, SHORT_ERROR],
        };
        let widest = |column: &Column| {
            let cells = rows.iter().map(|row| (column.cell)(row, wide));
            cells.map(|cell| if cell.trim().is_empty() { 0 } else { cell.chars().count() }).max().unwrap_or(0)
        };
        let shown = candidates.into_iter().map(|column| {
            let widest = widest(&column);
            let width = widest.max(column.heading.chars().count());
            (column, width, widest > 0)
        });
        Columns { shown: shown.filter(|(_, _, some)| *some).map(|(c, w, _)| (c, w)).collect(), wide }
    }

    /// Characters in front of the tree.
    pub(super) fn width(&self) -> usize {
        self.shown.iter().map(|(_, width)| width + 2).sum()
    }

    /// The headings.
    pub(super) fn header(&self) -> String {
        self.line(|column| column.heading.to_owned())
    }

    /// The cells of a row.
    pub(super) fn cells(&self, numbers: &Numbers) -> String {
        self.line(|column| (column.cell)(numbers, self.wide))
    }

    fn line(&self, cell: impl Fn(&Column) -> String) -> String {
        let pad = |(column, width): &(Column, usize)| match column.left {
            true => format!("{:<width$}  ", cell(column), width = *width),
            false => format!("{:>width$}  ", cell(column), width = *width),
        };
        self.shown.iter().map(pad).collect()
    }
}
