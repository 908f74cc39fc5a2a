//! Whether the two executions did the same work: rows that the same conditions let through, and rows expected.
//!
//! Refuses to compare rows of nodes that were stopped early or that a join drives: they differ for other reasons.

use super::keys::{Conditions, Keys};
use super::{Moved, Pair, Side};
use crate::plan::Node;

/// Below this factor a difference in rows is what vacuum and a few writes make.
const NOTABLE: f64 = 1.1;
/// Numbers of rows that differ by less than this share are the same: averages per loop are rounded.
const ROUNDING: f64 = 0.01;

/// What follows from rows.
pub(super) struct RowsCompared {
    pub(super) actual: Vec<(Pair, Moved)>,
    pub(super) expected: Vec<(Pair, Moved)>,
    pub(super) other_data: Vec<Pair>,
    pub(super) other_values: bool,
}

pub(super) fn rows(base: Side, head: Side, pairs: &[Pair], keys: &(Keys, Keys)) -> RowsCompared {
    let mut found = RowsCompared {
        actual: Vec::new(),
        expected: Vec::new(),
        other_data: Vec::new(),
        other_values: false,
    };
    for &pair in pairs {
        let (Some(one), Some(other)) = (base.plan.nodes.get(pair.base), head.plan.nodes.get(pair.head))
        else {
            continue;
        };
        let source = keys.0.source.get(pair.base) == Some(&true);
        let root = pair == Pair { base: 0, head: 0 };
        if !source && !root {
            continue;
        }
        let conditions = (Conditions::of_scan(one), Conditions::of_scan(other));
        let subplan = conditions.0.subplan || conditions.1.subplan;
        let same = conditions.0.exact == conditions.1.exact;
        let same_but_values = conditions.0.without_values == conditions.1.without_values;
        found.other_values |= !same && same_but_values && !subplan;
        let actual = actual_rows(base, pair.base, root).zip(actual_rows(head, pair.head, root));
        if let Some((before, after)) = actual.filter(|_| same_but_values || subplan)
            && differ(before, after)
        {
            found.actual.push((pair, Moved { base: before.rows, head: after.rows }));
            if same && !subplan {
                found.other_data.push(pair);
            }
        }
        let expected = expected_rows(one).zip(expected_rows(other)).filter(|_| source && same && !subplan);
        if let Some((before, after)) = expected.filter(|_| shares(one, other)) {
            let (less, more) = (before.min(after).max(1.0), before.max(after).max(1.0));
            if more / less >= NOTABLE {
                found.expected.push((pair, Moved { base: before, head: after }));
            }
        }
    }
    found
}

/// Rows over all loops, and how many loops rounded them.
#[derive(Clone, Copy)]
struct Counted {
    rows: f64,
    loops: f64,
}

/// Rows of a node that ran once, in however many processes, to its end.
fn actual_rows(side: Side, id: usize, root: bool) -> Option<Counted> {
    let (node, facts) = (side.plan.nodes.get(id)?, side.facts.nodes.get(id)?);
    let ran = node.ran()?;
    let shared = node.detail.parallel_aware == Some(true);
    let once = ran.loops <= 1.0 || shared || root;
    let whole = once && !facts.stopped_early && node.kind != "ModifyTable";
    whole.then_some(Counted { rows: facts.rows_total?.0, loops: ran.loops })
}

fn differ(one: Counted, other: Counted) -> bool {
    let rounded = 0.5 * (one.loops + other.loops);
    (one.rows - other.rows).abs() > rounded + ROUNDING * one.rows.max(other.rows)
}

fn expected_rows(node: &Node) -> Option<f64> {
    node.estimate.map(|estimate| estimate.rows.0)
}

/// Both estimates speak of the same part: all rows, or those of one of so many processes.
fn shares(one: &Node, other: &Node) -> bool {
    let parallel = |node: &Node| node.detail.parallel_aware == Some(true);
    parallel(one) == parallel(other)
}
