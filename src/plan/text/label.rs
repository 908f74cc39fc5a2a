//! A node's line: `->  Parallel Index Only Scan Backward using i on public.t a  (cost=…) (actual …)`.
//!
//! Refuses to know every node: a line with a cost or actual figures is one whatever its name is.

use super::super::build::{PlanBuilder, Scalar};
use super::property;

/// Figures in brackets behind a label.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures<'a> {
    /// Startup cost, total cost, rows, width, as printed.
    cost: Option<[&'a str; 4]>,
    time: Option<[&'a str; 2]>,
    rows: Option<&'a str>,
    loops: Option<&'a str>,
    never: bool,
}

/// A node's line, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label<'a> {
    pub(super) kind: String,
    /// Property names as the other formats have them.
    words: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
    figures: Figures<'a>,
}

/// Whether a line begins a plan: a node without an arrow.
pub(in crate::plan) fn begins(text: &str) -> bool {
    !text.trim_start().starts_with("->") && node(text.trim(), false).is_some()
}

/// Takes a node's line apart; `None` for any other line. `inside` a plan a line without figures needs its arrow.
pub(super) fn node(text: &str, inside: bool) -> Option<Label<'_>> {
    let arrow = text.strip_prefix("->").map(str::trim_start);
    // `Worker 0:  actual time=…` and `Filter: (actual …)` are properties.
    if arrow.is_none() && (!text.ends_with(')') && inside || property::split(text).is_some()) {
        return None;
    }
    let (label, figures) = figures(arrow.unwrap_or(text));
    let measured = figures != Figures::default();
    if arrow.is_none() && !label.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    // Inside a plan an arrow is enough; its first line must be one that this server prints.
    let enough = measured || if inside { arrow.is_some() } else { known(label) };
    if label.is_empty() || !enough {
        return None;
    }
    let mut read = Label { kind: String::new(), words: Vec::new(), flags: Vec::new(), figures };
    read.name(label);
    if read.kind.trim().is_empty() {
        label.clone_into(&mut read.kind);
    }
    Some(read)
}

/// Whether a line is a property of a node rather than of the whole plan.
pub(in crate::plan) fn of_node(text: &str) -> bool {
    !text.starts_with("->") && property::split(text).is_some_and(|(key, _)| !property::is_behind(key))
}

/// Whether a line can stand in a plan by itself.
pub(in crate::plan) fn structural(text: &str) -> bool {
    let known_node = || {
        let (label, _) = figures(text);
        known(label)
    };
    text.starts_with("->") || property::split(text).is_some() || subplan(text).is_some() || known_node()
}

/// Whether a line lacks nothing; in a plan with figures (`measured`) a node has its own.
pub(in crate::plan) fn complete(text: &str, measured: bool) -> bool {
    if open_figures(text) {
        return false;
    }
    match text.strip_prefix("->") {
        Some(label) => {
            let (label, figures) = figures(label.trim());
            !label.is_empty() && (!measured || figures != Figures::default())
        }
        None => structural(text),
    }
}

/// Whether a line ends inside `(cost=…)` or `(actual …)`.
pub(in crate::plan) fn open_figures(text: &str) -> bool {
    let Some(open) = last_bracket(text) else { return false };
    let (before, inner) = (&text[..open], &text[open + 1..]);
    let apart = before.ends_with("  ") || before.ends_with(") ");
    let begins = |word: &str| word.starts_with(inner) || inner.starts_with(word);
    apart && !inner.contains(')') && (begins("cost=") || begins("actual ") || begins("never executed"))
}

/// Where the last bracket opens, as far from the end as figures are long: a condition may hold megabytes.
fn last_bracket(text: &str) -> Option<usize> {
    const LONGEST: usize = 400;
    let from = text.len().saturating_sub(LONGEST);
    text.as_bytes()[from..].iter().rposition(|byte| *byte == b'(').map(|at| from + at)
}

/// Whether a line holds the figures of a node.
pub(in crate::plan) fn has_figures(text: &str) -> bool {
    figures(text).1 != Figures::default()
}

