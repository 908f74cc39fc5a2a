//! Turns properties (a name with a scalar, a list or a group) into the fields of a [`Plan`].
//!
//! Refuses to know a notation: a reader of JSON, text, YAML or XML lexes its format and drives [`PlanBuilder`],
//! so that the same plan is equal whatever it was printed in.

use super::counters::Counters;
use super::fields::{flag_field, relationship, text_field, texts_field};
use super::groups;
use super::{Detail, Estimate, Execution, Node, Plan, Relationship, Storage, Worker};
use crate::units::{Bytes, Cost, Millis, Rows};
use serde_json::Value;
use std::borrow::Cow;

/// One printed value.
#[derive(Debug, Clone)]
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    /// A number, and how it was spelt.
    Number(f64, &'a str),
    Bool(bool),
    Null,
}

impl Scalar<'_> {
    pub(super) fn into_value(self) -> Value {
        match self {
            Scalar::Text(text) => Value::String(text.into_owned()),
            Scalar::Number(number, source) => number_value(number, source),
            Scalar::Bool(flag) => Value::Bool(flag),
            Scalar::Null => Value::Null,
        }
    }

    /// The number, also where the notation has only text.
    fn number(&self) -> Option<f64> {
        match self {
            Scalar::Number(number, _) => Some(*number),
            Scalar::Text(text) => text.parse().ok().filter(|number| possible(*number)),
            _ => None,
        }
    }

    fn flag(&self) -> Option<bool> {
        match self {
            Scalar::Bool(flag) => Some(*flag),
            Scalar::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Nothing that a server prints of a plan is larger; it holds row counts down to 1e100. Products of two stay finite.
const LARGEST: f64 = 1e150;

/// Whether a figure of a plan can be `number`: neither below zero nor without end.
pub(super) fn possible(number: f64) -> bool {
    (0.0..=LARGEST).contains(&number)
}

/// The JSON number nearest to `number`: an integer where it was spelt as one that fits. JSON has no infinity.
pub(super) fn number_value(number: f64, source: &str) -> Value {
    if !number.is_finite() {
        return Value::from(source);
    }
    if let Ok(integer) = source.parse::<i64>() {
        return Value::from(integer);
    }
    source.parse::<u64>().map_or_else(|_| Value::from(number), Value::from)
}

/// What a property with this name, holding a list or group, contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// One node, as a group.
    Node,
    /// Nodes, as a list of groups.
    Nodes,
    /// Workers, as a list of groups.
    Workers,
    /// A list of texts.
    Texts,
    /// A small group that [`PlanBuilder::value`] takes apart, or one that we do not know.
    Value,
}

/// Something without which the input is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Plan,
    NodeType,
}

/// What of an open node is complete only when it closes.
#[derive(Default)]
struct Open {
    id: usize,
    startup_cost: Option<f64>,
    total_cost: Option<f64>,
    rows: Option<f64>,
    width: Option<f64>,
    counters: Counters,
    storage: Option<String>,
    maximum_storage: Option<f64>,
}

/// A worker that is being read.
struct OpenWorker {
    worker: Worker,
    counters: Counters,
}

/// Collects one plan.
#[derive(Default)]
pub(super) struct PlanBuilder {
    plan: Plan,
    open: Vec<Open>,
    worker: Option<OpenWorker>,
}

impl PlanBuilder {
    /// Ends the plan and makes room for the next.
    pub(super) fn finish(&mut self) -> Result<Plan, Missing> {
        let plan = std::mem::take(self).plan;
        if plan.nodes.is_empty() { Err(Missing::Plan) } else { Ok(plan) }
    }

    /// What the list or group under `key` holds, at the place we are.
    pub(super) fn inside(&self, key: &str) -> Inside {
        match key {
            _ if self.worker.is_some() => Inside::Value,
            "Plan" if self.plan.nodes.is_empty() => Inside::Node,
            _ if self.open.is_empty() => Inside::Value,
            "Plans" => Inside::Nodes,
            "Workers" => Inside::Workers,
            "Output" | "Sort Key" | "Presorted Key" | "Group Key" | "Hash Key" | "Params Evaluated" => {
                Inside::Texts
            }
            _ => Inside::Value,
        }
    }

