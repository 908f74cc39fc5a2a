//! What pgproof says of servers that are well: an expert should call none of it noise.
//!
//! ```text
//! cargo bench --bench silence                          pgbench (scale 50), TPC-H (scale 1), the demo's cured shop
//! cargo bench --bench silence -- --pgbench 5 --tpch 0.1
//! cargo bench --bench silence -- --only tpch -v        every finding with its reason
//! ```
//!
//! It starts a throwaway server of the newest major, tuned as such a server would be, loads each workload with its
//! indexes and statistics, and explains its statements. It prints every finding, warnings and errors first, and how
//! many there are. TPC-H's rows come from `tpchgen`, its queries stand in `silence/tpch.sql`.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // A benchmark is an edge.

use pgproof::scratch::{self, Options, Server};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt::Display;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tokio_postgres::{Client, NoTls};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};

/// Eight gigabytes of memory, an SSD, two cores, and nothing that runs by itself while we look.
const SETTINGS: [(&str, &str); 10] = [
    ("shared_buffers", "2GB"),
    ("effective_cache_size", "6GB"),
    ("work_mem", "256MB"),
    ("maintenance_work_mem", "512MB"),
    ("random_page_cost", "1.1"),
    ("max_wal_size", "8GB"),
    ("fsync", "off"),
    ("autovacuum", "off"),
    ("track_io_timing", "on"),
    ("max_parallel_workers_per_gather", "2"),
];

/// TPC-B as pgbench runs it: its five statements, each with a value.
const PGBENCH: &str = "
UPDATE pgbench_accounts SET abalance = abalance + 17 WHERE aid = 123456;
SELECT abalance FROM pgbench_accounts WHERE aid = 234567;
UPDATE pgbench_tellers SET tbalance = tbalance + 17 WHERE tid = 7;
UPDATE pgbench_branches SET bbalance = bbalance + 17 WHERE bid = 3;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (7, 3, 123456, 17, CURRENT_TIMESTAMP);
";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number = |name: &str, default: f64| value(name).map_or(default, |v| v.parse().expect("a number"));
    let only = value("--only").map_or("", String::as_str);
    let verbose = args.iter().any(|arg| arg == "-v");
    let installation = scratch::installations().pop().expect("PostgreSQL on this machine");
    let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let options =
        Options { source: scratch::Source::BinDir(installation.bin_dir), settings, ..Options::default() };
    let server = Server::start(&options).unwrap_or_else(|e| panic!("{e}: {}", e.causes().join(": ")));
    println!("PostgreSQL {}", server.major());
    let wanted = |name: &str| only.is_empty() || only == name;
    if wanted("pgbench") {
        let client = database(&server, "pgbench").await;
        pgbench(&client, number("--pgbench", 50.0) as u32).await;
        report(&server, "pgbench", PGBENCH, verbose);
    }
    if wanted("tpch") {
        let client = database(&server, "tpch").await;
        tpch(&client, number("--tpch", 1.0)).await;
        report(&server, "tpch", include_str!("silence/tpch.sql"), verbose);
    }
    if wanted("demo") {
        let client = database(&server, "demo").await;
        client.batch_execute("SET shop.orders = '1000000'").await.expect("a setting");
        for piece in pgproof::sql::split(include_str!("../src/app/demo/shop.sql")).expect("SQL") {
            client.batch_execute(piece.text).await.unwrap_or_else(|e| panic!("{e}: {}", piece.text));
        }
        cure(&server, &client, include_str!("../src/app/demo/queries.sql")).await;
        report(&server, "demo", include_str!("../src/app/demo/queries.sql"), verbose);
    }
}