/// `Update on public.part_1 p_1`: another relation that the node above writes to, in the form of the other formats.
pub(super) fn target(text: &str) -> Option<serde_json::Value> {
    let operations = ["Insert on ", "Update on ", "Delete on ", "Merge on "];
    let target = operations
        .iter()
        .find_map(|o| text.strip_prefix(o).or_else(|| text.strip_prefix("Foreign ")?.strip_prefix(o)))?;
    let mut label =
        Label { kind: String::new(), words: Vec::new(), flags: Vec::new(), figures: Figures::default() };
    label.target(target, "Relation Name");
    let of =
        |wanted: &str| label.words.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.clone());
    let keys = ["Relation Name", "Schema", "Alias"];
    let group: serde_json::Map<String, serde_json::Value> =
        keys.into_iter().filter_map(|key| Some((key.to_owned(), of(key)?.into()))).collect();
    Some(group.into())
}

/// `CTE x`, `InitPlan 1 (returns $0)`, `SubPlan 2`: the header of the node below it.
pub(super) fn subplan(text: &str) -> Option<String> {
    let named = ["CTE ", "InitPlan ", "SubPlan "].iter().any(|word| text.starts_with(word));
    // Before 8.4 they bore no number.
    let bare = text == "InitPlan" || text == "SubPlan";
    (bare || (named && !text.ends_with(':') && (!text.contains(": ") || text.starts_with("CTE "))))
        .then(|| text.to_owned())
}

/// `actual time=0.1..0.2 rows=3 loops=1`, as workers print it.
pub(super) fn actual(text: &str) -> Option<Figures<'_>> {
    let mut figures = Figures::default();
    (read_actual(text.strip_prefix("actual ")?, &mut figures) && figures.loops.is_some()).then_some(figures)
}

/// Whether a line without figures names a node that COSTS OFF may print.
fn known(label: &str) -> bool {
    const NODES: &[&str] = &[
        "Aggregate",
        "Append",
        "BitmapAnd",
        "BitmapOr",
        "Gather",
        "Gather Merge",
        "Group",
        "GroupAggregate",
        "Hash",
        "HashAggregate",
        "Incremental Sort",
        "Limit",
        "LockRows",
        "Materialize",
        "Memoize",
        "Merge Append",
        "MixedAggregate",
        "Nested Loop",
        "ProjectSet",
        "Recursive Union",
        "Result",
        "Sort",
        "Unique",
        "WindowAgg",
        "Hash Join",
        "Merge Join",
        "Foreign Scan",
        "Named Tuplestore Scan",
    ];
    let prefixes = ["Parallel ", "Async ", "Partial ", "Finalize "];
    let label = prefixes.iter().fold(label, |label, prefix| label.strip_prefix(prefix).unwrap_or(label));
    NODES.contains(&label)
        || [" Scan on ", " Scan using ", " Scan Backward using "].iter().any(|words| label.contains(words))
        || label.ends_with(" Join")
        || ["Insert on ", "Update on ", "Delete on ", "Merge on ", "SetOp ", "HashSetOp ", "Custom Scan ("]
            .iter()
            .any(|w| label.starts_with(w))
}

/// The label without its figures, and the figures.
fn figures(text: &str) -> (&str, Figures<'_>) {
    let mut figures = Figures::default();
    let mut label = text;
    while let Some(inner) = label.strip_suffix(')') {
        let Some(open) = last_bracket(inner).filter(|open| *open == 0 || inner[..*open].ends_with(' '))
        else {
            break;
        };
        let inner = &inner[open + 1..];
        let known = if let Some(cost) = inner.strip_prefix("cost=") {
            read_cost(cost, &mut figures)
        } else if let Some(actual) = inner.strip_prefix("actual ") {
            read_actual(actual, &mut figures)
        } else if inner == "never executed" {
            figures.never = true;
            true
        } else {
            false
        };
        if !known {
            break;
        }
        label = label[..open].trim_end();
    }
    (label, figures)
}

fn read_cost<'a>(text: &'a str, figures: &mut Figures<'a>) -> bool {
    let mut words = text.split_ascii_whitespace();
    let cost = words.next().and_then(|w| w.split_once(".."));
    let rows = words.next().and_then(|w| w.strip_prefix("rows="));
    let width = words.next().and_then(|w| w.strip_prefix("width="));
    if let (Some((startup, total)), Some(rows), Some(width), None) = (cost, rows, width, words.next())
        && [startup, total, rows, width].into_iter().all(is_figure)
    {
        figures.cost = Some([startup, total, rows, width]);
        return true;
    }
    false
}

