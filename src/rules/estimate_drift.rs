//! The planner's row estimate is far off, and the plan pays for it.
//!
//! Refuses to speak of spills, which a right estimate would not spare, or to blame every node above the mistake: only the lowest one where it starts. Nodes that never ran, or
//! that were stopped before their last row, are no evidence.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy};
use crate::plan::{Node, Relationship};
use crate::sql::condition::{Comparison, Operand, Shape, Test, sort_key};
use crate::units::Millis;
use crate::words::{count, counted, duration, percent, times};
use std::collections::HashMap;

/// Below this a time per loop, printed in microseconds, is off by a third or more.
const COARSE_MS: f64 = 0.002;

pub(super) const SPEC: Spec = Spec {
    name: "estimate-drift",
    summary: "the planner's row estimate is far off, and the plan pays for it",
    thresholds: &[
        Threshold {
            name: "min-error",
            default: 10.0,
            unit: "times",
            why: "a factor of ten changes join methods; smaller errors seldom do",
        },
        Threshold {
            name: "min-rows",
            default: 1_000.0,
            unit: "rows off",
            why: "fewer rows cost about a millisecond whatever is done with them",
        },
        Threshold {
            name: "stale-share",
            default: 0.1,
            unit: "of rows",
            why: "autovacuum_analyze_scale_factor's default: autovacuum would analyse again here",
        },
    ],
    page: include_str!("../../rules/estimate-drift.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

/// Joins above a misjudged node that are looked at: a statement that joins more tables is rare.
const REACH: usize = 1_000;

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut by_relation: HashMap<String, Vec<usize>> = HashMap::new();
    for node in &ctx.plan.nodes {
        if let Some(one) = drift(ctx, tuning, node) {
            // Partitions and self joins repeat one story: the first, with its remedies, stands for all.
            let Some(relation) = one.relation.clone() else {
                found.push(one);
                continue;
            };
            let told = by_relation.entry(relation).or_default();
            match told.iter().find(|&&index| found[index].remedies == one.remedies) {
                Some(&index) if one.saves > found[index].saves => found[index] = one,
                Some(_) => {}
                None => {
                    told.push(found.len());
                    found.push(one);
                }
            }
        }
    }
    found
}

/// How far off a node is: the factor, 1 or more, and whether more rows came than expected.
struct Error {
    factor: f64,
    under: bool,
    expected: f64,
    actual: f64,
    loops: f64,
}

fn error(ctx: &PlanContext, node: &Node) -> Option<Error> {
    let facts = ctx.facts_of(node.id);
    facts.estimate_error?;
    if facts.stopped_early {
        return None;
    }
    let (ran, estimate) = (node.ran()?, node.estimate?);
    // Zero rows and fractions of a row are one row: the planner never expects fewer.
    let (expected, actual) = (estimate.rows.0.max(1.0), ran.rows.0.max(1.0));
    let factor = (actual / expected).max(expected / actual);
    Some(Error { factor, under: actual > expected, expected, actual: ran.rows.0, loops: ran.loops })
}

fn drift(ctx: &PlanContext, tuning: &Tuning, node: &Node) -> Option<Finding> {
    let off = error(ctx, node)?;
    let threshold = tuning.get("min-error");
    let starts_here = |child: &Node| error(ctx, child).is_none_or(|e| e.factor < threshold);
    let rows_off = (off.actual.max(1.0) - off.expected).abs() * off.loops;
    if off.factor < threshold || rows_off < tuning.get("min-rows") || !ctx.children(node.id).all(starts_here)
    {
        return None;
    }
    let (harm, victim) = harm(ctx, node, &off);
    let victim = victim.filter(|_| harm.0 >= super::FLOOR_MS)?;
    let cause = cause(ctx, tuning, node, &off);
    let mut found = finding(&SPEC, ctx, node).recovering(ctx, harm);
    let per_loop = if off.loops > 1.0 { " per loop" } else { "" };
    found.what = format!(
        "the planner expected {}{per_loop} from {} and got {}: {} {}",
        counted(off.expected, "row"),
        label(ctx, node),
        count(off.actual),
        times(off.factor),
        if off.under { "more" } else { "fewer" }
    );
    found.why = format!("{victim} {}; {}", duration(harm), cause.sentence);
    found.help = cause.help;
    found.evidence = vec![
        Evidence::data("rows expected", off.expected, "rows"),
        Evidence::data("rows seen", off.actual, "rows"),
        Evidence::text("cause", cause.word),
    ];
    found.remedies = cause.remedy.into_iter().collect();
    Some(found)
}

fn label(ctx: &PlanContext, node: &Node) -> String {
    match node.detail.relation {
        Some(_) => format!("the {} of {}", node.kind.to_ascii_lowercase(), ctx.relation_name(node)),
        None => format!("the {}", node.kind.to_ascii_lowercase()),
    }
}

/// Time that the mistake visibly cost: repeated inner sides of nested loops, whole tables read because
/// many partners were expected.
fn harm(ctx: &PlanContext, node: &Node, off: &Error) -> (Millis, Option<String>) {
    let share = 1.0 - 1.0 / off.factor;
    let mut total = Millis(0.0);
    let mut worst: Option<(Millis, String)> = None;
    let mut blame = |time: Millis, what: &dyn Fn() -> String| {
        total += time;
        if worst.as_ref().is_none_or(|(most, _)| time > *most) {
            worst = Some((time, what()));
        }
    };
    if off.under && node.kind == "Index Scan" && off.loops <= 1.0 {
        blame(ctx.self_time(node.id).unwrap_or_default() * 0.5, &|| {
            "fetching them one by one through the index costs up to".into()
        });
    }
    let mut below = node;
    for above in ctx.plan.ancestors(node.id).take(REACH) {
        if !is_input(below) {
            break;
        }
        let other = ctx.children(above.id).find(|n| n.id != below.id && is_input(n));
        match above.kind.as_str() {
            "Nested Loop" if off.under && below.relationship == Relationship::Outer => {
                if let Some((inner, time)) = other.and_then(|o| Some((o, inner_time(ctx, above, below, o)?))) {
                    let loops = inner.ran().map_or(0.0, |r| r.loops);
                    blame(time * share, &|| {
                        format!("a nested loop runs its inner side {} for up to", counted(loops, "time"))
                    });
                }
            }
            "Hash Join" | "Merge Join" if !off.under => {
                if let Some(time) = other.and_then(|o| ctx.subtree_time(o.id)) {
                    blame(time * share, &|| "the other side of the join is read in full for up to".into());
                }
            }
            _ => {}
        }
        let ends = ["Aggregate", "Group", "Unique", "Limit", "WindowAgg"].contains(&above.kind.as_str());
        if ends {
            break;
        }
        below = above;
    }
    (total, worst.map(|(_, what)| what))
}

/// Time of a nested loop's inner side. The server prints it per loop, in microseconds: of less than a few of those the
/// product says nothing, and what the loop took beyond its outer side stands for it.
fn inner_time(ctx: &PlanContext, above: &Node, outer: &Node, inner: &Node) -> Option<Millis> {
    let printed = ctx.subtree_time(inner.id)?;
    let loops = inner.ran().map_or(1.0, |r| r.loops.max(1.0));
    if printed.0 / loops >= COARSE_MS {
        return Some(printed);
    }
    let beyond = ctx.subtree_time(above.id)?.0 - ctx.subtree_time(outer.id)?.0;
    Some(Millis(beyond.max(printed.0)))
}

fn is_input(node: &Node) -> bool {
    !matches!(node.relationship, Relationship::InitPlan | Relationship::SubPlan)
}

struct Cause {
    word: &'static str,
    sentence: String,
    help: String,
    remedy: Option<Remedy>,
}

fn cause(ctx: &PlanContext, tuning: &Tuning, node: &Node, off: &Error) -> Cause {
    let unknown = || Cause {
        word: "unknown",
        sentence: "the statistics show no cause".to_owned(),
        help: "a MATERIALIZED CTE around this part lets the planner count on it less; compare the plans"
            .to_owned(),
        remedy: None,
    };
    if node.detail.relation.is_none() {
        return grouping(ctx, node).unwrap_or_else(unknown);
    }
    let Some(relation) = ctx.relation(node) else { return unknown() };
    old_statistics(ctx, tuning, node, relation)
        .or_else(|| by_conditions(ctx, node, relation, off))
        .unwrap_or_else(unknown)
}

/// Never analysed, or changed much since.
fn old_statistics(ctx: &PlanContext, tuning: &Tuning, node: &Node, relation: &Relation) -> Option<Cause> {
    let name = relation.qualified();
    let remedy = Some(Remedy::Analyze { schema: relation.schema.clone(), relation: relation.name.clone() });
    let none_seen = relation.statistics_visible && relation.columns.iter().all(|c| c.statistics.is_none());
    if relation.rows.is_none() || none_seen {
        return Some(Cause {
            word: "never analysed",
            sentence: format!("{name} has no statistics: it was never analysed"),
            help: format!("ANALYZE {name}"),
            remedy,
        });
    }
    let rows = relation.rows.unwrap_or(0.0);
    let modified = modified(relation, rows);
    let facts = ctx.facts_of(node.id);
    let read =
        (node.kind == "Seq Scan" && !facts.stopped_early && node.ran().is_some_and(|r| r.loops <= 1.0))
            .then(|| facts.rows_total.map(|r| r.0 + facts.rows_removed_total.map_or(0.0, |r| r.0)))
            .flatten();
    let resized = read.filter(|read| *read > rows * 2.0 + 1000.0);
    let sentence = match resized {
        Some(read) => format!(
            "the statistics of {name} are stale: they speak of {}, {} are there",
            counted(rows, "row"),
            count(read)
        ),
        None if modified > 50.0 + rows * tuning.get("stale-share") => {
            format!(
                "the statistics of {name} are stale: {} changed since they were taken",
                counted(modified, "row")
            )
        }
        None => return None,
    };
    Some(Cause { word: "stale", sentence, help: format!("ANALYZE {name}"), remedy })
}

/// Rows changed since the last ANALYZE. The server's counter alone is no proof: what a session wrote right before
/// its own ANALYZE is often counted only after it. Yet there were no more updates and deletes than all on record,
/// and no more inserts than the table has grown by (or than deletes made room for).
fn modified(relation: &Relation, rows: f64) -> f64 {
    let Some(activity) = &relation.activity else { return 0.0 };
    let pages = relation.size_bytes.map_or(relation.pages, |bytes| bytes as f64 / 8192.0);
    let grown = (rows * (pages / relation.pages.max(1.0) - 1.0)).max(0.0);
    let at_most = activity.updates as f64 + 2.0 * activity.deletes as f64 + grown;
    (activity.modified_since_analyze as f64).min(at_most)
}

/// What the conditions of a scan show: several columns, an expression, a skewed value.
fn by_conditions(ctx: &PlanContext, node: &Node, relation: &Relation, off: &Error) -> Option<Cause> {
    let conditions = ctx.scan_conditions(node);
    let tests: Vec<&Test> = conditions.iter().flat_map(|c| c.conjuncts()).collect();
    let name = relation.qualified();
    if let Some(expression) = tests.iter().find_map(|t| unknown_expression(t, relation)) {
        let supported = ctx.server.is_some_and(|s| s.major() >= 14);
        return Some(Cause {
            word: "expression without statistics",
            sentence: format!("no statistics exist for the expression {expression}"),
            help: match supported {
                true => "extended statistics on the expression, or an index on it".to_owned(),
                false => "an index on the expression: ANALYZE then keeps statistics for it".to_owned(),
            },
            remedy: supported.then(|| Remedy::Statistics {
                schema: relation.schema.clone(),
                relation: relation.name.clone(),
                columns: Vec::new(),
                expression: Some(expression),
            }),
        });
    }
    let mut columns: Vec<String> = Vec::new();
    for column in tests.iter().filter(|t| correlates(t)).filter_map(|t| t.left.column()) {
        if relation.column(&column.name).is_some() && !columns.contains(&column.name) {
            columns.push(column.name.clone());
        }
    }
    let covered = relation.statistics.iter().any(|s| columns.iter().all(|c| s.columns.contains(c)));
    if columns.len() >= 2 && !covered {
        columns.truncate(8);
        return Some(Cause {
            word: "correlated columns",
            sentence: format!(
                "the planner takes the conditions on {} of {name} as independent",
                columns.join(" and ")
            ),
            help: "extended statistics tell it how they go together".to_owned(),
            remedy: Some(Remedy::Statistics {
                schema: relation.schema.clone(),
                relation: relation.name.clone(),
                columns,
                expression: None,
            }),
        });
    }
    skew(ctx, relation, &tests, off)
}

/// Tests whose selectivities the planner multiplies.
fn correlates(test: &Test) -> bool {
    let fixed = test.right.as_ref().is_none_or(Operand::is_fixed);
    fixed && !matches!(test.comparison, Comparison::Operator(_) | Comparison::Other)
}

/// An expression over columns that neither an index nor extended statistics know.
fn unknown_expression(test: &Test, relation: &Relation) -> Option<String> {
    let operand = &test.left;
    let relabel = matches!(&operand.shape, Shape::CastColumn(to) if to == "text");
    let expression = matches!(operand.shape, Shape::Expression | Shape::CastColumn(_)) && !relabel;
    let bare = |text: &str| text.replace(['(', ')', ' '], "");
    let known = relation.indexes.iter().any(|i| i.keys.iter().any(|k| bare(&k.text) == bare(&operand.text)))
        || relation.statistics.iter().any(|s| bare(&s.definition).contains(&bare(&operand.text)));
    (expression && !known && test.comparison != Comparison::Other).then(|| operand.text.clone())
}

/// A parameter (or a join's value) that the planner had to take as an average one.
fn skew(ctx: &PlanContext, relation: &Relation, tests: &[&Test], off: &Error) -> Option<Cause> {
    tests.iter().find_map(|test| {
        let column = relation.column(&test.left.column()?.name)?;
        let statistics = column.statistics.as_ref()?;
        let unknown_value = test.right.as_ref().is_some_and(|r| r.literal().is_none());
        let rows = relation.rows?;
        let average = 1.0 / statistics.distinct(rows);
        let top = *statistics.common_frequencies.first()?;
        if test.comparison != Comparison::Eq || !unknown_value || top < 10.0 * average || !off.under {
            return None;
        }
        let generic = test.right.as_ref().is_some_and(|r| is_parameter(ctx, &r.text));
        Some(Cause {
            word: "skewed parameter",
            sentence: format!(
                "the planner did not know the value of {} and took an average one ({}); the most common one makes {}",
                column.name,
                percent(average),
                percent(top)
            ),
            help: match generic {
                true => "plan_cache_mode = force_custom_plan makes the planner look at each value".to_owned(),
                false => "look the value up first and pass it as a constant, so that the planner can see it".to_owned(),
            },
            remedy: None,
        })
    })
}

/// `$1` of the statement; up to 16 the results of an InitPlan are printed like one, and named by it (`returns $0,$1`).
fn is_parameter(ctx: &PlanContext, text: &str) -> bool {
    let returned = |name: &str| name.split([' ', ',', ')']).any(|word| word == text);
    let initplan = |n: &Node| n.subplan_name.as_deref().is_some_and(returned);
    text.starts_with('$') && !ctx.plan.nodes.iter().any(initplan)
}

/// Groups over several columns of one relation: their combinations are fewer (or more) than assumed.
fn grouping(ctx: &PlanContext, node: &Node) -> Option<Cause> {
    let keys: Vec<Operand> = node.detail.group_key.iter().map(|k| sort_key(k).operand).collect();
    let columns: Vec<&crate::sql::condition::ColumnRef> =
        keys.iter().map(Operand::column).collect::<Option<_>>()?;
    let alias = columns.first()?.qualifier.clone();
    if columns.len() < 2 || columns.iter().any(|c| c.qualifier != alias) {
        return None;
    }
    let scan =
        ctx.subtree(node.id).iter().find(|n| n.detail.relation.is_some() && n.detail.alias == alias)?;
    let relation = ctx.relation(scan)?;
    let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
    let covered = relation.statistics.iter().any(|s| names.iter().all(|c| s.columns.contains(c)));
    (!covered).then(|| Cause {
        word: "correlated columns",
        sentence: format!("the planner multiplies the numbers of values of {}", names.join(" and ")),
        help: "extended statistics tell it how many combinations there are".to_owned(),
        remedy: Some(Remedy::Statistics {
            schema: relation.schema.clone(),
            relation: relation.name.clone(),
            columns: names,
            expression: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::stored::seen;
    use super::*;

    /// No page can tell this: a generic plan is not executed there to be examined, and up to 16 it is not made beside
    /// an InitPlan's results alone.
    #[test]
    fn a_parameter_is_told_from_what_an_initplan_returns() {
        let plan = "Seq Scan on orders  (cost=0.00..1.00 rows=1 width=4)\n  Filter: ((a = $0) AND (b = $1) AND (c = $2))\n  \
                    InitPlan 1 (returns $0,$1)\n    ->  Seq Scan on shops  (cost=0.00..1.00 rows=1 width=8)\n";
        let told = |text: &str| seen(plan, |ctx| is_parameter(ctx, text));
        assert_eq!(["$0", "$1", "$2", "s.id"].map(told), [false, false, true, false].map(Some));
    }
}
