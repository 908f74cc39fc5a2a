//! Numbers as people read them, for the sentences of findings and reports.
//!
//! Refuses to hide precision that matters: three significant digits, never a rounded zero.

use crate::units::{Bytes, Millis};

/// `1234567` as `1,234,567`; fractions below ten keep one digit.
pub fn count(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if value.is_finite() && tenths.abs() < 100.0 && tenths % 10.0 != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

/// `count` with its noun: `1 row`, `2 rows`.
pub fn counted(value: f64, noun: &str) -> String {
    let text = count(value);
    match noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        _ if text == "1" => format!("1 {noun}"),
        Some(stem) => format!("{text} {stem}ies"),
        None => format!("{text} {noun}s"),
    }
}

/// A duration: `0.012 ms`, `12.3 ms`, `1.23 s`, `2 min 5 s`, `5.5 h`, `12.0 days`.
pub fn duration(Millis(ms): Millis) -> String {
    match ms.abs() {
        x if x < 1.0 => format!("{ms:.3} ms"),
        x if x < 100.0 => format!("{ms:.1} ms"),
        x if x < 1_000.0 => format!("{ms:.0} ms"),
        x if x < 100_000.0 => format!("{:.2} s", ms / 1_000.0),
        x => {
            // Rounded before it is taken apart: there is no minute with 60 seconds.
            let seconds = (x / 1_000.0).round();
            match seconds {
                s if s < 7_200.0 => format!("{} min {} s", (s / 60.0).floor(), s % 60.0),
                s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
                s => format!("{:.1} days", s / 86_400.0),
            }
        }
    }
}

/// A size in binary units, as PostgreSQL writes them: `812 bytes`, `64 kB`, `1.4 MB`.
pub fn size(Bytes(bytes): Bytes) -> String {
    let value = bytes as f64;
    match value.abs() {
        x if x < 1024.0 => format!("{bytes} bytes"),
        x if x < 1024.0 * 1024.0 => format!("{:.0} kB", value / 1024.0),
        x if x < 10.0 * 1024.0 * 1024.0 => format!("{:.1} MB", value / 1024.0 / 1024.0),
        x if x < 1024.0 * 1024.0 * 1024.0 => format!("{:.0} MB", value / 1024.0 / 1024.0),
        _ => format!("{:.1} GB", value / 1024.0 / 1024.0 / 1024.0),
    }
}

/// A statement on one line of at most `width` characters, so that it can be told from others: what a long SELECT
/// returns goes first.
pub fn brief(sql: &str, width: usize) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let long = |line: &str| line.chars().count() > width;
    let from = line.to_ascii_lowercase().find(" from ");
    let line = match from {
        Some(at)
            if long(&line)
                && at > 12
                && line.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select")) =>
        {
            format!("{} …{}", &line[..6], &line[at..])
        }
        _ => line,
    };
    match long(&line) {
        true => line.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => line,
    }
}

/// A share as a percentage: `99.97 %`, `42 %`, `0.3 %`; never `100 %` of what is not all.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value {
        v if v >= 99.995 && share < 1.0 => "99.99 %".to_owned(),
        v if v > 99.0 && v < 100.0 => format!("{v:.2} %"),
        v if v > 0.0 && v < 10.0 => format!("{v:.1} %"),
        v => format!("{v:.0} %"),
    }
}

/// A factor: `1.3×`, `12×`, `1,234×`.
pub fn times(factor: f64) -> String {
    if factor < 10.0 { format!("{factor:.1}×") } else { format!("{}×", count(factor)) }
}

/// Levenshtein distance between two words, in edits of one character; for "did you mean".
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brief_statement_still_tells_which_one_it_is() {
        assert_eq!(brief("select 1", 20), "select 1");
        assert_eq!(brief("SELECT a, b, c, d,\n e FROM t WHERE x = 1", 30), "SELECT … FROM t WHERE x = 1");
        assert_eq!(brief("SELECT a, b, c, d, e FROM t WHERE x = 1", 20), "SELECT … FROM t WHE…");
        assert_eq!(brief("é from a rather long text", 9), "é from a…");
        assert_eq!(brief("", 5), "");
    }

    #[test]
    fn no_minute_has_sixty_seconds() {
        assert_eq!(duration(Millis(119_600.0)), "2 min 0 s");
        assert_eq!(duration(Millis(125_000.0)), "2 min 5 s");
        assert_eq!(duration(Millis(36_000_000.0)), "10.0 h");
        assert_eq!(duration(Millis(864_000_000.0)), "10.0 days");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(count(0.5), "0.5");
        assert_eq!(count(9.99), "10");
        assert_eq!(count(1.02), "1");
        assert_eq!(count(-1000.0), "-1,000");
        assert_eq!(counted(1.0, "row"), "1 row");
        assert_eq!(duration(Millis(0.0123)), "0.012 ms");
        assert_eq!(duration(Millis(1234.0)), "1.23 s");
        assert_eq!(duration(Millis(125_000.0)), "2 min 5 s");
        assert_eq!(size(Bytes(1 << 20)), "1.0 MB");
        assert_eq!(percent(0.999_999), "99.99 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.42), "42 %");
        assert_eq!(times(12.3), "12×");
    }
}
