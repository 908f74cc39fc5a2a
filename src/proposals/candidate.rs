//! The one index that a scan in a plan asks for: its own conditions and sort keys, resolved against the catalog.
//!
//! Equality first, then the sort order or one range; a rare constant becomes a partial index, a function
//! of columns an expression key. Refuses to name an index whose work a live one already does.

use super::definition::{IndexDefinition, Key};
use super::name::index_name;
use super::order::{Order, sort_beats_range, wanted_order};
use crate::catalog::{Index, Relation, RelationKind};
use crate::context::PlanContext;
use crate::plan::Node;
use crate::sql::condition::{Comparison, Operand, Shape, Test, sort_key};
use crate::sql::token::tokenize;
use crate::sql::volatility;

/// A constant that at most this share of rows holds is worth a partial index.
const RARE_SHARE: f64 = 0.1;
/// A column with at most this many distinct values is a status, not an identity: its constants stay constant.
const STATUS_VALUES: f64 = 20.0;
/// One value must dominate, so that the others are exceptions (and not shops, of which there are ten).
const COMMON_SHARE: f64 = 0.5;
/// Rows that one probe may still leave before another key is worth its width.
const ENOUGH_ROWS: f64 = 2.0;
/// INCLUDE pays only for many rows, few narrow columns and a table that is mostly all-visible.
const INCLUDE_MIN_ROWS: f64 = 1_000.0;
const INCLUDE_MAX_COLUMNS: usize = 3;
const INCLUDE_MAX_BYTES: f64 = 32.0;
const INCLUDE_MIN_VISIBLE: f64 = 0.9;
/// Nodes that compute their own output, so that they do not care how wide their input is.
const PROJECTING: &[&str] = &["Aggregate", "Group", "Nested Loop", "Hash Join", "Merge Join"];

/// An index worth trying.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub definition: IndexDefinition,
    /// Part of the rows that it holds: below 1 for a partial index.
    pub share: f64,
    /// Its order makes a sort of this plan unnecessary.
    pub sorts: bool,
}

/// Why there is no candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNot {
    /// The relation is not in the catalog that was captured.
    UnknownRelation,
    /// Foreign tables have no indexes of ours.
    Foreign,
    /// No condition and no order that a B-tree can use.
    NoCondition,
    /// A live index already does this work.
    Served(String),
}

/// The conditions of a scan, sorted by what an index can do with them.
#[derive(Default)]
pub(super) struct Usable {
    /// Compared for equality with one value, with the share of rows that a value holds on average.
    pub(super) equal: Vec<(Key, f64)>,
    /// `= ANY`: equality, but the order of later keys is lost.
    pub(super) any: Vec<Key>,
    pub(super) range: Vec<Key>,
    /// Constants that are worth a WHERE clause.
    pub(super) partial: Vec<Rare>,
}

/// A test that few rows meet.
pub(super) struct Rare {
    /// The test as a WHERE clause.
    text: String,
    key: Key,
    /// Share of rows that meet it.
    share: f64,
}

/// The index that the scan at `scan` asks for, with the conditions of `join` where that is given.
///
/// # Errors
/// Why none is worth trying.
pub fn candidate(ctx: &PlanContext, scan: usize, join: Option<usize>) -> Result<Candidate, WhyNot> {
    let node = &ctx.plan.nodes[scan];
    let leaf = ctx.relation(node).ok_or(WhyNot::UnknownRelation)?;
    if leaf.kind == RelationKind::Foreign {
        return Err(WhyNot::Foreign);
    }
    let root = leaf.partition_root.as_ref().and_then(|r| ctx.catalog.relation(Some(&r.schema), &r.name));
    let relation = root.unwrap_or(leaf);
    let usable = usable(ctx, node, join, relation);
    let order = wanted_order(ctx, node, relation, &usable);
    let wanted = order.as_ref().filter(|o| o.limited).and_then(|o| o.wanted);
    let (keys, unordered, sorts) = arrange(&usable, order, rows(ctx, node, relation), emitted(node));
    let fetched = fetched(ctx, node, join, wanted.filter(|_| sorts));
    let predicates: Vec<&str> = usable.partial.iter().map(|rare| rare.text.as_str()).collect();
    let share: f64 = usable.partial.iter().map(|rare| rare.share).product();
    // Without a predicate an index does the same work where the rare columns are among its keys.
    let plain: Vec<Key> =
        usable.partial.iter().map(|rare| rare.key.clone()).chain(keys.iter().cloned()).collect();
    let plain_unordered = unordered + usable.partial.len();
    let keys = match keys.is_empty() {
        true => partial_alone(relation, &usable).ok_or(WhyNot::NoCondition)?,
        false => keys,
    };
    let mut definition = IndexDefinition {
        schema: relation.schema.clone(),
        table: relation.name.clone(),
        name: String::new(),
        method: "btree",
        include: if fetched < INCLUDE_MIN_ROWS { Vec::new() } else { include(ctx, node, relation, &keys) },
        keys,
        predicate: (!predicates.is_empty()).then(|| predicates.join(" AND ")),
        partitions: relation.partitions.clone(),
        partitioned: relation.kind == RelationKind::Partitioned,
    };
    let plain = IndexDefinition { keys: plain, predicate: None, ..definition.clone() };
    let serves = |live: &&Index| match live.predicate {
        Some(_) => definition.served_by(live, unordered),
        None => plain.served_by(live, plain_unordered),
    };
    if let Some(live) = [relation, leaf].iter().flat_map(|r| &r.indexes).find(serves) {
        return Err(WhyNot::Served(live.name.clone()));
    }
    definition.name =
        index_name(&definition.table, &definition.keys, &definition.include, &relation.taken_names);
    Ok(Candidate { definition, share, sorts })
}

