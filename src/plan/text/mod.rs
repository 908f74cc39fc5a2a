//! Reads EXPLAIN's text format, as servers print it and as people paste it.
//!
//! Indentation is the structure: a line belongs to the innermost node whose text begins left of it. Refuses to
//! guess where indentation is lost.

mod label;
mod property;
mod source;

use super::Plan;
use super::build::{PlanBuilder, Scalar};
use crate::error::{Error, Excerpt, Kind, Result};
use source::Line;

/// Reads the plans in `text`; prose before, between and after them is left out.
///
/// # Errors
///
/// [`Kind::Input`] with the line, where no plan begins or one is cut short.
pub fn read_text(text: &str) -> Result<Vec<Plan>> {
    let lines = source::lines(text);
    let mut plans = Vec::new();
    let mut reader = Reader::default();
    for line in &lines {
        if let Some(reason) = source::truncated(&line.text) {
            return Err(error(text, line, reason));
        }
        if label::begins(&line.text) && reader.begins_anew(line) {
            reader.finish(&mut plans);
        }
        reader.line(line);
    }
    reader.finish(&mut plans);
    match (plans.is_empty(), lines.iter().find(|l| !l.text.trim().is_empty())) {
        (false, _) => Ok(plans),
        (true, Some(first)) => {
            Err(error(text, first, "no line here is a plan node, such as `Seq Scan on t  (cost=…)`"))
        }
        (true, None) => Err(Error::new(Kind::Input, "read the plan").because("there is nothing in it")),
    }
}

/// The input without the frames of clients, for the other notations.
pub(super) fn unframed(text: &str) -> String {
    let lines: Vec<String> = source::lines(text).into_iter().map(|line| line.text.into_owned()).collect();
    lines.join("\n")
}

fn error(text: &str, line: &Line, label: &str) -> Error {
    let start = line.start.min(text.len());
    let end = text[start..].find('\n').map_or(text.len(), |n| start + n);
    Error::new(Kind::Input, "read the plan").at(Excerpt {
        origin: "plan".to_owned(),
        first_line: line.number,
        text: text[start..end].to_owned(),
        start: 0,
        end: end - start,
        label: label.to_owned(),
    })
}

/// A node that is open, and where its text begins.
struct Open {
    column: usize,
    kind: String,
    plain_children: usize,
}

/// What the lines at a deeper indentation belong to.
#[derive(Default)]
enum Below {
    #[default]
    Node,
    /// Indentation of the `Worker n:` line.
    Worker(usize),
    /// A group behind the plan: `Planning:`, `JIT:`; its lines are collected.
    Group(&'static str, usize),
}

#[derive(Default)]
struct Reader {
    builder: PlanBuilder,
    open: Vec<Open>,
    below: Below,
    /// `CTE x`, `InitPlan 1` above the node it names.
    subplan: Option<String>,
    /// Column of the root's text.
    root: usize,
    started: bool,
    /// The plan's nodes are complete: what follows is about the whole.
    behind: bool,
    last: Option<(String, String)>,
    group: property::Group,
    /// `Group Key` and `Hash Key` lines of the innermost node: one is a key, several are grouping sets.
    sets: property::Sets,
    /// Further relations that the innermost node writes to.
    targets: Vec<serde_json::Value>,
    done: Vec<Plan>,
}

impl Reader {
    /// A node line that cannot be part of the plan that is open.
    fn begins_anew(&self, line: &Line) -> bool {
        self.started
            && !line.text.trim_start().starts_with("->")
            && (self.behind || line.indent() <= self.root)
            && self.subplan.is_none()
    }

    fn finish(&mut self, plans: &mut Vec<Plan>) {
        self.flush();
        self.close_to(0);
        self.end_group();
        let reader = std::mem::take(self);
        let mut builder = reader.builder;
        if reader.started
            && let Ok(plan) = builder.finish()
        {
            plans.push(plan);
        }
        plans.extend(reader.done);
    }

    fn line(&mut self, line: &Line) {
        let indent = line.indent();
        let text = line.text.trim();
        if text.is_empty() {
            return;
        }
        if let Some(node) = label::node(text, self.started) {
            self.flush();
            return self.node(node, indent, text);
        }
        if text == "NOTIFY" {
            self.flush();
            self.done.push(Plan { utility: Some("Notify".to_owned()), ..Plan::default() });
            return;
        }
        if !self.started {
            return self.before(text);
        }
        if let Some(target) =
            label::target(text).filter(|_| self.open.last().is_some_and(|o| o.kind == "ModifyTable"))
        {
            self.flush();
            self.targets.push(target);
            return;
        }
        if let Some(name) = label::subplan(text).filter(|_| !self.behind) {
            self.flush();
            self.end_worker(0);
            self.subplan = Some(name);
            self.leave(indent);
            return;
        }
        if let Some((key, value)) = property::split(text) {
            self.flush();
            return self.property(key, value, indent);
        }
        // A condition that holds a line feed goes on here.
        if let Some((_, value)) = &mut self.last {
            value.push('\n');
            value.push_str(text);
        }
    }

