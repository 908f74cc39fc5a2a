//! What is executed, what is only planned, and that nothing stays.

use super::{explain, newest, pgproof, shop};
use crate::support::majors;
use serde_json::Value;

fn plan(report: &Value) -> &Value {
    &report["statements"][0]["plans"][0]
}

#[test]
fn only_what_is_proven_to_read_is_executed() {
    for major in majors() {
        let database = shop(major);
        database.execute("CREATE FUNCTION wild() RETURNS int LANGUAGE sql AS 'INSERT INTO orders VALUES (-7, 1) RETURNING 1'");
        let mode = |args: &[&str]| {
            let mut all = vec!["--format", "json"];
            all.extend(args);
            plan(&explain(&database, &all).succeeds().json())["mode"].as_str().expect("a mode").to_owned()
        };
        assert_eq!(mode(&["select count(*) from orders"]), "analyzed");
        assert_eq!(mode(&["explain (costs off) select count(*) from orders"]), "analyzed");
        assert_eq!(mode(&["--analyze", "never", "select count(*) from orders"]), "estimated");
        for (sql, reason) in [
            ("delete from orders", "it is a DELETE"),
            ("insert into orders values (-1, 1)", "it is an INSERT"),
            ("with d as (delete from orders returning *) select * from d", "it is a DELETE"),
            ("select * from orders for update", "it locks rows"),
            ("select nextval('numbers')", "it calls nextval"),
            ("select pg_advisory_lock(1)", "it calls pg_advisory_lock"),
            ("select wild()", "it calls wild"),
        ] {
            for when in ["auto", "always"] {
                assert_eq!(mode(&["--analyze", when, sql]), "estimated", "{sql}");
                let ran = explain(&database, &["--analyze", when, sql]).succeeds();
                assert!(ran.out.contains(reason), "{sql}: {}", ran.out);
                assert!(ran.out.contains("--allow-writes"), "{sql}: {}", ran.out);
            }
        }
        assert_eq!(database.query_text("SELECT last_value FROM numbers"), [[Some("1".to_owned())]]);
        for sql in ["insert into orders values (-1, 1)", "delete from orders where id = 5", "select wild()"] {
            assert_eq!(mode(&["--allow-writes", sql]), "analyzed", "{sql}");
        }
        let left = database.query_text("SELECT count(*), min(id) FROM orders");
        assert_eq!(left, [[Some("20000".to_owned()), Some("1".to_owned())]], "everything was rolled back");
    }
}

#[test]
fn a_statement_that_takes_too_long_is_planned_and_said() {
    for major in majors() {
        let database = shop(major);
        let ran = explain(&database, &["--timeout", "200ms", "select pg_sleep(20), count(*) from orders"])
            .succeeds();
        assert!(ran.out.contains("it took longer than --timeout 200 ms"), "{}", ran.out);
        assert!(ran.out.contains("Seq Scan on orders"), "{}", ran.out);
    }
}

#[test]
fn parameters_are_filled_in_order() {
    for major in majors() {
        let database = shop(major);
        let sql = "select * from orders where id = $1 and note = $2";
        let with = |values: &[&str]| {
            let mut args = vec!["--format", "json", sql];
            args.extend(values.iter().flat_map(|value| ["--param", *value]));
            explain(&database, &args)
        };
        let report = with(&["5", "note 5"]).succeeds().json();
        assert_eq!(plan(&report)["mode"], "analyzed");
        assert_eq!(plan(&report)["parameters"], serde_json::json!(["5", "note 5"]));
        assert_eq!(plan(&report)["nodes"][0]["rows_actual"], 1.0);
        let report = with(&["-5", "\\N"]).succeeds().json();
        assert_eq!(plan(&report)["parameters"], serde_json::json!(["-5", null]));
        let report = with(&[]).succeeds().json();
        assert_eq!(plan(&report)["mode"], "generic");
        with(&["5"])
            .fails(2, &["the statement has 2 parameters, and --param gives 1 value", "help: repeat --param"]);
        with(&["5", "a", "b"]).fails(2, &["2 parameters, and --param gives 3 values", "help:"]);
        with(&["five", "a"]).fails(
            2,
            &["failed to fill in the parameters", "invalid input syntax for type bigint: \"five\"", "help:"],
        );
        let none = explain(&database, &["select 1", "--param", "1"]);
        none.fails(
            2,
            &["the statement has no parameters, and --param gives 1 value", "help: leave --param out"],
        );
    }
}

#[test]
fn what_writes_is_not_executed_with_guessed_values() {
    let database = shop(newest());
    let sql = "delete from orders where customer > $1";
    let ran = explain(&database, &["--allow-writes", "--format", "json", sql]).succeeds();
    let report = ran.json();
    let plans = report["statements"][0]["plans"].as_array().expect("plans").clone();
    let modes: Vec<&str> = plans.iter().filter_map(|p| p["mode"].as_str()).collect();
    assert_eq!(modes, ["generic", "estimated", "estimated"], "{}", ran.out);
    assert!(ran.out.contains("it is a DELETE, and no --param says with which values"), "{}", ran.out);
}

#[test]
fn a_capture_gives_the_same_report_without_a_server() {
    for major in majors() {
        let database = shop(major);
        let sql = b"select * from orders where customer = 7; select count(*) from orders";
        let args = ["-f", "q.sql", "--format", "json", "--save-capture", "c.json"];
        let live = explain(&database, &args).file("q.sql", sql).succeeds();
        let capture = std::fs::read(live.path().join("c.json")).expect("the capture");
        let replay =
            pgproof(&["explain", "--capture", "c.json", "--format", "json"]).file("c.json", &capture);
        assert_eq!(replay.succeeds().out, live.out, "PostgreSQL {major}");
        // Saved again, it is the same file.
        let args = ["explain", "--capture", "c.json", "-h", "/no/server"];
        pgproof(&args).file("c.json", &capture).succeeds();
    }
}

#[test]
fn a_comment_in_front_is_no_flag() {
    let database = shop(newest());
    for sql in ["-- the popular one\nselect 1", "--fast\nselect 1"] {
        let report = explain(&database, &["--format", "json", sql]).succeeds().json();
        assert_eq!(report["statements"][0]["text"], "select 1");
    }
    let values = ["--param", "-- as it is"];
    let report =
        explain(&database, &["--format", "json", "select $1::text", values[0], values[1]]).succeeds().json();
    assert_eq!(plan(&report)["parameters"], serde_json::json!(["-- as it is"]));
}

#[test]
fn verbose_says_how_often_the_server_was_asked() {
    let database = shop(newest());
    let ran = explain(&database, &["-v", "select * from orders where id = 5"]).run();
    let count = ran.err.strip_suffix(" round trips after connecting\n").expect(&ran.err);
    assert!(count.parse::<u32>().expect("a number") <= 8, "{count}");
}
