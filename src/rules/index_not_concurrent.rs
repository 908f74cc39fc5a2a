//! An index that is built on a table of before while everybody who writes waits.
//!
//! Refuses to speak of a table that the same migrations made.

use super::migration::{SECONDS, also_locked, blocking, evidence, finding, loudness, one_action, set_not_null, text, within, work};
use super::whole::{Whole, wholes};
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Finding, Remedy};
use crate::migrate::traced::{Effect, Lock, Traced};
use crate::sql::ident::quote;
use crate::sql::token::tokenize;

pub(super) const SPEC: Spec = Spec {
    name: "index-not-concurrent",
    summary: "a migration builds an index while everybody who writes to the table waits",
    thresholds: &SECONDS,
    page: include_str!("../../rules/index-not-concurrent.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for traced in ctx.traced {
        let all = wholes(ctx, traced, |effect| effect.table && !effect.built.is_empty() && !effect.rewritten);
        found.extend(all.iter().filter_map(|whole| builds(ctx, tuning, traced, whole)));
        found.extend(again(ctx, tuning, traced));
    }
    found
}

fn builds(ctx: &TraceContext, tuning: &Tuning, traced: &Traced, whole: &Whole) -> Option<Finding> {
    let effect = &whole.effect;
    let (lock, who) = blocking(effect)?;
    let range = work(whole.size, effect);
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    found.index = effect.built.first().cloned();
    found.severity = loudness(range, tuning);
    let also = also_locked(traced, &[whole]);
    found.what = format!("{} is built on {} under {}{also}", effect.built.join(", "), whole.name(), lock.name());
    found.why = format!("{who} waits until it is built: {}", within(range));
    found.evidence = evidence(whole.size, lock, range);
    let steps = match whole.parts.is_empty() {
        true => concurrently(text(ctx, traced)).or_else(|| by_index(text(ctx, traced), effect)),
        false => by_partition(text(ctx, traced), whole).or_else(|| key_by_partition(text(ctx, traced), whole)),
    };
    let excludes = effect.constraints.iter().any(|constraint| constraint.kind == "x");
    found.help = match &steps {
        Some(_) if !whole.parts.is_empty() && !effect.constraints.is_empty() => {
            "give each partition its key first, by an index that is built CONCURRENTLY; the table's takes those over and builds \
             nothing"
                .to_owned()
        }
        Some(_) if !whole.parts.is_empty() => {
            "build it on the table alone, which takes a moment, then on each partition CONCURRENTLY, and attach those"
                .to_owned()
        }
        Some(_) => "build it CONCURRENTLY, in a migration without a transaction".to_owned(),
        None if excludes => {
            "no form of EXCLUDE lets others write meanwhile: do it while nobody needs the table, or where it is still small"
                .to_owned()
        }
        None if !effect.retyped.is_empty() => {
            "the type of the column asks for it: where queries can do without the index for a while, drop it before, and build it \
             CONCURRENTLY after"
                .to_owned()
        }
        None => "build the index CONCURRENTLY in a migration of its own, and add what needs it afterwards".to_owned(),
    };
    found.remedies = steps.map(Remedy::Migration).into_iter().collect();
    Some(found)
}

/// REINDEX: indexes are made anew, and nobody may even plan a query with them meanwhile.
fn again(ctx: &TraceContext, tuning: &Tuning, traced: &Traced) -> Option<Finding> {
    let indexes: Vec<&str> = rebuilt(traced).map(|effect| effect.relation.as_str()).collect();
    let table = traced.effects.iter().find(|effect| effect.table && effect.scanned && !effect.rewritten)?;
    if indexes.is_empty() {
        return None;
    }
    let size = ctx.sizes.of(&table.relation);
    let built = indexes.iter().map(|index| (*index).to_owned()).collect();
    let range = work(size, &Effect { built, ..Effect::default() });
    let mut found = finding(ctx, &SPEC, traced, Some(table));
    found.index = indexes.first().map(|index| (*index).to_owned());
    found.severity = loudness(range, tuning);
    found.what = format!("{} of {} is built anew under ACCESS EXCLUSIVE", indexes.join(", "), table.relation);
    found.why = format!(
        "whoever writes waits, and whoever reads, for the planner locks every index of a table: {}",
        within(range)
    );
    let steps = reindexed(text(ctx, traced)).filter(|_| !table.part);
    found.help = "build it anew CONCURRENTLY, in a migration without a transaction".to_owned();
    found.remedies = steps.map(|step| Remedy::Migration(vec![step])).into_iter().collect();
    found.evidence = evidence(size, Lock::AccessExclusive, range);
    Some(found)
}

/// The indexes that a statement made anew, not with their table.
fn rebuilt(traced: &Traced) -> impl Iterator<Item = &Effect> {
    let anew = traced.effects.iter().any(|effect| effect.table && effect.rewritten);
    traced.effects.iter().filter(move |effect| !anew && !effect.table && !effect.view && effect.rewritten)
}

