//! The files of variants: `benches/recall/<rule>.sql`, a setup and statements, each under a heading of comments.
//!
//! ```sql
//! CREATE TABLE …;            -- everything before the first heading is the setup
//! -- variant: a view
//! -- setting: enable_hashjoin=off
//! -- param: 42
//! -- remedy: none | building | asking | writes
//! SELECT …;
//! ```
//!
//! `building` (the default) is proven by `--prove rollback`; `asking` by `auto`, which builds nothing: settings and
//! rewrites; `none`: the rule has advice in words only.

use std::path::Path;

/// How the finding's remedy is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    None,
    Building,
    Asking,
}

/// The variants of one rule's trouble.
pub struct Set {
    pub rule: String,
    pub setup: String,
    pub variants: Vec<Variant>,
}

/// One statement.
pub struct Variant {
    pub name: String,
    pub query: String,
    pub params: Vec<String>,
    pub settings: Vec<String>,
    pub remedy: Remedy,
    pub writes: bool,
    since: u32,
    until: u32,
}

impl Variant {
    /// Whether it is about that major.
    pub fn covers(&self, major: u32) -> bool {
        (self.since..=self.until).contains(&major)
    }
}

/// Every file's variants, by rule.
pub fn sets() -> Vec<Set> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/recall");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of variants")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Set {
    let rule = path.file_stem().expect("a name").to_string_lossy().into_owned();
    assert!(pgproof::rules::find(&rule).is_some(), "{}: there is no rule of that name", path.display());
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut parts = text.split("-- variant: ");
    let setup = parts.next().unwrap_or("").to_owned();
    let variants = parts.map(|part| variant(part, &rule)).collect();
    Set { rule, setup, variants }
}

fn variant(part: &str, rule: &str) -> Variant {
    let (name, rest) = part.split_once('\n').expect("a statement below the heading");
    let mut variant = Variant {
        name: name.trim().to_owned(),
        query: String::new(),
        params: Vec::new(),
        settings: vec!["max_parallel_workers_per_gather=0".to_owned()],
        remedy: Remedy::Building,
        writes: false,
        since: 0,
        until: u32::MAX,
    };
    for line in rest.lines() {
        let Some((word, value)) = line.strip_prefix("-- ").and_then(|line| line.split_once(": ")) else {
            variant.query.push_str(line);
            variant.query.push('\n');
            continue;
        };
        let major = || value.parse().unwrap_or_else(|_| panic!("{rule} / {name}: {value} is no major"));
        match (word, value) {
            ("param", value) => variant.params.push(value.to_owned()),
            ("setting", value) => variant.settings.push(value.to_owned()),
            ("since", _) => variant.since = major(),
            ("until", _) => variant.until = major(),
            ("remedy", "none") => variant.remedy = Remedy::None,
            ("remedy", "building") => variant.remedy = Remedy::Building,
            ("remedy", "asking") => variant.remedy = Remedy::Asking,
            ("writes", "yes") => variant.writes = true,
            _ => panic!("{rule} / {name}: `{word}: {value}` is nothing that a variant has"),
        }
    }
    variant.query = variant.query.trim().trim_end_matches(';').to_owned();
    variant
}

/// The statements of a setup.
pub fn pieces(sql: &str) -> Vec<String> {
    pgproof::sql::split(sql).expect("SQL that can be split").iter().map(|p| p.text.to_owned()).collect()
}
