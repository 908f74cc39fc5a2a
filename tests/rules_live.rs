//! Runs every case of every rule's page on real servers of every major: set up, explain, compare, apply what is
//! proposed, explain again, undo. With `PGPROOF_RECORD=1` it keeps the captures that `rules.rs` replays;
//! `PGPROOF_CASE=words` runs only the cases whose rule and name contain these words.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod cases;
mod support;

use pgproof::analyse::analyse;
use pgproof::capture::Capture;
use pgproof::proposals::Change;
use pgproof::report::Report;
use pgproof::rules::FLOOR_MS;
use pgproof::rules::page::Case;
use std::panic::catch_unwind;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Servers at work at once: a case is mostly one busy backend.
const AT_ONCE: usize = 2;

/// So many failures may be the machine's.
const ALONE: usize = 8;

#[test]
fn every_case_of_every_page_holds_on_every_major() {
    let only = std::env::var("PGPROOF_CASE").unwrap_or_default();
    let pages: Vec<_> = cases::pages();
    let jobs: Vec<(u32, &str, &[Case])> = support::majors()
        .into_iter()
        .flat_map(|major| pages.iter().map(move |(spec, cases)| (major, spec.name, cases.as_slice())))
        .collect();
    let (next, failures, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(0_usize));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(&(major, rule, cases)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let mut ran = 0;
                    let wanted =
                        |case: &&Case| case.covers(major) && format!("{rule} {}", case.name).contains(&only);
                    for case in cases.iter().filter(wanted) {
                        ran += 1;
                        if let Err(why) = attempt(major, rule, case) {
                            failures.lock().expect("no thread panicked").push((major, rule, case, why));
                        }
                    }
                    *results.lock().expect("no thread panicked") += ran;
                    eprintln!(
                        "PostgreSQL {major}: {rule}: {ran} cases in {:.1} s",
                        start.elapsed().as_secs_f64()
                    );
                }
            });
        }
    });
    // What a rule says rests on measured times, and two servers share the machine with whatever else runs on it: a few
    // that fail have a second run, alone.
    let failures: Vec<(u32, &str, &Case, String)> = failures.into_inner().expect("no thread panicked");
    let again = failures.len() <= ALONE;
    let failures: Vec<String> = failures
        .into_iter()
        .filter_map(|(major, rule, case, why)| {
            eprintln!("PostgreSQL {major}: {rule} / {}: failed beside others", case.name);
            let why = if again { attempt(major, rule, case).err()? } else { why };
            Some(format!("PostgreSQL {major}: {rule} / {}\n{why}\n", case.name))
        })
        .collect();
    let ran = results.into_inner().expect("no thread panicked");
    assert!(ran > 0, "no case contains `{only}`");
    assert!(failures.is_empty(), "{} of {ran} cases:\n{}", failures.len(), failures.join("\n"));
}

/// One case on one major, whose panic is a failure like any other.
fn attempt(major: u32, rule: &str, case: &Case) -> Result<(), String> {
    let ran = catch_unwind(|| run(major, rule, case));
    ran.unwrap_or_else(|_| Err("it panicked, see above".to_owned()))
}

/// One case on one major.
fn run(major: u32, rule: &str, case: &Case) -> Result<(), String> {
    if !case.calls.is_empty() {
        return run_workload(major, rule, case);
    }
    if !case.migrations.is_empty() {
        return run_migrations(major, rule, case);
    }
    let db = support::server_with(major, &case.server()).database();
    let started = Instant::now();
    for part in sessions(pieces(&case.setup), case.query.is_empty()) {
        db.execute_each(&part);
        if case.query.is_empty() {
            settled(&db.url, 0);
        }
    }
    let _beside = (!case.beside.is_empty()).then(|| db.stay(&pieces(&case.beside)));
    let setup = started.elapsed();
    // A switched-off node costs so much that servers with LLVM would compile the query for a second.
    let settings = std::iter::once("jit=off").chain(case.option("setting"));
    let settings: Vec<String> = settings.map(str::to_owned).collect();
    let (report, text) = explain(&db.url, case, &settings)?;
    if std::env::var_os("PGPROOF_VERBOSE").is_some() {
        show(major, rule, case, setup, &report);
    }
    if let Some(difference) = cases::difference(&report, case) {
        return Err(difference);
    }
    if major == cases::recorded(case) && std::env::var_os("PGPROOF_RECORD").is_some() {
        record(rule, case, &text);
    }
    prove(&db, case, &settings, &report)?;
    if let Some(fix) = &case.fix {
        db.execute_each(&pieces(fix));
        gone(&db.url, case, &settings, "the fix")?;
    }
    Ok(())
}

