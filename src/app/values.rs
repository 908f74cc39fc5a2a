//! Values for a statement's parameters out of the statistics of the columns that they are compared with: a common
//! value, the one of a row in the middle, and a rare one.
//!
//! Refuses to invent: where one parameter is compared with nothing that has statistics, there are none for any.

use crate::catalog::{Catalog, ColumnStatistics, Relation};
use crate::plan::{Node, Plan};
use crate::sql::condition::{Comparison, Operand, condition};
use crate::sql::token::{TokenKind, tokenize};

/// How often a value must be as frequent as another for the two to be worth comparing: below this the planner's
/// choice hardly differs.
const SKEW: f64 = 3.0;

/// What `LIMIT $n` gets: a page of a list.
const PAGE: &str = "50";

/// Sets of values, one per parameter: `None` would be NULL.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Most rows fit.
    pub common: Vec<Option<String>>,
    /// About half of what could fit.
    pub median: Vec<Option<String>>,
    /// Few rows fit.
    pub rare: Vec<Option<String>>,
}

/// One comparison of a parameter with a column.
struct Use<'a> {
    column: &'a str,
    comparison: Comparison,
    statistics: &'a ColumnStatistics,
}

/// Values for the `count` parameters of the statement whose generic plan is `plan`; `None` where one cannot be found, or
/// where all are alike.
pub fn values(text: &str, plan: &Plan, catalog: &Catalog, count: usize) -> Option<Values> {
    let mut uses: Vec<Vec<Use>> = (0..count).map(|_| Vec::new()).collect();
    for node in &plan.nodes {
        let detail = &node.detail;
        let Some(relation) = relation(catalog, node) else { continue };
        for text in [&detail.index_cond, &detail.filter, &detail.recheck_cond].into_iter().flatten() {
            for (number, found) in compared(text, catalog, relation) {
                if let Some(uses) = number.checked_sub(1).and_then(|at| uses.get_mut(at)) {
                    uses.push(found);
                }
            }
        }
    }
    let computed = computed(plan);
    let fixed = limits(text);
    let mut found: Vec<[String; 3]> = Vec::with_capacity(count);
    for (at, own) in uses.iter().enumerate() {
        let fixed = fixed.iter().find(|(number, _)| *number == at + 1).map(|(_, value)| *value);
        found.push(match (fixed, own.first().filter(|_| !computed.contains(&(at + 1)))) {
            (Some(value), _) => [value; 3].map(str::to_owned),
            (None, Some(first)) => three(first, &uses)?,
            (None, None) => return None,
        });
    }
    let differ = found.iter().any(|[common, _, rare]| common != rare);
    let all = |at: usize| found.iter().map(|three| Some(three[at].clone())).collect();
    differ.then(|| Values { common: all(0), median: all(1), rare: all(2) })
}

fn relation<'a>(catalog: &'a Catalog, node: &Node) -> Option<&'a Relation> {
    catalog.relation(node.detail.schema.as_deref(), node.detail.relation.as_deref()?)
}

/// The comparisons of a column with a bare parameter in a condition, each with the parameter's number.
fn compared<'a>(text: &str, catalog: &'a Catalog, relation: &'a Relation) -> Vec<(usize, Use<'a>)> {
    let root = relation.partition_root.as_ref().and_then(|r| catalog.relation(Some(&r.schema), &r.name));
    let column = |operand: &Operand| {
        let name = &operand.column()?.name;
        let known = |relation: &'a Relation| {
            let column = relation.column(name)?;
            Some((column.name.as_str(), column.statistics.as_ref()?))
        };
        root.and_then(known).or_else(|| known(relation))
    };
    let mut found = Vec::new();
    for test in condition(text).tests() {
        let Some(right) = &test.right else { continue };
        let straight = number(right).map(|number| (number, &test.left, Some(test.comparison.clone())));
        let turned = || number(&test.left).map(|number| (number, right, test.comparison.flipped()));
        let Some((number, operand, Some(comparison))) = straight.or_else(turned) else { continue };
        let takes = comparison.is_range() || matches!(comparison, Comparison::Eq | Comparison::AnyEq);
        if let Some((column, statistics)) = column(operand).filter(|_| takes) {
            found.push((number, Use { column, comparison, statistics }));
        }
    }
    found
}

