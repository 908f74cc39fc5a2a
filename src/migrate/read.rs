//! From files to migrations in the order in which their framework runs them.
//!
//! Refuses to skip what it cannot read: that is an error with its place.

use super::directives::{Up, dbmate, goose};
use super::down::put_downs;
use super::framework::base;
use super::{File, Framework, Migration, Refused, Running, Step};
use crate::error::{Error, Kind, Result};
use crate::sql;
use std::cmp::Ordering;

/// Lines that the COPY before its rows has at most.
const LONGEST_COPY: usize = 50;

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
    /// Stands for all versions up to this one on an empty database.
    Baseline(String),
    /// Undoes.
    Down,
    /// None of the framework's.
    Other,
}

/// The migrations among the files, in order, and what is odd about them.
///
/// # Errors
/// [`Kind::Input`] with file and line: two files of one version, a quote that is not closed, data for COPY.
pub fn read(files: &[File], framework: Framework) -> Result<(Vec<Migration>, Vec<Problem>)> {
    let mut problems = Vec::new();
    let mut found: Vec<(bool, String, &File)> = Vec::new();
    let mut baselines: Vec<(String, &File)> = Vec::new();
    for file in files.iter().filter(|f| f.name.to_ascii_lowercase().ends_with(".sql")) {
        match role(framework, &file.name) {
            Role::Up(version) => found.push((false, version, file)),
            Role::Repeatable(version) => found.push((true, version, file)),
            Role::Baseline(version) => baselines.push((version, file)),
            Role::Down => {}
            Role::Other => problems.push(Problem {
                path: file.path.clone(),
                what: format!("{} runs no file of this name", framework.name()),
            }),
        }
    }
    // Where the versions that a baseline stands for are there, they are what production ran.
    let newest = baselines.into_iter().max_by(|one, other| order(&one.0, &other.0));
    let stands_in = |(version, _): &(String, &File)| {
        !found.iter().any(|(repeatable, other, _)| !repeatable && order(other, version) != Ordering::Greater)
    };
    found.extend(newest.filter(stands_in).map(|(version, file)| (false, version, file)));
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| order(&a.1, &b.1)).then_with(|| a.2.name.cmp(&b.2.name)));
    for pair in found.windows(2) {
        let [(_, one, first), (_, other, second)] = pair else { continue };
        let alike = first.root == second.root && order(one, other) == Ordering::Equal;
        if framework != Framework::Plain && alike {
            return Err(Error::new(Kind::Input, "put the migrations in order")
                .because(format!("{} and {} have one version, {one}", first.path, second.path))
                .help("give one of them a version of its own"));
        }
    }
    let mut migrations = Vec::new();
    for (repeatable, version, file) in found {
        let folder = file.name.strip_suffix(base(&file.name)).unwrap_or("");
        let settings = files.iter().find(|f| match framework {
            _ if f.root != file.root => false,
            Framework::Flyway => f.name.strip_prefix(&file.name) == Some(".conf"),
            _ => f.name.strip_prefix(folder) == Some("metadata.toml"),
        });
        let read = migration(framework, version, file, settings, &mut problems)?;
        migrations.push(Migration { repeatable, ..read });
    }
    put_downs(framework, files, &mut migrations);
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
        Framework::Diesel if file == "down.sql" => Role::Down,
        Framework::Prisma if file == "migration.sql" => up(leading(base(folder))),
        Framework::Diesel | Framework::Prisma => Role::Other,
        Framework::Flyway | Framework::Refinery => match file.split_once("__") {
            Some((version, _)) if dotted(version, 'V') => Role::Up(plain(&version[1..])),
            Some(("R", name)) if framework == Framework::Flyway => Role::Repeatable(name.to_owned()),
            Some((version, _)) if framework == Framework::Refinery && dotted(version, 'U') => {
                Role::Up(plain(&version[1..]))
            }
            Some((version, _)) if framework == Framework::Flyway && dotted(version, 'B') => {
                Role::Baseline(plain(&version[1..]))
            }
            // What undoes.
            Some((version, _)) if dotted(version, 'U') || dotted(version, 'B') => Role::Down,
            _ => Role::Other,
        },
        _ if file.ends_with(".down.sql") || (framework == Framework::Plain && file == "down.sql") => {
            Role::Down
        }
        Framework::GolangMigrate if file.ends_with(".up.sql") => up(leading(file)),
        Framework::GolangMigrate => Role::Other,
        Framework::Sqlx | Framework::Goose | Framework::Dbmate => up(leading(file)),
        Framework::Plain => Role::Up(name.to_owned()),
    }
}

