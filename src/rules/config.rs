//! What the user set for the rules.
//!
//! Refuses to read files: `crate::config` fills this in.

use super::{Spec, find};
use crate::finding::Severity;
use std::collections::BTreeMap;

/// What the user set: severities and thresholds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Severity by rule name; `None` switches a rule off.
    pub severity: BTreeMap<String, Option<Severity>>,
    /// Run these only, where not empty.
    pub only: Vec<String>,
    /// (rule, threshold) to number.
    pub thresholds: BTreeMap<(String, String), f64>,
    /// The day that `until=` is compared with where no capture tells the day of its run.
    pub today: Option<String>,
}

impl Config {
    /// Whether a rule of that name exists.
    pub fn knows(&self, rule: &str) -> bool {
        find(rule).is_some()
    }

    /// The rule whose name is nearest to a mistyped one.
    pub fn nearest(&self, rule: &str) -> &str {
        super::nearest(rule)
    }

    /// Whether a rule is to run.
    pub fn runs(&self, rule: &str) -> bool {
        self.severity.get(rule) != Some(&None)
            && (self.only.is_empty() || self.only.iter().any(|only| only == rule))
    }
}

/// The thresholds of one rule, with what the user set.
pub struct Tuning<'a> {
    pub(super) spec: &'a Spec,
    pub(super) config: &'a Config,
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
