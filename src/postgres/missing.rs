//! What a throwaway server lacks of what migrations take for granted: roles are made; extensions are left out, and so are
//! statements about rows that only production has. Roles are of the whole server, so that one may be there from another
//! run of the same migrations: it is not made again.
//!
//! Refuses to leave anything out without saying so, and to mend what is the migration's own mistake.

use super::session::Session;
use super::templates;
use crate::error::{Error, Kind, Result};
use crate::migrate::traced::{Picture, Seen};
use crate::migrate::{Control, Migration, Step};
use crate::sql::ident::{quote, unquote};
use crate::sql::token::tokenize;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Something that this server lacks, and what was done without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    pub left: Left,
}

/// What was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub lacks: Lacks,
    /// What the server said.
    pub said: String,
}

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// An extension is not installed for this server.
    Extension,
    /// It asks for rows, and tables are empty here.
    Rows,
    /// It names a role that none of the migrations made: one was made here.
    Role,
}

/// What was missing so far.
#[derive(Debug, Default)]
pub(super) struct Missed {
    pub found: Vec<Missing>,
    roles: Vec<String>,
    /// Roles that the migrations before made: to make one of these again is a mistake; `None`: they may all be there.
    known: Option<BTreeSet<String>>,
    /// Statements that ask for an extension or for rows, or make a role which is there: by path and number.
    skipped: BTreeSet<(String, usize)>,
    /// What was left out before.
    left: Vec<Left>,
    /// Tables that were there before, by bare name: only these have rows in production; `None`: all may be.
    there: Option<BTreeSet<String>>,
    /// Migrations whose end failed on a constraint that was put off: it is checked after each statement, which tells whose
    /// fault it is.
    eager: BTreeSet<String>,
}

impl Missed {
    /// Of a run of new migrations, where those before them made roles, where this was left out, and where this is there.
    pub(super) fn after(base: &[Migration], left: &[Left], old: &Picture) -> Missed {
        let steps = base.iter().flat_map(|migration| &migration.steps);
        let bare = |seen: &Seen| unquote(seen.name.rsplit('.').next().unwrap_or(&seen.name));
        Missed {
            known: Some(steps.filter_map(|step| role_made(&step.text)).collect()),
            left: left.to_vec(),
            there: Some(old.relations.values().map(bare).collect()),
            ..Missed::default()
        }
    }

