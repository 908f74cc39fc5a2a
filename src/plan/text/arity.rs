//! How many inputs a node has: whether a tree can be right, and which tree it was where indentation is lost.
//!
//! Refuses to choose: where more than one tree fits, there is none.

use super::super::paste::{Line, indent};
use super::super::{Node, Plan, Relationship};
use super::{label, property};
use std::borrow::Cow;

/// Fewest and most inputs of a node kind; `None` where any number may be.
fn inputs(kind: &str) -> Option<(usize, usize)> {
    Some(match kind {
        "Seq Scan"
        | "Sample Scan"
        | "Index Scan"
        | "Index Only Scan"
        | "Bitmap Index Scan"
        | "Tid Scan"
        | "Tid Range Scan"
        | "Function Scan"
        | "Table Function Scan"
        | "Values Scan"
        | "CTE Scan"
        | "WorkTable Scan"
        | "Named Tuplestore Scan" => (0, 0),
        "Sort" | "Incremental Sort" | "Hash" | "Materialize" | "Memoize" | "Result Cache" | "Unique"
        | "Limit" | "Aggregate" | "Group" | "WindowAgg" | "Gather" | "Gather Merge" | "LockRows"
        | "ProjectSet" | "Subquery Scan" | "Bitmap Heap Scan" => (1, 1),
        "Nested Loop" | "Hash Join" | "Merge Join" | "Recursive Union" => (2, 2),
        "SetOp" => (1, 2),
        "Result" => (0, 1),
        _ => return None,
    })
}

/// Deeper than any plan that a person pasted without its indentation.
const DEEPEST: usize = 1000;

/// What is wrong with a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// This node has more inputs than its kind takes.
    Many(usize),
    /// This node lacks an input, and it is not at the end.
    Few(usize),
    /// This node lacks an input, and nothing follows it.
    CutOff(usize),
}

/// The first node that cannot have the inputs it has.
pub(super) fn wrong(plan: &Plan) -> Option<Wrong> {
    let mut count = vec![0; plan.nodes.len()];
    let mut last = vec![0; plan.nodes.len()];
    for node in plan.nodes.iter().rev() {
        last[node.id] = last[node.id].max(node.id);
        let Some(parent) = node.parent else { continue };
        last[parent] = last[parent].max(last[node.id]);
        if !matches!(node.relationship, Relationship::InitPlan | Relationship::SubPlan) {
            count[parent] += 1;
        }
    }
    let of = |node: &Node| {
        let (least, most) = inputs(&node.kind)?;
        let count = count[node.id];
        if count > most {
            Some(Wrong::Many(node.id))
        } else if count >= least {
            None
        } else if last[node.id] + 1 == plan.nodes.len() {
            Some(Wrong::CutOff(node.id))
        } else {
            Some(Wrong::Few(node.id))
        }
    };
    let all: Vec<Wrong> = plan.nodes.iter().filter_map(of).collect();
    all.iter().find(|wrong| !matches!(wrong, Wrong::CutOff(_))).or(all.first()).copied()
}

/// A node while its place is looked for.
struct Open {
    depth: usize,
    /// Inputs that it must still get; `None` where it takes any number.
    needs: Option<usize>,
    plain: usize,
    /// It hangs under the node above by a header: `CTE x`, `InitPlan 1`.
    headed: bool,
}

