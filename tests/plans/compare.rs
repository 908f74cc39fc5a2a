//! Two plans compared: counterparts across shapes, majors and notations, and what is said of the difference.

use super::{fixture_text, fixtures};
use pgproof::analyse::compare_plans;
use pgproof::capture::{Origin, OriginKind};
use pgproof::compare::{Change, Comparison, Side, Unmeasured, compare};
use pgproof::facts::facts;
use pgproof::plan::{Plan, read};
use pgproof::render::{Style, text};
use pgproof::report::Report;
use pgproof::rules::Config;
use std::path::Path;

fn first(text: &str) -> Plan {
    let plans = read(text, None).unwrap_or_else(|e| panic!("{e}: {:?}", e.excerpt()));
    plans.into_iter().find(|plan| !plan.nodes.is_empty()).expect("a plan")
}

fn compared(base: &str, head: &str) -> Comparison {
    let (base, head) = (first(base), first(head));
    let facts = (facts(&base), facts(&head));
    compare(Side { plan: &base, facts: &facts.0 }, Side { plan: &head, facts: &facts.1 })
}

fn report(base: &str, head: &str) -> Report {
    let origin = |name: &str| Origin { kind: OriginKind::File, path: Some(name.to_owned()), line: None };
    compare_plans((origin("old.txt"), first(base)), (origin("new.txt"), first(head)), &Config::default())
}

fn shown(base: &str, head: &str) -> String {
    let style = Style { width: 80, color: false, verbose: false, quiet: false };
    let text = text::render(&report(base, head), &style);
    assert!(text.lines().count() <= 40, "one screen:\n{text}");
    text.lines().for_each(|line| assert!(line.chars().count() <= 80, "{line}"));
    text
}

fn other(name: &str, ending: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans").join(format!("{name}.{ending}"));
    std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

#[test]
fn a_plan_against_itself_has_not_changed() {
    for (name, text) in fixtures() {
        let found = compared(&text, &text);
        assert!(found.same_shape, "{name}");
        assert_eq!(found.changes, [], "{name}");
        assert_eq!(found.pairs.len(), found.base.nodes, "{name}");
        assert!(found.pairs.iter().all(|pair| pair.base == pair.head), "{name}");
        assert!(found.other_data.is_empty() && !found.other_values, "{name}");
    }
}

#[test]
fn notations_of_one_plan_have_one_shape() {
    for (name, json) in fixtures() {
        // Rolled back, a write still leaves dead rows: the next recording's plan differs.
        if name.ends_with("/cte-writes") || name.ends_with("/update-with-trigger") {
            continue;
        }
        for ending in ["txt", "yaml", "xml"] {
            let found = compared(&json, &other(&name, ending));
            assert!(found.same_shape, "{name}.{ending}: {:?}", found.changes);
            assert_eq!(found.pairs.len(), found.base.nodes, "{name}.{ending}");
            let structural = found.changes.iter().filter(|change| {
                !matches!(
                    change,
                    Change::Time { .. }
                        | Change::Blocks { .. }
                        | Change::Temp { .. }
                        | Change::Workers { .. }
                )
            });
            let structural: Vec<&Change> = structural.collect();
            assert!(structural.is_empty(), "{name}.{ending}: {structural:?}");
        }
    }
}

#[test]
fn majors_of_one_statement_match() {
    let all = fixtures();
    let (mut nodes, mut matched, mut same) = (0, 0, 0);
    for (name, newest) in &all {
        let Some(name) = name.strip_prefix("18/") else { continue };
        // What changed between majors is the notation of subplans and rows: each change is between two of these.
        for major in [13, 16] {
            let Some(old) = all.get(&format!("{major}/{name}")) else { continue };
            for (base, head) in [(old, newest), (newest, old)] {
                let found = compared(base, head);
                let most = found.base.nodes.min(found.head.nodes);
                if found.same_shape {
                    assert_eq!(found.pairs.len(), most, "{major}/{name}");
                    let words = |change: &Change| {
                        matches!(
                            change,
                            Change::Condition { .. } | Change::AccessPath { .. } | Change::Method { .. }
                        )
                    };
                    // 18 drops this test where the column is NOT NULL.
                    let dropped = |change: &Change| format!("{change:?}").contains("IS NOT NULL");
                    let said = found.changes.iter().filter(|c| words(c) && !dropped(c));
                    let said: Vec<&Change> = said.collect();
                    assert!(said.is_empty(), "{major}/{name}: {said:?}");
                    same += 1;
                }
                nodes += most;
                matched += found.pairs.len();
                shown(base, head);
            }
        }
    }
    assert!(same > 240, "{same} of one shape");
    assert!(matched * 100 >= nodes * 98, "{matched} of {nodes} nodes have a counterpart");
}

#[test]
fn any_two_plans_are_compared() {
    let all: Vec<String> = fixtures().into_values().collect();
    for (at, base) in all.iter().enumerate() {
        shown(base, &all[(at * 7 + 13) % all.len()]);
    }
}

const SCAN: &str = " Limit  (cost=18131.55..18137.38 rows=50 width=27) (actual time=41.208..43.103 rows=50 loops=1)
   Buffers: shared hit=4416 read=80
   ->  Gather Merge  (cost=18131.55..18148.81 rows=148 width=27) (actual time=41.206..43.097 rows=50 loops=1)
         Workers Planned: 2
         Workers Launched: 2
         Buffers: shared hit=4416 read=80
         ->  Sort  (cost=17131.53..17131.71 rows=74 width=27) (actual time=36.371..36.373 rows=19 loops=3)
               Sort Key: created_at DESC
               Sort Method: quicksort  Memory: 28kB
               Buffers: shared hit=4416 read=80
               ->  Parallel Seq Scan on orders  (cost=0.00..17129.23 rows=74 width=27) (actual time=35.371..36.300 rows=35 loops=3)
                     Filter: ((user_id = 123) AND (created_at > (now() - '30 days'::interval)))
                     Rows Removed by Filter: 199965
                     Buffers: shared hit=4416 read=80
 Planning Time: 0.083 ms
 Execution Time: 43.200 ms
";

const INDEXED: &str = r#"[{"Plan": {"Node Type": "Limit", "Startup Cost": 0.42, "Total Cost": 151.38, "Plan Rows": 50, "Plan Width": 27,
  "Actual Startup Time": 0.019, "Actual Total Time": 0.045, "Actual Rows": 50.00, "Actual Loops": 1, "Shared Hit Blocks": 53,
  "Shared Read Blocks": 0,
  "Plans": [{"Node Type": "Index Scan", "Parent Relationship": "Outer", "Scan Direction": "Forward",
    "Index Name": "orders_user_id_created_at_idx", "Relation Name": "orders", "Schema": "public", "Alias": "orders",
    "Startup Cost": 0.42, "Total Cost": 538.81, "Plan Rows": 178, "Plan Width": 27, "Actual Startup Time": 0.018,
    "Actual Total Time": 0.042, "Actual Rows": 50.00, "Actual Loops": 1, "Index Searches": 1, "Shared Hit Blocks": 53,
    "Shared Read Blocks": 0,
    "Index Cond": "((orders.user_id = 123) AND (orders.created_at > (now() - '30 days'::interval)))"}]},
  "Planning Time": 0.120, "Execution Time": 0.051}]"#;

