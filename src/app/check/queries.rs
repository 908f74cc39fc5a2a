//! The queries of a project, planned before and after its migrations.
//!
//! Refuses to execute one: twins hold no rows.

use super::{HEAD, Sides, seeded, valued};
use crate::analyse::budget_of;
use crate::app::input;
use crate::app::progress::Progress;
use crate::app::schema::Script;
use crate::app::twin::{Ground, SCHEMA, TWIN};
use crate::capture::{Capture, Gap};
use crate::corpus::{self, Query};
use crate::error::{Error, Kind, Result};
use crate::finding::Location;
use crate::gate::budget::{self, Budget};
use crate::gate::culprit::{Search, Step};
use crate::gate::inserts;
use crate::gate::outcome::sides;
use crate::gate::{self, Compared, Judgement, Names, Outcome, Side, Thresholds, Valued, judge};
use crate::migrate::Migration;
use crate::migrate::traced::{Effect, Traced};
use crate::pack::Pack;
use crate::pack::place::{Laid, Layout, Places, does};
use crate::postgres::apply;
use crate::postgres::plans::{Asked, sides as plan_sides};
use crate::postgres::{Interrupt, Server, trace, twin as database};
use crate::rules::{self, Config};
use crate::sql;
use crate::sql::ident::qualified;
use crate::suppress;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Files that hold queries, or may.
pub fn wanted(path: &Path) -> bool {
    may_be_log(path) || path.extension().is_some_and(|e| e == "sql" || e == "json")
}

/// Files that hold queries only where they are a server's log.
fn may_be_log(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "log" || e == "csv")
}

/// The queries under the paths, and those of the pack.
///
/// # Errors
/// [`Kind::Input`] for what cannot be read, with its place.
pub fn corpus(paths: &[PathBuf], pack: Option<&Pack>, gaps: &mut Vec<Gap>) -> Result<Vec<Query>> {
    let (mut queries, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        let mut files = Vec::new();
        collect(path, &mut files)?;
        files.sort();
        let mut some = false;
        for file in files {
            // In a folder, other programs' logs and tables of data are no matter of ours.
            let passed = file != *path && may_be_log(&file);
            let (name, text) = match input::text(&file) {
                Err(error) if passed => {
                    let at = Location { path: file.display().to_string(), line: 1, end_line: 1 };
                    let why = error.cause();
                    skipped.push(corpus::Skipped { at, why });
                    continue;
                }
                read => read?,
            };
            if !passed || corpus::is_log(&text) {
                some = true;
                queries.extend(corpus::read(name.trim_start_matches("./"), &text, &mut skipped)?);
            }
        }
        if !some {
            return Err(Error::new(Kind::Input, format!("read the queries in {}", path.display()))
                .because("there is no .sql, no .json and no log of a server")
                .help("name a file, a folder of them, or the .sqlx folder"));
        }
    }
    let of_pack = pack.into_iter().flat_map(|pack| &pack.statements);
    queries.extend(of_pack.map(|s| Query::seen(s.text.clone(), Vec::new())));
    gaps.extend(skipped.into_iter().map(|skipped| Gap {
        what: format!("{}:{}: {}", skipped.at.path, skipped.at.line, skipped.why),
        sqlstate: None,
        disables: vec!["check of this query".to_owned()],
    }));
    Ok(corpus::merged(queries))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let failed = |e: std::io::Error| {
        Error::new(Kind::Input, format!("read the folder {}", path.display())).because_of_file(&e)
    };
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if entry.is_dir() {
            collect(&entry, files)?;
        } else if wanted(&entry) {
            files.push(entry);
        }
    }
    Ok(())
}

/// What is needed to plan on either side.
pub struct Comparison<'a> {
    pub ground: &'a Ground,
    pub sides: &'a Sides,
    pub pack: Option<&'a Pack>,
    /// Where the parts of the pack are on the base.
    pub places: Option<&'a Places>,
    pub config: &'a Config,
    /// What fills a database to execute queries on.
    pub seeds: &'a [Script],
    pub interrupt: &'a Interrupt,
    pub progress: &'a Progress,
    /// The twin of head, where it was needed before.
    pub head: Option<(Server, Names)>,
    /// How long its parts took, for those who ask.
    pub times: Vec<(&'static str, Duration)>,
}

