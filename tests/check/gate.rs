//! What `check` makes of queries beyond their outcome: accepted findings, values, budgets.

use super::{Project, SCHEMAS, list, support};
use crate::schemas::Schema;
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
    assert!(text.contains("entries out of"), "{text}");
    assert!(!std::fs::read_to_string(&file).expect("kept").contains("\"rule\""));
    // What cannot be read is refused before any work, with its place.
    put("\"reason\"", "\"raeson\"");
    let (code, text) = replay(&[]);
    assert!(code == Some(2) && text.contains("pgproof-accepted.json") && text.contains("line 4"), "{text}");
}

const SKEWED: Schema = Schema {
    name: "skewed",
    ddl: "CREATE TABLE jobs (id bigint PRIMARY KEY, state text NOT NULL, payload text);\n\
          CREATE INDEX jobs_state ON jobs (state);",
    data: "INSERT INTO jobs SELECT g, CASE WHEN g % 2000 = 0 THEN 'failed' ELSE 'done' END, repeat('x', 80) \
           FROM generate_series(1, 120000) g;",
    queries: &["SELECT id FROM jobs WHERE state = $1 ORDER BY id LIMIT 10"],
};

/// The generic plan, for which either value is one of two, walks the primary key: who asks for the rare one needs more.
#[test]
fn a_plan_for_a_rare_value_is_not_hidden_by_the_generic_one() {
    for major in support::majors() {
        let project = Project::of(major, &SKEWED);
        let report = project.report("SET lock_timeout = '1s';\nDROP INDEX jobs_state;\n");
        let finding = list(&report, "findings").iter().find(|f| f["rule"] == "plan-regressed").cloned();
        let finding = finding.unwrap_or_else(|| panic!("{major}: {}", report["findings"]));
        assert!(finding["what"].to_string().contains("with a rare value"), "{finding}");
        assert!(finding["evidence"].to_string().contains("failed"), "{finding}");
        assert_eq!(finding["location"]["line"], 2, "{finding}");
        let query =
            list(&report, "statements").iter().find(|s| s["outcome"] == "regressed").expect("the query");
        let sides: Vec<&str> = list(query, "plans")
            .iter()
            .filter_map(|plan| plan["access"].as_str().and(plan["side"].as_str()))
            .collect();
        assert_eq!(sides, ["base", "head", "base", "head", "base", "head"], "{major}");
        // What is accepted is the plan for that value, not the generic one, which stays.
        let drop = "SET lock_timeout = '1s';\nDROP INDEX jobs_state;\n";
        assert_eq!(project.check(drop, &["--accept", "asked once a day"]).status.code(), Some(0), "{major}");
        let text =
            std::fs::read_to_string(project.folder.path().join("pgproof-accepted.json")).expect("written");
        let accepted: Value = serde_json::from_str(&text).expect("JSON");
        let entry = &accepted["accepted"][0];
        assert_eq!(entry["rule"], "plan-regressed", "{text}");
        assert_ne!(entry["from"], entry["to"], "{text}");
    }
}

