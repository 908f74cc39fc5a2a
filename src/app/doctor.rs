//! `pgproof doctor`: what this role on this server lets pgproof see, and leftovers of killed trials.
//!
//! Refuses to change anything but trial indexes of ours that nobody works on any more.

use super::progress::Progress;
use super::{output, prove};
use crate::cli::{Common, Doctor, Format};
use crate::error::{Kind, Result};
use crate::exit;
use crate::postgres::doctor::{self, Sight as Seen};
use crate::postgres::pooler::settings_stay;
use crate::postgres::{ConnectOptions, Environment, Guards, Interrupt, Server};
use crate::render;
use crate::report::Sight;
use crate::sql::ident::{literal, quote};
use crate::units::Millis;
use crate::words::{counted, duration};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds that two clocks may differ before it is said: what a network and a statement take.
const CLOCKS: f64 = 5.0;

/// Runs the command.
///
/// # Errors
/// No connection, or a leftover that could not be dropped.
pub async fn run(args: &Doctor, common: &Common) -> Result<u8> {
    output::check(common)?;
    output::only(common, "what can be seen", &[Format::Text, Format::Json])?;
    let options = ConnectOptions::resolve(&args.connection.flags(), &Environment::of_process())?;
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::new(common.quiet);
    let server = Server::connect(options, usize::from(args.connection.pool), interrupt).await?;
    let guards = Guards {
        statement_timeout: args.connection.timeout,
        lock_timeout: args.connection.lock_timeout,
        ..Guards::default()
    };
    let mut sights = vec![good("connection", server.describe())];
    let mut session = server.session("").await?;
    session.begin(&guards, &[]).await?;
    let seen = doctor::sight(&session).await;
    let here = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64());
    let counting = match seen.as_ref().ok().and_then(|seen| seen.installed.get("pg_stat_statements")) {
        Some(installed) => Some(doctor::counts(&session, &installed.schema).await),
        None => None,
    };
    session.rollback().await?;
    let seen = seen?;
    session.close_after_use();
    let stays = settings_stay(&server, &session, "look for a pooler").await?;
    drop(session);
    sights.push(good("server", format!("PostgreSQL {}", seen.version)));
    sights.push(pooler(stays));
    sights.extend([
        standby(&seen),
        clock(&seen, here),
        rights(&seen),
        owner(&seen),
        statistics(&seen, &server),
    ]);
    sights.push(statements(&seen, counting)?);
    sights.extend([io(&seen), counters(&seen), hypopg(&seen)]);
    let leftovers = prove::clean_up(&server, &guards, true, &progress).await?;
    sights.push(match leftovers.is_empty() {
        true => good("leftovers", "none of a trial".to_owned()),
        false => bad("leftovers", leftovers.join("; "), None, &[]),
    });
    drop(progress);
    output::write_each(common, |format, style| match format {
        Format::Json => render::doctor::json(&sights),
        _ => render::doctor::text(&sights, style),
    })?;
    Ok(exit::OK)
}

fn good(name: &'static str, what: String) -> Sight {
    Sight { name, seen: true, what, fix: None, disables: Vec::new() }
}

fn bad(name: &'static str, what: String, fix: Option<String>, disables: &[&'static str]) -> Sight {
    Sight { name, seen: false, what, fix, disables: disables.to_vec() }
}

fn pooler(stays: bool) -> Sight {
    match stays {
        true => good("pooler", "none in transaction mode: settings stay with a connection".to_owned()),
        false => bad(
            "pooler",
            "settings do not stay with a connection: a pooler in transaction mode is in between".to_owned(),
            Some("connect to the server itself".to_owned()),
            &["--prove concurrently"],
        ),
    }
}

fn standby(seen: &Seen) -> Sight {
    if !seen.in_recovery {
        return good("standby", "no, this is a primary".to_owned());
    }
    let feedback =
        if seen.hot_standby_feedback { "" } else { "; long statements may be cancelled by recovery" };
    bad(
        "standby",
        format!("this server is a standby: nothing can be built here, and it counts its own scans{feedback}"),
        Some("run on the primary, and name standbys with health --also URL".to_owned()),
        &["--prove rollback", "--prove concurrently", "unused-index"],
    )
}

