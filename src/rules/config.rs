//! What the user set for the rules.
//!
//! Refuses to read files: `crate::config` fills this in.

use super::team::Team;
use super::{RULES, Spec, find};
use crate::finding::Severity;
use crate::gate::Budget;
use crate::words::distance;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What the user set: severities and thresholds.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Severity by rule name; `None` switches a rule off.
    pub severity: BTreeMap<String, Option<Severity>>,
    /// Run these only, where not empty.
    pub only: Vec<String>,
    /// (rule, threshold) to number.
    pub thresholds: BTreeMap<(String, String), f64>,
    /// What holds for some paths only; a later one wins over an earlier one.
    pub overrides: Vec<Override>,
    /// What queries may cost; a later one wins over an earlier one.
    pub budgets: Vec<Budgeted>,
    /// Where the paths of overrides start, and where those of statements do.
    pub root: Option<Root>,
    /// The team's own rules.
    pub team: Vec<Arc<Team>>,
    /// The day that `until=` is compared with where no capture tells the day of its run.
    pub today: Option<String>,
}

/// Settings for statements from files whose path matches.
#[derive(Debug, Clone, Default)]
pub struct Override {
    pub glob: glob::Pattern,
    pub severity: BTreeMap<String, Option<Severity>>,
    pub thresholds: BTreeMap<(String, String), f64>,
}

/// A budget of the settings: for queries of some name, or from files whose path matches.
#[derive(Debug, Clone)]
pub struct Budgeted {
    /// As the settings write it.
    pub written: String,
    pub query: Option<glob::Pattern>,
    pub path: Option<glob::Pattern>,
    pub budget: Budget,
}

/// Two folders, absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// That of the settings file.
    pub folder: PathBuf,
    /// The one that we run in.
    pub here: PathBuf,
}

/// A glob over paths.
///
/// # Errors
/// The character where it goes wrong, and why.
pub fn pattern(text: &str) -> Result<glob::Pattern, (usize, String)> {
    glob::Pattern::new(text).map_err(|e| (e.pos, format!("this is no glob: {}", e.msg)))
}

const OPTIONS: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Config {
    /// The budget of a query: what its author wrote, else what the settings say of its name and its files. `used` gets
    /// the places of those in [`Config::budgets`] that are about it.
    pub fn budget(
        &self,
        own: Option<&Budget>,
        name: Option<&str>,
        paths: &[&str],
        used: &mut BTreeSet<usize>,
    ) -> Budget {
        let relative: Vec<PathBuf> = paths.iter().filter_map(|path| self.relative(path)).collect();
        let about = |one: &Budgeted| {
            one.query.as_ref().is_none_or(|glob| name.is_some_and(|name| glob.matches(name)))
                && one
                    .path
                    .as_ref()
                    .is_none_or(|glob| relative.iter().any(|path| glob.matches_path_with(path, OPTIONS)))
        };
        let mut budget = own.cloned().unwrap_or_default();
        for (at, one) in self.budgets.iter().enumerate().rev().filter(|(_, one)| about(one)) {
            used.insert(at);
            budget = budget.or(&one.budget);
        }
        budget
    }

    /// What holds for a statement from `path`: all there is to know about it, without overrides.
    pub fn at(&self, path: Option<&str>) -> Cow<'_, Config> {
        let relative = path.and_then(|path| self.relative(path));
        let matching = |part: &&Override| {
            relative.as_ref().is_some_and(|path| part.glob.matches_path_with(path, OPTIONS))
        };
        let mut parts = self.overrides.iter().filter(matching).peekable();
        if parts.peek().is_none() {
            return Cow::Borrowed(self);
        }
        let mut config = Config { overrides: Vec::new(), ..self.clone() };
        for part in parts {
            config.severity.extend(part.severity.clone());
            config.thresholds.extend(part.thresholds.clone());
        }
        Cow::Owned(config)
    }

    /// A path as the settings file sees it; `None` for one outside its folder.
    fn relative(&self, path: &str) -> Option<PathBuf> {
        let Some(root) = &self.root else { return Some(plain(Path::new(path))) };
        plain(&root.here.join(path)).strip_prefix(plain(&root.folder)).ok().map(Path::to_path_buf)
    }

    /// The names of a rule's thresholds.
    pub fn thresholds_of(&self, rule: &str) -> Vec<&str> {
        let ours = find(rule).into_iter().flat_map(|spec| spec.thresholds).map(|t| t.name);
        ours.chain(self.team(rule).into_iter().flat_map(|team| &team.thresholds).map(|t| &*t.name)).collect()
    }

    /// The team's rule of that name.
    pub fn team(&self, rule: &str) -> Option<&Team> {
        self.team.iter().map(Arc::as_ref).find(|team| team.name == rule)
    }

    /// The names and summaries of all rules: ours, then the team's.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &str)> {
        let ours = RULES.iter().map(|spec| (spec.name, spec.summary));
        ours.chain(self.team.iter().map(|team| (&*team.name, &*team.summary)))
    }

    /// A rule's page.
    pub fn page(&self, rule: &str) -> Option<&str> {
        find(rule).map(|spec| spec.page).or_else(|| Some(self.team(rule)?.page.as_str()))
    }

    /// Whether a rule of that name exists.
    pub fn knows(&self, rule: &str) -> bool {
        find(rule).is_some() || self.team(rule).is_some()
    }

    /// The rule whose name is nearest to a mistyped one.
    pub fn nearest(&self, rule: &str) -> &str {
        let names = self.rules().map(|(name, _)| name);
        names.min_by_key(|known| distance(known, rule)).unwrap_or_default()
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

/// A path without `.` and `..`, by its words alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_matched_from_the_folder_of_the_settings() {
        let matches = |glob: &str, here: &str, path: &str| {
            let root = Root { folder: "/p".into(), here: here.into() };
            let mut part = Override { glob: pattern(glob).expect("a glob"), ..Override::default() };
            part.severity.insert("estimate-drift".to_owned(), None);
            let config = Config { overrides: vec![part], root: Some(root), ..Config::default() };
            config.at(Some(path)).severity.contains_key("estimate-drift")
        };
        for (glob, here, path, is) in [
            ("reports/**/*.sql", "/p", "reports/a.sql", true),
            ("reports/**/*.sql", "/p", "./reports/2026/11/a.sql", true),
            ("reports/**/*.sql", "/p/reports", "a.sql", true),
            ("reports/**/*.sql", "/p/jobs", "../reports/a.sql", true),
            ("reports/**/*.sql", "/elsewhere", "/p/reports/a.sql", true),
            ("reports/**/*.sql", "/elsewhere", "reports/a.sql", false),
            ("reports/*.sql", "/p", "reports/2026/a.sql", false),
            ("*.sql", "/p", "a.sql", true),
            ("*.sql", "/p", "reports/a.sql", false),
            ("**", "/p", "reports/.hidden/a.sql", true),
        ] {
            assert_eq!(matches(glob, here, path), is, "{glob} {here} {path}");
        }
        assert!(Config::default().at(None).severity.is_empty());
    }
}
