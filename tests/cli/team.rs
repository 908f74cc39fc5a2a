//! A team's own rules on the command line: read, listed, set, ignored, and their pages' cases run.

use super::{Run, explain, newest, pgproof, shop};
use std::path::Path;

const QUERY: &str = "select count(*) from generate_series(1, 500000) as n";
const RULE: &str = "large-function-scan";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pgproof-rules/large-function-scan.md");
    std::fs::read_to_string(path).expect("the page")
}

/// A run that finds the page in `ours`.
fn with(run: Run, page: &str) -> Run {
    std::fs::create_dir_all(run.home.path().join("ours")).expect("a folder");
    run.file("ours/README.md", b"about our rules").file("ours/rule.md", page.as_bytes())
}

#[test]
fn they_speak_and_are_silenced_as_ours_are() {
    let database = shop(newest());
    let found = |settings: &str, sql: &str, flags: &[&str]| {
        let args = [&[sql, "--format", "json"], flags].concat();
        let run = with(explain(&database, &args), &page()).file("pgproof.toml", settings.as_bytes());
        run.succeeds().json()
    };
    let dirs = "[rules-from]\ndirs = ['ours']\n";
    for report in [found(dirs, QUERY, &[]), found("", QUERY, &["--rules-dir", "ours"])] {
        let finding = &report["findings"][0];
        assert_eq!((finding["rule"].as_str(), finding["node"].as_i64()), (Some(RULE), Some(1)), "{report}");
        assert!(
            finding["what"]
                .as_str()
                .is_some_and(|what| what == "generate_series builds 500,000 rows, over 1 loops")
        );
        assert!(finding["saves_ms"].as_f64().is_some_and(|saves| saves > 1.0));
        assert_ne!(finding["severity"], "error", "the page allows a warning at most");
    }
    let silent = |report: serde_json::Value| {
        let findings = report["findings"].as_array().expect("a list");
        assert!(findings.iter().all(|finding| finding["rule"] != RULE), "{report}");
    };
    silent(found(dirs, QUERY, &["--rule", "large-function-scan=off"]));
    silent(found(dirs, QUERY, &["--only", "estimate-drift"]));
    silent(found(&format!("{dirs}[rules]\n{RULE} = 'off'\n"), QUERY, &[]));
    silent(found(&format!("{dirs}[thresholds.{RULE}]\nmin-rows = 600_000\n"), QUERY, &[]));
    let ignored = format!("{QUERY} -- pgproof:ignore {RULE} reason='it is a test'");
    let report = found(dirs, &ignored, &[]);
    assert_eq!(report["suppressed"][0]["rule"], RULE);
    silent(report);
    let loud = found(&format!("{dirs}[rules]\n{RULE} = 'error'\n"), QUERY, &["--only", RULE]);
    assert_eq!(loud["findings"][0]["severity"], "error", "who sets it has the last word");
    let estimated = found(dirs, QUERY, &["--analyze", "never"]);
    let skipped = estimated["skipped"].as_array().expect("a list").iter().any(|s| s["rule"] == RULE);
    assert!(skipped, "{estimated}");
}

#[test]
fn an_index_is_the_one_remedy_that_they_can_ask_for() {
    let database = shop(newest());
    let page = page().replace("'Function Scan'", "'Seq Scan'");
    let page = page.replace("saves = \"self_ms\"", "remedy = \"index\"");
    let settings = format!("[rules-from]\ndirs = ['ours']\n[thresholds.{RULE}]\nmin-rows = 0\n");
    let args = ["select * from orders where customer = 7", "--only", RULE, "--format", "json"];
    let run = with(explain(&database, &args), &page).file("pgproof.toml", settings.as_bytes());
    let report = run.succeeds().json();
    assert_eq!(report["proposals"][0]["answers"], serde_json::json!(["f1"]), "{report}");
    let apply = report["proposals"][0]["apply"][0].as_str().expect("a statement");
    assert!(apply.starts_with("CREATE INDEX CONCURRENTLY orders_customer_idx ON public.orders"), "{apply}");
}

#[test]
fn they_are_listed_and_their_pages_printed() {
    let run =
        |args: &[&str]| with(pgproof(args), &page()).file("pgproof.toml", b"[rules-from]\ndirs = ['ours']");
    let list = run(&["rule"]).succeeds().out;
    assert!(
        list.contains("large-function-scan") && list.contains("a set-returning function builds many rows")
    );
    assert_eq!(run(&["rule", RULE]).succeeds().out, page());
    run(&["rule", "large-function-scans"]).fails(2, &["did you mean `large-function-scan`?"]);
    let facts = pgproof(&["rule", "--facts"]).succeeds().out;
    assert!(facts.contains("rows_total") && facts.contains("plan.execution_ms"), "{facts}");
}

#[test]
fn broken_pages_are_refused_with_their_place() {
    let run = |page: &str| with(pgproof(&["rule", "--rules-dir", "ours"]), page);
    run(&page().replace("rows_total > min_rows", "rows_totl > min_rows")).fails(
        2,
        &[
            "failed to read the rule in ours/rule.md",
            "ours/rule.md:9:36",
            "no fact or threshold `rows_totl`",
            "`rows_total`",
        ],
    );
    run(&page().replace("## References", "## Refs")).fails(2, &["the sections are"]);
    let ours = page().replace(RULE, "estimate-drift");
    run(&ours).fails(2, &["one of pgproof's own rules is called estimate-drift too"]);
    run(&page())
        .file("ours/two.md", page().as_bytes())
        .fails(2, &["ours/rule.md is called large-function-scan too"]);
    run(&page().replace("saves = \"self_ms\"", "saves = \"self_ms\"\nsavings = 1"))
        .fails(2, &["no key `savings`"]);
    pgproof(&["rule", "--rules-dir", "none"])
        .fails(2, &["failed to read the rules in none", "check the path"]);
    pgproof(&["plan", "-"])
        .file("pgproof.toml", b"[rules-from]\ndir = 'x'")
        .fails(2, &["there is no key `dir`", "`dirs`"]);
}

#[test]
fn the_cases_of_their_pages_are_run() {
    let test = |page: &str| with(pgproof(&["rule", "--test", "ours"]), page).run();
    let ran = test(&page());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("pass  Half a million rows") && ran.out.ends_with("4 passed\n"), "{}", ran.out);
    let wrong = page().replace("generate_series(1, 1000)", "generate_series(1, 200000)");
    let ran = test(&wrong);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for words in [
        "FAIL  A thousand rows",
        "not expected: finding: large-function-scan at Function Scan",
        "3 passed, 1 failed",
    ] {
        assert!(ran.out.contains(words), "lacks {words}\n{}", ran.out);
    }
    let ran = test(&page().replace("INSERT INTO numbers", "INSERT INTO number"));
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("BROKEN  Rows from a table") && ran.out.contains("\"number\" does not exist"),
        "{}",
        ran.out
    );
    let at = page().find("### ").expect("cases");
    let end = page().find("## References").expect("references");
    let none = format!("{}{}", &page()[..at], &page()[end..]);
    let ran = test(&none);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("its section Cases holds none"), "{}", ran.err);
}
