//! The shape of the code, held to: who may import whom, which crate is whose, how long a file may be.
//!
//! A failure names the file, the line, the edge and what to do about it.
#![allow(clippy::disallowed_methods)] // Tests are an edge.

mod source;

use source::files;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Every module of the crate, and what it may import. "Imports point one way": the table has no cycle.
const EDGES: &[(&str, &[&str])] = &[
    ("accepted", &["error", "finding", "identity", "report", "rules", "suppress", "words"]),
    (
        "analyse",
        &[
            "capture",
            "catalog",
            "compare",
            "context",
            "error",
            "facts",
            "finding",
            "gate",
            "migrate",
            "plan",
            "proposals",
            "prove",
            "report",
            "rules",
            "sql",
            "suppress",
            "units",
            "words",
            "workload",
        ],
    ),
    ("anonymize", &["plan", "sql"]),
    (
        "app",
        &[
            "accepted",
            "analyse",
            "anonymize",
            "capture",
            "cases",
            "catalog",
            "cli",
            "config",
            "corpus",
            "error",
            "exit",
            "finding",
            "gate",
            "migrate",
            "pack",
            "plan",
            "postgres",
            "proposals",
            "prove",
            "render",
            "report",
            "rules",
            "safety",
            "scratch",
            "sql",
            "suppress",
            "units",
            "words",
            "workload",
        ],
    ),
    ("capture", &["catalog", "gate", "migrate", "prove", "workload"]),
    ("cases", &["finding", "plan", "report", "rules", "sql"]),
    ("catalog", &["sql"]),
    ("cli", &["error", "postgres", "scratch", "workload"]),
    ("compare", &["facts", "plan", "sql", "units"]),
    ("config", &["error", "finding", "gate", "rules", "strict"]),
    (
        "context",
        &["capture", "catalog", "facts", "finding", "gate", "migrate", "plan", "sql", "units", "workload"],
    ),
    // A log's entries go on as they do where a plan is looked for in one.
    ("corpus", &["error", "finding", "gate", "plan", "sql", "words"]),
    ("error", &["exit"]),
    ("exit", &[]),
    ("facts", &["plan", "units"]),
    ("finding", &["units"]),
    ("gate", &["finding", "plan", "sql", "words"]),
    ("identity", &["finding", "report", "sql"]),
    ("migrate", &["error", "sql"]),
    ("pack", &["capture", "catalog", "error"]),
    ("plan", &["error", "sql", "units"]),
    // Answers what `prove` asks, about changes that `proposals` defines.
    (
        "postgres",
        &["catalog", "error", "gate", "migrate", "pack", "proposals", "prove", "sql", "words", "workload"],
    ),
    ("proposals", &["catalog", "context", "finding", "plan", "sql", "units"]),
    ("prove", &[]),
    (
        "render",
        &[
            "capture",
            "compare",
            "error",
            "finding",
            "gate",
            "identity",
            "plan",
            "proposals",
            "prove",
            "report",
            "rules",
            "sql",
            "suppress",
            "units",
            "words",
            "workload",
        ],
    ),
    (
        "report",
        &[
            "capture",
            "catalog",
            "compare",
            "facts",
            "finding",
            "gate",
            "plan",
            "proposals",
            "prove",
            "suppress",
            "workload",
        ],
    ),
    (
        "rules",
        &[
            "capture", "catalog", "context", "error", "facts", "finding", "gate", "migrate", "plan", "sql",
            "strict", "units", "words",
        ],
    ),
    ("safety", &["plan", "sql"]),
    ("scratch", &["error"]),
    ("sql", &[]),
    ("strict", &["error", "words"]),
    ("suppress", &["capture", "rules", "words"]),
    ("units", &[]),
    ("words", &["units"]),
    ("workload", &["sql"]),
];

