//! `pgproof doctor`: what this role on this server lets pgproof see, and leftovers of killed trials.
//!
//! Refuses to change anything but trial indexes of ours that nobody works on any more.

use super::progress::Progress;
use super::{output, prove};
use crate::cli::{Common, Doctor};
use crate::error::Result;
use crate::exit;
use crate::postgres::{ConnectOptions, Environment, Guards, Interrupt, Server, catalog};
use std::fmt::Write as _;

/// Runs the command.
///
/// # Errors
/// No connection, or a leftover that could not be dropped.
pub async fn run(args: &Doctor, common: &Common) -> Result<u8> {
    let options = ConnectOptions::resolve(&args.connection.flags(), &Environment::of_process())?;
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::new(common.quiet);
    let server = Server::connect(options, usize::from(args.connection.pool), interrupt).await?;
    let mut session = server.session("").await?;
    let guards = Guards {
        statement_timeout: args.connection.timeout,
        lock_timeout: args.connection.lock_timeout,
        ..Guards::default()
    };
    session.begin(&guards, &[]).await?;
    let info = catalog::server_info(&session).await?;
    session.rollback().await?;
    drop(session);
    let mut text = String::new();
    let _ = writeln!(text, "connected   {}", server.describe());
    let _ = writeln!(
        text,
        "server      PostgreSQL {}{}",
        info.version,
        if info.in_recovery { ", a standby" } else { "" }
    );
    let hypopg = match &info.hypopg {
        Some(extension) => format!("{} in schema {}", extension.version, extension.schema),
        None => "not installed: `CREATE EXTENSION hypopg` lets --prove auto ask the planner about indexes"
            .to_owned(),
    };
    let _ = writeln!(text, "HypoPG      {hypopg}");
    let io = match info.setting("track_io_timing") {
        Some("on") => "on".to_owned(),
        _ => "off: `ALTER SYSTEM SET track_io_timing = on` shows what reading from disk costs".to_owned(),
    };
    let _ = writeln!(text, "I/O timing  {io}");
    let leftovers = prove::clean_up(&server, &guards, true, &progress).await?;
    match leftovers.is_empty() {
        true => text.push_str("leftovers   none\n"),
        false => leftovers.iter().for_each(|line| {
            let _ = writeln!(text, "leftovers   {line}");
        }),
    }
    output::print(text.as_bytes())?;
    Ok(exit::OK)
}