fn read_actual<'a>(text: &'a str, figures: &mut Figures<'a>) -> bool {
    let mut read = false;
    for word in text.split_ascii_whitespace() {
        let Some((name, value)) = word.split_once('=') else { return false };
        match (name, value.split_once("..")) {
            ("time", Some((startup, total))) if is_figure(startup) && is_figure(total) => {
                figures.time = Some([startup, total]);
            }
            ("rows", None) if is_figure(value) => figures.rows = Some(value),
            ("loops", None) if is_figure(value) => figures.loops = Some(value),
            _ => return false,
        }
        read = true;
    }
    read
}

/// A number, or what stands in its place where somebody hid it: `N.NN`, `xxx`, `?`. A hidden one is kept as the text
/// that it is.
fn is_figure(text: &str) -> bool {
    let hidden = |c: char| matches!(c, 'N' | 'n' | 'X' | 'x' | '#' | '?' | '*' | '.');
    is_number(text) || (text.chars().all(hidden) && text.chars().any(|c| c != '.'))
}

/// Digits with a point, a sign or an exponent; `NaN` and `inf`, which a server prints when its clock jumps.
fn is_number(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text != "." && !text.contains("..");
    !text.is_empty() && (plain || text.parse::<f64>().is_ok())
}

impl Figures<'_> {
    pub(super) fn fill(&self, builder: &mut PlanBuilder) {
        let mut number = |key: &str, text: &str| builder.scalar(key, scalar(text));
        if let Some(cost) = self.cost {
            for (key, text) in ["Startup Cost", "Total Cost", "Plan Rows", "Plan Width"].into_iter().zip(cost)
            {
                number(key, text);
            }
        }
        if self.never {
            for key in ["Actual Rows", "Actual Loops"] {
                number(key, "0");
            }
        }
        if let Some([startup, total]) = self.time {
            number("Actual Startup Time", startup);
            number("Actual Total Time", total);
        }
        for (key, text) in [("Actual Rows", self.rows), ("Actual Loops", self.loops)] {
            if let Some(text) = text {
                number(key, text);
            }
        }
    }
}

/// A number where it is one.
pub(super) fn scalar(text: &str) -> Scalar<'_> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Scalar::Number(number, text),
        _ => Scalar::Text(text.into()),
    }
}

