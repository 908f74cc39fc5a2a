//! `pgproof-accepted.json`: findings that somebody looked at and lives with, each with a reason and, where it ends, a day.
//!
//! Refuses to hold what changes from run to run: no line, cost, row count or time, so that a diff of the file is a
//! decision of somebody's. An entry that meets nothing is told, never skipped.

use crate::error::{Error, Excerpt, Kind, Result};
use crate::finding::{Finding, Severity};
use crate::identity::{fingerprints, places, unnumbered};
use crate::report::{Migrations, Report, Suppressed};
use crate::rules::{self, Config, FAILS};
use crate::suppress::{Status, Suppression, is_day};
use crate::words::brief;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The format number that this version reads and writes.
pub const FORMAT: u32 = 1;
/// What the file is called where no flag names another.
pub const NAME: &str = "pgproof-accepted.json";
/// Characters of a statement that stand for it.
const OBJECT: usize = 60;

/// One accepted finding, in the order of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub rule: String,
    /// What the finding is about, for who reads the file: the fingerprint alone decides.
    pub object: String,
    /// Fingerprint of the finding.
    pub finding: String,
    /// The migration that it is in, without the number in its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<String>,
    /// Fingerprint of the access paths before, where a plan changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// And after: where the plan becomes yet another one, nobody has accepted that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub reason: String,
    /// The last day on which it is in force, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// The entries of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// As messages name the file.
    pub path: String,
    pub entries: Vec<Entry>,
    /// The line of each entry, counted from 1.
    lines: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    accepted: Vec<Entry>,
}

/// Reads a file called `path`.
///
/// # Errors
/// [`Kind::Config`] with the place: no JSON, an unknown key, a newer format, a day that is none.
pub fn read(text: &str, path: &str) -> Result<Accepted> {
    let doing = || format!("read the accepted findings in {path}");
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    if let Ok(Versioned { format }) = serde_json::from_str(text)
        && format != FORMAT
    {
        return Err(Error::new(Kind::Config, doing())
            .because(format!("it is of format {format}, and this version of pgproof reads {FORMAT}"))
            .help("use the version of pgproof that wrote it, or write it anew with --accept"));
    }
    let conflict = text.lines().position(|line| line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>"));
    if let Some(line) = conflict {
        return Err(Error::new(Kind::Config, doing())
            .because(format!("line {}: a merge left its conflict there", line + 1))
            .help("keep the lines of both sides, one entry to a line with a comma between them"));
    }
    let file: File = serde_json::from_str(text).map_err(|e| {
        Error::new(Kind::Config, doing())
            .because(format!("line {}, column {}: {}", e.line(), e.column(), without_place(&e)))
            .help("mend the entry, or take it out and accept the finding again with --accept")
    })?;
    debug_assert_eq!(file.format, FORMAT);
    let accepted =
        Accepted { path: path.to_owned(), lines: lines(text, &file.accepted), entries: file.accepted };
    let bad = accepted.entries.iter().zip(&accepted.lines).find_map(|(entry, line)| {
        let until = entry.until.as_ref().filter(|until| !is_day(until))?;
        Some((*line, until.clone()))
    });
    match bad {
        None => Ok(accepted),
        Some((line, until)) => {
            let error = Error::new(Kind::Config, doing())
                .because(format!("line {line}: `{until}` is no day of the calendar"))
                .help("write YYYY-MM-DD");
            let written = text.lines().nth(line - 1);
            Err(match written.and_then(|whole| Some((whole, whole.find(until.as_str())?))) {
                None => error,
                Some((whole, start)) => error.at(Excerpt {
                    origin: path.to_owned(),
                    first_line: line,
                    text: whole.to_owned(),
                    start,
                    end: start + until.len(),
                    label: "no day".to_owned(),
                }),
            })
        }
    }
}

/// serde_json's message without its own place behind it.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// The line of each entry: that of its fingerprint, in order.
fn lines(text: &str, entries: &[Entry]) -> Vec<usize> {
    let (mut at, mut line) = (0, 1);
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(next) = text[at..].find(&format!("\"{}\"", entry.finding)) {
            line += text[at..at + next].matches('\n').count();
            // Another entry may be for the same finding.
            at += next + 1;
        }
        found.push(line);
    }
    found
}

/// The file as text: sorted, one entry to a line.
///
/// # Errors
/// [`Kind::Config`] for an entry that JSON cannot hold.
pub fn write(entries: &[Entry]) -> Result<String> {
    let sorted: BTreeSet<&Entry> = entries.iter().collect();
    let line = |entry: &Entry| serde_json::to_string(entry).map(|json| format!("    {json}"));
    let lines: Vec<String> = sorted
        .into_iter()
        .map(line)
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| Error::new(Kind::Config, "write the accepted findings").because(e))?;
    Ok(match lines.is_empty() {
        true => format!("{{\n  \"format\": {FORMAT},\n  \"accepted\": []\n}}\n"),
        false => format!("{{\n  \"format\": {FORMAT},\n  \"accepted\": [\n{}\n  ]\n}}\n", lines.join(",\n")),
    })
}

