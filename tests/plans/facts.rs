//! Facts: times and blocks of nodes add up to the root's, and every definition holds on a recorded plan.

use super::{MAJORS, find, fixture, fixtures, read};
use pgproof::facts::{NodeFacts, facts};
use pgproof::plan::{Execution, Node, Plan, Relationship};

/// The InitPlan subtrees whose time lies in no other node: CTEs that write and that nobody read to the end.
fn outside_root(plan: &Plan) -> bool {
    plan.nodes.iter().any(|node| node.relationship == Relationship::InitPlan && node.kind == "ModifyTable")
}

#[test]
fn exclusive_times_add_up_and_none_is_negative() {
    let (mut checked, mut parallel) = (0, 0);
    for (name, text) in fixtures() {
        for plan in read(&text) {
            let facts = facts(&plan);
            let Some(root) = plan.root().and_then(Node::ran) else { continue };
            let Some(root_time) = root.total_time else { continue };
            for (node, fact) in plan.nodes.iter().zip(&facts.nodes) {
                assert_eq!(fact.self_cpu.is_some(), node.ran().is_some(), "{name} {}", node.id);
                let (Some(own), Some(bound)) = (fact.self_cpu, fact.self_bound) else { continue };
                let place = format!("{name} #{} {}", node.id, node.kind);
                assert!(own.0 >= -bound.0 - 1e-9, "{place}: {} ± {}", own.0, bound.0);
            }
            if outside_root(&plan) {
                continue;
            }
            // In a parallel plan the root's time holds the leader's part; workers add what they spent below it.
            let mut expected = root_time.0 * root.loops;
            let mut workers = false;
            for node in plan.nodes.iter().filter(|node| node.kind.starts_with("Gather")) {
                for child in plan.children(node.id).filter(|child| child.relationship == Relationship::Outer)
                {
                    for ran in child.workers.iter().filter_map(|worker| worker.execution) {
                        workers = true;
                        expected += ran.total_time.unwrap().0 * ran.loops;
                    }
                }
            }
            if plan.nodes.iter().any(|node| node.kind.starts_with("Gather")) && !workers {
                continue;
            }
            let sum = |of: fn(&NodeFacts) -> f64| facts.nodes.iter().map(of).sum::<f64>();
            let cpu = sum(|fact| fact.self_cpu.map_or(0.0, |time| time.0)) / expected;
            assert!((0.99..=1.01).contains(&cpu), "{name}: processor times add up to {cpu} of the root");
            if !workers {
                let wall = sum(|fact| fact.self_time.map_or(0.0, |time| time.0)) / expected;
                assert!((0.99..=1.01).contains(&wall), "{name}: wall times add up to {wall} of the root");
            }
            checked += 1;
            parallel += usize::from(workers);
        }
    }
    assert!(checked > 350 && parallel >= 48, "{checked} plans, {parallel} of them parallel");
}

fn millis(node: &Node) -> f64 {
    let ran = node.ran().unwrap();
    ran.total_time.unwrap().0 * ran.loops
}

#[test]
fn a_cte_is_debited_to_its_scan() {
    for major in MAJORS {
        let (plan, facts) = fixture(&format!("{major}/cte-once"));
        let scan = find(&plan, |node| node.kind == "CTE Scan");
        let work = find(&plan, |node| node.kind == "Aggregate");
        let own = facts.nodes[scan.id].self_time.unwrap().0;
        assert!((own - (millis(scan) - millis(work))).abs() < 1e-9, "{major}: {own}");
        assert!(!facts.nodes[scan.id].self_time_is_shared);
        // The owner of the WITH list is the top node: it does not pay.
        assert!(facts.nodes[0].self_share.unwrap().0 < 0.5, "{major}");
    }
}

#[test]
fn several_scans_share_a_cte_and_say_so() {
    for major in MAJORS {
        let (plan, facts) = fixture(&format!("{major}/cte-twice"));
        let scans: Vec<_> = plan.nodes.iter().filter(|node| node.kind == "CTE Scan").collect();
        assert_eq!(scans.len(), 2);
        for scan in scans {
            assert!(facts.nodes[scan.id].self_time_is_shared, "{major}");
        }
    }
}

#[test]
fn an_init_plan_below_a_gather_is_debited_to_the_gather() {
    for major in MAJORS {
        let (plan, facts) = fixture(&format!("{major}/parallel-init-plan"));
        // The InitPlans have Gathers of their own; the one that waits for them holds the outer scan of `a`.
        let root = plan.children(0).find(|node| node.relationship == Relationship::Outer).unwrap();
        let gather = plan.subtree(root.id).find(|node| node.kind == "Gather").unwrap();
        let direct = |node: &&Node| node.parent == Some(0) && node.relationship == Relationship::InitPlan;
        let init: f64 = plan.nodes.iter().filter(direct).map(millis).sum();
        let child = plan.children(gather.id).find(|node| node.relationship == Relationship::Outer).unwrap();
        let parts = child.workers.iter().filter_map(|worker| worker.execution);
        let workers: f64 = parts.map(|ran| ran.total_time.unwrap().0 * ran.loops).sum();
        let own = millis(gather) - (millis(child) - workers) - init;
        let told = facts.nodes[gather.id].self_time.unwrap().0;
        assert!(init > 0.0 && (told - own).abs() < 1e-9, "{major}: {told} is not {own}");
    }
}