/// A letter and a number with dots or underscores: `V1`, `V1.2`, `V2024_01_02`.
fn dotted(version: &str, letter: char) -> bool {
    version.strip_prefix(letter).is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '_')
    })
}

/// A version of Flyway's as it compares them: `1_2` is `1.2`, and so is `1.2.0`.
fn plain(version: &str) -> String {
    let mut parts: Vec<&str> = version.split(['.', '_']).collect();
    while parts.len() > 1 && parts.last().is_some_and(|part| part.bytes().all(|b| b == b'0')) {
        parts.pop();
    }
    parts.join(".")
}

/// What two versions have in common that [`order`] takes for one: `0001` and `1`.
pub(super) fn key(version: &str) -> String {
    let mut key = String::new();
    let mut zeros = String::new();
    for c in version.chars() {
        let in_number = key.ends_with(|c: char| c.is_ascii_digit());
        match c {
            '0' if !in_number => zeros.push(c),
            _ => {
                if !c.is_ascii_digit() && !zeros.is_empty() {
                    key.push('0');
                }
                zeros.clear();
                key.push(c);
            }
        }
    }
    if !zeros.is_empty() {
        key.push('0');
    }
    key
}

/// The order of two versions: numbers as numbers, whatever stands between them as text.
pub(super) fn order(one: &str, other: &str) -> Ordering {
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
    settings: Option<&File>,
    problems: &mut Vec<Problem>,
) -> Result<Migration> {
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text).replace("\r\n", "\n");
    let mut problem = |what: String| problems.push(Problem { path: file.path.clone(), what });
    let up = match framework {
        Framework::Goose => goose(&text),
        Framework::Dbmate => dbmate(&text),
        // Both send the lines behind a COPY as its rows.
        Framework::Plain | Framework::Flyway => {
            let (text, copied) = without_rows(&text);
            if copied > 0 {
                problem(format!(
                    "the rows of {copied} COPY … FROM stdin were left out: tables are empty here"
                ));
            }
            // To others a line of psql's is a mistake, which the server names.
            let text = match framework {
                Framework::Plain => {
                    let (text, unheard) = without_commands(&text);
                    unheard.into_iter().for_each(&mut problem);
                    text
                }
                _ => text,
            };
            Up { text, marked: true, ..Up::default() }
        }
        _ => Up { text: text.clone(), marked: true, ..Up::default() },
    };
    if !up.marked {
        problem(format!("nothing says where it goes up, so {} runs none of it", framework.name()));
    }
    let steps = steps(&up, file)?;
    if steps.is_empty() && up.marked {
        problem("it holds no statement".to_owned());
    }
    let first_line = text.lines().next().unwrap_or("");
    let alone = steps.iter().any(|step| outside(&step.text));
    let lifted = settings.is_some_and(|file| says_no(&file.text));
    let running = match framework {
        Framework::Sqlx if first_line.starts_with("-- no-transaction") => Running::OneString,
        Framework::Diesel if lifted => Running::OneString,
        Framework::Goose if up.no_transaction => Running::Alone,
        Framework::Dbmate if up.no_transaction => Running::OneString,
        Framework::Flyway if alone || lifted => Running::Alone,
        Framework::Plain => Running::Alone,
        Framework::GolangMigrate | Framework::Prisma => Running::OneString,
        _ => Running::Together,
    };
    let refused = match framework {
        Framework::Goose => cut_by_goose(&up, &steps),
        Framework::Flyway => mixed(&steps),
        _ => None,
    };
    let (name, path) = (file.name.clone(), file.path.clone());
    Ok(Migration {
        version,
        name,
        path,
        running,
        repeatable: false,
        refused,
        behind: None,
        no_down: None,
        steps,
        root: file.root.clone(),
        text,
    })
}