/// Budgets of buffers are counted in executions on data of the user's, with and without a pack.
#[test]
fn budgets_are_held_to_seeded_data() {
    for major in support::majors() {
        let project = Project::of(major, &SKEWED);
        project.write("seed.sql", SKEWED.data);
        let queries = |budget: &str| {
            project.write(
                "queries.sql",
                &format!("-- name: failed_jobs :many\n-- pgproof:budget {budget}\nSELECT id FROM jobs WHERE state = $1;\n"),
            );
        };
        let drop = "SET lock_timeout = '1s';\nDROP INDEX jobs_state;\n";
        let check = |migration: &str, more: &[&str]| {
            let args = [&["--format", "json", "--fail-on", "never"], more].concat();
            let output = project.check(migration, &args);
            assert!(output.status.success(), "{major}: {}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
        };
        let over = |report: &Value| -> Vec<String> {
            let ours = list(report, "findings").iter().filter(|f| f["rule"] == "query-over-budget");
            ours.filter_map(|f| f["what"].as_str()).map(str::to_owned).collect()
        };
        // Sixty rows through an index, or all blocks of the table.
        queries("buffers=200 param=failed");
        let (without, with) =
            (check(drop, &["--seed", "seed.sql"]), check("ANALYZE jobs;", &["--seed", "seed.sql"]));
        assert!(over(&with).is_empty(), "{major}: {:?}", over(&with));
        let [what] = &over(&without)[..] else { panic!("{major}: {}", without["findings"]) };
        assert!(what.contains("failed_jobs") && what.ends_with("its budget is 200"), "{what}");
        // Twice the same number, to the block.
        assert_eq!(over(&check(drop, &["--seed", "seed.sql"])), over(&without), "{major}");
        // Without data nobody can say.
        let unseeded = check(drop, &[]);
        assert!(over(&unseeded).is_empty() && unseeded["gaps"].to_string().contains("--seed"), "{major}");
        // Values out of the statistics: with the common one, everything is read.
        queries("buffers=200");
        let [what] = &over(&check("ANALYZE jobs;", &["--seed", "seed.sql"]))[..] else { panic!("{major}") };
        assert!(what.contains("blocks"), "{what}");
        // Rows are counted, tables are named, and what does not fit is told.
        // A value may look like a flag.
        queries("buffers=200 param=--failed");
        assert!(over(&check("ANALYZE jobs;", &["--seed", "seed.sql"])).is_empty(), "{major}");
        queries("rows=59 param=failed");
        assert!(over(&check("ANALYZE jobs;", &["--seed", "seed.sql"]))[0].contains("59"), "{major}");
        queries("rows=120_000 index-on=nobody param=failed");
        let odd = check("ANALYZE jobs;", &["--seed", "seed.sql"]);
        assert!(
            over(&odd).len() == 1 && over(&odd)[0].contains("an index on nobody, which"),
            "{}",
            odd["findings"]
        );
    }
}

#[test]
fn budgets_and_data_that_are_wrong_are_refused_with_their_place() {
    let project = Project::of(support::majors()[0], &SKEWED);
    let refused = |words: &[&str], more: &[&str]| {
        let output = project.check("ANALYZE jobs;", more);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        words.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
    };
    project.write(
        "queries.sql",
        "SELECT 1;\n-- pgproof:budget costs=1\nSELECT id FROM jobs WHERE state = $1;\n",
    );
    refused(&["queries.sql:2", "no limit `costs`", "help: write pgproof:budget"], &[]);
    project.write(
        "queries.sql",
        "-- pgproof:budget cost=1 param=1 param=2\nSELECT id FROM jobs WHERE state = $1;\n",
    );
    refused(&["queries.sql:2", "gives 2 values", "1 parameter"], &[]);
    project.write("queries.sql", "-- pgproof:budget buffers=1\nSELECT id FROM jobs WHERE state = $1;\n");
    project.write("seed.sql", "INSERT INTO jobs VALUES (1, 'a', 'b');\nINSERT INTO jobs VALUES (2, NULL);\n");
    refused(&["seed.sql:2", "not-null constraint"], &["--seed", "seed.sql"]);
    project.write("seed.sql", "COPY jobs FROM stdin;\n1\ta\tb\n\\.\n");
    refused(&["seed.sql:1", "--inserts"], &["--seed", "seed.sql"]);
    project.write("pgproof.toml", "[[budgets]]\nquery = 'get_*'\ncosts = 1\n");
    refused(&["pgproof.toml:3", "cost"], &[]);
}

/// Comments at a query, or at the statement that made it worse, are heard for findings of queries.
#[test]
fn findings_of_queries_are_ignored_where_a_comment_asks() {
    let project = Project::of(support::majors()[0], &SKEWED);
    let drop = "SET lock_timeout = '1s';\nDROP INDEX jobs_state;\n";
    let query = SKEWED.queries[0];
    let check = |migration: &str, queries: &str| {
        project.write("queries.sql", queries);
        let report = project.report(migration);
        let rules: Vec<String> =
            list(&report, "findings").iter().filter_map(|f| f["rule"].as_str()).map(str::to_owned).collect();
        let statuses: Vec<String> = list(&report, "suppressions")
            .iter()
            .filter_map(|s| s["status"].as_str())
            .map(str::to_owned)
            .collect();
        (rules.contains(&"plan-regressed".to_owned()), statuses)
    };
    let ignore = "-- pgproof:ignore plan-regressed reason=\"asked once a day\"\n";
    assert_eq!(check(drop, &format!("{ignore}{query};")), (false, vec!["applied".to_owned()]));
    assert_eq!(
        check(drop, &format!("SELECT 1;\n{ignore}-- name: jobs :many\n{query};")),
        (false, vec!["applied".to_owned()])
    );
    let migration = format!("SET lock_timeout = '1s';\n{ignore}DROP INDEX jobs_state;\n");
    assert_eq!(check(&migration, &format!("{query};")), (false, vec!["applied".to_owned()]));
    // One for another rule, mistyped or needless, is told.
    let typo = ignore.replace("regressed", "regresed");
    assert_eq!(check(drop, &format!("{typo}{query};")), (true, vec!["unknown-rule".to_owned()]));
    assert_eq!(check(drop, &format!("{ignore}SELECT 1;\n{query};")), (true, vec!["unused".to_owned()]));
}

/// What follows a failure was not looked at: nobody can live with that, and entries it hides are not called needless.
#[test]
fn a_failing_migration_is_neither_accepted_nor_does_it_prune() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    let (code, written) = {
        let output = project.check("DROP INDEX orders_user;\n", &["--accept", "known"]);
        let file = project.folder.path().join("pgproof-accepted.json");
        (output.status.code(), std::fs::read_to_string(file).expect("written"))
    };
    assert!(code == Some(0) && written.contains("plan-regressed"), "{written}");
    let failing = project.check(
        "ALTER TABLE no_such ADD COLUMN a int;\nDROP INDEX orders_user;\n",
        &["--accept", "known", "--prune-accepted"],
    );
    assert_eq!(failing.status.code(), Some(1), "{}", String::from_utf8_lossy(&failing.stdout));
    let after = std::fs::read_to_string(project.folder.path().join("pgproof-accepted.json")).expect("kept");
    assert_eq!(after, written);
}

/// Another column of the same table in the same file is another finding, wherever it is written.
#[test]
fn what_is_accepted_of_one_column_says_nothing_of_another() {
    let project = Project::of(support::majors()[0], &SCHEMAS[0]);
    let run = |migration: &str, more: &[&str]| {
        let output = project.check(migration, &[&["--fail-on", "warning"], more].concat());
        (output.status.code(), format!("{output:?}"))
    };
    let drop = |column: &str| format!("ALTER TABLE orders DROP COLUMN {column};\n");
    let (head, total, status) = ("SET lock_timeout = '2s';\n".to_owned(), drop("total"), drop("status"));
    let first = head.clone() + &total;
    let (code, text) = run(&first, &["--accept", "nobody asks for it", "--only", "drop-breaks-clients"]);
    assert_eq!(code, Some(0), "{text}");
    let only = ["--only", "drop-breaks-clients"];
    assert_eq!(run(&first, &only).0, Some(0));
    for both in [head.clone() + &status + &total, head + &total + &status] {
        let (code, text) = run(&both, &only);
        assert_eq!(code, Some(1), "{text}");
        assert!(
            text.contains("orders.status is dropped") && !text.contains("warning: public.orders.total"),
            "{text}"
        );
    }
}
