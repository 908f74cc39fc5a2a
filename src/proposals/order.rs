//! The order in which a plan wants the rows of a scan, as index keys.
//!
//! Refuses to name an order that an index could not give.

use super::candidate::{Usable, key, owns};
use super::definition::Key;
use crate::catalog::Relation;
use crate::context::{NEAR, PlanContext};
use crate::plan::{Node, Relationship};
use crate::sql::condition::{SortKey, same_name, sort_key};
use crate::sql::token::tokenize;

/// The order that a sort right above the scan makes, as keys; `None` where there is none we could give.
pub(super) fn wanted_order(
    ctx: &PlanContext,
    node: &Node,
    relation: &Relation,
    usable: &Usable,
) -> Option<Order> {
    if let Some(limit) = walked_for(ctx, node) {
        return index_order(ctx, node, relation, limit, usable);
    }
    let sort = ctx.above(node.id, &["Gather", "Gather Merge", "Append", "Merge Append", "Result"])?;
    if !["Sort", "Incremental Sort"].contains(&sort.kind.as_str()) {
        return None;
    }
    let limit = ctx.above(sort.id, &["Gather", "Gather Merge", "Merge Append"]).filter(|n| n.kind == "Limit");
    let alias = node.detail.alias.as_deref();
    let single_value = |key: &Key| usable.equal.iter().any(|(k, _)| k.text == key.text);
    let keys = sort.detail.sort_key.iter().map(|text| order_key(ctx, &sort_key(text), alias, relation, node));
    let keys: Vec<Key> = keys.collect::<Option<Vec<_>>>()?.into_iter().filter(|k| !single_value(k)).collect();
    let emitted = ctx.facts_of(node.id).rows_total.map(|r| r.0);
    let wanted = limit.and_then(|l| ctx.facts_of(l.id).rows_total).map(|r| r.0);
    (!keys.is_empty()).then_some(Order { keys, limited: limit.is_some(), emitted, wanted })
}

/// The LIMIT that a scan's rows reach in the scan's own order: a nested loop hands on that of its outer side.
fn walked_for<'a>(ctx: &PlanContext<'a>, scan: &'a Node) -> Option<&'a Node> {
    const PASS: &[&str] =
        &["Gather", "Gather Merge", "Append", "Merge Append", "Result", "Subquery Scan", "LockRows"];
    let mut below = scan;
    for above in ctx.plan.ancestors(scan.id).take(NEAR) {
        match above.kind.as_str() {
            "Limit" => return Some(above),
            "Nested Loop" if below.relationship == Relationship::Outer => below = above,
            kind if PASS.contains(&kind) => below = above,
            _ => return None,
        }
    }
    None
}

/// The order in which an index scan hands rows to a LIMIT, where that can be the only reason for this index:
/// no condition uses it. As many of its keys as the statement may have asked for.
fn index_order(
    ctx: &PlanContext,
    node: &Node,
    relation: &Relation,
    limit: &Node,
    usable: &Usable,
) -> Option<Order> {
    let detail = &node.detail;
    let leaf = ctx.relation(node)?;
    let index =
        leaf.indexes.iter().find(|i| Some(&i.name) == detail.index.as_ref() && i.method == "btree")?;
    // For min and max the server adds that the key is not NULL.
    let set = |cond: &str| cond.ends_with(" IS NOT NULL)") && !cond.contains(" AND ");
    if detail.index_cond.as_deref().is_some_and(|cond| !set(cond)) {
        return None;
    }
    let backward = detail.scan_direction.as_deref() == Some("Backward");
    let keys = index.keys.iter().map(|live| Key {
        column: live.column,
        descending: live.descending != backward,
        nulls_first: live.nulls_first != backward,
        ..Key::column(&live.text)
    });
    // A view may call the first one otherwise, and min and max do not name an order.
    let first = asks_order(&ctx.statement.text).then(|| index.keys.first()).flatten();
    let wanted = |key: &Key| {
        !key.column
            || first.is_some_and(|live| live.text == key.text)
            || mentions(&ctx.statement.text, &key.text)
    };
    let plain = index.keys.iter().all(|k| k.operator_class.is_none());
    let keys: Vec<Key> =
        keys.take_while(|k| plain && wanted(k) && relation.column(&k.text).is_some() == k.column).collect();
    let keys: Vec<Key> =
        keys.into_iter().filter(|k| !usable.equal.iter().any(|(e, _)| e.text == k.text)).collect();
    let emitted = ctx.facts_of(limit.id).rows_total.map(|r| r.0);
    (!keys.is_empty()).then_some(Order { keys, limited: true, emitted, wanted: emitted })
}

/// The statement has this name behind an ORDER BY.
fn mentions(statement: &str, name: &str) -> bool {
    let (tokens, _) = tokenize(statement);
    let order =
        tokens.windows(2).rposition(|w| w[0].is_word(statement, "order") && w[1].is_word(statement, "by"));
    order.is_some_and(|at| tokens[at..].iter().any(|t| same_name(t.text(statement), name)))
}

/// The statement has an ORDER BY, or asks for the least or the greatest of something.
fn asks_order(statement: &str) -> bool {
    let (tokens, _) = tokenize(statement);
    tokens.windows(2).any(|w| {
        let next = w[1].text(statement);
        (w[0].is_word(statement, "order") && w[1].is_word(statement, "by"))
            || (["min", "max"].iter().any(|name| w[0].is_word(statement, name)) && next == "(")
    })
}

pub(super) struct Order {
    pub(super) keys: Vec<Key>,
    pub(super) limited: bool,
    pub(super) emitted: Option<f64>,
    pub(super) wanted: Option<f64>,
}

fn order_key(
    ctx: &PlanContext,
    sort: &SortKey,
    alias: Option<&str>,
    relation: &Relation,
    node: &Node,
) -> Option<Key> {
    let ours = |qualifier: Option<&str>, name: &str| {
        // Above an Append the sort key names the parent's alias, of which the partition's is a variant.
        owns(alias, relation, qualifier, name)
            || (node.relationship == Relationship::Member && relation.column(name).is_some())
    };
    let columns = sort.operand.columns.iter();
    let all_ours =
        columns.clone().count() > 0 && columns.clone().all(|c| ours(c.qualifier.as_deref(), &c.name));
    if !all_ours || sort.custom_order || sort.collation.is_some() {
        return None;
    }
    let key = key(ctx, &sort.operand, relation)?;
    Some(Key { descending: sort.descending, nulls_first: sort.nulls_first, ..key })
}

/// With a range on the first sort column both are served at once. Otherwise the order wins where LIMIT stops
/// the scan early: when far more rows pass the conditions than are wanted.
pub(super) fn sort_beats_range(order: &Order, range: Option<&Key>) -> bool {
    match range {
        Some(range) if range.text == order.keys[0].text => true,
        _ if !order.limited => range.is_none(),
        None => true,
        Some(_) => match (order.emitted, order.wanted) {
            (Some(emitted), Some(wanted)) => emitted > wanted * 50.0,
            _ => false,
        },
    }
}
