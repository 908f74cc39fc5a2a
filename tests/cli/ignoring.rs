//! `pgproof:ignore` comments: what they take out of a report, and what is said where they do not hold.

use super::output::{SLOW, busy_shop};
use super::{Ran, explain, pgproof, schema};

const RULE: &str = "seq-scan-discards-rows";

/// The rule's finding as a warning on every machine.
const LOUD: [&str; 4] = ["--rule", "seq-scan-discards-rows=warning", "--fail-on", "warning"];

fn told(ran: &Ran, words: &[&str]) {
    for word in words {
        assert!(ran.out.contains(word), "lacks {word}\n{}", ran.out);
    }
}

#[test]
fn what_is_ignored_is_neither_counted_nor_told_and_never_lost() {
    let database = busy_shop();
    let comment = format!("pgproof:ignore {RULE} reason=\"a report, once a month\" until=9999-12-31");
    let ignored =
        format!("ignored: 1 finding of {RULE} at q.sql:2, until 9999-12-31: a report, once a month");
    for file in [
        format!("select 1;\n-- {comment}\n{SLOW};"),
        format!("select 1;\n/* {comment} */ {SLOW};"),
        format!("select 1;\nselect count(*) -- {comment}\nfrom visits where page = 7"),
        format!("select 1;\n{SLOW}; -- {comment}\n"),
        format!("select 1;\nexplain /* {comment} */ {SLOW};"),
    ] {
        let mut args = vec!["-f", "q.sql"];
        args.extend(LOUD);
        let ran = explain(&database, &args).file("q.sql", file.as_bytes()).succeeds();
        told(&ran, &[&ignored, "no findings; 1 ignored"]);
        assert!(!ran.out.contains("discards 99"), "{}", ran.out);
    }
    let text = format!("-- {comment}\n{SLOW}");
    let ran = explain(&database, &[&[text.as_str()], &LOUD[..]].concat()).succeeds();
    told(&ran, &[&format!("ignored: 1 finding of {RULE}, until")]);
    let stdin = explain(&database, &[&["-f", "-"], &LOUD[..]].concat()).stdin(text.as_bytes()).succeeds();
    told(&stdin, &[&format!("ignored: 1 finding of {RULE} on line 1, until")]);
}

#[test]
fn a_replay_gives_the_same_report_and_the_day_of_the_run_counts() {
    let database = busy_shop();
    let text = format!("-- pgproof:ignore {RULE} reason=\"a report\" until=9999-12-31\n{SLOW}");
    let args = ["-f", "q.sql", "--format", "json", "--save-capture", "c.json"];
    let ran = explain(&database, &args).file("q.sql", text.as_bytes()).succeeds();
    let report = ran.json();
    schema::check(&pgproof(&["schema"]).succeeds().json(), &report);
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["proposals"], serde_json::json!([]));
    assert_eq!(report["suppressed"][0]["rule"], RULE);
    assert_eq!(report["suppressed"][0]["statement"], "s1");
    assert_eq!(report["suppressed"][0]["reason"], "a report");
    assert_eq!(report["suppressed"][0]["until"], "9999-12-31");
    assert!(report["suppressed"][0]["what"].as_str().is_some_and(|what| what.contains("99.99 %")));
    assert_eq!(report["suppressions"][0]["status"], "applied");
    assert_eq!(report["suppressions"][0]["line"], 1);
    let capture = std::fs::read_to_string(ran.path().join("c.json")).expect("the capture");
    let replay = |capture: &str| {
        let run = pgproof(&["explain", "--capture", "c.json", "--format", "json"]);
        run.file("c.json", capture.as_bytes()).succeeds()
    };
    assert_eq!(replay(&capture).out, ran.out);
    // Nothing but the capture's own day decides, whatever the day of the replay.
    let today = capture.lines().find(|line| line.contains("\"today\"")).expect("the day of the run");
    let late = capture.replace(today, "  \"today\": \"10000-01-01\"").replace("9999-12-31", "2999-12-31");
    let late = late.replace("10000-01-01", "3000-01-01");
    let report = replay(&late).json();
    assert_eq!(report["suppressions"][0]["status"], "expired");
    assert_eq!(report["findings"][0]["rule"], RULE);
}

