//! `pgproof plan --diff`: two files, one screen or one JSON, no server.

use super::{pgproof, schema};

const OLD: &str =
    "Seq Scan on t  (cost=0.00..100.00 rows=10 width=4) (actual time=0.010..40.000 rows=10 loops=1)
  Filter: (a = 1)
  Rows Removed by Filter: 99990
Execution Time: 40.1 ms
";
const NEW: &str = r#"[{"Plan": {"Node Type": "Index Scan", "Index Name": "t_a_idx", "Relation Name": "t", "Alias": "t",
  "Startup Cost": 0, "Total Cost": 8, "Plan Rows": 10, "Plan Width": 4, "Actual Startup Time": 0.01,
  "Actual Total Time": 0.05, "Actual Rows": 10.00, "Actual Loops": 1, "Index Cond": "(a = 1)"}, "Execution Time": 0.06}]"#;

#[test]
fn two_files_in_any_notation_are_compared() {
    let diff = |args: &[&str]| {
        let mut all = vec!["plan", "--diff"];
        all.extend(args);
        pgproof(&all).file("old.txt", OLD.as_bytes()).file("new.json", NEW.as_bytes()).stdin(OLD.as_bytes())
    };
    let ran = diff(&["old.txt", "new.json"]).succeeds();
    assert!(
        ran.out.starts_with("old: old.txt\nnew: new.json\nexecution 40.1 ms → 0.060 ms, 668× faster\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("access      t: Seq Scan → Index Scan using t_a_idx, 40.0 ms → 0.050 ms"),
        "{}",
        ran.out
    );
    let ran = diff(&["-", "old.txt"]).succeeds();
    assert!(ran.out.contains("same plan shape, 1 node: nothing changed"), "{}", ran.out);
    // What the new plan has is what a gate is about.
    assert_eq!(diff(&["old.txt", "new.json", "--fail-on", "info"]).run().code, 0);
    assert_eq!(diff(&["new.json", "old.txt", "--fail-on", "info"]).run().code, 1);
}

#[test]
fn json_holds_both_plans_and_the_comparison() {
    let printed = pgproof(&["schema"]).succeeds().json();
    let run = pgproof(&["plan", "--diff", "old.txt", "new.json", "--format", "json"]);
    let ran = run.file("old.txt", OLD.as_bytes()).file("new.json", NEW.as_bytes()).succeeds();
    let report = ran.json();
    schema::check(&printed, &report);
    assert_eq!(report["statements"][0]["plans"][0]["side"], "base");
    assert_eq!(report["statements"][1]["plans"][0]["side"], "head");
    let comparison = &report["comparison"];
    assert_eq!(comparison["same_shape"], false);
    assert_eq!(comparison["pairs"][0]["head"], 0);
    assert_eq!(comparison["changes"][0]["kind"], "access-path");
    assert_eq!(comparison["changes"][0]["head"], "Index Scan using t_a_idx");
    assert_eq!(comparison["base"]["blocks"], serde_json::Value::Null, "absent is not zero");
    let plain = pgproof(&["plan", "old.txt", "--format", "json"]).file("old.txt", OLD.as_bytes()).succeeds();
    schema::check(&printed, &plain.json());
    assert_eq!(plain.json()["comparison"], serde_json::Value::Null);
}

#[test]
fn anything_but_two_files_is_refused() {
    let help = "help: pgproof plan --diff OLD NEW";
    pgproof(&["plan", "--diff", "old.txt"]).fails(2, &["--diff takes two files, not 1", help]);
    pgproof(&["plan", "--diff", "a", "b", "c"]).fails(2, &["--diff takes two files, not 3", help]);
    pgproof(&["plan", "--diff", "-", "-"])
        .fails(2, &["both are standard input", "help: pgproof plan --diff OLD -"]);
    pgproof(&["plan", "--diff"]).fails(2, &["required arguments were not provided"]);
    let run = pgproof(&["plan", "--diff", "old.txt", "none.txt"]).file("old.txt", OLD.as_bytes());
    run.fails(2, &["failed to read none.txt", "No such file"]);
}
