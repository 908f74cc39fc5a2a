//! What became of a query: by its fingerprint and by the ratio of its costs, never by one of them.
//!
//! Refuses to call a plan worse because it is another one.

use super::fingerprint::{access, index_only, read_whole, shape};
use super::{Names, Query, Side};
use crate::plan::{Plan, read_statement};
use std::collections::BTreeMap;

/// The least that a plan is taken to cost: the last digit that the server prints.
const LEAST: f64 = 0.01;
/// The same plan is none the worse where it costs less than that more: a page read in order.
const PAGE: f64 = 1.0;
/// A ratio is worth another sentence from here on.
const CLEARLY: f64 = 1.5;

/// What became of a query, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Planned on base, refused on head.
    Broken,
    Regressed,
    /// Beyond a limit of its budget, and none of the above.
    OverBudget,
    Worse,
    /// New on head, reads a large table as a whole.
    NewUnindexed,
    /// Could not be planned on either side.
    Unplanned,
    Changed,
    /// Another plan of the same cost.
    Tie,
    Better,
    /// Planned on head only, and reads no large table as a whole.
    New,
    /// Planned on both sides, where nothing more can be compared: there is no pack.
    Planned,
    Unchanged,
}

impl Outcome {
    /// As reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Broken => "broken",
            Outcome::Regressed => "regressed",
            Outcome::OverBudget => "over-budget",
            Outcome::Worse => "worse",
            Outcome::NewUnindexed => "new-unindexed",
            Outcome::Unplanned => "unplanned",
            Outcome::Changed => "changed",
            Outcome::Tie => "tie",
            Outcome::Better => "better",
            Outcome::New => "new",
            Outcome::Planned => "planned",
            Outcome::Unchanged => "unchanged",
        }
    }
}

/// Where one outcome ends and the next begins. On a real corpus with single indexes dropped, the median ratio of the
/// plans that changed was 1.48, and 44 % of them were within 1.10.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Another plan that costs this many times as much is a regression.
    pub regressed: f64,
    /// Another plan that costs this many times as much is worse.
    pub worse: f64,
    /// The same plan that costs this many times as much is worse.
    pub grown: f64,
    /// Within this share, two costs are one.
    pub tie: f64,
    /// A table of this many blocks is large.
    pub large: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { regressed: 3.0, worse: 1.5, grown: 2.0, tie: 0.01, large: 1_000.0 }
    }
}

/// What became of one query.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub outcome: Outcome,
    /// Cost on head over cost on base.
    pub ratio: Option<f64>,
    pub costs: Option<(f64, f64)>,
    /// The access paths of base that head lacks, and those that it has instead.
    pub lost: Vec<String>,
    pub gained: Vec<String>,
    /// Why it could not be planned.
    pub error: Option<String>,
    /// A large table that is read as a whole.
    pub whole: Option<String>,
    /// Relations that base read from an index alone, and head reads with an index and the table.
    pub heap: Vec<String>,
    /// With which of the query's values; `None` for any, by the generic plan.
    pub valued: Option<usize>,
}

/// Judges one query: by its generic plans, or by those with values that fare worse.
pub fn judge(query: &Query, base: &Names, head: &Names, thresholds: &Thresholds) -> Judgement {
    let mut worst = sides(&query.base, &query.head, (base, head), thresholds);
    if worst.ratio.is_none() {
        return worst;
    }
    for (at, valued) in query.valued.iter().enumerate() {
        let judged = sides(&valued.base, &valued.head, (base, head), thresholds);
        // A value that the server refuses was ours, and says nothing. Of two that are as bad, the generic one counts
        // unless the other costs clearly more.
        let Some(ratio) = judged.ratio else { continue };
        let more = judged.outcome <= Outcome::Worse && ratio > worst.ratio.unwrap_or(1.0) * CLEARLY;
        if judged.outcome < worst.outcome || (judged.outcome == worst.outcome && more) {
            worst = Judgement { valued: Some(at), ..judged };
        }
    }
    worst
}

