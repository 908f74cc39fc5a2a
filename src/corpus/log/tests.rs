//! Logs as a server, a container, syslog and an editor leave them, and what is damaged in them.
//!
//! Refuses to hold what a real server wrote: `tests/check/corpus.rs` reads those.

use super::*;

fn texts(text: &str) -> Vec<(String, usize, usize)> {
    let mut skipped = Vec::new();
    let queries = read("app.log", text, &mut skipped).expect("a log");
    queries.into_iter().map(|q| (q.text, q.places[0].line, q.places[0].end_line)).collect()
}

fn fails(text: &str) -> String {
    let error = read("app.log", text, &mut Vec::new()).expect_err("damage");
    assert!(error.advice().is_some(), "{error}");
    format!("{error}: {}", error.causes().join(": "))
}

#[test]
fn every_prefix_and_every_kind_of_entry_is_read() {
    for prefix in [
        "",
        "2026-11-21 11:27:22.814 UTC [19101] ",
        "2026-11-21 11:27:22 UTC:10.0.0.1(5):app@shop:[12]:",
        "2026-11-21 11:27:22 UTC [12]: [7-1] user=app,db=shop,app=[a b] (c),client=::1 ",
        "a\tb ",
        " 1;app: ",
    ] {
        let log = format!(
            "{prefix}LOG:  00000: duration: 0.262 ms  statement: SELECT a\n\tFROM t\n\n\tWHERE b = 'x: y'\n\
             {prefix}LOG:  statement: select 2; select a from u;\n\
             {prefix}LOG:  duration: 0.1 ms  parse <unnamed>: SELECT parsed FROM t\n\
             {prefix}LOG:  duration: 0.1 ms  bind S_1: SELECT bound FROM t\n\
             {prefix}LOG:  execute S_1: SELECT c FROM t WHERE d = $1\n\
             {prefix}DETAIL:  parameters: $1 = '5'\n\
             {prefix}LOG:  duration: 3 ms  execute fetch from S_1/C_1: SELECT d FROM t\n\
             {prefix}LOG:  duration: 3.5 ms\n\
             {prefix}ERROR:  syntax error at or near \"SELEC\" at character 1\n\
             {prefix}STATEMENT:  SELEC 1\n"
        );
        let read: Vec<String> = texts(&log).into_iter().map(|(text, _, _)| text).collect();
        assert_eq!(
            read,
            [
                "SELECT a\nFROM t\n\nWHERE b = 'x: y'",
                "select 2",
                "select a from u",
                "SELECT c FROM t WHERE d = $1",
                "SELECT d FROM t"
            ],
            "{prefix}"
        );
    }
}

#[test]
fn containers_and_syslog_put_something_in_front_of_every_line() {
    let one = [("SELECT a\nFROM t WHERE b".to_owned(), 1, 2)];
    assert_eq!(
        texts(
            "db-1  | 2026-11-21 11:27:22 UTC [1] LOG:  statement: SELECT a\ndb-1  | \tFROM t WHERE b\ndb-1  | done\n"
        ),
        one
    );
    let syslog = |process: &str, parts: &[&str]| -> Vec<String> {
        parts.iter().map(|part| format!("Nov 21 11:27:22 host postgres[{process}]: {part}")).collect()
    };
    let counted = syslog("12", &["[5-1] app@shop LOG:  statement: SELECT a", "[5-2] #011FROM t WHERE b"]);
    assert_eq!(texts(&counted.join("\n")), one);
    let bare = syslog("12", &["LOG:  statement: SELECT a", "#011FROM t WHERE b"]);
    assert_eq!(texts(&bare.join("\n")), one);
    let unnumbered = syslog("12", &["[1] LOG:  statement: SELECT a", "[2] #011FROM t WHERE b"]);
    assert_eq!(texts(&unnumbered.join("\n")), one);
    let whole = syslog("12", &["[5] LOG:  statement: SELECT a#012#011FROM t WHERE b"]);
    assert_eq!(texts(&whole[0])[0].0, one[0].0);
    // Two processes at once, a line cut in two, and a DETAIL that is none of the statement.
    let first = syslog(
        "12",
        &["[5-1] LOG:  statement: SELECT a", "[5-2] #011FROM t", "[5-3]  WHERE b", "[5-4] DETAIL:  x"],
    );
    let second = syslog("13", &["[5-1] LOG:  execute S_1: SELECT c", "[5-2] #011FROM u"]);
    let mixed = [&first[0], &second[0], &first[1], &second[1], &first[2], &first[3]].map(String::as_str);
    assert_eq!(
        texts(&mixed.join("\n")),
        [("SELECT a\nFROM t WHERE b".to_owned(), 1, 5), ("SELECT c\nFROM u".to_owned(), 2, 4)]
    );
}

