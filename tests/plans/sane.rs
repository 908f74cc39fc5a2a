//! What holds of any input whatever: a reader gives plans or an error with its place, and what is derived from a
//! plan and rendered is sane. Shared with the targets of `fuzz/`.

use pgproof::analyse::analyse_plans;
use pgproof::capture::{Origin, OriginKind};
use pgproof::error::{Error, Kind};
use pgproof::facts::{Facts, facts};
use pgproof::plan::{Buffers, Notation, Plan, read};
use pgproof::render::{Style, error, json, text};
use pgproof::rules::Config;

/// Reads `input`, `None` for a guess of its notation, and checks everything that is made of it.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &str, notation: Option<Notation>) -> Result<Vec<Plan>, Error> {
    let plans = read(input, notation).inspect_err(|error| explained(error, input))?;
    assert!(!plans.is_empty(), "neither plans nor an error");
    for plan in &plans {
        shaped(plan);
        possible(plan, &facts(plan));
    }
    let origin = || Origin { kind: OriginKind::File, path: Some("plan".to_owned()), line: None };
    let report =
        analyse_plans(plans.iter().map(|plan| (origin(), plan.clone())).collect(), &Config::default());
    for finding in &report.findings {
        let saves = finding.saves.map_or(0.0, |saves| saves.0);
        assert!(saves.is_finite() && saves >= 0.0, "{}: saves {saves}", finding.rule);
        assert!(finding.share.is_finite(), "{}: share {}", finding.rule, finding.share);
    }
    let value: serde_json::Value =
        serde_json::from_str(&json::render(&report)).expect("rendered JSON is JSON");
    assert!(value.is_object());
    for (verbose, color, width) in [(true, false, 100), (false, true, 20)] {
        let rendered = text::render(&report, &Style { width, color, verbose, quiet: false });
        assert!(!rendered.is_empty());
        for odd in ["NaN", "inf "] {
            let given = input.to_lowercase().contains(odd.to_lowercase().trim());
            assert!(given || !rendered.contains(odd), "{odd} in:\n{rendered}");
        }
    }
    Ok(plans)
}

/// An error of a reader says where or why, and can be shown.
fn explained(error: &Error, input: &str) {
    assert_eq!(error.kind(), Kind::Input, "{input}");
    assert!(error.excerpt().is_some() || !error.causes().is_empty(), "no place and no cause: {input}");
    if let Some(excerpt) = error.excerpt() {
        assert!(excerpt.text.get(excerpt.start..excerpt.end).is_some(), "{excerpt:?}");
        assert!(
            excerpt.first_line >= 1 && excerpt.first_line <= input.matches('\n').count() + 1,
            "{excerpt:?}"
        );
        assert!(!excerpt.label.is_empty() || !error.causes().is_empty(), "a place without a reason");
    }
    assert!(error::render(error, false).starts_with("error: failed to "));
}

/// Nodes are in pre-order under one root.
fn shaped(plan: &Plan) {
    assert!(plan.utility.is_some() || !plan.nodes.is_empty(), "a plan of nothing");
    for (index, node) in plan.nodes.iter().enumerate() {
        assert_eq!(node.id, index);
        assert_eq!(node.parent.is_none(), index == 0, "one root");
        assert!(node.parent.is_none_or(|parent| parent < index));
        assert!(!node.kind.is_empty(), "a node without a kind");
    }
}

/// No figure is one that cannot be.
fn possible(plan: &Plan, facts: &Facts) {
    assert_eq!(facts.nodes.len(), plan.nodes.len());
    for (node, facts) in plan.nodes.iter().zip(&facts.nodes) {
        let kind = &node.kind;
        let printed =
            node.ran().map(|ran| [ran.rows.0, ran.loops, ran.total_time.map_or(0.0, |time| time.0)]);
        let estimated =
            node.estimate.map(|estimate| [estimate.rows.0, estimate.total_cost.0, estimate.width]);
        let derived = [
            facts.rows_total.map(|rows| rows.0),
            facts.rows_removed_total.map(|rows| rows.0),
            facts.removed_share.map(|share| share.0),
            facts.total_cpu.map(|time| time.0),
            facts.self_bound.map(|time| time.0),
            facts.estimate_error.map(|error| error.0),
        ];
        let all = printed.into_iter().chain(estimated).flatten().chain(derived.into_iter().flatten());
        for number in all {
            assert!(number.is_finite() && number >= 0.0, "{kind}: {number}: {facts:?}");
        }
        assert!(facts.removed_share.is_none_or(|share| share.0 <= 1.0), "{kind}: {facts:?}");
        // A self time may be below zero: what was printed may contradict itself, and that is shown.
        for time in [facts.self_time, facts.self_cpu].into_iter().flatten() {
            assert!(time.0.is_finite(), "{kind}: {facts:?}");
        }
        assert!(facts.self_share.is_none_or(|share| share.0.is_finite()), "{kind}: {facts:?}");
        assert!(node.buffers.is_none_or(|buffers| positive(&buffers)), "{kind}: {:?}", node.buffers);
    }
    assert!(facts.execution.is_none_or(|time| time.0.is_finite() && time.0 >= 0.0), "{:?}", facts.execution);
}

fn positive(buffers: &Buffers) -> bool {
    let Buffers {
        shared_hit,
        shared_read,
        shared_dirtied,
        shared_written,
        local_hit,
        local_read,
        local_dirtied,
        local_written,
        temp_read,
        temp_written,
    } = buffers;
    [shared_hit, shared_read, shared_dirtied, shared_written, local_hit, local_read]
        .into_iter()
        .chain([local_dirtied, local_written, temp_read, temp_written])
        .all(|blocks| blocks.0 >= 0)
}
