//! What a finding is known by from one run to the next, and where it stands.
//!
//! Refuses to use lines and words: lines move, and units and plurals follow the statistics.

use crate::finding::{Finding, Location};
use crate::report::Report;
use crate::sql::{digest, hex};
use std::collections::HashMap;

/// The places of all findings. A finding's own lines are cheap; a statement's are counted once.
pub fn places(report: &Report) -> Vec<Option<Location>> {
    let mut of_statements: HashMap<usize, Option<Location>> = HashMap::new();
    let place = |finding: &Finding| match (&finding.location, finding.at.statement) {
        (None, Some(statement)) => {
            of_statements.entry(statement).or_insert_with(|| report.location(finding)).clone()
        }
        _ => report.location(finding),
    };
    report.findings.iter().map(place).collect()
}

/// A path without the numbers that migrations are sorted by: to give one another number on a rebase is no other file.
pub fn unnumbered(path: &str) -> String {
    let part = |part: &str| {
        let digits = part
            .strip_prefix('V')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            .unwrap_or(part);
        let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
        let named = digits.starts_with(|c: char| c.is_ascii_digit())
            && rest.contains(|c: char| c.is_alphabetic())
            && rest != "sql";
        if named { rest.to_owned() } else { part.to_owned() }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// The fingerprint of each finding, 16 hexadecimal digits: its rule, what it is about, its file, and which of several
/// alike it is, in the order in which they are written there.
pub fn fingerprints(report: &Report, places: &[Option<Location>]) -> Vec<String> {
    let mut alike: HashMap<u64, Vec<usize>> = HashMap::new();
    for (number, (finding, place)) in report.findings.iter().zip(places).enumerate() {
        let statement =
            finding.at.statement.and_then(|at| report.statements.get(at)).map_or(0, |s| s.fingerprint);
        let path = place.as_ref().map_or(String::new(), |place| unnumbered(&place.path));
        let statement = hex(statement);
        let mut parts = vec![
            &*finding.rule,
            finding.relation.as_deref().unwrap_or_default(),
            finding.index.as_deref().unwrap_or_default(),
            &path,
            &statement,
        ];
        parts.extend(finding.within.as_deref());
        alike.entry(digest(&parts.join("\u{1f}"))).or_default().push(number);
    }
    let mut fingerprints = vec![String::new(); report.findings.len()];
    for (first, mut numbers) in alike {
        // Reports are ordered by severity and savings, which change; a file's lines keep their order.
        numbers.sort_by_key(|&number| {
            let at = &report.findings[number].at;
            (places[number].as_ref().map(|place| place.line), at.run, at.node, number)
        });
        for (often, number) in numbers.into_iter().enumerate() {
            let own = if often == 0 { first } else { digest(&format!("{first} {}", often + 1)) };
            fingerprints[number] = hex(own);
        }
    }
    fingerprints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_migrations_are_no_part_of_a_path() {
        for (path, same) in [
            ("db/0003_add_users.sql", "db/add_users.sql"),
            ("db/20240101000000_add.up.sql", "db/add.up.sql"),
            ("m/2024-01-01-000000_add/up.sql", "m/add/up.sql"),
            ("db/V1.2__add.sql", "db/add.sql"),
            ("db/1.sql", "db/1.sql"),
            ("db/Views.sql", "db/Views.sql"),
            ("queries/get2.sql", "queries/get2.sql"),
        ] {
            assert_eq!(unnumbered(path), same, "{path}");
        }
    }
}