/// Rows of the relation: the catalog's number, else what the scan was seen to fetch, else many.
fn rows(ctx: &PlanContext, node: &Node, relation: &Relation) -> f64 {
    let facts = ctx.facts_of(node.id);
    let fetched = facts.rows_total.map(|r| r.0 + facts.rows_removed_total.map_or(0.0, |r| r.0));
    relation.rows.filter(|r| *r > 0.0).or(fetched).unwrap_or(1e6)
}

/// Rows that an index scan in this place would fetch from the heap: those the scan lets through, but no more
/// than the join keeps, or than a LIMIT takes from an index in its order.
fn fetched(ctx: &PlanContext, node: &Node, join: Option<usize>, wanted: Option<f64>) -> f64 {
    let rows = |id: usize| ctx.facts_of(id).rows_total.map_or(0.0, |r| r.0);
    let kept = join.map_or(f64::INFINITY, rows).min(wanted.unwrap_or(f64::INFINITY));
    rows(node.id).min(kept)
}

/// Rows that one execution of the scan lets through: at least so many match its equality conditions.
fn emitted(node: &Node) -> f64 {
    node.ran().map_or(0.0, |ran| ran.rows.0)
}

/// A partial index whose WHERE clause alone finds the rows: keyed by the primary key's first column.
fn partial_alone(relation: &Relation, usable: &Usable) -> Option<Vec<Key>> {
    if usable.partial.is_empty() {
        return None;
    }
    let primary = relation.indexes.iter().find(|i| i.primary)?;
    let first = primary.keys.first().filter(|k| k.column)?;
    Some(vec![Key::column(&first.text)])
}

fn usable(ctx: &PlanContext, node: &Node, join: Option<usize>, relation: &Relation) -> Usable {
    let alias = node.detail.alias.as_deref();
    let mut usable = Usable::default();
    for condition in ctx.scan_conditions(node) {
        for test in condition.conjuncts() {
            sort_in(ctx, test, alias, relation, &mut usable);
        }
    }
    if let Some(join) = join {
        let alias = ctx.outer_alias(node);
        let conditions = ctx.join_conditions(&ctx.plan.nodes[join]);
        let tests: Vec<&Test> = conditions.iter().flat_map(|c| c.conjuncts()).collect();
        let known = usable.equal.len();
        tests
            .iter()
            .filter(|t| t.comparison == Comparison::Eq)
            .for_each(|t| sort_in(ctx, t, alias, relation, &mut usable));
        // A range helps only where nothing better narrows down the partners.
        if usable.equal.len() == known {
            tests
                .iter()
                .filter(|t| t.comparison.is_range())
                .for_each(|t| sort_in(ctx, t, alias, relation, &mut usable));
        }
    }
    let mut seen: Vec<String> = Vec::new();
    let mut fresh = |key: &Key| {
        let new = !seen.contains(&key.text);
        seen.push(key.text.clone());
        new
    };
    usable.equal.retain(|(key, _)| fresh(key));
    usable.any.retain(&mut fresh);
    usable.range.retain(&mut fresh);
    // A range over a handful of values is never narrow.
    let few = |key: &Key| {
        let statistics =
            relation.column(&key.text).filter(|_| key.column).and_then(|c| c.statistics.as_ref());
        statistics.is_some_and(|s| s.distinct(relation.rows.unwrap_or(1.0)) <= STATUS_VALUES)
    };
    usable.range.sort_by_key(few);
    usable
}

