//! `pgproof check`: what new migrations do to a running database, and to the plans of its queries.
//!
//! Refuses to touch a server that it did not start, unless the user said that it is given up.

mod accepting;
mod changes;
mod earlier;
mod files;
mod history;
mod holding;
mod looking;
mod queries;
mod seeded;
mod sizes;
mod valued;

use super::explain::{load, save};
use super::progress::Progress;
use super::twin::{self, Ground, SCHEMA};
use super::{output, schema, settings, verdict};
use crate::analyse::analyse;
use crate::capture::{Capture, Gap};
use crate::catalog::ServerInfo;
use crate::cli::{Check as Args, Common, FailOn};
use crate::corpus::Query;
use crate::error::{Error, Kind, Result};
use crate::migrate::history::{Parted, Rewritten, differences, part};
use crate::migrate::{Framework, Migration, Problem, Sizes, Trace, placeholders, put_behind, read};
use crate::pack::Pack;
use crate::pack::place::Places;
use crate::postgres::missing::{Lacks, Left, Missing};
use crate::postgres::{Interrupt, apply, trace, twin as database};
use crate::rules::Config;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// The migrations of both sides, read.
struct Sides {
    framework: Framework,
    base: Vec<Migration>,
    /// Those of head, in order.
    all: Vec<Migration>,
    /// Those of head that base does not have.
    new: Vec<Migration>,
    problems: Vec<Problem>,
    /// What head made of those of the base.
    rewritten: Option<Rewritten>,
    /// The base, where it is a revision of git.
    revision: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read; no server; migrations of the base that do not run.
pub async fn run(args: &Args, common: &Common) -> Result<u8> {
    output::check(common)?;
    let config = settings(common)?;
    let accepting = accepting::read(args, common, config.today.as_deref())?;
    if let Some(path) = &args.capture {
        return end(&load(path)?, args, common, &config, accepting);
    }
    args.save_capture.as_deref().map_or(Ok(()), output::check_file)?;
    let sides = sides(args)?;
    let pack = args.pack.as_deref().map(twin::read_pack).transpose()?;
    let scripts = schema::scripts(&args.schema)?;
    let seeds = schema::scripts(&args.seed)?;
    let mut gaps = Vec::new();
    let mut queries = queries::corpus(&args.queries, pack.as_ref(), &mut gaps)?;
    if let Some(revision) = &sides.revision {
        queries.extend(earlier::queries(revision, &args.queries, &queries, &mut gaps));
    }
    let interrupt = Interrupt::on_signals()?;
    let progress = Progress::new(common.quiet);
    progress.step("starting a throwaway server");
    let major = pack.as_ref().map(Pack::major);
    let ground = Ground::start(&args.ground, major, &interrupt).await?;
    let asked = Asked {
        sides,
        scripts: &scripts,
        seeds: &seeds,
        pack: pack.as_ref(),
        queries,
        verbose: common.verbose,
    };
    let checked = check(&ground, asked, gaps, args, &config, &interrupt, &progress).await;
    let stopped = ground.stop().await;
    drop(progress);
    let capture = checked?;
    stopped?;
    if let Some(path) = &args.save_capture {
        save(&capture, path)?;
    }
    end(&capture, args, common, &config, accepting)
}

/// Reports what was observed, but for what somebody accepted.
fn end(
    capture: &Capture,
    args: &Args,
    common: &Common,
    config: &Config,
    accepting: accepting::Accepting,
) -> Result<u8> {
    let fail_on = common.fail_on.or(Some(FailOn::Error));
    let mut report = analyse(capture, config)?;
    let told = accepting.apply(&mut report, args, config, fail_on)?;
    output::write(&report, common)?;
    told.iter().for_each(|line| output::beside(line));
    Ok(verdict(&report, fail_on))
}

fn sides(args: &Args) -> Result<Sides> {
    let mut head = files::folder(&args.migrations)?;
    let mut base = match &args.base {
        Some(base) => files::base(base, &args.migrations)?,
        None => Vec::new(),
    };
    let framework = match &args.framework {
        Some(name) => name.parse()?,
        None => Framework::detect(&head),
    };
    let given = placeholders(&args.placeholders)?;
    placeholders::fill(&mut base, framework, &given)?;
    placeholders::fill(&mut head, framework, &given)?;
    let (applied, _) = read(&base, framework)?;
    let (all, problems) = read(&head, framework)?;
    if all.is_empty() {
        return Err(Error::new(Kind::Input, "find migrations")
            .because(format!("none of the {} files is one that {} runs", head.len(), framework.name()))
            .help("name the folder that holds them, or their framework with --framework"));
    }
    let Parted { new, rewritten } = part(&applied, &all, framework);
    // Who names files does not show the rest of their folder: what is not here may well be there.
    let rewritten = rewritten.filter(|_| args.migrations.iter().all(|path| path.is_dir()));
    let revision = args.base.clone().filter(|base| !Path::new(base).is_dir());
    Ok(Sides { framework, base: applied, all, new, problems, rewritten, revision })
}

/// `NAME=VALUE`, each.
fn placeholders(given: &[String]) -> Result<BTreeMap<String, String>> {
    let pair = |given: &String| {
        let (name, value) = given.split_once('=').ok_or_else(|| {
            Error::new(Kind::Usage, format!("take --placeholder {given}"))
                .because("there is no = in it")
                .help("write --placeholder NAME=VALUE")
        })?;
        Ok((name.to_owned(), value.to_owned()))
    };
    given.iter().map(pair).collect()
}

/// An extension that a schema asks for and that is not installed here.
fn extension(gap: &Gap) -> Option<Left> {
    let missing = matches!(gap.sqlstate.as_deref(), Some("0A000" | "58P01"));
    missing.then(|| Left { lacks: Lacks::Extension, said: gap.what.clone() })
}

/// Something that this server lacks, which the report has to tell.
fn left_out(missing: Missing) -> Gap {
    let Missing { path, line, left } = missing;
    let (what, disables) = match left.lacks {
        Lacks::Extension => ("; it was left out", "whatever needs it"),
        Lacks::Rows => (" where tables are empty; it was left out", "what it does, and whatever needs it"),
        Lacks::Role => ("; one was made here", "whether production has it"),
    };
    Gap {
        what: format!("{path}:{line}: {}{what}", left.said),
        sqlstate: None,
        disables: vec![disables.to_owned()],
    }
}

/// What is to be checked.
struct Asked<'a> {
    sides: Sides,
    scripts: &'a [schema::Script],
    seeds: &'a [schema::Script],
    pack: Option<&'a Pack>,
    queries: Vec<Query>,
    /// Tell how long its parts took.
    verbose: bool,
}