/// A finding as an entry would name it.
struct Named {
    object: String,
    fingerprint: String,
    migration: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

fn named(report: &Report) -> Vec<Named> {
    let places = places(report);
    let fingerprints = fingerprints(report, &places);
    let one = |((finding, place), fingerprint): ((&Finding, &Option<crate::finding::Location>), String)| {
        let statement = finding.at.statement.and_then(|at| report.statements.get(at));
        let compared = statement.filter(|s| s.outcome.is_some());
        let pair = compared.filter(|_| finding.at.run.is_none()).and_then(|s| s.pairs.get(s.judged));
        let mark = |side: &Option<crate::report::Sided>| side.as_ref().map(|s| s.marks.access.clone());
        let object = compared
            .map(|s| s.title.clone().unwrap_or_else(|| brief(&s.text, OBJECT)))
            .or_else(|| finding.relation.clone())
            .or_else(|| finding.index.clone())
            .or_else(|| place.as_ref().map(|place| place.path.clone()))
            .unwrap_or_else(|| finding.rule.to_string());
        let files = report.migrations.as_ref().map_or(&[][..], |migrations| &migrations.files);
        let migration = place.as_ref().filter(|place| files.contains(&place.path));
        Named {
            object,
            fingerprint,
            migration: migration.map(|place| unnumbered(&place.path)),
            from: pair.and_then(|pair| mark(&pair.base)),
            to: pair.and_then(|pair| mark(&pair.head)),
        }
    };
    report.findings.iter().zip(&places).zip(fingerprints).map(one).collect()
}

/// Entries for the findings of a report that are at least that severe, but for migrations that fail: nothing after them
/// was looked at.
pub fn entries(report: &Report, least: Severity, reason: &str, until: Option<&str>) -> Vec<Entry> {
    let all = report.findings.iter().zip(named(report));
    all.filter(|(finding, _)| finding.severity >= least && finding.rule != FAILS)
        .map(|(finding, named)| Entry {
            rule: finding.rule.to_string(),
            object: named.object,
            finding: named.fingerprint,
            migration: named.migration,
            from: named.from,
            to: named.to,
            reason: reason.to_owned(),
            until: until.map(str::to_owned),
        })
        .collect()
}

impl Accepted {
    /// Those of a file that is not there yet.
    pub fn none(path: String) -> Accepted {
        Accepted { path, ..Accepted::default() }
    }

    /// An entry for each of `more`, in place of one for the same finding.
    pub fn add(&mut self, more: Vec<Entry>) {
        let new: BTreeSet<&str> = more.iter().map(|entry| entry.finding.as_str()).collect();
        self.entries.retain(|entry| !new.contains(entry.finding.as_str()));
        self.entries.extend(more);
    }

    /// Leaves those out that [`hold`] said somebody has to mend, but those without a reason: they do meet a finding.
    pub fn prune(&mut self, report: &Report) -> usize {
        let before = self.entries.len();
        // In the order of the entries: of two for one finding, only the second may be in vain.
        let told = report.suppressions.iter().filter(|s| s.accepted.is_some());
        let gone =
            |s: &Suppression| s.status == Status::Merged || (s.troubled() && s.status != Status::NoReason);
        let keep: Vec<bool> = told.map(|s| !gone(s)).collect();
        let mut keep = keep.into_iter();
        self.entries.retain(|_| keep.next().unwrap_or(true));
        before - self.entries.len()
    }
}

/// Whether [`hold`] met the finding and took it out.
pub fn applied(report: &Report, finding: &str) -> bool {
    let ours = |s: &&Suppression| s.accepted.as_deref() == Some(finding);
    report.suppressions.iter().filter(ours).any(|s| s.status == Status::Applied)
}

/// Takes the accepted findings out of the report, and says of each entry what became of it. The proposals that answer
/// nothing else go with them.
pub fn hold(report: &mut Report, accepted: &Accepted, config: &Config) {
    let named = named(report);
    let of: BTreeMap<&str, usize> =
        named.iter().enumerate().map(|(number, named)| (named.fingerprint.as_str(), number)).collect();
    let seen = Seen {
        migrations: report.migrations.clone(),
        compared: report.statements.iter().any(|s| s.outcome.is_some()),
    };
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    let mut written: BTreeSet<&str> = BTreeSet::new();
    for (at, entry) in accepted.entries.iter().enumerate() {
        let met = of.get(entry.finding.as_str()).copied();
        let (status, why, help) = match met {
            _ if !written.insert(entry.finding.as_str()) => {
                trouble(Status::Unused, "another entry says the same", "take one of them out")
            }
            _ => judge(entry, met.map(|number| &named[number]), config, &seen),
        };
        if let (Status::Applied, Some(number)) = (status, met) {
            taken.insert(number, report.suppressions.len());
        }
        report.suppressions.push(Suppression {
            statement: met.and_then(|number| report.findings[number].at.statement),
            line: accepted.lines.get(at).copied(),
            rule: entry.rule.clone(),
            reason: entry.reason.clone(),
            until: entry.until.clone(),
            accepted: Some(entry.finding.clone()),
            file: Some(accepted.path.clone()),
            status,
            why,
            help,
        });
    }
    take(report, &taken);
}

/// What a run looked at.
struct Seen {
    migrations: Option<Migrations>,
    /// Queries were planned.
    compared: bool,
}

impl Seen {
    /// The base has the migration that an entry is about: a new one that is called the same is another one.
    fn merged(&self, entry: &Entry) -> Option<Said> {
        let (migrations, file) = (self.migrations.as_ref()?, entry.migration.as_ref()?);
        let is = |name: &String| {
            let name = unnumbered(name);
            *file == name || file.ends_with(&format!("/{name}"))
        };
        let why = format!("{}: the base has its migration by now", entry.object);
        migrations.base.iter().any(is).then(|| trouble(Status::Merged, why, "--prune-accepted takes it out"))
    }

