//! Reading: every printed value reaches the plan, and damaged input gives a plan or a clear error.

use super::{MAJORS, fixture_text, fixtures, read};
use pgproof::error::Kind;
use pgproof::facts::facts;
use pgproof::plan::{Plan, Relationship, read_json};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::HashSet;

#[test]
fn every_fixture_reads_in_pre_order() {
    let all = fixtures();
    assert!(all.len() > 400, "{} fixtures", all.len());
    for (name, text) in &all {
        let plans = read(text);
        assert!(!plans.is_empty(), "{name}");
        for plan in plans.iter().filter(|plan| plan.utility.is_none()) {
            for (index, node) in plan.nodes.iter().enumerate() {
                assert_eq!(node.id, index, "{name}");
                assert!(node.parent.is_none_or(|parent| parent < index), "{name}");
                assert_eq!(node.parent.is_none(), node.relationship == Relationship::Root, "{name}");
            }
            assert_eq!(plan.subtree(0).count(), plan.nodes.len(), "{name}");
        }
    }
}

/// Calls `change` for every scalar with the path of names that leads to it; lists have no step of their own.
fn scalars(
    value: &mut Value,
    path: &str,
    kind: &str,
    change: &mut impl FnMut(&str, &mut Value) -> bool,
) -> bool {
    match value {
        Value::Object(group) => {
            let kind = group.get("Node Type").and_then(Value::as_str).unwrap_or(kind).to_owned();
            let group = group.iter_mut();
            group.into_iter().any(|(key, value)| {
                let path = match key.as_str() {
                    "Plan" | "Plans" => "node".to_owned(),
                    _ => format!("{path}/{key}"),
                };
                scalars(value, &path, &kind, change)
            })
        }
        Value::Array(list) => list.iter_mut().any(|value| scalars(value, path, kind, change)),
        scalar => change(&format!("{kind}: {path}"), scalar),
    }
}

/// Changing any one value that a server printed must change the plan: so nothing that was printed is lost.
#[test]
fn every_printed_value_reaches_the_plan() {
    let mut seen: HashSet<String> = HashSet::new();
    for (name, text) in fixtures() {
        let (major, _) = name.split_once('/').unwrap();
        let original = read(&text);
        let value: Value = serde_json::from_str(&text).unwrap();
        loop {
            let mut changed = None;
            scalars(&mut value.clone(), "", "", &mut |path, _| {
                if changed.is_some() || !seen.insert(format!("{major} {path}")) {
                    return false;
                }
                changed = Some(path.to_owned());
                true
            });
            let Some(path) = changed else { break };
            let mut copy = value.clone();
            let mut done = false;
            scalars(&mut copy, "", "", &mut |here, scalar| {
                if here != path || done {
                    return false;
                }
                done = true;
                *scalar = match &*scalar {
                    Value::String(text) => format!("{text}x").into(),
                    Value::Number(number) => (number.as_f64().unwrap() * 2.0 + 7.0).into(),
                    Value::Bool(flag) => (!flag).into(),
                    other => panic!("{name} {path}: {other}"),
                };
                if path.ends_with("Query Identifier") || path.ends_with("Worker Number") {
                    *scalar = 7.into();
                }
                true
            });
            let changed = read_json(&copy.to_string()).expect("still a plan");
            assert!(changed != original, "{name} loses {path}");
        }
    }
    assert!(seen.len() > 3000, "{} different values", seen.len());
}

#[test]
fn rules_give_several_plans_and_a_bare_word() {
    for major in MAJORS {
        let plans = read(&fixture_text(&format!("{major}/rule-with-notify")));
        let utilities: Vec<_> = plans.iter().filter_map(|plan| plan.utility.as_deref()).collect();
        assert_eq!((plans.len(), utilities), (3, vec!["Notify"]), "{major}");
    }
}

