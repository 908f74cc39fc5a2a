//! Reads EXPLAIN's text format.
//!
//! Indentation is the structure: a line belongs to the innermost node whose text begins left of it. Refuses to
//! guess where indentation is lost.

mod arity;
mod groups;
mod label;
mod property;
mod trouble;

use super::Plan;
use super::build::{PlanBuilder, Scalar};
use super::paste::{Line, error, indent, is_noise};
use crate::error::Result;

pub(super) use label::{begins, complete, has_figures, of_node, open_figures, structural};
pub(super) use trouble::{lacks_an_input, nothing};

/// A plan in text, and where it stood.
pub(super) struct Text {
    pub(super) plan: Plan,
    /// The line of its first node, counted from 1.
    pub(super) line: usize,
    /// Why the plan is not whole, where it is not.
    pub(super) cut: Option<String>,
}

/// What the lines hold.
pub(super) struct Texts {
    pub(super) plans: Vec<Text>,
    /// Some line looks broken in two, or is none that a plan has.
    pub(super) odd: bool,
}

/// Reads the plans in `lines`; prose before, between and after them is left out.
///
/// # Errors
///
/// [`crate::error::Kind::Input`] with the line, where no plan begins, one is cut short by a log, or its indentation
/// is lost and more than one tree would fit.
pub(super) fn read(lines: &[Line]) -> Result<Texts> {
    let mut texts = Texts { plans: Vec::new(), odd: false };
    let mut reader = Reader::default();
    for line in lines {
        if let Some(reason) = trouble::truncated(&line.text) {
            if !reader.started && texts.plans.is_empty() {
                return Err(error(line, reason).help(
                    "raise the log's limit on the length of a message, or take the plan from the server itself",
                ));
            }
            reader.cut = Some(format!("{reason} at line {}", line.number));
            reader.finish(&mut texts)?;
            continue;
        }
        if reader.started && reader.begins_anew(line) && label::begins(&line.text) {
            reader.finish(&mut texts)?;
        }
        reader.line(line);
    }
    reader.finish(&mut texts)?;
    Ok(texts)
}

/// A node that is open, and where its text begins, or its arrow in a plan that is indented less than the server does.
struct Open {
    column: usize,
    kind: String,
    plain_children: usize,
}

