//! Takes off what clients draw around a plan: borders, record headers, wrap marks, quotes, line numbers, `>`.
//!
//! Refuses to take off what may be the plan's own: each mark goes only where its neighbours bear it too.

use super::line::{Line, indent};
use std::borrow::Cow;

const BARS: [char; 3] = ['|', '│', '║'];
/// Marks of psql for a line feed inside a cell: old-ascii has none.
const FEEDS: [char; 3] = ['+', '↵', '¶'];
/// Marks of psql's wrapped format, at the end of a line and at the start of the next.
const WRAPS: [char; 2] = ['.', '…'];

/// Whether any line bears a mark of a frame. Rules and titles alone are none: no reader takes them for a plan.
pub(super) fn is_framed(lines: &[Line]) -> bool {
    lines.iter().any(|line| {
        let bytes = line.text.as_bytes();
        let first = bytes.iter().find(|byte| **byte != b' ');
        matches!(first, Some(b'|' | b'"' | b'>' | b'*' | b'.' | b'0'..=b'9' | 0x80..))
            || matches!(bytes.last(), Some(b'|' | b'+' | b'"' | b'.' | 0x80..))
            || (bytes.starts_with(b"-[ RECORD") || bytes.starts_with(b"QUERY PLAN"))
    })
}

/// Takes off every frame there is.
pub(super) fn unframe(lines: &mut Vec<Line<'_>>) {
    mail_quotes(lines);
    let asciidoc = lines.iter().any(|line| line.text == "|====");
    for line in lines.iter_mut().filter(|line| asciidoc && line.text.contains("\\|")) {
        line.text = Cow::Owned(line.text.replace("\\|", "|"));
    }
    let records = lines.iter().any(|line| is_record(&line.text));
    lines.retain(|line| !is_noise(&line.text) && !is_record(&line.text));
    for line in lines.iter_mut() {
        if let Some(inner) = inside_bars(&line.text) {
            line.text = Cow::Owned(inner.to_owned());
        }
    }
    columns(lines, records);
    lines.retain(|line| !is_noise(&line.text));
    // Behind a border the blanks are the frame's.
    lines.iter_mut().for_each(|line| line.trailing = 0);
    feeds(lines);
    wraps(lines);
    quotes(lines);
    numbers(lines);
}

/// What belongs to a client and not to a plan: rules, `QUERY PLAN`, `(7 rows)`, code fences, psql's prompt.
pub(in crate::plan) fn is_noise(text: &str) -> bool {
    let text = text.trim();
    match text.as_bytes() {
        [] => return false,
        [b'-', b'>', ..] => return false,
        [b'`', b'`', b'`', ..] => return true,
        [b'(', b'0'..=b'9', .., b')'] => return is_count(text),
        [b'-' | b'+' | b'=' | b'|' | b':' | b'*', ..] | [0xe2, ..] => {
            let drawn =
                |c: char| matches!(c, '-' | '+' | '=' | '|' | ':' | '*' | '\u{2500}'..='\u{257f}' | ' ');
            return text.len() >= 3 && text.chars().all(drawn);
        }
        _ => {}
    }
    if text.len() > 60
        || !matches!(text.as_bytes()[0], b'Q' | b'q' | b'E' | b'|' | b'"' | b'\'' | b'*' | b'#' | b'+')
    {
        return false;
    }
    let title = text.trim_matches(['|', '│', '║', ' ', '"', '\'', '*', '#', '+']);
    ["QUERY PLAN", "Query Plan", "query plan", "EXPLAIN", "Explain"].contains(&title)
}

/// `(7 rows)`, `(7 lignes)`, `(7 行)`.
fn is_count(text: &str) -> bool {
    let Some(inside) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) else { return false };
    let words = inside.trim_start_matches(|c: char| c.is_ascii_digit());
    words.len() < inside.len()
        && words.chars().all(|c| c.is_alphabetic() || c == ' ')
        && !words.trim().is_empty()
}

/// `-[ RECORD 1 ]---`, `* Record 1`.
fn is_record(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| matches!(c, '-' | '+' | '\u{2500}'..='\u{257f}'));
    let text = text.trim_start();
    let number = text.strip_prefix("[ RECORD ").or_else(|| text.strip_prefix("* Record "));
    number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A mail quotes every line of the plan with `>`.