    /// Why nothing could meet an entry.
    fn blind(&self, entry: &Entry) -> Option<Said> {
        let Some(migrations) = &self.migrations else { return None };
        let idle = |why: &str| Some(trouble(Status::Idle, format!("{}: {why}", entry.object), ""));
        if let Some(file) = &entry.migration
            && !migrations.files.iter().any(|path| unnumbered(path) == *file)
        {
            return idle("its migration is none of those that were looked at");
        }
        match () {
            () if migrations.failed => idle("a migration fails, and nothing after it was looked at"),
            () if rules::of_queries(&entry.rule) && !self.compared => idle("no queries were compared"),
            () if !migrations.packed => idle("without --pack nobody can say"),
            () => None,
        }
    }
}

type Said = (Status, String, String);

fn trouble(status: Status, why: impl Into<String>, help: impl Into<String>) -> Said {
    (status, why.into(), help.into())
}

fn judge(entry: &Entry, met: Option<&Named>, config: &Config, seen: &Seen) -> Said {
    let object = &entry.object;
    if !config.knows(&entry.rule) {
        let help = format!("did you mean `{}`? `pgproof rule` lists them", config.nearest(&entry.rule));
        return trouble(Status::UnknownRule, "there is no rule of that name", help);
    }
    if entry.rule == FAILS {
        let why = "a migration that fails cannot be accepted: nothing after it is looked at";
        return trouble(Status::Unused, why, "mend the migration");
    }
    if entry.reason.trim().is_empty() {
        let help = "say why: who reads it next has to know whether it still holds";
        return trouble(Status::NoReason, "it gives no reason", help);
    }
    // Days as YYYY-MM-DD sort as they follow each other.
    if let Some(until) = &entry.until
        && config.today.as_ref().is_some_and(|today| until < today)
    {
        let help = "mend what it accepts, or accept it anew with a later day";
        return trouble(Status::Expired, format!("its last day was {until}"), help);
    }
    if let Some(said) = seen.merged(entry) {
        return said;
    }
    match met {
        Some(named) if entry.to.is_some() && (entry.from != named.from || entry.to != named.to) => {
            let plan = |mark: &Option<String>| mark.clone().unwrap_or_else(|| "none".to_owned());
            let why = format!(
                "{object}: it accepts the plan {} in place of {}, and it is {} in place of {} now",
                plan(&entry.to),
                plan(&entry.from),
                plan(&named.to),
                plan(&named.from)
            );
            trouble(Status::Unused, why, "look at the finding again: accept it anew, or mend it")
        }
        Some(_) => trouble(Status::Applied, "", ""),
        None if !config.runs(&entry.rule) => trouble(Status::Idle, format!("{object}: its rule is off"), ""),
        None => seen.blind(entry).unwrap_or_else(|| {
            let why = format!("{object}: nothing meets it any more");
            trouble(Status::Unused, why, "--prune-accepted takes it out")
        }),
    }
}

/// Moves findings, by their numbers, to the suppressed ones.
fn take(report: &mut Report, taken: &BTreeMap<usize, usize>) {
    let mut place = vec![None; report.findings.len()];
    let mut left = Vec::new();
    for (number, finding) in std::mem::take(&mut report.findings).into_iter().enumerate() {
        match taken.get(&number) {
            Some(&by) => report.suppressed.push(Suppressed { finding, by }),
            None => {
                place[number] = Some(left.len());
                left.push(finding);
            }
        }
    }
    report.findings = left;
    for judged in &mut report.proposals {
        judged.proposal.answers = judged
            .proposal
            .answers
            .iter()
            .filter_map(|&answer| place.get(answer).copied().flatten())
            .collect();
    }
    report.proposals.retain(|judged| !judged.proposal.answers.is_empty());
}

#[cfg(test)]
mod tests;
