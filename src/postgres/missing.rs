//! What a throwaway server lacks of what migrations take for granted: roles are made, extensions are left out. Roles are of
//! the whole server, so that one may be there from another run of the same migrations: it is not made again.
//!
//! Refuses to leave anything out without saying so, and to mend what is the migration's own mistake.

use super::session::Session;
use super::templates;
use crate::error::{Error, Kind, Result};
use crate::migrate::Migration;
use crate::sql::ident::{quote, unquote};
use crate::sql::token::tokenize;
use std::collections::BTreeSet;

/// Something that this server lacks, and what was done without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// What the server said.
    pub what: String,
}

/// What was missing so far.
#[derive(Debug, Default)]
pub(super) struct Missed {
    pub found: Vec<Missing>,
    roles: Vec<String>,
    /// Roles that the migrations before made: to make one of these again is a mistake; `None`: they may all be there.
    known: Option<BTreeSet<String>>,
    /// Statements that ask for an extension, or make a role which is there: by path and number.
    skipped: BTreeSet<(String, usize)>,
    /// What the server said of what was left out before.
    left: Vec<String>,
}

impl Missed {
    /// Of a run of new migrations, where those before them made roles, and where these extensions were left out.
    pub(super) fn after(base: &[Migration], left: &[String]) -> Missed {
        let steps = base.iter().flat_map(|migration| &migration.steps);
        Missed {
            known: Some(steps.filter_map(|step| role_made(&step.text)).collect()),
            left: left.to_vec(),
            ..Missed::default()
        }
    }

    /// A statement has run: a role that it made is ours to drop in the end.
    ///
    /// # Errors
    /// As the server says.
    pub(super) async fn ran(&mut self, session: &Session, text: &str) -> Result<()> {
        let Some(role) = role_made(text) else { return Ok(()) };
        session.batch("mark a role", &templates::mark_role(&quote(&role))).await?;
        if let Some(known) = &mut self.known {
            known.insert(role);
        }
        Ok(())
    }

    /// Whether a statement is left out, for it asks for what is not here.
    pub(super) fn skips(&self, migration: &Migration, step: usize) -> bool {
        self.skipped.contains(&(migration.path.clone(), step))
    }

    /// Does something about what made a statement fail, in place of its transaction: whether that may run once more.
    ///
    /// # Errors
    /// [`Kind::Environment`] where it may need an extension that was left out: nobody can say whether it would run.
    /// As the server says.
    pub(super) async fn mend(
        &mut self,
        session: &Session,
        migration: &Migration,
        at: usize,
        error: &Error,
    ) -> Result<bool> {
        let said = error.cause();
        let step = &migration.steps[at];
        if let Some(role) = missing_role(&said).filter(|_| error.code() == Some("42704")) {
            let (tokens, _) = tokenize(&step.text);
            // Who drops or renames one that nobody made is mistaken.
            let made = ["drop", "alter"]
                .iter()
                .any(|word| tokens.first().is_some_and(|t| t.is_word(&step.text, word)))
                && tokens
                    .get(1)
                    .is_some_and(|t| t.is_word(&step.text, "role") || t.is_word(&step.text, "user"));
            if made || self.roles.contains(&role) {
                return Ok(false);
            }
            session.batch("roll back", "ROLLBACK").await?;
            let quoted = quote(&role);
            let make = format!("CREATE ROLE {quoted}; {}", templates::mark_role(&quoted));
            session.batch("make a role that migrations name", &make).await?;
            self.roles.push(role);
            return Ok(true);
        }
        let there = role_made(&step.text).filter(|_| error.code() == Some("42710"));
        if there.is_some_and(|role| self.known.as_ref().is_none_or(|known| !known.contains(&role))) {
            session.batch("roll back", "ROLLBACK").await?;
            self.skipped.insert((migration.path.clone(), at));
            return Ok(true);
        }
        let (tokens, _) = tokenize(&step.text);
        let word = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(&step.text, word));
        if word(0, "create") && word(1, "extension") && matches!(error.code(), Some("0A000" | "58P01")) {
            session.batch("roll back", "ROLLBACK").await?;
            self.skipped.insert((migration.path.clone(), at));
            self.found.push(Missing { path: migration.path.clone(), line: step.line, what: said });
            return Ok(true);
        }
        // A type, a function, a table, a schema that is not there.
        let unknown = matches!(error.code(), Some("42704" | "42883" | "42P01" | "3F000"));
        let mut left = self.left.iter().chain(self.found.iter().map(|missing| &missing.what));
        match left.next().filter(|_| unknown) {
            Some(left) => {
                Err(Error::new(Kind::Environment, format!("apply the migration {}", migration.path))
                    .because(format!(
                        "line {}: {said}; it may come with what was left out: {left}",
                        step.line
                    ))
                    .help(
                        "install the extension for this server, or name one that has it: --postgres BIN_DIR, \
                     --postgres docker:IMAGE or --server URL --disposable",
                    ))
            }
            None => Ok(false),
        }
    }
}

/// The role that a statement makes.
fn role_made(text: &str) -> Option<String> {
    let (tokens, _) = tokenize(text);
    let word =
        |at: usize, words: &[&str]| tokens.get(at).is_some_and(|t| words.iter().any(|w| t.is_word(text, w)));
    let name = tokens.get(2).filter(|_| word(0, &["create"]) && word(1, &["role", "user", "group"]))?;
    // A mapping of a user is none.
    (!word(2, &["mapping"])).then(|| unquote(&text[name.start..name.end]))
}

/// The role that nobody made, where that is what the server said: the name in `role "NAME" does not exist`.
pub fn missing_role(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("role \"")?;
    let (name, rest) = rest.split_once("\" ")?;
    rest.starts_with("does not exist").then(|| name.to_owned())
}
