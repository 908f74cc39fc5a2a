//! Runs migrations for their effect alone.
//!
//! Refuses to run on a database that pgproof did not make, and to look at what they do.

use super::missing::{Missed, Missing};
use super::session::Session;
use super::trace::ends;
use crate::error::{Error, Kind, Result};
use crate::migrate::{Control, Migration, Running};

const POPULATE: &str = include_str!("queries/schema_populate.sql");
/// A statement of a migration on empty tables runs no longer: a loop that waits for rows has no end there.
pub(super) const LIMIT: &str = "SET statement_timeout = '30s'";

/// Fills the materialized views that a schema left without data.
///
/// # Errors
/// A lost connection.
pub async fn populate(session: &Session) -> Result<()> {
    session.batch("fill materialized views", POPULATE).await
}

/// Runs migrations for their effect alone, as fast as their framework's transactions allow. Returns what this server
/// lacks of what they ask for.
///
/// # Errors
/// The first failure, with the migration's path and line; a lost connection.
pub async fn apply(session: &Session, migrations: &[Migration]) -> Result<Vec<Missing>> {
    let mut missing = Missed::default();
    for migration in migrations {
        run(session, migration, migration.steps.len(), &mut missing).await?;
    }
    Ok(missing.found)
}

/// Runs the first statements of a migration in their transactions.
async fn run(session: &Session, migration: &Migration, steps: usize, missing: &mut Missed) -> Result<()> {
    let doing = format!("apply the migration {}", migration.path);
    let together = migration.running == Running::Together || migration.implied();
    session.batch(&doing, LIMIT).await?;
    if together {
        session.batch(&doing, "BEGIN").await?;
    }
    // Where the open transaction began, which is where to begin again.
    let (mut at, mut from, mut open) = (0, 0, together);
    let steps = steps.min(migration.steps.len());
    while at < steps || open {
        let Some(step) = migration.steps.get(at).filter(|_| at < steps) else {
            match session.batch(&doing, "COMMIT").await {
                Ok(()) => break,
                Err(error) if missing.hurry(session, migration, &error).await? => {
                    (at, open) = (from, together && from == 0);
                    if open {
                        session.batch(&doing, "BEGIN").await?;
                    }
                    continue;
                }
                Err(error) => {
                    let last = migration.steps.last().map_or(1, |step| step.line);
                    return Err(failed(&doing, last, error));
                }
            }
        };
        let control = step.control();
        if !open {
            from = at;
        }
        let ran = match missing.skips(migration, at) {
            true => Ok(()),
            false => session.batch(&doing, &missing.text(migration, at)).await,
        };
        match ran {
            Ok(()) => {
                missing.ran(session, &step.text).await?;
                open = control == Control::Begin || (open && control != Control::End);
                at += 1;
            }
            Err(error) if missing.mend(session, migration, at, &error).await? => {
                (at, open) = (from, together && from == 0);
                if open {
                    session.batch(&doing, "BEGIN").await?;
                }
            }
            Err(error) => return Err(failed(&doing, step.line, error)),
        }
    }
    // What a migration sets for its session is none of the next one's.
    session.batch(&doing, "RESET ALL").await
}

fn failed(doing: &str, line: usize, error: Error) -> Error {
    if ends(&error) {
        return error;
    }
    let cause = error.cause();
    let code = error.code().map_or(String::new(), |code| format!(" ({code})"));
    Error::new(Kind::Environment, doing)
        .because(format!("line {line}: {cause}{code}"))
        .help("migrations that are applied already have to run on an empty database")
}

/// Runs the first statements of migrations that are known to run.
///
/// # Errors
/// As the server says; a lost connection.
pub async fn apply_prefix(session: &Session, migrations: &[Migration], statements: usize) -> Result<()> {
    let (mut left, mut missing) = (statements, Missed::default());
    for migration in migrations {
        run(session, migration, left, &mut missing).await?;
        left = left.saturating_sub(migration.steps.len());
    }
    Ok(())
}