/// Plans the queries on both sides, finds who changed those that are worse, looks into them on head, and adds it all
/// to the capture.
///
/// # Errors
/// As the server says of the whole; a lost connection.
pub async fn compare(on: &mut Comparison<'_>, queries: Vec<Query>, capture: &mut Capture) -> Result<()> {
    let asked: Vec<Asked> = queries
        .iter()
        .map(|query| {
            let text = sql::explainable(&query.text);
            let parameters = sql::read(&text).parameters;
            Asked { types: query.declared(parameters), ..Asked::generic(text, parameters) }
        })
        .collect();
    // Those of before come last.
    let kept = queries.iter().filter(|query| query.origin != corpus::Origin::Earlier).count();
    on.progress.step("making the twins");
    let began = Instant::now();
    let (base_server, base_names) = on.twin(SCHEMA, &format!("{TWIN}_base"), capture).await?;
    let (server, head_names) = match on.head.take() {
        Some(made) => made,
        None => on.twin(HEAD, &format!("{TWIN}_head"), capture).await?,
    };
    on.times.push(("making both twins", began.elapsed()));
    on.progress.step("planning the queries");
    let began = Instant::now();
    let major = on.ground.major();
    let base_session = base_server.session("plan").await?;
    let base = plan_sides(&base_session, &asked, major).await?;
    let valued = match on.pack {
        Some(_) => valued::values(&base_session, &asked[..kept], &base[..kept]).await?,
        None => Vec::new(),
    };
    let with: Vec<Asked> = valued.iter().map(|v| asked[v.query].with(&v.parameters)).collect();
    let base_with = plan_sides(&base_session, &with, major).await?;
    drop(base_session);
    drop(base_server);
    let (mut head, head_with) = {
        let session = server.session("plan").await?;
        let all: Vec<Asked> = asked.iter().chain(&with).cloned().collect();
        let mut all = plan_sides(&session, &all, major).await?;
        let with = all.split_off(asked.len());
        (all, with)
    };
    inserts::refuse(base.iter().zip(&mut head), (&base_names.strict, &head_names.strict));
    on.times.push(("planning the queries on both sides", began.elapsed()));
    // Of what is on its way out nothing counts but that it breaks.
    let breaks =
        |(base, head): (&Side, &Side)| matches!((base, head), (Side::Planned(_), Side::Failed { .. }));
    let stays: Vec<bool> = queries
        .iter()
        .zip(base.iter().zip(&head))
        .map(|(query, sides)| query.origin != corpus::Origin::Earlier || breaks(sides))
        .collect();
    let asked = only(asked, &stays);
    let (queries, base, head) = (only(queries, &stays), only(base, &stays), only(head, &stays));
    let mut compared = Compared {
        queries: queries
            .into_iter()
            .zip(base.into_iter().zip(head))
            .map(|(query, (base, head))| gate::Query {
                name: query.name,
                text: query.text,
                places: query.places,
                seen: query.origin == corpus::Origin::Seen,
                earlier: on.sides.revision.clone().filter(|_| query.origin == corpus::Origin::Earlier),
                base,
                head,
                valued: Vec::new(),
                comments: query.comments.into_iter().filter(|(text, _)| suppress::mentions(text)).collect(),
                budget: query.budget,
                executed: None,
                culprit: None,
                observed: None,
            })
            .collect(),
        base: base_names,
        head: head_names,
        packed: on.pack.is_some(),
    };
    for (valued, (base, head)) in valued.into_iter().zip(base_with.into_iter().zip(head_with)) {
        let valued::Values { query, often, parameters } = valued;
        compared.queries[query].valued.push(Valued { often, parameters, base, head });
    }
    let thresholds = rules::thresholds(on.config);
    let judged: Vec<Judgement> = compared
        .queries
        .iter()
        .map(|query| judge(query, &compared.base, &compared.head, &thresholds))
        .collect();
    let outcomes: Vec<Outcome> = judged.iter().map(|judged| judged.outcome).collect();
    let packed = compared.packed;
    let bad = move |outcome: Outcome| {
        outcome == Outcome::Broken
            || (packed && matches!(outcome, Outcome::Regressed | Outcome::Worse | Outcome::Changed))
    };
    let over: Vec<Option<Budget>> = compared
        .queries
        .iter()
        .map(|query| {
            let budget = budget_of(query, on.config, &mut BTreeSet::new());
            let over = packed && budget::beyond(&query.head, &budget, &compared.head);
            // One that was beyond it before is nobody's doing.
            (over && !budget::beyond(&query.base, &budget, &compared.base)).then_some(budget)
        })
        .collect();
    let changed: Vec<usize> =
        (0..outcomes.len()).filter(|&query| bad(outcomes[query]) || over[query].is_some()).collect();
    let known = Known { asked: &asked, judged: &judged, over: &over };
    let traced = capture.trace.as_ref().map_or(&[][..], |trace| &trace.traced);
    on.culprits(&mut compared, &changed, known, traced, &thresholds).await?;
    if packed {
        let look = |outcome| matches!(outcome, Outcome::Regressed | Outcome::Worse | Outcome::NewUnindexed);
        let worth: Vec<usize> = (0..outcomes.len()).filter(|&query| look(outcomes[query])).collect();
        on.look(&server, (&mut compared, &asked), &worth, capture).await?;
    }
    drop(server);
    seeded::execute(on, &mut compared).await?;
    capture.compared = Some(compared);
    Ok(())
}