#[derive(Default)]
struct Reader<'l> {
    builder: PlanBuilder,
    /// The lines of this plan, for a second look where the tree cannot be right.
    lines: Vec<&'l Line<'l>>,
    /// The line of each node.
    places: Vec<usize>,
    odd: bool,
    /// Columns are those of the arrows, not of the texts behind them.
    by_arrow: bool,
    cut: Option<String>,
    /// `Query Text` and `Query Parameters` as far as they have been read.
    before: Option<(&'static str, String)>,
    open: Vec<Open>,
    /// Indentation of the `Worker n:` line whose lines come now.
    worker: Option<usize>,
    /// A group whose lines are collected, and the indentation of its header: `Planning:`, `JIT:`.
    group: Option<(usize, groups::Group<'l>)>,
    /// A text of several lines behind the plan, and the indentation of its header: 19's `Generated Plan Advice:`.
    advice: Option<(usize, &'l str, Vec<&'l str>)>,
    /// `CTE x`, `InitPlan 1` above the node it names.
    subplan: Option<String>,
    /// Column of the root's text.
    root: usize,
    started: bool,
    /// The root has figures, and so has every node.
    measured: bool,
    /// The plan's nodes are complete: what follows is about the whole.
    behind: bool,
    /// A blank line came since the last line of the plan.
    blank: bool,
    /// Prose has begun: nothing belongs to the plan until the next one begins.
    over: bool,
    /// `Group Key` and `Hash Key` lines of the innermost node: one is a key, several are grouping sets.
    sets: groups::Sets<'l>,
    /// Further relations that the innermost node writes to.
    targets: Vec<serde_json::Value>,
    /// Lines of `NOTIFY`, and whether they stood before the plan.
    utilities: Vec<(bool, usize)>,
}

impl<'l> Reader<'l> {
    /// A node line that cannot be part of the plan that is open.
    fn begins_anew(&self, line: &Line) -> bool {
        !line.text.trim_start().starts_with("->")
            && (self.behind || indent(&line.text) <= self.root)
            && self.subplan.is_none()
            // `Update on p1 p_1`: a further relation of the node above.
            && (self.behind || !self.measured || has_figures(&line.text))
    }

    /// Ends the plan, puts it with the others, and makes room for the next.
    fn finish(&mut self, texts: &mut Texts) -> Result<()> {
        self.close_to(0);
        let reader = std::mem::take(self);
        texts.odd |= reader.odd;
        let (mut builder, lines) = (reader.builder, reader.lines);
        let notify = |before: bool| {
            let lines = reader.utilities.iter().filter(move |(first, _)| *first == before);
            lines.map(|&(_, line)| {
                let plan = Plan { utility: Some("Notify".to_owned()), ..Plan::default() };
                Text { plan, line, cut: None }
            })
        };
        texts.plans.extend(notify(true));
        let (Some(&line), Ok(plan)) = (reader.places.first(), builder.finish()) else { return Ok(()) };
        let mut text = Text { plan, line, cut: reader.cut };
        let mut wrong = arity::wrong(&text.plan);
        if wrong.is_some()
            && let Some(plan) = by_arrows(&lines, &text.plan)
        {
            (text.plan, wrong) = (plan, None);
        }
        let headless = lines.first().is_some_and(|line| line.text.trim_start().starts_with("->"));
        let lost = arity::flat(&lines) || (wrong.is_some() && arity::one_column(&lines));
        match wrong {
            Some(arity::Wrong::Many(_)) if headless => return Err(trouble::headless(&lines)),
            wrong if lost => {
                let lines: Vec<Line> = lines.into_iter().cloned().collect();
                text = straightened(&lines, wrong, &text.plan, &reader.places)?;
            }
            None => {}
            Some(arity::Wrong::Many(id)) if text.cut.is_none() => {
                return Err(trouble::misplaced(&lines, &text.plan, id, &reader.places));
            }
            Some(arity::Wrong::Many(id) | arity::Wrong::Few(id) | arity::Wrong::CutOff(id)) => {
                let last = lines.last().map_or(line, |line| line.number);
                text.cut.get_or_insert_with(|| trouble::lacking(&text.plan, id, &reader.places, last));
            }
        }
        if headless {
            let missing = || format!("the plan is not whole: what stood above line {line} is missing");
            text.cut.get_or_insert_with(missing);
        }
        texts.plans.push(text);
        texts.plans.extend(notify(false));
        Ok(())
    }

    fn line(&mut self, line: &'l Line<'l>) {
        let (indent, text) = (indent(&line.text), line.text.trim());
        if text.is_empty() {
            self.blank = true;
            return;
        }
        if let Some(node) = label::node(text, self.started).filter(|_| !self.over) {
            self.end_before();
            self.odd |= open_figures(text);
            self.places.push(line.number);
            self.lines.push(line);
            self.blank = false;
            return self.node(node, indent, text);
        }
        if text == "NOTIFY" {
            // A rule's statement that has no plan stands where its plan would.
            self.over |= self.started;
            return self.utilities.push((self.places.is_empty(), line.number));
        }
        if !self.started {
            return self.before(text, &line.text);
        }
        if self.over || is_noise(text) {
            return;
        }
        self.inside(line, indent, text);
        self.blank = false;
    }

    /// Whether a line stands further out than those of the root; that of the root may have lost a blank.
    fn outside(&self, indent: usize) -> bool {
        indent <= self.root + 1
    }

    /// A line of the plan that is no node.
    fn inside(&mut self, line: &'l Line<'l>, indent: usize, text: &'l str) {
        if let Some((at, _, lines)) = &mut self.advice
            && indent > *at
        {
            self.lines.push(line);
            return lines.push(text);
        }
        self.end_advice();
        if self.outside(indent) && text.ends_with("Plan Advice:") {
            self.lines.push(line);
            self.close_to(0);
            self.behind = true;
            self.advice = Some((indent, text.trim_end_matches(':'), Vec::new()));
            return;
        }
        let writes = self.open.last().is_some_and(|open| open.kind == "ModifyTable");
        if writes && let Some(target) = label::target(text) {
            self.lines.push(line);
            return self.targets.push(target);
        }
        if let Some(name) = label::subplan(text).filter(|_| !self.behind) {
            self.lines.push(line);
            self.end_group(0);
            self.end_worker(0);
            self.leave(indent);
            self.end_sets();
            self.subplan = Some(name);
            return;
        }
        // What an extension adds behind the plan stands below a header of its own, further out than any node's line.
        let own = |name: &&str| property::split(name).is_none() && groups::Group::named(name, "").is_none();
        if let Some(name) = text.strip_suffix(':').filter(own).filter(|_| !self.blank && self.outside(indent))
        {
            self.close_to(0);
            self.behind = true;
            self.lines.push(line);
            self.end_group(0);
            self.group = Some((indent, groups::Group::headed(name)));
            return;
        }
        if let Some((key, value)) = property::split(text) {
            // Behind a blank line, what looks like a property may be prose: `Note: the cache was warm`.
            if self.blank && indent <= self.root && !property::is_known(key) {
                self.over = true;
                return;
            }
            self.lines.push(line);
            // A literal with a line feed goes on below, whatever its lines look like.
            self.odd |= value.bytes().filter(|byte| *byte == b'\'').count() % 2 == 1;
            return self.property(key, value, indent);
        }
        // What a fork adds behind the plan stands further in.
        if self.blank || indent < self.root || (self.behind && self.outside(indent)) {
            self.odd |= !self.blank;
            self.over = true;
            return;
        }
        // No line of a plan: a second look may tell what it goes on from.
        self.odd = true;
        self.builder.value("Line", text.into());
    }

    /// auto_explain prints the query above its plan.
    fn before(&mut self, text: &str, raw: &str) {
        for key in ["Query Text", "Query Parameters"] {
            if let Some(value) = text.strip_prefix(key).and_then(|rest| rest.strip_prefix(": ")) {
                self.end_before();
                self.before = Some((key, value.to_owned()));
                return;
            }
        }
        if let Some((_, value)) = &mut self.before {
            value.push('\n');
            value.push_str(raw);
        }
    }

    fn end_before(&mut self) {
        if let Some((key, value)) = self.before.take() {
            self.builder.scalar(key, Scalar::Text(value.into()));
        }
    }

    fn node(&mut self, node: label::Label, indent: usize, text: &str) {
        let shift = if text.starts_with("->") { 4 } else { 0 };
        // No node stands inside a worker or a group.
        self.end_group(0);
        self.end_worker(0);
        if self.started {
            self.leave(indent);
            self.end_sets();
        } else {
            // No plan begins with an arrow: the line above it may be broken in two.
            self.odd |= text.starts_with("->");
            self.measured = has_figures(text);
            self.root = indent + shift;
            self.started = true;
        }
        let relationship = self.relationship();
        self.builder.open_node();
        node.fill(&mut self.builder);
        if let Some(word) = relationship {
            self.builder.scalar("Parent Relationship", Scalar::Text(word.into()));
        }
        if let Some(name) = self.subplan.take() {
            self.builder.scalar("Subplan Name", Scalar::Text(name.into()));
        }
        let column = if self.by_arrow { indent } else { indent + shift };
        self.open.push(Open { column, kind: node.kind, plain_children: 0 });
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

    /// Closes the worker, the group and the nodes that a line at `indent` is not inside of.
    fn leave(&mut self, indent: usize) {
        self.end_group(indent);
        self.end_worker(indent);
        if self.worker.is_none() {
            let keep = self.open.iter().rposition(|open| open.column < indent).map_or(1, |at| at + 1);
            self.close_to(keep);
        }
    }

    /// What the innermost node's lines add up to, before another node opens or it closes.
    fn end_sets(&mut self) {
        std::mem::take(&mut self.sets).fill(&mut self.builder);
        if !self.targets.is_empty() {
            self.builder.value("Target Tables", std::mem::take(&mut self.targets).into());
        }
    }

    fn close_to(&mut self, keep: usize) {
        if keep == 0 {
            self.end_advice();
            self.end_group(0);
            self.end_worker(0);
        }
        if self.open.len() > keep {
            self.end_sets();
        }
        while self.open.len() > keep {
            self.open.pop();
            // The label gave every node its kind.
            let _ = self.builder.close_node();
        }
    }

    fn property(&mut self, key: &'l str, value: &'l str, indent: usize) {
        if let Some((at, group)) = &mut self.group
            && indent > *at
        {
            return group.line(key, value);
        }
        if let Some(number) = property::worker(key) {
            self.end_group(0);
            self.end_worker(0);
            self.leave(indent);
            self.builder.open_worker();
            self.builder.scalar("Worker Number", Scalar::Number(f64::from(number), ""));
            self.worker = Some(indent);
            if let Some(ran) = label::actual(value) {
                ran.fill(&mut self.builder);
            } else if let Some((key, value)) = property::split(value) {
                self.fill(key, value);
            }
            return;
        }
        if self.outside(indent) && property::is_behind(key) {
            self.close_to(0);
            self.behind = true;
            match groups::Group::named(key, value) {
                Some(group) => self.group = Some((indent, group)),
                None => property::footer(&mut self.builder, key, value),
            }
            return;
        }
        self.leave(indent);
        match groups::Group::named(key, value) {
            Some(group) => self.group = Some((indent, group)),
            None => self.fill(key, value),
        }
    }

    fn fill(&mut self, key: &'l str, value: &'l str) {
        let kind = self.open.last().map_or("", |open| open.kind.as_str());
        if kind == "Aggregate" && self.worker.is_none() && self.sets.take(key, value) {
            return;
        }
        property::fill(&mut self.builder, kind, key, value);
    }

    /// Ends the worker unless a line at `indent` is inside of it.
    fn end_worker(&mut self, indent: usize) {
        if self.worker.is_some_and(|at| indent <= at) {
            self.builder.close_worker();
            self.worker = None;
        }
    }

    fn end_advice(&mut self) {
        if let Some((_, key, lines)) = self.advice.take() {
            self.builder.scalar(key, Scalar::Text(lines.join("\n").into()));
        }
    }

    /// Ends the group unless a line at `indent` is inside of it.
    fn end_group(&mut self, indent: usize) {
        if let Some((_, group)) = self.group.take_if(|(at, _)| indent <= *at) {
            group.fill(&mut self.builder);
        }
    }
}

/// Reads a plan again whose children stand further in than its arrow, not than its text; `None` where that is no tree
/// either.
fn by_arrows(lines: &[&Line], read: &Plan) -> Option<Plan> {
    let mut reader = Reader { by_arrow: true, ..Reader::default() };
    for line in lines {
        reader.line(line);
    }
    reader.close_to(0);
    let plan = reader.builder.finish().ok().filter(|plan| arity::wrong(plan).is_none())?;
    Some(with_statement(plan, read))
}

/// What stood above a plan that was read again.
fn with_statement(plan: Plan, read: &Plan) -> Plan {
    let (query_text, query_parameters) = (read.query_text.clone(), read.query_parameters.clone());
    Plan { query_text, query_parameters, ..plan }
}

/// Reads a plan again, indented as its nodes demand.
fn straightened(lines: &[Line], wrong: Option<arity::Wrong>, read: &Plan, places: &[usize]) -> Result<Text> {
    let id = match wrong {
        Some(arity::Wrong::Many(id) | arity::Wrong::Few(id) | arity::Wrong::CutOff(id)) => id,
        None => 0,
    };
    let lost = || {
        let number = places.get(id).or(places.first()).copied().unwrap_or(1);
        let kind = read.nodes.get(id).map_or("this node", |node| node.kind.as_str());
        match lines.iter().find(|line| line.number == number).or(lines.first()) {
            Some(line) => error(
                line,
                format!(
                    "the indentation of this plan is lost, and the inputs of {kind} fit more than one tree"
                ),
            )
            .help("paste it with its indentation, or as JSON: EXPLAIN (FORMAT JSON)"),
            None => nothing(lines),
        }
    };
    let straight = arity::reindented(lines).ok_or_else(lost)?;
    let mut reader = Reader::default();
    for line in &straight {
        reader.line(line);
    }
    reader.close_to(0);
    let (Some(&line), Ok(plan)) = (reader.places.first(), reader.builder.finish()) else {
        return Err(lost());
    };
    match arity::wrong(&plan) {
        None => Ok(Text { plan: with_statement(plan, read), line, cut: None }),
        Some(_) => Err(lost()),
    }
}
