//! Trials through PgBouncer in transaction mode: one transaction is enough, settings of a session are not to be had.

// Tests start processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod connect_support;
mod prove_support;
mod support;

use connect_support::{PgBouncer, Postgres};
use prove_support::{QUERY, catalog, explain, fill, orders, pgproof};
use support::query_text;

#[test]
fn rollback_works_through_a_pooler_and_concurrently_asks_for_the_server() {
    let server = Postgres::start("host all all 127.0.0.1/32 trust", "");
    let url = |port: u16| format!("postgresql://postgres@127.0.0.1:{port}/postgres");
    let direct = url(server.port);
    fill(&direct, &orders(120_000));
    let before = catalog(&direct);
    let pooler = PgBouncer::before(&server);
    let pooled = url(pooler.port);
    let run = explain(&pooled, QUERY, &["--prove", "rollback"]);
    assert_eq!((run.code, run.verdict().0.as_str()), (Some(0), "confirmed"), "{run}");
    let run = explain(&pooled, QUERY, &["--prove", "concurrently"]);
    let (outcome, _, reason) = run.verdict();
    assert_eq!((run.code, outcome.as_str()), (Some(0), "not-tried"), "{run}");
    assert!(
        reason.contains("a pooler in transaction mode") && reason.contains("connect to the server itself")
    );
    let doctor = |url: &str| pgproof(url, &["doctor"]);
    assert!(doctor(&pooled).stdout.contains("✗ pooler      settings do not stay"), "{}", doctor(&pooled));
    assert!(doctor(&direct).stdout.contains("✓ pooler"), "{}", doctor(&direct));
    assert_eq!(catalog(&direct), before);
    // Nothing of ours stays with the server process that others share.
    let probe =
        "SELECT coalesce(current_setting('pgproof.probe', true), '') || current_setting('statement_timeout')";
    assert_eq!(query_text(&pooled, probe)[0][0].as_deref(), Some("0"));
}