#[test]
fn an_index_that_was_added_is_the_first_thing_said() {
    let text = shown(SCAN, INDEXED);
    let expected = "
old: old.txt
new: new.txt
execution 43.2 ms → 0.051 ms, 847× faster
planning 0.083 ms → 0.120 ms; cost 18,137 → 151; blocks 4,496 → 53; of them not
  cached 80 → 0; rows 50
4 → 2 nodes, 2 of them matched

access      orders: Parallel Seq Scan → Index Scan using
            orders_user_id_created_at_idx, 36.3 ms → 0.042 ms, 4,496 → 53 blocks
gone        Gather Merge of orders (6.7 ms); Sort of orders (0.073 ms)
cured       seq-scan-discards-rows on orders, up to 36.3 ms to recover";
    assert_eq!(text.trim(), expected.trim(), "{text}");
    // And back.
    assert!(shown(INDEXED, SCAN).contains("0.051 ms → 43.2 ms, 847× slower"));
}

#[test]
fn other_values_and_other_data_are_told_from_other_plans() {
    let text = shown(SCAN, &SCAN.replace("user_id = 123", "user_id = 7").replace("rows=35", "rows=5000"));
    assert!(text.contains("other values: the conditions differ in their constants"), "{text}");
    assert!(text.contains("rows        orders: 105 → 15,000"), "{text}");
    let text = shown(SCAN, &SCAN.replace("rows=35", "rows=5000"));
    assert!(text.contains("another number of rows came out (orders)"), "{text}");
    assert!(text.contains("same plan shape, 4 nodes"), "{text}");
    let text = shown(SCAN, &SCAN.replace("rows=74", "rows=900"));
    assert!(text.contains("estimates   orders: 74 → 900 rows expected"), "{text}");
}

/// A node of text format; `level` counts from 0.
fn line(level: usize, node: &str, time: f64, rows: f64, loops: u32) -> String {
    let arrow = if level == 0 { "" } else { "->  " };
    let indent = " ".repeat(level.saturating_sub(1) * 6 + 2 * usize::from(level > 0));
    format!(
        "{indent}{arrow}{node}  (cost=0.00..{time} rows={rows} width=8) (actual time=0.000..{time} rows={rows} loops={loops})\n"
    )
}