/// Where a crate may be used. What is not here may not be used in `src` at all.
const CRATES: &[(&str, &[&str])] = &[
    ("annotate_snippets", &["render"]),
    ("anstyle", &["render"]),
    ("backon", &["postgres"]),
    ("bytes", &["postgres"]),
    ("cel", &["rules"]),
    ("clap", &["cli", "app"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("deadpool_postgres", &["postgres"]),
    ("fastrand", &["postgres", "prove"]),
    ("glob", &["config", "rules"]),
    ("indicatif", &["app"]),
    ("libc", &["app", "postgres", "scratch"]),
    ("rustls", &["postgres"]),
    ("rustls_native_certs", &["postgres"]),
    ("schemars", &["capture", "finding", "proposals", "prove", "render", "suppress"]),
    (
        "serde",
        &[
            "accepted",
            "app",
            "capture",
            "catalog",
            "corpus",
            "finding",
            "gate",
            "migrate",
            "pack",
            "postgres",
            "proposals",
            "prove",
            "render",
            "suppress",
            "units",
            "workload",
        ],
    ),
    (
        "serde_json",
        &[
            "accepted",
            "anonymize",
            "app",
            "capture",
            "corpus",
            "gate",
            "pack",
            "plan",
            "postgres",
            "prove",
            "render",
        ],
    ),
    ("sqlparser", &["sql"]),
    ("tabled", &["render"]),
    ("tempfile", &["app", "scratch"]),
    ("tokio", &["app", "postgres"]),
    ("tokio_postgres", &["postgres"]),
    ("tokio_postgres_rustls", &["postgres"]),
    ("toml", &["strict"]),
];

/// The modules that touch the world.
const OUTSIDE: &[&str] = &["app", "cli", "postgres", "scratch"];

/// Code that may panic: file, what it calls, how often, and why it cannot happen.
const MAY_PANIC: &[(&str, &str, usize, &str)] =
    &[("src/postgres/session.rs", ".expect(\"", 1, "the connection is there until `drop` takes it away")];

/// Lines of a file at most.
const LONGEST: usize = 500;

#[test]
fn imports_follow_the_table() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut seen = BTreeSet::new();
    let mut wrong = String::new();
    for file in files("src") {
        let Some(module) = file.module() else { continue };
        let Some(may) = allowed.get(module.as_str()) else {
            let _ = writeln!(
                wrong,
                "{}: the module `{module}` is new: give it a line in EDGES, and say in its header what it refuses",
                file.path
            );
            continue;
        };
        for (line, target) in file.imports() {
            if target == module {
                continue;
            }
            if !may.contains(&target.as_str()) {
                let _ = writeln!(
                    wrong,
                    "{}:{line}: `{module}` imports `{target}`, an edge that the table does not have. Move the shared \
                     part to a module that both may see; add the edge to EDGES only if it points from right to left on \
                     the line of ARCHITECTURE.md",
                    file.path
                );
            }
            seen.insert((module.clone(), target));
        }
    }
    for (module, targets) in EDGES {
        for target in *targets {
            if !seen.contains(&((*module).to_owned(), (*target).to_owned())) {
                let _ = writeln!(
                    wrong,
                    "`{module}` no longer imports `{target}`: take `{target}` out of its line in EDGES"
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_table_has_no_cycle() {
    let mut left: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(module, targets)| (*module, targets.iter().copied().collect())).collect();
    loop {
        let done: Vec<&str> = left.iter().filter(|(_, t)| t.is_empty()).map(|(module, _)| *module).collect();
        if done.is_empty() {
            break;
        }
        for module in done {
            left.remove(module);
            left.values_mut().for_each(|targets| {
                targets.remove(module);
            });
        }
    }
    assert!(left.is_empty(), "these modules import each other, in EDGES: {left:?}");
}

#[test]
fn each_crate_has_its_place() {
    let allowed: BTreeMap<&str, &[&str]> = CRATES.iter().copied().collect();
    let declared = source::dependencies();
    let mut seen = BTreeSet::new();
    let mut wrong = String::new();
    for name in &declared {
        if !allowed.contains_key(name.as_str()) {
            let _ = writeln!(wrong, "Cargo.toml: `{name}` is new: give it a line in CRATES");
        }
    }
    for file in files("src") {
        let Some(module) = file.module() else { continue };
        for (line, name) in file.crates(&declared) {
            if !allowed.get(name.as_str()).is_some_and(|may| may.contains(&module.as_str())) {
                let _ = writeln!(
                    wrong,
                    "{}:{line}: `{module}` uses `{name}`, which belongs to {:?}. Have that module hand over a value of \
                     our own type",
                    file.path,
                    allowed.get(name.as_str()).unwrap_or(&&[][..])
                );
            }
            seen.insert((name, module.clone()));
        }
    }
    for (name, modules) in CRATES {
        for module in *modules {
            if !seen.contains(&((*name).to_owned(), (*module).to_owned())) {
                let _ = writeln!(
                    wrong,
                    "`{module}` no longer uses `{name}`: take it out of CRATES, and out of Cargo.toml if it was the last"
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = String::new();
    for file in ["src", "tests", "benches"].into_iter().flat_map(files) {
        let lines = file.text.lines().count();
        if lines > LONGEST {
            let _ = writeln!(
                wrong,
                "{}: {lines} lines, {LONGEST} at most. Find the part with a name of its own and give it a file",
                file.path
            );
        }
        if !file.text.starts_with("//! ") {
            let _ = writeln!(
                wrong,
                "{}:1: no `//!` header. Say in one line what the file is, and in a second what it refuses",
                file.path
            );
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn nothing_panics_on_purpose() {
    let mut wrong = String::new();
    for file in files("src") {
        for call in [".unwrap()", ".expect(\"", "panic!(", "todo!(", "unimplemented!(", "unreachable!("] {
            let lines = file.lines_with(call);
            let entry = MAY_PANIC.iter().find(|(path, what, ..)| *path == file.path && *what == call);
            let listed = entry.map_or(0, |(_, _, times, _)| *times);
            if lines.len() > listed {
                let _ = writeln!(
                    wrong,
                    "{}: `{call}` on lines {lines:?}. Return an error, or `None` with a gap; only what cannot happen \
                     may go to MAY_PANIC, with the reason",
                    file.path
                );
            } else if lines.len() < listed {
                let _ =
                    writeln!(wrong, "{}: `{call}` is in MAY_PANIC more often than in the file", file.path);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn only_the_edges_touch_the_world() {
    let mut wrong = String::new();
    for file in files("src") {
        let Some(module) = file.module() else { continue };
        for call in ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!("] {
            for line in file.lines_with(call) {
                let _ = writeln!(
                    wrong,
                    "{}:{line}: `{call}`: `app::output` writes the report, `app::progress` says what is being done, \
                     and an error goes up",
                    file.path
                );
            }
        }
        for line in file.lines_with("allow(clippy::disallowed") {
            if !OUTSIDE.contains(&module.as_str()) {
                let _ = writeln!(
                    wrong,
                    "{}:{line}: `{module}` is no edge: files, processes, the environment and the clock are for {OUTSIDE:?}",
                    file.path
                );
            }
        }
        for line in file.lines_with("io::stdout()") {
            if module != "app" {
                let _ = writeln!(
                    wrong,
                    "{}:{line}: standard output carries the report only, from `app`",
                    file.path
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
