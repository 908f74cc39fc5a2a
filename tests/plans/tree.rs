//! The tree that people read: every kind of plan, in narrow and in wide terminals.

use super::{fixture_text, read};
use pgproof::analyse::analyse_plans;
use pgproof::capture::{Origin, OriginKind};
use pgproof::render::{Style, text};
use pgproof::rules::Config;

fn shown(plan: &str, width: usize, verbose: bool) -> String {
    let origin = Origin { kind: OriginKind::File, path: None, line: None };
    let plan = read(plan).remove(0);
    let report = analyse_plans(vec![(origin, plan)], &Config::default());
    let text = text::render(&report, &Style { width, color: false, verbose, quiet: false });
    let lines = text.lines().skip_while(|line| !line.ends_with("node"));
    let tree: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    tree.iter().for_each(|line| assert!(line.chars().count() <= width, "{line}"));
    tree.join("\n")
}

fn check(name: &str, width: usize, verbose: bool, expected: &str) {
    let tree = shown(&fixture_text(name), width, verbose);
    assert_eq!(tree, expected.trim_matches('\n'), "{name} at {width}\n{tree}");
}

#[test]
fn eighty_columns_hold_what_matters() {
    check(
        "13/parallel-gather-merge-sort",
        80,
        false,
        "
share   self time    rows   vs plan  node
▎          1.6 ms  10,002  ↑10,002×  Limit
█▊        11.0 ms  30,002            └─ Gather Merge, 2 of 2 workers
██▏       13.9 ms  30,003               └─ Sort, 376 kB on disk  ◀ f1
                                           │  Sort Key: a.txt DESC, a.id
██▋       17.3 ms  30,003      ↑80×        └─ Parallel Seq Scan on a, 29,997 di…
execution 38.7 ms, planning 0.085 ms",
    );
}

#[test]
fn a_wide_terminal_shows_planned_rows_blocks_and_conditions() {
    check(
        "18/hash-batches",
        160,
        false,
        "
share              self time    rows  planned     hit    temp  node
▌           4.9 %     1.5 ms       1        1       0          Aggregate
█████▋       56 %    17.0 ms  20,000   20,000       0  3.3 MB  └─ Hash Join  Hash Cond: (a.id = b.a_id)
██           21 %     6.3 ms  60,000   60,000  3.0 MB             ├─ Seq Scan on a
█▎           12 %     3.7 ms  20,000   20,000       0  776 kB     └─ Hash, 8 batches  ◀ f1
▋           6.6 %     2.0 ms  20,000   20,000  1.2 MB                └─ Seq Scan on b
execution 30.5 ms, planning 0.129 ms",
    );
}

#[test]
fn what_was_not_measured_has_no_column() {
    check("18/costs-off", 80, false, "node\nIndex Scan using a_pkey on a");
    check(
        "18/timing-off",
        80,
        false,
        "
  rows  node
   200  Hash Join
20,000  ├─ Seq Scan on b
   600  └─ Hash
   600     └─ Bitmap Heap Scan on a
   600        └─ Bitmap Index Scan on a_grp",
    );
    let estimated = shown(&fixture_text("18/not-analyzed"), 80, false);
    assert!(estimated.starts_with(" cost    rows  node\n2,108       3  Limit\n"), "{estimated}");
    let skipped = shown(&fixture_text("16/never-executed"), 80, false);
    assert!(
        skipped.contains("never ran        └─ Index Scan using a_pkey on a\nexecution 0.034 ms"),
        "{skipped}"
    );
}

#[test]
fn subplans_are_named_and_triggers_have_a_line() {
    let tree = shown(&fixture_text("18/cte-writes"), 80, false);
    for line in ["├─ CTE w: Update on target", "├─ CTE unread: Delete on target target_1", "└─ CTE Scan on w"]
    {
        assert!(tree.contains(line), "{tree}");
    }
    assert!(tree.contains("1.4 ms        Trigger audit_target on target, 149 calls"), "{tree}");
    let tree = shown(&fixture_text("13/init-plans-twelve"), 80, false);
    assert!(tree.contains("└─ InitPlan 12 (returns $11): Aggregate"), "{tree}");
}

