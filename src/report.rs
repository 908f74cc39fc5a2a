//! The one value that every renderer receives.
//!
//! Refuses to know a format.

use crate::capture::{Gap, Mode, Origin};
use crate::catalog::ServerInfo;
use crate::compare::Comparison;
use crate::facts::Facts;
use crate::finding::{Finding, Location, Severity};
use crate::gate::{Marks, Often, Outcome as Fate};
use crate::plan::Plan;
use crate::proposals::Proposal;
use crate::prove::{Outcome, Verdict};
use crate::suppress::Suppression;
use crate::workload::{By, Counters, Ranked, Share};

/// Everything that one run of pgproof has to say.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// `None` without a server.
    pub server: Option<ServerInfo>,
    pub statements: Vec<Statement>,
    /// Most recoverable time first.
    pub findings: Vec<Finding>,
    pub proposals: Vec<Judged>,
    pub skipped: Vec<Skipped>,
    /// Rules about the database that looked at everything and found nothing.
    pub clean: Vec<String>,
    pub gaps: Vec<Gap>,
    /// The `pgproof:ignore` comments, and what became of each.
    pub suppressions: Vec<Suppression>,
    /// What they took out of `findings`.
    pub suppressed: Vec<Suppressed>,
    /// The statements of pg_stat_statements, where it was asked.
    pub workload: Option<Workload>,
    /// The migrations that were tried, where `check` was asked.
    pub migrations: Option<Migrations>,
    /// The plan of the first statement against that of the second, where two were to be compared.
    pub comparison: Option<Comparison>,
}

/// What was looked at of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations {
    /// Who was taken to run them, as `--framework` names it.
    pub framework: &'static str,
    /// Those that the base has already.
    pub applied: usize,
    pub new: usize,
    /// The paths of the new ones.
    pub files: Vec<String>,
    /// The names of those that the base has.
    pub base: Vec<String>,
    /// One of the new ones fails: nothing after it was looked at.
    pub failed: bool,
    /// A pack says how large things are.
    pub packed: bool,
}

/// One statement with its plans.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What it is for, in one sentence, where its author said so.
    pub title: Option<String>,
    pub text: String,
    pub fingerprint: u64,
    pub origin: Origin,
    /// What pg_stat_statements counted of it.
    pub counted: Option<Ranked>,
    pub plans: Vec<Planned>,
    /// What became of it, where two sides were compared.
    pub outcome: Option<Fate>,
    /// The statement of a migration that did it.
    pub culprit: Option<Location>,
    /// Its plans before and after the migrations, where they were compared: the generic one first, then with values.
    pub pairs: Vec<Pair>,
    /// Index of the pair that its outcome comes from.
    pub judged: usize,
    /// What is worth saying where nothing was found, or nothing can be proposed.
    pub notes: Vec<String>,
}

/// The plans of one query before and after migrations.
#[derive(Debug, Clone)]
pub struct Pair {
    /// How often the values occur; `None` for the generic plan.
    pub often: Option<Often>,
    /// `None` where the server refused.
    pub base: Option<Sided>,
    pub head: Option<Sided>,
}

/// A plan on one side.
#[derive(Debug, Clone)]
pub struct Sided {
    pub planned: Planned,
    pub marks: Marks,
}

/// One plan with its facts.
#[derive(Debug, Clone)]
pub struct Planned {
    pub mode: Mode,
    pub parameters: Vec<Option<String>>,
    pub plan: Plan,
    pub facts: Facts,
    /// Why the statement was not executed although that was asked for.
    pub not_executed: Option<String>,
}

/// A window of pg_stat_statements. The statements told of it are the report's first ones, in their rank.
#[derive(Debug, Clone)]
pub struct Workload {
    pub by: By,
    /// Seconds that it covers; `None` where nobody knows when counting began.
    pub seconds: Option<f64>,
    /// It is all that was counted since the last reset.
    pub lifetime: bool,
    /// The counters were reset within it: it starts there.
    pub reset: bool,
    /// The server was started anew within it.
    pub restarted: bool,
    /// Entries were thrown out for want of room so often, and what they counted is lost.
    pub evictions: Option<i64>,
    /// Statements counted, of which the first are told.
    pub statements: usize,
    /// Of all statements.
    pub all: Counters,
    pub hidden: Share,
    pub nested: Share,
    /// Statements that are told because of their rank, not because of a finding.
    pub ranked: usize,
}

/// A proposal with what its trial showed.
#[derive(Debug, Clone)]
pub struct Judged {
    pub proposal: Proposal,
    pub verdict: Verdict,
    /// Estimated cost of the statement without and with the change, where the planner was asked.
    pub cost: Option<(f64, f64)>,
    /// Size of what was built, or the model's expectation.
    pub size_bytes: Option<i64>,
    /// The plan with the change in place.
    pub plan_after: Option<Plan>,
    /// It was left in place under its final name, as asked.
    pub kept: bool,
}

/// A finding that a comment asked to ignore.
#[derive(Debug, Clone)]
pub struct Suppressed {
    pub finding: Finding,
    /// Index into [`Report::suppressions`].
    pub by: usize,
}

/// A rule that could not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub rule: String,
    /// What it would need.
    pub needs: String,
}

/// One thing that pgproof can see here, or cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    pub name: &'static str,
    pub seen: bool,
    /// What is there, or what is missing.
    pub what: String,
    /// The one statement, or setting, that mends it.
    pub fix: Option<String>,
    /// What says less without it: commands, rules, flags.
    pub disables: Vec<&'static str>,
}

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pub errors: usize,
    pub warnings: usize,
    pub infos: usize,
}

impl Report {
    /// Findings counted by severity.
    pub fn summary(&self) -> Summary {
        let count = |severity| self.findings.iter().filter(|f| f.severity == severity).count();
        Summary {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
        }
    }

    /// Where in a file a finding stands: its own place, else its statement's.
    pub fn location(&self, finding: &Finding) -> Option<Location> {
        finding.location.clone().or_else(|| {
            let statement = self.statements.get(finding.at.statement?)?;
            let (path, line) = statement.origin.path.clone().zip(statement.origin.line)?;
            let lines = statement.text.lines().count().max(1);
            Some(Location { path, line, end_line: line + lines - 1 })
        })
    }

    /// The loudest severity, of findings and of suppressions to mend; `None` where nothing is said.
    pub fn worst(&self) -> Option<Severity> {
        let to_mend = self.suppressions.iter().filter(|s| s.troubled()).map(|_| Severity::Warning);
        self.findings.iter().map(|f| f.severity).chain(to_mend).max()
    }
}

impl Statement {
    /// One that nothing is known of yet.
    pub fn new(text: String, fingerprint: u64, origin: Origin) -> Statement {
        Statement {
            title: None,
            text,
            fingerprint,
            origin,
            counted: None,
            plans: Vec::new(),
            outcome: None,
            culprit: None,
            pairs: Vec::new(),
            judged: 0,
            notes: Vec::new(),
        }
    }
}

impl Judged {
    /// Worth doing, as far as is known: not shown to be useless.
    pub fn recommended(&self) -> bool {
        !matches!(self.verdict.outcome, Outcome::NoBetter | Outcome::PlannerDeclined | Outcome::ResultsDiffer)
    }
}
