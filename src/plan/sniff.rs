//! Tells the four notations apart, and takes off what clients put around them.
//!
//! Refuses to try one reader after the other: the first character that is not a frame decides.

use super::text::unframed;
use super::{Plan, read_json, read_text, read_xml, read_yaml};
use crate::error::Result;

/// The notations of EXPLAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    Text,
    Json,
    Yaml,
    Xml,
}

/// The notation that `text` is in: what is neither JSON, XML nor YAML is text.
pub fn sniff(text: &str) -> Notation {
    let text = unframed(text);
    let start = text.trim_start();
    let item = |line: &str| line.starts_with("- Plan:") || line.starts_with("- \"Plan\":");
    match start.chars().next() {
        Some('[' | '{') => Notation::Json,
        Some('<') => Notation::Xml,
        _ if item(start) || start.starts_with("Plan:") || start.starts_with("Query Text: \"") => {
            Notation::Yaml
        }
        _ => Notation::Text,
    }
}

/// Reads the plans in `text`, in the notation named or, without one, in the one it seems to be in.
///
/// # Errors
///
/// [`crate::error::Kind::Input`] with the place.
pub fn read(text: &str, notation: Option<Notation>) -> Result<Vec<Plan>> {
    match notation.unwrap_or_else(|| sniff(text)) {
        Notation::Text => read_text(text),
        Notation::Json => read_json(&unframed(text)),
        Notation::Yaml => read_yaml(&unframed(text)),
        Notation::Xml => read_xml(&unframed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)";

    fn kinds(text: &str) -> Vec<String> {
        let plans = read(text, None).unwrap_or_else(|e| panic!("{e}: {:?} {:?}", e.causes(), e.excerpt()));
        plans.iter().flat_map(|p| p.nodes.iter().map(|n| n.kind.clone())).collect()
    }

    #[test]
    fn frames_of_clients_are_taken_off() {
        let json = r#"[{"Plan": {"Node Type": "Seq Scan", "Relation Name": "t"}}]"#;
        for text in [
            NODE.to_owned(),
            format!("                   QUERY PLAN                   \n------------------------\n {NODE}\n(1 row)\n"),
            format!("QUERY PLAN\n{NODE}\n(1 row)\n\nTime: 3 ms"),
            format!("| {NODE} |\n"),
            format!("+----+\n| QUERY PLAN |\n+----+\n| {NODE} |\n+----+\n(1 row)"),
            format!("\"{NODE}\""),
            format!("\u{feff}{NODE}\r\n"),
            json.to_owned(),
            format!("  QUERY PLAN\n-----------\n {json}\n(1 row)"),
            "               QUERY PLAN              \n----------\n [                 +\n   {               +\n     \"Plan\": {\"Node Type\": \"Seq Scan\"} +\n   }               +\n ]\n(1 row)".to_owned(),
            "- Plan: \n    Node Type: \"Seq Scan\"".to_owned(),
            "<explain xmlns=\"http://www.postgresql.org/2009/explain\"><Query><Plan><Node-Type>Seq Scan</Node-Type></Plan></Query></explain>".to_owned(),
        ] {
            assert_eq!(kinds(&text), ["Seq Scan"], "{text}");
        }
    }

    #[test]
    fn prose_around_a_plan_and_several_plans_are_told_apart() {
        let text = format!(
            "Hello,\nthis is slow:\n\n{NODE}\n  Filter: (a = 1)\n\nand this too\n\n{NODE}\nPlanning Time: 1 ms\n{NODE}\n"
        );
        assert_eq!(kinds(&text).len(), 3);
    }

    #[test]
    fn what_is_no_plan_says_so_with_its_line() {
        for text in [
            "",
            "select 1",
            "ERROR:  syntax error",
            "[1]",
            "<a>",
            "LOG:  duration: 1 ms  plan:\n[Your log message was truncated]",
        ] {
            let error = read(text, None).unwrap_err();
            assert!(error.excerpt().is_some() || !error.causes().is_empty(), "{text}");
        }
    }
}
