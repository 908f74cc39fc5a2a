//! A thousand varied statements, explained by real servers in text and in JSON: the two give the same plan.
#![allow(clippy::disallowed_methods)] // Tests are an edge.

#[path = "../plans/comparable.rs"]
mod comparable;
mod generate;
#[path = "../support/mod.rs"]
mod support;

use comparable::{comparable, diff};
use pgproof::plan::{Plan, read};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Statements for each of the oldest and the newest major.
const STATEMENTS: u64 = 600;
/// Further runs of a parallel statement whose two executions went different ways.
const PARALLEL_RUNS: usize = 3;

#[test]
fn text_and_json_of_a_thousand_statements_are_one_plan() {
    let majors = support::majors();
    let (oldest, newest) = (majors.iter().min(), majors.iter().max());
    let mut wanted: Vec<u32> = oldest.into_iter().chain(newest).copied().collect();
    wanted.dedup();
    let each = if wanted.len() == 1 { STATEMENTS * 2 } else { STATEMENTS };
    let results: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            wanted.iter().map(|major| scope.spawn(move || compared(*major, each))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ended")).collect()
    });
    let compared: usize = results.iter().map(|(count, _)| count).sum();
    let failures: Vec<String> = results.into_iter().flat_map(|(_, failures)| failures).collect();
    let (count, shown) = (failures.len(), failures.into_iter().take(5).collect::<Vec<_>>());
    assert!(count == 0, "{count} of {compared} differ:\n{}", shown.join("\n\n"));
    assert!(compared >= 1000, "only {compared} statements were explained");
}

/// How many of the first `each` statements one server explained, and those whose two plans differ.
fn compared(major: u32, each: u64) -> (usize, Vec<String>) {
    let db = support::database(major);
    let schema =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/plans/schema.sql")).unwrap();
    // VACUUM runs by itself only.
    let (schema, _) = schema.split_once("VACUUM").unwrap();
    db.execute(schema);
    db.execute("ANALYZE");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let (mut count, mut failures) = (0, Vec::new());
        for number in 0..each {
            let generated = generate::statement(number);
            let Some((mut text, mut json)) = explained(&client, &generated).await else { continue };
            count += 1;
            let differ = |text: &str, json: &str| match (read(text, None), read(json, None)) {
                (Ok(text), Ok(json)) => differences(json, text),
                _ => "not read".to_owned(),
            };
            let mut different = differ(&text, &json);
            // The two are two executions: under a LIMIT, which part of a parallel plan a worker got to is its own affair.
            for _ in 0..PARALLEL_RUNS {
                if different.is_empty() || !text.contains("Workers Launched") {
                    break;
                }
                let Some(again) = explained(&client, &generated).await else { break };
                (text, json) = again;
                different = differ(&text, &json);
            }
            if !different.is_empty() {
                let (options, statement) = (&generated.options, &generated.statement);
                failures.push(format!(
                    "PostgreSQL {major}, {number}, ({options}): {statement}: {different}\n{text}"
                ));
            }
        }
        (count, failures)
    })
}

/// What EXPLAIN prints in text and in JSON; `None` where the server refuses the statement or takes too long.
async fn explained(client: &Client, generated: &generate::Generated) -> Option<(String, String)> {
    let settings = generated.settings.join("; ");
    let mut printed = Vec::new();
    // Each in a transaction of its own, so that a write is undone before the next.
    for format in ["TEXT", "JSON"] {
        let explain = format!("EXPLAIN ({}, FORMAT {format}) {}", generated.options, generated.statement);
        let ran = client.simple_query(&format!("BEGIN; {settings}; {explain}; ROLLBACK")).await;
        let Ok(messages) = ran else {
            client.simple_query("ROLLBACK").await.unwrap();
            return None;
        };
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        printed.push(rows.collect::<Vec<_>>().join("\n"));
    }
    let json = printed.pop()?;
    Some((printed.pop()?, json))
}

fn differences(json: Vec<Plan>, text: Vec<Plan>) -> String {
    let json: Vec<Plan> = json.into_iter().map(comparable).collect();
    let text: Vec<Plan> = text.into_iter().map(comparable).collect();
    let kinds = |plans: &[Plan]| -> Vec<String> {
        let nodes = plans.iter().flat_map(|plan| &plan.nodes);
        nodes.map(|node| format!("{:?} {}", node.parent, node.kind)).collect()
    };
    if kinds(&json) != kinds(&text) {
        return format!("{:?} is {:?}", kinds(&json), kinds(&text));
    }
    let (a, b) = (format!("{json:#?}"), format!("{text:#?}"));
    if a == b { String::new() } else { diff(&a, &b).join(" ") }
}
