//! What is wrong with an input, in words and at its line.
//!
//! Refuses to guess at a plan: it tells what there is instead.

use super::super::Plan;
use super::super::paste::{Line, error, is_noise};
use super::arity;
use super::label::open_figures;
use crate::error::{Error, Kind};

/// Why this line says that the plan is not whole.
pub(super) fn truncated(text: &str) -> Option<&'static str> {
    text.ends_with("[Your log message was truncated]").then_some("the log cut this plan off")
}

/// The error for lines without a plan.
pub(in crate::plan) fn nothing(lines: &[Line]) -> Error {
    let filled = |line: &&Line| !line.text.trim().is_empty();
    let help = "paste what EXPLAIN printed, from its first line on: text, JSON, YAML or XML";
    let telling = |line: &&Line| filled(line) && !is_noise(&line.text);
    match lines.iter().find(telling) {
        None if lines.iter().any(|line| filled(&line)) => Error::new(Kind::Input, "read the plan")
            .because("there is nothing below its title: the server had no plan to print")
            .help("CREATE TABLE IF NOT EXISTS has none where the table is there already"),
        Some(first) => {
            let foreign = |line: &&Line| {
                let cost = line.text.find("(cost=").map(|at| &line.text[at..]);
                cost.is_some_and(|cost| !cost.contains("..")) && !open_figures(&line.text)
            };
            if let Some(line) = lines.iter().find(foreign) {
                return error(line, "this is a plan of another database than PostgreSQL").help(help);
            }
            let (label, help) = looks_like(first.text.trim())
                .unwrap_or(("no line here is a plan node, such as `Seq Scan on t  (cost=…)`", help));
            error(first, label).help(help)
        }
        None => Error::new(Kind::Input, "read the plan").because("there is nothing in it").help(help),
    }
}

/// What an input without a plan is instead: most that cannot be read are no plans at all.
fn looks_like(text: &str) -> Option<(&'static str, &'static str)> {
    const STATEMENTS: &[&str] =
        &["SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE", "EXECUTE"];
    let word = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
    let is = |words: &[&str]| words.iter().any(|other| other.eq_ignore_ascii_case(word));
    if is(STATEMENTS) {
        let help = "let pgproof run it: pgproof explain -f FILE; or paste what EXPLAIN (ANALYZE, BUFFERS) prints for it";
        return Some(("this is a statement, not its plan", help));
    }
    if is(&["EXPLAIN"]) {
        let help =
            "run this in psql and paste what it prints, or: pgproof explain -f FILE without the word EXPLAIN";
        return Some(("this is the command, not what it printed", help));
    }
    if ["ERROR", "FATAL", "FEHLER", "ERREUR"].contains(&word) || text.starts_with("psql:") {
        return Some((
            "this is an error of the server or the client",
            "mend it there, and paste the plan it prints then",
        ));
    }
    None
}

/// The error for a plan that begins with an arrow, and has several of them side by side.
pub(super) fn headless(lines: &[&Line]) -> Error {
    match lines.first() {
        Some(line) => error(line, "no plan begins with an arrow: its first line is missing above this one")
            .help("paste it from its first line on"),
        None => nothing(&[]),
    }
}

/// The error for a node with more inputs than it can have: the indentation is not the server's.
pub(super) fn misplaced(lines: &[&Line], plan: &Plan, id: usize, places: &[usize]) -> Error {
    let kind = plan.nodes.get(id).map_or("this node", |node| node.kind.as_str());
    let number = places.get(id).copied();
    match lines.iter().find(|line| Some(line.number) == number) {
        Some(line) => error(
            line,
            format!(
                "{kind} cannot have so many inputs: the indentation below it is not what the server printed"
            ),
        )
        .help("paste it with its indentation, or as JSON: EXPLAIN (FORMAT JSON)"),
        None => nothing(&[]),
    }
}

/// Why a plan cannot be whole, in words.
pub(in crate::plan) fn lacks_an_input(plan: &Plan) -> Option<String> {
    let (arity::Wrong::Few(id) | arity::Wrong::CutOff(id)) = arity::wrong(plan)? else { return None };
    Some(format!("the plan is not whole: {} lacks an input", plan.nodes.get(id)?.kind))
}

/// What a plan lacks, in words.
pub(super) fn lacking(plan: &Plan, id: usize, places: &[usize], last: usize) -> String {
    let kind = plan.nodes.get(id).map_or("a node", |node| node.kind.as_str());
    let line = places.get(id).copied().unwrap_or(last);
    format!("the plan is not whole: {kind} at line {line} lacks an input")
}
