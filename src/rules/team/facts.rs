//! The facts that a team's rule may ask for: name, type, what it says, where it comes from.
//!
//! Refuses to invent: a fact that was not observed is absent, which is neither zero nor false nor an empty text.

use crate::capture::Mode;
use crate::catalog::{Relation, RelationKind};
use crate::context::PlanContext;
use crate::facts::NodeFacts;
use crate::plan::{Execution, Node, SortSpace};
use crate::sql::Kind;

/// What a fact or an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Number,
    Text,
    Flag,
    /// A list of texts.
    Texts,
    /// A list of numbers, which only an expression can write.
    Numbers,
    Null,
}

/// A fact's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    Flag(bool),
    Texts(Vec<String>),
}

/// What a rule is asked about, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Node,
    Plan,
    Statement,
}

/// One fact.
pub struct Fact {
    pub name: &'static str,
    pub of: Type,
    pub scope: Scope,
    /// Only an execution tells it.
    pub measured: bool,
    /// In one line, with its unit.
    pub says: &'static str,
    pub get: fn(&View) -> Option<Value>,
}

/// What the facts are read from.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub ctx: &'a PlanContext<'a>,
    /// For each node only.
    pub node: Option<(&'a Node, &'a NodeFacts)>,
    /// The rule's thresholds in force, by the names that CEL knows them by.
    pub thresholds: &'a [(String, f64)],
}

impl<'a> View<'a> {
    fn node(&self) -> Option<&'a Node> {
        self.node.map(|(node, _)| node)
    }

    fn facts(&self) -> Option<&'a NodeFacts> {
        self.node.map(|(_, facts)| facts)
    }

    fn relation(&self) -> Option<&'a Relation> {
        self.ctx.relation(self.node()?)
    }
}

impl Scope {
    /// Facts of a scope see those of the scopes around it.
    pub fn sees(self, other: Scope) -> bool {
        match self {
            Scope::Node => true,
            Scope::Plan => other != Scope::Node,
            Scope::Statement => other == Scope::Statement,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Scope::Node => "node",
            Scope::Plan => "plan",
            Scope::Statement => "statement",
        }
    }
}

impl Type {
    pub fn word(self) -> &'static str {
        match self {
            Type::Number => "number",
            Type::Text => "text",
            Type::Flag => "truth value",
            Type::Texts => "list of texts",
            Type::Numbers => "list of numbers",
            Type::Null => "null",
        }
    }
}

/// The fact of that name.
pub fn find(name: &str) -> Option<&'static Fact> {
    FACTS.iter().find(|fact| fact.name == name)
}

/// The list for `pgproof rule --facts`.
pub fn list() -> String {
    let width = FACTS.iter().map(|f| f.name.len()).max().unwrap_or(0);
    let line = |f: &Fact| {
        let measured = if f.measured { ", with ANALYZE" } else { "" };
        format!("{:width$}  {:13}  {}{measured}\n", f.name, f.of.word(), f.says)
    };
    FACTS.iter().map(line).collect()
}

fn text(value: Option<&String>) -> Option<Value> {
    value.map(|text| Value::Text(text.clone()))
}

fn number(value: Option<f64>) -> Option<Value> {
    value.map(Value::Number)
}

fn texts(value: &[String]) -> Option<Value> {
    (!value.is_empty()).then(|| Value::Texts(value.to_vec()))
}

macro_rules! facts {
    ($($scope:ident $name:literal $of:ident $(($measured:ident))? $says:literal $get:expr;)*) => {
        /// Every fact, in the order of the list.
        pub const FACTS: &[Fact] = &[$(Fact {
            name: $name,
            of: Type::$of,
            scope: Scope::$scope,
            measured: false $(|| { let $measured = true; $measured })?,
            says: $says,
            get: $get,
        }),*];
    };
}

