//! The rules that look at migrations: how long one would block, and how loud that is.
//!
//! Refuses to promise a time: what a disk reads and writes differs, so it is a range.

use super::whole::Whole;
use super::{Check, Config, RULES, Spec, Threshold, Tuning};
use crate::context::TraceContext;
use crate::finding::{Confidence, Evidence, Finding, Location, Place, Severity};
use crate::migrate::traced::{Effect, Lock, NOT_NULL, Traced};
use crate::migrate::{Migration, Size};
use crate::sql::ident::{clip, quote, unquote};
use crate::sql::token::tokenize;
use crate::units::Millis;
use crate::words::duration;

/// The rule that nobody can live with: after a failure nothing is looked at.
pub const FAILS: &str = "migration-fails";

/// Bytes that a scan reads in a second: from a disk that also serves others, and from memory on one core.
const SCAN: (f64, f64) = (1e8, 1e9);
/// Bytes of heap that a rewrite copies in a second, its write-ahead log included.
const REWRITE: (f64, f64) = (3e7, 2e8);
/// Bytes of heap and indexes that an UPDATE or a DELETE changes in a second. Of a table of 109 MB with 36 MB of indexes in
/// memory: an UPDATE 15 MB, without indexes 32 MB, a DELETE 167 MB.
const CHANGE: (f64, f64) = (1e7, 2e8);
/// Bytes of heap that an index build sorts in a second.
const BUILD: (f64, f64) = (2e7, 2e8);
/// Bytes of heap that builds of other access methods take in, in a second. Of a table of 206 MB in memory: GiST 7 MB of
/// ranges and 104 MB of points, SP-GiST 66 MB, GIN 19 MB of trigrams, 40 MB of jsonb and 150 MB of arrays, BRIN what a scan
/// reads; a disk is taken to be ten times as slow.
const METHODS: [(&str, (f64, f64)); 4] =
    [("gist", (1e6, 1e8)), ("spgist", (7e6, 7e7)), ("gin", (2e6, 1.5e8)), ("brin", SCAN)];
/// An exclusion constraint takes so many times as long as its index: then each row is looked up in it. As measured there.
const EXCLUDING: f64 = 2.6;

/// The seconds for which users notice nothing.
pub(super) const WARNING: Threshold = Threshold {
    name: "warning-seconds",
    default: 0.5,
    unit: "s",
    why: "a request that waits for half a second is noticed; below it a lock is lost in the noise",
};

/// Those from which on it is an outage.
pub(super) const ERROR: Threshold = Threshold {
    name: "error-seconds",
    default: 5.0,
    unit: "s",
    why: "a web server's pool of connections is used up after a few seconds, and then everything waits",
};

/// Rows below which a foreign key's child needs no index.
pub(super) const SMALL: Threshold = Threshold {
    name: "min-rows",
    default: 1_000.0,
    unit: "rows",
    why: "a child table this small is read in a fraction of a millisecond",
};

pub(super) const SECONDS: [Threshold; 2] = [WARNING, ERROR];

/// What the rules say of migrations.
pub fn run_migrations(ctx: &TraceContext, config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    for &spec in RULES.iter().filter(|spec| config.runs(spec.name)) {
        let Check::Migration(check) = spec.check else { continue };
        found.extend(check(ctx, &Tuning { spec, config }).into_iter().map(|finding| Finding {
            severity: match config.severity.get(spec.name) {
                Some(Some(set)) => *set,
                _ => finding.severity,
            },
            ..finding
        }));
    }
    found.sort_by_key(|f| std::cmp::Reverse(f.severity));
    found
}

/// A finding at a statement of a migration.
pub(super) fn finding(ctx: &TraceContext, spec: &Spec, traced: &Traced, effect: Option<&Effect>) -> Finding {
    let place = place(ctx, traced);
    let found = finding_at(spec, &ctx.migrations[traced.migration], place.line, place.end_line);
    Finding { relation: effect.map(|effect| effect.relation.clone()), ..found }
}