/// A case about a workload: what is called is counted by pg_stat_statements, and `top` reads it.
fn run_workload(major: u32, rule: &str, case: &Case) -> Result<(), String> {
    let counting = [("shared_preload_libraries", "pg_stat_statements")];
    let db = support::server_with(major, &counting).database();
    let started = Instant::now();
    db.execute_each(&pieces(&case.setup));
    db.execute("CREATE EXTENSION pg_stat_statements");
    // Of this database alone: other cases run beside it.
    db.execute(
        "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()",
    );
    for (often, sql) in &case.calls {
        db.call(*often, &pieces(sql));
    }
    let (report, text) = capture(&db.url, &["top", "--no-explain"], case, &[])?;
    if std::env::var_os("PGPROOF_VERBOSE").is_some() {
        show(major, rule, case, started.elapsed(), &report);
    }
    if let Some(difference) = cases::difference(&report, case) {
        return Err(difference);
    }
    if major == cases::recorded(case) && std::env::var_os("PGPROOF_RECORD").is_some() {
        record(rule, case, &text);
    }
    Ok(())
}

/// A case about migrations: the setup is the schema before them, and the files are numbered from 1.
fn run_migrations(major: u32, rule: &str, case: &Case) -> Result<(), String> {
    let db = support::database(major);
    let flags = |framework: Option<&str>| {
        let mut flags = vec!["check", "migrations", "--schema", "schema.sql", "--fail-on", "never"];
        flags.extend(["--server", db.url.as_str(), "--disposable"]);
        if !case.queries.is_empty() {
            flags.extend(["--queries", "queries.sql", "--pack", "pack.json"]);
        }
        if !case.bases.is_empty() || !case.gone.is_empty() {
            flags.extend(["--base", "base"]);
        }
        flags.extend(framework.into_iter().flat_map(|name| ["--framework", name]));
        flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<String>>()
    };
    let framework = case.option("framework").next();
    if !case.queries.is_empty() {
        db.execute_each(&pieces(&case.setup));
    }
    let (report, text) = checked(&flags(framework), case, &case.migrations, &db.url)?;
    if let Some(difference) = cases::difference(&report, case) {
        return Err(difference);
    }
    if major == cases::recorded(case) && std::env::var_os("PGPROOF_RECORD").is_some() {
        record(rule, case, &text);
    }
    // Each safe form in place of its statement: the same schema, and nobody waits.
    let safe_form =
        |judged: &&pgproof::report::Judged| matches!(judged.proposal.change, Change::Migration { .. });
    for judged in report.proposals.iter().filter(safe_form) {
        let finding = &report.findings[judged.proposal.answers[0]];
        let place = finding.location.as_ref().ok_or("a migration's finding has no place")?;
        let mut safe = Vec::new();
        for (at, migration) in case.migrations.iter().enumerate() {
            for piece in pgproof::sql::split(migration).expect("SQL") {
                let here = place.path.ends_with(&format!("/{}", case.names[at])) && place.line == piece.line;
                let control = ["BEGIN", "COMMIT"].contains(&piece.text);
                match here {
                    true if judged.proposal.apply[0].starts_with("SET ") => {
                        safe.push(format!("{};\n{}", judged.proposal.apply[0], piece.text));
                    }
                    true => safe.extend(judged.proposal.apply.clone()),
                    false if control => {}
                    false => safe.push(piece.text.to_owned()),
                }
            }
        }
        let (after, _) = checked(&flags(Some("plain")), case, &safe, &db.url)?;
        let again = |f: &&pgproof::finding::Finding| f.rule == finding.rule && f.relation == finding.relation;
        if let Some(again) = after.findings.iter().find(again) {
            return Err(format!("{safe:#?}\nstill: {}", again.what));
        }
        let schema = |migrations: &[String]| {
            let db = support::database(major);
            db.execute_each(&schema(case));
            migrations.iter().for_each(|text| db.execute_each(&pieces(text)));
            db.query_text(SCHEMA)
        };
        let (plain, other) = (schema(&case.migrations), schema(&safe));
        if plain != other {
            return Err(format!("the safe form makes {other:#?}\nwhere the migration makes {plain:#?}"));
        }
    }
    Ok(())
}

