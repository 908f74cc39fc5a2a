//! Plans as no server of ours prints them: numbers hidden, indented less, without their first line, of a fork.

use pgproof::plan::{Execution, Plan, find, read};

fn one(text: &str) -> Plan {
    let mut plans = read(text, None).unwrap_or_else(|e| panic!("{e}: {:?}\n{text}", e.causes()));
    assert_eq!(plans.len(), 1, "{text}");
    plans.remove(0)
}

/// Each node's kind and its parent.
fn tree(plan: &Plan) -> Vec<(Option<usize>, &str)> {
    plan.nodes.iter().map(|node| (node.parent, node.kind.as_str())).collect()
}

/// What an error says, its excerpt and its causes.
fn words(text: &str) -> String {
    let error = read(text, None).expect_err(text);
    let label = error.excerpt().map(|excerpt| format!("line {}: {}", excerpt.first_line, excerpt.label));
    format!("{} {}", label.unwrap_or_default(), error.causes().join(" "))
}

#[test]
fn a_backward_scan_without_costs_begins_a_plan() {
    for kind in ["Index Scan", "Index Only Scan", "Parallel Index Scan"] {
        let plan = one(&format!("{kind} Backward using i on t\n  Index Cond: (a = 1)\n"));
        let detail = &plan.nodes[0].detail;
        assert_eq!(detail.scan_direction.as_deref(), Some("Backward"));
        assert_eq!(detail.index_cond.as_deref(), Some("(a = 1)"));
    }
}

#[test]
fn a_number_that_somebody_hid_is_unknown_and_its_node_is_a_node() {
    for figures in [
        "(cost=N.N..N.N rows=N width=N)",
        "(cost=1.00..2.00 rows=3 width=4) (actual time=x.xxx..x.xxx rows=3 loops=N)",
        "(actual rows=N.NN loops=8)",
        "(actual rows=? loops=?)",
    ] {
        let plan = one(&format!(
            " Nested Loop {figures}\n   ->  Seq Scan on t {figures}\n   ->  Materialize {figures}\n         ->  Seq Scan on u {figures}\n"
        ));
        assert_eq!(
            tree(&plan),
            [(None, "Nested Loop"), (Some(0), "Seq Scan"), (Some(0), "Materialize"), (Some(2), "Seq Scan")]
        );
        assert_eq!(plan.nodes[1].execution, Execution::NotMeasured, "{figures}");
        assert!(!plan.nodes[1].extra.is_empty(), "{figures}");
    }
}

#[test]
fn what_an_extension_adds_behind_the_plan_is_no_line_of_its_last_node() {
    let plan = one(
        " Insert on t\n   Nominal RTI: 1\n   ->  Result\n RTI 1 (relation):\n   Eref: t (a)\n   Relation: t\n RTI 2 (result):\n   Eref: \"*RESULT*\" ()\n Result RTIs: 2\n",
    );
    assert_eq!(tree(&plan), [(None, "ModifyTable"), (Some(0), "Result")]);
    assert_eq!(plan.nodes[1].extra, []);
    let keys: Vec<&str> = plan.extra.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["RTI 1 (relation)", "RTI 2 (result)", "Result RTIs"]);
}

#[test]
fn the_first_line_may_have_lost_its_blank() {
    let plan = one(
        "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) (actual time=0.1..0.2 rows=1 loops=1)\n   Filter: (a = 1)\n Planning:\n   Buffers: shared hit=5\n Planning Time: 0.5 ms\n Execution Time: 0.7 ms\n",
    );
    assert_eq!(plan.execution_time.map(|time| time.0), Some(0.7));
    assert_eq!(plan.planning_time.map(|time| time.0), Some(0.5));
    assert!(plan.planning_buffers.is_some());
    assert_eq!(plan.nodes[0].detail.filter.as_deref(), Some("(a = 1)"));
}

#[test]
fn a_line_of_a_fork_behind_the_plan_does_not_end_it() {
    let plan = one(
        " Gather Motion 2:1  (slice1; segments: 2)  (cost=0.00..8.00 rows=1 width=8)\n   ->  Seq Scan on t  (cost=0.00..4.00 rows=1 width=8)\n Planning time: 6.5 ms\n   (slice0)    Executor memory: 1K bytes.\n Execution time: 9.5 ms\n",
    );
    assert_eq!(plan.execution_time.map(|time| time.0), Some(9.5));
}

#[test]
fn children_that_stand_two_columns_behind_their_parents_arrow() {
    let plan = one(
        "Sort  (cost=1.00..2.00 rows=3 width=4)\n  Sort Key: a\n  ->  Hash Join  (cost=1.00..2.00 rows=3 width=4)\n    Hash Cond: (t.a = u.a)\n    ->  Seq Scan on t  (cost=1.00..2.00 rows=3 width=4)\n      Filter: (a > 1)\n    ->  Hash  (cost=1.00..2.00 rows=3 width=4)\n      ->  Seq Scan on u  (cost=1.00..2.00 rows=3 width=4)\n",
    );
    assert_eq!(
        tree(&plan),
        [
            (None, "Sort"),
            (Some(0), "Hash Join"),
            (Some(1), "Seq Scan"),
            (Some(1), "Hash"),
            (Some(3), "Seq Scan")
        ]
    );
    assert_eq!(plan.nodes[2].detail.filter.as_deref(), Some("(a > 1)"));
    assert_eq!(plan.nodes[1].detail.hash_cond.as_deref(), Some("(t.a = u.a)"));
}

#[test]
fn a_plan_without_its_first_line_says_so() {
    let below = "   ->  Hash  (cost=1.00..2.00 rows=3 width=4)\n         ->  Seq Scan on u  (cost=1.00..2.00 rows=3 width=4)\n";
    let found = find(below, None).unwrap();
    let cut = found.plans[0].cut.as_deref().unwrap();
    assert!(cut.contains("above line 1"), "{cut}");
    let two =
        format!("   Hash Cond: (t.a = u.a)\n   ->  Seq Scan on t  (cost=1.00..2.00 rows=3 width=4)\n{below}");
    assert!(words(&two).starts_with("line 2: no plan begins with an arrow"), "{}", words(&two));
}

#[test]
fn a_title_without_a_plan_is_told_as_that() {
    assert!(words(" QUERY PLAN \n------------\n(0 rows)\n").contains("nothing below its title"));
}
