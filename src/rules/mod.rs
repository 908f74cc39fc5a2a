//! The registry of rules: one file, one page and one word each.
//!
//! Refuses to let a rule see a server, a renderer, a clock, the environment or another rule. Severity is given
//! here, from the time that can be recovered.

mod hidden;
pub mod page;
mod story;
mod support;

use crate::context::PlanContext;
use crate::finding::{Confidence, Finding, Severity};
use std::collections::BTreeMap;

macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every rule, in the order of the list.
        pub const RULES: &[&Spec] = &[$(&$module::SPEC),*];

        #[cfg(test)]
        const MODULES: &[&str] = &[$(stringify!($module)),*];
    };
}

rules! {
    seq_scan_discards_rows,
    index_scan_discards_rows,
    estimate_drift,
    sort_spills_to_disk,
    hash_spills_to_disk,
    nested_loop_rescans,
    function_hides_index,
    cast_hides_index,
    leading_wildcard,
    partitions_not_pruned,
}

/// A rule: its name, its page, its thresholds, its check.
pub struct Spec {
    /// Kebab-case, as everywhere outside the source.
    pub name: &'static str,
    /// One line for the list.
    pub summary: &'static str,
    pub thresholds: &'static [Threshold],
    /// The Markdown page: documentation, specification and test.
    pub page: &'static str,
    /// It has something to say of a plan that was not executed.
    pub of_estimates: bool,
    pub check: fn(&PlanContext, &Tuning) -> Vec<Finding>,
}

/// A number that a rule compares with. Set as `[thresholds.RULE] NAME = …` in `pgproof.toml`.
pub struct Threshold {
    pub name: &'static str,
    pub default: f64,
    pub unit: &'static str,
    /// Where the number comes from.
    pub why: &'static str,
}

/// Nothing that could recover less is reported: a person would not notice it.
pub const FLOOR_MS: f64 = 1.0;
/// From here on, and from [`WARNING_SHARE`] of the statement, a finding is a warning.
pub const WARNING_MS: f64 = 10.0;
/// Below a tenth of the statement a remedy is lost in the noise between two runs.
pub const WARNING_SHARE: f64 = 0.1;
/// From here on, and from [`ERROR_SHARE`], a finding is an error: a person waits for it.
pub const ERROR_MS: f64 = 1_000.0;
/// Half of the statement's time could go.
pub const ERROR_SHARE: f64 = 0.5;
/// Where nothing was executed: cost below which the statement is quick whatever its plan (about 10,000
/// sequential pages' worth is where minutes of tuning start to pay).
pub const WARNING_COST: f64 = 10_000.0;

/// What the user set: severities and thresholds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Severity by rule name; `None` switches a rule off.
    pub severity: BTreeMap<String, Option<Severity>>,
    /// Run these only, where not empty.
    pub only: Vec<String>,
    /// (rule, threshold) to number.
    pub thresholds: BTreeMap<(String, String), f64>,
}

/// The thresholds of one rule, with what the user set.
pub struct Tuning<'a> {
    spec: &'a Spec,
    config: &'a Config,
}

impl Tuning<'_> {
    /// A threshold of this rule by its name.
    pub fn get(&self, name: &str) -> f64 {
        let set = self.config.thresholds.get(&(self.spec.name.to_owned(), name.to_owned()));
        let default = self.spec.thresholds.iter().find(|t| t.name == name).map(|t| t.default);
        debug_assert!(default.is_some(), "{} has no threshold {name}", self.spec.name);
        set.copied().or(default).unwrap_or(f64::INFINITY)
    }
}

/// The rule of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    RULES.iter().copied().find(|spec| spec.name == name)
}

/// The rule whose name is nearest to a mistyped one.
pub fn nearest(name: &str) -> &'static str {
    RULES.iter().map(|s| s.name).min_by_key(|known| crate::words::distance(known, name)).unwrap_or("")
}

/// Runs every rule on one plan; findings come most recoverable time first.
pub fn run(ctx: &PlanContext, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for &spec in RULES {
        let off = config.severity.get(spec.name) == Some(&None);
        if off || (!config.only.is_empty() && !config.only.iter().any(|only| only == spec.name)) {
            continue;
        }
        let mut found = (spec.check)(ctx, &Tuning { spec, config });
        found.retain(|f| f.saves.is_none_or(|saves| saves.0 >= FLOOR_MS));
        findings.extend(found);
    }
    let mut findings = story::merge(ctx, findings);
    for finding in &mut findings {
        finding.severity = match config.severity.get(finding.rule) {
            Some(Some(set)) => *set,
            _ => severity(ctx, finding),
        };
    }
    findings.sort_by(|a, b| {
        let saves = |f: &Finding| f.saves.map_or(0.0, |s| s.0);
        b.severity.cmp(&a.severity).then(saves(b).total_cmp(&saves(a))).then(b.share.total_cmp(&a.share))
    });
    findings
}

fn severity(ctx: &PlanContext, finding: &Finding) -> Severity {
    match (finding.confidence, finding.saves) {
        (Confidence::Measured, Some(saves)) if saves.0 >= ERROR_MS && finding.share >= ERROR_SHARE => {
            Severity::Error
        }
        (Confidence::Measured, Some(saves)) if saves.0 >= WARNING_MS && finding.share >= WARNING_SHARE => {
            Severity::Warning
        }
        (Confidence::Estimated, _) if finding.share >= ERROR_SHARE => {
            let cost = ctx.plan.root().and_then(|n| n.estimate).map_or(0.0, |e| e.total_cost.0);
            if cost >= WARNING_COST { Severity::Warning } else { Severity::Info }
        }
        _ => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_named_for_its_module_and_its_page_tells_its_thresholds() {
        for (spec, module) in RULES.iter().zip(MODULES) {
            assert_eq!(spec.name, module.replace('_', "-"));
            assert!(spec.page.starts_with(&format!("# {}\n", spec.name)), "{}", spec.name);
            for threshold in spec.thresholds {
                let row = format!("| `{}` | {} | {} |", threshold.name, threshold.default, threshold.unit);
                assert!(spec.page.contains(&row), "{}: the page lacks the row {row}", spec.name);
            }
            let page = page::parse(spec.page).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
            assert!(page.cases.len() >= 4, "{}: {} cases", spec.name, page.cases.len());
        }
    }

    #[test]
    fn a_mistyped_name_finds_its_neighbour() {
        assert_eq!(nearest("seq-scan-discard-rows"), "seq-scan-discards-rows");
        assert_eq!(nearest("estimatedrift"), "estimate-drift");
    }
}