/// Judges what two sides answered; also for a database between the two.
pub fn sides(base: &Side, head: &Side, names: (&Names, &Names), thresholds: &Thresholds) -> Judgement {
    let mut judgement = Judgement {
        outcome: Outcome::Unchanged,
        ratio: None,
        costs: None,
        lost: Vec::new(),
        gained: Vec::new(),
        error: None,
        whole: None,
        heap: Vec::new(),
        valued: None,
    };
    let (was, is) = (plan(base), plan(head));
    judgement.outcome = match (was, is) {
        (Ok(was), Ok(is)) => changed(&was, &is, names, thresholds, &mut judgement),
        (Ok(_), Err(error)) => {
            judgement.error = Some(error);
            // A plan that we cannot read is no fault of the migration's.
            if matches!(head, Side::Failed { .. }) { Outcome::Broken } else { Outcome::Unplanned }
        }
        (Err(_), Ok(is)) => {
            judgement.whole = largest(&[], &is, names.1, thresholds);
            if judgement.whole.is_some() { Outcome::NewUnindexed } else { Outcome::New }
        }
        (Err(_), Err(error)) => {
            judgement.error = Some(error);
            Outcome::Unplanned
        }
    };
    judgement
}

/// A large table that head reads as a whole, and base did not; partitions count together.
fn largest(old: &[String], is: &Plan, names: &Names, thresholds: &Thresholds) -> Option<String> {
    let new = without(&read_whole(is).collect::<Vec<_>>(), old);
    let mut blocks: BTreeMap<&String, f64> = BTreeMap::new();
    for table in &new {
        *blocks.entry(names.roots.get(table).unwrap_or(table)).or_default() +=
            names.blocks.get(table).copied().unwrap_or(0.0);
    }
    let large = blocks.into_iter().filter(|(_, blocks)| *blocks >= thresholds.large);
    large.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(table, _)| table.clone())
}

fn plan(side: &Side) -> Result<Plan, String> {
    match side {
        Side::Planned(raw) => read_statement(raw.get()).map_err(|e| e.to_string()),
        Side::Failed { code, message } => Err(format!("{message} ({code})")),
    }
}

fn changed(
    was: &Plan,
    is: &Plan,
    (base, head): (&Names, &Names),
    thresholds: &Thresholds,
    judgement: &mut Judgement,
) -> Outcome {
    let cost = |plan: &Plan| plan.root().and_then(|root| root.estimate).map_or(0.0, |e| e.total_cost.0);
    let (before, after) = (cost(was), cost(is));
    // A plan that reads nothing costs nothing: whatever replaces it costs many times as much.
    let ratio = after.max(LEAST) / before.max(LEAST);
    judgement.ratio = Some(ratio);
    judgement.costs = Some((before, after));
    let (paths, now) = (access(was, base), access(is, head));
    judgement.lost = without(&paths, &now);
    judgement.gained = without(&now, &paths);
    judgement.heap = without(&index_only(was, base), &index_only(is, head))
        .into_iter()
        .filter(|relation| now.iter().any(|path| path.starts_with(&format!("{relation} index "))))
        .collect();
    let other = paths != now || shape(was, base) != shape(is, head);
    if !other {
        let grown = ratio >= thresholds.grown && after - before >= PAGE;
        return if grown { Outcome::Worse } else { Outcome::Unchanged };
    }
    if (ratio - 1.0).abs() <= thresholds.tie {
        return Outcome::Tie;
    }
    let old: Vec<String> = read_whole(was).collect();
    judgement.whole = largest(&old, is, head, thresholds);
    match ratio {
        ratio if ratio >= thresholds.regressed => Outcome::Regressed,
        // An index is no longer used, and the table is large.
        ratio if judgement.whole.is_some() && ratio > 1.0 => Outcome::Regressed,
        ratio if ratio >= thresholds.worse => Outcome::Worse,
        ratio if ratio <= 1.0 / thresholds.worse => Outcome::Better,
        _ => Outcome::Changed,
    }
}

/// What `all` has more of than `less`, as multisets.
fn without(all: &[String], less: &[String]) -> Vec<String> {
    let mut left: Vec<&String> = less.iter().collect();
    let mut more = Vec::new();
    for one in all {
        match left.iter().position(|other| *other == one) {
            Some(at) => drop(left.swap_remove(at)),
            None => more.push(one.clone()),
        }
    }
    more
}