fn mail_quotes(lines: &mut [Line<'_>]) {
    let quoted = |line: &Line| line.text.trim_start().starts_with('>');
    let telling = |line: &&Line| line.text.contains("->") || line.text.contains("(cost=");
    while lines.iter().any(quoted) && lines.iter().filter(telling).all(quoted) {
        for line in lines.iter_mut() {
            let Some(inner) = line.text.trim_start().strip_prefix('>') else { continue };
            line.text = Cow::Owned(inner.strip_prefix(' ').unwrap_or(inner).to_owned());
        }
    }
}

/// What is between the borders at both ends, or behind the one on the right.
fn inside_bars(text: &str) -> Option<&str> {
    let trimmed = text.trim();
    let bar_before = |rest: &str| rest.ends_with(BARS);
    let right = trimmed.strip_suffix(BARS).filter(|rest| !bar_before(rest));
    let left = right.unwrap_or(trimmed).strip_prefix(BARS).filter(|rest| !rest.starts_with(BARS));
    match (left, right) {
        (Some(inner), _) => Some(inner.trim_end()),
        // The indentation in front is the plan's own.
        (None, Some(_)) => text.trim_end().strip_suffix(BARS).map(str::trim_end),
        (None, None) => None,
    }
}

/// The expanded format: `QUERY PLAN | text`, or blanks and a bar below it.
fn columns(lines: &mut Vec<Line<'_>>, records: bool) {
    let named = |text: &str| {
        let rest = text.trim_start().strip_prefix("QUERY PLAN")?.trim_start();
        rest.strip_prefix(BARS).map(str::to_owned)
    };
    if !records && !lines.iter().any(|line| named(&line.text).is_some()) {
        return;
    }
    // Old-ascii draws a colon where a cell goes on.
    let below = |text: &str| {
        let rest = text.trim_start();
        rest.strip_prefix(BARS).or_else(|| rest.strip_prefix(':').filter(|_| records)).map(str::to_owned)
    };
    for line in lines.iter_mut() {
        if let Some(inner) = named(&line.text).or_else(|| below(&line.text)) {
            line.text = Cow::Owned(inner);
        }
    }
    // Between records stand empty lines.
    lines.retain(|line| !line.text.is_empty());
}

/// psql marks a line feed inside a cell at the end of the line.
fn feeds(lines: &mut [Line<'_>]) {
    let marked = |line: &&mut Line| line.text.ends_with(FEEDS);
    let count = lines.iter_mut().filter(marked).count();
    for line in lines.iter_mut().filter(marked) {
        let inner = line.text.trim_end_matches(FEEDS);
        if count > 1 || inner.ends_with(' ') || !line.text.ends_with('+') {
            line.text = Cow::Owned(inner.trim_end().to_owned());
        }
    }
}

/// Puts together what psql's wrapped format cut: a mark at the end, the same mark at the start of the next.
fn wraps(lines: &mut [Line<'_>]) {
    let length = |line: &&Line| line.text.chars().count();
    let Some(longest) = lines.iter().map(|line| length(&line)).max() else { return };
    // A line that is cut at `0.1..0.2` looks the same: all that reach the last column must bear the mark.
    if !lines.iter().filter(|line| length(line) == longest).all(|line| line.text.ends_with(WRAPS)) {
        return;
    }
    let mut first = 0;
    for at in 1..lines.len() {
        let (head, tail) = (&lines[first].text, &lines[at].text);
        let mark = WRAPS.iter().find(|m| head.ends_with(**m) && tail.trim_start().starts_with(**m));
        let Some(mark) = mark.copied() else {
            first = at;
            continue;
        };
        let tail = tail.trim_start().strip_prefix(mark).unwrap_or("").to_owned();
        let mut whole = head.strip_suffix(mark).unwrap_or("").to_owned();
        whole.push_str(&tail);
        lines[first].text = Cow::Owned(whole);
        lines[at].text = Cow::Borrowed("");
    }
}

/// Clients quote every line, or those that hold a comma, or the whole as one field.
fn quotes(lines: &mut [Line<'_>]) {
    let whole = |text: &str| text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    let filled = || lines.iter().map(|line| line.text.trim()).filter(|text| !text.is_empty());
    let Some(first) = filled().next() else { return };
    let tells = |text: &str| text.contains("(cost=") || text.contains("->  ") || text.contains("(actual ");
    // A client that quotes where it must quotes every line with a comma.
    let consistent = filled().any(whole) && filled().filter(|text| text.contains(',')).all(whole);
    let text_plan = filled().any(tells) && !filled().any(|text| text.contains("\"Node Type\""));
    let all = filled().all(whole);
    // One field of a CSV file: a quote before the first line, another behind the last.
    let begins = |text: &str| tells(text) || text.starts_with("\"<") || text.starts_with("\"- ");
    let field = first.starts_with('"')
        && !whole(first)
        && begins(first)
        && filled().next_back().is_some_and(|last| last.ends_with('"'));
    if !text_plan && !all && !field {
        return;
    }
    let (mut opened, last) = (false, lines.iter().rposition(|line| !line.text.trim().is_empty()));
    for (at, line) in lines.iter_mut().enumerate() {
        let text = line.text.trim();
        if whole(text) && (consistent || all) {
            line.text = Cow::Owned(text[1..text.len() - 1].replace("\"\"", "\""));
        } else if field {
            let mut text = line.text.as_ref();
            if !opened && !text.trim().is_empty() {
                opened = true;
                text = text.trim_start().strip_prefix('"').unwrap_or(text);
            }
            if Some(at) == last {
                text = text.strip_suffix('"').unwrap_or(text);
            }
            line.text = Cow::Owned(text.replace("\"\"", "\""));
        }
    }
}

/// `1  Seq Scan …`, `2:   Filter: …`: numbers that count up in front of every line.
fn numbers(lines: &mut [Line<'_>]) {
    let number = |text: &str| -> Option<(usize, usize)> {
        let start = text.len() - text.trim_start().len();
        let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
        let value = text[start..start + digits].parse().ok()?;
        let rest = text[start + digits..].chars().next()?;
        matches!(rest, ' ' | ':' | '|' | '.' | ')').then_some((value, start + digits + 1))
    };
    let mut expected = None;
    let mut count = 0;
    for line in lines.iter().filter(|line| !line.text.trim().is_empty()) {
        match number(&line.text) {
            Some((value, _)) if expected.is_none_or(|next| next == value) => {
                expected = Some(value + 1);
                count += 1;
            }
            // Some number the nodes alone; no node may be without.
            None if count > 0 && !line.text.contains("->") && !line.text.contains("(cost=") => {}
            _ => return,
        }
    }
    if count < 2 {
        return;
    }
    let mut width = 0;
    for line in lines.iter_mut() {
        // A line without a number stands behind as many blanks.
        width = number(&line.text).map_or(width, |(_, end)| end);
        let blank = number(&line.text).map_or_else(|| indent(&line.text).min(width), |(_, end)| end);
        line.text = Cow::Owned(line.text[blank..].to_owned());
    }
    quotes(lines);
}
