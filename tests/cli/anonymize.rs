//! `pgproof plan --anonymize`: what it prints can be pasted anywhere, and back.

use super::pgproof;

const PLAN: &str = "Index Scan using people_email_key on crm.people p  (cost=0.28..8.29 rows=1 width=36) \
                    (actual time=0.010..0.011 rows=1 loops=1)\n  Index Cond: (p.email = 'jane@example.org'::text)\n\
                    Execution Time: 0.031 ms\n";

#[test]
fn plans_are_printed_with_other_names() {
    let text = pgproof(&["plan", "--anonymize", "-"]).stdin(PLAN.as_bytes()).succeeds();
    assert_eq!(
        text.out,
        "Index Scan using index_1 on schema_1.table_1 alias_1  (cost=0.28..8.29 rows=1 width=36) \
         (actual time=0.010..0.011 rows=1 loops=1)\n  Index Cond: (alias_1.col_1 = 's1'::text)\n\
         Execution Time: 0.031 ms\n"
    );
    let json = pgproof(&["plan", "--anonymize", "--format", "json", "-"]).stdin(PLAN.as_bytes()).succeeds();
    assert_eq!(json.json()[0]["Plan"]["Relation Name"], "table_1");
    let again = pgproof(&["plan", "--anonymize", "-"]).stdin(json.out.as_bytes()).succeeds();
    assert_eq!(again.out, text.out);
    let report = pgproof(&["plan", "-"]).stdin(text.out.as_bytes()).succeeds();
    assert!(report.out.contains("table_1"), "{}", report.out);
}

#[test]
fn several_plans_and_files_are_written() {
    let run = pgproof(&["plan", "--anonymize", "-", "-o", "shared.json", "-o", "shared.txt"]);
    let ran = run.stdin(format!("{PLAN}\n{PLAN}").as_bytes()).succeeds();
    assert_eq!(ran.out.matches("\n\nIndex Scan").count(), 1, "{}", ran.out);
    let file =
        |name: &str| std::fs::read_to_string(ran.home.path().join(name)).expect("the file was written");
    assert_eq!(file("shared.txt"), ran.out);
    let json: serde_json::Value = serde_json::from_str(&file("shared.json")).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(2));
}
