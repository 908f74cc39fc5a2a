//! A team's page read into a rule: the block ```` ```toml rule ````, checked against the page around it.
//!
//! Refuses a page that is not whole: each mistake has its place in the file and the nearest right word.

use super::expression::{Expression, Names, Wrong};
use super::facts::{self, Scope, Type};
use super::template::Template;
use super::{Team, Threshold};
use crate::error::{Error, Kind, Result};
use crate::finding::Severity;
use crate::rules::page;
use crate::strict::{Entry, Source, Value, get};
use std::ops::Range;

const KEYS: &[&str] = &[
    "name",
    "summary",
    "for-each",
    "when",
    "saves",
    "severity",
    "what",
    "why",
    "help",
    "remedy",
    "thresholds",
];

/// Reads a page called `path`.
///
/// # Errors
/// [`Kind::Config`] with the place in the file.
pub fn read(text: &str, path: &str) -> Result<Team> {
    let doing = format!("read the rule in {path}");
    let broken = |why: String| Error::new(Kind::Config, &doing).because(why);
    let page = page::parse(text).map_err(&broken)?;
    // A team's rule looks at a plan, which a case needs.
    if let Some(case) = page.cases.iter().find(|case| case.query.is_empty()) {
        return Err(broken(format!("case `{}` lacks its query and the node it is about", case.name)));
    }
    let Some(block) = block(text) else {
        return Err(broken("it holds no block ```toml rule".to_owned())
            .help("`pgproof rule estimate-drift` shows the form of a page; the README the block"));
    };
    let source = Source { doing: &doing, path, whole: text, start: block.start, end: block.end };
    let entries = source.read()?;
    source.only(&entries, KEYS)?;
    let needed = |key: &str| {
        get(&entries, key).ok_or_else(|| source.wrong(&block, format!("the key `{key}` is missing")))
    };
    let name = source.text(needed("name")?)?.to_owned();
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(kebab) {
        let wrong = source.wrong(&needed("name")?.span, "a name is words in lower case with - between them");
        return Err(wrong.help("name it for what the plan does: large-seq-scan"));
    }
    if text.lines().next() != Some(&format!("# {name}")) {
        return Err(
            broken(format!("its first line is not `# {name}`")).help("the page is headed by its name")
        );
    }
    let scope = one_of(
        &source,
        needed("for-each")?,
        "scope",
        &[("node", Scope::Node), ("plan", Scope::Plan), ("statement", Scope::Statement)],
    )?;
    let thresholds = thresholds(&source, &entries, text)?;
    let spelled: Vec<String> = thresholds.iter().map(|t| spelled(&t.name)).collect();
    let names = Names { scope, thresholds: &spelled };
    let expression = |value: &Value, of: Type| -> Result<Expression> {
        let text = source.text(value)?;
        let expression = Expression::read(text, names).map_err(|wrong| place(&source, value, text, wrong))?;
        if expression.of != of {
            let what = format!("this is a {}, and a {} belongs here", expression.of.word(), of.word());
            return Err(source.wrong(&value.span, what));
        }
        Ok(expression)
    };
    let template = |key: &str| -> Result<Template> {
        let value = needed(key)?;
        let text = source.text(value)?;
        Template::read(text, names).map_err(|wrong| place(&source, value, text, wrong))
    };
    let cap = get(&entries, "severity").map(|value| {
        let words = [("info", Severity::Info), ("warning", Severity::Warning), ("error", Severity::Error)];
        one_of(&source, value, "severity", &words)
    });
    let index = get(&entries, "remedy").map(|value| one_of(&source, value, "remedy", &[("index", ())]));
    if let (Some(_), true) = (&index, scope != Scope::Node) {
        let span = &needed("remedy")?.span;
        return Err(source.wrong(span, "an index is for a scan").help("write for-each = \"node\""));
    }
    Ok(Team {
        summary: source.text(needed("summary")?)?.to_owned(),
        when: expression(needed("when")?, Type::Flag)?,
        saves: get(&entries, "saves").map(|value| expression(value, Type::Number)).transpose()?,
        cap: cap.transpose()?,
        what: template("what")?,
        why: template("why")?,
        help: template("help")?,
        index: index.transpose()?.is_some(),
        name,
        scope,
        thresholds,
        path: path.to_owned(),
        page: text.to_owned(),
        cases: page.cases,
    })
}

/// Bytes of the rule's block, without its fences.
fn block(text: &str) -> Option<Range<usize>> {
    let mut at = 0;
    let mut start = None;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        match (start, line.trim_end()) {
            (None, "```toml rule") => start = Some(end),
            (Some(start), "```") => return Some(start..at),
            _ => {}
        }
        at = end;
    }
    None
}

/// How CEL spells a threshold: `min-rows` is a subtraction there.
pub fn spelled(threshold: &str) -> String {
    threshold.replace('-', "_")
}

fn thresholds(source: &Source, entries: &[Entry], page: &str) -> Result<Vec<Threshold>> {
    let Some(table) = get(entries, "thresholds") else { return Ok(Vec::new()) };
    let mut thresholds: Vec<Threshold> = Vec::new();
    for entry in source.entries(table)? {
        let parts = source.entries(&entry.value)?;
        source.only(parts, &["default", "unit", "why"])?;
        let needed = |key: &str| {
            get(parts, key).ok_or_else(|| {
                source.wrong(&entry.span, format!("the key `{key}` of this threshold is missing"))
            })
        };
        let threshold = Threshold {
            name: entry.key.clone(),
            default: source.number(needed("default")?)?,
            unit: source.text(needed("unit")?)?.to_owned(),
            why: source.text(needed("why")?)?.to_owned(),
        };
        let name = spelled(&threshold.name);
        if facts::find(&name).is_some() || thresholds.iter().any(|t| spelled(&t.name) == name) {
            return Err(source.wrong(&entry.span, format!("`{name}` is taken")).help("choose another name"));
        }
        let row = format!("| `{}` | {} | {} |", threshold.name, threshold.default, threshold.unit);
        if !page.contains(&row) {
            let what = "the page's section Thresholds has another row for it, or none";
            return Err(source.wrong(&entry.span, what).help(format!("write {row} {} |", threshold.why)));
        }
        thresholds.push(threshold);
    }
    Ok(thresholds)
}

fn one_of<T: Copy>(source: &Source, value: &Value, what: &str, words: &[(&str, T)]) -> Result<T> {
    let word = source.text(value)?;
    match words.iter().find(|(known, _)| *known == word) {
        Some((_, meaning)) => Ok(*meaning),
        None => Err(source.unknown(&value.span, what, word, words.iter().map(|(known, _)| *known))),
    }
}

/// A mistake in an expression as one in the file. Where TOML's quotes changed the text, the whole of it is the place.
fn place(source: &Source, value: &Value, text: &str, wrong: Wrong) -> Error {
    let written = &source.whole[value.span.clone()];
    let span = match written.find(text).filter(|_| !text.is_empty()) {
        Some(at) => {
            let start = value.span.start + at;
            start + wrong.span.start..start + wrong.span.end
        }
        None => value.span.clone(),
    };
    source.wrong(&span, wrong.what).help(wrong.help)
}
