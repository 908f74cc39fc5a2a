//! Which framework a folder of migrations belongs to, by what its files look like.
//!
//! Refuses to look into a project: a name or a directive in the files decides, and `--framework` overrules it.

use super::File;
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Who runs the migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framework {
    /// Files in the order of their names, each statement by itself, as `psql -f` does: also what Django, Rails and
    /// Alembic print, which opens its own transactions.
    #[default]
    Plain,
    Sqlx,
    Diesel,
    Refinery,
    Flyway,
    Goose,
    GolangMigrate,
    Dbmate,
    Prisma,
}

/// Every framework with the name that `--framework` takes.
pub const NAMES: [(&str, Framework); 9] = [
    ("plain", Framework::Plain),
    ("sqlx", Framework::Sqlx),
    ("diesel", Framework::Diesel),
    ("refinery", Framework::Refinery),
    ("flyway", Framework::Flyway),
    ("goose", Framework::Goose),
    ("golang-migrate", Framework::GolangMigrate),
    ("dbmate", Framework::Dbmate),
    ("prisma", Framework::Prisma),
];

impl FromStr for Framework {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, framework)| *framework).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            Error::new(Kind::Usage, format!("take \"{text}\" for a framework"))
                .help(format!("known ones: {}", names.join(", ")))
        })
    }
}

impl Framework {
    /// Its name, as `--framework` takes it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, framework)| *framework == self).map_or("plain", |(name, _)| name)
    }

    /// The framework whose files these are.
    pub fn detect(files: &[File]) -> Framework {
        let any = |test: &dyn Fn(&File) -> bool| files.iter().any(test);
        let says = |file: &File, words: &str| {
            file.text.lines().any(|line| {
                let comment = line.trim_start().strip_prefix("--").map(str::trim_start);
                comment.is_some_and(|c| c.to_ascii_lowercase().starts_with(words))
            })
        };
        match () {
            () if any(&|f| says(f, "+goose ")) => Framework::Goose,
            () if any(&|f| says(f, "migrate:up")) => Framework::Dbmate,
            () if any(&|f| f.name.ends_with("/migration.sql")) => Framework::Prisma,
            () if any(&|f| f.name.ends_with("/up.sql")) => Framework::Diesel,
            () if any(&|f| versioned(base(&f.name))) => Framework::Flyway,
            () if any(&|f| f.text.starts_with("-- no-transaction")) => Framework::Sqlx,
            () if any(&|f| f.name.ends_with(".up.sql")) => Framework::GolangMigrate,
            // sqlx wants fourteen digits by default; nobody else wraps such files otherwise.
            () if any(&|f| digits(base(&f.name)) == 14 && !f.name.contains('/')) => Framework::Sqlx,
            () => Framework::Plain,
        }
    }
}

/// What becomes of a new migration whose version comes before one that is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// The run ends with an error.
    Refused,
    /// It is never run, and nothing says so.
    Skipped,
    /// It runs after the newer ones; on an empty database it runs before them.
    Run,
}

impl Framework {
    /// What it does by default with a migration that comes too late.
    pub fn late(self) -> Late {
        match self {
            // Flyway's outOfOrder, goose's --allow-missing and refinery's set_abort_missing say otherwise.
            Framework::Flyway | Framework::Goose | Framework::Refinery => Late::Refused,
            Framework::GolangMigrate => Late::Skipped,
            _ => Late::Run,
        }
    }
}

/// A file's name without its folders.
pub(super) fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `V1__name.sql`, as Flyway and refinery name them.
fn versioned(base: &str) -> bool {
    base.strip_prefix('V')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains("__"))
}

fn digits(base: &str) -> usize {
    base.bytes().take_while(u8::is_ascii_digit).count()
}
