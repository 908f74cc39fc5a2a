//! Bad input of every kind: each ends with a code, a message, the place, and what to do.

use super::{explain, newest, pgproof, shop};
use crate::support::majors;

#[test]
fn sql_that_cannot_be_explained_is_refused_before_anything_is_sent() {
    // Port 1: were it asked, the server would not answer, and the code would be 3.
    let refused = |sql: &str, words: &[&str]| {
        pgproof(&["explain", "-h", "127.0.0.1", "-p", "1", sql]).fails(2, words);
    };
    refused(
        "",
        &["failed to find a statement in the argument", "cause: it is empty", "help: pgproof explain"],
    );
    refused("-- only a comment", &["cause: it is empty", "help:"]);
    refused(";;", &["cause: it is empty", "help:"]);
    refused(
        "select 1; select 2",
        &["argument:1:11", "a second statement", "help: the argument takes exactly one"],
    );
    refused("select 'abc", &["argument:1:8", "this quote is never closed", "help: close it"]);
    refused("select \"abc", &["argument:1:8", "this quoted name is never closed", "help:"]);
    refused("select 1 /* abc", &["argument:1:10", "this comment is never closed", "help:"]);
    refused("select $a$ abc", &["argument:1:8", "this dollar quote is never closed", "help:"]);
    for (sql, help) in [
        ("COPY orders TO STDOUT", "help: explain the query inside COPY"),
        ("BEGIN", "help: pgproof opens its own transaction"),
        ("VACUUM orders", "help: EXPLAIN takes SELECT"),
        ("CREATE TABLE t AS SELECT 1", "help: explain the SELECT behind AS"),
        ("EXECUTE s (1)", "help: explain the prepared statement's own text"),
        ("SET work_mem = '1GB'", "help: set it for the role or database"),
        ("EXPLAIN VACUUM", "help: EXPLAIN takes SELECT"),
    ] {
        let place = if sql.starts_with("EXPLAIN") { "argument:1:9" } else { "argument:1:1" };
        refused(sql, &["failed to explain the statement", place, "EXPLAIN does not take this", help]);
    }
    pgproof(&["explain"]).fails(2, &["failed to find a statement to explain", "help: pgproof explain"]);
}

#[test]
fn files_that_cannot_be_read_are_named_with_what_to_do() {
    let file = |name: &str, bytes: &[u8], words: &[&str]| {
        pgproof(&["explain", "-f", name]).file("x.sql", bytes).fails(2, words);
    };
    file("none.sql", b"", &["failed to read none.sql", "No such file", "help: check the path"]);
    file(".", b"", &["failed to read .", "Is a directory", "help: name a file"]);
    file("x.sql", b"-- nothing\n", &["x.sql holds no statement", "help: pgproof explain"]);
    file("x.sql", b"SET a.b = 1;\n", &["x.sql:1: EXPLAIN does not take SET", "help:"]);
    file("x.sql", b"select 1;\nselect '\xe4';\n", &["line 2 is not UTF-8", "help: convert it to UTF-8"]);
    file("x.sql", b"select 1;\nselect '\0';\n", &["x.sql:2:9", "a NUL byte", "help: is the file in UTF-16?"]);
    file("x.sql", b"select 1;\nselect '\n\n", &["x.sql:2:8", "this quote is never closed", "help:"]);
    let stdin = pgproof(&["explain", "-f", "-"]).stdin(b"select '");
    stdin.fails(2, &["standard input:1:8", "this quote is never closed"]);
    let capture = |bytes: &[u8], words: &[&str]| {
        pgproof(&["explain", "--capture", "c.json"]).file("c.json", bytes).fails(2, words);
    };
    capture(
        b"select 1",
        &["failed to read the capture c.json", "help: name a file that --save-capture wrote"],
    );
    capture(b"{\"format\": 99}", &["its format is 99", "help: use a newer pgproof"]);
    capture(b"{}", &["missing field `format`", "help: name a file"]);
    let missing = pgproof(&["explain", "--capture", "none.json"]);
    missing.fails(2, &["failed to read the capture none.json", "No such file", "help: check the path"]);
}

#[test]
fn the_server_s_refusals_point_to_the_place() {
    for major in majors() {
        let database = shop(major);
        let refused = |sql: &str, words: &[&str]| {
            explain(&database, &[sql]).fails(2, words);
        };
        refused(
            "select *\n  from nowhere",
            &[
                "argument:2:8",
                "from nowhere",
                "       ^^^^^^^ relation \"nowhere\" does not exist",
                "help: name its schema",
            ],
        );
        refused(
            "select nme from orders",
            &["argument:1:8", "^^^ column \"nme\" does not exist", "help: check the spelling"],
        );
        refused(
            "explain analyze select nope(1)",
            &["argument:1:24", "^^^^ function nope(integer) does not exist"],
        );
        // Each character counts once, and a wide one fills two columns of the terminal.
        let sql = "select 'äß€', '😀' from orders wehre id = 1";
        refused(
            sql,
            &["argument:1:37", "^^ syntax error at or near \"id\"", "help: the server could not read"],
        );
    }
}

