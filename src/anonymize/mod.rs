//! Plans that may be shown in public: names, literals and texts replaced, shape and figures kept.
//!
//! Refuses to keep what it does not know to be PostgreSQL's own (whitelists, never blacklists), and to say
//! anything of the original but its structure: the text of the query and its parameters are left out, because the
//! plan holds what a reader needs of them. What stays: kinds of nodes, costs, rows, times, counters, operators,
//! functions and types of `pg_catalog`, the names of settings, a custom plan's provider, and which names, literals
//! and numbers are the same.

mod keep;
mod lists;
mod names;
mod text;

use crate::plan::{Detail, GroupSpace, Jit, Node, Plan, Relationship, Sort, Trigger};
use names::{Class, Names};
use serde_json::{Map, Value};
use text::{Holds, rewrite};

/// The plans with other names, which are the same for the same original in all of them.
///
/// Names are counted in the order of the plans, so that the same plans give the same names, and anonymizing twice
/// changes nothing more.
pub fn anonymize(plans: &[Plan]) -> Vec<Plan> {
    let mut names = Names::default();
    // Tables first, so that an expression's `x` has its table's name and not one of its own.
    for class in [Class::Table, Class::Cte, Class::Alias] {
        plans.iter().flat_map(|plan| &plan.nodes).for_each(|node| register(&mut names, node, class));
    }
    plans.iter().map(|plan| whole(&mut names, plan)).collect()
}

/// Makes the names of relations known.
fn register(names: &mut Names, node: &Node, class: Class) {
    let d = &node.detail;
    let targets = node.extra.iter().filter(|(key, _)| key == "Target Tables");
    let targets = targets.filter_map(|(_, list)| list.as_array()).flatten();
    let target = |key: &'static str| targets.filter_map(move |target| target.get(key)?.as_str());
    let mut add = |name: &str| {
        names.name(class, name);
    };
    match class {
        Class::Table => {
            d.relation.iter().chain(&d.tuplestore).for_each(|name| add(name));
            target("Relation Name").for_each(add);
        }
        Class::Cte => {
            node.subplan_name.iter().filter_map(|name| name.strip_prefix("CTE ")).for_each(&mut add);
            d.cte.iter().for_each(|name| add(name));
        }
        _ => {
            d.alias.iter().for_each(|name| add(name));
            target("Alias").for_each(add);
            if let Some(schema) = &d.schema {
                names.name(Class::Schema, schema);
            }
        }
    }
}

fn whole(names: &mut Names, plan: &Plan) -> Plan {
    let settings = |names: &mut Names, (name, value): &(String, String)| {
        (names.name(Class::Setting, name), setting(names, name, value))
    };
    let mut compiled = plan.jit.clone();
    compiled.iter_mut().for_each(|group| jit(names, group));
    let mut serialization = plan.serialization.clone();
    if let Some(serialization) = &mut serialization {
        serialization.format = names.name(Class::Word, &serialization.format);
    }
    Plan {
        nodes: plan.nodes.iter().map(|node| self::node(names, node)).collect(),
        planning_time: plan.planning_time,
        execution_time: plan.execution_time,
        duration: plan.duration,
        planning_buffers: plan.planning_buffers,
        planning_io: plan.planning_io,
        planning_memory: plan.planning_memory,
        triggers: plan
            .triggers
            .as_ref()
            .map(|triggers| triggers.iter().map(|trigger| self::trigger(names, trigger)).collect()),
        jit: compiled,
        serialization,
        settings: plan.settings.as_ref().map(|list| list.iter().map(|one| settings(names, one)).collect()),
        query_identifier: plan.query_identifier.map(|identifier| names.identifier(identifier)),
        query_text: None,
        query_parameters: None,
        utility: plan.utility.as_ref().map(|word| names.name(Class::Word, word)),
        extra: properties(names, &plan.extra),
    }
}