/// `REINDEX TABLE t` as `REINDEX TABLE CONCURRENTLY t`.
fn reindexed(text: &str) -> Option<String> {
    let (tokens, _) = tokenize(text);
    let first = tokens.first().filter(|t| t.is_word(text, "reindex"))?;
    let kind = tokens.iter().find(|t| t.is_word(text, "table") || t.is_word(text, "index"))?;
    (kind.start >= first.end).then(|| format!("{} CONCURRENTLY{}", &text[..kind.end], &text[kind.end..]))
}

/// `CREATE INDEX` as `CREATE INDEX CONCURRENTLY`.
fn concurrently(text: &str) -> Option<Vec<String>> {
    let (tokens, _) = tokenize(text);
    let create = tokens.first().is_some_and(|t| t.is_word(text, "create"));
    let index = tokens.iter().take(3).find(|t| t.is_word(text, "index"))?;
    create.then(|| vec![format!("{} CONCURRENTLY{}", &text[..index.end], &text[index.end..])])
}

/// The index of a partitioned table, which cannot be built CONCURRENTLY: on the table alone, on each partition, attached.
fn by_partition(text: &str, whole: &Whole) -> Option<Vec<String>> {
    let (tokens, _) = tokenize(text);
    if !tokens.first()?.is_word(text, "create") || !whole.flat() {
        return None;
    }
    let on = tokens.iter().position(|t| t.is_word(text, "on"))?;
    let unique = if tokens[1].is_word(text, "unique") { "UNIQUE " } else { "" };
    let table = on + 1 + usize::from(tokens.get(on + 1)?.is_word(text, "only"));
    // The table's name, with or without its schema.
    let dotted = tokens.get(table + 1)?.is_punct(text, ".");
    let rest = &text[tokens.get(table + if dotted { 3 } else { 1 })?.start..];
    let bare = |index: &str| {
        // A dot in quotes belongs to the name.
        let quoted = index.ends_with('"');
        let at = if quoted { index.rfind(".\"") } else { index.rfind('.') };
        at.map_or(index.to_owned(), |at| index[at + 1..].to_owned())
    };
    let [own] = whole.effect.built.as_slice() else { return None };
    let mut steps =
        vec![format!("CREATE {unique}INDEX {} ON ONLY {} {rest}", bare(own), whole.effect.relation)];
    for part in &whole.parts {
        let [index] = part.built.as_slice() else { return None };
        steps.push(format!("CREATE {unique}INDEX CONCURRENTLY {} ON {} {rest}", bare(index), part.relation));
        steps.push(format!("ALTER INDEX {own} ATTACH PARTITION {index}"));
    }
    Some(steps)
}

/// A key of a partitioned table, which takes over those that its partitions have.
fn key_by_partition(sql: &str, whole: &Whole) -> Option<Vec<String>> {
    let table = &whole.effect;
    let Key { word, columns, nulls } = key(sql, table).filter(|_| whole.flat())?;
    let mut steps: Vec<String> =
        table.not_null.iter().flat_map(|column| set_not_null(table, column)).collect();
    for part in &whole.parts {
        let [constraint] = part.constraints.as_slice() else { return None };
        let (name, part) = (quote(&constraint.name), &part.relation);
        steps.push(format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {part} {columns}{nulls}"));
        steps.push(format!("ALTER TABLE {part} ADD CONSTRAINT {name} {word} USING INDEX {name}"));
    }
    let name = quote(&table.constraints.first()?.name);
    steps.push(format!("ALTER TABLE {} ADD CONSTRAINT {name} {word}{nulls} {columns}", table.relation));
    Some(steps)
}

/// A key that is all that a statement adds.
struct Key<'a> {
    /// UNIQUE or PRIMARY KEY.
    word: &'static str,
    columns: &'a str,
    /// What of it is about NULL, which stands before the columns of a key and behind those of an index.
    nulls: &'static str,
}

fn key<'a>(sql: &str, effect: &'a Effect) -> Option<Key<'a>> {
    if !one_action(sql) || !effect.added_columns.is_empty() {
        return None;
    }
    let [constraint] = effect.constraints.as_slice() else { return None };
    let (word, rest) = match constraint.kind.as_str() {
        "u" => ("UNIQUE", constraint.definition.strip_prefix("UNIQUE ")?),
        "p" => ("PRIMARY KEY", constraint.definition.strip_prefix("PRIMARY KEY ")?),
        _ => return None,
    };
    let equal = rest.strip_prefix("NULLS NOT DISTINCT ");
    let (columns, nulls) = equal.map_or((rest, ""), |columns| (columns, " NULLS NOT DISTINCT"));
    let plain = columns.starts_with('(') && columns.ends_with(')') && !columns.contains(" INCLUDE ");
    plain.then_some(Key { word, columns, nulls })
}

/// A key whose index is built before it.
fn by_index(sql: &str, effect: &Effect) -> Option<Vec<String>> {
    let Key { word, columns, nulls } = key(sql, effect)?;
    let (name, table) = (quote(&effect.constraints.first()?.name), &effect.relation);
    let mut steps = vec![format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {columns}{nulls}")];
    // A primary key reads the table for columns that may be NULL.
    steps.extend(effect.not_null.iter().flat_map(|column| set_not_null(effect, column)));
    steps.push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {word} USING INDEX {name}"));
    Some(steps)
}
