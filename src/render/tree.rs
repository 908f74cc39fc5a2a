//! The plan as a tree of lines: where the time went, rows seen against rows expected, the guilty node marked.
//!
//! Refuses to wrap: a line that does not fit is cut with an ellipsis.

use super::Style;
use crate::plan::{Execution, Node, Plan, Relationship};
use crate::report::Planned;
use crate::words::{count, duration, times};
use anstyle::{AnsiColor, Style as Ansi};

/// Eighths of a cell, for bars finer than a character.
const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const BAR_CELLS: usize = 6;
/// Estimates off by less than this go unmentioned.
const NOTABLE_ERROR: f64 = 10.0;

/// The lines of a plan; `marks` name the findings at a node.
pub(super) fn lines(planned: &Planned, marks: &dyn Fn(usize) -> Vec<String>, style: &Style) -> Vec<String> {
    let plan = &planned.plan;
    let mut lines = vec![header(planned)];
    let mut open: Vec<bool> = Vec::new();
    for node in &plan.nodes {
        let depth = plan.ancestors(node.id).count();
        let last = node.parent.is_none_or(|p| plan.children(p).last().is_some_and(|c| c.id == node.id));
        open.truncate(depth);
        let mut branch: String = open.iter().skip(1).map(|more| if *more { "│  " } else { "   " }).collect();
        if depth > 0 {
            branch.push_str(if last { "└─ " } else { "├─ " });
        }
        open.push(!last);
        let marks = marks(node.id);
        let mark = if marks.is_empty() { String::new() } else { format!("  ◀ {}", marks.join(", ")) };
        let text = format!("{}  {branch}{}", columns(planned, node), label(node));
        // The label gives way, never the mark.
        let line = format!("{}{mark}", cut(&text, style.width.saturating_sub(mark.chars().count())));
        lines.push(match marks.is_empty() || !style.color {
            true => line,
            false => {
                let bold = Ansi::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
                format!("{bold}{line}{bold:#}")
            }
        });
    }
    lines
}

fn header(planned: &Planned) -> String {
    match planned.plan.analyzed() {
        true => format!("{:<6} {:>9} {:>10} {:>11}  node", "share", "self time", "rows", "vs planned"),
        false => format!("{:>12} {:>11}  node", "cost", "rows"),
    }
}

fn columns(planned: &Planned, node: &Node) -> String {
    let facts = &planned.facts.nodes[node.id];
    let estimate = |f: fn(&crate::plan::Estimate) -> f64| node.estimate.as_ref().map(f);
    if !planned.plan.analyzed() {
        let cost = estimate(|e| e.total_cost.0).map_or(String::new(), |c| count(c.round()));
        let rows = estimate(|e| e.rows.0).map_or(String::new(), count);
        return format!("{cost:>12} {rows:>11}");
    }
    if node.execution == Execution::NeverRan {
        return format!("{:<6} {:>9} {:>10} {:>11}", "", "never ran", "", "");
    }
    let share = facts.self_share.map_or(0.0, |s| s.0.clamp(0.0, 1.0));
    let time = facts.self_time.map_or("?".to_owned(), |t| duration(crate::units::Millis(t.0.max(0.0))));
    let rows = facts.rows_total.map_or(String::new(), |r| count(r.0));
    let error = facts.estimate_error.map(|e| e.0).filter(|_| !facts.stopped_early);
    let planned = match error {
        Some(e) if e >= NOTABLE_ERROR => format!("{} more", times(e)),
        Some(e) if e > 0.0 && e <= 1.0 / NOTABLE_ERROR => format!("{} less", times(1.0 / e)),
        _ => String::new(),
    };
    format!("{} {time:>9} {rows:>10} {planned:>11}", bar(share))
}

fn bar(share: f64) -> String {
    let eighths = (share * (BAR_CELLS * 8) as f64).round() as usize;
    (0..BAR_CELLS).map(|cell| EIGHTHS[eighths.saturating_sub(cell * 8).min(8)]).collect()
}

/// A plan in one line: what each node is made from follows it.
pub(super) fn line(plan: &Plan) -> String {
    plan.root().map_or(String::new(), |root| line_from(plan, root))
}

fn line_from(plan: &Plan, node: &Node) -> String {
    let children: Vec<String> = plan.children(node.id).map(|child| line_from(plan, child)).collect();
    match &children[..] {
        [] => label(node),
        [only] => format!("{} ← {only}", label(node)),
        more => format!("{} ← ({})", label(node), more.join(", ")),
    }
}

/// What a node is, in the words of EXPLAIN's text format.
fn label(node: &Node) -> String {
    let d = &node.detail;
    let mut text = match (&node.relationship, &node.subplan_name) {
        (Relationship::InitPlan | Relationship::SubPlan, Some(name)) => format!("{name}: {}", node.kind),
        _ => node.kind.clone(),
    };
    if let Some(operation) = &d.operation {
        text = text.replace("ModifyTable", operation);
    }
    if d.parallel_aware == Some(true) {
        text = format!("Parallel {text}");
    }
    if let Some(kind) = d.join_type.as_deref().filter(|k| *k != "Inner") {
        text = format!("{text} ({kind})");
    }
    if let Some(index) = &d.index {
        text.push_str(&format!(" using {index}"));
    }
    let what = [&d.relation, &d.cte, &d.function].into_iter().flatten().next();
    if let Some(what) = what {
        text.push_str(&format!(" on {what}"));
        if let Some(alias) = d.alias.as_ref().filter(|a| *a != what) {
            text.push_str(&format!(" {alias}"));
        }
    }
    if let Some(removed) =
        node.ran().and_then(|r| Some(d.rows_removed_by_filter? * r.loops)).filter(|r| *r > 0.0)
    {
        text.push_str(&format!(", {} discarded", count(removed)));
    }
    if let Some(removed) =
        node.ran().and_then(|r| Some(d.rows_removed_by_join_filter? * r.loops)).filter(|r| *r > 0.0)
    {
        text.push_str(&format!(", {} pairs discarded", count(removed)));
    }
    if let Some(loops) = node.ran().map(|r| r.loops).filter(|l| *l > 1.0 && node.workers.is_empty()) {
        text.push_str(&format!(", {} loops", count(loops)));
    }
    if let (Some(planned), Some(launched)) = (node.workers_planned, node.workers_launched) {
        text.push_str(&format!(", {launched} of {planned} workers"));
    }
    text
}

/// At most `width` columns, counted as characters.
fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