impl Label<'_> {
    pub(super) fn fill(&self, builder: &mut PlanBuilder) {
        builder.scalar("Node Type", Scalar::Text(self.kind.as_str().into()));
        for flag in &self.flags {
            builder.scalar(flag, Scalar::Bool(true));
        }
        for (key, value) in &self.words {
            builder.scalar(key, Scalar::Text(value.as_str().into()));
        }
        self.figures.fill(builder);
    }

    fn word(&mut self, key: &'static str, value: &str) {
        self.words.push((key, value.to_owned()));
    }

    fn name(&mut self, mut label: &str) {
        for (prefix, flag) in [("Parallel ", "Parallel Aware"), ("Async ", "Async Capable")] {
            if let Some(rest) = label.strip_prefix(prefix) {
                self.flags.push(flag);
                label = rest;
            }
        }
        for mode in ["Partial", "Finalize"] {
            if let Some(rest) = label.strip_prefix(mode).and_then(|r| r.strip_prefix(' ')) {
                self.word("Partial Mode", mode);
                label = rest;
            }
        }
        let aggregates = [
            ("HashAggregate", "Hashed"),
            ("GroupAggregate", "Sorted"),
            ("MixedAggregate", "Mixed"),
            ("Aggregate", "Plain"),
        ];
        if let Some((_, strategy)) = aggregates.iter().find(|(name, _)| *name == label) {
            self.word("Strategy", strategy);
            if !self.words.iter().any(|(key, _)| *key == "Partial Mode") {
                self.word("Partial Mode", "Simple");
            }
            self.kind = "Aggregate".to_owned();
        } else if self.join(label) || self.set_operation(label) || self.modification(label) {
        } else {
            self.scan(label);
        }
    }

    fn join(&mut self, label: &str) -> bool {
        let methods = [("Nested Loop", "Nested Loop"), ("Hash", "Hash Join"), ("Merge", "Merge Join")];
        for (word, kind) in methods {
            let Some(rest) = label.strip_prefix(word) else { continue };
            let kind_of_join = match rest.trim_start() {
                "" if word == "Nested Loop" => "Inner",
                "Join" => "Inner",
                other => match other.strip_suffix(" Join") {
                    Some(name)
                        if ["Left", "Right", "Full", "Semi", "Anti", "Right Anti", "Right Semi"]
                            .contains(&name) =>
                    {
                        name
                    }
                    _ => return false,
                },
            };
            self.kind = kind.to_owned();
            self.word("Join Type", kind_of_join);
            return true;
        }
        false
    }

    fn set_operation(&mut self, label: &str) -> bool {
        for (word, strategy) in [("HashSetOp ", "Hashed"), ("SetOp ", "Sorted")] {
            if let Some(command) = label.strip_prefix(word) {
                self.kind = "SetOp".to_owned();
                self.word("Strategy", strategy);
                self.word("Command", command);
                return true;
            }
        }
        false
    }

    fn modification(&mut self, label: &str) -> bool {
        for operation in ["Insert", "Update", "Delete", "Merge"] {
            if let Some(target) = label.strip_prefix(operation).and_then(|r| r.strip_prefix(" on ")) {
                self.kind = "ModifyTable".to_owned();
                self.word("Operation", operation);
                self.target(target, "Relation Name");
                return true;
            }
            if let Some(target) = label.strip_prefix("Foreign ").and_then(|r| r.strip_prefix(operation)) {
                self.kind = "Foreign Scan".to_owned();
                self.word("Operation", operation);
                if let Some(target) = target.strip_prefix(" on ") {
                    self.target(target, "Relation Name");
                }
                return true;
            }
        }
        false
    }

    fn scan(&mut self, label: &str) {
        let (head, target) = match split_outside_quotes(label, " on ") {
            Some((head, target)) => (head, Some(target)),
            None => (label, None),
        };
        let (head, index) = match split_outside_quotes(head, " using ") {
            Some((head, index)) => (head, Some(index)),
            None => (head, None),
        };
        let (mut kind, backward) = match head.strip_suffix(" Backward") {
            Some(kind) => (kind, true),
            None => (head, false),
        };
        if let Some((custom, provider)) = kind
            .strip_prefix("Custom Scan (")
            .and_then(|r| r.split_once(')'))
            .map(|(p, _)| ("Custom Scan", p))
        {
            self.word("Custom Plan Provider", provider);
            kind = custom;
        }
        if kind.starts_with("Distributed Subplan ") {
            self.kind = "Distributed Subplan".to_owned();
            return self.word("Subplan Name", kind);
        }
        self.kind = kind.to_owned();
        if kind == "Foreign Scan" {
            self.word("Operation", "Select");
        }
        if kind.starts_with("Index") || kind == "Index Only Scan" {
            self.word("Scan Direction", if backward { "Backward" } else { "Forward" });
        }
        if let Some(index) = index {
            self.word("Index Name", &unquote(index));
        }
        let Some(target) = target else { return };
        match kind {
            "Bitmap Index Scan" => self.word("Index Name", &unquote(target)),
            "CTE Scan" | "WorkTable Scan" => self.target(target, "CTE Name"),
            "Function Scan" => self.target(target, "Function Name"),
            "Table Function Scan" => self.target(target, "Table Function Name"),
            "Named Tuplestore Scan" => self.target(target, "Tuplestore Name"),
            "Values Scan" | "Subquery Scan" => self.word("Alias", &unquote(target)),
            _ => self.target(target, "Relation Name"),
        }
    }

    /// `schema.name alias`, each quoted where needed.
    fn target(&mut self, target: &str, key: &'static str) {
        let (name, alias) = match split_outside_quotes(target, " ") {
            Some((name, alias)) => (name, Some(alias)),
            None => (target, None),
        };
        let (schema, name) = match split_outside_quotes(name, ".") {
            Some((schema, name)) => (Some(schema), name),
            None => (None, name),
        };
        if let Some(schema) = schema {
            self.word("Schema", &unquote(schema));
        }
        self.word(key, &unquote(name));
        self.word("Alias", &unquote(alias.unwrap_or(name)));
    }
}

/// Splits at the first `separator` that is not inside double quotes.
fn split_outside_quotes<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let mut quoted = false;
    // Separators and quotes are ASCII, so that their bytes stand for themselves alone.
    let first = separator.as_bytes().first();
    for (at, byte) in text.bytes().enumerate() {
        if !quoted && Some(&byte) == first && text.as_bytes()[at..].starts_with(separator.as_bytes()) {
            return Some((&text[..at], &text[at + separator.len()..]));
        }
        quoted ^= byte == b'"';
    }
    None
}

fn unquote(name: &str) -> String {
    match name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}
