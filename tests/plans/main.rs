//! Plans recorded from real servers: nothing is lost in reading, and times add up.
#![allow(clippy::disallowed_methods)]

mod anonymized;
mod comparable;
mod compare;
mod damage;
mod facts;
mod formats;
mod lossless;
mod odd;
mod pastes;
mod reading;
mod sane;
mod size;
mod tree;
mod writing;

use pgproof::facts::Facts;
use pgproof::plan::{Node, Plan, read_json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

const MAJORS: [u32; 6] = [13, 14, 15, 16, 17, 18];

/// Every recorded plan as `13/name` and its text.
fn fixtures() -> BTreeMap<String, String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans");
    let mut all = BTreeMap::new();
    for major in MAJORS {
        let folder = top.join(major.to_string());
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            all.insert(format!("{major}/{name}"), std::fs::read_to_string(&path).unwrap());
        }
    }
    all
}

/// The names of all recorded plans, such as `13/name`.
fn recorded() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| fixtures().into_keys().collect())
}

fn read(text: &str) -> Vec<Plan> {
    read_json(text).unwrap_or_else(|error| panic!("{error}: {:?}\n{:?}", error.causes(), error.excerpt()))
}

fn fixture_text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans").join(format!("{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

fn fixture(name: &str) -> (Plan, Facts) {
    let plan = read(&fixture_text(name)).remove(0);
    let facts = pgproof::facts::facts(&plan);
    (plan, facts)
}

fn find(plan: &Plan, wanted: impl Fn(&Node) -> bool) -> &Node {
    plan.nodes.iter().find(|node| wanted(node)).expect("the plan has such a node")
}