facts! {
    Node "kind" Text "Node Type as JSON plans print it: Seq Scan, Hash Join, Aggregate"
        |v| text(Some(&v.node()?.kind));
    Node "relation" Text "the relation that a scan reads, schema in front where known"
        |v| v.node()?.detail.relation.as_ref().map(|_| ()).and(v.node()).map(|n| Value::Text(v.ctx.relation_name(n)));
    Node "alias" Text "what the statement calls it" |v| text(v.node()?.detail.alias.as_ref());
    Node "index" Text "the index that is read" |v| text(v.node()?.detail.index.as_ref());
    Node "parent_kind" Text "kind of the node above"
        |v| text(Some(&v.ctx.plan.nodes[v.node()?.parent?].kind));
    Node "join_type" Text "Inner, Left, Semi, Anti" |v| text(v.node()?.detail.join_type.as_ref());
    Node "strategy" Text "Sorted, Hashed, Plain, Mixed, of an Aggregate" |v| text(v.node()?.detail.strategy.as_ref());
    Node "scan_direction" Text "Forward, Backward" |v| text(v.node()?.detail.scan_direction.as_ref());
    Node "function_name" Text "the function that is scanned" |v| text(v.node()?.detail.function.as_ref());
    Node "cte" Text "the CTE that is scanned" |v| text(v.node()?.detail.cte.as_ref());
    Node "subplan_name" Text "CTE t, InitPlan 1, SubPlan 2" |v| text(v.node()?.subplan_name.as_ref());
    Node "filter" Text "the Filter as printed" |v| text(v.node()?.detail.filter.as_ref());
    Node "index_cond" Text "the Index Cond as printed" |v| text(v.node()?.detail.index_cond.as_ref());
    Node "recheck_cond" Text "the Recheck Cond as printed" |v| text(v.node()?.detail.recheck_cond.as_ref());
    Node "join_filter" Text "the Join Filter as printed" |v| text(v.node()?.detail.join_filter.as_ref());
    Node "hash_cond" Text "the Hash Cond as printed" |v| text(v.node()?.detail.hash_cond.as_ref());
    Node "merge_cond" Text "the Merge Cond as printed" |v| text(v.node()?.detail.merge_cond.as_ref());
    Node "sort_key" Texts "the keys of a sort, as printed" |v| texts(&v.node()?.detail.sort_key);
    Node "group_key" Texts "the keys of a group, as printed" |v| texts(&v.node()?.detail.group_key);
    Node "parallel_aware" Flag "workers share this node's rows" |v| v.node()?.detail.parallel_aware.map(Value::Flag);
    Node "rows_estimated" Number "rows that the planner expects, per loop"
        |v| number(v.node()?.estimate.map(|e| e.rows.0));
    Node "total_cost" Number "the planner's cost, with everything below" |v| number(v.node()?.estimate.map(|e| e.total_cost.0));
    Node "width_bytes" Number "average width of a row that the planner expects"
        |v| number(v.node()?.estimate.map(|e| e.width));
    Node "never_ran" Flag (measured) "the statement was executed, this node was not"
        |v| Some(v.node()?).filter(|_| v.ctx.measured()).map(|n| Value::Flag(n.execution == Execution::NeverRan));
    Node "rows_actual" Number (measured) "rows that came out, per loop" |v| number(v.node()?.ran().map(|r| r.rows.0));
    Node "loops" Number (measured) "how often it ran, over all processes" |v| number(v.node()?.ran().map(|r| r.loops));
    Node "rows_total" Number (measured) "rows that came out, over all loops and processes"
        |v| number(v.facts()?.rows_total.map(|r| r.0));
    Node "rows_removed_total" Number (measured) "rows that its filters discarded, over all loops and processes"
        |v| number(v.facts()?.rows_removed_total.map(|r| r.0));
    Node "removed_share" Number (measured) "rows discarded by all rows fetched, 0 to 1"
        |v| number(v.facts()?.removed_share.map(|s| s.0));
    Node "estimate_error" Number (measured) "actual by estimated rows: above 1 the planner guessed too low"
        |v| number(v.facts()?.estimate_error.map(|e| e.0));
    Node "self_ms" Number (measured) "time of this node alone, as the user waited for it"
        |v| number(v.facts()?.self_time.map(|t| t.0));
    Node "self_cpu_ms" Number (measured) "time of this node alone, summed over processes"
        |v| number(v.facts()?.self_cpu.map(|t| t.0));
    Node "self_share" Number (measured) "self_ms by the time of the statement, 0 to 1"
        |v| number(v.facts()?.self_share.map(|s| s.0));
    Node "subtree_ms" Number (measured) "time of this node and everything below"
        |v| number(v.facts()?.subtree_time.map(|t| t.0));
    Node "stopped_early" Flag (measured) "a LIMIT, EXISTS or join stopped it, or may have, before its last row"
        |v| v.facts().filter(|_| v.ctx.measured()).map(|f| Value::Flag(f.stopped_early));
    Node "heap_fetches" Number (measured) "of an Index Only Scan, over all loops" |v| number(v.node()?.detail.heap_fetches);
    Node "workers_planned" Number "of a Gather" |v| number(v.node()?.workers_planned.map(f64::from));
    Node "workers_launched" Number (measured) "of a Gather" |v| number(v.node()?.workers_launched.map(f64::from));
    Node "self_blocks.hit" Number (measured) "blocks found in the buffer cache, of this node alone"
        |v| number(v.facts()?.self_buffers.map(|b| (b.shared_hit + b.local_hit).0 as f64));
    Node "self_blocks.read" Number (measured) "blocks that were not"
        |v| number(v.facts()?.self_buffers.map(|b| (b.shared_read + b.local_read).0 as f64));
    Node "self_blocks.written" Number (measured) "blocks written"
        |v| number(v.facts()?.self_buffers.map(|b| (b.shared_written + b.local_written).0 as f64));
    Node "self_blocks.temp_read" Number (measured) "blocks read from temporary files"
        |v| number(v.facts()?.self_buffers.map(|b| b.temp_read.0 as f64));
    Node "self_blocks.temp_written" Number (measured) "blocks written to temporary files"
        |v| number(v.facts()?.self_buffers.map(|b| b.temp_written.0 as f64));
    Node "exact_heap_blocks" Number (measured) "of a Bitmap Heap Scan" |v| number(v.node()?.detail.exact_heap_blocks.map(|b| b.0 as f64));
    Node "lossy_heap_blocks" Number (measured) "of a Bitmap Heap Scan" |v| number(v.node()?.detail.lossy_heap_blocks.map(|b| b.0 as f64));
    Node "sort_method" Text (measured) "quicksort, top-N heapsort, external merge" |v| text(v.node()?.detail.sort.as_ref().map(|s| &s.method));
    Node "sort_space" Text (measured) "Memory, Disk" |v| v.node()?.detail.sort.as_ref().map(|s| Value::Text(match s.space {
        SortSpace::Memory => "Memory".to_owned(),
        SortSpace::Disk => "Disk".to_owned(),
    }));
    Node "sort_bytes" Number (measured) "memory or disk that the sort used" |v| number(v.node()?.detail.sort.as_ref().map(|s| s.used.0 as f64));
    Node "hash_batches" Number (measured) "of a Hash or a hashed Aggregate: above 1 it went to disk" |v| number(v.node()?.detail.hash.as_ref()?.batches);
    Node "hash_bytes" Number (measured) "peak memory of a Hash or a hashed Aggregate"
        |v| number(v.node()?.detail.hash.as_ref()?.peak_memory.map(|b| b.0 as f64));
    Node "relation.kind" Text "table, partitioned, materialized-view, foreign, other" |v| Some(Value::Text(match v.relation()?.kind {
        RelationKind::Table => "table",
        RelationKind::Partitioned => "partitioned",
        RelationKind::MaterializedView => "materialized-view",
        RelationKind::Foreign => "foreign",
        RelationKind::Other => "other",
    }.to_owned()));
    Node "relation.schema" Text "its schema" |v| text(Some(&v.relation()?.schema));
    Node "relation.name" Text "its name without the schema" |v| text(Some(&v.relation()?.name));
    Node "relation.rows" Number "reltuples: rows at the last VACUUM or ANALYZE" |v| number(v.relation()?.rows);
    Node "relation.pages" Number "relpages: blocks at the last VACUUM or ANALYZE" |v| number(Some(v.relation()?.pages));
    Node "relation.size_bytes" Number "size of its main fork" |v| number(v.relation()?.size_bytes.map(|b| b as f64));
    Node "relation.indexes" Number "how many indexes it has" |v| number(Some(v.relation()?.indexes.len() as f64));
    Node "relation.live_rows" Number "n_live_tup of pg_stat_all_tables" |v| number(v.relation()?.activity.as_ref().map(|a| a.live_rows as f64));
    Node "relation.dead_rows" Number "n_dead_tup of pg_stat_all_tables" |v| number(v.relation()?.activity.as_ref().map(|a| a.dead_rows as f64));
    Plan "plan.mode" Text "analyzed, estimated, generic, stored" |v| Some(Value::Text(match v.ctx.mode {
        Mode::Analyzed => "analyzed",
        Mode::Estimated => "estimated",
        Mode::Generic => "generic",
        Mode::Stored => "stored",
    }.to_owned()));
    Plan "plan.measured" Flag "it was executed" |v| Some(Value::Flag(v.ctx.measured()));
    Plan "plan.execution_ms" Number (measured) "time of the execution" |v| number(v.ctx.facts.execution.map(|t| t.0));
    Plan "plan.planning_ms" Number "time of the planning" |v| number(v.ctx.plan.planning_time.map(|t| t.0));
    Plan "plan.jit_ms" Number (measured) "time of JIT compilation" |v| number(v.ctx.plan.jit.as_ref()?.total.map(|t| t.0));
    Plan "plan.total_cost" Number "the planner's cost of the whole" |v| number(v.ctx.plan.root()?.estimate.map(|e| e.total_cost.0));
    Plan "plan.rows" Number (measured) "rows that the statement returned" |v| number(v.ctx.plan.root()?.ran().map(|r| r.rows.0 * r.loops));
    Plan "plan.nodes" Number "how many nodes it has" |v| number(Some(v.ctx.plan.nodes.len() as f64));
    Statement "statement.text" Text "the SQL, where it is known" |v| Some(Value::Text(v.ctx.statement.text.clone())).filter(|_| !v.ctx.statement.text.is_empty());
    Statement "statement.kind" Text "query, write, or the first word in lower case" |v| known(v).map(|s| Value::Text(match &s.kind {
        Kind::Query => "query".to_owned(),
        Kind::Write => "write".to_owned(),
        Kind::Other(word) => word.to_lowercase(),
    }));
    Statement "statement.parameters" Number "the highest $n; 0 without parameters" |v| number(known(v).map(|s| s.parameters as f64));
    Statement "statement.locks_rows" Flag "FOR UPDATE, FOR SHARE and their kin" |v| known(v).map(|s| Value::Flag(s.locks_rows));
    Statement "statement.calls" Texts "names that stand where a function call does, lower case" |v| known(v).map(|s| Value::Texts(s.calls.clone()));
    Statement "statement.limited" Flag "LIMIT, OFFSET or FETCH stands at its top" |v| v.ctx.parsed.map(|p| Value::Flag(p.limited()));
    Statement "server.version_num" Number "such as 150018" |v| number(v.ctx.server.map(|s| f64::from(s.version_num)));
    Statement "server.in_recovery" Flag "it is a standby" |v| v.ctx.server.map(|s| Value::Flag(s.in_recovery));
}

fn known<'a>(view: &View<'a>) -> Option<&'a crate::sql::Statement> {
    Some(view.ctx.statement).filter(|statement| !statement.text.is_empty())
}