#[test]
fn comments_that_do_not_hold_are_as_loud_as_a_warning() {
    let database = busy_shop();
    for (comment, words) in [
        (
            "seq-scan-discard-rows reason=\"x\"",
            "seq-scan-discard-rows at q.sql:1 is not in force: there is no rule of that name; did you mean `seq-scan-discards-rows`?",
        ),
        (RULE, "is not in force: it gives no reason"),
        ("seq-scan-discards-rows reason=\"x\" until=2020-01-01", "its last day was 2020-01-01"),
        ("seq-scan-discards-rows reason=\"x\" until=soon", "`soon` is no day of the calendar"),
        (
            "sort-spills-to-disk reason=\"x\"",
            "is needless: its rule finds nothing here; take the comment out",
        ),
    ] {
        let text = format!("-- pgproof:ignore {comment}\n{SLOW}");
        // Its finding alone is no reason to fail.
        let quiet = format!("{RULE}=info");
        let args = ["-q", "-f", "q.sql", "--rule", &quiet, "--fail-on", "warning"];
        let ran = explain(&database, &args).file("q.sql", text.as_bytes()).run();
        assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{comment}\n{}", ran.out);
        let line = ran.out.replace("\n  ", " ");
        assert!(line.contains("warning: pgproof:ignore ") && line.contains(words), "{words}\n{}", ran.out);
        assert!(line.contains("; 1 pgproof:ignore comment to mend"), "{}", ran.out);
        assert!(line.contains(&format!("info {RULE}")), "{}", ran.out);
    }
    // A rule that did not look has nothing to say about a comment.
    let text = format!("-- pgproof:ignore sort-spills-to-disk reason=\"x\"\n{SLOW}");
    for flags in [&["--analyze", "never"][..], &["--rule", "sort-spills-to-disk=off"]] {
        let args =
            [&["-f", "q.sql", "--fail-on", "warning", "--only", "sort-spills-to-disk"], flags].concat();
        let ran = explain(&database, &args).file("q.sql", text.as_bytes()).succeeds();
        told(&ran, &["not tested: pgproof:ignore sort-spills-to-disk at q.sql:1"]);
    }
    // A statement that is skipped takes its comment along, and that is said.
    let text = format!("-- pgproof:ignore {RULE} reason=\"x\"\nset work_mem = '1MB';\nselect 1");
    let ran = explain(&database, &["-f", "q.sql"]).file("q.sql", text.as_bytes()).succeeds();
    told(&ran, &["skipped, and its pgproof:ignore with it"]);
}

#[test]
fn a_plan_that_carries_its_statement_is_read_the_same_way() {
    let entry = |comment: &str| {
        format!(
            "2026-01-01 00:00:00.000 UTC [1] LOG:  duration: 95.123 ms  plan:\n\
             \tQuery Text: select * from visits {comment} where page = 7\n\
             \tSeq Scan on visits  (cost=0.00..8000.00 rows=1 width=8) (actual time=0.100..95.000 rows=4 loops=1)\n\
             \t  Filter: (page = 7)\n\
             \t  Rows Removed by Filter: 900000\n"
        )
    };
    let plan = |comment: &str| {
        let args = [&["plan", "a.log"], &LOUD[..]].concat();
        pgproof(&args).file("a.log", entry(comment).as_bytes()).run()
    };
    let bare = plan("");
    assert_eq!(bare.code, 1, "{}{}", bare.out, bare.err);
    let ran = plan(&format!("/* pgproof:ignore {RULE} reason='a report' */"));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    told(&ran, &[&format!("ignored: 1 finding of {RULE} at a.log:"), ": a report", "no findings; 1 ignored"]);
}
