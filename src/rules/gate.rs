//! The rules that look at queries planned before and after migrations.
//!
//! Refuses to judge a plan: `gate` does, by fingerprint and cost together.

use super::{Check, Config, RULES, Spec, Threshold, Tuning};
use crate::context::GateContext;
use crate::finding::{Confidence, Evidence, Finding, Place, Severity};
use crate::gate::{Query, Thresholds};

/// Where regressions begin.
pub(super) const RATIOS: [Threshold; 4] = [
    Threshold {
        name: "regressed-ratio",
        default: 3.0,
        unit: "times the cost",
        why: "of plans that changed on a real corpus, three quarters stayed below 6.4 and half below 1.5",
    },
    Threshold {
        name: "worse-ratio",
        default: 1.5,
        unit: "times the cost",
        why: "the median of plans that changed; below it costs are within what models get wrong",
    },
    Threshold {
        name: "grown-ratio",
        default: 2.0,
        unit: "times the cost",
        why: "the same plan at twice the cost reads twice as much",
    },
    Threshold {
        name: "large-blocks",
        default: 1000.0,
        unit: "blocks",
        why: "a table of eight megabytes is read in some ten milliseconds",
    },
];

/// The thresholds that the settings give.
pub fn thresholds(config: &Config) -> Thresholds {
    let spec = super::find("plan-regressed");
    let get = |name: &str, default: f64| spec.map_or(default, |spec| Tuning { spec, config }.get(name));
    let usual = Thresholds::default();
    Thresholds {
        regressed: get("regressed-ratio", usual.regressed),
        worse: get("worse-ratio", usual.worse),
        grown: get("grown-ratio", usual.grown),
        large: get("large-blocks", usual.large),
        ..usual
    }
}

/// Whether that is a rule about queries that were compared.
pub fn of_queries(rule: &str) -> bool {
    super::find(rule).is_some_and(|spec| matches!(spec.check, Check::Gate(_)))
}

/// What the rules say of compared queries.
pub fn run_gate(ctx: &GateContext, config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    for &spec in RULES.iter().filter(|spec| config.runs(spec.name)) {
        let Check::Gate(check) = spec.check else { continue };
        found.extend(check(ctx, &Tuning { spec, config }).into_iter().map(|finding| Finding {
            severity: match config.severity.get(spec.name) {
                Some(Some(set)) => *set,
                _ => finding.severity,
            },
            ..finding
        }));
    }
    found
}

/// A finding about a query: it stands where the migration did it, else at the query.
pub(super) fn finding(ctx: &GateContext, spec: &Spec, query: usize) -> Finding {
    let mut evidence = Vec::new();
    let judged = &ctx.judged[query];
    if let Some((before, after)) = judged.costs {
        evidence.push(Evidence::data("cost before", before, ""));
        evidence.push(Evidence::data("cost after", after, ""));
    }
    if let Some(valued) = judged.valued.and_then(|at| ctx.compared.queries[query].valued.get(at)) {
        for (at, value) in valued.parameters.iter().enumerate() {
            evidence.push(Evidence::text(&format!("${}", at + 1), value.as_deref().unwrap_or("NULL")));
        }
    }
    evidence.extend(judged.lost.iter().map(|path| Evidence::text("before", path)));
    evidence.extend(judged.gained.iter().map(|path| Evidence::text("after", path)));
    let asked = &ctx.compared.queries[query];
    if let (Some(_), Some(place)) = (&asked.culprit, asked.places.first()) {
        evidence.push(Evidence::text("query", format!("{}:{}", place.path, place.line)));
    }
    Finding {
        rule: spec.name.into(),
        at: Place { statement: Some(ctx.statements[query]), run: None, node: None },
        location: asked.culprit.clone(),
        relation: None,
        index: None,
        within: None,
        severity: Severity::Error,
        confidence: Confidence::Estimated,
        what: String::new(),
        why: String::new(),
        help: String::new(),
        evidence,
        also: Vec::new(),
        saves: None,
        share: 0.0,
        remedies: Vec::new(),
    }
}

/// What people call a query, and for which values it is told.
pub(super) fn name(ctx: &GateContext, query: usize) -> String {
    let asked = &ctx.compared.queries[query];
    let valued = ctx.judged[query].valued.and_then(|at| asked.valued.get(at));
    match valued.map(|valued| valued.often) {
        None => plain(asked),
        Some(often) => format!("{} with a {} value", plain(asked), often.name()),
    }
}

fn plain(asked: &Query) -> String {
    match (&asked.name, asked.places.first()) {
        (name, Some(place)) if asked.earlier.is_some() => {
            let revision = asked.earlier.as_deref().unwrap_or_default();
            let what =
                name.as_deref().map_or_else(|| "the query".to_owned(), |name| format!("{name}, the query"));
            format!("{what} that {}:{} has in {revision}", place.path, place.line)
        }
        (Some(name), Some(place)) => format!("{name} ({}:{})", place.path, place.line),
        (Some(name), None) => name.clone(),
        (None, Some(place)) => format!("the query of {}:{}", place.path, place.line),
        (None, None) => format!("\"{}\"", crate::words::brief(&asked.text, 60)),
    }
}
