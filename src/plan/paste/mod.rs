//! Finds the plans in what people have: a file of EXPLAIN's, a server's log, a screenful, a mail, an export.
//!
//! Each stage takes off one kind of dressing and only where its mark is seen, so that an input without any is read
//! as it is. Refuses to try one reader after the other: the first line that begins a plan decides the notation.

pub(crate) mod continuation;
mod decode;
mod frame;
mod line;
mod log;
mod mend;
mod wrap;

pub(super) use frame::is_noise;
pub(super) use line::{Line, error, indent};

use super::json::read_json_up_to;
use super::{Plan, read_xml, read_yaml, text};
use crate::error::{Error, Kind, Result};
use std::borrow::Cow;

/// The notations of EXPLAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    Text,
    Json,
    Yaml,
    Xml,
}

/// A plan that was found in an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub plan: Plan,
    /// The line on which it begins, or its log entry, or the document that holds it; counted from 1.
    pub line: usize,
    /// Why the plan is not whole, where it is not.
    pub cut: Option<String>,
}

/// What an input holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    pub plans: Vec<Found>,
    /// What looked like a plan and could not be read, in words with the line; the rest of the input was read.
    pub left_out: Vec<String>,
}

/// Finds the plans in `text`, in the notation named or, without one, in the one that it seems to be in.
///
/// # Errors
///
/// [`Kind::Input`] with the place, where there is no plan or the only one cannot be read.
pub fn find(text: &str, notation: Option<Notation>) -> Result<Reading> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A log escapes its messages in its own way.
    if log::is_log(text) {
        return from_log(text, notation);
    }
    let decoded = &*decode::decode(text);
    if log::is_log(decoded) {
        return from_log(decoded, notation).map_err(|error| typed(error, text, decoded));
    }
    let plans = document(decoded, notation).map_err(|error| typed(error, text, decoded))?;
    Ok(Reading { plans, left_out: Vec::new() })
}

/// An error in what was decoded, on the line of the input that its words stand on: line feeds may have been written
/// as `\n` or as a tag.
fn typed(error: Error, input: &str, decoded: &str) -> Error {
    let count = |text: &str| text.matches('\n').count();
    if count(input) == count(decoded) {
        return error;
    }
    let Some(excerpt) = error.excerpt() else { return error };
    let words = excerpt.text.trim();
    let words = words.char_indices().nth(40).map_or(words, |(end, _)| &words[..end]);
    // Where the words cannot be found again they were escaped themselves: the last line at most.
    let stands = input.split('\n').position(|line| !words.is_empty() && line.contains(words));
    let line = stands.map_or(excerpt.first_line.min(count(input) + 1), |at| at + 1);
    error.on_line(line)
}

/// Reads the plans in `text`, as [`find`] does.
///
/// # Errors
///
/// As [`find`].
pub fn read(text: &str, notation: Option<Notation>) -> Result<Vec<Plan>> {
    Ok(find(text, notation)?.plans.into_iter().map(|found| found.plan).collect())
}

/// Reads plans in the text notation.
///
/// # Errors
///
/// As [`find`].
pub fn read_text(text: &str) -> Result<Vec<Plan>> {
    read(text, Some(Notation::Text))
}

/// The notation that `text` is in: what is neither JSON, XML nor YAML is text.
pub fn sniff(text: &str) -> Notation {
    let text = decode::decode(text);
    let mut lines = line::lines(&text);
    frame::unframe(&mut lines);
    begins(&lines).map_or(Notation::Text, |(notation, _)| notation)
}

/// Whether a statement carries our own mark: `/* pgproof */`, `/* pgproof:trial build */`. What a person wrote to us
/// (`pgproof:ignore`) is more than words.
fn marked(statement: &str) -> bool {
    statement.split("/* pgproof").skip(1).any(|rest| {
        let mark = rest.split("*/").next().unwrap_or(rest);
        let words = mark.chars().all(|c| c == ':' || c == ' ' || c.is_ascii_lowercase());
        words && !mark.starts_with(":ignore")
    })
}

/// The entries of auto_explain. Those that cannot be read are told, and the others are not lost for them.
fn from_log(text: &str, notation: Option<Notation>) -> Result<Reading> {
    let mut reading = Reading::default();
    let mut first = None;
    for entry in log::entries(text) {
        match document(&entry.body, notation) {
            Ok(found) => {
                // What pgproof itself had explained while the log was written is nobody's slow statement.
                let ours = |found: &Found| found.plan.query_text.as_deref().is_some_and(marked);
                reading.plans.extend(found.into_iter().filter(|found| !ours(found)).map(|mut found| {
                    found.plan.duration = entry.duration;
                    Found { line: entry.line, ..found }
                }));
            }
            Err(error) => {
                let reason = error.excerpt().map(|e| e.label.clone());
                let reason = reason.or_else(|| error.causes().into_iter().next());
                let reason = reason.unwrap_or_else(|| "it cannot be read".to_owned());
                let at = error.excerpt().map_or(entry.line, |e| e.first_line + entry.line - 1);
                reading
                    .left_out
                    .push(format!("the plan at line {} is left out: line {at}: {reason}", entry.line));
                first.get_or_insert_with(|| error.further_down(entry.line - 1));
            }
        }
    }
    match first {
        Some(error) if reading.plans.is_empty() => Err(error),
        _ => Ok(reading),
    }
}