/// The setup of a case about migrations. Rows are production's: the twin has its pack in their place.
fn schema(case: &Case) -> Vec<String> {
    let rows = |sql: &str| ["INSERT", "VACUUM", "ANALYZE"].iter().any(|word| sql.starts_with(word));
    pieces(&case.setup).into_iter().filter(|sql| case.queries.is_empty() || !rows(sql)).collect()
}

/// Runs `check` on these migrations and analyses what it captured.
fn checked(
    flags: &[String],
    case: &Case,
    migrations: &[String],
    url: &str,
) -> Result<(Report, String), String> {
    let folder = tempfile::tempdir().expect("make a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(at(name).parent().expect("a folder")).expect("make a folder");
        std::fs::write(at(name), text).expect("write a migration");
    };
    for (name, text) in &case.bases {
        ["base", "migrations"].iter().for_each(|folder| write(&format!("{folder}/{name}"), text));
    }
    case.gone.iter().for_each(|(name, text)| write(&format!("base/{name}"), text));
    std::fs::write(at("schema.sql"), schema(case).join(";\n")).expect("write the schema");
    if !case.queries.is_empty() {
        std::fs::write(at("queries.sql"), case.queries.join(";\n")).expect("write the queries");
        let mut pack = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        let packed =
            pack.args(["pack", "--quiet", "-o", "pack.json", "-d", url]).current_dir(folder.path()).output();
        let packed = packed.expect("run pgproof");
        if !packed.status.success() {
            return Err(String::from_utf8_lossy(&packed.stderr).into_owned());
        }
    }
    std::fs::write(at("pgproof.toml"), case.settings()).expect("write the settings");
    for (number, text) in migrations.iter().enumerate() {
        let name = match migrations == case.migrations {
            true => case.names[number].clone(),
            false => format!("{}.sql", number + 1),
        };
        write(&format!("migrations/{name}"), text);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command.args(flags).args(["--quiet", "--format", "json", "--save-capture", "capture.json"]);
    let output = command.current_dir(folder.path()).output().expect("run pgproof");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = std::fs::read_to_string(at("capture.json")).map_err(|e| e.to_string())?;
    let capture: Capture = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let report = analyse(&capture, &case.config()).map_err(|e| e.to_string())?;
    Ok((report, text))
}

/// What is proposed makes every finding go that it answers, and its undo leaves the schema as it was.
fn prove(db: &support::Database, case: &Case, settings: &[String], report: &Report) -> Result<(), String> {
    if report.proposals.is_empty() {
        return Ok(());
    }
    let before = db.query_text(SCHEMA);
    let mut changed = settings.to_vec();
    for judged in &report.proposals {
        match &judged.proposal.change {
            Change::Setting { name, value } => changed.push(format!("{name}={value}")),
            Change::Rewrite { sql, .. } => same_rows(db, case, sql)?,
            _ => db.execute_each(&judged.proposal.apply),
        }
    }
    let rewrite = report.proposals.iter().find_map(|p| match &p.proposal.change {
        Change::Rewrite { sql, .. } => Some(Case { query: sql.clone(), ..case.clone() }),
        _ => None,
    });
    let (after, _) = explain(&db.url, rewrite.as_ref().unwrap_or(case), &changed)?;
    for (index, finding) in report.findings.iter().enumerate() {
        let answered = report.proposals.iter().any(|p| p.proposal.answers.contains(&index));
        if answered
            && after
                .findings
                .iter()
                .any(|f| f.rule == finding.rule && f.relation == finding.relation && f.index == finding.index)
        {
            let plans = after.statements.iter().flat_map(|s| &s.plans);
            let plan: Vec<String> = plans.flat_map(|p| p.plan.nodes.iter().map(cases::label)).collect();
            let left: Vec<&str> = after.findings.iter().map(|f| f.what.as_str()).collect();
            return Err(format!("{changed:?}\nstill there: {left:#?}\nin {plan:#?}"));
        }
    }
    for judged in &report.proposals {
        if let Change::Setting { name, value } = &judged.proposal.change
            && name == "work_mem"
        {
            frugal(db, case, settings, name, value)?;
        }
        db.execute_each(&judged.proposal.undo);
    }
    let mut undone = db.query_text(SCHEMA);
    let mut before = before;
    // Built again, or made again after a drop: then it is valid, which it was not.
    if report.findings.iter().any(|f| f.rule == "invalid-index") {
        before.iter_mut().chain(&mut undone).for_each(|row| row.truncate(1));
    }
    if undone != before { Err(format!("undo left {undone:#?}\nwhere there was {before:#?}")) } else { Ok(()) }
}

/// A rewrite returns the statement's rows. Where both have parameters, the trial compares them.
fn same_rows(db: &support::Database, case: &Case, rewrite: &str) -> Result<(), String> {
    if case.option("param").next().is_some() || rewrite.contains('$') {
        return Ok(());
    }
    let rows = |sql: &str| {
        db.query_text(&format!(
            "SELECT count(*)::text, sum(hashtextextended(q::text, 0))::text FROM ({sql}\n) q"
        ))
    };
    let (one, other) = (rows(&case.query), rows(rewrite));
    if one == other { Ok(()) } else { Err(format!("{rewrite}\nreturns {other:?}, the statement {one:?}")) }
}

/// No more than twice the memory that is needed: with less than half of it the same plan still spills.
fn frugal(
    db: &support::Database,
    case: &Case,
    settings: &[String],
    name: &str,
    value: &str,
) -> Result<(), String> {
    // A switch has no amount.
    let Some(amount) = value.strip_suffix("MB") else { return Ok(()) };
    let megabytes: f64 = amount.parse().map_err(|_| "not in MB")?;
    // Workers that share a sort evenly take a part each; all must fit where none starts.
    let before = explain(&db.url, case, settings)?.0;
    let first = &before.statements[0].plans[0].plan;
    let shared = first.nodes.iter().any(|n| n.kind == "Sort" && !n.workers.is_empty());
    let workers = first.nodes.iter().find_map(|n| n.workers_planned).filter(|_| shared);
    let processes = 1.0 + workers.map_or(0.0, f64::from);
    // A megabyte is what the proposal is rounded up to.
    let kilobytes = ((megabytes - 1.0) / 2.0 / processes * 1024.0) as u64;
    let mut halved = settings.to_vec();
    halved.push(format!("{name}={}kB", kilobytes.max(64)));
    let (report, _) = explain(&db.url, case, &halved)?;
    // Whatever does not fit writes temporary blocks; a bitmap turns lossy, a cache evicts.
    let spills = report.statements[0].plans[0].plan.nodes.iter().any(|n| {
        let lossy = n.workers.iter().map(|w| w.lossy_heap_blocks).chain([n.detail.lossy_heap_blocks]);
        let caches = n.workers.iter().map(|w| w.memoize.as_ref()).chain([n.detail.memoize.as_deref()]);
        n.buffers.is_some_and(|b| b.temp_written.0 > 0)
            || lossy.flatten().any(|blocks| blocks.0 > 0)
            || caches.flatten().any(|cache| cache.evictions.unwrap_or(0.0) > 0.0)
    });
    let labels = |plan: &pgproof::plan::Plan| plan.nodes.iter().map(cases::label).collect::<Vec<String>>();
    let plan = labels(&report.statements[0].plans[0].plan);
    // Another plan, such as a hashed subplan in place of a stored one, needs another amount.
    if spills || plan != labels(first) {
        Ok(())
    } else {
        Err(format!("{name} = {value} is wasteful: {kilobytes} kB are enough in {plan:?}"))
    }
}

fn gone(url: &str, case: &Case, settings: &[String], what: &str) -> Result<(), String> {
    let (after, _) = explain(url, case, settings)?;
    let left = cases::findings(&after);
    if left.is_empty() { Ok(()) } else { Err(format!("after {what}: {left:#?}")) }
}

/// Runs the binary as a user would and analyses what it captured.
fn explain(url: &str, case: &Case, settings: &[String]) -> Result<(Report, String), String> {
    if case.query.is_empty() {
        settled(url, usize::from(!case.beside.is_empty()));
        return capture(url, &["health"], case, settings);
    }
    let mut flags = vec!["explain", &case.query, "--prove", "off"];
    for value in case.option("analyze") {
        flags.extend(["--analyze", value]);
    }
    for value in case.option("param") {
        flags.extend(["--param", value]);
    }
    if case.option("allow-writes").next().is_some() {
        flags.push("--allow-writes");
    }
    capture(url, &flags, case, settings)
}

/// Runs a command of the binary with these flags and analyses what it captured.
fn capture(url: &str, flags: &[&str], case: &Case, settings: &[String]) -> Result<(Report, String), String> {
    let folder = tempfile::tempdir().expect("make a temporary folder");
    let path = folder.path().join("capture.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    std::fs::write(folder.path().join("pgproof.toml"), case.settings()).expect("write the settings");
    command.args(flags).args(["--format", "json", "--quiet", "-d", url]);
    command.arg("--save-capture").arg(&path).current_dir(folder.path());
    let options: Vec<String> = settings.iter().map(|s| format!("-c {}", s.replace(' ', "\\ "))).collect();
    command.env("PGOPTIONS", options.join(" "));
    let output = command.output().expect("run pgproof");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
    let capture: Capture = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let report = analyse(&capture, &case.config()).map_err(|e| e.to_string())?;
    Ok((report, text))
}

/// Statements by session. What ANALYZE and VACUUM count is right only when the session that wrote before has told what it
/// did, at its end.
fn sessions(statements: Vec<String>, of_database: bool) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = vec![Vec::new()];
    for statement in statements {
        let counts = statement.starts_with("ANALYZE") || statement.starts_with("VACUUM");
        let current = parts.last_mut().expect("the first");
        if of_database && counts && !current.is_empty() {
            parts.push(vec![statement]);
        } else {
            current.push(statement);
        }
    }
    parts
}

/// Waits until the sessions that set up are gone but those that stay, and what they counted can be seen.
fn settled(url: &str, staying: usize) {
    const OTHERS: &str = "SELECT count(*)::text, current_setting('server_version_num') FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    support::eventually("the sessions have ended", || {
        support::query_text(url, OTHERS)[0][0] == Some(staying.to_string())
    });
    let version = support::query_text(url, OTHERS)[0][1].clone().unwrap_or_default();
    // The collector's file may be half a second old, and nothing tells when it is not.
    if version.as_str() < "150000" {
        std::thread::sleep(Duration::from_millis(700));
    }
}