#[test]
fn a_join_order_that_changed_is_written_out() {
    let old = [
        line(0, "Hash Join", 90.0, 1000.0, 1),
        "  Hash Cond: (i.product_id = p.id)\n".to_owned(),
        line(1, "Hash Join", 70.0, 10000.0, 1),
        line(2, "Seq Scan on items i", 30.0, 100_000.0, 1),
        line(2, "Hash", 2.0, 1000.0, 1),
        line(3, "Seq Scan on orders o", 1.5, 1000.0, 1),
        line(1, "Hash", 1.0, 100.0, 1),
        line(2, "Seq Scan on products p", 0.5, 100.0, 1),
        "Execution Time: 91.0 ms\n".to_owned(),
    ];
    let new = [
        line(0, "Nested Loop", 12.0, 1000.0, 1),
        line(1, "Nested Loop", 6.0, 1000.0, 1),
        line(2, "Seq Scan on products p", 0.5, 100.0, 1),
        line(2, "Index Scan using items_product_id_idx on items i", 0.05, 10.0, 100),
        line(1, "Index Scan using orders_pkey on orders o", 0.005, 1.0, 1000),
        "Execution Time: 12.1 ms\n".to_owned(),
    ];
    let text = shown(&old.concat(), &new.concat());
    for words in [
        "execution 91.0 ms → 12.1 ms, 7.5× faster",
        "blocks are not compared: each was executed without BUFFERS",
        "items: Seq Scan → Index Scan using items_product_id_idx",
        "join order  (items ⋈ orders) ⋈ products → (products ⋈ items) ⋈ orders",
        "joins       items ⋈ orders ⋈ products: Hash Join → Nested Loop",
        "2 × Hash",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    // The same relations on exchanged sides are another order, too.
    let swapped = [
        line(0, "Hash Join", 9.0, 10.0, 1),
        line(1, "Seq Scan on orders o", 1.0, 10.0, 1),
        line(1, "Hash", 2.0, 10.0, 1),
        line(2, "Seq Scan on items i", 1.0, 10.0, 1),
    ];
    let straight = [
        line(0, "Hash Join", 9.0, 10.0, 1),
        line(1, "Seq Scan on items i", 1.0, 10.0, 1),
        line(1, "Hash", 2.0, 10.0, 1),
        line(2, "Seq Scan on orders o", 1.0, 10.0, 1),
    ];
    let text = shown(&straight.concat(), &swapped.concat());
    assert!(text.contains("join order  items ⋈ orders → orders ⋈ items"), "{text}");
}

#[test]
fn what_one_side_did_not_measure_is_not_compared() {
    let (estimated, measured) = (fixture_text("13/not-analyzed"), fixture_text("18/hash-batches"));
    let found = compared(&estimated, &measured);
    assert_eq!(found.unmeasured, [Unmeasured::NotExecuted { head: false }]);
    let numbers =
        |c: &Change| matches!(c, Change::Time { .. } | Change::Blocks { .. } | Change::ActualRows { .. });
    assert!(!found.changes.iter().any(numbers), "{:?}", found.changes);
    let text = shown(&estimated, &measured);
    assert!(text.contains("execution not measured → 30.5 ms"), "{text}");
    assert!(
        text.contains(
            "times, rows and blocks are not compared: the old plan was not executed (no\n  ANALYZE)"
        ),
        "{text}"
    );
    let both = shown(&estimated, &fixture_text("18/not-analyzed"));
    assert!(both.contains("no times to compare") && both.contains("each was not executed"), "{both}");
}

#[test]
fn a_thousand_changes_are_a_screen() {
    let plan = |kind: &str, name: &str| -> String {
        let mut text = line(0, "Append", 1000.0, 10.0, 1);
        for part in 0..1000 {
            let what = if kind == "Index Scan" {
                format!("{kind} using {name}{part}_idx on")
            } else {
                format!("{kind} on")
            };
            text += &line(
                1,
                &format!("{what} {name}{part}"),
                if kind == "Seq Scan" { 9.0 } else { 2.0 },
                10.0,
                1,
            );
        }
        text
    };
    let text = shown(&plan("Seq Scan", "p"), &plan("Index Scan", "p"));
    assert!(text.contains("access      1,000 × p0 … p999: Seq Scan → Index Scan, 9.00 s → 2.00 s"), "{text}");
    let text = shown(&plan("Seq Scan", "p"), &plan("Seq Scan", "q"));
    assert!(text.contains("1,001 → 1,001 nodes, 1 of them matched"), "{text}");
    assert!(text.contains("gone        1,000 × Seq Scan"), "{text}");
}