/// The elements whose place is to stay.
fn only<T>(all: Vec<T>, stays: &[bool]) -> Vec<T> {
    all.into_iter().zip(stays).filter(|(_, stays)| **stays).map(|(one, _)| one).collect()
}

/// What is known of the queries, in their order, before culprits are looked for.
struct Known<'a> {
    asked: &'a [Asked],
    judged: &'a [Judgement],
    /// The budgets of those that went beyond it with the migrations.
    over: &'a [Option<Budget>],
}

impl Comparison<'_> {
    /// A twin of a database, or a copy of it where there is no pack, and what the names in its plans stand for.
    ///
    /// # Errors
    /// As the server says; a disk that does not take the files.
    pub async fn twin(&self, from: &str, to: &str, capture: &mut Capture) -> Result<(Server, Names)> {
        let server = match (self.pack, self.places) {
            (Some(pack), Some(places)) => {
                let (server, gaps) = self.ground.twin(from, to, pack, places).await?;
                let new: Vec<Gap> = gaps.into_iter().filter(|gap| !capture.gaps.contains(gap)).collect();
                capture.gaps.extend(new);
                server
            }
            _ => {
                self.ground.copy(from, to).await?;
                self.ground.connect(to).await?
            }
        };
        let names = names(&database::layout(&server.session("plan").await?).await?);
        Ok((server, names))
    }

    /// Finds the statement that changed each of the queries.
    async fn culprits(
        &self,
        compared: &mut Compared,
        changed: &[usize],
        known: Known<'_>,
        traced: &[Traced],
        thresholds: &Thresholds,
    ) -> Result<()> {
        let steps: Vec<(usize, usize)> = self
            .sides
            .new
            .iter()
            .enumerate()
            .flat_map(|(at, migration)| (0..migration.steps.len()).map(move |step| (at, step)))
            .collect();
        if steps.is_empty() || changed.is_empty() {
            return Ok(());
        }
        let suspects =
            changed.iter().map(|&query| (query, self.suspects(traced, &steps, &compared.queries[query])));
        let mut search = Search::new(suspects);
        let mut scratch = Capture::new(None);
        // By query, what the server says after the fewest statements that break it: later ones may break it in other ways.
        let mut refused: BTreeMap<usize, (usize, Side)> = BTreeMap::new();
        let found = loop {
            match search.step() {
                Step::Done(found) => break found,
                Step::Ask { prefix, queries } => {
                    self.progress
                        .step(format!("looking for the culprit: {prefix} of {} statements", steps.len()));
                    let database = "pgproof_prefix";
                    self.ground.copy(SCHEMA, database).await?;
                    {
                        let server = self.ground.connect(database).await?;
                        let session = server.session("prefix").await?;
                        match apply::apply_prefix(&session, &self.sides.new, prefix).await {
                            Err(error) if !trace::ends(&error) => return Ok(()),
                            applied => applied?,
                        }
                    }
                    // With the values that it fares worst with.
                    let valued = |query: usize| {
                        known.judged[query].valued.and_then(|at| compared.queries[query].valued.get(at))
                    };
                    let one = |&query: &usize| {
                        valued(query).map_or_else(
                            || known.asked[query].clone(),
                            |v| known.asked[query].with(&v.parameters),
                        )
                    };
                    let some: Vec<Asked> = queries.iter().map(one).collect();
                    let (server, names) =
                        self.twin(database, &format!("{TWIN}_prefix"), &mut scratch).await?;
                    let mut planned =
                        plan_sides(&server.session("plan").await?, &some, self.ground.major()).await?;
                    drop(server);
                    let before = queries.iter().map(|&query| &compared.queries[query].base);
                    inserts::refuse(before.zip(&mut planned), (&compared.base.strict, &names.strict));
                    let answers: BTreeMap<usize, bool> = queries
                        .iter()
                        .zip(&planned)
                        .map(|(&query, side)| {
                            let base = valued(query).map_or(&compared.queries[query].base, |v| &v.base);
                            let judged = sides(base, side, (&compared.base, &names), thresholds);
                            let other = match known.judged[query].outcome {
                                Outcome::Changed => judged.outcome <= Outcome::Changed,
                                _ => judged.outcome <= Outcome::Worse,
                            };
                            let beyond = |budget| budget::beyond(side, budget, &names);
                            (query, other || known.over[query].as_ref().is_some_and(beyond))
                        })
                        .collect();
                    for (query, side) in queries.into_iter().zip(planned) {
                        let fewer = refused.get(&query).is_none_or(|(known, _)| prefix < *known);
                        if answers[&query] && fewer && matches!(side, Side::Failed { .. }) {
                            refused.insert(query, (prefix, side));
                        }
                    }
                    search.answer(prefix, &answers);
                }
            }
        };
        for (query, (_, side)) in refused {
            if matches!(compared.queries[query].head, Side::Failed { .. }) {
                compared.queries[query].head = side;
            }
        }
        for (query, step) in found {
            compared.queries[query].culprit =
                steps.get(step).map(|&(at, step)| place(&self.sides.new[at], step));
        }
        Ok(())
    }

    /// The statements that can have made a query another one: those that touched one of its tables, and those whose effect no
    /// table shows. Where there is none, it may be any.
    fn suspects(&self, traced: &[Traced], steps: &[(usize, usize)], query: &gate::Query) -> Vec<usize> {
        let mut tables: BTreeSet<String> = BTreeSet::new();
        for side in [&query.base, &query.head] {
            let Side::Planned(raw) = side else { continue };
            let Ok(plan) = crate::plan::read_statement(raw.get()) else { continue };
            let named = plan
                .nodes
                .iter()
                .filter_map(|node| node.detail.schema.as_ref().zip(node.detail.relation.as_ref()));
            tables.extend(named.map(|(schema, relation)| qualified(schema, relation)));
        }
        let touched: BTreeSet<(usize, usize)> = traced
            .iter()
            .filter(|traced| {
                // A view may stand for a table; what touched no relation of before may be a function or a type.
                let ours =
                    |effect: &Effect| effect.view || (effect.table && tables.contains(&effect.relation));
                let step = &self.sides.new[traced.migration].steps[traced.step];
                traced.effects.iter().any(ours) || (traced.effects.is_empty() && step.may_change_unseen())
            })
            .map(|traced| (traced.migration, traced.step))
            .collect();
        let places = steps.iter().enumerate().filter(|(_, step)| touched.contains(step)).map(|(at, _)| at);
        let places: Vec<usize> = places.collect();
        if places.is_empty() { (0..steps.len()).collect() } else { places }
    }
}

