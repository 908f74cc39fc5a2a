//! EXPLAIN (FORMAT JSON): everything that a plan holds, under the server's names.

use super::super::{Execution, Node, Plan, Ran, Relationship, Worker};
use super::json_groups::{counters, figures, jit_group, trigger_group};
use super::{Figures, Properties, Property, Spelling, conditions, filters, fixed, kilobytes, plain, time};
use serde_json::Value;

/// Deeper lines are not indented further: a plan of ten thousand levels would be spaces and little else.
const INDENTED_LEVELS: usize = 100;

/// The plan as EXPLAIN (FORMAT JSON) prints it: `[{"Plan": …}]`, indented by two spaces.
///
/// [`read_json`](super::super::read_json) gives the same plan back. A statement without a plan is its bare word, as
/// the server prints it: `["Notify"]`. [`Plan::duration`] is left out: it stands before a log's entry, not in it.
pub fn write_json(plan: &Plan) -> String {
    write_json_list(std::slice::from_ref(plan))
}

/// Several plans as one document: `[{"Plan": …}, {"Plan": …}]`, as the server prints a statement that rules
/// rewrite into several.
pub fn write_json_list(plans: &[Plan]) -> String {
    let mut json = Json { out: String::new(), depth: 0, fresh: true };
    json.open('[');
    for plan in plans {
        json.item();
        match &plan.utility {
            Some(utility) => json.out.push_str(&string(utility)),
            None => whole(&mut json, plan),
        }
    }
    json.close(']');
    json.out.push('\n');
    json.out
}

/// The text, and where in it we are.
pub(super) struct Json {
    out: String,
    depth: usize,
    /// Nothing stands in the innermost bracket yet.
    fresh: bool,
}

impl Json {
    pub(super) fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
        self.fresh = true;
    }

    pub(super) fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        self.line();
        self.out.push(bracket);
        self.fresh = false;
    }

    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.depth.min(INDENTED_LEVELS) {
            self.out.push_str("  ");
        }
    }

    /// Begins an element of a list.
    fn item(&mut self) {
        if !self.fresh {
            self.out.push(',');
        }
        self.fresh = false;
        self.line();
    }

    /// Begins a member of a group.
    pub(super) fn key(&mut self, key: &str) {
        self.item();
        self.out.push_str(&string(key));
        self.out.push_str(": ");
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.out.push_str(&string(text));
    }

    pub(super) fn text_if(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// A number as it is to be spelt. JSON has none that are not finite: those go in quotes.
    pub(super) fn number(&mut self, key: &str, spelt: &str) {
        let finite = spelt.ends_with(|c: char| c.is_ascii_digit());
        self.key(key);
        self.out.push_str(&if finite { spelt.to_owned() } else { string(spelt) });
    }

    fn flag(&mut self, key: &str, flag: bool) {
        self.key(key);
        self.out.push_str(if flag { "true" } else { "false" });
    }

    fn flag_if(&mut self, key: &str, flag: Option<bool>) {
        if let Some(flag) = flag {
            self.flag(key, flag);
        }
    }

    pub(super) fn texts(&mut self, key: &str, texts: &[String]) {
        self.key(key);
        let texts: Vec<String> = texts.iter().map(|text| string(text)).collect();
        self.out.push('[');
        self.out.push_str(&texts.join(", "));
        self.out.push(']');
    }

    fn member(&mut self, key: &str, value: &Value) {
        self.key(key);
        self.value(value);
    }

    /// Values that a reader made are no deeper than it lets them be.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(group) => {
                self.open('{');
                for (key, value) in group {
                    self.member(key, value);
                }
                self.close('}');
            }
            Value::Array(list) if list.iter().any(|v| v.is_object() || v.is_array()) || list.is_empty() => {
                self.open('[');
                for value in list {
                    self.item();
                    self.value(value);
                }
                self.close(']');
            }
            Value::Array(list) => {
                let items: Vec<String> = list.iter().map(Value::to_string).collect();
                self.out.push_str(&format!("[{}]", items.join(", ")));
            }
            scalar => self.out.push_str(&scalar.to_string()),
        }
    }
}