    /// Begins a node: the root, or a child of the node that is open. A plan has one root: a node behind it is under it.
    pub(super) fn open_node(&mut self) {
        let id = self.plan.nodes.len();
        let parent = self.open.last().map(|open| open.id).or((id > 0).then_some(0));
        let relationship = match parent {
            None => Relationship::Root,
            Some(_) => Relationship::Other(String::new()),
        };
        self.plan.nodes.push(Node {
            id,
            parent,
            relationship,
            kind: String::new(),
            subplan_name: None,
            estimate: None,
            execution: Execution::NotMeasured,
            buffers: None,
            io: None,
            wal: None,
            workers_planned: None,
            workers_launched: None,
            workers: Vec::new(),
            detail: Detail::default(),
            extra: Vec::new(),
        });
        self.open.push(Open { id, ..Open::default() });
    }

    /// Ends the innermost node.
    pub(super) fn close_node(&mut self) -> Result<(), Missing> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let Open { id, startup_cost, total_cost, rows, width, counters, storage, maximum_storage } = open;
        let node = &mut self.plan.nodes[id];
        if node.kind.is_empty() {
            return Err(Missing::NodeType);
        }
        let extra = &mut node.extra;
        match (startup_cost, total_cost, rows, width) {
            (Some(startup), Some(total), Some(rows), Some(width)) => {
                let (startup_cost, total_cost) = (Cost(startup), Cost(total));
                node.estimate = Some(Estimate { startup_cost, total_cost, rows: Rows(rows), width });
            }
            _ => {
                let names = ["Startup Cost", "Total Cost", "Plan Rows", "Plan Width"];
                keep(extra, names.into_iter().zip([startup_cost, total_cost, rows, width]));
            }
        }
        match (storage, maximum_storage) {
            (Some(kind), Some(maximum)) => {
                node.detail.storage = Some(Storage { kind, maximum: Bytes::from_kb(maximum) });
            }
            (kind, maximum) => {
                extra.extend(kind.map(|kind| ("Storage".to_owned(), Value::String(kind))));
                keep(extra, [("Maximum Storage", maximum)]);
            }
        }
        if let Some(ran) = counters.ran(extra) {
            node.execution = if ran.loops == 0.0 { Execution::NeverRan } else { Execution::Ran(ran) };
        }
        node.detail.sort = counters.sort(extra);
        node.detail.full_sort_groups = counters.full_sort_groups.map(Box::new);
        node.detail.presorted_groups = counters.presorted_groups.map(Box::new);
        node.detail.exact_heap_blocks = counters.exact_heap_blocks;
        node.detail.lossy_heap_blocks = counters.lossy_heap_blocks;
        let (hash, memoize) = counters.tables.split(node.kind == "Memoize" || node.kind == "Result Cache");
        node.buffers = counters.buffers;
        (node.detail.hash, node.detail.memoize) = (hash.map(Box::new), memoize.map(Box::new));
        node.io = counters.io.map(Box::new);
        node.wal = counters.wal.filter(|wal| !wal.is_zero());
        merge_workers(&mut node.workers);
        Ok(())
    }

    /// Begins a worker of the open node.
    pub(super) fn open_worker(&mut self) {
        let worker = Worker {
            number: u32::MAX,
            execution: None,
            buffers: None,
            io: None,
            wal: None,
            sort: None,
            full_sort_groups: None,
            presorted_groups: None,
            hash: None,
            memoize: None,
            exact_heap_blocks: None,
            lossy_heap_blocks: None,
            jit: None,
            extra: Vec::new(),
        };
        self.worker = Some(OpenWorker { worker, counters: Counters::default() });
    }

    /// Ends the worker.
    pub(super) fn close_worker(&mut self) {
        let (Some(OpenWorker { mut worker, counters }), Some(open)) = (self.worker.take(), self.open.last())
        else {
            return;
        };
        let node = &mut self.plan.nodes[open.id];
        worker.execution = counters.ran(&mut worker.extra);
        worker.sort = counters.sort(&mut worker.extra);
        worker.full_sort_groups = counters.full_sort_groups.map(Box::new);
        worker.presorted_groups = counters.presorted_groups.map(Box::new);
        worker.exact_heap_blocks = counters.exact_heap_blocks;
        worker.lossy_heap_blocks = counters.lossy_heap_blocks;
        (worker.hash, worker.memoize) =
            counters.tables.split(node.kind == "Memoize" || node.kind == "Result Cache");
        worker.buffers = counters.buffers;
        worker.io = counters.io;
        worker.wal = counters.wal.filter(|wal| !wal.is_zero());
        node.workers.push(worker);
    }

    /// A property with one value. What we do not know, or not with such a value, goes to `extra`.
    pub(super) fn scalar(&mut self, key: &str, value: Scalar<'_>) {
        let impossible = matches!(value, Scalar::Number(number, _) if !possible(number));
        let rest = if impossible && key != "Query Identifier" {
            Some(value)
        } else if let Some(open) = &mut self.worker {
            worker_scalar(open, key, value)
        } else if let Some(open) = self.open.last_mut() {
            node_scalar(&mut self.plan.nodes[open.id], open, key, value)
        } else {
            plan_scalar(&mut self.plan, key, value)
        };
        if let Some(value) = rest {
            self.extra().push((key.to_owned(), value.into_value()));
        }
    }

    /// A property that is a list of texts: only for keys that are [`Inside::Texts`].
    pub(super) fn texts(&mut self, key: &str, texts: Vec<String>) {
        let Some(open) = self.open.last() else { return };
        match texts_field(&mut self.plan.nodes[open.id].detail, key) {
            Some(field) => field.extend(texts),
            None => self.value(key, texts.into()),
        }
    }

    /// Any other list or group.
    pub(super) fn value(&mut self, key: &str, value: Value) {
        if let ("JIT", Some(open)) = (key, &mut self.worker)
            && let Value::Object(group) = value
        {
            open.worker.jit = Some(Box::new(groups::jit(group)));
            return;
        }
        let counters = match (&mut self.worker, self.open.last_mut()) {
            (Some(open), _) => Some(&mut open.counters),
            (None, Some(open)) => Some(&mut open.counters),
            (None, None) => None,
        };
        let rest = match counters {
            Some(counters) => match key {
                "Full-sort Groups" => groups::space(&mut counters.full_sort_groups, value),
                "Pre-sorted Groups" => groups::space(&mut counters.presorted_groups, value),
                _ => Some(value),
            },
            None => groups::top_level(&mut self.plan, key, value),
        };
        if let Some(value) = rest {
            self.extra().push((key.to_owned(), value));
        }
    }

    /// Where unknown properties of this place go.
    fn extra(&mut self) -> &mut Vec<(String, Value)> {
        match (&mut self.worker, self.open.last()) {
            (Some(open), _) => &mut open.worker.extra,
            (None, Some(open)) => &mut self.plan.nodes[open.id].extra,
            (None, None) => &mut self.plan.extra,
        }
    }
}

