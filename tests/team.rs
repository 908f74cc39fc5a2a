//! A team's own rules: what their pages may say, and what they do with facts that are not there.
#![allow(clippy::disallowed_methods)] // Tests are an edge.

use pgproof::analyse::analyse_plans;
use pgproof::capture::{Origin, OriginKind};
use pgproof::finding::{Finding, Severity};
use pgproof::plan::read_text;
use pgproof::rules::Config;
use pgproof::rules::team::{Team, read};
use std::sync::Arc;

const PLAN: &str = "Limit  (cost=0.00..9000.00 rows=10 width=8) (actual time=0.100..95.500 rows=10 loops=1)
  ->  Seq Scan on visits  (cost=0.00..8000.00 rows=100 width=8) (actual time=0.100..95.000 rows=400 loops=1)
        Filter: (page = 7)
        Rows Removed by Filter: 900000
Planning Time: 0.500 ms
Execution Time: 95.600 ms
";

/// A page whose rule block says this.
fn page(block: &str) -> String {
    format!(
        "# many-rows\n\n```toml rule\n{block}\n```\n\n## Why it matters\n\n## When it stays silent\n\n## Thresholds\n\n\
         | `min-rows` | 300 | rows |\n\n## Cases\n\n## References\n"
    )
}

fn rule(lines: &str) -> Result<Team, pgproof::error::Error> {
    let mut block = String::new();
    for (key, value) in [
        ("name", "'many-rows'"),
        ("summary", "'a scan returns many rows'"),
        ("for-each", "'node'"),
        ("when", "'true'"),
        ("what", "'w'"),
        ("why", "'y'"),
        ("help", "'h'"),
    ] {
        if !lines.lines().any(|line| line.starts_with(&format!("{key} ="))) {
            block.push_str(&format!("{key} = {value}\n"));
        }
    }
    read(&page(&(block + lines)), "pgproof-rules/many-rows.md")
}

fn findings_in(plan: &str, lines: &str) -> Vec<Finding> {
    let team = rule(lines).unwrap_or_else(|e| panic!("{lines}: {e} {:?} {:?}", e.causes(), e.excerpt()));
    let config =
        Config { team: vec![Arc::new(team)], only: vec!["many-rows".to_owned()], ..Config::default() };
    let origin = Origin { kind: OriginKind::File, path: None, line: None };
    analyse_plans(vec![(origin, read_text(plan).expect("a plan").remove(0))], &config).findings
}

fn fires(when: &str) -> usize {
    findings_in(PLAN, &format!("when = {when:?}")).len()
}

#[test]
fn expressions_are_asked_of_each_node() {
    for (when, times) in [
        ("true", 2),
        ("kind == 'Seq Scan' && rows_total >= 400", 1),
        ("rows_total * 2 > 799.5 ? true : false", 1),
        ("parent_kind == 'Limit'", 1),
        ("filter.contains('page') && size(filter) > 3", 1),
        ("kind in ['Limit', 'Sort'] || self_ms > 90", 2),
        ("plan.planning_ms < 1 && plan.nodes == 2", 2),
        ("has(relation.rows)", 0),
        ("rows_removed_total / loops == 900000.0 && !(self_share < 0.9)", 1),
        ("size(statement.calls) == 0", 0),
        ("-rows_total + 400 == 0", 1),
    ] {
        assert_eq!(fires(when), times, "{when}");
    }
    assert_eq!(findings_in(PLAN, "for-each = 'plan'\nwhen = 'plan.execution_ms > 95'").len(), 1);
    assert_eq!(findings_in(PLAN, "for-each = 'statement'\nwhen = 'true'").len(), 1);
}

