//! What a query may cost: said by its author in a comment, or by the settings for many.
//!
//! Refuses to guess a limit, and to call a budget kept that could not be tested.

use super::fingerprint::{access, qualified};
use super::{Names, Often, Query, Side};
use crate::plan::{Execution, Plan, read_statement};
use crate::words::distance;
use serde::{Deserialize, Serialize};

/// What every directive starts with.
const MARK: &str = "pgproof:";
const WORD: &str = "budget";
/// How a whole one is written.
pub const FORM: &str =
    "write pgproof:budget buffers=N cost=N rows=N index-on=TABLE,… param=VALUE, each key where it is wanted";

/// Limits of one query. What is `None` has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Blocks that one execution may touch: hit and read, without those of planning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffers: Option<f64>,
    /// Estimated total cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Rows that it returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<f64>,
    /// Tables that it has to read through an index wherever it reads them: `orders` or `shop.orders`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index_on: Vec<String>,
    /// What `$1`, `$2` … are where it is executed; without, values out of the statistics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
}

impl Budget {
    /// This budget, and where it has no limit that of `general`.
    pub fn or(mut self, general: &Budget) -> Budget {
        self.buffers = self.buffers.or(general.buffers);
        self.cost = self.cost.or(general.cost);
        self.rows = self.rows.or(general.rows);
        let more = general.index_on.iter().filter(|table| !self.index_on.contains(table)).cloned();
        let more: Vec<String> = more.collect();
        self.index_on.extend(more);
        self
    }

    /// It has no limit at all.
    pub fn is_empty(&self) -> bool {
        *self == Budget { parameters: self.parameters.clone(), ..Budget::default() }
    }

    /// Some limit of it is about what a plan says.
    fn of_plans(&self) -> bool {
        self.cost.is_some() || self.rows.is_some() || !self.index_on.is_empty()
    }
}

/// The budget in one comment; `None` where it speaks of none.
///
/// # Errors
/// What is wrong with it, in a clause.
pub fn read(comment: &str) -> Option<Result<Budget, String>> {
    let body = comment.strip_suffix("*/").unwrap_or(comment);
    let marks: Vec<usize> = body.match_indices(MARK).map(|(at, _)| at + MARK.len()).collect();
    let own = marks.iter().copied().find(|&at| {
        let word: String = body[at..].chars().take_while(|c| c.is_ascii_alphabetic()).collect();
        distance(&word.to_ascii_lowercase(), WORD) <= 2
    })?;
    let end = marks.iter().find(|&&at| at > own).map_or(body.len(), |at| at - MARK.len());
    Some(directive(&body[own..end]))
}

fn directive(text: &str) -> Result<Budget, String> {
    let Some(mut rest) = text.strip_prefix(WORD).filter(|rest| !rest.starts_with(char::is_alphanumeric))
    else {
        let word = text.split_whitespace().next().unwrap_or_default();
        return Err(format!("`{MARK}{word}` is not `{MARK}{WORD}`"));
    };
    let mut budget = Budget::default();
    loop {
        // A comment over several lines is often drawn with stars.
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '*');
        if rest.is_empty() {
            break;
        }
        let (key, behind) = rest
            .split_once('=')
            .filter(|(key, _)| !key.contains(char::is_whitespace))
            .ok_or_else(|| format!("`{}` is no limit", rest.split_whitespace().next().unwrap_or_default()))?;
        let (value, left) = value(behind).ok_or_else(|| format!("the value of {key} ends nowhere"))?;
        rest = left;
        let twice = match key {
            "buffers" => budget.buffers.replace(number(key, &value)?).is_some(),
            "cost" => budget.cost.replace(number(key, &value)?).is_some(),
            "rows" => budget.rows.replace(number(key, &value)?).is_some(),
            "index-on" => {
                budget.index_on.extend(value.split(',').map(|table| table.trim().to_owned()));
                budget.index_on.iter().any(String::is_empty)
            }
            "param" => {
                budget.parameters.push(value);
                false
            }
            _ => return Err(format!("there is no limit `{key}`")),
        };
        if twice {
            return Err(format!("{key} is not one limit"));
        }
    }
    if budget.is_empty() {
        return Err("it sets no limit".to_owned());
    }
    Ok(budget)
}

/// A value, quoted (the quote itself twice) or up to the next blank, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let (mut value, mut rest) = (String::new(), &text[1..]);
    loop {
        let end = rest.find(quote)?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix(quote) {
            Some(more) => rest = more,
            None => return Some((value, rest)),
        }
        value.push(quote);
    }
}