/// The number of a parameter that stands alone or under a cast: `$1`, `($1)::text`.
fn number(operand: &Operand) -> Option<usize> {
    let rest = operand.text.trim_start_matches('(').strip_prefix('$')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let cast = rest[end..].trim_start_matches(')');
    (cast.is_empty() || cast.starts_with("::")).then(|| rest[..end].parse().ok()).flatten()
}

/// Up to 16, what an InitPlan returns is printed like a parameter: `InitPlan 1 (returns $1)`.
fn computed(plan: &Plan) -> Vec<usize> {
    let names = plan.nodes.iter().filter_map(|n| n.subplan_name.as_deref());
    let returned = names.filter_map(|name| name.split_once("returns ")).flat_map(|(_, list)| list.split(','));
    returned.filter_map(|one| one.trim_matches([' ', ')', '$']).parse().ok()).collect()
}

/// Parameters right behind LIMIT and OFFSET: a page, and none left out.
fn limits(text: &str) -> Vec<(usize, &'static str)> {
    let (tokens, _) = tokenize(text);
    let pair = |pair: &[crate::sql::token::Token]| {
        let value = match () {
            () if pair[0].is_word(text, "limit") => PAGE,
            () if pair[0].is_word(text, "offset") => "0",
            () => return None,
        };
        let parameter = Some(pair[1]).filter(|t| t.kind == TokenKind::Param)?;
        Some((parameter.text(text)[1..].parse().ok()?, value))
    };
    tokens.windows(2).filter_map(pair).collect()
}

/// A common value, one in the middle and a rare one for what one parameter is compared with.
fn three(of: &Use, all: &[Vec<Use>]) -> Option<[String; 3]> {
    let statistics = of.statistics;
    let [first, low, middle, above, high, last] = match &statistics.quantiles[..] {
        [a, b, c, d, e, f] => [a, b, c, d, e, f].map(Some),
        _ => [None; 6],
    };
    let is = |upper: bool| {
        move |c: &Comparison| match upper {
            true => matches!(c, Comparison::Less | Comparison::LessEq),
            false => matches!(c, Comparison::Greater | Comparison::GreaterEq),
        }
    };
    let bounded = |upper: bool| {
        let mut same = all.iter().flatten().filter(|other| other.column == of.column);
        same.any(|other| is(upper)(&other.comparison))
    };
    let [common, median, rare] = match &of.comparison {
        c if is(false)(c) && bounded(true) => [first, first, middle],
        c if is(false)(c) => [first, middle, high],
        c if is(true)(c) => [last, middle, if bounded(false) { above } else { low }],
        _ => {
            let top = statistics.common_values.first().zip(statistics.common_frequencies.first());
            let least = statistics.least_common.as_ref();
            match (top, middle, least) {
                (Some((top, _)), Some(middle), _) => {
                    [Some(top), of_half(statistics).or(Some(middle)), Some(middle)]
                }
                (Some((top, often)), None, Some((least, seldom))) if *often >= SKEW * seldom => {
                    [Some(top), of_half(statistics).or(Some(least)), Some(least)]
                }
                (Some((top, _)), ..) => [Some(top); 3],
                (None, middle, _) => [middle; 3],
            }
        }
    };
    let value = |value: &String| match of.comparison {
        Comparison::AnyEq => format!("{{\"{}\"}}", value.replace('\\', "\\\\").replace('"', "\\\"")),
        _ => value.clone(),
    };
    Some([value(common?), value(median?), value(rare?)])
}

