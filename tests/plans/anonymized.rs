//! Anonymized plans give nothing of the original away, and are diagnosed as the original is.

use super::{fixtures, read};
use pgproof::analyse::analyse_plans;
use pgproof::anonymize::anonymize;
use pgproof::capture::{Origin, OriginKind};
use pgproof::plan::{Plan, read_json, read_text, write_json_list, write_text};
use pgproof::rules::Config;
use std::collections::BTreeSet;
use std::path::Path;

/// Every name of the schema that the plans were recorded on, and of the queries.
const NAMES: &[&str] = &[
    "a",
    "b",
    "small",
    "part",
    "part_1",
    "part_2",
    "part_3",
    "order lines",
    "order",
    "lines",
    "sparse",
    "audit",
    "target",
    "ruled",
    "grp",
    "val",
    "txt",
    "id",
    "a_id",
    "note",
    "k",
    "v",
    "n",
    "qty \"n\"",
    "qty",
    "what",
    "a_pkey",
    "a_grp",
    "a_val",
    "b_pkey",
    "b_a_id",
    "small_pkey",
    "part_k",
    "part_1_k_idx",
    "part_2_k_idx",
    "part_3_k_idx",
    "sparse_pkey",
    "sparse_v",
    "target_pkey",
    "audit_target",
    "note_change",
    "b_a_id_fkey",
    "t",
    "u",
    "my cte",
    "my",
    "cte",
    "r",
    "w",
    "unread",
    "s",
    "x",
    "y",
    "m",
    "o l",
    "o",
    "l",
    "g",
    "i",
    "q",
    "w1",
    "a1",
    "a2",
    "a3",
    "a4",
    "a5",
    "id_1",
    "t_1",
    "u_1",
    "r_1",
    "x_1",
    "a_1",
    "a_2",
    "b_1",
    "i_1",
];

/// Words of PostgreSQL's own that are names in these queries too, where they may stand: `name` is a type.
const ALSO_NAMES: &[&str] = &["name", "at"];

fn text_plans(name: &str) -> Vec<Plan> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans").join(format!("{name}.txt"));
    read_text(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs of characters of names; keys of JSON are not among them.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .filter(|word| !word.is_empty())
        .collect()
}

/// What stands between quotes.
fn literals(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('\'') {
        let Some((literal, after)) = after.split_once('\'') else { break };
        all.insert(literal.to_owned());
        rest = after;
    }
    all
}

/// The texts of a plan as it was printed, without keys and settings.
fn said(plan: &Plan) -> String {
    let bare = Plan { settings: None, ..plan.clone() };
    let value: serde_json::Value = serde_json::from_str(&write_json_list(&[bare])).unwrap();
    let mut texts = String::new();
    let mut left = vec![&value];
    while let Some(value) = left.pop() {
        match value {
            serde_json::Value::String(text) => {
                texts.push_str(text);
                texts.push('\n');
            }
            serde_json::Value::Array(list) => left.extend(list),
            serde_json::Value::Object(group) => left.extend(group.values()),
            _ => {}
        }
    }
    texts
}

#[test]
fn no_name_and_no_literal_leaks() {
    let forbidden: BTreeSet<&str> = NAMES.iter().chain(ALSO_NAMES).copied().collect();
    let mut literals_seen = 0;
    for (name, text) in fixtures() {
        for plans in [read(&text), text_plans(&name)] {
            let hidden = anonymize(&plans);
            let texts: String = hidden.iter().map(said).collect();
            let leaked: Vec<_> = words(&texts).intersection(&forbidden).copied().collect();
            assert!(leaked.is_empty(), "{name}: {leaked:?}\n{texts}");
            // The text notation says no more: its words are those of the plan or of the notation.
            let written: String = hidden.iter().map(write_text).collect();
            let lines: String = written.lines().filter(|line| !line.starts_with("Settings: ")).collect();
            let notation: BTreeSet<&str> = ["on", "a", "s"].into_iter().collect();
            let leaked: Vec<_> = words(&lines).intersection(&forbidden).copied().collect();
            assert!(leaked.iter().all(|word| notation.contains(word)), "{name}: {leaked:?}\n{written}");
            let before: BTreeSet<String> = plans.iter().flat_map(|plan| literals(&said(plan))).collect();
            let after: BTreeSet<String> = hidden.iter().flat_map(|plan| literals(&said(plan))).collect();
            literals_seen += before.len();
            assert!(before.is_disjoint(&after), "{name}: {before:?} {after:?}");
            // A pattern keeps the wildcard that it begins with.
            let made_up = |literal: &String| literal.trim_start_matches(['%', '_']).starts_with('s');
            assert!(after.iter().all(made_up), "{name}: {after:?}");
        }
    }
    assert!(literals_seen > 50, "{literals_seen} literals");
}