/// The lines of one plan, indented as the inputs that each node takes demand; `None` where that is not one tree.
pub(super) fn reindented<'a>(lines: &[Line<'a>]) -> Option<Vec<Line<'a>>> {
    let kinds: Vec<Option<String>> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| label::node(line.text.trim(), at > 0).map(|label| label.kind))
        .collect();
    let trees = trees(&kinds);
    let mut stack: Vec<Open> = Vec::new();
    let mut out = Vec::with_capacity(lines.len());
    let (mut column, mut header, mut parameters) = (0, false, false);
    for (at, line) in lines.iter().enumerate() {
        let text = line.text.trim();
        let put = |indent: usize| {
            let text = Cow::Owned(format!("{}{text}", " ".repeat(indent)));
            Line { text, number: line.number, trailing: 0 }
        };
        if let Some(kind) = &kinds[at] {
            let needs = match inputs(kind) {
                Some((least, most)) if least == most => Some(most),
                // A Result is a leaf where its plan ends with it.
                Some((0, 1)) if kinds[at + 1..].iter().all(Option::is_none) => Some(0),
                Some(_) => return None,
                None => None,
            };
            let depth = if header { stack.last()?.depth + 1 } else { place(&mut stack, trees[at])? };
            if depth > DEEPEST {
                return None;
            }
            stack.push(Open { depth, needs, plain: 0, headed: std::mem::take(&mut header) });
            // A node below a header is two columns further in, and so is all that hangs under it.
            let shift = 2 * stack.iter().filter(|open| open.headed).count();
            column = if depth == 0 { 0 } else { 6 * depth - 4 + shift };
            parameters = false;
            out.push(put(column));
        } else if label::subplan(text).is_some() {
            if text.starts_with("SubPlan") || parameters {
                return None;
            }
            // The owner printed its own line last, or an earlier header of its own.
            let leaf = stack.last().is_some_and(|open| open.needs == Some(0));
            if leaf && let Some(headed) = stack.iter().rposition(|open| open.headed) {
                stack.truncate(headed);
            }
            stack.last().filter(|owner| owner.plain == 0)?;
            header = true;
            let shift = 2 * stack.iter().filter(|open| open.headed).count();
            out.push(put(6 * stack.last()?.depth + 2 + shift));
        } else if property::split(text).is_some_and(|(key, _)| property::is_behind(key)) {
            out.push(put(0));
            column = 0;
        } else {
            parameters |= text.contains('$') || text.contains("InitPlan");
            out.push(put(if column == 0 { 2 } else { column + 6 }));
        }
    }
    stack.iter().all(|open| open.needs.is_none_or(|needs| needs == 0)).then_some(out)
}

/// The depth of the next node, whose parent is the innermost that still takes one.
fn place(stack: &mut Vec<Open>, left: Option<usize>) -> Option<usize> {
    if stack.is_empty() {
        return Some(0);
    }
    loop {
        let open = stack.last_mut()?;
        match &mut open.needs {
            Some(0) => {}
            Some(needs) => {
                *needs -= 1;
                open.plain += 1;
                return Some(open.depth + 1);
            }
            None => {
                // Any number: as many as the nodes above leave over.
                let others = &stack[..stack.len() - 1];
                let wanted = others.iter().map(|open| open.needs).sum::<Option<usize>>()?;
                let left = left?;
                let open = stack.last_mut()?;
                if left > wanted {
                    open.plain += 1;
                    return Some(open.depth + 1);
                }
            }
        }
        stack.pop();
    }
}

/// For each line, how many trees the nodes from there on make one after the other; `None` where one of them takes any
/// number of inputs.
fn trees(kinds: &[Option<String>]) -> Vec<Option<usize>> {
    let end = kinds.len();
    // For each line, where the tree that begins there ends, and how many trees there are from there on.
    let mut ends = vec![end; end + 1];
    let mut counts: Vec<Option<usize>> = vec![Some(0); end + 1];
    for at in (0..end).rev() {
        let Some(kind) = &kinds[at] else {
            (ends[at], counts[at]) = (ends[at + 1], counts[at + 1]);
            continue;
        };
        let needs = inputs(kind).filter(|(least, most)| least == most).map(|(least, _)| least);
        let (Some(needs), Some(_)) = (needs, counts[at + 1]) else {
            counts[at] = None;
            continue;
        };
        // The first line behind a node may be a property: its entry is that of the next node.
        ends[at] = (0..needs).fold(at + 1, |from, _| if from < end { ends[from] } else { end });
        counts[at] = counts[ends[at]].map(|count| count + 1);
    }
    counts.truncate(end);
    counts
}

/// Whether a property stands no further in than the arrow of the node above it: no server prints that. A header may:
/// it is not the node's.
pub(super) fn flat(lines: &[&Line]) -> bool {
    lines.windows(2).any(|pair| {
        let (node, below) = (&pair[0].text, &pair[1].text);
        let property = label::of_node(below.trim()) && !below.ends_with(':');
        node.trim_start().starts_with("->") && property && indent(below) <= indent(node)
    })
}

/// Whether the arrows of a plan all stand in one column although there are several.
pub(super) fn one_column(lines: &[&Line]) -> bool {
    let mut arrows =
        lines.iter().filter(|line| line.text.trim_start().starts_with("->")).map(|l| indent(&l.text));
    let Some(first) = arrows.next() else { return false };
    let mut others = 0;
    arrows.all(|column| {
        others += 1;
        column == first
    }) && others > 0
}