fn place(migration: &Migration, step: usize) -> Location {
    let step = &migration.steps[step];
    Location { path: migration.path.clone(), line: step.line, end_line: step.end_line }
}

/// What the names in plans stand for.
fn names(layout: &Layout) -> Names {
    let laid: HashMap<u32, &Laid> = layout.relations.iter().map(|laid| (laid.oid, laid)).collect();
    let mut names = Names::default();
    for relation in &layout.relations {
        let name = format!("{}.{}", relation.schema, relation.name);
        if let Some((unique, what)) = relation.definition.as_deref().and_then(does) {
            let unique = if unique { "unique " } else { "" };
            names.indexes.insert(name, format!("{unique}{}", what.trim_start_matches(" USING ")));
            continue;
        }
        let parent = |one: &&Laid| laid.get(&one.parent?).copied();
        if let Some(root) = std::iter::successors(parent(&relation), parent).last() {
            names.roots.insert(name.clone(), format!("{}.{}", root.schema, root.name));
        }
        if let Some(blocks) = relation.blocks {
            names.blocks.insert(name.clone(), blocks);
        }
        if let Some(last) = relation.strict.iter().max() {
            let column = |number: i16| relation.columns.get(&number).map(|(name, _)| name.clone());
            let strict =
                (1..=*last).map(|number| column(number).filter(|_| relation.strict.contains(&number)));
            names.strict.insert(name, strict.collect());
        }
    }
    names
}
