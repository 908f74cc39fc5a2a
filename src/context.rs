//! What rules and proposals may see: of one plan its facts, the catalog, the statement; of a workload its statements.
//!
//! Refuses to do I/O or to judge; it only finds things.

use crate::capture::Mode;
use crate::catalog::snapshot::{Moment, Snapshot, Table, TableIndex};
use crate::catalog::{Catalog, Relation, ServerInfo};
use crate::facts::{Facts, NodeFacts};
use crate::finding::Place;
use crate::gate::budget::Held;
use crate::gate::{Compared, Judgement, Outcome};
use crate::migrate::history::Rewritten;
use crate::migrate::traced::Traced;
use crate::migrate::{Framework, Migration, Sizes};
use crate::plan::{Node, Plan, Relationship};
use crate::sql::condition::{Condition, condition};
use crate::sql::shape::Shape;
use crate::sql::{Parsed, Statement};
use crate::units::Millis;
use crate::workload::{Observed, Ranking, Window};
use std::collections::HashMap;

/// A workload with everything known around it.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadContext<'a> {
    pub observed: &'a Observed,
    pub window: &'a Window<'a>,
    pub ranking: &'a Ranking,
    /// What each statement of the ranking does, in its order; `None` where its text does not tell.
    pub shapes: &'a [Option<Shape>],
}

/// Migrations with what was seen while they ran.
#[derive(Debug, Clone, Copy)]
pub struct TraceContext<'a> {
    /// The new ones, in order.
    pub migrations: &'a [Migration],
    pub traced: &'a [Traced],
    pub sizes: &'a Sizes,
    pub framework: Framework,
    /// What head made of the migrations that the base has; `None`: nothing.
    pub rewritten: Option<&'a Rewritten>,
}

/// Queries with what became of them.
#[derive(Debug, Clone, Copy)]
pub struct GateContext<'a> {
    pub compared: &'a Compared,
    /// In the order of the queries.
    pub judged: &'a [Judgement],
    /// What became of each query's budget.
    pub held: &'a [Held],
    /// Index of each query among the report's statements.
    pub statements: &'a [usize],
}

impl GateContext<'_> {
    /// The queries of that outcome.
    pub fn with(&self, outcome: Outcome) -> impl Iterator<Item = usize> {
        let of = move |(_, judged): &(usize, &Judgement)| judged.outcome == outcome;
        self.judged.iter().enumerate().filter(of).map(|(query, _)| query)
    }
}

/// Levels above a node within which something stands for it. Nodes that only pass rows on are a few at most.
pub const NEAR: usize = 100;

/// One plan with everything known around it.
#[derive(Debug, Clone, Copy)]
pub struct PlanContext<'a> {
    /// Index of the statement in the capture.
    pub statement_id: usize,
    /// Index of the run within the statement.
    pub run_id: usize,
    pub statement: &'a Statement,
    /// The statement's syntax tree; `None` where there is no text, or none that can be read.
    pub parsed: Option<&'a Parsed>,
    pub mode: Mode,
    /// Values of `$1`, `$2` …; `None` is NULL. Empty where the plan was made without.
    pub parameters: &'a [Option<String>],
    pub plan: &'a Plan,
    pub facts: &'a Facts,
    pub catalog: &'a Catalog,
    /// `None` where no server was asked.
    pub server: Option<&'a ServerInfo>,
}

impl<'a> PlanContext<'a> {
    /// The place of a node of this plan.
    pub fn place(&self, node: usize) -> Place {
        Place { statement: Some(self.statement_id), run: Some(self.run_id), node: Some(node) }
    }

    /// The facts of a node.
    pub fn facts_of(&self, node: usize) -> &'a NodeFacts {
        &self.facts.nodes[node]
    }

    /// The relation that a scan reads, where the catalog was captured.
    pub fn relation(&self, node: &Node) -> Option<&'a Relation> {
        self.catalog.relation(node.detail.schema.as_deref(), node.detail.relation.as_deref()?)
    }

    /// The relation a scan reads as people write it: qualified where known.
    pub fn relation_name(&self, node: &Node) -> String {
        let detail = &node.detail;
        match (self.relation(node), &detail.schema, &detail.relation) {
            (Some(relation), ..) => relation.qualified(),
            (None, Some(schema), Some(name)) => crate::sql::ident::qualified(schema, name),
            (None, None, Some(name)) => crate::sql::ident::quote(name),
            _ => detail.alias.clone().unwrap_or_else(|| node.kind.clone()),
        }
    }

    /// The name that conditions above a scan call its relation by. The server numbers the partitions below an
    /// Append (`e_1`, `e_2`), but joins and sorts above it still speak of `e`.
    pub fn outer_alias(&self, node: &'a Node) -> Option<&'a str> {
        let alias = node.detail.alias.as_deref()?;
        let numbered =
            alias.rsplit_once('_').filter(|(_, n)| n.bytes().all(|b| b.is_ascii_digit()) && !n.is_empty());
        match numbered {
            Some((parent, _)) if node.relationship == Relationship::Member => Some(parent),
            _ => Some(alias),
        }
    }

    /// Every condition that rows of a scan must meet: index condition, recheck, filter.
    pub fn scan_conditions(&self, node: &Node) -> Vec<Condition> {
        let detail = &node.detail;
        let mut texts = vec![&detail.index_cond, &detail.filter];
        if node.kind == "Bitmap Heap Scan" {
            texts.push(&detail.recheck_cond);
        }
        texts.into_iter().flatten().map(|text| condition(text)).collect()
    }

    /// The conditions of a join.
    pub fn join_conditions(&self, node: &Node) -> Vec<Condition> {
        let detail = &node.detail;
        [&detail.hash_cond, &detail.merge_cond, &detail.join_filter]
            .into_iter()
            .flatten()
            .map(|t| condition(t))
            .collect()
    }

    /// The plan was executed.
    pub fn measured(&self) -> bool {
        self.plan.analyzed()
    }

    /// Time of a node alone, as the user waited for it; `None` where it was not measured.
    pub fn self_time(&self, node: usize) -> Option<Millis> {
        self.facts_of(node).self_time
    }

    /// Self time of a node and everything below it.
    pub fn subtree_time(&self, node: usize) -> Option<Millis> {
        self.facts_of(node).subtree_time
    }

    /// The direct children of a node, in order.
    pub fn children(&self, node: usize) -> impl Iterator<Item = &'a Node> {
        let plan = self.plan;
        self.facts.tree.children(node).map(|child| &plan.nodes[child])
    }

    /// A node and everything below it, in pre-order.
    pub fn subtree(&self, node: usize) -> &'a [Node] {
        &self.plan.nodes[self.facts.tree.subtree(node)]
    }

    /// The node whose workers run this one, where there is such a Gather.
    pub fn gather(&self, node: usize) -> Option<&'a Node> {
        self.facts_of(node).gather.map(|gather| &self.plan.nodes[gather])
    }

    /// The nearest ancestor that is not one of `kinds`, which all pass rows on: a few levels up at most.
    pub fn above(&self, node: usize, kinds: &[&str]) -> Option<&'a Node> {
        self.plan.ancestors(node).take(NEAR).find(|n| !kinds.contains(&n.kind.as_str()))
    }
}