/// The plans of one document, or of several one after the other.
fn document(text: &str, notation: Option<Notation>) -> Result<Vec<Found>> {
    // A document that begins as JSON does is read without a look at its lines.
    let bare = text.trim_ascii_start().as_bytes();
    if notation.is_none_or(|n| n == Notation::Json)
        && matches!(bare, [b'[' | b'{', ..])
        && let Ok(plans) = documents(text)
    {
        return Ok(found(plans, 1, Notation::Json));
    }
    let mut lines = line::lines(text);
    if frame::is_framed(&lines) {
        frame::unframe(&mut lines);
    }
    let (notation, first) = match (notation, begins(&lines)) {
        (Some(named), Some((seen, first))) if named == seen => (named, first),
        (Some(named), _) => (named, 0),
        (None, Some(seen)) => seen,
        // The line that begins the plan may be broken in two.
        (None, None) => (Notation::Text, 0),
    };
    if notation == Notation::Text {
        return from_text(&lines);
    }
    // Prose in front of the plan is no part of it.
    for line in &mut lines[..first] {
        line.text = Cow::Borrowed("");
    }
    // psql puts every line behind a blank, those of a literal with line feeds too.
    let base = lines.get(first).map_or(0, |line| indent(&line.text));
    for line in lines.iter_mut().filter(|_| base > 0) {
        let blanks = base.min(indent(&line.text));
        line.text = Cow::Owned(line.text[blanks..].to_owned());
    }
    if notation == Notation::Yaml {
        without_prose(&mut lines[first..]);
    }
    let number = lines.get(first).map_or(1, |line| line.number);
    let plain = line::joined(&lines);
    let read = match notation {
        Notation::Xml => read_xml(mend::whole_xml(&plain)),
        Notation::Yaml => read_yaml(&plain),
        _ => documents(&plain),
    };
    read.or_else(|error| {
        // A blank at the end of a line that a terminal cut belongs to what goes on below.
        let start: usize = text.split_inclusive('\n').take(number - 1).map(str::len).sum();
        let again = [&text[start..], &plain].into_iter().find_map(|broken| match notation {
            Notation::Json => documents(&mend::json(broken)?).ok(),
            Notation::Yaml => read_yaml(&mend::yaml(broken)?).ok(),
            _ => None,
        });
        // Where mending did not help, the error is about what was typed.
        again.ok_or_else(|| placed(error, &lines))
    })
    .map(|plans| found(plans, number, notation))
}

/// Empties the lines behind a YAML document that are none of it: behind an empty line, at the margin. EXPLAIN prints
/// no empty line.
fn without_prose(lines: &mut [Line]) {
    let (mut prose, mut empty) = (false, false);
    for line in lines {
        let text = line.text.trim();
        if text.starts_with("- ") || notation(text, || None) == Some(Notation::Yaml) {
            prose = false;
        } else if empty && !text.is_empty() && indent(&line.text) == 0 {
            prose = true;
        }
        empty = text.is_empty();
        if prose {
            line.text = Cow::Borrowed("");
        }
    }
}

/// JSON documents with prose between them.
fn documents(text: &str) -> Result<Vec<Plan>> {
    let (mut plans, mut at) = read_json_up_to(text)?;
    let Some(last) = text.rfind("\"Plan\"") else { return Ok(plans) };
    while let Some(start) = next_document(text, at).filter(|start| *start <= last) {
        let above = text[..start].matches('\n').count();
        let (more, end) = read_json_up_to(&text[start..]).map_err(|error| error.further_down(above))?;
        plans.extend(more);
        at = start + end;
    }
    Ok(plans)
}

/// Where the next line that begins a document stands, behind the line that holds `at`.
fn next_document(text: &str, at: usize) -> Option<usize> {
    let mut start = at + text[at..].find('\n')? + 1;
    loop {
        let rest = &text[start..];
        let line = rest.split('\n').next()?.trim();
        let below = || rest.split('\n').skip(1).map(str::trim).find(|line| !line.is_empty());
        if notation(line, below) == Some(Notation::Json) {
            return Some(start);
        }
        start += rest.find('\n')? + 1;
    }
}

/// An error whose lines were counted without those of the frame.
fn placed(error: Error, lines: &[Line]) -> Error {
    let Some(first) = error.excerpt().map(|excerpt| excerpt.first_line) else { return error };
    let number = lines.get(first.saturating_sub(1)).map_or(first, |line| line.number);
    error.further_down(number.saturating_sub(first))
}