/// Keeps the numbers of an incomplete set.
pub(super) fn keep<'a>(
    extra: &mut Vec<(String, Value)>,
    numbers: impl IntoIterator<Item = (&'a str, Option<f64>)>,
) {
    let present = numbers.into_iter().filter_map(|(key, number)| Some((key.to_owned(), number?.into())));
    extra.extend(present);
}

/// Version 12 may print the workers of one node in two lists.
fn merge_workers(workers: &mut Vec<Worker>) {
    if workers.is_sorted_by(|a, b| a.number < b.number) {
        return;
    }
    workers.sort_by_key(|worker| worker.number);
    workers.dedup_by(|later, first| {
        let same = later.number == first.number;
        if same {
            first.execution = later.execution.take().or(first.execution);
            first.buffers = later.buffers.take().or(first.buffers);
            first.io = later.io.take().or(first.io);
            first.wal = later.wal.take().or(first.wal);
            first.sort = later.sort.take().or(first.sort.take());
            first.full_sort_groups = later.full_sort_groups.take().or(first.full_sort_groups.take());
            first.presorted_groups = later.presorted_groups.take().or(first.presorted_groups.take());
            first.hash = later.hash.take().or(first.hash);
            first.memoize = later.memoize.take().or(first.memoize.take());
            first.exact_heap_blocks = later.exact_heap_blocks.take().or(first.exact_heap_blocks);
            first.lossy_heap_blocks = later.lossy_heap_blocks.take().or(first.lossy_heap_blocks);
            first.jit = later.jit.take().or(first.jit.take());
            first.extra.append(&mut later.extra);
        }
        same
    });
}

fn plan_scalar<'a>(plan: &mut Plan, key: &str, value: Scalar<'a>) -> Option<Scalar<'a>> {
    match (key, value) {
        ("Query Text", Scalar::Text(text)) => plan.query_text = Some(text.into_owned()),
        ("Query Parameters", Scalar::Text(text)) => plan.query_parameters = Some(text.into_owned()),
        ("Query Identifier", value) => {
            let source = match &value {
                Scalar::Number(_, source) => source,
                Scalar::Text(text) => text.as_ref(),
                _ => "",
            };
            match source.parse() {
                Ok(identifier) => plan.query_identifier = Some(identifier),
                Err(_) => return Some(value),
            }
        }
        ("Planning Time" | "Execution Time", value) => {
            let Some(number) = value.number() else { return Some(value) };
            let field =
                if key == "Planning Time" { &mut plan.planning_time } else { &mut plan.execution_time };
            *field = Some(Millis(number));
        }
        (_, value) => return Some(value),
    }
    None
}

