//! Annotations: what GitHub makes of the lines.

use super::{Folder, HOSTILE_PATH, hostile, many, ordinary, silent, written};
use pgproof::render;

/// A workflow command as the runner reads it: its name, its properties, its message.
struct Annotation {
    command: String,
    properties: Vec<(String, String)>,
    message: String,
}

fn read(text: &str) -> Vec<Annotation> {
    let decoded = |text: &str| {
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%25", "%")
    };
    let line = |line: &str| {
        let (head, message) = line.strip_prefix("::")?.split_once("::")?;
        let (command, properties) = head.split_once(' ').unwrap_or((head, ""));
        let properties = properties.split(',').filter_map(|one| one.split_once('='));
        Some(Annotation {
            command: command.to_owned(),
            properties: properties.map(|(name, value)| (name.to_owned(), decoded(value))).collect(),
            message: decoded(message),
        })
    };
    text.lines().filter_map(line).collect()
}

impl Annotation {
    fn get(&self, name: &str) -> &str {
        self.properties.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

#[test]
fn a_finding_is_annotated_where_its_statement_stands() {
    let text = written(&ordinary(), "github");
    let annotations = read(&text);
    assert_eq!(annotations.len(), 1, "{text}");
    let one = &annotations[0];
    assert_eq!((one.get("file"), one.get("line"), one.get("endLine")), ("db/queries.sql", "7", "7"));
    assert_eq!(one.get("title"), "pgproof: seq-scan-discards-rows");
    assert!(one.message.contains("My Shop"), "{}", one.message);
    assert!(text.lines().last().is_some_and(|line| line.starts_with("pgproof: 1 ")), "{text}");
}

#[test]
fn names_start_no_command() {
    let text = written(&hostile(), "github");
    let annotations = read(&text);
    assert_eq!(annotations.len(), 1, "{text}");
    assert_eq!(annotations[0].get("file"), HOSTILE_PATH);
    assert!(annotations[0].message.contains("::error::50%25,a:b"), "{}", annotations[0].message);
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn nothing_found_is_said_and_annotates_nothing() {
    let text = written(&silent(), "github");
    assert!(read(&text).is_empty() && text.starts_with("pgproof: no findings"), "{text}");
}

#[test]
fn what_github_would_drop_is_left_out_and_counted() {
    let text = render::github::render(&many(&ordinary(), 30_000));
    let annotations = read(&text);
    let of = |command: &str| annotations.iter().filter(|one| one.command == command).count();
    assert_eq!((of("error"), of("warning"), of("notice")), (10, 10, 10));
    let last = annotations.last().expect("a notice");
    assert!(last.message.starts_with("29,971 more annotations left out"), "{}", last.message);
    let ten = read(&render::github::render(&many(&ordinary(), 30)));
    assert_eq!(ten.len(), 30, "thirty fit, and nothing is counted");
    assert!(ten.iter().all(|one| !one.message.contains("left out")));
}

#[test]
fn the_summary_of_the_step_gets_the_report_and_keeps_what_is_there() {
    let folder = Folder::of(&ordinary());
    let path = folder.path("summary.md");
    std::fs::write(&path, "# before\n").expect("written");
    let environment = [("GITHUB_STEP_SUMMARY", path.to_str().expect("a path"))];
    folder.run(&["--format", "text"], &environment);
    assert_eq!(folder.read("summary.md"), "# before\n", "only who asks for annotations gets a summary");
    folder.run(&["--format", "github"], &environment);
    let text = folder.read("summary.md");
    assert!(text.starts_with("# before\n<!-- pgproof -->\n"), "{text}");
    assert!(text.contains("seq-scan-discards-rows"), "{text}");
    std::fs::write(&path, "x".repeat(1 << 20)).expect("written");
    folder.run(&["--format", "github"], &environment);
    assert_eq!(folder.read("summary.md").len(), 1 << 20, "a full one would be lost whole");
}