#[test]
fn loggers_wrap_lines_in_json() {
    let docker = "{\"log\":\"PostgreSQL init process complete\\n\",\"stream\":\"stdout\"}\n\
        {\"log\":\"2026-11-21 UTC [1] LOG:  statement: SELECT a\\n\",\"stream\":\"stderr\"}\n\
        {\"log\":\"\\tFROM t WHERE b\\n\",\"stream\":\"stderr\"}\n";
    assert_eq!(texts(docker), [("SELECT a\nFROM t WHERE b".to_owned(), 2, 3)]);
    let sql =
        "{\"textPayload\":\"[9]: [1-1] db=shop,user=app LOG:  statement: SELECT a\\n\\tFROM t WHERE b\"}\n";
    assert_eq!(texts(sql), [("SELECT a\nFROM t WHERE b".to_owned(), 1, 1)]);
    let native = "{\"logger\":\"postgres\",\"record\":{\"error_severity\":\"LOG\",\"message\":\"execute x: SELECT 1\"}}\n";
    assert_eq!(texts(native), [("SELECT 1".to_owned(), 1, 1)]);
}

#[test]
fn auto_explain_tells_the_text_in_every_notation() {
    let head = "[1] LOG:  duration: 3.757 ms  plan:\n";
    for (body, line) in [
        ("\tQuery Text: SELECT a\n\tFROM t\n\tAggregate  (cost=1133.02..1133.03 rows=1 width=8)\n", 4),
        (
            "\tQuery Text: SELECT a\n\tFROM t\n\tQuery Parameters: $1 = '5'\n\tResult  (cost=0..0 rows=1 width=8)\n",
            5,
        ),
        ("\t{\n\t  \"Query Text\": \"SELECT a\\nFROM t\",\n\t  \"Plan\": {}\n\t}\n", 5),
        ("\tQuery Text: \"SELECT a\\nFROM t\"\n\tPlan: \n", 3),
        ("\t<explain>\n\t  <Query-Text>SELECT a\n\tFROM t</Query-Text>\n\t</explain>\n", 5),
    ] {
        assert_eq!(texts(&format!("{head}{body}")), [("SELECT a\nFROM t".to_owned(), 1, line)], "{body}");
    }
    assert!(fails(&format!("{head}\tQuery Text: SELECT a\n\tFROM t\n")).contains("line 1"));
}

#[test]
fn statements_that_differ_in_values_are_one_and_others_are_told_in_a_line() {
    let mut log = String::from("[1] LOG:  statement: BEGIN\n");
    for id in 0..100 {
        log.push_str(&format!("[1] LOG:  duration: 0.1 ms  statement: SELECT a FROM t WHERE id = {id}\n"));
        log.push_str("[1] LOG:  statement: SET a = 1; EXPLAIN SELECT 1; CREATE TABLE x ()\n");
    }
    log.push_str("[1] LOG:  statement: /* pgproof */ SELECT own FROM x\n");
    let mut skipped = Vec::new();
    let queries = read("app.log", &log, &mut skipped).expect("a log");
    assert_eq!(queries.len(), 1);
    assert_eq!(queries[0].text, "SELECT a FROM t WHERE id = 0");
    assert_eq!((queries[0].places[0].line, queries[0].places.len()), (2, 24));
    let told: Vec<_> = skipped.iter().map(|s| (s.at.line, s.why.as_str())).collect();
    assert_eq!(
        told,
        [(1, "301 logged statements are none that could be planned: BEGIN, CREATE, EXPLAIN, SET")]
    );
}