/// A finding about a migration as a whole, at these lines of it.
pub(super) fn finding_at(spec: &Spec, migration: &Migration, line: usize, end_line: usize) -> Finding {
    finding_at_path(spec, &migration.path, line, end_line)
}

/// A finding about a file, at these lines of it.
pub(super) fn finding_at_path(spec: &Spec, path: &str, line: usize, end_line: usize) -> Finding {
    Finding {
        rule: spec.name.into(),
        at: Place::DATABASE,
        location: Some(Location { path: path.to_owned(), line, end_line }),
        relation: None,
        index: None,
        within: None,
        severity: Severity::Info,
        confidence: Confidence::Measured,
        what: String::new(),
        why: String::new(),
        help: String::new(),
        evidence: Vec::new(),
        also: Vec::new(),
        saves: None,
        share: 0.0,
        remedies: Vec::new(),
    }
}

/// The lines of a traced statement.
pub(super) fn place(ctx: &TraceContext, traced: &Traced) -> Location {
    let migration = &ctx.migrations[traced.migration];
    let step = &migration.steps[traced.step];
    Location { path: migration.path.clone(), line: step.line, end_line: step.end_line }
}

/// Seconds, at best and at worst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
    /// From an assumed size.
    pub assumed: bool,
}

impl Range {
    /// One after the other.
    pub(super) fn and(self, other: Range) -> Range {
        let assumed = self.assumed || other.assumed;
        Range { low: self.low + other.low, high: self.high + other.high, assumed }
    }
}

/// How long the work of an effect takes on a table of that size.
pub(super) fn work(size: Size, effect: &Effect) -> Range {
    let mut range = Range { low: 0.0, high: 0.0, assumed: size.assumed };
    let mut add = |bytes: f64, (slow, fast): (f64, f64)| {
        range.low += bytes / fast;
        range.high += bytes / slow;
    };
    if effect.rewritten {
        add(size.bytes, REWRITE);
        add(size.index_bytes, BUILD);
    } else if effect.scanned || effect.changes_rows {
        add(size.bytes, SCAN);
    }
    if !effect.rewritten {
        let excluding = effect.constraints.iter().any(|constraint| constraint.kind == "x");
        let often = if excluding { EXCLUDING } else { 1.0 };
        for at in 0..effect.built.len() {
            let other = METHODS.iter().find(|(name, _)| effect.methods.get(at).is_some_and(|m| m == name));
            add(size.bytes * often, other.map_or(BUILD, |(_, rates)| *rates));
        }
    }
    if effect.changes_rows {
        // Each row is written again, and an entry of each index.
        add(size.bytes + size.index_bytes, CHANGE);
    }
    range
}

/// How loud a blocking time is. An assumed size makes no error.
pub(super) fn loudness(range: Range, tuning: &Tuning) -> Severity {
    match range.high {
        high if high >= tuning.get("error-seconds") && !range.assumed => Severity::Error,
        high if high >= tuning.get("warning-seconds") => Severity::Warning,
        _ => Severity::Info,
    }
}

/// A lock that others wait for.
pub(super) fn blocking(effect: &Effect) -> Option<(Lock, &'static str)> {
    let lock = effect.lock?;
    lock.blocks().map(|who| (lock, who))
}