/// Puts one test where it belongs; what an index cannot use is left out.
fn sort_in(ctx: &PlanContext, test: &Test, alias: Option<&str>, relation: &Relation, usable: &mut Usable) {
    let ours = |operand: &Operand| {
        !operand.columns.is_empty()
            && operand.columns.iter().all(|c| owns(alias, relation, c.qualifier.as_deref(), &c.name))
    };
    let foreign = |operand: &Operand| {
        !operand.columns.iter().any(|c| owns(alias, relation, c.qualifier.as_deref(), &c.name))
            && operand.functions.iter().all(|f| ctx.catalog.functions.get(f).is_none_or(|v| v != "v"))
    };
    let (left, comparison, right) = match &test.right {
        Some(right) if !ours(&test.left) && ours(right) => match test.comparison.flipped() {
            Some(flipped) => (right, flipped, Some(&test.left)),
            None => return,
        },
        right => (&test.left, test.comparison.clone(), right.as_ref()),
    };
    if !ours(left) || right.is_some_and(|r| !foreign(r)) {
        return;
    }
    let Some(key) = key(ctx, left, relation) else { return };
    let frequency = |value: &str| {
        let statistics = relation.column(&key.text).filter(|_| key.column)?.statistics.as_ref()?;
        let status = statistics.distinct(relation.rows.unwrap_or(0.0)) <= STATUS_VALUES
            && statistics.common_frequencies.first().is_some_and(|most| *most >= COMMON_SHARE);
        status.then(|| statistics.frequency(value).unwrap_or(0.0))
    };
    let statistics = relation.column(&key.text).filter(|_| key.column).and_then(|c| c.statistics.as_ref());
    match comparison {
        Comparison::Eq => {
            let literal = right.and_then(Operand::literal);
            match literal.as_deref().filter(|value| written(ctx, value)).and_then(frequency) {
                Some(share) if share <= RARE_SHARE && relation.partition_root.is_none() => {
                    usable.partial.push(rare(test, key, share));
                }
                _ => {
                    let share = statistics.map_or(0.01, |s| 1.0 / s.distinct(relation.rows.unwrap_or(1.0)));
                    usable.equal.push((key, share));
                }
            }
        }
        Comparison::AnyEq => usable.any.push(key),
        Comparison::IsNull => match statistics.map(|s| s.null_fraction) {
            Some(share) if share <= RARE_SHARE => usable.partial.push(rare(test, key, share)),
            _ => {}
        },
        Comparison::IsTrue | Comparison::IsFalse if key.column => {
            let value = if comparison == Comparison::IsTrue { "t" } else { "f" };
            if let Some(share) = frequency(value).filter(|share| *share <= RARE_SHARE) {
                usable.partial.push(rare(test, key, share));
            }
        }
        // Until the table is analysed the planner takes a range of an expression for a third of the rows.
        ref range if range.is_range() && key.column => usable.range.push(key),
        Comparison::Operator(ref like) if like == "~~" => {
            let prefix = right.and_then(Operand::literal).is_some_and(|p| !p.starts_with(['%', '_']));
            let c_collation = relation.column(&key.text).is_some_and(|c| c.c_collation);
            if prefix {
                usable
                    .range
                    .push(Key { operator_class: (!c_collation).then_some("text_pattern_ops"), ..key });
            }
        }
        _ => {}
    }
}

/// The constant stands in the statement itself; a parameter's value may be another one next time.
fn written(ctx: &PlanContext, value: &str) -> bool {
    let text = &ctx.statement.text;
    let quoted = format!("'{}'", value.replace('\'', "''"));
    let (tokens, _) = tokenize(text);
    ctx.statement.parameters == 0 || tokens.iter().any(|t| [value, &quoted].contains(&t.text(text)))
}

fn rare(test: &Test, key: Key, share: f64) -> Rare {
    Rare { text: predicate(test), key, share: share.max(0.0001) }
}

/// A test as a WHERE clause of the table itself: operands carry no alias.
fn predicate(test: &Test) -> String {
    let text = match (&test.comparison, &test.right) {
        (Comparison::IsNull, _) => format!("{} IS NULL", test.left.text),
        (Comparison::IsTrue, _) => test.left.text.clone(),
        (Comparison::IsFalse, _) => format!("NOT {}", test.left.text),
        (_, Some(right)) => format!("{} = {}", parenthesised(&test.left), right.text),
        _ => test.text.clone(),
    };
    format!("({text})")
}

fn parenthesised(operand: &Operand) -> String {
    match operand.shape {
        Shape::Column => operand.text.clone(),
        _ => format!("({})", operand.text),
    }
}