/// Flyway runs a file in a transaction or without, and looks at its statements to know; `executeInTransaction=false` does
/// not spare it the question, `mixed=true` does, which stands in no file here.
fn mixed(steps: &[Step]) -> Option<Refused> {
    let alone = steps.iter().find(|step| outside(&step.text))?;
    steps.iter().any(|step| !outside(&step.text)).then(|| Refused {
        line: alone.line,
        end_line: alone.end_line,
        why: "this statement cannot run in a transaction, and others of the file do: Flyway refuses to mix them"
            .to_owned(),
        help: "give it a migration of its own; where Flyway runs with mixed=true, say so with pgproof:ignore".to_owned(),
    })
}

/// goose ends a statement where a line ends with a semicolon, in quotes or not, and wants one at the end.
fn cut_by_goose(up: &Up, steps: &[Step]) -> Option<Refused> {
    let lines: Vec<&str> = up.text.split('\n').collect();
    let ends = |at: usize| {
        let words = lines.get(at - 1)?.split_whitespace().take_while(|word| !word.starts_with("--"));
        words.last().filter(|word| word.ends_with(';')).map(|_| at)
    };
    let refused = |step: &Step, why: String, help: &str| Refused {
        line: step.line,
        end_line: step.end_line,
        why,
        help: help.to_owned(),
    };
    let whole = |step: &&Step| up.whole.iter().any(|(from, to)| *from < step.line && step.end_line < *to);
    for step in steps.iter().filter(|step| !whole(step)) {
        if let Some(at) = (step.line..step.end_line).find_map(ends) {
            let why = format!("goose ends this statement at line {at}, where a line ends with a semicolon");
            return Some(refused(
                step,
                why,
                "put it between -- +goose StatementBegin and -- +goose StatementEnd",
            ));
        }
    }
    let last = steps.last().filter(|step| !whole(step))?;
    let open = (last.end_line..=lines.len()).find_map(ends).is_none();
    open.then(|| refused(last, "goose finds no semicolon at its end".to_owned(), "end it with one"))
}

/// diesel's `run_in_transaction = false`, Flyway's `executeInTransaction=false`.
fn says_no(settings: &str) -> bool {
    settings.lines().any(|line| {
        line.split_once('=').is_some_and(|(key, value)| {
            ["run_in_transaction", "executeInTransaction"].contains(&key.trim())
                && value.trim().starts_with("false")
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

/// Each COPY that has its rows in the file, up to the line `\.`, as empty lines; and how many there were.
fn without_rows(text: &str) -> (String, usize) {
    let lines: Vec<&str> = text.split('\n').collect();
    let (mut kept, mut copied, mut at) = (Vec::with_capacity(lines.len()), 0, 0);
    // Where the next line is that ends rows; none is left once it is past the last.
    let mut end = 0;
    while at < lines.len() {
        let begins = lines[at].get(..5).is_some_and(|word| word.eq_ignore_ascii_case("copy "));
        let mut near = (at..lines.len().min(at + LONGEST_COPY)).filter(|_| begins);
        let last = near.find(|&line| lines[line].trim_end().ends_with(';'));
        if let Some(last) = last.filter(|last| sql::copies_in(&lines[at..=*last].join("\n"))) {
            end = (end.max(last + 1)..lines.len()).find(|&line| lines[line] == "\\.").unwrap_or(lines.len());
            if end < lines.len() {
                kept.extend(std::iter::repeat_n("", end + 1 - at));
                (copied, at) = (copied + 1, end + 1);
                continue;
            }
        }
        kept.push(lines[at]);
        at += 1;
    }
    (kept.join("\n"), copied)
}

/// psql's own commands as empty lines, and those among them that do something to the database, which we do not.
fn without_commands(text: &str) -> (String, Vec<String>) {
    const DOING: [&str; 12] =
        ["i", "ir", "include", "include_relative", "copy", "gexec", "g", "c", "connect", "if", "!", "o"];
    let mut unheard = Vec::new();
    let mut kept: Vec<&str> = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let Some(command) = line.strip_prefix('\\') else {
            kept.push(line);
            continue;
        };
        let word = command.split_whitespace().next().unwrap_or("");
        if DOING.contains(&word) {
            unheard.push(format!(
                "line {}: psql's \\{word} is not followed: what it would run was not looked at",
                at + 1
            ));
        }
        kept.push("");
    }
    (kept.join("\n"), unheard)
}
