//! Migrations of the base that head tells otherwise: edited, gone, others in their place.
//!
//! Refuses to take a file's name for a migration where its framework goes by the version, and to hold a rewritten
//! history against anybody before the schemas were compared.

use super::framework::base;
use super::read::{key, order};
use super::{Framework, Migration};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One thing that a schema consists of: the object, what of it, and its details.
pub type Line = (String, String, String);

/// What head made of the migrations that the base has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    /// Changed since, with the first line that differs.
    pub edited: Vec<(String, usize)>,
    /// Their files are there no more.
    pub gone: Vec<String>,
    /// The newest migration of the base is one of those that are gone.
    #[serde(default)]
    pub newest_gone: bool,
    /// Migrations of head that stand for those that are gone.
    pub instead: Vec<String>,
    /// What a database that is made of head's files alone has otherwise than one on which the base ran; `None`: not
    /// compared.
    pub differences: Option<Vec<Difference>>,
    /// Why head's files alone make no database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<Fails>,
}

/// A migration that fails on an empty database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fails {
    pub path: String,
    pub line: usize,
    pub message: String,
}

/// Something that two schemas have otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub object: String,
    pub what: String,
    /// Where the base ran; `None`: not there.
    pub ran: Option<String>,
    /// In a database that is made anew.
    pub anew: Option<String>,
}

/// The migrations of both sides, as head's framework tells them apart.
pub struct Parted {
    /// Those of head that do not stand in the base.
    pub new: Vec<Migration>,
    pub rewritten: Option<Rewritten>,
}

/// Parts what is new in head from what the base has.
pub fn part(applied: &[Migration], all: &[Migration], framework: Framework) -> Parted {
    let known: HashMap<String, &Migration> = applied.iter().map(|m| (identity(m, framework), m)).collect();
    let then = |m: &Migration| known.get(&identity(m, framework)).copied();
    let edited = |m: &Migration| then(m).is_some_and(|then| other(then, m, framework));
    let runs = |m: &&Migration| then(m).is_none() || (m.repeatable && edited(m));
    let new = all.iter().filter(runs).cloned().collect();
    let here: BTreeSet<String> = all.iter().map(|m| identity(m, framework)).collect();
    let gone: Vec<&Migration> =
        applied.iter().filter(|m| !m.repeatable && !here.contains(&identity(m, framework))).collect();
    let newest = applied.iter().filter(|m| !m.repeatable).max_by(|a, b| order(&a.version, &b.version));
    let rewritten = Rewritten {
        edited: all
            .iter()
            .filter(|m| !m.repeatable && edited(m))
            .map(|m| (m.path.clone(), then(m).map_or(1, |then| first_difference(&then.text, &m.text))))
            .collect(),
        newest_gone: newest.is_some_and(|newest| gone.iter().any(|m| m.name == newest.name)),
        gone: gone.iter().map(|m| m.path.clone()).collect(),
        ..Rewritten::default()
    };
    let any = !rewritten.edited.is_empty() || !rewritten.gone.is_empty();
    Parted { new, rewritten: any.then_some(rewritten) }
}

/// What a framework knows a migration by.
fn identity(migration: &Migration, framework: Framework) -> String {
    let own = match framework {
        Framework::Plain | Framework::Prisma => migration.name.clone(),
        _ if migration.repeatable => format!("R {}", migration.version),
        _ => key(&migration.version),
    };
    format!("{}\u{1f}{own}", migration.root)
}

/// Its framework, or a reader, sees another migration in it.
fn other(then: &Migration, now: &Migration, framework: Framework) -> bool {
    let named = matches!(framework, Framework::Flyway | Framework::Refinery);
    let description = |m: &Migration| base(&m.name).split_once("__").map(|(_, text)| text.to_owned());
    then.text != now.text || (named && description(then) != description(now))
}

fn first_difference(then: &str, now: &str) -> usize {
    let same = then.lines().zip(now.lines()).take_while(|(a, b)| a == b).count();
    (same + 1).min(now.lines().count().max(1))
}

/// How many of the new migrations, from the first on, may stand for those that are gone by their version alone: none of
/// them comes after all of the gone ones.
pub fn by_version(new: &[Migration], applied: &[Migration], gone: &[String]) -> usize {
    let gone = applied.iter().filter(|m| gone.contains(&m.path));
    let Some(newest) = gone.max_by(|a, b| order(&a.version, &b.version)) else { return 0 };
    let before = |m: &&Migration| !m.repeatable && order(&m.version, &newest.version) != Ordering::Greater;
    new.iter().take_while(before).count()
}