fn number(key: &str, text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.replace('_', "").parse().ok();
    number.filter(|n| n.is_finite() && *n >= 0.0).ok_or_else(|| format!("`{text}` is no number of {key}"))
}

/// What a query was executed with, and how that went.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Executed {
    /// Each set of values with the plan that EXPLAIN (ANALYZE, BUFFERS) printed.
    Ran(Vec<Ran>),
    /// Why it was not executed.
    Not(String),
}

/// One execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ran {
    pub parameters: Vec<Option<String>>,
    pub plan: Box<serde_json::value::RawValue>,
}

/// A limit that a query is beyond.
#[derive(Debug, Clone, PartialEq)]
pub enum Over {
    /// Of its executions, the one that touched most blocks.
    Buffers {
        limit: f64,
        is: f64,
    },
    Cost {
        limit: f64,
        is: f64,
        often: Option<Often>,
    },
    /// `counted`: as returned, not as estimated.
    Rows {
        limit: f64,
        is: f64,
        counted: bool,
    },
    /// The table is read without an index.
    Unindexed {
        relation: String,
    },
}

/// What is known of a query's budget.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    pub over: Vec<Over>,
    /// Why some limit could not be tested, where nobody asked for that.
    pub untested: Option<String>,
    /// What is wrong with the budget itself, a clause each.
    pub wrong: Vec<String>,
}

/// Holds head to the budget. Without a pack its plans say nothing, and those of executions stand for them.
pub fn hold(query: &Query, budget: &Budget, names: &Names, packed: bool) -> Held {
    let mut held = Held::default();
    let ran: Vec<Plan> = match &query.executed {
        Some(Executed::Ran(runs)) => {
            runs.iter().filter_map(|run| read_statement(run.plan.get()).ok()).collect()
        }
        _ => Vec::new(),
    };
    if let Some(Executed::Not(why)) = &query.executed {
        held.wrong.push(format!("it could not be executed: {why}"));
    }
    if let Some(limit) = budget.buffers {
        match ran.iter().filter_map(blocks).reduce(f64::max) {
            Some(is) if is > limit => held.over.push(Over::Buffers { limit, is }),
            Some(_) => {}
            None if query.executed.is_some() => {}
            None => {
                let why = "nothing was executed: --seed fills a database to execute it on";
                held.untested = Some(why.to_owned());
            }
        }
    }
    if !budget.of_plans() {
        return held;
    }
    let mut plans: Vec<(Option<Often>, Plan)> = Vec::new();
    if packed {
        let valued = query.valued.iter().map(|v| (Some(v.often), &v.head));
        plans.extend(
            std::iter::once((None, &query.head))
                .chain(valued)
                .filter_map(|(often, side)| planned(side, often)),
        );
    }
    if plans.is_empty() {
        plans.extend(ran.iter().map(|plan| (None, plan.clone())));
    }
    if plans.is_empty() && query.executed.is_some() {
        return held;
    }
    if plans.is_empty() {
        let why = match &query.head {
            Side::Failed { .. } => "it cannot be planned on head: what it costs is not known",
            Side::Planned(_) => "without --pack or --seed its tables are empty: what it costs is not known",
        };
        held.untested.get_or_insert_with(|| why.to_owned());
        return held;
    }
    let rows = |plan: &Plan| match plan.root()?.execution {
        Execution::Ran(ran) => Some(ran.rows.0 * ran.loops),
        Execution::NotMeasured | Execution::NeverRan => None,
    };
    // What was counted is better than what was estimated.
    let counted = budget.rows.and_then(|limit| Some((limit, ran.iter().filter_map(rows).reduce(f64::max)?)));
    let of_estimates = Budget { rows: budget.rows.filter(|_| counted.is_none()), ..budget.clone() };
    held.over.extend(of_plans(&plans, &of_estimates, names));
    if let Some((limit, is)) = counted.filter(|(limit, is)| is > limit) {
        held.over.push(Over::Rows { limit, is, counted: true });
    }
    held
}

/// Holds the generic plan of one side to what plans can tell.
pub fn beyond(side: &Side, budget: &Budget, names: &Names) -> bool {
    planned(side, None).is_some_and(|plan| !of_plans(&[plan], budget, names).is_empty())
}

fn planned(side: &Side, often: Option<Often>) -> Option<(Option<Often>, Plan)> {
    let Side::Planned(raw) = side else { return None };
    Some((often, read_statement(raw.get()).ok()?))
}