#[test]
fn verbose_shows_conditions_and_workers() {
    let tree = shown(&fixture_text("18/parallel-hash-join"), 100, true);
    for line in ["│  Hash Cond: (b.a_id = a.id)", "Filter: ((a.val % 2) = 0)", "worker 0: ", "worker 1: "] {
        assert!(tree.contains(line), "{tree}");
    }
}

/// A node with times, as JSON.
fn node(kind: &str, relationship: &str, relation: &str, time: f64, plans: &str) -> String {
    format!(
        r#"{{"Node Type": "{kind}", "Parent Relationship": "{relationship}", "Relation Name": "{relation}", "Startup Cost": 0, "Total Cost": 1,
        "Plan Rows": 10, "Plan Width": 8, "Actual Startup Time": 0, "Actual Total Time": {time}, "Actual Rows": 10, "Actual Loops": 1,
        "Plans": [{plans}]}}"#
    )
}

#[test]
fn partitions_are_one_line_but_the_hot_one() {
    let partitions = |hot: f64| -> Vec<String> {
        let time = |month: usize| if month == 7 { hot } else { 1.0 };
        (1..=12).map(|m| node("Seq Scan", "Member", &format!("orders_{m:02}"), time(m), "")).collect()
    };
    let plan = |hot: f64| {
        let top = node("Append", "Outer", "", 11.0 + hot, &partitions(hot).join(","));
        shown(&format!(r#"[{{"Plan": {top}}}]"#).replace(r#""Relation Name": "", "#, ""), 80, false)
    };
    let tree = plan(1.0);
    assert!(tree.contains("12.0 ms   120  └─ 12 × Seq Scan on orders_01 … orders_12"), "{tree}");
    let tree = plan(50.0);
    assert!(tree.contains("11.0 ms   110  ├─ 11 × Seq Scan on orders_01 … orders_12"), "{tree}");
    assert!(tree.contains("50.0 ms    10  └─ Seq Scan on orders_07"), "{tree}");
}

#[test]
fn partitions_without_a_catalog_tell_one_story() {
    let partition = |month: usize| {
        let scan = node("Seq Scan", "Member", &format!("orders_2026_{month:02}"), 20.0, "");
        let filter = format!(
            r#""Alias": "o_{month}", "Filter": "(o_{month}.a = 1)", "Rows Removed by Filter": 90000, "Plans""#
        );
        scan.replace(r#""Plans""#, &filter)
    };
    let partitions: Vec<String> = (1..=12).map(partition).collect();
    let top = node("Append", "Outer", "", 250.0, &partitions.join(","));
    let plan = format!(r#"[{{"Plan": {top}}}]"#).replace(r#""Relation Name": "", "#, "");
    let tree = shown(&plan, 80, false);
    assert!(tree.contains("Append  ◀ f1\n"), "{tree}");
    assert!(tree.contains("└─ 12 × Seq Scan on orders_2026_01 … orders_2026_12"), "{tree}");
}

#[test]
fn a_dull_stretch_of_a_long_plan_is_counted() {
    let mut plan = node("Seq Scan", "Outer", "t", 90.0, "");
    for level in 0..60 {
        plan = node("Subquery Scan", "Outer", "", if level < 30 { 90.0 } else { 95.0 }, &plan);
    }
    let plan = format!(r#"[{{"Plan": {plan}}}]"#).replace(r#""Relation Name": "", "#, "");
    let tree = shown(&plan, 80, false);
    assert!(tree.contains("⋮ 28 nodes"), "{tree}");
    assert!(tree.contains("⋮ 30 nodes"), "{tree}");
    assert!(tree.contains("└─ Seq Scan on t"), "{tree}");
    assert_eq!(shown(&plan, 80, true).lines().filter(|line| line.contains("Scan")).count(), 61);
}
