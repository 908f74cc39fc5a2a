//! What `check` makes of queries beyond their outcome: accepted findings, values, budgets.

use super::{Project, SCHEMAS, list, support};
use serde_json::Value;

/// What is accepted no longer fails the run; what is more than that, or gone, is told.
#[test]
fn findings_are_accepted_until_they_change() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    let migration = "DROP INDEX orders_user;\n";
    let run = |more: &[&str]| {
        let output = project.check(migration, more);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let file = project.folder.path().join("pgproof-accepted.json");
    let (code, text) = run(&["--save-capture", "capture.json"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(!file.exists());
    let (code, text) = run(&["--accept", "it goes on purpose", "--until", "2999-12-31"]);
    assert_eq!(code, Some(0), "{text}");
    let written = std::fs::read_to_string(&file).expect("written");
    assert!(written.contains("\"from\":\"a1:") && written.contains("2999-12-31"), "{written}");
    let (code, text) = run(&["--format", "json"]);
    assert_eq!(code, Some(0), "{text}");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert!(!list(&report, "suppressed").is_empty());
    assert!(list(&report, "suppressions").iter().all(|s| s["status"] == "applied"), "{report}");
    assert!(list(&report, "findings").iter().all(|f| f["severity"] == "info"), "{report}");
    assert_eq!(
        std::fs::read_to_string(&file).expect("kept"),
        written,
        "a run that accepts nothing writes nothing"
    );

    let replay = |more: &[&str]| {
        let output = project.run(&[&["check", "--capture", "capture.json"], more].concat());
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let put = |from: &str, to: &str| {
        assert!(written.contains(from));
        std::fs::write(&file, written.replace(from, to)).expect("written");
    };
    // Another plan than the one that was accepted; a day that has passed.
    put("\"to\":\"a1:", "\"to\":\"a1:f");
    let (code, text) = replay(&[]);
    assert!(code == Some(1) && text.contains("look at the finding again"), "{text}");
    put("2999-12-31", "2001-12-31");
    let (code, text) = replay(&[]);
    assert!(code == Some(1) && text.contains("its last day was 2001-12-31"), "{text}");
    // An entry for what is gone is a warning, until it is taken out.
    put("\"finding\":\"", "\"finding\":\"0");
    let (code, text) = replay(&["--only", "blocking-scan", "--fail-on", "warning"]);
    assert!(code == Some(0) && text.contains("its rule is off"), "{text}");
    let (code, text) = replay(&["--fail-on", "never"]);
    assert!(code == Some(0) && text.contains("nothing meets it any more"), "{text}");
    let (_, text) = replay(&["--prune-accepted"]);
    assert!(text.contains("took 3 entries out of"), "{text}");
    assert!(!std::fs::read_to_string(&file).expect("kept").contains("\"rule\""));
    // What cannot be read is refused before any work, with its place.
    put("\"reason\"", "\"raeson\"");
    let (code, text) = replay(&[]);
    assert!(code == Some(2) && text.contains("pgproof-accepted.json") && text.contains("line 4"), "{text}");
}
