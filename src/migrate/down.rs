//! Migrations that nothing undoes, where other ones of their project can be undone.
//!
//! Refuses to judge whether what undoes does so: whether there is a statement is all that it looks at.

use super::directives::{Up, dbmate, goose};
use super::framework::base;
use super::read::order;
use super::{File, Framework, Migration};
use crate::sql;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// A migration that nothing undoes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoDown {
    /// What its framework looks for: a file, or the line that a part of this one begins with.
    pub wanted: String,
    /// It is there, and holds no statement.
    pub empty: bool,
    /// The other migrations of the project.
    pub others: usize,
    /// Those of them that can be undone.
    pub undone: usize,
}

/// What would undo a migration: how it is called, and its text where there is any.
type Down = (String, Option<String>);

/// Says of each migration that nothing undoes how it is with the others.
pub(super) fn put_downs(framework: Framework, files: &[File], migrations: &mut [Migration]) {
    let downs: Vec<Option<Down>> = migrations.iter().map(|m| down(framework, files, m)).collect();
    let holds =
        |down: &Option<Down>| down.as_ref().is_some_and(|(_, text)| text.as_deref().is_some_and(holds));
    let undone = downs.iter().filter(|down| holds(down)).count();
    let others = downs.iter().flatten().count().saturating_sub(1);
    for (migration, down) in migrations.iter_mut().zip(&downs).filter(|(_, down)| !holds(down)) {
        let Some((wanted, text)) = down else { continue };
        migration.no_down = Some(NoDown { wanted: wanted.clone(), empty: text.is_some(), others, undone });
    }
}

/// `None` where the framework undoes nothing.
fn down(framework: Framework, files: &[File], migration: &Migration) -> Option<Down> {
    let part = |up: Up, line: &str| (line.to_owned(), up.down);
    let file = base(&migration.name);
    let folder = migration.name.strip_suffix(file).unwrap_or("");
    let stem = file.strip_suffix(".sql").map_or(file, |stem| stem.strip_suffix(".up").unwrap_or(stem));
    let below = migration.path.strip_suffix(file).unwrap_or("");
    let digits = |name: &str| name.chars().take_while(char::is_ascii_digit).collect::<String>();
    let undoes = |other: &&File| {
        let name = other.name.strip_prefix(folder).filter(|name| !name.contains('/'));
        name.is_some_and(|name| match framework {
            Framework::Diesel => name == "down.sql",
            _ => name.ends_with(".down.sql") && order(&digits(name), &migration.version) == Ordering::Equal,
        })
    };
    Some(match framework {
        Framework::Goose => part(goose(&migration.text), "-- +goose Down"),
        Framework::Dbmate => part(dbmate(&migration.text), "-- migrate:down"),
        Framework::Sqlx | Framework::GolangMigrate | Framework::Diesel => {
            let found = files.iter().find(undoes);
            let name =
                if framework == Framework::Diesel { "down".to_owned() } else { format!("{stem}.down") };
            let wanted = found.map_or_else(|| format!("{below}{name}.sql"), |file| file.path.clone());
            (wanted, found.map(|file| file.text.clone()))
        }
        _ => return None,
    })
}

/// There is a statement, or something that cannot be read as one.
fn holds(text: &str) -> bool {
    sql::split(text).map_or(true, |pieces| !pieces.is_empty())
}