fn setting(names: &mut Names, name: &str, value: &str) -> String {
    if keep::setting_value(value) {
        value.to_owned()
    } else if name == "search_path" {
        rewrite(names, value, Holds::Schemas)
    } else {
        names.literal(value).trim_matches('\'').to_owned()
    }
}

fn trigger(names: &mut Names, trigger: &Trigger) -> Trigger {
    Trigger {
        name: trigger.name.as_ref().map(|name| names.name(Class::Trigger, name)),
        constraint: trigger.constraint.as_ref().map(|name| names.name(Class::Constraint, name)),
        relation: trigger.relation.as_ref().map(|name| names.name(Class::Table, name)),
        time: trigger.time,
        calls: trigger.calls,
        extra: properties(names, &trigger.extra),
    }
}

fn node(names: &mut Names, node: &Node) -> Node {
    let relationship = match &node.relationship {
        Relationship::Other(word) if !word.is_empty() => Relationship::Other(names.name(Class::Word, word)),
        known => known.clone(),
    };
    let mut workers = node.workers.clone();
    for worker in &mut workers {
        sort(names, &mut worker.sort);
        groups(names, &mut worker.full_sort_groups);
        groups(names, &mut worker.presorted_groups);
        if let Some(cache) = &mut worker.memoize {
            word(names, &mut cache.mode);
        }
        worker.jit.iter_mut().for_each(|group| jit(names, group));
        worker.extra = properties(names, &worker.extra);
    }
    Node {
        id: node.id,
        parent: node.parent,
        relationship,
        kind: names.name(Class::Kind, &node.kind),
        subplan_name: node.subplan_name.as_ref().map(|name| subplan(names, name)),
        estimate: node.estimate,
        execution: node.execution,
        buffers: node.buffers,
        io: node.io.clone(),
        wal: node.wal,
        workers_planned: node.workers_planned,
        workers_launched: node.workers_launched,
        workers,
        detail: detail(names, &node.detail),
        extra: properties(names, &node.extra),
    }
}

/// `CTE x`, `InitPlan 1 (returns $0)`, `SubPlan exists_1`.
fn subplan(names: &mut Names, name: &str) -> String {
    if let Some(cte) = name.strip_prefix("CTE ") {
        return format!("CTE {}", names.name(Class::Cte, cte));
    }
    let (kind, rest) = match name.split_once(' ') {
        Some((kind @ ("InitPlan" | "SubPlan"), rest)) => (kind, rest),
        _ => ("SubPlan", name),
    };
    let (own, returns) = match rest.split_once(" (returns ") {
        Some((own, returns)) => (own, returns.strip_suffix(')')),
        None => (rest, None),
    };
    let own = match own.bytes().all(|b| b.is_ascii_digit()) {
        true => own.to_owned(),
        false => names.name(Class::Subplan, own),
    };
    match returns.filter(|list| list.bytes().all(|b| b.is_ascii_digit() || b == b'$' || b == b',')) {
        Some(returns) => format!("{kind} {own} (returns {returns})"),
        None => format!("{kind} {own}"),
    }
}