async fn check(
    ground: &Ground,
    asked: Asked<'_>,
    gaps: Vec<Gap>,
    args: &Args,
    config: &Config,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Capture> {
    let Asked { mut sides, scripts, seeds, pack, queries, verbose } = asked;
    let mut capture = Capture::new(Some(server(ground, pack)));
    capture.today = config.today.clone();
    capture.gaps = gaps;
    capture.gaps.extend(ground.create(SCHEMA, pack).await?);
    capture.gaps.extend(sides.problems.iter().map(|p| Gap {
        what: format!("{}: {}", p.path, p.what),
        sqlstate: None,
        disables: vec!["check".to_owned()],
    }));
    let base = ground.connect(SCHEMA).await?;
    let mut anew = None;
    let left;
    let places = {
        let session = base.session("base").await?;
        progress.step("applying the migrations of the base");
        let unloaded = schema::load(&session, scripts).await?;
        let applied = apply::apply(&session, &sides.base).await?;
        capture.gaps.extend(unloaded.iter().cloned().chain(applied.iter().cloned().map(left_out)));
        left = unloaded
            .iter()
            .filter_map(extension)
            .chain(applied.into_iter().map(|one| one.left))
            .collect::<Vec<_>>();
        if sides.rewritten.is_some() {
            progress.step("making a database of head's migrations alone");
            anew = history::anew(ground, &mut sides, scripts, &session, pack).await?;
        }
        put_behind(&sides.base, &mut sides.new);
        match (pack, &args.pack) {
            (Some(pack), Some(path)) => {
                let layout = database::layout(&session).await?;
                let places = Places::find(pack, &layout);
                twin::fits(pack, &places, path).map_err(|error| match sides.base.is_empty() && scripts.is_empty() {
                    true => error.help(
                        "say what production has already: --base with a revision or a folder of migrations, or --schema with \
                         what pg_dump --schema-only writes",
                    ),
                    false => error,
                })?;
                capture.gaps.extend(twin::missing(pack, &places));
                capture.gaps.extend(pack.gaps.iter().cloned());
                Some((places, layout))
            }
            _ => None,
        }
    };
    drop(base);
    ground.copy(SCHEMA, HEAD).await?;
    progress.step("tracing the new migrations");
    let began = Instant::now();
    let head = ground.connect(HEAD).await?;
    let (mut traced, missing) = trace::trace(&head, &sides.base, &left, &sides.new).await?;
    capture.gaps.extend(missing.into_iter().map(left_out));
    let failed = traced.iter().any(|traced| traced.failure.is_some());
    if let (Some(rewritten), Some(anew), false) = (&mut sides.rewritten, anew, failed) {
        let ran = trace::lines(&head.session("head").await?).await?;
        rewritten.differences = Some(differences(&ran, &anew));
    }
    drop(head);
    let times = vec![("tracing the new migrations", began.elapsed())];
    let sizes = match (pack, &places) {
        (Some(pack), Some((_, layout))) => sizes::of(pack, layout, &traced),
        _ => Sizes::default(),
    };
    let places = places.as_ref().map(|(places, _)| places);
    let mut on = queries::Comparison {
        ground,
        sides: &sides,
        pack,
        places,
        config,
        seeds,
        interrupt,
        progress,
        head: None,
        times,
    };
    holding::hold(&on, &mut traced).await?;
    if !failed {
        changes::estimate(&mut on, &mut traced, &mut capture).await?;
    }
    let (framework, applied) = (sides.framework, sides.base.len());
    let base = sides.base.iter().map(|migration| migration.name.clone()).collect();
    let (migrations, rewritten) = (sides.new.clone(), sides.rewritten.clone());
    capture.trace = Some(Trace { migrations, traced, sizes, framework, applied, base, rewritten });
    if queries.is_empty() {
        return Ok(capture);
    }
    if failed {
        capture.gaps.push(Gap {
            what: "the queries were not planned: a migration fails, so there is no schema to plan them on"
                .to_owned(),
            sqlstate: None,
            disables: vec!["plan-regressed".to_owned(), "statement-breaks-query".to_owned()],
        });
        return Ok(capture);
    }
    if pack.is_none() {
        capture.gaps.push(Gap {
            what:
                "without --pack the tables are empty: whether a query can be planned is all that was compared"
                    .to_owned(),
            sqlstate: None,
            disables: vec!["plan-regressed".to_owned(), "query-unindexed".to_owned()],
        });
    }
    queries::compare(&mut on, queries, &mut capture).await?;
    if verbose {
        let told = on.times.iter().map(|(what, took)| format!("{what}: {:.2} s", took.as_secs_f64()));
        told.for_each(|line| progress.announce(&line));
    }
    Ok(capture)
}

/// The database with all migrations.
const HEAD: &str = "pgproof_head";

fn server(ground: &Ground, pack: Option<&Pack>) -> ServerInfo {
    ServerInfo {
        version_num: ground.version_num(),
        version: ground.version(),
        database: pack.map_or_else(|| "throwaway".to_owned(), |pack| pack.source.database.clone()),
        ..ServerInfo::default()
    }
}