/// A plan with every text that a name or literal may stand in taken out.
fn shape(plan: &Plan) -> Vec<String> {
    let nodes = plan.nodes.iter().map(|n| {
        let counts = (n.detail.rows_removed_by_filter, &n.detail.hash, n.detail.heap_fetches, &n.detail.sort);
        let more =
            (n.detail.exact_heap_blocks, &n.detail.memoize, &n.detail.storage, n.detail.index_searches);
        let all =
            (n.id, n.parent, &n.relationship, &n.kind, n.estimate, n.execution, n.buffers, &n.io, &n.wal);
        let lists =
            (n.detail.output.len(), n.detail.sort_key.len(), n.detail.filter.is_some(), n.extra.len());
        format!("{all:?} {counts:?} {more:?} {lists:?} {:?} {:?}", n.workers_launched, n.workers.len())
    });
    let times = (plan.planning_time, plan.execution_time, plan.planning_memory, plan.planning_buffers);
    nodes.chain([format!("{times:?} {:?}", plan.serialization)]).collect()
}

#[test]
fn shape_and_figures_stay() {
    for (name, text) in fixtures() {
        for plans in [read(&text), text_plans(&name)] {
            for (plan, hidden) in plans.iter().zip(anonymize(&plans)) {
                assert_eq!(shape(plan), shape(&hidden), "{name}");
            }
        }
    }
}

#[test]
fn it_is_written_and_read_back() {
    for (name, text) in fixtures() {
        let hidden = anonymize(&read(&text));
        assert_eq!(read_json(&write_json_list(&hidden)).unwrap(), hidden, "{name}");
        let hidden = anonymize(&text_plans(&name));
        let written: String = hidden.iter().map(write_text).collect();
        assert_eq!(read_text(&written).unwrap(), hidden, "{name}\n{written}");
    }
}

#[test]
fn the_same_plans_give_the_same_names_and_twice_is_once() {
    for (name, text) in fixtures() {
        let plans = read(&text);
        let hidden = anonymize(&plans);
        assert_eq!(anonymize(&plans), hidden, "{name}");
        let (once, twice) = (write_json_list(&hidden), write_json_list(&anonymize(&hidden)));
        assert_eq!(once, twice, "{name}");
    }
}

#[test]
fn several_plans_share_their_names() {
    let all: Vec<Plan> =
        ["18/parallel-hash-join", "18/semi-join"].iter().flat_map(|name| text_plans(name)).collect();
    let hidden = anonymize(&all);
    let of = |plan: &Plan, relation: &str| {
        let at = all.iter().position(|p| p == plan).unwrap();
        let node = plan.nodes.iter().find(|n| n.detail.relation.as_deref() == Some(relation)).unwrap();
        hidden[at].nodes[node.id].detail.relation.clone()
    };
    for relation in ["a", "b"] {
        assert_eq!(of(&all[0], relation), of(&all[1], relation));
    }
    assert_ne!(of(&all[0], "a"), of(&all[0], "b"));
}

/// Rule and node of every finding.
fn findings(plans: Vec<Plan>) -> Vec<(String, Option<usize>)> {
    let origin = Origin { kind: OriginKind::File, path: None, line: None };
    let plans = plans.into_iter().map(|plan| (origin.clone(), plan)).collect();
    let report = analyse_plans(plans, &Config::default());
    report.findings.iter().map(|finding| (finding.rule.to_string(), finding.at.node)).collect()
}