#[test]
fn cursors_and_prepared_statements_hold_a_query() {
    let log = "[1] LOG:  statement: DECLARE \"for\" NO SCROLL CURSOR WITH HOLD FOR SELECT a FROM t FOR UPDATE\n\
        [1] LOG:  statement: PREPARE s (int, text) AS UPDATE t SET a = $1\n\
        [1] LOG:  statement: PREPARE TRANSACTION 'x'\n";
    let read: Vec<String> = texts(log).into_iter().map(|(text, _, _)| text).collect();
    assert_eq!(read, ["SELECT a FROM t FOR UPDATE", "UPDATE t SET a = $1"]);
}

const RECORD: &str = "2026-11-21 11:27:22.944 UTC,\"app\",\"shop\",19112,\"[local]\",69.1,2,\"SELECT\",\
    2026-11-21 11:27:22 UTC,3/2,0,LOG,00000,\"statement: SELECT \"\"A\"\", 'x\n,'\nFROM t\",,,,,,,,,\"psql\",\
    \"client backend\",,0\n";

#[test]
fn a_record_of_csvlog_may_have_many_lines_and_quotes() {
    assert_eq!(texts(RECORD), [("SELECT \"A\", 'x\n,'\nFROM t".to_owned(), 1, 3)]);
    // Cut at its head, as `tail` does.
    assert_eq!(texts(&format!("FROM u\",,,,\n{RECORD}"))[0].1, 2);
}

#[test]
fn damage_is_told_with_its_line() {
    let cut = |text: &str, bytes: usize| text[..text.len() - bytes].to_owned();
    for (log, line) in [
        (format!("{RECORD}{}", cut(RECORD, 60)), "app.log: line 4: a quote of this record"),
        (format!("{RECORD}{}", cut(RECORD, 29)), "app.log: line 4: a record of 21 columns"),
        (format!("{RECORD}rubbish\n"), "app.log: line 4: no record"),
        (
            "[1] LOG:  statement: SELECT 1\n[1] LOG:  statement: SELECT a\n\tWHERE b = 'x\n".to_owned(),
            "line 3",
        ),
        ("[1] LOG:  statement: SELECT \0".to_owned(), "line 1: a NUL byte"),
        (
            "{\"error_severity\":\"LOG\",\"message\":\"statement: SELECT 1\"}\n{\"error_sev".to_owned(),
            "line 2: the JSON object of this line is not whole",
        ),
        ("{\"error_severity\":\"LOG\",\"message\":\"x\"}\nrubbish".to_owned(), "line 2: no JSON object"),
        ("[1] LOG:  checkpoint starting: time\n".to_owned(), "none of its 1 lines"),
    ] {
        let said = fails(&log);
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn only_a_log_is_taken_for_one() {
    for text in [
        "",
        "SELECT 1;\n",
        "-- LOG:  statement: SELECT 1\nSELECT 1;\n",
        "INSERT INTO l VALUES ('x LOG:  statement: SELECT 1');\n",
        "SELECT 1;\n /* without it:\nERROR:  no such table\n*/\nSELECT 2;\n",
        "id,name\n1,a\n",
        "2026-11-21 11:27:22,a,b\n",
        "{\n  \"db_name\": \"PostgreSQL\",\n  \"query\": \"SELECT 'LOG:  statement: x'\"\n}\n",
        "{\"db_name\": \"PostgreSQL\", \"query\": \"SELECT 'LOG:  statement: x'\"}",
        "INFO: an application's own line\n",
    ] {
        assert!(!is_log(text), "{text}");
    }
}

#[test]
fn no_cut_and_no_byte_makes_it_panic() {
    let lines =
        "db | [1]: [1-1] é LOG:  duration: 1 ms  plan:\ndb | \tQuery Text: SELECT 'é'\ndb | \tX  (cost=1)\n";
    let json = "{\"error_severity\":\"LOG\",\"message\":\"execute é: SELECT 'é'\"}\n";
    for log in [RECORD, lines, json] {
        for at in (0..log.len()).filter(|&at| log.is_char_boundary(at)) {
            for with in ["", "\0", "\"", "\n", ":  ", "]: [", "é"] {
                let _ = super::super::read(
                    "a.log",
                    &format!("{}{with}{}", &log[..at], &log[at..]),
                    &mut Vec::new(),
                );
            }
            let _ = read("a.log", &log[..at], &mut Vec::new());
            let _ = read("a.log", &log[at..], &mut Vec::new());
        }
    }
}