async fn database(server: &Server, name: &str) -> Client {
    let (admin, connection) =
        tokio_postgres::connect(&server.url("postgres"), NoTls).await.expect("a connection");
    tokio::spawn(connection);
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
    let (client, connection) = tokio_postgres::connect(&server.url(name), NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
}

/// The tables that `pgbench --initialize` makes.
async fn pgbench(client: &Client, scale: u32) {
    let start = Instant::now();
    run(
        client,
        "CREATE TABLE pgbench_branches (bid int, bbalance int, filler char(88)) WITH (fillfactor = 100)",
    )
    .await;
    run(client, "CREATE TABLE pgbench_tellers (tid int, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100)").await;
    run(client, "CREATE TABLE pgbench_accounts (aid int, bid int, abalance int, filler char(84)) WITH (fillfactor = 100)").await;
    run(client, "CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))").await;
    run(client, &format!("INSERT INTO pgbench_branches SELECT i, 0, '' FROM generate_series(1, {scale}) i"))
        .await;
    run(client, &format!("INSERT INTO pgbench_tellers SELECT i, (i - 1) / 10 + 1, 0, '' FROM generate_series(1, {scale} * 10) i")).await;
    run(client, &format!("INSERT INTO pgbench_accounts SELECT i, (i - 1) / 100000 + 1, 0, '' FROM generate_series(1, {scale} * 100000) i")).await;
    for (table, key) in [("branches", "bid"), ("tellers", "tid"), ("accounts", "aid")] {
        run(client, &format!("ALTER TABLE pgbench_{table} ADD PRIMARY KEY ({key})")).await;
    }
    run(client, "VACUUM (ANALYZE)").await;
    println!("pgbench: scale {scale}, loaded in {:.0} s", start.elapsed().as_secs_f64());
}

async fn tpch(client: &Client, scale: f64) {
    let start = Instant::now();
    run(client, include_str!("silence/tpch-schema.sql")).await;
    copy(client, "region", RegionGenerator::new(scale, 1, 1).iter()).await;
    copy(client, "nation", NationGenerator::new(scale, 1, 1).iter()).await;
    copy(client, "part", PartGenerator::new(scale, 1, 1).iter()).await;
    copy(client, "supplier", SupplierGenerator::new(scale, 1, 1).iter()).await;
    copy(client, "partsupp", PartSuppGenerator::new(scale, 1, 1).iter()).await;
    copy(client, "customer", CustomerGenerator::new(scale, 1, 1).iter()).await;
    copy(client, "orders", OrderGenerator::new(scale, 1, 1).iter()).await;
    copy(client, "lineitem", LineItemGenerator::new(scale, 1, 1).iter()).await;
    run(client, include_str!("silence/tpch-indexes.sql")).await;
    run(client, "VACUUM (ANALYZE)").await;
    println!("tpch: scale {scale}, loaded in {:.0} s", start.elapsed().as_secs_f64());
}

/// Loads rows as `dbgen` writes them, each with a bar behind its last value.
async fn copy(client: &Client, table: &str, rows: impl Iterator<Item = impl Display>) {
    use futures_util::SinkExt;
    let sink = client.copy_in(&format!("COPY {table} FROM STDIN WITH (DELIMITER '|')")).await.expect("COPY");
    let mut sink = std::pin::pin!(sink);
    let mut chunk = String::new();
    for row in rows {
        let line = row.to_string();
        chunk.push_str(line.strip_suffix('|').unwrap_or(&line));
        chunk.push('\n');
        if chunk.len() > 1 << 20 {
            sink.send(bytes::Bytes::from(std::mem::take(&mut chunk))).await.expect("COPY");
        }
    }
    sink.send(bytes::Bytes::from(chunk)).await.expect("COPY");
    sink.close().await.expect("COPY");
}

fn explain(server: &Server, name: &str, sql: &str, prove: &str) -> Value {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("silence-{name}.sql"));
    std::fs::write(&file, sql).expect("write the statements");
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args([
            "explain",
            "--quiet",
            "--format",
            "json",
            "--allow-writes",
            "--timeout",
            "10min",
            "--prove",
            prove,
        ])
        .args(["--max-block", "10min", "--runs", "3", "-f"])
        .arg(&file)
        .args(["-d", &server.url(name)])
        .output()
        .expect("run pgproof");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Rounds of explaining and applying at most: what one remedy brings to light, the next one cures.
const ROUNDS: usize = 4;

/// Applies everything that the trials confirmed, as a person would, and looks again: with fresh statistics in place the
/// plan is another one, and may want an index.
async fn cure(server: &Server, client: &Client, sql: &str) {
    let mut done = HashSet::new();
    for round in 1..=ROUNDS {
        let report = explain(server, "demo", sql, "rollback");
        let before = done.len();
        for proposal in report["proposals"].as_array().expect("proposals") {
            let confirmed = proposal["verdict"]["outcome"] == "confirmed" || proposal["kind"] == "vacuum";
            let schema = !["setting", "rewrite"].contains(&proposal["kind"].as_str().unwrap_or(""));
            for line in proposal["apply"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if confirmed && schema && done.insert(line.to_owned()) {
                    run(client, line).await;
                }
            }
        }
        println!("demo: round {round}, {} statements applied", done.len() - before);
        if done.len() == before {
            break;
        }
    }
}

fn report(server: &Server, name: &str, sql: &str, verbose: bool) {
    // The demo tries what it proposes, and what does not help is told and not shouted.
    let prove = if name == "demo" { "rollback" } else { "auto" };
    let start = Instant::now();
    let report = explain(server, name, sql, prove);
    let findings = report["findings"].as_array().expect("findings");
    let statements = report["statements"].as_array().expect("statements").len();
    println!("{name}: {statements} statements explained in {:.0} s", start.elapsed().as_secs_f64());
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let mut loud = 0;
    for finding in findings {
        let severity = text(&finding["severity"]);
        loud += usize::from(severity != "info");
        let proposals: Vec<String> = report["proposals"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|p| p["answers"].as_array().is_some_and(|a| a.contains(&finding["id"])))
            .map(|p| format!("{} ({})", text(&p["apply"][0]), text(&p["verdict"]["outcome"])))
            .collect();
        println!(
            "  {severity} {} {} [{:.0} ms]: {}",
            text(&finding["statement"]),
            text(&finding["rule"]),
            finding["saves_ms"].as_f64().unwrap_or(0.0),
            text(&finding["what"])
        );
        if verbose {
            println!("      {}\n      {}", text(&finding["why"]), text(&finding["help"]));
            proposals.iter().for_each(|p| println!("      {p}"));
        }
    }
    println!("{name}: {} findings, {loud} of them warnings or errors", findings.len());
}
