//! Plans larger than anyone wrote by hand: read, analysed and shown in a screen, on a small stack.

use pgproof::analyse::{analyse_plans, compare_plans};
use pgproof::capture::{Origin, OriginKind};
use pgproof::plan::{Plan, read_json};
use pgproof::render::{Style, json, text};
use pgproof::rules::Config;
use std::fmt::Write as _;

/// A thread's stack: far less than a recursion over these plans would take.
const STACK: usize = 512 * 1024;

fn on_a_small_stack(work: fn()) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// The opening of a node, without its closing bracket.
fn open(text: &mut String, kind: &str, relationship: &str, number: usize, time: f64) {
    let _ = write!(
        text,
        r#"{{"Node Type": "{kind}", "Parent Relationship": "{relationship}", "Relation Name": "t{number}", "Alias": "t{number}",
        "Startup Cost": 0.0, "Total Cost": {time}, "Plan Rows": 10, "Plan Width": 8, "Actual Startup Time": 0.0,
        "Actual Total Time": {time}, "Actual Rows": 5000, "Actual Loops": 1, "Filter": "(a = {number})", "Rows Removed by Filter": 90000"#
    );
}

fn report(plan: &str) -> pgproof::report::Report {
    let plans: Vec<Plan> = read_json(plan).expect("a plan");
    let origin = || Origin { kind: OriginKind::File, path: None, line: None };
    analyse_plans(plans.into_iter().map(|plan| (origin(), plan)).collect(), &Config::default())
}

/// The tree's part of the text, in both widths.
fn trees(report: &pgproof::report::Report) -> Vec<Vec<String>> {
    let tree = |width: usize| {
        let style = Style { width, color: false, verbose: false, quiet: false };
        let text = text::render(report, &style);
        let lines = text.lines().skip_while(|line| !line.ends_with("  node"));
        let tree: Vec<String> =
            lines.take_while(|line| !line.starts_with("execution")).map(str::to_owned).collect();
        tree.iter().for_each(|line| assert!(line.chars().count() <= width, "{line}"));
        tree
    };
    vec![tree(80), tree(200)]
}

