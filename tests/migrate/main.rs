//! Migrations from outside: what each kind of DDL does on every major, how frameworks run their files, hazards that
//! words hide and look-alikes that do no harm, damaged files, and whole runs of `pgproof check`.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

#[path = "../support/mod.rs"]
mod support;
mod truth;

use pgproof::migrate::traced::{Effect, Lock, Traced};
use pgproof::migrate::{File, Framework, Migration, read};
use pgproof::postgres::{ConnectOptions, Environment, Flags, Interrupt, Server, trace};

/// Files of a folder.
pub fn files(all: &[(&str, &str)]) -> Vec<File> {
    let file = |(name, text): &(&str, &str)| File {
        path: format!("migrations/{name}"),
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    all.iter().map(file).collect()
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
        trace::trace(&server, migrations).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run).unwrap_or_else(|e| panic!("{e}: {}", e.causes().join(": ")))
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
