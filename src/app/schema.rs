//! Loads a schema without rows into a database of a throwaway server: what `pg_dump --schema-only` wrote.
//!
//! Refuses to stop at what is missing here alone: a role is made, an extension that is not installed is told. Refuses
//! to read COPY data: a schema has none.

use super::input;
use crate::capture::Gap;
use crate::error::{Error, Kind, Result};
use crate::postgres::missing::{make_role, missing_role};
use crate::postgres::{Session, apply};
use crate::sql;
use std::path::{Path, PathBuf};

/// Failures that are told one by one; of more their number.
const TOLD: usize = 5;

/// A file of SQL.
pub struct Script {
    pub name: String,
    pub text: String,
}

impl Script {
    /// Its statements.
    ///
    /// # Errors
    /// [`Kind::Sql`] with the line of a quote that is never closed.
    pub fn pieces(&self, doing: &str) -> Result<Vec<sql::Piece<'_>>> {
        sql::split(&self.text).map_err(|e| {
            let line = self.text[..e.at.min(self.text.len())].matches('\n').count() + 1;
            Error::new(Kind::Sql, doing).because(format!("line {line}: {}", e.what))
        })
    }
}

/// The files of the paths: a folder stands for the `.sql` files in it, in the order of their names.
///
/// # Errors
/// [`Kind::Input`] for what cannot be read, and a folder without such a file.
pub fn scripts(paths: &[PathBuf]) -> Result<Vec<Script>> {
    let mut scripts = Vec::new();
    for path in paths {
        if !path.is_dir() {
            scripts.push(script(path)?);
            continue;
        }
        let failed = |e: std::io::Error| {
            Error::new(Kind::Input, format!("read the folder {}", path.display())).because_of_file(&e)
        };
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_some_and(|e| e.eq_ignore_ascii_case("sql")) {
                files.push(file);
            }
        }
        if files.is_empty() {
            return Err(Error::new(Kind::Input, format!("read the schema in {}", path.display()))
                .because("the folder holds no .sql file")
                .help("name the file that `pg_dump --schema-only` wrote"));
        }
        files.sort();
        for file in files {
            scripts.push(script(&file)?);
        }
    }
    Ok(scripts)
}

fn script(path: &Path) -> Result<Script> {
    let (name, text) = input::text(path)?;
    Ok(Script { name, text: without_commands(&text) })
}

/// psql's own commands, which pg_dump writes since August 2025 (`\restrict`), as empty lines.
fn without_commands(text: &str) -> String {
    let line = |line: &str| if line.starts_with('\\') { String::new() } else { line.to_owned() };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Runs the scripts, each statement by itself. What failed comes back as gaps.
///
/// # Errors
/// [`Kind::Sql`] with the place of what is no SQL; a lost connection; [`Kind::Interrupted`].
pub async fn load(session: &Session, scripts: &[Script]) -> Result<Vec<Gap>> {
    let mut failed = Vec::new();
    for script in scripts {
        let doing = format!("load {}", script.name);
        let pieces = script.pieces(&doing)?;
        for piece in pieces {
            let at = |error: &Error| {
                let cause = error.cause();
                format!("{}:{}: {cause}", script.name, piece.line)
            };
            match run(session, &doing, piece.text).await {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
                // No SQL at all: the file is none, or it is cut.
                Err(error) if error.code() == Some("42601") => {
                    return Err(Error::new(Kind::Sql, &doing).because(at(&error)));
                }
                Err(error) if sql::copies_in(piece.text) => {
                    let help = "a schema has no rows: `pg_dump --schema-only` leaves them out";
                    return Err(Error::new(Kind::Sql, &doing).because(at(&error)).help(help));
                }
                Err(error) => failed.push((at(&error), error.code().map(str::to_owned))),
            }
        }
    }
    session.batch("end loading the schema", "RESET ALL").await?;
    apply::populate(session).await?;
    let more = failed.len().saturating_sub(TOLD);
    let mut gaps: Vec<Gap> = failed
        .into_iter()
        .take(TOLD)
        .map(|(what, sqlstate)| Gap { what, sqlstate, disables: vec!["plans that need it".to_owned()] })
        .collect();
    if more > 0 {
        gaps.push(Gap {
            what: format!("and {more} more statements of the schema that failed here"),
            sqlstate: None,
            disables: vec!["plans that need them".to_owned()],
        });
    }
    Ok(gaps)
}

/// Runs one statement; a role that it names and nobody made is made.
async fn run(session: &Session, doing: &str, text: &str) -> Result<()> {
    // A statement may name several.
    for _ in 0..20 {
        let Err(error) = session.batch(doing, text).await else { return Ok(()) };
        let role = error
            .causes()
            .iter()
            .find_map(|cause| missing_role(cause))
            .filter(|_| matches!(error.code(), Some("42704")));
        let Some(role) = role else { return Err(error) };
        make_role(session, &role).await?;
    }
    session.batch(doing, text).await
}