#[test]
fn the_caret_stands_under_the_word() {
    let database = shop(newest());
    for sql in ["select 'äß€é' , nme from orders", "select 'plain' , nme from orders"] {
        let ran = explain(&database, &[sql]).fails(2, &["column \"nme\" does not exist"]);
        let line = ran.err.lines().find(|line| line.ends_with("nme from orders")).expect("the statement");
        let caret = ran.err.lines().find(|line| line.contains("^^^")).expect("the caret");
        let column = |line: &str, what: &str| line[..line.find(what).expect(what)].chars().count();
        assert_eq!(column(line, "nme"), column(caret, "^^^"), "{}", ran.err);
    }
}

#[test]
fn megabytes_of_sql_work_or_end_cleanly() {
    // The oldest and the newest: planning this takes servers a while.
    let mut ends = majors();
    ends.drain(1..ends.len().max(2) - 1);
    for major in ends {
        let database = shop(major);
        let list: Vec<String> = (1_000_000..1_260_000).map(|i| i.to_string()).collect();
        let list = format!("select * from orders where id in ({})", list.join(","));
        assert!(list.len() > 2_000_000);
        let run = explain(&database, &["-f", "big.sql", "--format", "json"]).file("big.sql", list.as_bytes());
        let ran = run.succeeds();
        assert_eq!(ran.json()["statements"][0]["plans"][0]["mode"], "analyzed");
        let nested = format!("select {}1{}", "(".repeat(1_000_000), ")".repeat(1_000_000));
        let ran = explain(&database, &["-f", "big.sql"]).file("big.sql", nested.as_bytes()).run();
        assert!(matches!(ran.code, 2 | 3), "{}: {}", ran.code, ran.err);
        ran.failed(ran.code, &["failed to plan the statement"]);
        assert!(ran.err.contains("memory exhausted") || ran.err.contains("stack depth"), "{}", ran.err);
        assert!(ran.err.len() < 2_000, "the excerpt is cut: {} bytes", ran.err.len());
    }
}

#[test]
fn files_from_other_systems_and_of_many_statements_are_read() {
    let database = shop(newest());
    let bytes =
        b"\xef\xbb\xbfselect 1;\r\n-- a comment\r\nselect nope\r\nfrom orders;\r\nvacuum;\r\nselect 3;\r\n";
    let ran = explain(&database, &["-f", "win.sql"]).file("win.sql", bytes).run();
    ran.failed(2, &["win.sql:3:8", "3 | select nope\n", "^^^^ column \"nope\" does not exist", "help:"]);
    for words in
        ["win.sql:1", "win.sql:6", "win.sql:5: EXPLAIN does not take VACUUM; skipped", "win.sql:3: failed to"]
    {
        assert!(ran.out.contains(words), "lacks {words}: {}", ran.out);
    }
    let ran =
        explain(&database, &["--format", "json", "-f", "-"]).stdin(b"select 1; select nope; select 2").run();
    ran.failed(2, &["standard input:1:18", "column \"nope\" does not exist"]);
    let report = ran.json();
    assert_eq!(report["statements"].as_array().expect("statements").len(), 2);
    assert_eq!(report["gaps"][0]["sqlstate"], "42703");
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let refused = |args: &[&str], words: &[&str]| {
        let mut all = vec!["explain", "-h", "127.0.0.1", "-p", "1", "select 1"];
        all.extend(args);
        pgproof(&all).fails(2, words);
    };
    let nearest = &["there is no rule `estimate-drif`", "help: did you mean `estimate-drift`?"];
    refused(&["--rule", "estimate-drif=off"], nearest);
    refused(&["--only", "estimate-drif"], nearest);
    refused(
        &["--rule", "estimate-drift=loud"],
        &["`loud` is no severity", "help: write off, info, warning or error"],
    );
    refused(&["--fail-on", "warnin"], &["invalid value 'warnin'", "warning"]);
    refused(&["--formt", "json"], &["unexpected argument '--formt'", "similar argument exists: '--format'"]);
    refused(&["--format", "jsn"], &["invalid value 'jsn'", "a similar value exists: 'json'"]);
    refused(&["--timeout", "5y"], &["unknown unit `y`: use ms, s, min or h"]);
    refused(&["--pool", "1"], &["1 is not in 2..=64"]);
    pgproof(&["explian"])
        .fails(2, &["unrecognized subcommand 'explian'", "similar subcommand exists: 'explain'"]);
    pgproof(&["rule", "estimate-drif"]).fails(2, &["did you mean `estimate-drift`?"]);
    let config = |text: &str, words: &[&str]| {
        let run = pgproof(&["explain", "-h", "127.0.0.1", "-p", "1", "select 1"]);
        run.file("pgproof.toml", text.as_bytes()).fails(2, words);
    };
    config("[rules]\nestimate-drif = \"off\"\n", nearest);
    config("[rule]\na = 1\n", &["pgproof.toml:1:2", "there is no key `rule`", "did you mean `rules`?"]);
    config("[rules\n", &["pgproof.toml:1:7", "unclosed table"]);
    config("[thresholds.estimate-drift]\nmin-err = 1\n", &["no threshold `min-err`", "min-error"]);
    config("[thresholds.estimate-drif]\nmin-err = 1\n", nearest);
    refused(
        &["--config", "none.toml"],
        &["failed to read the settings in none.toml", "help: check the path"],
    );
}
