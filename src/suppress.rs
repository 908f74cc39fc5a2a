//! `pgproof:ignore` comments: what they ask for, and whether that is in force.
//!
//! Refuses to hide anything: a comment that is not in force, or has nothing to ignore, is told with its reason.

use crate::capture::Comment;
use crate::rules::Config;
use crate::words::distance;
use std::collections::BTreeSet;

/// What every directive starts with.
const MARK: &str = "pgproof:";
const WORD: &str = "ignore";
/// How a whole one is written.
const FORM: &str = "write pgproof:ignore RULE reason=\"…\" until=YYYY-MM-DD, the date only where it ends";

/// One `pgproof:ignore` or one accepted finding, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Index of the statement in the report; `None` for an accepted finding of none, or of one that is gone.
    pub statement: Option<usize>,
    /// Its own line in the file, counted from 1.
    pub line: Option<usize>,
    /// The file of accepted findings that it stands in; `None` for a comment.
    pub file: Option<String>,
    /// The fingerprint of the finding that is accepted; `None` for a comment.
    pub accepted: Option<String>,
    /// As written; empty where no name was.
    pub rule: String,
    pub reason: String,
    /// The last day on which it is in force, `YYYY-MM-DD`.
    pub until: Option<String>,
    pub status: Status,
    /// Why it is not in force, or what could not be said, in a clause; empty where it was applied.
    pub why: String,
    /// What to do about that.
    pub help: String,
}

/// What became of a suppression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It took findings out of the report.
    Applied,
    /// Nothing can be said: its rule is off, or the statement was not executed.
    Idle,
    /// Its rule looked and found nothing.
    Unused,
    /// What it accepts is in the base by now.
    Merged,
    /// Its last day has passed.
    Expired,
    UnknownRule,
    NoReason,
    Unreadable,
}

impl Suppression {
    /// It takes findings of its rule out of the report.
    pub fn in_force(&self) -> bool {
        matches!(self.status, Status::Applied | Status::Idle | Status::Unused)
    }

    /// What asks for it, as messages name it: a comment, or an entry of a file.
    pub fn called(&self) -> String {
        let name = if self.rule.is_empty() { String::new() } else { format!(" {}", self.rule) };
        match self.file {
            Some(_) => format!("accepted{name}"),
            None => format!("pgproof:ignore{name}"),
        }
    }

    /// Somebody has to mend the comment: as loud as a warning.
    pub fn troubled(&self) -> bool {
        !matches!(self.status, Status::Applied | Status::Idle | Status::Merged)
    }
}

/// The suppressions that the comments of one statement ask for: those in force wait for findings as unused.
/// `today` is `YYYY-MM-DD`; without it no date has passed.
pub fn read(
    statement: usize,
    comments: &[Comment],
    today: Option<&str>,
    config: &Config,
) -> Vec<Suppression> {
    let mut all = Vec::new();
    for comment in comments {
        for (offset, written) in directives(&comment.text) {
            let mut one = Suppression {
                statement: Some(statement),
                file: None,
                accepted: None,
                line: comment.line.map(|line| line + offset),
                rule: written.rule,
                reason: written.reason,
                until: written.until,
                status: Status::Unused,
                why: String::new(),
                help: String::new(),
            };
            if let Some((status, why, help)) =
                written.trouble.or_else(|| judge(&one, today, config)).or_else(|| repeated(&one, &all))
            {
                (one.status, one.why, one.help) = (status, why, help);
            }
            all.push(one);
        }
    }
    all
}

type Trouble = (Status, String, String);

fn judge(one: &Suppression, today: Option<&str>, config: &Config) -> Option<Trouble> {
    if !config.knows(&one.rule) {
        return Some((
            Status::UnknownRule,
            "there is no rule of that name".to_owned(),
            format!("did you mean `{}`? `pgproof rule` lists them", config.nearest(&one.rule)),
        ));
    }
    if one.reason.trim().is_empty() {
        let help = "say why in reason=\"…\": who reads it next has to know whether it still holds";
        return Some((Status::NoReason, "it gives no reason".to_owned(), help.to_owned()));
    }
    // Days as YYYY-MM-DD sort as they follow each other.
    let passed = one.until.as_deref().zip(today).is_some_and(|(until, today)| until < today);
    passed.then(|| {
        let until = one.until.as_deref().unwrap_or_default();
        let help = "look at the finding again: mend it, or set a later date";
        (Status::Expired, format!("its last day was {until}"), help.to_owned())
    })
}