fn from_text(lines: &[Line]) -> Result<Vec<Found>> {
    let read = text::read(lines);
    let odd = match &read {
        Ok(texts) => texts.odd || texts.plans.is_empty() || texts.plans.iter().any(|text| text.cut.is_some()),
        Err(error) => error.kind() == Kind::Input,
    };
    let texts = if odd {
        let mended = wrap::unwrapped(lines);
        match text::read(&mended) {
            Ok(again) if !again.plans.is_empty() => again,
            _ => read?,
        }
    } else {
        read?
    };
    if texts.plans.is_empty() {
        return Err(text::nothing(lines));
    }
    Ok(texts
        .plans
        .into_iter()
        .map(|text| Found { plan: text.plan, line: text.line, cut: text.cut })
        .collect())
}

/// Plans of a notation that closes what it opens, except YAML: a document that was cut off looks whole there.
fn found(plans: Vec<Plan>, line: usize, notation: Notation) -> Vec<Found> {
    let cut = |plan: &Plan| text::lacks_an_input(plan).filter(|_| notation == Notation::Yaml);
    plans.into_iter().map(|plan| Found { cut: cut(&plan), line, plan }).collect()
}

/// The notation of the first line that begins a plan, and its index.
fn begins(lines: &[Line]) -> Option<(Notation, usize)> {
    for (at, line) in lines.iter().enumerate() {
        let text = line.text.trim();
        let below = || lines[at + 1..].iter().map(|line| line.text.trim()).find(|text| !text.is_empty());
        if let Some(notation) = notation(text, below) {
            return Some((notation, at));
        }
    }
    None
}

fn notation<'a>(text: &'a str, below: impl Fn() -> Option<&'a str>) -> Option<Notation> {
    match text.as_bytes() {
        [] => None,
        [b'[' | b'{', rest @ ..] => {
            let after = rest.trim_ascii_start().first().copied();
            let after = after.or_else(|| below().and_then(|text| text.bytes().next()));
            matches!(after, Some(b'{' | b'[' | b'"' | b'\'' | b'\\')).then_some(Notation::Json)
        }
        [b'"', b'[' | b'{', ..] => Some(Notation::Json),
        [b'<', ..] => ["<explain", "<?xml", "<Query", "<Plan"]
            .iter()
            .any(|tag| text.starts_with(tag))
            .then_some(Notation::Xml),
        _ => {
            let text = text.strip_prefix("- ").unwrap_or(text).trim_start();
            let key = text.replace('"', "");
            let yaml = (key.starts_with("Plan:") && key.trim_end().len() == 5)
                || text.starts_with("Query Text: \"")
                || text.starts_with("Node Type: ");
            if yaml {
                return Some(Notation::Yaml);
            }
            text::begins(text).then_some(Notation::Text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)";

    fn kinds(text: &str) -> Vec<String> {
        let plans = read(text, None).unwrap_or_else(|e| panic!("{e}: {:?} {:?}", e.causes(), e.excerpt()));
        plans.iter().flat_map(|p| p.nodes.iter().map(|n| n.kind.clone())).collect()
    }

    #[test]
    fn frames_of_clients_are_taken_off() {
        let json = r#"[{"Plan": {"Node Type": "Seq Scan", "Relation Name": "t"}}]"#;
        for text in [
            NODE.to_owned(),
            format!("                   QUERY PLAN                   \n------------------------\n {NODE}\n(1 row)\n"),
            format!("QUERY PLAN\n{NODE}\n(1 row)\n\nTime: 3 ms"),
            format!("| {NODE} |\n"),
            format!("+----+\n| QUERY PLAN |\n+----+\n| {NODE} |\n+----+\n(1 row)"),
            format!("\"{NODE}\""),
            format!("\u{feff}{NODE}\r\n"),
            json.to_owned(),
            format!("  QUERY PLAN\n-----------\n {json}\n(1 row)"),
            "               QUERY PLAN              \n----------\n [                 +\n   {               +\n     \"Plan\": {\"Node Type\": \"Seq Scan\"} +\n   }               +\n ]\n(1 row)".to_owned(),
            "- Plan: \n    Node Type: \"Seq Scan\"".to_owned(),
            "<explain xmlns=\"http://www.postgresql.org/2009/explain\"><Query><Plan><Node-Type>Seq Scan</Node-Type></Plan></Query></explain>".to_owned(),
        ] {
            assert_eq!(kinds(&text), ["Seq Scan"], "{text}");
        }
    }

    #[test]
    fn prose_around_a_plan_and_several_plans_are_told_apart() {
        let text = format!(
            "Hello,\nthis is slow:\n\n{NODE}\n  Filter: (a = 1)\n\nand this too\n\n{NODE}\nPlanning Time: 1 ms\n{NODE}\n"
        );
        assert_eq!(kinds(&text).len(), 3);
    }

    #[test]
    fn what_is_no_plan_says_so_with_its_line() {
        for text in [
            "",
            "select 1",
            "ERROR:  syntax error",
            "[1]",
            "<a>",
            "LOG:  duration: 1 ms  plan:\n[Your log message was truncated]",
        ] {
            let error = read(text, None).unwrap_err();
            assert!(error.excerpt().is_some() || !error.causes().is_empty(), "{text}");
        }
    }
}