/// Every text of a node; the figures are copied with it.
fn detail(names: &mut Names, original: &Detail) -> Detail {
    let mut d = original.clone();
    let catalog = d.schema.as_ref().is_none_or(|schema| schema == "pg_catalog");
    for (class, field) in [
        (Class::Schema, &mut d.schema),
        (Class::Table, &mut d.relation),
        (Class::Table, &mut d.tuplestore),
        (Class::Cte, &mut d.cte),
        (Class::Alias, &mut d.alias),
        (Class::Index, &mut d.index),
    ] {
        if let Some(name) = field {
            *name = names.name(class, name);
        }
    }
    if let Some(function) = &mut d.function {
        *function = match catalog {
            true => names.name(Class::Function, function),
            false => names.replaced(Class::Function, function),
        };
    }
    if let Some(function) = d.table_function.as_mut().filter(|name| !keep::alias(name)) {
        *function = names.replaced(Class::Function, function);
    }
    for field in [
        &mut d.scan_direction,
        &mut d.strategy,
        &mut d.partial_mode,
        &mut d.operation,
        &mut d.command,
        &mut d.join_type,
    ] {
        word(names, field);
    }
    for list in [
        &mut d.output,
        &mut d.sort_key,
        &mut d.presorted_key,
        &mut d.group_key,
        &mut d.hash_key,
        &mut d.params_evaluated,
    ] {
        list.iter_mut().for_each(|text| *text = rewrite(names, text, Holds::Expression));
    }
    for text in [
        &mut d.filter,
        &mut d.index_cond,
        &mut d.recheck_cond,
        &mut d.order_by,
        &mut d.tid_cond,
        &mut d.hash_cond,
        &mut d.merge_cond,
        &mut d.join_filter,
        &mut d.one_time_filter,
        &mut d.run_condition,
        &mut d.conflict_filter,
        &mut d.function_call,
        &mut d.cache_key,
    ]
    .into_iter()
    .flatten()
    {
        *text = rewrite(names, text, Holds::Expression);
    }
    sort(names, &mut d.sort);
    groups(names, &mut d.full_sort_groups);
    groups(names, &mut d.presorted_groups);
    if let Some(cache) = &mut d.memoize {
        word(names, &mut cache.mode);
    }
    if let Some(storage) = &mut d.storage {
        storage.kind = names.name(Class::Word, &storage.kind);
    }
    d
}

fn word(names: &mut Names, field: &mut Option<String>) {
    if let Some(text) = field {
        *text = names.name(Class::Word, text);
    }
}

fn sort(names: &mut Names, sort: &mut Option<Sort>) {
    if let Some(sort) = sort {
        sort.method = names.name(Class::Word, &sort.method);
    }
}

fn jit(names: &mut Names, jit: &mut Jit) {
    jit.options.iter_mut().for_each(|(name, _)| *name = names.name(Class::Property, name));
    jit.extra = properties(names, &jit.extra);
}

fn groups(names: &mut Names, groups: &mut Option<Box<GroupSpace>>) {
    for method in groups.iter_mut().flat_map(|groups| &mut groups.methods) {
        *method = names.name(Class::Word, method);
    }
}

fn properties(names: &mut Names, list: &[(String, Value)]) -> Vec<(String, Value)> {
    list.iter().map(|(key, one)| (names.name(Class::Property, key), value(names, key, one))).collect()
}

/// Numbers and flags stay; a text is what its key says, and where that is not known SQL.
fn value(names: &mut Names, key: &str, original: &Value) -> Value {
    match original {
        Value::Null | Value::Bool(_) | Value::Number(_) => original.clone(),
        Value::Array(list) => list.iter().map(|one| value(names, key, one)).collect(),
        Value::Object(group) => {
            let members = group.iter();
            let members =
                members.map(|(key, one)| (names.name(Class::Property, key), value(names, key, one)));
            Value::Object(members.collect::<Map<String, Value>>())
        }
        Value::String(text) => Value::String(match key {
            "Relation Name" | "Relation" => names.name(Class::Table, text),
            "Alias" => names.name(Class::Alias, text),
            "Schema" => names.name(Class::Schema, text),
            "Index Name" | "Conflict Arbiter Indexes" => names.name(Class::Index, text),
            "Trigger Name" => names.name(Class::Trigger, text),
            "Constraint Name" => names.name(Class::Constraint, text),
            "Conflict Resolution"
            | "Format"
            | "Sampling Method"
            | "Sort Method"
            | "Sort Space Type"
            | "Storage" => names.name(Class::Word, text),
            "Relations" | "Replaces" => rewrite(names, text, Holds::Relations),
            _ if keep::figures(text) => text.clone(),
            _ => rewrite(names, text, Holds::Expression),
        }),
    }
}
