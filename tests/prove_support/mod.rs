//! What the tests of proving share: a shop, the binary, the catalog as text, sessions that stand in the way.
#![allow(dead_code)] // Every test binary uses its own part.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

pub mod proxy;

use crate::support::{Database, eventually, execute, query_text, server};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use tokio_postgres::{Client, NoTls};

/// The statement of the README: one user's latest orders.
pub const QUERY: &str = "SELECT * FROM orders WHERE user_id = 123 AND created_at > now() - interval '30 days' \
                         ORDER BY created_at DESC LIMIT 50";
/// The index that it wants.
pub const APPLY: &str = "CREATE INDEX CONCURRENTLY orders_user_id_created_at_idx ON public.orders USING btree \
                         (user_id, created_at DESC)";

/// Orders with their primary key alone: a thousand users, one of them with every twentieth order.
pub fn orders(rows: u32) -> String {
    format!(
        "CREATE TABLE orders (id bigint PRIMARY KEY, user_id int NOT NULL, created_at timestamptz NOT NULL, \
         status text NOT NULL, total numeric NOT NULL, note text NOT NULL) WITH (fillfactor = 90);\n\
         INSERT INTO orders SELECT i, CASE WHEN i % 20 = 0 THEN 123 ELSE i % 1000 * 919 % 1000 END, \
         now() - i % 1000 * interval '9 hours', (ARRAY['new','paid','sent'])[i % 3 + 1], i % 977, \
         'left at the door, number ' || i \
         FROM generate_series(1, {rows}) i;\n\
         VACUUM (ANALYZE) orders"
    )
}

/// A fresh database with `rows` orders on the shared server of `major`.
pub fn shop(major: u32, rows: u32) -> Database {
    let database = server(major).database();
    fill(&database.url, &orders(rows));
    database
}

/// Runs statements one by one, as VACUUM wants it, and lets the counters arrive before a VACUUM and after it: up to 14
/// they travel by themselves.
pub fn fill(url: &str, statements: &str) {
    let counted = |what: &str| {
        let sql = format!("SELECT 1 FROM pg_stat_user_tables WHERE relname = 'orders' AND {what}");
        eventually(what, || !query_text(url, &sql).is_empty());
    };
    for statement in statements.split(";\n") {
        let vacuum = statement.starts_with("VACUUM");
        if vacuum {
            counted("n_tup_ins > 0");
        }
        execute(url, statement);
        if vacuum {
            counted("vacuum_count = 1 AND n_mod_since_analyze = 0");
        }
    }
}

/// What a run of the binary gave.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no report ({e}): {self}"))
    }

    /// The only proposal.
    pub fn proposal(&self) -> Value {
        let report = self.json();
        let proposals = report["proposals"].as_array().expect("proposals");
        assert_eq!(proposals.len(), 1, "{self}");
        proposals[0].clone()
    }

    /// Outcome, method and reason of the only proposal's verdict.
    pub fn verdict(&self) -> (String, String, String) {
        let verdict = &self.proposal()["verdict"];
        let word = |name: &str| verdict[name].as_str().unwrap_or_default().to_owned();
        (word("outcome"), word("method"), word("reason"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The binary with nothing of this machine's settings around it.
pub fn command(url: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG") || name == "DATABASE_URL") {
        command.env_remove(name);
    }
    command.args(words).args(["-d", url]).current_dir("/").stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub fn pgproof(url: &str, words: &[&str]) -> Run {
    finish(start(url, words))
}

/// `pgproof explain` with a report in JSON.
pub fn explain(url: &str, sql: &str, words: &[&str]) -> Run {
    pgproof(url, &[&["explain", "--format", "json", sql], words].concat())
}

pub fn start(url: &str, words: &[&str]) -> Child {
    command(url, words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("pgproof starts")
}

pub fn finish(child: Child) -> Run {
    let output = child.wait_with_output().expect("pgproof ends");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Indexes and whether they are valid, statistics objects, and the counters that a trial must not touch.
pub fn catalog(url: &str) -> Vec<Vec<Option<String>>> {
    query_text(
        url,
        "SELECT 'index', c.relname::text, i.indisvalid::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE c.relnamespace = 'public'::regnamespace \
         UNION ALL SELECT 'statistics', stxname::text, '' FROM pg_statistic_ext \
         UNION ALL SELECT 'modified', relname::text, n_mod_since_analyze::text FROM pg_stat_user_tables \
         UNION ALL SELECT 'size', relname::text, relpages || ' ' || reltuples FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1, 2",
    )
}

/// Server processes of pgproof in the database at `url`.
pub fn backends(url: &str) -> usize {
    let sql = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() \
               AND query LIKE '/* pgproof%' AND pid <> pg_backend_pid()";
    query_text(url, sql)[0][0].as_ref().and_then(|n| n.parse().ok()).expect("a number")
}

/// Whether a statement of this phase is at work: `active`, or `Lock` where it waits for one.
pub fn sees(url: &str, phase: &str, what: &str) -> bool {
    let sql = format!(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '/* pgproof:{phase} */%' \
         AND state <> 'idle' AND {what}"
    );
    !query_text(url, &sql).is_empty()
}

/// A session that stands in the way until it is dropped.
pub struct InTheWay {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl InTheWay {
    pub fn new(url: &str, sql: &str) -> InTheWay {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a session");
            tokio::spawn(connection);
            client
        });
        let session = InTheWay { runtime, client };
        session.run(sql);
        session
    }

    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap_or_else(|e| panic!("{e}: {sql}"));
    }
}
