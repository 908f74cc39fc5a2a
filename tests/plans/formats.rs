//! The same statement in every notation gives the same plan.
//!
//! Each recording is an execution of its own, so times and buffers differ; what the planner decided does not.

use super::comparable::{comparable, diff};
use super::{MAJORS, read};
use pgproof::plan::Plan;
use std::path::Path;

/// Rolled back, a write still leaves dead rows and a longer file: the next recording's plan differs.
const WRITES: &[&str] = &["/cte-writes", "/update-with-trigger"];

#[test]
fn json_is_sniffed() {
    compare("json", |text| pgproof::plan::read(text, None), &[]);
}

#[test]
fn yaml_is_read_as_json_is() {
    compare("yaml", |text| pgproof::plan::read(text, None), &[]);
}

#[test]
fn xml_is_read_as_json_is() {
    // XML does not say whether an incremental sort's space was memory or disk.
    compare("xml", |text| pgproof::plan::read(text, None), &["/incremental-sort"]);
}

#[test]
fn text_is_read_as_json_is() {
    compare("txt", |text| pgproof::plan::read(text, None), &[]);
}

fn compare(ending: &str, read_other: fn(&str) -> pgproof::error::Result<Vec<Plan>>, lossy: &[&str]) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans");
    let mut failures = Vec::new();
    let mut compared = 0;
    for major in MAJORS {
        for entry in std::fs::read_dir(top.join(major.to_string())).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let json = read(&std::fs::read_to_string(&path).unwrap());
            let source = std::fs::read_to_string(path.with_extension(ending)).unwrap();
            let name = format!("{major}/{}", path.file_stem().unwrap().to_string_lossy());
            let text = match read_other(&source) {
                Ok(text) => text,
                Err(e) => {
                    failures.push(format!("{name}: {e} {:?}", e.excerpt()));
                    continue;
                }
            };
            compared += 1;
            if WRITES.iter().chain(lossy).any(|known| name.ends_with(known)) {
                continue;
            }
            let json: Vec<Plan> = json.into_iter().map(comparable).collect();
            let text: Vec<Plan> = text.into_iter().map(comparable).collect();
            if json.len() != text.len() || json.iter().zip(&text).any(|(a, b)| a.nodes.len() != b.nodes.len())
            {
                failures.push(format!(
                    "{name}: {:?} plans of {:?} nodes",
                    (json.len(), text.len()),
                    json.iter().zip(&text).map(|(a, b)| (a.nodes.len(), b.nodes.len())).collect::<Vec<_>>()
                ));
                continue;
            }
            for (a, b) in json.iter().zip(&text) {
                for (x, y) in a.nodes.iter().zip(&b.nodes) {
                    let (x, y) = (format!("{x:#?}"), format!("{y:#?}"));
                    if x != y {
                        let differ: Vec<String> = diff(&x, &y);
                        failures.push(format!("{name}: {}", differ.join(" ")));
                        break;
                    }
                }
                let rest = |p: &Plan| format!("{:#?}", Plan { nodes: Vec::new(), ..p.clone() });
                if rest(a) != rest(b) {
                    failures.push(format!("{name}: plan: {}", diff(&rest(a), &rest(b)).join(" ")));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared}:\n{}", failures.len(), failures.join("\n"));
}
