//! What is written reads back as the same plan, in JSON exactly and in text as far as text can say it.

use super::{MAJORS, fixtures, read};
use pgproof::plan::{
    Buffers, Execution, Hash, IoTimes, Plan, Relationship, read_json, read_text, write_json, write_json_list,
    write_text,
};
use pgproof::units::{Blocks, Millis};
use serde_json::Value;
use std::path::Path;

#[test]
fn json_reads_back_as_the_same_plan() {
    let mut compared = 0;
    for (name, text) in fixtures() {
        let plans = read(&text);
        for plan in &plans {
            assert_eq!(&read(&write_json(plan)), std::slice::from_ref(plan), "{name}");
            compared += 1;
        }
        assert_eq!(read(&write_json_list(&plans)), plans, "{name}");
        for plan in text_plans(&name) {
            assert_eq!(read(&write_json(&plan)), [plan], "{name}.txt");
            compared += 1;
        }
    }
    assert!(compared > 800, "{compared} plans");
}

/// The recording in text that stands beside the one in JSON.
fn text_plans(name: &str) -> Vec<Plan> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans").join(format!("{name}.txt"));
    read_text(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn text_reads_back_as_the_same_plan() {
    for (name, _) in fixtures() {
        for plan in text_plans(&name) {
            let text = write_text(&plan);
            let again = read_text(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            assert_eq!(again, [plan], "{name}\n{text}");
        }
    }
}

/// Lines as the server printed them. Where nothing tells that it was 18 or later, whole rows lose their `.00`.
#[test]
fn text_is_written_as_the_server_prints_it() {
    let mut same = 0;
    for (name, _) in fixtures() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans").join(format!("{name}.txt"));
        let whole = |text: &str| text.replace(".00 loops", " loops");
        let printed = whole(&std::fs::read_to_string(path).unwrap());
        let written = whole(&text_plans(&name).iter().map(write_text).collect::<String>());
        let (mut printed, mut written): (Vec<&str>, Vec<&str>) =
            (printed.lines().filter(|line| !line.is_empty()).collect(), written.lines().collect());
        same += usize::from(printed == written);
        // The order of a node's lines is that of one server; another's may differ.
        printed.sort_unstable();
        written.sort_unstable();
        assert_eq!(printed, written, "{name}");
    }
    assert!(same > 350, "{same} are the same line for line");
}

/// A plan without what text leaves out: false flags, zeros, relationships that the place does not tell.
fn in_text(mut plan: Plan) -> Plan {
    let no_blocks = |buffers: &mut Option<Buffers>| *buffers = buffers.filter(|b| *b != Buffers::default());
    let no_times = |io: &mut Option<IoTimes>| {
        if let Some(io) = io {
            for time in [
                &mut io.shared_read,
                &mut io.shared_write,
                &mut io.local_read,
                &mut io.local_write,
                &mut io.temp_read,
                &mut io.temp_write,
            ] {
                *time = time.filter(|time| time.0 != 0.0);
            }
        }
        *io = io.filter(|io| *io != IoTimes::default());
    };
    no_blocks(&mut plan.planning_buffers);
    no_times(&mut plan.planning_io);
    plan.triggers = plan.triggers.filter(|triggers| !triggers.is_empty());
    plan.settings = plan.settings.filter(|settings| !settings.is_empty());
    if let Some(serialization) = &mut plan.serialization {
        no_blocks(&mut serialization.buffers);
        no_times(&mut serialization.io);
    }
    let modifying: Vec<usize> = plan.nodes.iter().filter(|n| n.kind == "ModifyTable").map(|n| n.id).collect();
    let hash = |hash: &mut Option<Hash>| {
        if let Some(hash) = hash {
            let grew = hash.original_buckets.is_some_and(|o| Some(o) != hash.buckets)
                || hash.original_batches.is_some_and(|o| Some(o) != hash.batches);
            hash.original_buckets = hash.original_buckets.filter(|_| grew);
            hash.original_batches = hash.original_batches.filter(|_| grew);
            hash.planned_partitions = hash.planned_partitions.filter(|p| *p != 0.0);
            hash.disk = hash.disk.filter(|b| b.0 != 0);
        }
        *hash = hash.filter(|hash| *hash != Hash::default());
    };
    for node in &mut plan.nodes {
        let under_modify = node.parent.is_some_and(|p| modifying.contains(&p));
        if node.relationship == Relationship::Member && under_modify {
            node.relationship = Relationship::Outer;
        }
        no_blocks(&mut node.buffers);
        node.io = node.io.take().and_then(|io| {
            let mut io = Some(*io);
            no_times(&mut io);
            io.map(Box::new)
        });
        let d = &mut node.detail;
        for flag in [
            &mut d.parallel_aware,
            &mut d.async_capable,
            &mut d.disabled,
            &mut d.inner_unique,
            &mut d.single_copy,
        ] {
            *flag = flag.filter(|f| *f);
        }
        for count in [
            &mut d.rows_removed_by_filter,
            &mut d.rows_removed_by_join_filter,
            &mut d.rows_removed_by_index_recheck,
            &mut d.rows_removed_by_conflict_filter,
            &mut d.subplans_removed,
        ] {
            *count = count.filter(|c| *c != 0.0);
        }
        for blocks in [&mut d.exact_heap_blocks, &mut d.lossy_heap_blocks] {
            *blocks = blocks.filter(|b| *b != Blocks(0));
        }
        let mut table = d.hash.take().map(|table| *table);
        hash(&mut table);
        d.hash = table.map(Box::new);
        node.extra.retain(|(key, value)| !(key.starts_with("Tuples ") && value == 0));
        // Text puts grouping sets and further targets behind the other lines of a node.
        node.extra.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(wal) = &mut node.wal {
            wal.buffers_full = wal.buffers_full.filter(|full| *full != 0.0);
        }
        for worker in &mut node.workers {
            no_blocks(&mut worker.buffers);
            no_times(&mut worker.io);
            hash(&mut worker.hash);
            if let Some(wal) = &mut worker.wal {
                wal.buffers_full = wal.buffers_full.filter(|full| *full != 0.0);
            }
            for blocks in [&mut worker.exact_heap_blocks, &mut worker.lossy_heap_blocks] {
                *blocks = blocks.filter(|b| *b != Blocks(0));
            }
        }
        if let Execution::Ran(ran) = &mut node.execution
            && ran.loops == 0.0
        {
            node.execution = Execution::NeverRan;
        }
    }
    plan
}

#[test]
fn a_plan_from_json_reads_back_from_text() {
    for (name, text) in fixtures() {
        let plans = read(&text);
        let written: String = plans.iter().map(write_text).collect();
        let again = read_text(&written).unwrap_or_else(|error| panic!("{name}: {error}\n{written}"));
        let (plans, again): (Vec<_>, Vec<_>) =
            (plans.into_iter().map(in_text).collect(), again.into_iter().map(in_text).collect());
        assert_eq!(plans, again, "{name}\n{written}");
    }
}

#[test]
fn what_is_rare_survives_json() {
    for text in [
        r#"[{"Plan": {"Node Type": "Sort", "Zeta": {"a": [1, null, {}, []]}, "Alpha": -2.5, "Actual Rows": "many", "Output": ["x", 1],
            "Plan Rows": 3, "Sort Method": "quicksort", "Storage": "Disk", "Plans": [[1, {"a": 2}], "Subplans Removed": 2]}}]"#,
        r#"[{"Plan": {"Node Type": "Sort", "Plan Rows": 999999999999999983222784, "Startup Cost": 0.001, "Total Cost": 1e3, "Plan Width": 4,
            "Workers": [{"Sort Method": "x"}, {"Worker Number": 0, "Foo": true}]}}]"#,
        r#"{"Query Text": "select 1;\n-- \"x\"", "Query Parameters": "$1 = '7'", "Plan": {"Node Type": "Result", "Filter": "(a = 'é😀\u0001\"\\')"},
            "Settings": {"work_mem": "1MB"}, "Query Identifier": -7577348217556126017, "Triggers": [{"Trigger Name": "t", "Calls": 2, "X": 1}, 7],
            "JIT": {"Functions": 3, "Options": {"Inlining": false, "Zeta": "?"},
                "Timing": {"Generation": {"Deform": 0.2, "Total": 1.1, "Other": 1}, "Inlining": 0, "More": 1}, "Rest": [1]},
            "Planning": {"Shared Hit Blocks": 1, "Memory Used": 3, "Rest": 2}, "Zeta": 1.5,
            "Serialization": {"Time": 0.1, "Output Volume": 3, "Format": "binary", "Local Hit Blocks": 2, "Rest": "x"}}"#,
    ] {
        let plan = read(text).remove(0);
        let json = write_json(&plan);
        assert_eq!(read(&json), [plan], "{json}");
    }
    let json = write_json(&read(r#"["Notify", {"Plan": {"Node Type": "Result"}}]"#)[0]);
    assert_eq!(json, "[\n  \"Notify\"\n]\n");
}

/// The server's own keys, each as often.
#[test]
fn json_is_what_other_readers_expect() {
    for major in MAJORS {
        for name in ["parallel-hash-join", "jit", "grouping-sets", "update-with-trigger"] {
            let printed = super::fixture_text(&format!("{major}/{name}"));
            let written = write_json_list(&read(&printed));
            let (printed, written): (Value, Value) =
                (serde_json::from_str(&printed).unwrap(), serde_json::from_str(&written).unwrap());
            assert_eq!(keys(&printed), keys(&written), "{major}/{name}");
        }
    }
}

/// Every key of a document, but for counters that are zero.
fn keys(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(group) => {
                all.extend(group.keys().filter(|key| !key.starts_with("WAL")).cloned());
                left.extend(group.values());
            }
            Value::Array(list) => left.extend(list),
            _ => {}
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn deep_plans_are_written() {
    let open = r#"{"Node Type": "Materialize", "Parent Relationship": "Outer", "Actual Rows": 1, "Actual Loops": 1, "Plans": ["#;
    let nested = |levels: usize| format!("[{{\"Plan\": {}{}}}]", open.repeat(levels), "]}".repeat(levels));
    let plan = read(&nested(10_000)).remove(0);
    let json = write_json(&plan);
    assert!(json.len() < 20_000_000, "{} bytes", json.len());
    assert_eq!(read_json(&json).unwrap(), [plan]);
    let plan = read(&nested(1_000)).remove(0);
    let text = write_text(&plan);
    assert_eq!(read_text(&text).unwrap()[0].nodes.len(), 1_000);
    assert_eq!(text.lines().count(), 1_000);
}

#[test]
fn the_duration_of_a_log_entry_is_written_as_text() {
    let log = "LOG:  duration: 12.500 ms  plan:\n\tQuery Text: select 1\n\tSeq Scan on a  (cost=0.00..1.00 rows=1 width=4)\n\t  Filter: (b = 1)\n";
    let plan = pgproof::plan::read(log, None).unwrap().remove(0);
    assert_eq!(plan.duration, Some(Millis(12.5)));
    let text = write_text(&plan);
    assert_eq!(pgproof::plan::read(&text, None).unwrap(), [plan], "{text}");
}
