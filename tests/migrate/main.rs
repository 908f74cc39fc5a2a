//! Migrations from outside: what each kind of DDL does on every major, how frameworks run their files, hazards that
//! words hide and look-alikes that do no harm, damaged files, and whole runs of `pgproof check`.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod damage;
mod frameworks;
#[path = "../support/mod.rs"]
mod support;
mod truth;

use std::path::Path;

use pgproof::migrate::traced::{Effect, Lock, Traced};
use pgproof::migrate::{File, Framework, Migration, read};
use pgproof::postgres::{ConnectOptions, Environment, Flags, Interrupt, Server, trace};

/// Files of a folder.
pub fn files(all: &[(&str, &str)]) -> Vec<File> {
    let file = |(name, text): &(&str, &str)| File {
        path: format!("migrations/{name}"),
        name: (*name).to_owned(),
        root: String::new(),
        text: (*text).to_owned(),
    };
    all.iter().map(file).collect()
}

/// The files of a folder of `fixtures/migrations`.
pub fn files_below(folder: &str) -> Vec<File> {
    fn walk(root: &Path, folder: &Path, all: &mut Vec<File>) {
        for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, all);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            let name = path.strip_prefix(root).expect("below it").display().to_string();
            all.push(File { path: path.display().to_string(), name, root: String::new(), text });
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/migrations").join(folder);
    let mut all = Vec::new();
    walk(&root, &root, &mut all);
    all
}

/// The migrations among files; panics with the error.
pub fn migrations(framework: Framework, all: &[(&str, &str)]) -> Vec<Migration> {
    read(&files(all), framework).unwrap_or_else(|e| panic!("{e}: {}", e.causes().join(": "))).0
}

/// What the migrations do to a database.
pub fn traced(db: &support::Database, migrations: &[Migration]) -> Vec<Traced> {
    let flags = Flags { dbname: Some(db.url.clone()), ..Flags::default() };
    let run = async {
        let options = ConnectOptions::resolve(&flags, &Environment::default())?;
        let server = Server::connect(options, 4, Interrupt::new()).await?;
        trace::trace(&server, &[], &[], migrations).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run).unwrap_or_else(|e| panic!("{e}: {}", e.causes().join(": "))).0
}

/// A lock as the field writes it for short.
pub fn short(lock: Lock) -> &'static str {
    match lock {
        Lock::AccessShare => "AS",
        Lock::RowShare => "RS",
        Lock::RowExclusive => "RX",
        Lock::ShareUpdateExclusive => "SUX",
        Lock::Share => "S",
        Lock::ShareRowExclusive => "SRX",
        Lock::Exclusive => "X",
        Lock::AccessExclusive => "AX",
    }
}

/// What a statement did to a relation, in a few words: `t AX rewrite scan`, `c SRX`, `i build`.
pub fn words(effect: &Effect) -> String {
    let mut words = vec![effect.relation.trim_start_matches("public.").to_owned()];
    words.extend(effect.lock.map(|lock| short(lock).to_owned()));
    let flags = [
        (effect.rewritten, "rewrite"),
        (effect.scanned, "scan"),
        (!effect.built.is_empty(), "build"),
        (effect.changes_rows, "rows"),
        (effect.dropped, "gone"),
    ];
    words.extend(flags.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()));
    words.join(" ")
}