#[test]
fn what_is_absent_is_neither_zero_nor_false_nor_different() {
    for (when, times) in [
        ("filter == null", 1),
        ("filter != null", 1),
        ("null != filter", 1),
        // No answer, whatever is asked.
        ("relation.rows > 0", 0),
        ("relation.rows == 0", 0),
        ("relation.rows != 0", 0),
        ("!(relation.rows == 0)", 0),
        ("index != 'x'", 0),
        ("!index.contains('x')", 0),
        ("relation.rows + 1 > 0", 0),
        ("sort_key[0] == 'a'", 0),
        ("sort_key.exists(k, k == 'a')", 0),
        // What decides without it does.
        ("index == 'x' || kind == 'Limit'", 1),
        ("relation.rows == null || relation.rows > 5", 2),
        ("1 / 0 > 5", 2),
    ] {
        assert_eq!(fires(when), times, "{when}");
    }
    let estimated = "Seq Scan on visits  (cost=0.00..8000.00 rows=100 width=8)\n";
    assert!(findings_in(estimated, "when = 'rows_total > 0'\nsaves = 'self_ms'").is_empty());
    assert_eq!(findings_in(estimated, "when = 'rows_estimated > 0'\nsaves = 'self_ms'")[0].saves, None);
}

#[test]
fn every_fact_can_be_asked_for_in_its_scope() {
    let list = pgproof::rules::team::facts();
    for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
        let scope = match name.split_once('.').map(|(of, _)| of) {
            Some("plan") => "plan",
            Some("statement" | "server") => "statement",
            _ => "node",
        };
        let found =
            findings_in(PLAN, &format!("for-each = '{scope}'\nwhen = '{name} == null || {name} != null'"));
        assert!(!found.is_empty(), "{name}");
    }
    assert!(list.lines().count() > 60);
}

#[test]
fn time_decides_on_the_severity_and_the_rule_may_only_be_quieter() {
    let severity = |lines: &str| {
        let found = findings_in(PLAN, &format!("when = 'kind == \"Seq Scan\"'\n{lines}"));
        found.first().map(|f| (f.severity, f.saves.map(|s| s.0)))
    };
    assert_eq!(severity("saves = 'self_ms'"), Some((Severity::Warning, Some(95.0))));
    assert_eq!(severity("saves = 'self_ms'\nseverity = 'info'"), Some((Severity::Info, Some(95.0))));
    assert_eq!(severity("saves = 'self_ms'\nseverity = 'error'"), Some((Severity::Warning, Some(95.0))));
    assert_eq!(severity("saves = 'self_ms * 1000'"), Some((Severity::Warning, Some(95.0))), "spent is spent");
    assert_eq!(severity("saves = '0.5'"), None, "under a millisecond nothing is said");
    assert_eq!(severity(""), Some((Severity::Info, None)));
    let index = findings_in(PLAN, "when = 'true'\nremedy = 'index'");
    assert_eq!(index.iter().map(|f| f.remedies.len()).collect::<Vec<_>>(), [0, 1], "for scans only");
}

#[test]
fn sentences_are_filled_in_with_numbers_as_people_read_them() {
    let found = findings_in(
        PLAN,
        "when = 'kind == \"Seq Scan\" && rows_total > min_rows'\n\
         what = '{relation} {rows_removed_total} {self_ms} {removed_share} {estimate_error} {{x}}'\n\
         why = '{index} {relation.rows} {rows_total > 1 ? \"{a}\" : \"b\"} {min_rows} {min_rows + 1}'\n\
         thresholds.min-rows = { default = 300, unit = 'rows', why = 'w' }",
    );
    assert_eq!(found[0].what, "visits 900,000 95.0 ms 99.96 % 4.0× {x}");
    assert_eq!(found[0].why, "an unknown word an unknown number {a} 300 301");
}

