//! Migrations that ran already and are told otherwise now: edited, deleted, or squashed into others.
//!
//! Refuses to guess what differs: a database was made of the files alone, and its schema compared.

use super::migration::finding_at_path;
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::migrate::history::{Difference, Fails, Rewritten, of_a_relation};
use crate::migrate::{Framework, Late};
use crate::words::counted;

pub(super) const SPEC: Spec = Spec {
    name: "migration-history-rewritten",
    summary: "a migration that the base has was edited, is gone, or was squashed with others into one",
    thresholds: &[],
    page: include_str!("../../rules/migration-history-rewritten.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

/// Files that are named as evidence, and differences of one object in a sentence; of more their number.
const TOLD: usize = 20;
const NAMED: usize = 3;

fn check(ctx: &TraceContext, _: &Tuning) -> Vec<Finding> {
    let Some(rewritten) = ctx.rewritten else { return Vec::new() };
    let Rewritten { edited, gone, instead, differences, fails, .. } = rewritten;
    let file = |path: &String, line: usize| finding_at_path(&SPEC, path, line, line);
    let first = match (&instead[..], &edited[..], &gone[..]) {
        ([path, ..], ..) => file(path, 1),
        ([], [(path, line), ..], _) => file(path, *line),
        ([], [], [path, ..]) => file(path, 1),
        ([], [], []) => return Vec::new(),
    };
    let mut found = vec![files(ctx.framework, rewritten, first.clone())];
    found.extend(fails.iter().map(|fails| failing(fails, file(&fails.path, fails.line))));
    let differences = differences.as_deref().unwrap_or_default();
    found.extend(differences.chunk_by(|a, b| a.object == b.object).map(|apart| object(apart, first.clone())));
    found
}

/// What happened to the files.
fn files(framework: Framework, rewritten: &Rewritten, mut finding: Finding) -> Finding {
    let Rewritten { edited, gone, instead, differences, .. } = rewritten;
    let refusal = refusal(framework, rewritten);
    finding.severity = match (&refusal, instead.is_empty()) {
        (Some(_), true) => Severity::Error,
        (_, false) => Severity::Warning,
        (None, true) => Severity::Info,
    };
    let same = match differences.as_deref() {
        Some([]) => "; the schema that comes of the files is the same",
        _ => "",
    };
    finding.what = format!("{}{same}", changed(rewritten));
    finding.why = match (refusal, instead.is_empty()) {
        (Some(refusal), _) => refusal,
        (None, false) if framework.late() == Late::Skipped => {
            format!("{} skips it where the others ran", framework.name())
        }
        (None, false) => "it is run where the others ran too, and what it makes is there already".to_owned(),
        (None, true) if edited.is_empty() => {
            "where it ran its effect stays; a database made from nothing does without".to_owned()
        }
        (None, true) => {
            "where it ran already it does not run again: what was changed in it never comes there".to_owned()
        }
    };
    finding.help = match instead.is_empty() {
        true => "restore the file as it ran, and put what is to change into a new migration".to_owned(),
        false => format!("have it marked as run where the others ran: {}", marking(framework)),
    };
    finding.evidence = vec![Evidence::text("framework", framework.name())];
    let paths: Vec<&String> = edited.iter().map(|(path, _)| path).collect();
    finding.evidence.extend(listed("edited", &paths));
    finding.evidence.extend(listed("gone", &gone.iter().collect::<Vec<_>>()));
    finding.evidence.extend(listed("instead", &instead.iter().collect::<Vec<_>>()));
    finding
}

fn failing(fails: &Fails, mut finding: Finding) -> Finding {
    finding.severity = Severity::Error;
    finding.what = format!("the files that are left fail on an empty database: {}", fails.message);
    finding.why = "who makes a database from nothing, as tests do, gets no further".to_owned();
    finding.help = "mend the files, or restore those that ran".to_owned();
    finding
}

/// What an object is where the base and the new migrations ran, and what the files make of it.
fn object(apart: &[Difference], mut finding: Finding) -> Finding {
    let Some(first) = apart.first() else { return finding };
    finding.severity = Severity::Warning;
    finding.relation = Some(first.object.clone());
    let named: Vec<String> = apart.iter().take(NAMED).map(difference).collect();
    let more = match apart.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    finding.what = format!("{}{more}", named.join("; "));
    finding.why = "a database made from nothing is not what production is".to_owned();
    finding.help = "put what production lacks into a new migration, and what the files lack back into them".to_owned();
    finding.evidence = apart.iter().map(|one| Evidence::text("differs", difference(one))).collect();
    finding
}

fn changed(rewritten: &Rewritten) -> String {
    let Rewritten { edited, gone, instead, .. } = rewritten;
    let many = |many: usize| counted(many as f64, "migration");
    let was = |many: usize| if many == 1 { "was" } else { "were" };
    let is = |many: usize| if many == 1 { "is" } else { "are" };
    let edits = match edited.len() {
        0 => None,
        1 => Some("it was edited after the base had it".to_owned()),
        n => Some(format!("{} of the base {} edited", many(n), was(n))),
    };
    let gone = match (gone.len(), instead.len()) {
        (0, _) => None,
        (n, 0) => Some(format!("{} of the base {} gone", many(n), is(n))),
        (n, 1) => Some(format!("it stands for {} of the base that {} gone", many(n), is(n))),
        (n, k) => Some(format!("{} stand for {} of the base that {} gone", many(k), many(n), is(n))),
    };
    match (gone, edits) {
        (Some(gone), Some(_)) => format!("{gone}, and {} {} edited", many(edited.len()), was(edited.len())),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    }
}

/// What the framework does where the migrations ran, if it stops.
fn refusal(framework: Framework, rewritten: &Rewritten) -> Option<String> {
    let name = framework.name();
    let (edited, gone) = (!rewritten.edited.is_empty(), !rewritten.gone.is_empty());
    match framework {
        Framework::Sqlx | Framework::Flyway | Framework::Refinery if edited => {
            Some(format!("{name} keeps a checksum of what ran and refuses to run anything where it is another"))
        }
        Framework::Sqlx | Framework::Flyway | Framework::Refinery if gone => {
            Some(format!("{name} refuses to run anything where a migration ran whose file is missing"))
        }
        Framework::GolangMigrate if rewritten.newest_gone => {
            Some(format!("{name} refuses to run anything where the file of the version it stands at is missing"))
        }
        _ => None,
    }
}

/// How an operator says that a migration ran.
fn marking(framework: Framework) -> &'static str {
    match framework {
        Framework::Prisma => "prisma migrate resolve --applied",
        Framework::Flyway => "flyway repair, or a baseline",
        Framework::GolangMigrate => "migrate force",
        Framework::Sqlx => "a row in _sqlx_migrations in place of the others'",
        Framework::Diesel => "a row in __diesel_schema_migrations",
        Framework::Refinery => "a row in refinery_schema_history in place of the others'",
        Framework::Goose => "a row in goose_db_version",
        Framework::Dbmate => "a row in schema_migrations",
        Framework::Plain => "where and how depends on who runs the files",
    }
}

fn listed(label: &str, paths: &[&String]) -> Option<Evidence> {
    let named: Vec<String> = paths.iter().take(TOLD).map(|path| (*path).clone()).collect();
    let more = paths.len() - named.len();
    let text = named.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() };
    (!paths.is_empty()).then(|| Evidence::text(label, text))
}

fn difference(apart: &Difference) -> String {
    let Difference { object, what, ran, anew } = apart;
    let short = |details: &String| match details.chars().count() {
        0 => "without more".to_owned(),
        1..=60 => details.clone(),
        _ => "another definition".to_owned(),
    };
    let it = if of_a_relation(what) { format!("{what} of {object}") } else { format!("{what} {object}") };
    match (ran, anew) {
        (Some(ran), Some(anew)) => format!("{it}: {} where the base ran, {} by the files", short(ran), short(anew)),
        (Some(_), None) => format!("{it}: only where the base ran"),
        (None, _) => format!("{it}: only by the files"),
    }
}
