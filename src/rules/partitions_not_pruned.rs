//! Most partitions that were read held nothing: the planner could not tell that from the statement.
//!
//! Refuses to blame a range of the partition key that is as wide as the partitions read.

use super::hidden::{all_tests, remedy};
use super::support::{TableScan, by_table};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::{Column, Relation};
use crate::context::{NEAR, PlanContext};
use crate::finding::{Evidence, Finding, Remedy, Rewrite};
use crate::plan::Node;
use crate::sql::condition::{Condition, Operand, Shape, Test};
use crate::sql::ident::{qualified, quote, unquote};
use crate::sql::rewrite::{Hidden, sargable, uncast};
use crate::sql::token::{TokenKind, tokenize};
use crate::sql::volatility::type_kind;
use crate::units::Millis;
use crate::words::{counted, duration};

pub(super) const SPEC: Spec = Spec {
    name: "partitions-not-pruned",
    summary: "partitions are read that the statement could have ruled out",
    thresholds: &[
        Threshold {
            name: "min-partitions",
            default: 4.0,
            unit: "partitions",
            why: "of two or three there is not much to leave out",
        },
        Threshold {
            name: "min-empty-share",
            default: 0.7,
            unit: "of partitions read",
            why: "where every other partition has rows, the statement asks for most of the table",
        },
    ],
    page: include_str!("../../rules/partitions-not-pruned.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

const SCANS: &[&str] = &["Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"];

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let scans = ctx.plan.nodes.iter().filter(|n| SCANS.contains(&n.kind.as_str()));
    by_table(ctx, scans).iter().filter_map(|scan| unpruned(ctx, tuning, scan)).collect()
}

/// Why the planner had to read every partition.
enum Why {
    /// `enable_partition_pruning = off`.
    Off,
    /// No test names the key.
    Unnamed,
    /// A test of a function of the key, or of the key cast to another type.
    Hidden(Operand),
    /// Tests of the key stand under an OR with others.
    Or,
    /// The key is compared with a column of another table.
    Joined(String),
}

fn unpruned(ctx: &PlanContext, tuning: &Tuning, scan: &TableScan) -> Option<Finding> {
    let root = ctx.relation(scan.first())?.partition_root.as_ref()?;
    let root = ctx.catalog.relation(Some(&root.schema), &root.name)?;
    let key = first_key(root.partition_key.as_deref()?)?;
    let ran: Vec<&Node> = scan.nodes.iter().copied().filter(|n| n.ran().is_some()).collect();
    let empty: Vec<&Node> =
        ran.iter().copied().filter(|n| ctx.facts_of(n.id).rows_total.is_some_and(|r| r.0 == 0.0)).collect();
    if (ran.len() as f64) < tuning.get("min-partitions")
        || (empty.len() as f64) < ran.len() as f64 * tuning.get("min-empty-share")
    {
        return None;
    }
    let why = why(ctx, scan.first(), &key)?;
    let time: Millis = empty.iter().filter_map(|n| ctx.subtree_time(n.id)).sum();
    let time = ctx.facts.execution.map_or(time, |all| if time > all { all } else { time });
    let mut found = scan.finding(&SPEC, ctx).recovering(ctx, time);
    let table = qualified(&root.schema, &root.name);
    found.what = format!("{} of {table} are read, and {} of them return no row", counted(ran.len() as f64, "partition"), empty.len());
    let quoted = quote(&key);
    let (reason, help) = match &why {
        Why::Off => (
            "enable_partition_pruning is off".to_owned(),
            "switch enable_partition_pruning on: it is off for those who debug the planner".to_owned(),
        ),
        Why::Unnamed => (
            format!("no condition names {quoted}, by which the table is partitioned"),
            format!("add a condition on {quoted} where the rows asked for have one"),
        ),
        Why::Hidden(operand) => (
            format!("the partitions are bounded by {quoted}, and the condition is on {}", operand.text),
            format!("compare {quoted} itself with values of its type"),
        ),
        Why::Or => (
            format!("{quoted} is tested under an OR with other columns"),
            format!("ask in a UNION ALL of two statements, or add a condition on {quoted} that holds for both"),
        ),
        Why::Joined(condition) => (
            format!("the values of {quoted} come out of the join, {condition}, when the partitions have been read"),
            format!("give the range of {quoted} as a condition beside the join"),
        ),
    };
    found.why = format!("{} go into them: {reason}", duration(time));
    found.help = help;
    found.evidence = vec![
        Evidence::data("partitions read", ran.len() as f64, "partitions"),
        Evidence::data("partitions without a row", empty.len() as f64, "partitions"),
        Evidence::text("partition key", root.partition_key.clone().unwrap_or_default()),
        Evidence::timing("time in partitions without a row", time.0, "ms"),
    ];
    found.remedies = match &why {
        Why::Off => vec![Remedy::Setting {
            name: "enable_partition_pruning",
            value: "on".to_owned(),
            remark: "it is on by default; nothing else changes but the time to plan",
        }],
        Why::Hidden(operand) => rewritten(ctx, scan, root, operand).into_iter().map(Remedy::Rewrite).collect(),
        _ => Vec::new(),
    };
    Some(found)
}

/// The first column of a key such as `RANGE (day, id)`; `None` for an expression, whose tests are not told apart here.
fn first_key(definition: &str) -> Option<String> {
    let (tokens, _) = tokenize(definition);
    let name = tokens.get(2).filter(|t| matches!(t.kind, TokenKind::Word | TokenKind::QuotedIdent))?;
    let called = tokens.get(3).is_some_and(|t| t.is_punct(definition, "("));
    (!called).then(|| unquote(name.text(definition)))
}

/// `None` where the key is compared as it is: then the planner has left out what it could.
fn why(ctx: &PlanContext, scan: &Node, key: &str) -> Option<Why> {
    let off = |(name, value): &(String, String)| name == "enable_partition_pruning" && value == "off";
    let conditions = ctx.scan_conditions(scan);
    let conjuncts: Vec<&Test> = conditions.iter().flat_map(Condition::conjuncts).collect();
    let names = |operand: &Operand| operand.columns.iter().any(|c| c.name == key);
    let sides = |test: &Test| [Some(test.left.clone()), test.right.clone()].into_iter().flatten();
    let bare = |test: &Test| sides(test).any(|o| o.shape == Shape::Column && names(&o));
    if conjuncts.iter().any(|t| bare(t)) {
        return ctx.plan.settings.iter().flatten().any(off).then_some(Why::Off);
    }
    if let Some(operand) = conjuncts.iter().flat_map(|t| sides(t)).find(|o| names(o)) {
        return Some(Why::Hidden(operand));
    }
    if all_tests(&conditions).into_iter().flat_map(sides).any(|o| names(&o)) {
        return Some(Why::Or);
    }
    let alias = ctx.outer_alias(scan);
    let joined = ctx.plan.ancestors(scan.id).take(NEAR).find_map(|join| {
        let conditions = ctx.join_conditions(join);
        let mut operands = conditions.iter().flat_map(Condition::tests).flat_map(sides);
        let ours = operands.any(|o| o.columns.iter().any(|c| c.name == key && c.qualifier.as_deref() == alias));
        ours.then(|| join.detail.hash_cond.clone().or(join.detail.merge_cond.clone()))?
    });
    Some(joined.map_or(Why::Unnamed, Why::Joined))
}

fn rewritten(ctx: &PlanContext, scan: &TableScan, root: &Relation, operand: &Operand) -> Option<Rewrite> {
    let [column] = &operand.columns[..] else { return None };
    let column: &Column = root.column(&column.name)?;
    let hidden = Hidden {
        column: &column.name,
        alias: ctx.outer_alias(scan.first()),
        data_type: &column.data_type,
        kind: type_kind(&column.data_type),
        not_null: column.not_null,
    };
    let parsed = ctx.parsed?;
    let rewritten = sargable::rewrite(parsed, &hidden, &operand.text).or_else(|| match &operand.shape {
        Shape::CastColumn(to) => uncast::rewrite(parsed, &hidden, to),
        _ => None,
    })?;
    remedy(root, &column.name, rewritten)
}