#[test]
fn every_mistake_has_its_place_and_the_nearest_right_word() {
    for (lines, place, words) in [
        ("when = 'row_total > 5'", "row_total", "did you mean `rows_total`?"),
        ("when = 'plan.execution > 5'", "", "did you mean `plan.execution_ms`?"),
        ("when = 'relation.row > 5'", "", "did you mean `relation.rows`?"),
        ("when = 'rows_total > minrows'", "minrows", "min"),
        ("when = 'kind > 5'", "5", "a text belongs here, not a number"),
        ("when = 'rows_total'", "'rows_total'", "this is a number, and a truth value belongs here"),
        ("when = 'rows_total && true'", "rows_total", "a truth value belongs here, not a number"),
        ("when = 'kind.contain(\"x\")'", "", "did you mean `contains`?"),
        ("when = 'sort_key.all(a, sort_key.all(b, a == b))'", "", "a loop inside a loop has no bound"),
        ("when = 'sort_key.map(k, k + k) == sort_key'", "", "a list"),
        ("when = 'sort_key.all(kind, kind == \"a\")'", "", "`kind` is a fact"),
        ("when = 'rows_total >'", "", ""),
        ("when = 'kind == \"a'", "", ""),
        ("when = 'a.b.c[1]{'", "", ""),
        ("for-each = 'plan'\nwhen = 'rows_total > 5'", "rows_total", "`rows_total` is a fact of each node"),
        ("for-each = 'nodes'", "'nodes'", "did you mean `node`?"),
        ("saves = 'kind'", "'kind'", "a number belongs here"),
        ("severity = 'warn'", "'warn'", "did you mean `warning`?"),
        ("remedy = 'vacuum'", "'vacuum'", "did you mean `index`?"),
        ("what = 'x {rows_totl}'", "rows_totl", "did you mean `rows_total`?"),
        ("what = 'x {rows_total'", "{", "this brace is never closed"),
        ("whn = 'true'", "whn", "did you mean `when`?"),
        ("name = 'Many Rows'", "'Many Rows'", "words in lower case"),
        (
            "thresholds.min-rows = { default = 5, unit = 'rows', why = 'w' }",
            "min-rows",
            "write | `min-rows` | 5 | rows | w |",
        ),
        ("thresholds.kind = { default = 5, unit = 'rows', why = 'w' }", "kind", "`kind` is taken"),
        ("thresholds.min-rows = { default = 5, unit = 'rows' }", "min-rows", "the key `why`"),
    ] {
        let error = rule(lines).expect_err(lines);
        let excerpt = error.excerpt().unwrap_or_else(|| panic!("{lines}: no place: {:?}", error.causes()));
        let marked = &excerpt.text[excerpt.start..excerpt.end];
        assert!(place.is_empty() || marked == place, "{lines}: {marked}");
        let said = format!("{} {}", excerpt.label, error.advice().unwrap_or_default());
        assert!(said.contains(words), "{lines}: {said}");
    }
    for (text, words) in [
        (page("name = 'other'"), ""),
        ("# x\n".to_owned(), "the sections are"),
        (page("").replace("toml rule", "toml"), "no block"),
    ] {
        let error = read(&text, "x.md").expect_err(&text);
        assert!(error.causes().join(" ").contains(words), "{:?}", error.causes());
    }
}

#[test]
fn no_expression_runs_away_or_panics() {
    let long = "rows_total > 1 && ".repeat(200) + "true";
    let deep = "(".repeat(5_000) + "true" + &")".repeat(5_000);
    let minus = "-".repeat(1_500) + "1 > 0";
    let not = "!".repeat(1_500) + "true";
    let chain = "a.".repeat(900) + "b";
    for text in [
        long.as_str(),
        &deep,
        &minus,
        &not,
        &chain,
        "",
        "{}",
        "[[1]]",
        "b'x'",
        "\u{0}",
        "é == 'ü'",
        "x.y().z",
    ] {
        let quoted = toml_text(text);
        // Read or refused, and answered either way.
        if rule(&format!("when = {quoted}")).is_ok() {
            findings_in(PLAN, &format!("when = {quoted}"));
        }
    }
    assert_eq!(fires(&("true && ".repeat(200) + "true")), 2);
}

fn toml_text(text: &str) -> String {
    serde_json::to_string(text).expect("a text")
}