/// A whole database, with its parts by their OID.
#[derive(Debug, Clone)]
pub struct CatalogContext<'a> {
    pub snapshot: &'a Snapshot,
    pub major: u32,
    tables: HashMap<u32, &'a Table>,
    indexes: HashMap<u32, &'a TableIndex>,
    by_table: HashMap<u32, Vec<&'a TableIndex>>,
    partitions: HashMap<u32, Vec<&'a Table>>,
}

impl<'a> CatalogContext<'a> {
    /// The context of a snapshot.
    pub fn new(snapshot: &'a Snapshot, major: u32) -> Self {
        let mut by_table: HashMap<u32, Vec<&TableIndex>> = HashMap::new();
        for index in &snapshot.indexes {
            by_table.entry(index.table).or_default().push(index);
        }
        let mut partitions: HashMap<u32, Vec<&Table>> = HashMap::new();
        for (parent, table) in snapshot.tables.iter().filter_map(|t| Some((t.parent?, t))) {
            partitions.entry(parent).or_default().push(table);
        }
        let tables = snapshot.tables.iter().map(|t| (t.oid, t)).collect();
        let indexes = snapshot.indexes.iter().map(|i| (i.oid, i)).collect();
        CatalogContext { snapshot, major, tables, indexes, by_table, partitions }
    }

    /// The server at the moment of the snapshot.
    pub fn moment(&self) -> &'a Moment {
        &self.snapshot.moment
    }

    /// A table by its OID.
    pub fn table(&self, oid: u32) -> Option<&'a Table> {
        self.tables.get(&oid).copied()
    }

    /// An index by its OID.
    pub fn index(&self, oid: u32) -> Option<&'a TableIndex> {
        self.indexes.get(&oid).copied()
    }

    /// The indexes of a table.
    pub fn indexes_of(&self, table: u32) -> &[&'a TableIndex] {
        self.by_table.get(&table).map_or(&[], Vec::as_slice)
    }

    /// The partitions right below a partitioned table.
    pub fn partitions_of(&self, table: u32) -> &[&'a Table] {
        self.partitions.get(&table).map_or(&[], Vec::as_slice)
    }

    /// A table, or the partitions below it that hold its rows.
    pub fn leaves(&self, table: u32) -> Vec<&'a Table> {
        let (mut leaves, mut left) = (Vec::new(), vec![table]);
        while let Some(oid) = left.pop() {
            let parts = self.partitions_of(oid);
            if parts.is_empty() {
                leaves.extend(self.table(oid));
            }
            left.extend(parts.iter().map(|t| t.oid));
        }
        leaves
    }

    /// An index, or those attached below it that hold its entries.
    pub fn index_leaves(&self, index: &'a TableIndex) -> Vec<&'a TableIndex> {
        if !index.partitioned {
            return vec![index];
        }
        let leaves = self.leaves(index.table);
        let below = |child: &&&TableIndex| {
            let mut at = child.parent;
            while let Some(oid) = at {
                if oid == index.oid {
                    return true;
                }
                at = self.index(oid).and_then(|i| i.parent);
            }
            false
        };
        leaves.iter().flat_map(|t| self.indexes_of(t.oid)).filter(below).copied().collect()
    }

    /// Bytes of an index, of a partitioned one those of all below it.
    pub fn bytes(&self, index: &'a TableIndex) -> f64 {
        let block = self.moment().block_size;
        match index.detail.as_ref().and_then(|d| d.size_bytes) {
            Some(bytes) => bytes,
            None => self.index_leaves(index).iter().map(|i| i.bytes(block)).sum(),
        }
    }

    /// Rows of a table, of a partitioned one those of all partitions.
    pub fn rows(&self, table: u32) -> f64 {
        self.leaves(table).iter().map(|t| t.size()).sum()
    }
}