    /// What is sent for a statement.
    pub(super) fn text<'a>(&self, migration: &'a Migration, step: usize) -> Cow<'a, str> {
        let text = &migration.steps[step].text;
        match self.eager.contains(&migration.path) && of_rows(text) {
            true => format!("{text}\n; SET CONSTRAINTS ALL IMMEDIATE").into(),
            false => text.into(),
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
        let step = &migration.steps[at];
        if step.control() == Control::End || first_of(&step.text, &["set"]) {
            return self.hurry(session, migration, error).await;
        }
        if let Some(made) = self.role(session, &migration.path, step, error).await? {
            return Ok(made);
        }
        let there = role_made(&step.text).filter(|_| error.code() == Some("42710"));
        let again = there.is_some_and(|role| self.known.as_ref().is_none_or(|known| !known.contains(&role)));
        let lacks = self.lacks(&step.text, error);
        if again || lacks.is_some() {
            session.batch("roll back", "ROLLBACK").await?;
            self.skipped.insert((migration.path.clone(), at));
            self.found.extend(lacks.map(|lacks| Missing {
                path: migration.path.clone(),
                line: step.line,
                left: Left { lacks, said: error.cause() },
            }));
            return Ok(true);
        }
        // A column, a type, a function, a table, a schema that is not there.
        let unknown = matches!(error.code(), Some("42703" | "42704" | "42883" | "42P01" | "3F000"));
        let left = self.left.iter().chain(self.found.iter().map(|missing| &missing.left));
        let mut left = left.filter_map(|left| Some((left, left.lacks.remedy()?)));
        match left.next().filter(|_| unknown) {
            Some((left, remedy)) => {
                let why = format!(
                    "line {}: {}; it may come with what was left out: {}",
                    step.line,
                    error.cause(),
                    left.said
                );
                Err(Error::new(Kind::Environment, format!("apply the migration {}", migration.path))
                    .because(why)
                    .help(remedy))
            }
            None => Ok(false),
        }
    }

    /// The end of a migration failed: whether it may run once more, with constraints checked at once.
    ///
    /// # Errors
    /// As the server says.
    pub(super) async fn hurry(
        &mut self,
        session: &Session,
        migration: &Migration,
        error: &Error,
    ) -> Result<bool> {
        let may = error.code() == Some("23503") && self.eager.insert(migration.path.clone());
        if may {
            session.batch("roll back", "ROLLBACK").await?;
        }
        Ok(may)
    }

    /// Makes a role that a statement takes for granted: whether it did; `None`: none is missing.
    async fn role(
        &mut self,
        session: &Session,
        path: &str,
        step: &Step,
        error: &Error,
    ) -> Result<Option<bool>> {
        let missing = missing_role(&error.cause()).filter(|_| error.code() == Some("42704"));
        let Some(role) = missing else { return Ok(None) };
        let (tokens, _) = tokenize(&step.text);
        // Who drops or renames one that nobody made is mistaken.
        let mistaken = first_of(&step.text, &["drop", "alter"])
            && tokens.get(1).is_some_and(|t| t.is_word(&step.text, "role") || t.is_word(&step.text, "user"));
        if mistaken || self.roles.contains(&role) {
            return Ok(Some(false));
        }
        session.batch("roll back", "ROLLBACK").await?;
        make_role(session, &role).await?;
        self.roles.push(role);
        // Of the base's, production has it.
        if self.known.is_some() {
            let left = Left { lacks: Lacks::Role, said: error.cause() };
            self.found.push(Missing { path: path.to_owned(), line: step.line, left });
        }
        Ok(Some(true))
    }

    /// What a statement that failed does not find here, though it may be there in production.
    fn lacks(&self, text: &str, error: &Error) -> Option<Lacks> {
        let code = error.code()?;
        let (tokens, _) = tokenize(text);
        let word = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(text, word));
        if word(0, "create") && word(1, "extension") {
            return matches!(code, "0A000" | "58P01").then_some(Lacks::Extension);
        }
        if !of_rows(text) {
            return None;
        }
        let selects = first_of(text, &["do", "call"]) || tokens.iter().any(|t| t.is_word(text, "select"));
        let missing = match code {
            // A key of a table whose rows are all of these migrations is missing in production too.
            "23503" => error.causes().iter().any(|line| {
                let parent =
                    line.split_once("is not present in table \"").and_then(|(_, rest)| rest.split_once('"'));
                parent.is_some_and(|(name, _)| self.there.as_ref().is_none_or(|there| there.contains(name)))
            }),
            "23502" => selects,
            // What EXECUTE was to run was put together out of no rows.
            "42601" => first_of(text, &["do", "call"]) && text.to_lowercase().contains("execute"),
            code => WITHOUT_ROWS.contains(&code),
        };
        missing.then_some(Lacks::Rows)
    }
}

impl Lacks {
    /// Where a later statement may fail because this was left out.
    fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Lacks::Extension => {
                "install the extension for this server, or name one that has it: --postgres BIN_DIR, \
                 --postgres docker:IMAGE or --server URL --disposable"
            }
            Lacks::Rows => "write what was left out so that it also runs where the tables are empty",
            Lacks::Role => return None,
        })
    }
}

/// What is said of rows that are not there: by `RAISE` and `ASSERT`, by `SELECT INTO STRICT`, by a division by a count, by
/// `setval` with no greatest key, by `EXECUTE` of what was put together out of none, and by a loop that waits for some.
const WITHOUT_ROWS: [&str; 8] = ["P0001", "P0002", "P0003", "P0004", "22003", "22004", "22012", "57014"];

/// A statement about rows: whether it succeeds may depend on those that are there.
fn of_rows(text: &str) -> bool {
    first_of(text, &["insert", "update", "delete", "merge", "with", "select", "do", "call"])
}

fn first_of(text: &str, words: &[&str]) -> bool {
    let (tokens, _) = tokenize(text);
    tokens.first().is_some_and(|t| words.iter().any(|word| t.is_word(text, word)))
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

/// Makes a role that a schema or a migration takes for granted, and that goes with this run.
///
/// # Errors
/// As the server says.
pub async fn make_role(session: &Session, role: &str) -> Result<()> {
    let quoted = quote(role);
    let make = format!("CREATE ROLE {quoted}; {}", templates::mark_role(&quoted));
    session.batch("make a role that is taken for granted", &make).await
}

/// The role that nobody made, where that is what the server said: the name in `role "NAME" does not exist`.
pub fn missing_role(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("role \"")?;
    let (name, rest) = rest.split_once("\" ")?;
    rest.starts_with("does not exist").then(|| name.to_owned())
}