fn clock(seen: &Seen, here: f64) -> Sight {
    let apart = seen.at - here;
    let up = duration(Millis((seen.at - seen.started) * 1000.0));
    match apart.abs() <= CLOCKS {
        true => good("clock", format!("the server's and ours agree; it has been up for {up}")),
        false => bad(
            "clock",
            format!(
                "the server's is {} {} ours: times of saved readings compare all the same, they are the server's",
                duration(Millis(apart.abs() * 1000.0)),
                if apart > 0.0 { "ahead of" } else { "behind" }
            ),
            None,
            &[],
        ),
    }
}

fn rights(seen: &Seen) -> Sight {
    let role = quote(&seen.role);
    match (seen.superuser, seen.read_stats) {
        (true, _) => good("rights", format!("{role} is a superuser: less would be enough, pg_monitor")),
        (false, true) => good("rights", format!("{role} may see what all roles do")),
        (false, false) => bad(
            "rights",
            format!("{role} sees its own statements and sessions only"),
            Some(format!("GRANT pg_monitor TO {role}")),
            &["top", "dead-rows"],
        ),
    }
}

fn owner(seen: &Seen) -> Sight {
    let others = seen.tables - seen.owned;
    match others {
        0 => good("owner", format!("of all {}", counted(seen.tables as f64, "table"))),
        n => bad(
            "owner",
            format!(
                "{n} of {} belong to others: nothing can be built on them",
                counted(seen.tables as f64, "table")
            ),
            Some("connect as their owner, or use --prove clone".to_owned()),
            &["--prove rollback", "--prove concurrently"],
        ),
    }
}

fn statistics(seen: &Seen, server: &Server) -> Sight {
    let role = quote(&seen.role);
    match seen.tables - seen.readable {
        0 => good("statistics", "the planner's, of every table".to_owned()),
        n => bad(
            "statistics",
            format!(
                "the planner's are hidden for {n} of {}, and a statement that reads those cannot be explained",
                counted(seen.tables as f64, "table")
            ),
            Some(match server.version().major() {
                13 => format!("GRANT SELECT ON ALL TABLES IN SCHEMA … TO {role}"),
                _ => format!("GRANT pg_read_all_data TO {role}"),
            }),
            &["explain", "top", "causes of estimate-drift", "sizes of proposed indexes"],
        ),
    }
}

/// pg_stat_statements: installed, loaded, and as new as its files.
fn statements(seen: &Seen, counting: Option<Result<()>>) -> Result<Sight> {
    let name = "statements";
    let without: &[&str] =
        &["top", "n-plus-one", "chatty-writes", "identical-repeats", "statement-dominates"];
    let loaded = seen.settings.contains_key("pg_stat_statements.max");
    let load = load(seen.settings.get("shared_preload_libraries").map(String::as_str));
    let Some(installed) = seen.installed.get("pg_stat_statements") else {
        return Ok(match (seen.available.get("pg_stat_statements"), loaded) {
            (None, _) => bad(
                name,
                "pg_stat_statements is not on this machine".to_owned(),
                Some("install the server's contrib package".to_owned()),
                without,
            ),
            (Some(_), true) => bad(
                name,
                "pg_stat_statements is loaded, and not installed in this database".to_owned(),
                Some("CREATE EXTENSION pg_stat_statements".to_owned()),
                without,
            ),
            (Some(_), false) => bad(
                name,
                "pg_stat_statements is neither loaded nor installed".to_owned(),
                Some(format!("{load}; then CREATE EXTENSION pg_stat_statements")),
                without,
            ),
        });
    };
    match counting {
        Some(Err(error)) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => return Err(error),
        Some(Err(error)) if error.code() == Some("42501") => {
            let fix = format!("GRANT USAGE ON SCHEMA {} TO {}", quote(&installed.schema), quote(&seen.role));
            return Ok(bad(name, "this role may not read pg_stat_statements".to_owned(), Some(fix), without));
        }
        Some(Err(_)) => {
            let what =
                "pg_stat_statements is installed, and was not loaded when the server started".to_owned();
            return Ok(bad(name, what, Some(load), without));
        }
        _ => {}
    }
    let place = format!("pg_stat_statements {} in schema {}", installed.version, installed.schema);
    let newest = seen.available.get("pg_stat_statements");
    if let Some(newest) = newest.filter(|newest| **newest != installed.version) {
        let what = format!("{place}: the server has {newest}, which tells more");
        return Ok(bad(name, what, Some("ALTER EXTENSION pg_stat_statements UPDATE".to_owned()), &[]));
    }
    if seen.settings.get("compute_query_id").is_some_and(|value| value == "off") {
        let fix = "ALTER SYSTEM SET compute_query_id = 'auto'; SELECT pg_reload_conf()".to_owned();
        return Ok(bad(
            name,
            format!("{place}: compute_query_id is off, so nothing is counted"),
            Some(fix),
            without,
        ));
    }
    Ok(good(name, place))
}

