//! From files to migrations in the order in which their framework runs them.
//!
//! Refuses to skip what it cannot read: that is an error with its place.

use super::directives::{Up, dbmate, goose};
use super::framework::base;
use super::{File, Framework, Migration, Running, Step};
use crate::error::{Error, Kind, Result};
use crate::sql;
use std::cmp::Ordering;

/// Something about the files that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    pub what: String,
}

/// What a file is to its framework.
enum Role {
    /// Goes up, with this version.
    Up(String),
    /// Runs after all others, whenever it changed.
    Repeatable(String),
    /// Undoes, or is none of the framework's.
    Other,
}

/// The migrations among the files, in order, and what is odd about them.
///
/// # Errors
/// [`Kind::Input`] with file and line: two files of one version, a quote that is not closed, data for COPY.
pub fn read(files: &[File], framework: Framework) -> Result<(Vec<Migration>, Vec<Problem>)> {
    let mut problems = Vec::new();
    let mut found: Vec<(bool, String, &File)> = Vec::new();
    for file in files.iter().filter(|f| f.name.to_ascii_lowercase().ends_with(".sql")) {
        match role(framework, &file.name) {
            Role::Up(version) => found.push((false, version, file)),
            Role::Repeatable(version) => found.push((true, version, file)),
            Role::Other => {}
        }
    }
    found.sort_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| versions(&a.1, &b.1)).then_with(|| a.2.name.cmp(&b.2.name))
    });
    for pair in found.windows(2) {
        let [(_, one, first), (_, other, second)] = pair else { continue };
        if framework != Framework::Plain && versions(one, other) == Ordering::Equal {
            return Err(Error::new(Kind::Input, "put the migrations in order")
                .because(format!("{} and {} have one version, {one}", first.path, second.path))
                .help("give one of them a version of its own"));
        }
    }
    let mut migrations = Vec::new();
    for (_, version, file) in found {
        let folder = file.name.strip_suffix(base(&file.name)).unwrap_or("");
        let metadata = files.iter().find(|f| f.name.strip_prefix(folder) == Some("metadata.toml"));
        migrations.push(migration(framework, version, file, metadata, &mut problems)?);
    }
    Ok((migrations, problems))
}

fn role(framework: Framework, name: &str) -> Role {
    let file = base(name);
    let folder = name.strip_suffix(file).unwrap_or("").trim_end_matches('/');
    let leading = |text: &str| -> Option<String> {
        let digits: String = text.chars().take_while(|c| c.is_ascii_digit()).collect();
        (!digits.is_empty()).then_some(digits)
    };
    let up = |version: Option<String>| version.map_or(Role::Other, Role::Up);
    match framework {
        Framework::Diesel if file == "up.sql" => {
            // `2024-01-02-030405_name`: the dashes are no part of the version.
            up(base(folder).split('_').next().map(|v| v.replace('-', "")).filter(|v| !v.is_empty()))
        }
        Framework::Prisma if file == "migration.sql" => up(leading(base(folder))),
        Framework::Diesel | Framework::Prisma => Role::Other,
        Framework::Flyway | Framework::Refinery => match file.split_once("__") {
            Some((version, _)) if version.starts_with('V') => Role::Up(version[1..].to_owned()),
            Some(("R", name)) if framework == Framework::Flyway => Role::Repeatable(name.to_owned()),
            Some((version, _)) if framework == Framework::Refinery && version.starts_with('U') => {
                Role::Up(version[1..].to_owned())
            }
            _ => Role::Other,
        },
        Framework::GolangMigrate => match file.ends_with(".up.sql") {
            true => up(leading(file)),
            false => Role::Other,
        },
        Framework::Sqlx if file.ends_with(".down.sql") => Role::Other,
        Framework::Sqlx | Framework::Goose | Framework::Dbmate => up(leading(file)),
        Framework::Plain if file.ends_with(".down.sql") || file == "down.sql" => Role::Other,
        Framework::Plain => Role::Up(name.to_owned()),
    }
}