/// The value of the row in the middle, rows sorted by how frequent their value is; `None` where it is no common one.
fn of_half(statistics: &ColumnStatistics) -> Option<&String> {
    let mut sum = 0.0;
    let half = (1.0 - statistics.null_fraction) / 2.0;
    let frequencies = statistics.common_frequencies.iter().map(|frequency| {
        sum += frequency;
        sum
    });
    statistics.common_values.iter().zip(frequencies).find(|(_, sum)| *sum >= half).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::read_text;

    const EVEN: &str = r#","quantiles":["0","1","50","51","99","100"]"#;
    const SKEWED: &str =
        r#","common_values":["a","b"],"common_frequencies":[0.9,0.1],"least_common":["b",0.1]"#;

    fn found(statement: &str, filter: &str) -> Option<(Vec<String>, Vec<String>)> {
        let column = |name: &str, statistics: &str| {
            format!(
                r#"{{"number":1,"name":"{name}","data_type":"text","type_length":-1,"category":"S","not_null":true,
                "btree":true,"c_collation":true,"statistics":{{"null_fraction":0,"average_width":4,"n_distinct":9,
                "correlation":0{statistics}}}}}"#
            )
        };
        let catalog = format!(
            r#"{{"relations":[{{"schema":"s","name":"t","kind":"table","rows":9,"pages":1,"all_visible_pages":0,
            "size_bytes":null,"owned":true,"statistics_visible":true,"temporary":false,"indexes":[],"statistics":[],
            "activity":null,"partition_root":null,"columns":[{},{}]}}]}}"#,
            column("x", EVEN),
            column("k", SKEWED)
        );
        let catalog = serde_json::from_str(&catalog).expect("a catalog");
        let plan = format!(
            "Seq Scan on s.t  (cost=0.00..1.00 rows=1 width=6)\n  Filter: {filter}\n  InitPlan 1 (returns $9)\n    \
             ->  Result  (cost=0.00..0.01 rows=1 width=4)\n"
        );
        let plan = read_text(&plan).expect("a plan").remove(0);
        let read = crate::sql::read(statement);
        let all = |values: Vec<Option<String>>| values.into_iter().flatten().collect();
        values(statement, &plan, &catalog, read.parameters).map(|v| (all(v.common), all(v.rare)))
    }

    #[test]
    fn values_are_what_the_columns_hold() {
        let pair = |common: &[&str], rare: &[&str]| {
            let owned = |values: &[&str]| values.iter().map(|&v| v.to_owned()).collect::<Vec<_>>();
            Some((owned(common), owned(rare)))
        };
        assert_eq!(found("k = $1", "(t.k = $1)"), pair(&["a"], &["b"]));
        assert_eq!(
            found("k in ($1)", "((t.k)::text = ANY (($1)::text[]))"),
            pair(&["{\"a\"}"], &["{\"b\"}"])
        );
        assert_eq!(found("x > $1", "(t.x > $1)"), pair(&["0"], &["99"]));
        assert_eq!(found("$1 >= x", "($1 >= t.x)"), pair(&["100"], &["1"]));
        assert_eq!(
            found("x > $1 and x < $2", "((t.x > $1) AND (t.x < $2))"),
            pair(&["0", "100"], &["50", "51"])
        );
        assert_eq!(
            found("k = $1 limit $2 offset $3", "(t.k = $1)"),
            pair(&["a", PAGE, "0"], &["b", PAGE, "0"])
        );
    }

    #[test]
    fn no_value_is_invented() {
        // Every value of x is as frequent; the second parameter is compared with no column, or with arithmetic.
        assert_eq!(found("x = $1", "(t.x = $1)"), None);
        assert_eq!(found("k = $1 and f($2)", "((t.k = $1) AND f($2))"), None);
        assert_eq!(found("k = $1 || 'x'", "(t.k = ($1 || 'x'::text))"), None);
        assert_eq!(found("k <> $1", "(t.k <> $1)"), None);
        // What an InitPlan returns looks like a parameter.
        assert_eq!(found("k = $9", "(t.k = $9)"), None);
    }
}
