//! Migrations: their files, in order, with the transaction rules of the framework that runs them; and what was seen
//! while they ran.
//!
//! Refuses to apply a migration, and to guess what its framework would not do.

pub mod demands;
mod directives;
mod down;
pub mod effects;
mod framework;
pub mod history;
pub mod keys;
pub mod placeholders;
mod read;
mod sizes;
pub mod traced;

pub use down::NoDown;
pub use framework::{Framework, Late};
pub(crate) use read::outside;
pub use read::{Problem, read};
pub use sizes::{Size, Sizes, Spread};

use crate::sql::ident::unquote;
use serde::{Deserialize, Serialize};

/// A file of the migrations' folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// As the user reaches it, with `/` between its parts.
    pub path: String,
    /// Below the folder, with `/` between its parts: what two versions of a folder are compared by.
    pub name: String,
    /// Which of several folders it is in; empty where there is one.
    pub root: String,
    pub text: String,
}

/// How a file's statements are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Running {
    /// All in one transaction.
    Together,
    /// Each by itself, unless the file opens a transaction.
    Alone,
    /// Sent as one string: one transaction that nobody opened, unless it is a single statement.
    OneString,
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    /// What it is ordered by, as written: `20240102030405`, `V1.2`.
    pub version: String,
    /// The file's name below its folder.
    pub name: String,
    pub path: String,
    pub running: Running,
    /// It runs again whenever it was edited.
    #[serde(default)]
    pub repeatable: bool,
    /// Its framework does not run it, whatever the server would say.
    #[serde(default)]
    pub refused: Option<Refused>,
    /// The newest version of the base, where this one comes before it.
    #[serde(default)]
    pub behind: Option<String>,
    /// Nothing undoes it, though its framework could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_down: Option<NoDown>,
    pub steps: Vec<Step>,
    /// Which of several folders it is in; empty where there is one.
    #[serde(skip)]
    pub root: String,
    /// The file as it was read, to tell whether it was edited.
    #[serde(skip)]
    pub text: String,
}

impl Migration {
    /// Its statements stand in transactions that nobody opened: several in one string are one, up to a COMMIT.
    pub fn implied(&self) -> bool {
        self.running == Running::OneString && self.steps.len() > 1
    }
}

/// Why a framework does not run a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Of the statement that it stops at, counted from 1.
    pub line: usize,
    pub end_line: usize,
    /// What it says, in a clause.
    pub why: String,
    pub help: String,
}

/// A statement of a migration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub text: String,
    /// Counted from 1.
    pub line: usize,
    pub end_line: usize,
    /// Comments around it that may speak to pgproof, with their lines.
    #[serde(default)]
    pub comments: Vec<(String, usize)>,
}

/// New migrations and what was seen while they ran, as a capture keeps them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trace {
    pub migrations: Vec<Migration>,
    pub traced: Vec<traced::Traced>,
    pub sizes: Sizes,
    #[serde(default)]
    pub framework: Framework,
    /// Migrations that the base has already.
    #[serde(default)]
    pub applied: usize,
    /// Their names, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base: Vec<String>,
    /// What head made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<history::Rewritten>,
}

/// Says of each new migration whether one of the base comes after it. Versions of what runs again order nothing.
pub fn put_behind(base: &[Migration], new: &mut [Migration]) {
    for migration in new.iter_mut().filter(|m| !m.repeatable) {
        let ordered = base.iter().filter(|m| !m.repeatable && m.root == migration.root);
        let Some(newest) = ordered.max_by(|a, b| read::order(&a.version, &b.version)) else { continue };
        let before = read::order(&migration.version, &newest.version) == std::cmp::Ordering::Less;
        migration.behind = before.then(|| newest.version.clone());
    }
}

/// What a statement does to the transaction it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    Begin,
    End,
    None,
}

impl Step {
    /// What it rolls back: all of the transaction, or what came after the savepoint of that name.
    pub fn undoes(&self) -> Option<Option<String>> {
        let (tokens, _) = crate::sql::token::tokenize(&self.text);
        let word = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(&self.text, word));
        if !word(0, "rollback") && !word(0, "abort") {
            return None;
        }
        let to = tokens.iter().position(|t| t.is_word(&self.text, "to"));
        Some(to.and_then(|_| tokens.last()).map(|name| unquote(&self.text[name.start..name.end])))
    }

    /// The savepoint that it makes.
    pub fn savepoint(&self) -> Option<String> {
        let (tokens, _) = crate::sql::token::tokenize(&self.text);
        let [first, name] = &tokens[..] else { return None };
        first.is_word(&self.text, "savepoint").then(|| unquote(&self.text[name.start..name.end]))
    }

    /// Whether what it changes may be seen in no relation, and yet by queries: a function, a type, an operator. A table of
    /// its own, a privilege, rows and a setting of its session are none of that.
    pub fn may_change_unseen(&self) -> bool {
        const NOT: [&str; 10] = [
            "table",
            "index",
            "sequence",
            "trigger",
            "policy",
            "role",
            "user",
            "database",
            "publication",
            "rule",
        ];
        let (tokens, _) = crate::sql::token::tokenize(&self.text);
        let any = |at: usize, words: &[&str]| {
            tokens.get(at).is_some_and(|t| words.iter().any(|word| t.is_word(&self.text, word)))
        };
        let trigger = tokens.iter().any(|token| token.is_word(&self.text, "trigger"));
        let kind = trigger || (1..4).any(|at| any(at, &NOT));
        any(0, &["do", "call", "select", "import"]) || (any(0, &["create", "alter", "drop"]) && !kind)
    }

    /// Whether it begins or ends a transaction.
    pub fn control(&self) -> Control {
        let (tokens, _) = crate::sql::token::tokenize(&self.text);
        let word = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(&self.text, word));
        match () {
            () if word(0, "begin") || (word(0, "start") && word(1, "transaction")) => Control::Begin,
            () if word(0, "commit") || word(0, "end") || self.undoes() == Some(None) => Control::End,
            () => Control::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may be the culprit of any query makes the search for it long.
    #[test]
    fn what_a_statement_may_change_unseen_is_a_function_or_a_type() {
        for (text, may) in [
            ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", true),
            ("DROP FUNCTION f()", true),
            ("ALTER TYPE kind ADD VALUE 'x'", true),
            ("DO $$ BEGIN EXECUTE 'DROP FUNCTION f()'; END $$", true),
            ("CREATE OPERATOR === (FUNCTION = f, LEFTARG = int, RIGHTARG = int)", true),
            ("SET LOCAL lock_timeout = '2s'", false),
            ("RESET ALL", false),
            ("CREATE TABLE t (a int)", false),
            ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", false),
            ("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$", false),
            ("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", false),
            ("GRANT SELECT ON t TO r", false),
            ("INSERT INTO t VALUES (1)", false),
            ("COMMENT ON TABLE t IS 'function'", false),
        ] {
            let step = Step { text: text.to_owned(), line: 1, end_line: 1, comments: Vec::new() };
            assert_eq!(step.may_change_unseen(), may, "{text}");
        }
    }
}