/// What loads the library. `libraries` is what is loaded now: `None` where this role may not see it, so that a new list
/// would drop what is there. The server takes each item of the list as a text of its own.
fn load(libraries: Option<&str>) -> String {
    const OURS: &str = "pg_stat_statements";
    let Some(libraries) = libraries else {
        return format!(
            "add {OURS} to shared_preload_libraries, which this role may not see, and restart the server"
        );
    };
    let there =
        libraries.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty());
    let mut all: Vec<&str> = there.collect();
    if !all.contains(&OURS) {
        all.push(OURS);
    }
    let list: Vec<String> = all.into_iter().map(literal).collect();
    format!("ALTER SYSTEM SET shared_preload_libraries = {}, and restart the server", list.join(", "))
}

fn io(seen: &Seen) -> Sight {
    match seen.settings.get("track_io_timing").map(String::as_str) {
        Some("on") => good("I/O timing", "on".to_owned()),
        _ => bad(
            "I/O timing",
            "track_io_timing is off: what reading from disk costs is not measured".to_owned(),
            Some("ALTER SYSTEM SET track_io_timing = on; SELECT pg_reload_conf()".to_owned()),
            &["reads-dominate", "top --by io"],
        ),
    }
}

fn counters(seen: &Seen) -> Sight {
    let since = seen.counted_since.map(|since| duration(Millis((seen.at - since) * 1000.0)));
    match (seen.settings.get("track_counts").map(String::as_str), since) {
        (Some("on"), Some(since)) => good("counters", format!("of scans and rows, for {since}")),
        (Some("on"), None) => good(
            "counters",
            "of scans and rows, since the database was made or the server crashed: nobody knows which"
                .to_owned(),
        ),
        _ => bad(
            "counters",
            "track_counts is off: nobody counts scans, and autovacuum does nothing".to_owned(),
            Some("ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf()".to_owned()),
            &["unused-index", "dead-rows", "stale-statistics"],
        ),
    }
}

fn hypopg(seen: &Seen) -> Sight {
    let without: &[&str] = &["--prove auto", "--prove hypothetical"];
    match (seen.installed.get("hypopg"), seen.available.get("hypopg")) {
        (Some(installed), _) => {
            good("HypoPG", format!("{} in schema {}", installed.version, installed.schema))
        }
        (None, Some(_)) => bad(
            "HypoPG",
            "not installed in this database: the planner cannot be asked about an index that is not there"
                .to_owned(),
            Some("CREATE EXTENSION hypopg".to_owned()),
            without,
        ),
        (None, None) => bad(
            "HypoPG",
            "not on this machine: the planner cannot be asked about an index that is not there".to_owned(),
            Some("install the package of HypoPG, then CREATE EXTENSION hypopg".to_owned()),
            without,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_already_stays_loaded() {
        let set = |list: &str| {
            format!("ALTER SYSTEM SET shared_preload_libraries = {list}, and restart the server")
        };
        assert_eq!(load(Some("")), set("'pg_stat_statements'"));
        assert_eq!(
            load(Some("auto_explain, \"my lib\"")),
            set("'auto_explain', 'my lib', 'pg_stat_statements'")
        );
        assert_eq!(load(Some("pg_stat_statements")), set("'pg_stat_statements'"));
        assert!(!load(None).contains("ALTER SYSTEM"), "a list that we cannot see must not be replaced");
    }
}