/// The order of two versions: numbers as numbers, whatever stands between them as text.
fn versions(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(bool, String)> {
        let mut parts: Vec<(bool, String)> = Vec::new();
        for c in text.chars() {
            let digit = c.is_ascii_digit();
            match parts.last_mut() {
                Some((kind, part)) if *kind == digit => part.push(c),
                _ => parts.push((digit, c.to_string())),
            }
        }
        parts
    };
    let (one, other) = (parts(one), parts(other));
    for ((digits, a), (others, b)) in one.iter().zip(&other) {
        let order = if *digits && *others {
            let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        } else {
            a.cmp(b)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    one.len().cmp(&other.len())
}

fn migration(
    framework: Framework,
    version: String,
    file: &File,
    metadata: Option<&File>,
    problems: &mut Vec<Problem>,
) -> Result<Migration> {
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text).replace("\r\n", "\n");
    let up = match framework {
        Framework::Goose => goose(&text),
        Framework::Dbmate => dbmate(&text),
        _ => Up { text: text.clone(), no_transaction: false, whole: Vec::new(), marked: true },
    };
    if !up.marked {
        problems.push(Problem {
            path: file.path.clone(),
            what: format!("nothing says where it goes up, so {} runs none of it", framework.name()),
        });
    }
    let steps = steps(&up, file)?;
    if steps.is_empty() && up.marked {
        problems.push(Problem { path: file.path.clone(), what: "it holds no statement".to_owned() });
    }
    let first_line = text.lines().next().unwrap_or("");
    let refused = steps.iter().any(|step| outside(&step.text));
    let running = match framework {
        Framework::Sqlx if first_line.starts_with("-- no-transaction") => Running::OneString,
        Framework::Diesel if metadata.is_some_and(|m| says_no(&m.text)) => Running::OneString,
        Framework::Goose if up.no_transaction => Running::Alone,
        Framework::Dbmate if up.no_transaction => Running::OneString,
        Framework::Flyway if refused => Running::Alone,
        Framework::Plain => Running::Alone,
        Framework::GolangMigrate | Framework::Prisma => Running::OneString,
        _ => Running::Together,
    };
    Ok(Migration { version, name: file.name.clone(), path: file.path.clone(), running, steps, text })
}

/// diesel's `run_in_transaction = false`.
fn says_no(metadata: &str) -> bool {
    metadata.lines().any(|line| {
        line.split_once('=').is_some_and(|(key, value)| {
            key.trim() == "run_in_transaction" && value.trim().starts_with("false")
        })
    })
}

/// A statement that the server refuses within a transaction.
pub(crate) fn outside(text: &str) -> bool {
    let (tokens, _) = sql::token::tokenize(text);
    let first = |word: &str| tokens.first().is_some_and(|t| t.is_word(text, word));
    let any = |word: &str| tokens.iter().any(|t| t.is_word(text, word));
    let ddl = first("create") || first("drop") || first("reindex") || first("alter");
    (ddl && any("concurrently")) || first("vacuum")
}

fn steps(up: &Up, file: &File) -> Result<Vec<Step>> {
    let fail = |line: usize, what: &str| {
        Error::new(Kind::Input, format!("read the migration {}", file.path))
            .because(format!("line {line}: {what}"))
    };
    // What goose is told to be one statement is set apart before the rest is split.
    let lines: Vec<&str> = up.text.split('\n').collect();
    let mut parts: Vec<(usize, String, bool)> = Vec::new();
    let mut from = 0;
    for &(begin, end) in &up.whole {
        parts.push((from, lines[from..begin.saturating_sub(1).max(from)].join("\n"), false));
        parts.push((begin, lines[begin.min(end - 1)..end - 1].join("\n"), true));
        from = end.min(lines.len());
    }
    parts.push((from, lines[from..].join("\n"), false));
    let mut steps = Vec::new();
    for (above, text, whole) in parts {
        if whole {
            let body = text.trim().trim_end_matches(';');
            if !body.is_empty() {
                let skipped = text.len() - text.trim_start().len();
                let line = above + 1 + text[..skipped].matches('\n').count();
                let end_line = line + body.matches('\n').count();
                steps.push(Step { text: body.to_owned(), line, end_line, comments: Vec::new() });
            }
            continue;
        }
        let text = without_commands(&text);
        let pieces = sql::split(&text)
            .map_err(|e| fail(above + 1 + text[..e.at.min(text.len())].matches('\n').count(), e.what))?;
        for piece in pieces {
            let line = above + piece.line;
            let (tokens, _) = sql::token::tokenize(piece.text);
            let word = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(piece.text, word));
            if word(0, "copy") && tokens.iter().any(|t| t.is_word(piece.text, "stdin")) {
                return Err(fail(line, "COPY from the file itself is not replayed").help("use INSERT"));
            }
            let comments = piece.comments.iter().map(|c| (c.text.to_owned(), above + c.line)).collect();
            let end_line = line + piece.text.matches('\n').count();
            steps.push(Step { text: piece.text.to_owned(), line, end_line, comments });
        }
    }
    Ok(steps)
}

/// psql's own commands as empty lines.
fn without_commands(text: &str) -> String {
    let line = |line: &str| if line.starts_with('\\') { String::new() } else { line.to_owned() };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}
