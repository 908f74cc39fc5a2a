//! The comparison of two plans in JSON format 1, under the key `comparison`.
//!
//! Refuses to summarise: every pair and every change is there, with the ids of nodes in `statements`.

use super::names::{method, order};
use crate::compare::{Change, Moved, Pair, Spent, Totals, Unmeasured};
use crate::finding::Value;
use crate::report::Report;
use crate::sql::hex;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
pub(super) struct JsonComparison {
    base: JsonTotals,
    head: JsonTotals,
    /// Execution of base / execution of head: above 1 the head is faster.
    speedup: Option<f64>,
    /// Same nodes in the same places over the same relations and indexes.
    same_shape: bool,
    /// Nodes that are each other's counterpart.
    pairs: Vec<JsonPair>,
    changes: Vec<JsonChange>,
    /// Pairs whose conditions are the same and whose rows are not: other data, times do not compare.
    other_data: Vec<JsonPair>,
    /// The conditions differ in their constants only: other parameters, times do not compare.
    other_values: bool,
    /// What is not compared because one side did not measure it.
    unmeasured: Vec<JsonUnmeasured>,
}

#[derive(Serialize, JsonSchema)]
struct JsonTotals {
    /// 16 hexadecimal digits: equal for plans of one shape, in any notation.
    shape: String,
    nodes: usize,
    execution_ms: Option<f64>,
    planning_ms: Option<f64>,
    total_cost: Option<f64>,
    rows: Option<f64>,
    /// Shared and local blocks, from the cache and from outside of it.
    blocks: Option<i64>,
    read_blocks: Option<i64>,
    /// Read and written.
    temp_blocks: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
struct JsonPair {
    base: usize,
    head: usize,
}

#[derive(Serialize, JsonSchema)]
struct JsonMoved {
    base: f64,
    head: f64,
}

/// One difference. `base` and `head` hold what was and what is, in `unit` where they are numbers.
#[derive(Serialize, JsonSchema)]
struct JsonChange {
    kind: Kind,
    base_node: Option<usize>,
    head_node: Option<usize>,
    /// Of a condition or setting.
    name: Option<String>,
    base: Option<Value>,
    head: Option<Value>,
    unit: Option<&'static str>,
    /// Of the node alone, where it works in another way.
    self_ms: Option<JsonMoved>,
    self_blocks: Option<JsonMoved>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    AccessPath,
    JoinOrder,
    JoinMethod,
    Method,
    ActualRows,
    EstimatedRows,
    Time,
    Blocks,
    TempBlocks,
    Workers,
    Condition,
    /// A condition that differs in its constants only.
    ConditionValues,
    Gone,
    New,
    Setting,
}

#[derive(Serialize, JsonSchema)]
struct JsonUnmeasured {
    /// `base` or `head`.
    side: &'static str,
    /// `execution`, `timing` or `blocks`.
    what: &'static str,
}

impl JsonComparison {
    pub(super) fn of(report: &Report) -> Option<JsonComparison> {
        let comparison = report.comparison.as_ref()?;
        let pair = |pair: &Pair| JsonPair { base: pair.base, head: pair.head };
        let (base, head) = (&comparison.base, &comparison.head);
        let times = base.execution.zip(head.execution).filter(|(_, after)| after.0 > 0.0);
        Some(JsonComparison {
            base: totals(base),
            head: totals(head),
            speedup: times.map(|(before, after)| before.0 / after.0),
            same_shape: comparison.same_shape,
            pairs: comparison.pairs.iter().map(pair).collect(),
            changes: comparison.changes.iter().filter_map(|c| change(report, c)).collect(),
            other_data: comparison.other_data.iter().map(pair).collect(),
            other_values: comparison.other_values,
            unmeasured: comparison.unmeasured.iter().map(unmeasured).collect(),
        })
    }
}

fn totals(totals: &Totals) -> JsonTotals {
    JsonTotals {
        shape: hex(totals.shape),
        nodes: totals.nodes,
        execution_ms: totals.execution.map(|t| t.0),
        planning_ms: totals.planning.map(|t| t.0),
        total_cost: totals.cost.map(|c| c.0),
        rows: totals.rows.map(|r| r.0),
        blocks: totals.blocks.map(|b| b.0),
        read_blocks: totals.read.map(|b| b.0),
        temp_blocks: totals.temp.map(|b| b.0),
    }
}

fn unmeasured(why: &Unmeasured) -> JsonUnmeasured {
    let (head, what) = match *why {
        Unmeasured::NotExecuted { head } => (head, "execution"),
        Unmeasured::NoTiming { head } => (head, "timing"),
        Unmeasured::NoBlocks { head } => (head, "blocks"),
    };
    JsonUnmeasured { side: if head { "head" } else { "base" }, what }
}

fn change(report: &Report, change: &Change) -> Option<JsonChange> {
    let plan = |statement: usize| report.statements.get(statement)?.plans.first();
    let (was, is) = (plan(0)?, plan(1)?);
    let empty = |kind: Kind, at: Option<Pair>| JsonChange {
        kind,
        base_node: at.map(|at| at.base),
        head_node: at.map(|at| at.head),
        name: None,
        base: None,
        head: None,
        unit: None,
        self_ms: None,
        self_blocks: None,
    };
    let numbers = |kind: Kind, at: Pair, moved: Moved, unit: &'static str| JsonChange {
        base: Some(Value::Number(moved.base)),
        head: Some(Value::Number(moved.head)),
        unit: Some(unit),
        ..empty(kind, Some(at))
    };
    let moved = |moved: Moved| JsonMoved { base: moved.base, head: moved.head };
    let worked = |kind: Kind, at: Pair, spent: Spent| JsonChange {
        base: Some(Value::Text(method(was, at.base))),
        head: Some(Value::Text(method(is, at.head))),
        self_ms: spent.ms.map(moved),
        self_blocks: spent.blocks.map(moved),
        ..empty(kind, Some(at))
    };
    let text = |text: &Option<String>| text.clone().map(Value::Text);
    Some(match change {
        Change::AccessPath { at, spent } => worked(Kind::AccessPath, *at, *spent),
        Change::JoinMethod { at, spent } => worked(Kind::JoinMethod, *at, *spent),
        Change::Method { at, spent } => worked(Kind::Method, *at, *spent),
        Change::JoinOrder { at, base, head } => JsonChange {
            base: Some(Value::Text(order(was, base))),
            head: Some(Value::Text(order(is, head))),
            ..empty(Kind::JoinOrder, Some(*at))
        },
        Change::ActualRows { at, rows } => numbers(Kind::ActualRows, *at, *rows, "rows"),
        Change::EstimatedRows { at, rows } => numbers(Kind::EstimatedRows, *at, *rows, "rows"),
        Change::Time { at, ms } => numbers(Kind::Time, *at, *ms, "ms"),
        Change::Blocks { at, blocks } => numbers(Kind::Blocks, *at, *blocks, "blocks"),
        Change::Temp { at, blocks } => numbers(Kind::TempBlocks, *at, *blocks, "blocks"),
        Change::Workers { at, workers } => numbers(Kind::Workers, *at, *workers, "workers"),
        Change::Condition { at, name, base, head, values_only } => JsonChange {
            name: Some((*name).to_owned()),
            base: text(base),
            head: text(head),
            ..empty(if *values_only { Kind::ConditionValues } else { Kind::Condition }, Some(*at))
        },
        Change::Gone { base } => JsonChange {
            base_node: Some(*base),
            base: Some(Value::Text(method(was, *base))),
            ..empty(Kind::Gone, None)
        },
        Change::New { head } => JsonChange {
            head_node: Some(*head),
            head: Some(Value::Text(method(is, *head))),
            ..empty(Kind::New, None)
        },
        Change::Setting { name, base, head } => JsonChange {
            name: Some(name.clone()),
            base: text(base),
            head: text(head),
            ..empty(Kind::Setting, None)
        },
    })
}
