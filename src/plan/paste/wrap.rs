//! Puts lines together that a terminal, a mail or a literal with a line feed broke.
//!
//! Refuses to join what can stand alone: a line goes on only where it is not complete, or the next is no line of a
//! plan.

use super::super::text::{complete, has_figures, of_node, open_figures, structural};
use super::frame::is_noise;
use super::line::{Line, indent};
use std::borrow::Cow;

/// How the lines were broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaks {
    /// Each at this column, whatever stood there.
    Column(usize),
    /// At blanks, so that no line is longer than this.
    Words(usize),
    /// Here and there.
    Irregular,
}

/// The lines as they were before they were broken; a line that went into the one above is empty.
pub(super) fn unwrapped<'a>(lines: &[Line<'a>]) -> Vec<Line<'a>> {
    let measured = lines.iter().any(|line| line.text.contains("(cost=") || line.text.contains("(actual "));
    let breaks = breaks(lines, measured);
    let mut out: Vec<Line<'a>> = Vec::with_capacity(lines.len());
    let mut begun = false;
    let (mut at, mut base) = (0, 0);
    while at < lines.len() {
        let mut whole = lines[at].clone();
        if !begun && (structural(whole.text.trim()) || open_figures(&whole.text)) {
            begun = true;
            base = indent(&whole.text);
        }
        let mut state = Quotes::default();
        state.take(&whole.text);
        let mut last = at;
        while begun && last + 1 < lines.len() {
            let property = state.quoted && of_node(whole.text.trim());
            let end = if property { literal_end(lines, last + 1, &state, breaks) } else { None };
            let joint = match end {
                Some(_) => Some("\n".to_owned()),
                None => joint(&whole.text, &lines[last], &lines[last + 1], &state, breaks, measured),
            };
            let Some(joint) = joint else { break };
            let upto = end.unwrap_or(last + 1);
            while last < upto {
                last += 1;
                // psql puts every line behind a blank.
                let blanks = if joint == "\n" { base.min(indent(&lines[last].text)) } else { 0 };
                let next = &lines[last].text[blanks..];
                let text = whole.text.to_mut();
                text.push_str(&joint);
                text.push_str(next);
                state.take(next);
            }
        }
        out.push(whole);
        out.extend(lines[at + 1..=last].iter().map(|line| Line {
            text: Cow::Borrowed(""),
            number: line.number,
            trailing: 0,
        }));
        at = last + 1;
    }
    out
}

/// In bytes: names have at most 63, and a line of a node holds a few.
const LONGEST_LABEL: usize = 4096;

/// The line on which the literal that is open ends and its brackets are closed; `None` where it does not, soon, or
/// the lines are broken at their last column, which says more.
fn literal_end(lines: &[Line], from: usize, state: &Quotes, breaks: Breaks) -> Option<usize> {
    const LONGEST: usize = 200;
    let mut state = state.clone();
    if let (Breaks::Column(width), Some(last)) = (breaks, from.checked_sub(1))
        && lines[last].text.chars().count() + 2 >= width
    {
        return None;
    }
    (from..lines.len().min(from + LONGEST)).find(|&at| {
        state.take(&lines[at].text);
        !state.quoted && !state.named && state.depth <= 0
    })
}

/// What stands between a line and its continuation; `None` where the next line is one of its own.
fn joint(
    whole: &str,
    last: &Line,
    next: &Line,
    state: &Quotes,
    breaks: Breaks,
    measured: bool,
) -> Option<String> {
    let (head, tail) = (whole.trim_start(), next.text.trim());
    // Conditions may be long; a node's own line never is.
    if whole.len() > LONGEST_LABEL && !of_node(head) {
        return None;
    }
    if head.is_empty() || (tail.is_empty() && !state.quoted) || (is_noise(tail) && !state.quoted) {
        return None;
    }
    let length = last.text.chars().count();
    let word = tail.split(' ').next().map_or(0, |word| word.chars().count());
    let full = match breaks {
        Breaks::Column(width) => length + 2 >= width,
        Breaks::Words(width) => length + 1 + word > width,
        Breaks::Irregular => false,
    };
    // A key in the middle of a line: no property of a node stands further out than the one above it.
    let (inner, outer) = (indent(whole), indent(&next.text));
    if full && of_node(head) && of_node(tail) && outer < inner && outer < 2 {
        return Some(between(whole, &next.text, breaks, length, last.trailing));
    }
    let complete = complete(head, measured);
    // The figures of a node whose label ended the line.
    let arrow = head.starts_with("->") && !tail.starts_with("->");
    let rest = !has_figures(head) || !tail.starts_with("(cost=");
    if ["(cost=", "(actual ", "(never executed)"].iter().any(|word| tail.starts_with(word)) && rest {
        return Some(if next.text.starts_with(' ') { String::new() } else { "  ".to_owned() });
    }
    if arrow && !complete && has_figures(tail) {
        return Some(between(whole, &next.text, breaks, length, last.trailing));
    }
    // The literal that is open ends on the next line.
    if state.quoted && !full && breaks == Breaks::Irregular && tail.contains('\'') && !has_figures(tail) {
        return Some("\n".to_owned());
    }
    if tail.starts_with("->") || (structural(tail) && (complete || !(full || open_figures(head)))) {
        // A mark alone on its line, or figures cut before their bracket, wait for what follows.
        let arrow_alone = head == "->" && !tail.starts_with("->");
        return arrow_alone.then(|| "  ".to_owned());
    }
    if open_figures(head) || (!complete && head.starts_with("->")) {
        return Some(between(whole, &next.text, breaks, length, last.trailing));
    }
    if full || (matches!(breaks, Breaks::Words(_)) && !structural(tail)) {
        return Some(between(whole, &next.text, breaks, length, last.trailing));
    }
    if state.quoted {
        return Some("\n".to_owned());
    }
    let continues = state.depth > 0 || whole.ends_with(',');
    (continues && !whole.trim_start().starts_with("->"))
        .then(|| between(whole, &next.text, breaks, length, last.trailing))
}