/// The columns and constraints that a statement touches: what tells two of one table and file apart.
pub(super) fn within_table(effect: &Effect) -> Option<String> {
    let names = effect.added_columns.iter().chain(&effect.not_null);
    let retyped = effect.retyped.iter().map(|(column, ..)| column);
    let constraints = effect.constraints.iter().map(|constraint| &constraint.name);
    let all: Vec<&str> = names.chain(retyped).chain(constraints).map(String::as_str).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// `between 2 s and 30 s`, or what is known instead.
pub(super) fn within(range: Range) -> String {
    let time = |seconds: f64| duration(Millis(seconds * 1000.0));
    let about = match range.high < 0.001 {
        true => "less than a millisecond".to_owned(),
        false => format!("{} to {}", time(range.low), time(range.high)),
    };
    if range.assumed {
        format!("{about}, if the table is a gigabyte (no pack says how large it is)")
    } else {
        about
    }
}

/// The other tables that a statement locks while it works on those, as the end of a sentence.
pub(super) fn also_locked(traced: &Traced, worked: &[&Whole]) -> String {
    let apart = |e: &&Effect| {
        let told = |whole: &&Whole| {
            e.whole.as_ref() == Some(&whole.effect.relation)
                || e.relation == whole.effect.relation
                || whole.parts.iter().any(|part| part.relation == e.relation)
        };
        e.table && blocking(e).is_some() && !worked.iter().any(told)
    };
    let others: Vec<&str> = traced.effects.iter().filter(apart).map(|e| e.relation.as_str()).collect();
    match others.as_slice() {
        [] => String::new(),
        [one] => format!(", and {one} is locked for as long"),
        some => format!(", and {} are locked for as long", some.join(", ")),
    }
}

/// The numbers behind a blocking time.
pub(super) fn evidence(size: Size, lock: Lock, range: Range) -> Vec<Evidence> {
    let label = |name: &str| if size.assumed { format!("{name}, assumed") } else { name.to_owned() };
    vec![
        Evidence::text("lock", lock.name()),
        Evidence::data(&label("table"), size.bytes, "bytes"),
        Evidence::data(&label("rows"), size.rows, "rows"),
        Evidence::data(&label("blocked at least"), thousandths(range.low), "s"),
        Evidence::data(&label("blocked at most"), thousandths(range.high), "s"),
    ]
}

/// Seconds to the millisecond: what is beyond it is no knowledge.
pub(super) fn thousandths(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// The statement as typed.
pub(super) fn text<'a>(ctx: &TraceContext<'a>, traced: &Traced) -> &'a str {
    &ctx.migrations[traced.migration].steps[traced.step].text
}

/// Whether the name of a relation, or of a column, stands in a text, as a word of SQL or of a body in it.
pub(super) fn names(text: &str, relation: &str) -> bool {
    let bare = unquote(relation.rsplit('.').next().unwrap_or(relation)).to_lowercase();
    let text = text.to_lowercase();
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&bare)
        .any(|(at, _)| !text[..at].ends_with(letter) && !text[at + bare.len()..].starts_with(letter))
}

/// An ALTER TABLE that does one thing: only that can be done in another way without losing the rest.
pub(super) fn one_action(sql: &str) -> bool {
    let (tokens, _) = tokenize(sql);
    let word = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(sql, word));
    let mut depth = 0_usize;
    let several = tokens.iter().any(|token| {
        if token.is_punct(sql, "(") {
            depth += 1;
        } else if token.is_punct(sql, ")") {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && token.is_punct(sql, ",")
    });
    word(0, "alter") && word(1, "table") && !several
}

/// SET NOT NULL reads nothing where a validated CHECK says the same.
pub(super) fn set_not_null(effect: &Effect, column: &str) -> Vec<String> {
    let table = &effect.relation;
    let names =
        ["", "_is", "_kept", "_never", "_set"].map(|word| format!("{}{word}{NOT_NULL}", clip(column, 45)));
    let free = names.iter().find(|name| !effect.taken.contains(name));
    let name = quote(free.unwrap_or(&names[0]));
    let column = quote(column);
    vec![
        format!("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID"),
        format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"),
        format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"),
        format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
    ]
}

/// REFRESH MATERIALIZED VIEW, in either form.
pub(super) fn refreshes(sql: &str) -> bool {
    let (tokens, _) = tokenize(sql);
    tokens.first().is_some_and(|t| t.is_word(sql, "refresh"))
}