fn worker_scalar<'a>(open: &mut OpenWorker, key: &str, value: Scalar<'a>) -> Option<Scalar<'a>> {
    match (key, value) {
        ("Worker Number", Scalar::Number(number, _)) => open.worker.number = number as u32,
        (_, value) => return open.counters.scalar(key, value),
    }
    None
}

fn node_scalar<'a>(node: &mut Node, open: &mut Open, key: &str, value: Scalar<'a>) -> Option<Scalar<'a>> {
    match &value {
        Scalar::Number(number, _) => {
            let number = *number;
            match key {
                "Startup Cost" => open.startup_cost = Some(number),
                "Total Cost" => open.total_cost = Some(number),
                "Plan Rows" => open.rows = Some(number),
                "Plan Width" => open.width = Some(number),
                _ if open.counters.number(key, number) => {}
                _ if node_number(node, open, key, number) => {}
                _ => return Some(value),
            }
            None
        }
        Scalar::Bool(flag) => match flag_field(&mut node.detail, key) {
            Some(field) => {
                *field = Some(*flag);
                None
            }
            None => Some(value),
        },
        Scalar::Text(_) => node_text(node, open, key, value),
        Scalar::Null => Some(value),
    }
}

fn node_number(node: &mut Node, open: &mut Open, key: &str, number: f64) -> bool {
    let detail = &mut node.detail;
    let field = match key {
        "Workers Planned" => {
            node.workers_planned = Some(number as u32);
            return true;
        }
        "Workers Launched" => {
            node.workers_launched = Some(number as u32);
            return true;
        }
        "Rows Removed by Filter" => &mut detail.rows_removed_by_filter,
        "Rows Removed by Join Filter" => &mut detail.rows_removed_by_join_filter,
        "Rows Removed by Index Recheck" => &mut detail.rows_removed_by_index_recheck,
        "Rows Removed by Conflict Filter" => &mut detail.rows_removed_by_conflict_filter,
        "Heap Fetches" => &mut detail.heap_fetches,
        "Index Searches" => &mut detail.index_searches,
        "Subplans Removed" => &mut detail.subplans_removed,
        "Maximum Storage" => &mut open.maximum_storage,
        _ => return false,
    };
    *field = Some(number);
    true
}

fn node_text<'a>(node: &mut Node, open: &mut Open, key: &str, value: Scalar<'a>) -> Option<Scalar<'a>> {
    let Scalar::Text(text) = value else { return Some(value) };
    match key {
        // Nothing is no kind, and takes none away.
        "Node Type" if text.is_empty() => {}
        "Node Type" => node.kind = text.into_owned(),
        "Parent Relationship" => node.relationship = relationship(text),
        "Subplan Name" => node.subplan_name = Some(text.into_owned()),
        "Storage" => open.storage = Some(text.into_owned()),
        _ => {
            if let Some(field) = text_field(&mut node.detail, key) {
                *field = Some(text.into_owned());
            } else if let Some(field) = texts_field(&mut node.detail, key) {
                field.push(text.into_owned());
            } else {
                return text_as_other(node, open, key, text);
            }
        }
    }
    None
}

/// Notations without types say `"3"` and `"true"`; in JSON this is rare.
fn text_as_other<'a>(node: &mut Node, open: &mut Open, key: &str, text: Cow<'a, str>) -> Option<Scalar<'a>> {
    let value = open.counters.scalar(key, Scalar::Text(text))?;
    if let (Some(flag), Some(field)) = (value.flag(), flag_field(&mut node.detail, key)) {
        *field = Some(flag);
        return None;
    }
    let Some(number) = value.number() else { return Some(value) };
    let field = match key {
        "Startup Cost" => &mut open.startup_cost,
        "Total Cost" => &mut open.total_cost,
        "Plan Rows" => &mut open.rows,
        "Plan Width" => &mut open.width,
        _ => return (!node_number(node, open, key, number)).then_some(value),
    };
    *field = Some(number);
    None
}