pub(super) fn owns(alias: Option<&str>, relation: &Relation, qualifier: Option<&str>, name: &str) -> bool {
    match qualifier {
        Some(qualifier) => Some(qualifier) == alias,
        None => relation.column(name).is_some(),
    }
}

/// The index key that holds an operand's values; `None` where no index can.
pub(super) fn key(ctx: &PlanContext, operand: &Operand, relation: &Relation) -> Option<Key> {
    if let Some(reference) = operand.column() {
        let column = relation.column(&reference.name)?;
        let relabelled = match &operand.shape {
            Shape::CastColumn(to) => to == "text" && column.data_type.starts_with("character varying"),
            _ => true,
        };
        if relabelled {
            return column.btree.then(|| Key::column(&column.name));
        }
    }
    let expression = !operand.columns.is_empty()
        && operand.shape != Shape::Opaque
        && volatility::immutable(
            &operand.text,
            &|name| relation.column(name).map(|c| volatility::type_kind(&c.data_type)),
            &|function| ctx.catalog.immutable(function),
        );
    expression.then(|| Key { text: operand.text.clone(), column: false, ..Key::column("") })
}

/// Puts the keys in order. Returns them, how many in front are only compared for equality, and whether a
/// sort becomes unnecessary.
fn arrange(usable: &Usable, order: Option<Order>, rows: f64, emitted: f64) -> (Vec<Key>, usize, bool) {
    let mut equal = usable.equal.clone();
    equal.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut left = rows;
    let mut keys = Vec::new();
    for (key, share) in equal {
        if !keys.is_empty() && left <= ENOUGH_ROWS {
            break;
        }
        left = (left * share).max(emitted);
        keys.push(key);
    }
    let unordered = keys.len();
    if unordered > 0 && left <= ENOUGH_ROWS {
        return (keys, unordered, false);
    }
    let range = usable.range.first();
    match order {
        Some(order) if sort_beats_range(&order, range) => {
            let trailing =
                usable.any.iter().chain(range).filter(|k| !order.keys.iter().any(|o| o.text == k.text));
            let trailing: Vec<Key> = trailing.cloned().collect();
            keys.extend(order.keys);
            keys.extend(trailing);
            (keys, unordered, true)
        }
        _ => {
            let unordered = unordered + usable.any.len();
            keys.extend(usable.any.iter().cloned());
            keys.extend(range.cloned());
            (keys, unordered, false)
        }
    }
}

/// Columns to include so that the heap need not be read, where that pays.
fn include(ctx: &PlanContext, node: &Node, relation: &Relation, keys: &[Key]) -> Vec<String> {
    let visible = relation.pages > 0.0 && relation.all_visible_pages / relation.pages >= INCLUDE_MIN_VISIBLE;
    if !visible || node.detail.output.is_empty() || keys.iter().any(|k| !k.column) {
        return Vec::new();
    }
    let mut extra: Vec<String> = Vec::new();
    let alias = node.detail.alias.as_deref();
    let conditions = ctx.scan_conditions(node);
    // A scan below these may hand on whole rows, needed or not: the parent's own expressions say what is needed.
    let parent = node.parent.map(|id| &ctx.plan.nodes[id]).filter(|parent| {
        node.detail.output.len() == relation.columns.len() && PROJECTING.contains(&parent.kind.as_str())
    });
    let used: Vec<&String> = match parent {
        Some(parent) => {
            let joined = [&parent.detail.hash_cond, &parent.detail.merge_cond, &parent.detail.join_filter];
            let texts = parent.detail.output.iter().chain(&parent.detail.group_key);
            texts.chain(joined.into_iter().flatten()).chain(&parent.detail.filter).collect()
        }
        None => node.detail.output.iter().collect(),
    };
    let outputs = used.into_iter().map(|text| sort_key(text).operand);
    let tested = conditions
        .iter()
        .flat_map(|c| c.tests())
        .flat_map(|t| std::iter::once(t.left.clone()).chain(t.right.clone()));
    for operand in outputs.chain(tested) {
        if operand.shape == Shape::Opaque {
            return Vec::new();
        }
        for column in operand.columns {
            let known = keys.iter().any(|k| k.text == column.name) || extra.contains(&column.name);
            if !known && owns(alias, relation, column.qualifier.as_deref(), &column.name) {
                extra.push(column.name);
            }
        }
    }
    let width: f64 = extra.iter().filter_map(|c| relation.column(c)).map(|c| relation.width(c)).sum();
    if extra.len() > INCLUDE_MAX_COLUMNS || width > INCLUDE_MAX_BYTES { Vec::new() } else { extra }
}