fn string(text: &str) -> String {
    Value::from(text).to_string()
}

fn whole(json: &mut Json, plan: &Plan) {
    let spelling = Spelling::of(plan);
    json.open('{');
    json.text_if("Query Text", plan.query_text.as_deref());
    json.text_if("Query Parameters", plan.query_parameters.as_deref());
    nodes(json, &plan.nodes, spelling);
    if let Some(settings) = &plan.settings {
        json.key("Settings");
        json.open('{');
        for (name, value) in settings {
            json.text(name, value);
        }
        json.close('}');
    }
    if let Some(identifier) = plan.query_identifier {
        json.number("Query Identifier", &identifier.to_string());
    }
    if plan.planning_buffers.is_some() || plan.planning_io.is_some() || plan.planning_memory.is_some() {
        json.key("Planning");
        json.open('{');
        counters(json, plan.planning_buffers.as_ref(), plan.planning_io.as_ref());
        if let Some(memory) = plan.planning_memory {
            json.number("Memory Used", &kilobytes(memory.used));
            json.number("Memory Allocated", &kilobytes(memory.allocated));
        }
        json.close('}');
    }
    if let Some(planning) = plan.planning_time {
        json.number("Planning Time", &time(planning));
    }
    if let Some(triggers) = &plan.triggers {
        json.key("Triggers");
        json.open('[');
        for trigger in triggers {
            json.item();
            json.value(&trigger_group(trigger));
        }
        json.close(']');
    }
    if let Some(jit) = &plan.jit {
        json.member("JIT", &jit_group(jit));
    }
    if let Some(serialization) = &plan.serialization {
        json.key("Serialization");
        json.open('{');
        if let Some(spent) = serialization.time {
            json.number("Time", &time(spent));
        }
        json.number("Output Volume", &kilobytes(serialization.output));
        json.text("Format", &serialization.format);
        counters(json, serialization.buffers.as_ref(), serialization.io.as_ref());
        json.close('}');
    }
    if let Some(execution) = plan.execution_time {
        json.number("Execution Time", &time(execution));
    }
    for (key, value) in &plan.extra {
        json.member(key, value);
    }
    json.close('}');
}

/// The tree, without recursion: each node closes those that it is not inside of.
fn nodes(json: &mut Json, nodes: &[Node], spelling: Spelling) {
    // The nodes that are open, and whether their list of children is.
    let mut open: Vec<(usize, bool)> = Vec::new();
    for node in nodes {
        while open.last().is_some_and(|(id, _)| Some(*id) != node.parent) {
            close(json, &mut open);
        }
        match open.last_mut() {
            Some((_, children)) => {
                if !std::mem::replace(children, true) {
                    json.key("Plans");
                    json.open('[');
                }
                json.item();
            }
            None => json.key("Plan"),
        }
        json.open('{');
        members(json, node, spelling);
        open.push((node.id, false));
    }
    while !open.is_empty() {
        close(json, &mut open);
    }
}

fn close(json: &mut Json, open: &mut Vec<(usize, bool)>) {
    if let Some((_, children)) = open.pop() {
        if children {
            json.close(']');
        }
        json.close('}');
    }
}