fn whole(root: &str) -> String {
    format!(r#"[{{"Plan": {root}, "Execution Time": 1000.0}}]"#)
}

#[test]
fn forty_thousand_siblings_are_one_line() {
    on_a_small_stack(|| {
        let mut root = String::new();
        open(&mut root, "Append", "Outer", 0, 1000.0);
        root.push_str(r#", "Plans": ["#);
        for number in 0..40_000 {
            open(&mut root, "Seq Scan", "Member", number, 0.005);
            root.push_str(if number == 39_999 { "}]}" } else { "}," });
        }
        let report = report(&whole(&root));
        for tree in trees(&report) {
            assert_eq!(tree.len(), 3, "{tree:#?}");
            assert!(tree[2].contains("└─ 40,000 × Seq Scan on t0 … t39999"), "{}", tree[2]);
        }
    });
}

#[test]
fn siblings_that_are_blamed_are_named_and_the_screen_ends() {
    on_a_small_stack(|| {
        let mut root = String::new();
        open(&mut root, "Hash Join", "Outer", 0, 100_000.0);
        root.push_str(r#", "Plans": ["#);
        // More than a fiftieth of the time each: of less nobody speaks.
        for number in 0..45 {
            open(&mut root, "Seq Scan", "Outer", number, 2_150.0 + number as f64);
            root.push_str(if number == 44 { "}]}" } else { "}," });
        }
        let report = report(&whole(&root));
        assert!(report.findings.len() >= 45, "{}", report.findings.len());
        for tree in trees(&report) {
            assert!(tree.len() <= 61, "{} lines", tree.len());
            assert!(tree.iter().any(|line| line.contains('◀')));
        }
    });
}

#[test]
fn a_tree_of_a_hundred_thousand_nodes_is_a_screen() {
    on_a_small_stack(|| {
        // Pre-order of a binary tree: the stack holds what is still to be closed.
        let mut text = String::new();
        let mut number = 0;
        let mut stack = vec![(0, "Outer")];
        let mut closing: Vec<usize> = Vec::new();
        while let Some((depth, side)) = stack.pop() {
            while closing.last().is_some_and(|open| *open >= depth) {
                text.push_str("]}");
                closing.pop();
            }
            if number > 0 && !text.ends_with('[') {
                text.push(',');
            }
            let leaf = depth == 14;
            open(&mut text, if leaf { "Seq Scan" } else { "Hash Join" }, side, number, (15 - depth) as f64);
            number += 1;
            match leaf {
                true => text.push('}'),
                false => {
                    text.push_str(r#", "Plans": ["#);
                    closing.push(depth);
                    stack.push((depth + 1, "Inner"));
                    stack.push((depth + 1, "Outer"));
                }
            }
        }
        closing.iter().for_each(|_| text.push_str("]}"));
        let report = report(&whole(&text));
        assert_eq!(report.statements[0].plans[0].plan.nodes.len(), 32_767);
        for tree in trees(&report) {
            assert!(tree.len() <= 61, "{} lines", tree.len());
        }
    });
}

#[test]
fn a_chain_of_ten_thousand_levels_is_a_screen() {
    on_a_small_stack(|| {
        for kind in ["Materialize", "Nested Loop", "Append"] {
            let mut text = String::new();
            for number in 0..10_000 {
                open(&mut text, kind, "Outer", number, 1000.0 - number as f64 * 0.02);
                text.push_str(r#", "Plans": ["#);
            }
            open(&mut text, "Seq Scan", "Inner", 10_000, 800.0);
            text.push('}');
            (0..10_000).for_each(|_| text.push_str("]}"));
            let report = report(&whole(&text));
            for tree in trees(&report) {
                assert!(tree.len() <= 60, "{} lines", tree.len());
                assert!(tree.iter().any(|line| line.contains("Seq Scan on t10000")), "{tree:#?}");
            }
        }
    });
}

#[test]
fn large_plans_are_compared_on_a_screen() {
    on_a_small_stack(|| {
        let chain = |kind: &str, turn: usize| {
            let mut text = String::new();
            for number in 0..10_000 {
                open(&mut text, kind, "Outer", number * turn, 1000.0 - number as f64 * 0.02);
                text.push_str(r#", "Plans": ["#);
            }
            open(&mut text, "Seq Scan", "Outer", 10_000, 800.0);
            text.push('}');
            (0..10_000).for_each(|_| text.push_str("]}"));
            whole(&text)
        };
        let wide = |kind: &str, turn: usize| {
            let mut root = String::new();
            open(&mut root, "Append", "Outer", 0, 1000.0);
            root.push_str(r#", "Plans": ["#);
            for number in 0..30_000 {
                open(&mut root, kind, "Member", number * turn, 0.005);
                root.push_str(if number == 29_999 { "}]}" } else { "}," });
            }
            whole(&root)
        };
        let origin = || Origin { kind: OriginKind::File, path: None, line: None };
        for (base, head) in [
            (chain("Nested Loop", 1), chain("Hash Join", 1)),
            (chain("Materialize", 1), chain("Append", 0)),
            (chain("Nested Loop", 1), wide("Seq Scan", 1)),
            (wide("Seq Scan", 1), wide("Index Scan", 1)),
            (wide("Seq Scan", 1), wide("Seq Scan", 0)),
        ] {
            let plan = |text: &str| read_json(text).expect("a plan").remove(0);
            let (base, head) = ((origin(), plan(&base)), (origin(), plan(&head)));
            let report = compare_plans(base, head, &Config::default());
            let style = Style { width: 80, color: false, verbose: false, quiet: false };
            let text = text::render(&report, &style);
            assert!(text.lines().count() <= 40, "{text}");
            assert!(json::render(&report).contains("\"same_shape\": false"));
        }
    });
}