#[test]
fn the_diagnosis_is_the_same() {
    let mut found = 0;
    let mut differ = Vec::new();
    for (name, text) in fixtures() {
        let plans = read(&text);
        let hidden = anonymize(&plans);
        let (before, after) = (findings(plans), findings(hidden.clone()));
        found += before.len();
        if before != after {
            differ.push(format!("{name}: {before:?} {after:?}"));
        }
        let through_text = read_text(&hidden.iter().map(write_text).collect::<String>()).unwrap();
        if findings(through_text) != before {
            differ.push(format!("{name}, through text: {before:?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(found > 40, "{found} findings");
}

#[test]
fn what_no_server_printed_is_hidden() {
    let secret = r#"{"Query Text": "select secret from accounts", "Query Parameters": "$1 = 'secret'", "Query Identifier": -757734,
        "secret": "secret", "Settings": {"search_path": "secret, public", "work_mem": "1MB", "my.secret": "on", "role": "secret"},
        "Triggers": [{"Trigger Name": "secret", "Constraint Name": "secret_fk", "Relation": "secret", "Time": 1, "Calls": 2, "secret": "secret"}],
        "Plan": {"Node Type": "secret scan", "Parent Relationship": "secret", "Subplan Name": "secret", "Schema": "secret",
            "Relation Name": "secret", "Alias": "secret", "Index Name": "secret", "Sort Method": "secret", "Sort Space Type": "Disk",
            "Sort Space Used": 1, "Strategy": "secret", "Output": ["secret.secret", "secret(1)", "1 -- secret", "/* secret */ 2", "'secret"],
            "Filter": "(secret = $$secret$$)", "Remote SQL": "SELECT secret FROM secret.secret WHERE secret = 'secret'",
            "Relations": "(secret.secret) INNER JOIN (secret secret)", "secret key": {"secret": ["secret", 1]},
            "Function Name": "secret", "Node": "host=secret port=5432 dbname=secret",
            "Workers": [{"Worker Number": 0, "secret": "secret"}],
            "Plans": [{"Node Type": "Function Scan", "Function Name": "lower", "Schema": "secret", "Alias": "lower"},
                {"Node Type": "CTE Scan", "Subplan Name": "CTE secret", "CTE Name": "secret"},
                {"Node Type": "Custom Scan", "Custom Plan Provider": "Citus Adaptive", "Distributed Query": "SELECT secret FROM secret_102008 WHERE (secret OPERATOR(secret.=) 'secret'::secret.secret)"}]},
        "JIT": {"Functions": 1, "Options": {"secret": true}, "secret": "secret"}}"#;
    let plans = read(secret);
    let hidden = anonymize(&plans);
    for text in [write_json_list(&hidden), write_text(&hidden[0])] {
        let lower = text.to_lowercase();
        assert!(
            !lower.contains("secret") && !lower.contains("accounts") && !lower.contains("757734"),
            "{text}"
        );
        assert!(text.contains("Citus Adaptive") && text.contains("work_mem"), "{text}");
    }
}

/// Pieces of SQL, damaged as pastes are: every name and literal in them holds `zq`.
const PIECES: &[&str] = &[
    "zqname",
    "\"Zq \"\"name\"",
    "'zq'",
    "E'z\\'q zq'",
    "$$zq$$",
    "$zq$ x $zq$",
    "zq.zq",
    "zq.zq.zq",
    "(",
    ")",
    "::",
    "::zq[]",
    "[",
    "]",
    ",",
    "zq(",
    "public.zq(",
    "OVER",
    "AS",
    "WITH",
    "FROM",
    "JOIN",
    "InitPlan",
    "SubPlan",
    "COLLATE",
    "extract(",
    "--zq\n",
    "/*zq*/",
    "U&\"zq\"",
    "U&'zq'",
    "X'zq'",
    "1zq",
    "$1",
    ".",
    "hashed",
    "COLUMNS",
    "'",
    "\"",
    "$$",
    "/*",
    "OPERATOR(",
    "*",
    "=",
    "timestamp",
    "alternatives:",
    "RETURNING",
    "ZQ",
    "é_zq",
    "\u{0}",
    "\\",
    "{zq}",
    "@zq",
    "1.5",
    "col1",
    ".col1",
];

proptest::proptest! {
    #[test]
    fn no_text_leaks_however_damaged(picks in proptest::collection::vec((0..PIECES.len(), 0..3usize), 0..14)) {
        let text: String = picks.iter().map(|(at, gap)| format!("{}{}", PIECES[*at], " ".repeat(*gap))).collect();
        let mut plan = read(r#"{"Plan": {"Node Type": "Result", "Custom": "x", "Relations": "x", "Grouping Sets": [["x"]]}}"#).remove(0);
        plan.settings = Some(vec![("search_path".to_owned(), text.clone())]);
        let node = &mut plan.nodes[0];
        node.subplan_name = Some(text.clone());
        node.detail.filter = Some(text.clone());
        node.detail.output = vec![text.clone()];
        (node.detail.alias, node.detail.relation) = (Some(text.clone()), Some(text.clone()));
        for (_, value) in &mut node.extra {
            *value = text.clone().into();
        }
        node.extra.push((format!("zq{text}"), serde_json::json!({ format!("zq{text}"): [text] })));
        let hidden = anonymize(&[plan]);
        let written = write_json_list(&hidden) + &write_text(&hidden[0]);
        proptest::prop_assert!(!written.to_lowercase().contains("zq"), "{text:?}\n{written}");
    }
}
