//! What a throwaway server lacks of what migrations take for granted: roles are made, extensions are left out.
//!
//! Refuses to leave anything out without saying so, and to mend what is the migration's own mistake.

use super::session::Session;
use crate::error::{Error, Result};
use crate::migrate::Migration;
use crate::sql::ident::quote;
use crate::sql::token::tokenize;

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
}

impl Missed {
    /// Whether a statement is left out, for it asks for what is not here.
    pub(super) fn skips(&self, migration: &Migration, step: usize) -> bool {
        let line = migration.steps[step].line;
        self.found.iter().any(|one| one.path == migration.path && one.line == line)
    }

    /// Does something about what made a statement fail, in place of its transaction: whether that may run once more.
    ///
    /// # Errors
    /// As the server says.
    pub(super) async fn mend(
        &mut self,
        session: &Session,
        migration: &Migration,
        step: usize,
        error: &Error,
    ) -> Result<bool> {
        let said = error.causes().into_iter().next().unwrap_or_else(|| error.to_string());
        let step = &migration.steps[step];
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
            session
                .batch("make a role that migrations name", &format!("CREATE ROLE {}", quote(&role)))
                .await?;
            self.roles.push(role);
            return Ok(true);
        }
        let (tokens, _) = tokenize(&step.text);
        let word = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(&step.text, word));
        if word(0, "create") && word(1, "extension") && matches!(error.code(), Some("0A000" | "58P01")) {
            session.batch("roll back", "ROLLBACK").await?;
            self.found.push(Missing { path: migration.path.clone(), line: step.line, what: said });
            return Ok(true);
        }
        Ok(false)
    }
}

/// The role that nobody made, where that is what the server said: the name in `role "NAME" does not exist`.
pub fn missing_role(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("role \"")?;
    let (name, rest) = rest.split_once("\" ")?;
    rest.starts_with("does not exist").then(|| name.to_owned())
}