#[test]
fn what_breaks_other_readers_is_read() {
    let node = |inside: &str| format!(r#"[{{"Plan": {{"Node Type": "Sort"{inside}}}}}]"#);
    let one = |inside: &str| read(&node(inside)).remove(0).nodes.remove(0);

    let twice = one(r#", "Workers": [
            {"Worker Number": 0, "Sort Method": "quicksort", "Sort Space Used": 25, "Sort Space Type": "Memory"},
            {"Worker Number": 1}],
        "Workers": [{"Worker Number": 0, "Actual Rows": 3, "Actual Loops": 1}]"#);
    assert_eq!(twice.workers.len(), 2);
    assert!(twice.workers[0].sort.is_some() && twice.workers[0].execution.is_some());

    let pruned = one(r#", "Plans": [ "Subplans Removed": 2, {"Node Type": "Seq Scan"} ]"#);
    assert_eq!(pruned.detail.subplans_removed, Some(2.0));

    let large = one(
        r#", "Startup Cost": 0, "Total Cost": 10000000000.00, "Plan Rows": 999999999999999983222784, "Plan Width": 4"#,
    );
    assert_eq!(large.estimate.unwrap().rows.0, 1e24 - 16_777_216.0);

    // A cost that overflows is printed bare; it is no number.
    let endless = one(r#", "Startup Cost": 0.00, "Total Cost": inf, "Plan Rows": NaN, "Plan Width": 4"#);
    assert_eq!(endless.estimate, None);
    assert!(endless.extra.contains(&("Total Cost".to_owned(), "inf".into())), "{:?}", endless.extra);

    // A console broke this line: no server prints a line feed inside a string.
    let broken = pgproof::plan::read(&node(", \"Filter\": \"(a =\n 'b')\""), None).unwrap().remove(0);
    assert_eq!(broken.nodes[0].detail.filter.as_deref(), Some("(a = 'b')"));

    let escaped = one(r#", "Filter": "(a = '\u00e9\ud83d\ude00\"\\\n\ud800')""#);
    assert_eq!(escaped.detail.filter.as_deref(), Some("(a = 'é😀\"\\\n\u{fffd}')"));

    let unknown =
        one(r#", "Zeta": {"a": [1, null, {}]}, "Alpha": -2.5, "Actual Rows": "many", "Output": ["x", 1]"#);
    let keys: Vec<_> = unknown.extra.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        keys,
        [r#"Zeta={"a":[1,null,{}]}"#, "Alpha=-2.5", r#"Actual Rows="many""#, r#"Output=["x",1]"#]
    );

    assert_eq!(read(&format!("\u{feff}\r\n {}\r\n(1 row)\r\n", node("").replace(',', ",\r\n"))).len(), 1);
    assert_eq!(read(&format!("{}\n{}", node(""), node(""))).len(), 2);
    assert_eq!(read(&format!("{}\n[Your log message was truncated]", node(""))).len(), 1);

    let logged = read(
        r#"{"Query Text": "select 1;", "Query Parameters": "$1 = '7'", "Plan": {"Node Type": "Result"},
            "Settings": {"work_mem": "1MB"}, "Query Identifier": -7577348217556126017, "Triggers": []}"#,
    );
    assert_eq!(logged[0].query_identifier, Some(-7577348217556126017));
    assert_eq!(logged[0].settings, Some(vec![("work_mem".to_owned(), "1MB".to_owned())]));
    assert_eq!(logged[0].triggers, Some(vec![]));
    assert_eq!(logged[0].extra, []);

    for (timing, generation, deform) in
        [("1.5", 1.5, None), (r#"{"Deform": 0.2, "Total": 1.1}"#, 1.1, Some(0.2))]
    {
        let text = format!(
            r#"[{{"Plan": {{"Node Type": "Result"}}, "JIT": {{"Functions": 3, "Options": {{"Inlining": false}},
                "Timing": {{"Generation": {timing}, "Inlining": 0, "Optimization": 1, "Emission": 2, "Total": 4}}}}}}]"#
        );
        let jit = read(&text).remove(0).jit.unwrap();
        assert_eq!((jit.generation.unwrap().0, jit.deform.map(|time| time.0)), (generation, deform));
        assert_eq!((jit.functions, jit.extra), (3.0, vec![]));
    }
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    // Input, line, column, what the cause says.
    let cases = [
        ("", 1, 1, "found the end of the input"),
        ("Seq Scan on a  (cost=0.00..1.01)", 1, 1, "found `Seq`"),
        ("[{\n  \"Plan\": {\n    \"Node Type\" \"Sort\"}}]", 3, 17, "expected `:`, found `\"`"),
        ("[{\"Plan\": {\"Node Type\": \"Sort\"", 1, 31, "expected `,` or `}`, found the end of the input"),
        ("[{\"Plan\": {\"Plan Rows\": 1}}]", 1, 11, "expected a group with a `Node Type`"),
        ("[{\"é\": 1}]", 1, 2, "expected a group with a `Plan`"),
        ("[]", 1, 1, "expected a plan"),
        ("[{\"Plan\": {\"Node Type\": tru}}]", 1, 25, "expected a value, found `tru`"),
        ("[{\"Plan\": {\"é\": ]", 1, 17, "expected a value, found `]`"),
    ];
    for (text, line, column, cause) in cases {
        let error = read_json(text).expect_err(text);
        assert_eq!(error.kind(), Kind::Input);
        assert_eq!(error.doing(), format!("read the JSON plan at line {line}, column {column}"), "{text}");
        assert!(error.causes()[0].contains(cause), "{text}: {:?}", error.causes());
        let excerpt = error.excerpt().unwrap();
        assert_eq!(excerpt.first_line, line);
        assert!(excerpt.text.get(excerpt.start..excerpt.end).is_some(), "{text}: {excerpt:?}");
    }
}

#[test]
fn deep_and_wide_plans_are_read() {
    let open = r#"{"Node Type": "Materialize", "Parent Relationship": "Outer", "Actual Total Time": 0.5,
        "Actual Rows": 1, "Actual Loops": 1, "Plans": ["#;
    let deep = format!("[{{\"Plan\": {}{}}}]", open.repeat(20_000), "]}".repeat(20_000));
    let plan = read(&deep).remove(0);
    assert_eq!(facts(&plan).nodes.len(), 20_000);

    let child =
        r#"{"Node Type": "Seq Scan", "Parent Relationship": "Member", "Actual Rows": 1, "Actual Loops": 1}"#;
    let wide =
        format!(r#"[{{"Plan": {{"Node Type": "Append", "Plans": [{}]}}}}]"#, vec![child; 100_000].join(","));
    let plan = read(&wide).remove(0);
    assert_eq!(facts(&plan).nodes.len(), 100_001);

    let (open, close) = ("[".repeat(20_000), "]".repeat(20_000));
    let unknown = format!(r#"[{{"Plan": {{"Node Type": "Result", "Custom": {open}{close}}}}}]"#);
    assert_eq!(read(&unknown)[0].nodes[0].extra.len(), 1);
}

/// A parallel plan, one with CTEs, one with JIT, one with sort groups: small enough to damage everywhere.
const SMALL: [&str; 4] = ["18/parallel-init-plan", "13/cte-chain", "17/jit", "16/incremental-sort"];

const TOKENS: [&str; 20] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"Plan\":",
    "\"Plans\":[",
    "\"Workers\":[",
    "\"Node Type\":\"Sort\"",
    "\"a\"",
    "1",
    "-",
    "1e999",
    "null",
    "\"",
    "\\",
    "\\u",
    "é",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_json(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_tokens_never_panic(tokens in prop::collection::vec(prop::sample::select(&TOKENS[..]), 0..60)) {
        let text = format!("[{{\"Plan\":{{{}", tokens.concat());
        for plan in read_json(&text).unwrap_or_default() {
            facts(&plan);
        }
    }

    #[test]
    fn a_damaged_plan_is_a_plan_or_a_clear_error(
        which in 0..SMALL.len(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = fixture_text(SMALL[which]).into_bytes();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        match read_json(&String::from_utf8_lossy(&bytes)) {
            Ok(plans) => plans.iter().for_each(|plan| { facts(plan); }),
            Err(error) => {
                prop_assert_eq!(error.kind(), Kind::Input);
                let excerpt = error.excerpt().expect("a place");
                prop_assert!(excerpt.text.get(excerpt.start..excerpt.end).is_some());
            }
        }
    }
}

#[test]
fn a_plan_cut_at_any_byte_is_an_error() {
    let text = fixture_text("18/cte-once");
    let text = text.trim_end();
    for at in (0..text.len()).filter(|&at| text.is_char_boundary(at)) {
        let error = read_json(&text[..at]).expect_err("a cut plan");
        assert_eq!(error.kind(), Kind::Input);
        assert!(error.excerpt().is_some() && !error.causes().is_empty());
    }
}

#[test]
fn plans_of_citus_workers_hang_under_their_tasks() {
    // No server here has the extension: the shape is that of its `multi_explain.c`.
    let text = "Custom Scan (Citus Adaptive)  (cost=0.00..0.00 rows=100000 width=4) (actual time=5.1..5.2 rows=9 loops=1)
  Task Count: 32
  Tasks Shown: One of 32
  ->  Task
        Node: host=localhost port=9701 dbname=postgres
        ->  Seq Scan on t_102042 t  (cost=0.00..35.50 rows=2550 width=4) (actual time=0.1..0.2 rows=9 loops=1)
            Planning Time: 0.149 ms
            Execution Time: 0.031 ms
Planning Time: 1.259 ms
Execution Time: 6.896 ms
";
    let json = r#"[{"Plan": {"Node Type": "Custom Scan", "Custom Plan Provider": "Citus Adaptive", "Startup Cost": 0.00,
        "Total Cost": 0.00, "Plan Rows": 100000, "Plan Width": 4, "Actual Startup Time": 5.1, "Actual Total Time": 5.2,
        "Actual Rows": 9, "Actual Loops": 1, "Distributed Query": {"Job": {"Task Count": 32, "Tasks Shown": "One of 32",
        "Tasks": [{"Node": "host=localhost port=9701 dbname=postgres", "Remote Plan": [[{"Plan": {"Node Type": "Seq Scan",
        "Relation Name": "t_102042", "Alias": "t", "Startup Cost": 0.00, "Total Cost": 35.50, "Plan Rows": 2550,
        "Plan Width": 4, "Actual Startup Time": 0.1, "Actual Total Time": 0.2, "Actual Rows": 9, "Actual Loops": 1},
        "Planning Time": 0.149, "Execution Time": 0.031}]]}]}}}, "Planning Time": 1.259, "Execution Time": 6.896}]"#;
    let (text, json) = (pgproof::plan::read_text(text).unwrap().remove(0), read(json).remove(0));
    let shape = |plan: &Plan| -> Vec<String> {
        let nodes = plan.nodes.iter();
        nodes
            .map(|n| {
                format!("{:?} {} {:?} {:?} {:?}", n.parent, n.kind, n.relationship, n.estimate, n.execution)
            })
            .collect()
    };
    assert_eq!(shape(&text), shape(&json));
    assert_eq!(text.nodes.len(), 3);
    assert_eq!((text.planning_time, text.execution_time), (json.planning_time, json.execution_time));
}

/// Every node type that EXPLAIN names (`ExplainNode` in the server's explain.c), with the first major that has it.
/// `Custom Scan` is none of the server's own: extensions make it, and none of those that come with it does.
const NODE_TYPES: &[(&str, u32)] = &[
    ("Aggregate", 13),
    ("Append", 13),
    ("Bitmap Heap Scan", 13),
    ("Bitmap Index Scan", 13),
    ("BitmapAnd", 13),
    ("BitmapOr", 13),
    ("CTE Scan", 13),
    ("Foreign Scan", 13),
    ("Function Scan", 13),
    ("Gather", 13),
    ("Gather Merge", 13),
    ("Group", 13),
    ("Hash", 13),
    ("Hash Join", 13),
    ("Incremental Sort", 13),
    ("Index Only Scan", 13),
    ("Index Scan", 13),
    ("Limit", 13),
    ("LockRows", 13),
    ("Materialize", 13),
    ("Memoize", 14),
    ("Merge Append", 13),
    ("Merge Join", 13),
    ("ModifyTable", 13),
    ("Named Tuplestore Scan", 13),
    ("Nested Loop", 13),
    ("ProjectSet", 13),
    ("Recursive Union", 13),
    ("Result", 13),
    ("Sample Scan", 13),
    ("Seq Scan", 13),
    ("SetOp", 13),
    ("Sort", 13),
    ("Subquery Scan", 13),
    ("Table Function Scan", 13),
    ("Tid Range Scan", 14),
    ("Tid Scan", 13),
    ("Unique", 13),
    ("Values Scan", 13),
    ("WindowAgg", 13),
    ("WorkTable Scan", 13),
];

#[test]
fn every_node_type_is_recorded_from_every_major_that_has_it() {
    use std::collections::BTreeSet;
    let mut seen: BTreeSet<(u32, String)> = BTreeSet::new();
    for (name, text) in fixtures() {
        let major = name.split('/').next().and_then(|major| major.parse().ok()).unwrap();
        seen.extend(read(&text).iter().flat_map(|plan| &plan.nodes).map(|node| (major, node.kind.clone())));
    }
    let mut missing = Vec::new();
    for major in super::MAJORS {
        let expected = NODE_TYPES.iter().filter(|(_, since)| *since <= major);
        missing.extend(
            expected.filter(|(kind, _)| !seen.contains(&(major, (*kind).to_owned()))).map(|k| (major, k.0)),
        );
    }
    assert!(missing.is_empty(), "not recorded: {missing:?}");
    let unknown: Vec<_> =
        seen.iter().filter(|(_, kind)| !NODE_TYPES.iter().any(|(known, _)| known == kind)).collect();
    assert!(unknown.is_empty(), "not in the list: {unknown:?}");
}