fn pieces(sql: &str) -> Vec<String> {
    pgproof::sql::split(sql).expect("SQL that can be split").iter().map(|p| p.text.to_owned()).collect()
}

fn record(rule: &str, case: &Case, text: &str) {
    let capture: serde_json::Value = serde_json::from_str(text).expect("a capture is JSON");
    let value =
        serde_json::json!({ "case": case.name, "made_from": cases::made_from(case), "capture": capture });
    let path = cases::recording(rule, case);
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("make the folder of the captures");
    std::fs::write(&path, format!("{value}\n")).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

fn show(major: u32, rule: &str, case: &Case, setup: Duration, report: &Report) {
    eprintln!("--- {major} {rule} / {} (set up in {:.2} s)", case.name, setup.as_secs_f64());
    for f in &report.findings {
        eprintln!(
            "    {}: {}\n      {}\n      {} (floor {FLOOR_MS} ms, saves {:?})",
            f.rule, f.what, f.why, f.help, f.saves
        );
    }
    for p in &report.proposals {
        eprintln!("    {}", p.proposal.apply.join("; "));
    }
}

/// What a proposal may change: indexes, statistics objects, and whether indexes can be used.
const SCHEMA: &str = "
SELECT pg_get_indexdef(indexrelid), indisvalid::text FROM pg_index
WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_'))
UNION ALL SELECT pg_get_statisticsobjdef(oid), 'statistics' FROM pg_statistic_ext ORDER BY 1";