#[test]
fn twelve_init_plans_are_debited_to_the_node_that_prints_their_names() {
    for major in MAJORS {
        let (plan, facts) = fixture(&format!("{major}/init-plans-twelve"));
        let root = &facts.nodes[0];
        assert!(!root.self_time_is_shared, "{major}");
        assert!(root.self_share.unwrap().0 < 0.2, "{major}: {:?}", root.self_share);
        let init_plans = plan.nodes.iter().filter(|node| node.relationship == Relationship::InitPlan);
        assert_eq!(init_plans.count(), 12);
    }
}

#[test]
fn loops_multiply_rows_and_times() {
    for major in MAJORS {
        let (plan, facts) = fixture(&format!("{major}/sub-plan-correlated"));
        let sub = find(&plan, |node| node.relationship == Relationship::SubPlan);
        assert_eq!(sub.ran().unwrap().loops, 10.0);
        assert_eq!(facts.nodes[sub.id].rows_total.unwrap().0, 10.0);
        // Ten scans of 20,000 rows: those that the filter let through, and those that it did not.
        let scan = &facts.nodes[plan.children(sub.id).next().unwrap().id];
        let (removed, kept) = (scan.rows_removed_total.unwrap().0, scan.rows_total.unwrap().0);
        assert_eq!(removed + kept, 200_000.0, "{major}");
        assert!((scan.removed_share.unwrap().0 - removed / 200_000.0).abs() < 1e-12);
    }
}

#[test]
fn nodes_that_were_stopped_early_are_told_from_those_that_were_not() {
    use Relationship::{InitPlan, Inner, Outer, SubPlan};
    // Fixture, relationship of the first such node below the root, its kind where it matters, the answer.
    let cases = [
        ("limit-stops-early", Outer, "Seq Scan", true),
        ("limit-above-sort", Outer, "Sort", true),
        ("limit-above-sort", Outer, "Seq Scan", false),
        ("hash-batches", Outer, "Hash Join", false),
        ("sub-plan-exists", SubPlan, "", true),
        ("sub-plan-any", SubPlan, "", true),
        ("sub-plan-hashed", SubPlan, "", false),
        ("sub-plan-correlated", SubPlan, "", false),
        ("init-plan-exists", InitPlan, "", true),
        ("init-plans", InitPlan, "", false),
        ("semi-join-nested-loop", Inner, "", true),
        ("merge-join-stops", Outer, "Merge Join", false),
        ("merge-join-stops", Inner, "", true),
    ];
    for major in MAJORS {
        for (name, relationship, kind, expected) in &cases {
            let (plan, facts) = fixture(&format!("{major}/{name}"));
            let node = find(&plan, |node| {
                node.relationship == *relationship && (kind.is_empty() || node.kind == *kind)
            });
            assert_eq!(facts.nodes[node.id].stopped_early, *expected, "{major}/{name} {relationship:?}");
        }
    }
}

#[test]
fn never_executed_nodes_have_no_time_rows_or_error() {
    for major in MAJORS {
        let (plan, facts) = fixture(&format!("{major}/one-time-filter"));
        let never = find(&plan, |node| node.execution == Execution::NeverRan);
        let fact = &facts.nodes[never.id];
        assert_eq!((fact.rows_total, fact.self_time, fact.estimate_error), (None, None, None));
    }
}

#[test]
fn without_analyze_or_timing_there_is_no_time() {
    for major in MAJORS {
        let (plan, facts) = fixture(&format!("{major}/not-analyzed"));
        assert!(!plan.analyzed());
        assert!(facts.nodes.iter().all(|fact| fact.rows_total.is_none() && fact.self_time.is_none()));
        let (plan, facts) = fixture(&format!("{major}/timing-off"));
        assert!(plan.analyzed() && facts.execution.is_none());
        assert!(facts.nodes.iter().all(|fact| fact.self_time.is_none()));
        assert!(facts.nodes[0].rows_total.is_some());
    }
}

#[test]
fn times_of_unseen_workers_are_marked() {
    for major in MAJORS {
        let (plan, facts) = fixture(&format!("{major}/parallel-without-verbose"));
        let gather = find(&plan, |node| node.kind.starts_with("Gather"));
        assert_eq!(gather.workers_launched, Some(2));
        for node in plan.subtree(gather.id) {
            assert!(facts.nodes[node.id].self_time_is_shared, "{major}: {}", node.kind);
        }
    }
}

#[test]
fn blocks_of_nodes_add_up_to_the_root() {
    for (name, text) in fixtures() {
        for plan in read(&text).iter().filter(|plan| !outside_root(plan)) {
            let Some(root) = plan.root().and_then(|root| root.buffers) else { continue };
            let own = facts(plan).nodes;
            let hit: i64 = own.iter().filter_map(|fact| Some(fact.self_buffers?.shared_hit.0)).sum();
            assert_eq!(hit, root.shared_hit.0, "{name}");
        }
    }
}