/// The blank that a break swallowed, where it did.
fn between(head: &str, tail: &str, breaks: Breaks, length: usize, trailing: usize) -> String {
    if tail.starts_with(' ') || head.ends_with(' ') {
        return String::new();
    }
    let (last, first) = (head.chars().next_back().unwrap_or(' '), tail.chars().next().unwrap_or(' '));
    if (1..=2).contains(&trailing) {
        return " ".repeat(trailing);
    }
    let swallowed = match breaks {
        Breaks::Column(width) => width.saturating_sub(length),
        _ => 0,
    };
    if swallowed > 0 {
        return " ".repeat(swallowed);
    }
    // Operators stand between blanks: the one behind was at the end of the line, where it is lost first.
    let operator = |c: char| matches!(c, '=' | '<' | '>');
    let apart = head.trim_end_matches(operator).ends_with(' ');
    if operator(last) && apart && !operator(first) && !open_figures(head) {
        return " ".to_owned();
    }
    if open_figures(head) {
        // No number is followed by a letter, and brackets stand apart.
        let apart = (last.is_ascii_digit() && first.is_ascii_alphabetic())
            || (last == ')' && first == '(')
            || head.ends_with("(actual")
            || head.ends_with("(never");
        return if apart { " ".to_owned() } else { String::new() };
    }
    match breaks {
        Breaks::Column(_) => String::new(),
        Breaks::Words(_) if begins_column(head, tail) => "  ".to_owned(),
        Breaks::Words(_) => " ".to_owned(),
        Breaks::Irregular if last == ')' && first == '(' => "  ".to_owned(),
        Breaks::Irregular if last == ',' => " ".to_owned(),
        Breaks::Irregular => String::new(),
    }
}

/// Whether `tail` begins one of the columns that stand two blanks apart: `Memory: 25kB`.
fn begins_column(head: &str, tail: &str) -> bool {
    const COLUMNS: &[&str] = &[
        "Memory:",
        "Disk:",
        "Average Memory:",
        "Peak Memory:",
        "Average Disk:",
        "Peak Disk:",
        "Batches:",
        "Memory Usage:",
        "Disk Usage:",
        "Sort Method:",
        "Sort Methods:",
        "Misses:",
        "Evictions:",
        "Overflows:",
        "Maximum Storage:",
    ];
    COLUMNS.iter().any(|column| tail.starts_with(column))
        && !["Average", "Peak", "Maximum"].iter().any(|word| head.ends_with(word))
}

/// Looks at every line that cannot be complete, or whose next is none.
fn breaks(lines: &[Line], measured: bool) -> Breaks {
    let length = |line: &Line| line.text.chars().count();
    let mut begun = false;
    // The longest property that goes on: by itself it says little.
    let (mut longest, mut loose) = (0, 0);
    let mut broken: Vec<(usize, &str, &str)> = Vec::new();
    for pair in lines.windows(2) {
        let (head, tail) = (pair[0].text.trim_start(), pair[1].text.as_ref());
        begun |= structural(head) || open_figures(head);
        if !begun || head.is_empty() {
            continue;
        }
        longest = longest.max(length(&pair[0]));
        if tail.is_empty() || is_noise(head) || is_noise(tail) {
            continue;
        }
        if open_figures(head) || (head.starts_with("->") && !complete(head, measured)) {
            broken.push((length(&pair[0]), head, tail));
        } else if head.contains(": ") && structural(head) && !structural(tail.trim()) {
            loose = loose.max(length(&pair[0]));
        }
    }
    let most = broken.iter().map(|(n, ..)| *n).max();
    let fits = |head: &str, blanks: usize, tail: &str| {
        let whole = format!("{head}{:blanks$}{tail}", "");
        open_figures(&whole) || has_figures(whole.trim())
    };
    // The blanks at a break may have been trimmed: two of them between a label and its figures.
    let column = |&(n, head, tail): &(usize, &str, &str)| n + 2 >= longest && fits(head, longest - n, tail);
    let words = |&(_, head, tail): &(usize, &str, &str)| fits(head, 1, tail.trim_start());
    match most {
        None if loose == longest && loose > 40 => Breaks::Column(longest),
        None => Breaks::Irregular,
        Some(_) if broken.iter().all(column) => Breaks::Column(longest),
        Some(most) if broken.iter().all(words) => Breaks::Words(most),
        Some(_) => Breaks::Irregular,
    }
}

/// Whether a literal or a bracket is open.
#[derive(Debug, Clone, Default)]
struct Quotes {
    quoted: bool,
    named: bool,
    depth: i32,
}

impl Quotes {
    fn take(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'\'' if !self.named => self.quoted = !self.quoted,
                b'"' if !self.quoted => self.named = !self.named,
                b'(' | b'[' | b'{' if !self.quoted && !self.named => self.depth += 1,
                b')' | b']' | b'}' if !self.quoted && !self.named => self.depth -= 1,
                _ => {}
            }
        }
    }
}