/// What two schemas have otherwise; of an object that one of them lacks, only that.
pub fn differences(ran: &[Line], anew: &[Line]) -> Vec<Difference> {
    let found = every_difference(ran, anew);
    // What a whole object that is there on one side only consists of goes without saying.
    let whole: BTreeSet<String> = found
        .iter()
        .filter(|d| (d.ran.is_none() || d.anew.is_none()) && !of_a_relation(&d.what))
        .map(|d| d.object.clone())
        .collect();
    found.into_iter().filter(|d| !of_a_relation(&d.what) || !whole.contains(&d.object)).collect()
}

/// In how many lines two schemas differ.
pub fn apart(ran: &[Line], anew: &[Line]) -> usize {
    every_difference(ran, anew).len()
}

fn every_difference(ran: &[Line], anew: &[Line]) -> Vec<Difference> {
    let lines = |all: &[Line]| {
        all.iter()
            .map(|(object, what, details)| ((object.clone(), what.clone()), details.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let (ran, anew) = (lines(ran), lines(anew));
    let keys: BTreeSet<&(String, String)> = ran.keys().chain(anew.keys()).collect();
    let parted = keys.into_iter().filter(|key| ran.get(*key) != anew.get(*key));
    parted
        .map(|key| Difference {
            object: key.0.clone(),
            what: key.1.clone(),
            ran: ran.get(key).cloned(),
            anew: anew.get(key).cloned(),
        })
        .collect()
}

/// It is a part of a relation, not an object of its own.
pub fn of_a_relation(what: &str) -> bool {
    const PARTS: [&str; 8] =
        ["column ", "constraint ", "index ", "unique index ", "trigger ", "rule ", "policy ", "statistics "];
    PARTS.iter().any(|part| what.starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::{File, read};

    fn migrations(files: &[(&str, &str)], framework: Framework) -> Vec<Migration> {
        let file = |(name, text): &(&str, &str)| File {
            path: format!("db/{name}"),
            name: (*name).to_owned(),
            root: String::new(),
            text: (*text).to_owned(),
        };
        read(&files.iter().map(file).collect::<Vec<_>>(), framework).expect("migrations").0
    }

    fn parted(framework: Framework, base: &[(&str, &str)], head: &[(&str, &str)]) -> Parted {
        part(&migrations(base, framework), &migrations(head, framework), framework)
    }

    #[test]
    fn a_file_that_got_another_name_is_the_same_migration_where_versions_count() {
        let (base, head) = ([("0001_a.sql", "SELECT 1;")], [("1_b.sql", "SELECT 1;")]);
        let by_version = parted(Framework::Goose, &base, &head);
        assert_eq!((by_version.new.len(), by_version.rewritten), (0, None));
        let by_name = parted(Framework::Plain, &base, &head);
        assert_eq!(by_name.new.len(), 1);
        assert_eq!(by_name.rewritten.expect("gone").gone, ["db/0001_a.sql"]);
        let flyway =
            parted(Framework::Flyway, &[("V1__a.sql", "SELECT 1;")], &[("V1.0__b.sql", "SELECT 1;")]);
        assert_eq!(flyway.new.len(), 0);
        assert_eq!(flyway.rewritten.expect("edited").edited, [("db/V1.0__b.sql".to_owned(), 1)]);
    }

    #[test]
    fn the_line_of_an_edit_is_the_first_that_differs() {
        let base = [("1.sql", "SELECT 1;\nSELECT 2;\n")];
        let found =
            |text| parted(Framework::Plain, &base, &[("1.sql", text)]).rewritten.map(|r| r.edited[0].1);
        assert_eq!(found("SELECT 1;\nSELECT 3;\n"), Some(2));
        assert_eq!(found("SELECT 1;\n"), Some(1));
        assert_eq!(found("SELECT 1;\nSELECT 2;\nSELECT 3;\n"), Some(3));
        assert_eq!(found("SELECT 1;\r\nSELECT 2;\r\n"), None);
    }

    #[test]
    fn columns_of_a_relation_that_is_gone_go_without_saying() {
        let line = |object: &str, what: &str, details: &str| {
            (object.to_owned(), what.to_owned(), details.to_owned())
        };
        let ran = [line("t", "table", ""), line("t", "column a", "integer"), line("u", "column b", "text")];
        let anew = [line("u", "column b", "integer")];
        let found: Vec<String> =
            differences(&ran, &anew).iter().map(|d| format!("{} {}", d.object, d.what)).collect();
        assert_eq!(found, ["t table", "u column b"]);
    }
}
