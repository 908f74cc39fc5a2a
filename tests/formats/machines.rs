//! SARIF, GitLab, JUnit and HTML, read back.

use crate::{HOSTILE_PATH, hostile, many, ordinary, silent, written};
use pgproof::render;
use serde_json::Value;
use std::collections::BTreeSet;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[test]
fn sarif_has_what_code_scanning_asks_of_it() {
    for (capture, results) in [(ordinary(), 1), (hostile(), 1), (silent(), 0)] {
        let document: Value = serde_json::from_str(&written(&capture, "sarif")).expect("JSON");
        assert_eq!(document["version"], "2.1.0");
        let run = &document["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        let found = run["results"].as_array().expect("results");
        assert!(found.len() >= results, "{document}");
        for result in found {
            let rule = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[rule]["id"], result["ruleId"]);
            assert!(["error", "warning", "note"].contains(&text(&result["level"])));
            let place = &result["locations"][0]["physicalLocation"];
            assert!(place["region"]["startLine"].as_u64() >= Some(1), "{result}");
            let uri = text(&place["artifactLocation"]["uri"]);
            assert!(uri.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"`".contains(&b)), "{uri}");
            assert_eq!(text(&result["partialFingerprints"]["pgproof/v1"]).len(), 16);
        }
    }
}

#[test]
fn sarif_stays_within_what_github_takes() {
    let document: Value =
        serde_json::from_str(&render::sarif::render(&many(&ordinary(), 30_000))).expect("JSON");
    let run = &document["runs"][0];
    let results = run["results"].as_array().map_or(0, Vec::len);
    assert!((5_000..=25_000).contains(&results), "{results}");
    assert!(document.to_string().len() < 10_000_000);
    let notifications = run["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(notifications.contains(&format!("{} more results", 30_000 - results)), "{notifications}");
}

#[test]
fn no_two_issues_for_gitlab_have_one_fingerprint() {
    let issues: Vec<Value> =
        serde_json::from_str(&render::gitlab::render(&many(&ordinary(), 3_000))).expect("JSON");
    let all: BTreeSet<&str> = issues.iter().map(|issue| text(&issue["fingerprint"])).collect();
    assert_eq!((issues.len(), all.len()), (3_000, 3_000));
    let issues: Vec<Value> = serde_json::from_str(&written(&hostile(), "gitlab")).expect("JSON");
    assert_eq!(issues[0]["location"]["path"], HOSTILE_PATH);
    assert_eq!(issues[0]["location"]["lines"]["begin"], 7);
    assert!(["info", "minor", "major", "critical"].contains(&text(&issues[0]["severity"])));
    assert_eq!(written(&silent(), "gitlab").trim(), "[]");
}

#[test]
fn a_fingerprint_outlives_lines_and_numbers() {
    let of = |capture: &Value| {
        let issues: Vec<Value> = serde_json::from_str(&written(capture, "gitlab")).expect("JSON");
        text(&issues[0]["fingerprint"]).to_owned()
    };
    let mut moved = ordinary();
    moved["statements"][0]["origin"]["line"] = 70.into();
    assert_eq!(of(&ordinary()), of(&moved));
    moved["statements"][0]["origin"]["path"] = "other.sql".into();
    assert_ne!(of(&ordinary()), of(&moved));
}

#[test]
fn junit_is_xml_with_a_case_for_each_statement() {
    for (capture, failing) in [(ordinary(), true), (hostile(), true), (silent(), false)] {
        let xml = written(&capture, "junit");
        let document = roxmltree::Document::parse(&xml).unwrap_or_else(|e| panic!("{e}: {xml}"));
        let cases = document.descendants().filter(|n| n.has_tag_name("testcase")).count();
        let told =
            document.descendants().filter(|n| n.has_tag_name("failure") || n.has_tag_name("system-out"));
        assert!(cases >= 1, "{xml}");
        assert_eq!(told.count() > 0, failing, "{xml}");
        let root = document.root_element();
        assert_eq!(root.attribute("tests"), Some(cases.to_string().as_str()));
    }
}

#[test]
fn a_page_needs_nothing_and_lets_nothing_in() {
    let page = written(&hostile(), "html");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="), "{page}");
    assert!(written(&silent(), "html").contains("no findings"));
}