fn members(json: &mut Json, node: &Node, spelling: Spelling) {
    let d = &node.detail;
    json.text("Node Type", &node.kind);
    json.text_if("Strategy", d.strategy.as_deref());
    json.text_if("Partial Mode", d.partial_mode.as_deref());
    json.text_if("Operation", d.operation.as_deref());
    let relationship = match &node.relationship {
        Relationship::Root => None,
        Relationship::Outer => Some("Outer"),
        Relationship::Inner => Some("Inner"),
        Relationship::Member => Some("Member"),
        Relationship::Subquery => Some("Subquery"),
        Relationship::InitPlan => Some("InitPlan"),
        Relationship::SubPlan => Some("SubPlan"),
        Relationship::Other(word) => (!word.is_empty()).then_some(word.as_str()),
    };
    json.text_if("Parent Relationship", relationship);
    json.text_if("Subplan Name", node.subplan_name.as_deref());
    json.text_if("Custom Plan Provider", d.custom_plan_provider.as_deref());
    json.flag_if("Parallel Aware", d.parallel_aware);
    json.flag_if("Async Capable", d.async_capable);
    json.text_if("Join Type", d.join_type.as_deref());
    json.text_if("Command", d.command.as_deref());
    json.text_if("Scan Direction", d.scan_direction.as_deref());
    json.text_if("Index Name", d.index.as_deref());
    json.text_if("Relation Name", d.relation.as_deref());
    json.text_if("Function Name", d.function.as_deref());
    json.text_if("Table Function Name", d.table_function.as_deref());
    json.text_if("CTE Name", d.cte.as_deref());
    json.text_if("Tuplestore Name", d.tuplestore.as_deref());
    json.text_if("Schema", d.schema.as_deref());
    json.text_if("Alias", d.alias.as_deref());
    if let Some(estimate) = node.estimate {
        json.number("Startup Cost", &fixed(estimate.startup_cost.0, 2));
        json.number("Total Cost", &fixed(estimate.total_cost.0, 2));
        json.number("Plan Rows", &plain(estimate.rows.0));
        json.number("Plan Width", &plain(estimate.width));
    }
    match &node.execution {
        Execution::NotMeasured => {}
        Execution::Ran(ran) => execution(json, ran, spelling),
        Execution::NeverRan => {
            if spelling.timing {
                json.number("Actual Startup Time", "0.000");
                json.number("Actual Total Time", "0.000");
            }
            json.number("Actual Rows", &spelling.rows(0.0));
            json.number("Actual Loops", "0");
        }
    }
    listed(json, conditions(node));
    for (key, value) in &node.extra {
        // A list under these names would be read as nodes and workers; inside of such a list it is not.
        if ["Plans", "Workers"].contains(&key.as_str()) && value.is_array() {
            json.member(key, &Value::Array(vec![value.clone()]));
        } else {
            json.member(key, value);
        }
    }
    listed(json, filters(node));
    if let Some(storage) = &d.storage {
        json.text("Storage", &storage.kind);
        json.number("Maximum Storage", &kilobytes(storage.maximum));
    }
    figures(json, &Figures::of_node(node));
    if !node.workers.is_empty() {
        json.key("Workers");
        json.open('[');
        for worker in &node.workers {
            json.item();
            self::worker(json, worker, node, spelling);
        }
        json.close(']');
    }
}

fn worker(json: &mut Json, worker: &Worker, node: &Node, spelling: Spelling) {
    json.open('{');
    // Where no number was printed there is none.
    if worker.number != u32::MAX {
        json.number("Worker Number", &worker.number.to_string());
    }
    if let Some(ran) = &worker.execution {
        execution(json, ran, spelling);
    }
    if let Some(jit) = &worker.jit {
        json.member("JIT", &jit_group(jit));
    }
    for (key, value) in &worker.extra {
        json.member(key, value);
    }
    figures(json, &Figures::of_worker(worker, node));
    json.close('}');
}

fn execution(json: &mut Json, ran: &Ran, spelling: Spelling) {
    for (key, spent) in [("Actual Startup Time", ran.startup_time), ("Actual Total Time", ran.total_time)] {
        if let Some(spent) = spent {
            json.number(key, &time(spent));
        }
    }
    json.number("Actual Rows", &spelling.rows(ran.rows.0));
    json.number("Actual Loops", &plain(ran.loops));
}

fn listed(json: &mut Json, properties: Properties<'_>) {
    for (key, property) in properties {
        match property {
            Property::Text(text) => json.text(key, text),
            Property::Texts(texts) => json.texts(key, texts),
            Property::Count(number) | Property::Removed(number) => json.number(key, &plain(number)),
            Property::Flag(flag) => json.flag(key, flag),
        }
    }
}