fn of_plans(plans: &[(Option<Often>, Plan)], budget: &Budget, names: &Names) -> Vec<Over> {
    let mut over = Vec::new();
    let estimates = || plans.iter().filter_map(|(often, plan)| Some((*often, plan.root()?.estimate?)));
    if let Some(limit) = budget.cost {
        // Of plans that cost the same, the generic one stands first.
        let most =
            estimates().reduce(|most, next| if next.1.total_cost > most.1.total_cost { next } else { most });
        if let Some((often, estimate)) = most.filter(|(_, e)| e.total_cost.0 > limit) {
            over.push(Over::Cost { limit, is: estimate.total_cost.0, often });
        }
    }
    if let Some(limit) = budget.rows {
        let most = estimates().map(|(_, estimate)| estimate.rows.0).reduce(f64::max);
        if let Some(is) = most.filter(|is| *is > limit) {
            over.push(Over::Rows { limit, is, counted: false });
        }
    }
    for table in &budget.index_on {
        let without = |plan: &Plan| {
            let whole = access(plan, names)
                .into_iter()
                .filter_map(|path| path.strip_suffix(" seq").map(str::to_owned));
            whole.into_iter().find(|relation| named(relation, table))
        };
        if let Some(relation) = plans.iter().find_map(|(_, plan)| without(plan)) {
            over.push(Over::Unindexed { relation });
        }
    }
    over
}

/// Tables of the budget that no plan of the query reads, so that the limit says nothing.
pub fn unread(query: &Query, budget: &Budget, names: &Names) -> Vec<String> {
    let Some((_, plan)) = planned(&query.head, None) else { return Vec::new() };
    let read: Vec<String> = plan
        .nodes
        .iter()
        .filter_map(qualified)
        .map(|name| names.roots.get(&name).cloned().unwrap_or(name))
        .collect();
    let missing = |table: &&String| !read.iter().any(|relation| named(relation, table));
    budget.index_on.iter().filter(missing).cloned().collect()
}

/// Whether a budget's name of a table means this relation.
fn named(relation: &str, table: &str) -> bool {
    relation == table || relation.rsplit_once('.').is_some_and(|(_, name)| name == table)
}

/// Blocks that an execution touched: shared and local ones, hit or read.
fn blocks(plan: &Plan) -> Option<f64> {
    let buffers = plan.root()?.buffers.as_ref()?;
    let touched = [buffers.shared_hit, buffers.shared_read, buffers.local_hit, buffers.local_read];
    Some(touched.into_iter().map(|blocks| blocks.0 as f64).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_sets_limits() {
        let whole = "-- pgproof:budget buffers=1_000 cost=50.5 rows=10 index-on=orders,shop.items param=42 param='a b'";
        let budget = read(whole).expect("a budget").expect("a right one");
        assert_eq!((budget.buffers, budget.cost, budget.rows), (Some(1000.0), Some(50.5), Some(10.0)));
        assert_eq!(budget.index_on, ["orders", "shop.items"]);
        assert_eq!(budget.parameters, ["42", "a b"]);
        let drawn = "/* pgproof:ignore estimate-drift reason=\"x\"\n * pgproof:budget cost=1\n */";
        assert_eq!(read(drawn).expect("a budget").expect("a right one").cost, Some(1.0));
        let quoted =
            read("-- pgproof:budget rows=1 param='it''s' param=\"a\"\"b\" param=''").expect("a budget");
        assert_eq!(quoted.expect("a right one").parameters, ["it's", "a\"b", ""]);
        assert!(read("-- a budget of buffers=1").is_none());
        assert!(read("-- pgproof:ignore estimate-drift reason='budget=1'").is_none());
        let general = Budget { cost: Some(9.0), rows: Some(9.0), ..Budget::default() };
        let both = Budget { cost: Some(1.0), ..Budget::default() }.or(&general);
        assert_eq!((both.cost, both.rows), (Some(1.0), Some(9.0)));
    }

    #[test]
    fn a_comment_that_limits_nothing_says_why() {
        for (text, why) in [
            ("budget", "sets no limit"),
            ("budget param=1", "sets no limit"),
            ("budgte cost=1", "is not `pgproof:budget`"),
            ("budget costs=1", "no limit `costs`"),
            ("budget cost", "`cost` is no limit"),
            ("budget cost=many", "`many` is no number"),
            ("budget cost=-1", "no number"),
            ("budget cost=inf", "no number"),
            ("budget cost=1 cost=2", "not one limit"),
            ("budget index-on=a,,b", "not one limit"),
            ("budget index-on='a", "ends nowhere"),
            ("budget cost=", "ends nowhere"),
        ] {
            let told = read(&format!("-- pgproof:{text}")).expect("it is meant").expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
