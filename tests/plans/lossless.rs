//! Nothing that a server printed is lost, in any notation.
//!
//! Every word and number of a recorded line is changed, one at a time: the plan must come out different, or not at all.
//! What can be changed unnoticed was not read. Lines that differ in digits only are one, and of each key a fixed number
//! of lines is enough. JSON, whose values have names, is held to the same in `reading`.

use super::recorded;
use pgproof::plan::{Notation, read};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// How many different lines of a key are tried: conditions and columns go on and on.
const LINES_OF_A_KEY: usize = 6;

const OPERATORS: &str = "<>=+*/%|&!~^";

/// Words that say nothing: the line begins with the first, or with nothing particular, and the second is the word.
type Grammar = [(&'static str, &'static str)];

#[test]
fn every_word_of_text_reaches_the_plan() {
    // The number of methods is in the list of methods.
    let grammar = [
        ("Full-sort Groups: ", "Method"),
        ("Pre-sorted Groups: ", "Methods"),
        // What is not true is false.
        ("Options: ", "false"),
        ("Memory: ", "allocated"),
    ];
    every_word_reaches_the_plan("txt", Notation::Text, OPERATORS, &grammar);
}

#[test]
fn every_word_of_yaml_reaches_the_plan() {
    every_word_reaches_the_plan("yaml", Notation::Yaml, OPERATORS, &[]);
}

#[test]
fn every_word_of_xml_reaches_the_plan() {
    // Attributes are skipped: the name space is the same in every plan.
    let words = ["xmlns", "http", "www.postgresql.org", "2009", "explain"];
    let grammar = words.map(|word| ("<explain ", word));
    every_word_reaches_the_plan("xml", Notation::Xml, "+*%|~^", &grammar);
}

fn every_word_reaches_the_plan(ending: &str, notation: Notation, operators: &str, grammar: &Grammar) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans");
    let mut seen = HashSet::new();
    let mut of_key: HashMap<String, usize> = HashMap::new();
    let (mut lost, mut idle, mut changed) = (Vec::new(), Vec::from(grammar), 0);
    for name in recorded() {
        let text = std::fs::read_to_string(top.join(format!("{name}.{ending}"))).unwrap();
        let original = read(&text, Some(notation)).expect("a plan");
        let mut end = 0;
        for line in text.split_inclusive('\n') {
            let start = end;
            end += line.len();
            let shape = without_digits(line);
            let lines = of_key.entry(key(&shape)).or_default();
            if *lines == LINES_OF_A_KEY || !seen.insert((above(&text[..start], line), shape)) {
                continue;
            }
            *lines += 1;
            for (from, to) in words(line, operators) {
                let (from, to) = (start + from, start + to);
                let damaged = [&text[..from], &another(&text[from..to]), &text[to..]].concat();
                changed += 1;
                if read(&damaged, Some(notation)).is_ok_and(|plans| plans == original) {
                    let (line, word) = (line.trim(), &text[from..to]);
                    idle.retain(|(begin, known)| !(line.starts_with(begin) && word == *known));
                    if !grammar.iter().any(|(begin, known)| line.starts_with(begin) && word == *known) {
                        lost.push(format!("{name}: `{word}` of `{line}`"));
                    }
                }
            }
        }
    }
    let some = &lost[..lost.len().min(40)];
    assert!(lost.is_empty(), "{} of {changed} words are lost, such as\n{some:#?}", lost.len());
    assert!(changed > 2_000, "only {changed} words");
    assert!(idle.is_empty(), "these words are read by now: take them off the list: {idle:?}");
}

/// The nearest line above that stands further left: what this line belongs to.
fn above(before: &str, line: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let owner = before.lines().rev().find(|above| indent(above) < indent(line));
    owner.map_or(String::new(), without_digits)
}

/// What a line is about: a property's name, or a node without its figures and relation.
fn key(line: &str) -> String {
    let node = line.trim_start_matches("->").trim_start();
    let end = [": ", "  (", " on ", " using "].iter().filter_map(|end| node.find(end)).min();
    node[..end.unwrap_or(node.len())].to_owned()
}

fn without_digits(line: &str) -> String {
    line.trim().chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Where the words, numbers and operators of a line are.
fn words(line: &str, operators: &str) -> Vec<(usize, usize)> {
    let class = |c: char| match c {
        '_' | '.' | '$' => 1,
        c if c.is_alphanumeric() => 1,
        c if operators.contains(c) => 2,
        _ => 0,
    };
    let mut words = Vec::new();
    let mut open: Option<(usize, u8)> = None;
    for (at, c) in line.char_indices() {
        let now = class(c);
        if let Some((from, was)) = open
            && was != now
        {
            words.push((from, at));
            open = None;
        }
        if now != 0 && open.is_none() {
            open = Some((at, now));
        }
    }
    words.extend(open.map(|(from, _)| (from, line.len())));
    words
}

/// Another word or number of the same kind.
fn another(word: &str) -> String {
    let next = |c: char| if c == '9' { '1' } else { char::from(c as u8 + 1) };
    match word.find(|c: char| c.is_ascii_digit()) {
        Some(at) => format!("{}{}{}", &word[..at], next(char::from(word.as_bytes()[at])), &word[at + 1..]),
        None if word.starts_with(char::is_alphanumeric) => format!("{word}x"),
        None => format!("{word}~"),
    }
}