fn repeated(one: &Suppression, before: &[Suppression]) -> Option<Trouble> {
    before.iter().any(|b| b.in_force() && b.rule == one.rule).then(|| {
        let help = "one comment for each rule is enough: take this one out";
        (Status::Unused, "another comment of this statement says the same".to_owned(), help.to_owned())
    })
}

/// A directive as written.
#[derive(Default)]
struct Written {
    rule: String,
    reason: String,
    until: Option<String>,
    trouble: Option<Trouble>,
}

/// Whether a comment holds a directive of ours, right or wrong.
pub fn mentions(comment: &str) -> bool {
    !directives(comment).is_empty()
}

/// The directives in one comment, each with the line that it starts on, counted from 0.
fn directives(comment: &str) -> Vec<(usize, Written)> {
    let marks: Vec<usize> = comment
        .match_indices(MARK)
        .map(|(at, _)| at)
        .filter(|&at| !comment[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .filter(|&at| meant(&comment[at..]))
        .collect();
    let ends = marks.iter().skip(1).copied().chain([comment.len()]);
    let body = |at: usize, end: usize| {
        let text = &comment[at + MARK.len()..end];
        if comment.starts_with("/*") { text.strip_suffix("*/").unwrap_or(text) } else { text }
    };
    let line = |at: usize| comment[..at].matches('\n').count();
    marks.iter().zip(ends).map(|(&at, end)| (line(at), written(body(at, end)))).collect()
}

/// `pgproof:ignore`, also mistyped; not the marks of our own statements (`/* pgproof:trial build */`).
fn meant(text: &str) -> bool {
    let word = word(text[MARK.len()..].trim_start_matches([' ', '\t']));
    distance(&word.to_ascii_lowercase(), WORD) <= 2
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// What follows `pgproof:`.
fn written(text: &str) -> Written {
    let mut one = Written::default();
    let unreadable = |why: String| Some((Status::Unreadable, why, FORM.to_owned()));
    let directive = word(text.trim_start());
    let mut rest = &text.trim_start()[directive.len()..];
    if directive != WORD || text.starts_with(char::is_whitespace) {
        one.trouble = unreadable(format!(
            "`{MARK}{}` is not `{MARK}{WORD}`",
            text.split('\n').next().unwrap_or(text).trim_end()
        ));
        return one;
    }
    let mut dated = None;
    let mut reasoned = false;
    while let Some(token) = next(&mut rest) {
        match token {
            // Decoration of a comment over several lines.
            "*" => {}
            _ if one.rule.is_empty() && !token.contains('=') => token.clone_into(&mut one.rule),
            "reason=" if !reasoned => match quoted(&mut rest) {
                Some(reason) => (one.reason, reasoned) = (reason.to_owned(), true),
                None => {
                    one.trouble = unreadable("its reason stands in no quotes".to_owned());
                    return one;
                }
            },
            _ if token.starts_with("until=") && dated.is_none() => dated = Some(&token["until=".len()..]),
            _ => {
                let what = "is neither a reason nor a date of this one rule";
                one.trouble = unreadable(format!("`{token}` {what}"));
                return one;
            }
        }
    }
    if one.rule.is_empty() {
        one.trouble = unreadable("it names no rule".to_owned());
        return one;
    }
    match dated.map(|text| text.trim_matches('"')) {
        Some(text) if is_day(text) => one.until = Some(text.to_owned()),
        Some(text) => one.trouble = unreadable(format!("`{text}` is no day of the calendar")),
        None => {}
    }
    one
}

/// The next word of a directive; `reason=` comes without what is quoted behind it.
fn next<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start();
    let end = match text.starts_with("reason=") {
        true => "reason=".len(),
        false => text.find(char::is_whitespace).unwrap_or(text.len()),
    };
    *rest = &text[end..];
    (end > 0).then(|| &text[..end])
}

fn quoted<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = &rest[1..];
    let end = inside.find(quote)?;
    *rest = &inside[end + 1..];
    Some(&inside[..end])
}

/// `YYYY-MM-DD` of the calendar.
pub fn is_day(text: &str) -> bool {
    let form = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap_or(0);
    form && {
        let (year, month, day) = (number(0..4), number(5..7), number(8..10));
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        (1..=days).contains(&day)
    }
}

/// The day of a number of days since 1970-01-01, as `YYYY-MM-DD` (after Howard Hinnant's `civil_from_days`).
pub fn day(since_epoch: u64) -> String {
    let shifted = since_epoch + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Says of each suppression in force what became of it: `used` tells whether it met a finding, `looked` whether its
/// rule did look at the statement.
pub fn settle(all: &mut [Suppression], used: &BTreeSet<usize>, looked: impl Fn(&Suppression) -> bool) {
    for (index, one) in all.iter_mut().enumerate() {
        if one.status != Status::Unused || !one.why.is_empty() {
            continue;
        }
        if used.contains(&index) {
            one.status = Status::Applied;
        } else if looked(one) {
            one.why = "its rule finds nothing here".to_owned();
            one.help = "take the comment out".to_owned();
        } else {
            one.status = Status::Idle;
            one.why = "its rule is off, or the statement was not executed".to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Suppression {
        let mut all = several(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        all.remove(0)
    }

    fn several(text: &str) -> Vec<Suppression> {
        let comments: Vec<Comment> = crate::sql::comments(text)
            .iter()
            .map(|c| Comment { text: c.text.to_owned(), line: Some(c.line) })
            .collect();
        read(0, &comments, Some("2026-11-25"), &Config::default())
    }

    #[test]
    fn a_whole_one_is_in_force_to_the_end_of_its_last_day() {
        for text in [
            "-- pgproof:ignore estimate-drift reason=\"known: it's a report\" until=2026-11-25",
            "/* pgproof:ignore estimate-drift until=2026-11-25\n * reason=\"known: it's a report\" */",
            "--pgproof:ignore estimate-drift until=\"2026-11-25\" reason=\"known: it's a report\"\nselect 1",
        ] {
            let one = one(text);
            assert!(one.in_force(), "{text}: {one:?}");
            assert_eq!((one.rule.as_str(), one.reason.as_str()), ("estimate-drift", "known: it's a report"));
            assert_eq!(one.until.as_deref(), Some("2026-11-25"));
        }
        let both = several(
            "/* note\n pgproof:ignore estimate-drift reason='a'\n pgproof:ignore sort-spills-to-disk reason='b' */",
        );
        let lines: Vec<_> = both.iter().map(|s| (s.line, s.reason.as_str(), s.in_force())).collect();
        assert_eq!(lines, [(Some(2), "a", true), (Some(3), "b", true)]);
    }

    #[test]
    fn what_is_not_in_force_says_why() {
        use Status::*;
        for (text, status, words) in [
            ("estimate-drif reason=\"a\"", UnknownRule, "estimate-drift"),
            ("estimate-drift", NoReason, "reason"),
            ("estimate-drift reason=\" \"", NoReason, "reason"),
            ("estimate-drift reason=\"a\" until=2026-11-24", Expired, "2026-11-24"),
            ("estimate-drift reason=\"a\" until=2026-02-29", Unreadable, "2026-02-29"),
            ("estimate-drift reason=\"a\" until=tomorrow", Unreadable, "tomorrow"),
            ("estimate-drift reason=a", Unreadable, "quotes"),
            ("estimate-drift reason=\"a", Unreadable, "quotes"),
            ("estimate-drift, sort-spills-to-disk reason=\"a\"", Unreadable, "sort-spills-to-disk"),
            ("estimate-drift because=\"a\"", Unreadable, "because"),
            ("", Unreadable, "names no rule"),
            ("estimate-drift reason=\"a\" reason=\"b\"", Unreadable, "reason="),
        ] {
            let one = one(&format!("-- pgproof:ignore {text}"));
            assert_eq!(one.status, status, "{text}: {one:?}");
            assert!(format!("{} {}", one.why, one.help).contains(words), "{text}: {one:?}");
            assert!(one.troubled() && !one.in_force(), "{text}");
        }
        assert_eq!(one("-- pgproof:ignroe estimate-drift reason='a'").status, Unreadable);
        assert_eq!(one("-- pgproof: ignore estimate-drift reason='a'").status, Unreadable);
        assert!(several("/* pgproof:trial build */ -- pgproof: see below\n/* pgproof */").is_empty());
    }

    #[test]
    fn days_follow_the_calendar() {
        for (days, text) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (19_782, "2024-02-29"), (20_782, "2026-11-25")]
        {
            assert_eq!(day(days), text);
        }
        for (text, right) in
            [("2024-02-29", true), ("2100-02-29", false), ("2026-13-01", false), ("2026-1-01", false)]
        {
            assert_eq!(is_day(text), right, "{text}");
        }
    }
}