    /// auto_explain prints the query above its plan.
    fn before(&mut self, text: &str) {
        if let Some(query) = text.strip_prefix("Query Text: ") {
            self.builder.scalar("Query Text", Scalar::Text(query.into()));
        } else if let Some(parameters) = text.strip_prefix("Query Parameters: ") {
            self.builder.scalar("Query Parameters", Scalar::Text(parameters.into()));
        }
    }

    fn node(&mut self, node: label::Label, indent: usize, text: &str) {
        self.end_worker(0);
        self.end_sets();
        let arrow = text.starts_with("->");
        let column = if arrow { indent + 4 } else { indent };
        if self.started {
            self.leave(indent);
        } else {
            self.root = column;
            self.started = true;
        }
        let relationship = self.relationship();
        self.builder.open_node();
        let kind = node.kind.clone();
        node.fill(&mut self.builder);
        if let Some(word) = relationship {
            self.builder.scalar("Parent Relationship", Scalar::Text(word.into()));
        }
        if let Some(name) = self.subplan.take() {
            self.builder.scalar("Subplan Name", Scalar::Text(name.into()));
        }
        self.open.push(Open { column, kind, plain_children: 0 });
        self.below = Below::Node;
    }

    /// The word that the other formats print; text leaves it to the place.
    fn relationship(&mut self) -> Option<&'static str> {
        let parent = self.open.last_mut()?;
        if let Some(name) = &self.subplan {
            return Some(if name.starts_with("SubPlan") { "SubPlan" } else { "InitPlan" });
        }
        parent.plain_children += 1;
        let joins = ["Nested Loop", "Hash Join", "Merge Join", "Recursive Union", "SetOp"];
        let lists = ["Append", "Merge Append", "BitmapAnd", "BitmapOr"];
        Some(match parent.kind.as_str() {
            kind if lists.contains(&kind) => "Member",
            "Subquery Scan" => "Subquery",
            kind if joins.contains(&kind) && parent.plain_children == 2 => "Inner",
            _ => "Outer",
        })
    }

    /// Closes the nodes that a line at `indent` is not inside of.
    fn leave(&mut self, indent: usize) {
        let keep = self.open.iter().rposition(|open| open.column < indent).map_or(1, |at| at + 1);
        self.close_to(keep);
    }

    /// What the innermost node's lines add up to, before another node opens or it closes.
    fn end_sets(&mut self) {
        std::mem::take(&mut self.sets).fill(&mut self.builder);
        if !self.targets.is_empty() {
            self.builder.value("Target Tables", std::mem::take(&mut self.targets).into());
        }
    }

    fn close_to(&mut self, keep: usize) {
        self.end_worker(0);
        if self.open.len() > keep {
            self.end_sets();
        }
        while self.open.len() > keep {
            self.open.pop();
            // The label gave every node its kind.
            let _ = self.builder.close_node();
        }
    }

    fn property(&mut self, key: &str, value: &str, indent: usize) {
        if let Below::Group(_, at) = self.below {
            if indent > at {
                return self.group.line(key, value);
            }
            self.end_group();
        }
        if let Some(number) = property::worker(key) {
            self.end_worker(0);
            self.leave(indent);
            self.builder.open_worker();
            self.builder.scalar("Worker Number", Scalar::Number(f64::from(number), ""));
            self.below = Below::Worker(indent);
            if let Some(ran) = label::actual(value) {
                ran.fill(&mut self.builder);
            } else if let Some((key, value)) = property::split(value) {
                self.last = Some((key.to_owned(), value.to_owned()));
            }
            return;
        }
        if property::is_behind(key, indent, self.root) {
            self.close_to(0);
            self.behind = true;
            if value.is_empty() {
                self.below = Below::Group(if key == "JIT" { "JIT" } else { "Planning" }, indent);
                self.group = property::Group::default();
                return;
            }
            return property::footer(&mut self.builder, key, value);
        }
        self.end_worker(indent);
        if !matches!(self.below, Below::Worker(_)) {
            self.leave(indent);
        }
        self.last = Some((key.to_owned(), value.to_owned()));
    }

    /// Hands on the property that may have gone on over several lines.
    fn flush(&mut self) {
        if let Some((key, value)) = self.last.take() {
            let kind = self.open.last().map_or("", |open| open.kind.as_str());
            if kind == "Aggregate" && self.sets.take(&key, &value) {
                return;
            }
            property::fill(&mut self.builder, kind, &key, &value);
        }
    }

    /// Ends the worker unless a line at `indent` is inside of it.
    fn end_worker(&mut self, indent: usize) {
        if let Below::Worker(at) = self.below
            && indent <= at
        {
            self.flush();
            self.builder.close_worker();
            self.below = Below::Node;
        }
    }

    fn end_group(&mut self) {
        if let Below::Group(name, _) = self.below {
            self.below = Below::Node;
            std::mem::take(&mut self.group).fill(name, &mut self.builder);
        }
    }
}
