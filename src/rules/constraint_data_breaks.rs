//! A constraint that rows of production break, by the statistics of a pack.
//!
//! Refuses to count rows: what was so when the table was last analysed is what it knows.

use super::migration::{finding, names, text};
use super::moving::Moving;
use super::{Check, Spec, Threshold, Tuning};
use crate::context::TraceContext;
use crate::finding::{Confidence, Evidence, Finding, Severity};
use crate::migrate::demands::{Demand, Holds};
use crate::migrate::traced::{Effect, Traced};
use crate::migrate::Spread;
use crate::sql::ident::quote;
use crate::sql::token::tokenize;
use crate::words::{count, percent};
use std::collections::BTreeSet;

pub(super) const SPEC: Spec = Spec {
    name: "constraint-data-breaks",
    summary: "a migration asks for a constraint or another type where rows of production break it",
    thresholds: &[Threshold {
        name: "distinct-share",
        default: 0.9,
        unit: "of the rows",
        why: "ANALYZE says exactly all where a sample shows no duplicate; a share near it may be a few rows of then",
    }],
    page: include_str!("../../rules/constraint-data-breaks.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, tuning: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    let moving = Moving::of(ctx);
    // A CHECK that is validated and the NOT NULL that it helps are one; so are a table and its partitions.
    let mut told: BTreeSet<(&str, Asked)> = BTreeSet::new();
    for (at, traced) in ctx.traced.iter().enumerate() {
        let mut here: BTreeSet<Asked> = BTreeSet::new();
        for effect in traced.effects.iter().filter(|effect| effect.table) {
            for demand in &effect.demands {
                let asked = (demand.column.as_str(), demand.holds, own_condition(demand));
                let again = told.contains(&(effect.relation.as_str(), asked))
                    || (effect.part && here.contains(&asked));
                if again || mended(ctx, &moving, at, effect, demand) {
                    continue;
                }
                let broken = match demand.holds {
                    Holds::Unique => duplicates(ctx, tuning, traced, effect, demand),
                    Holds::NotNull => nulls(ctx, traced, effect, demand),
                    Holds::Check | Holds::Type | Holds::Reference | Holds::Rest => values(ctx, traced, effect, demand),
                };
                if let Some(mut broken) = broken {
                    broken.within = Some(within(demand));
                    told.insert((&effect.relation, asked));
                    here.insert(asked);
                    found.push(broken);
                }
            }
        }
    }
    found
}

/// What of the table a finding is about, and what is asked of it.
fn within(demand: &Demand) -> String {
    format!("{} {} {}", demand.column, demand.holds.name(), own_condition(demand).unwrap_or_default())
}

/// The condition that tells two demands of a column apart; that of a default partition is of all partitions together.
fn own_condition(demand: &Demand) -> Option<&str> {
    demand.condition.as_deref().filter(|_| demand.holds != Holds::Rest)
}

/// A column, what it is asked, and the condition of a CHECK.
type Asked<'a> = (&'a str, Holds, Option<&'a str>);

/// An earlier statement, or the same one, changes what stands in the column, or takes the rows away.
fn mended(ctx: &TraceContext, moving: &Moving, at: usize, effect: &Effect, demand: &Demand) -> bool {
    let retyped = |one: &Effect| one.retyped.iter().any(|(column, ..)| *column == demand.column);
    let same = |one: &&Effect| one.relation == effect.relation;
    let columns: Vec<&str> = [Some(&demand.column), demand.was.as_ref()].into_iter().flatten().map(String::as_str).collect();
    (demand.holds != Holds::Type && retyped(effect))
        || moving.mends(at + 1, &effect.relation, &columns)
        || demand.refers.as_ref().is_some_and(|(parent, _)| moving.puts(at, parent))
        || ctx.traced[..at].iter().any(|traced| {
            if !traced.effects.iter().any(|one| same(&one)) {
                return false;
            }
            let sql = text(ctx, traced);
            let (tokens, _) = tokenize(sql);
            let first = |word: &str| tokens.first().is_some_and(|t| t.is_word(sql, word));
            // What a function does stands elsewhere.
            let unseen = first("call") || first("select");
            let named = || columns.iter().any(|column| names(sql, column)) || moving.triggers(at, &columns);
            traced.effects.iter().filter(same).any(|one| {
                let made = demand.was.is_none() && one.rewritten && one.added_columns.contains(&demand.column);
                made || retyped(one) || (first("truncate") && one.rewritten) || (one.changes_rows && (unseen || named()))
            })
        })
}

fn nulls(ctx: &TraceContext, traced: &Traced, effect: &Effect, demand: &Demand) -> Option<Finding> {
    let table = &effect.relation;
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    let Some(was) = &demand.was else {
        let size = ctx.sizes.whole(table);
        if !demand.unfilled() || size.rows == 0.0 {
            return None;
        }
        let column = quote(&demand.column);
        found.what = format!("{column} of {table} is new and NOT NULL, and nothing fills it in the rows of before");
        (found.severity, found.confidence) = match size.assumed {
            true => (Severity::Warning, Confidence::Guessed),
            false => (Severity::Error, Confidence::Measured),
        };
        found.why = match size.assumed {
            true => "the statement fails where the table has a single row; on an empty database it runs".to_owned(),
            false => format!("the statement fails: the table has about {} rows", count(size.rows)),
        };
        found.help = "add it with a DEFAULT, or without NOT NULL, fill it, and ask for NOT NULL then".to_owned();
        let label = if size.assumed { "rows, assumed" } else { "rows" };
        found.evidence = vec![Evidence::data(label, size.rows, "rows")];
        return Some(found);
    };
    let spread = ctx.sizes.spread(table, was).filter(|spread| spread.nulls > 0.0)?;
    let column = quote(was);
    found.severity = Severity::Error;
    found.what = format!("{column} of {table} has to be NOT NULL, and is NULL in {} of its rows", percent(spread.nulls));
    found.why = "the statement fails: the rows were there when production was last analysed".to_owned();
    found.help = format!("fill them in an earlier migration; they are SELECT * FROM {table} WHERE {column} IS NULL");
    found.evidence = vec![
        Evidence::data("NULL", spread.nulls, "of the rows"),
        Evidence::data("rows", spread.rows, "rows"),
    ];
    Some(found)
}

fn duplicates(
    ctx: &TraceContext,
    tuning: &Tuning,
    traced: &Traced,
    effect: &Effect,
    demand: &Demand,
) -> Option<Finding> {
    let (table, was) = (&effect.relation, demand.was.as_ref()?);
    let spread = ctx.sizes.spread(table, was).filter(|spread| spread.rows > 0.0)?;
    let column = quote(was);
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    let often = spread.common.map_or(0.0, |share| (share * spread.rows).round());
    let Different { values, rows } = different(&spread);
    let nulls = (spread.nulls * spread.rows).round();
    if demand.nulls_equal && nulls >= 2.0 {
        found.severity = Severity::Error;
        found.what = format!(
            "{column} of {table} has to be unique, NULL included, and is NULL in {} of its rows",
            percent(spread.nulls)
        );
        found.why = "the statement fails: the rows were there when production was last analysed".to_owned();
    } else if often >= 2.0 {
        found.severity = Severity::Error;
        found.what = format!(
            "{column} of {table} has to be unique, and one value stands in about {} of its {} rows",
            count(often),
            count(spread.rows)
        );
        found.why = "the statement fails: the rows were there when production was last analysed".to_owned();
    } else if values < rows * tuning.get("distinct-share") {
        (found.severity, found.confidence) = (Severity::Warning, Confidence::Estimated);
        found.what = format!(
            "{column} of {table} has to be unique, and has about {} different values in {} rows",
            count(values),
            count(rows)
        );
        found.why = "the statement fails if that is so: the number is an estimate from a sample".to_owned();
    } else {
        return None;
    }
    let only = if demand.nulls_equal { String::new() } else { format!(" WHERE {column} IS NOT NULL") };
    found.help = format!(
        "mend them in an earlier migration; they are SELECT {column}, count(*) FROM {table}{only} GROUP BY 1 HAVING \
         count(*) > 1"
    );
    found.evidence = vec![
        Evidence::data("different values", values.round(), "values"),
        Evidence::data("rows with a value", rows.round(), "rows"),
    ];
    Some(found)
}

/// Values of the statistics were tried, and some do not do.
fn values(ctx: &TraceContext, traced: &Traced, effect: &Effect, demand: &Demand) -> Option<Finding> {
    let (broken, (kind, _), table) = (demand.broken.as_ref()?, demand.kinds.as_ref()?, &effect.relation);
    let mut found = finding(ctx, &SPEC, traced, Some(effect));
    let column = quote(&demand.column);
    let rows = match broken.share {
        Some(share) => format!("values that stand in about {} of its rows", percent(share)),
        None => "some of its values".to_owned(),
    };
    found.severity = Severity::Error;
    (found.what, found.help) = match (&demand.condition, &demand.refers) {
        _ if demand.holds == Holds::Rest => (
            format!("{table} is the default partition, and holds rows of the new one: of {column}, {rows} belong there"),
            "make the new partition as a table by itself, and move these rows there in the transaction that attaches it"
                .to_owned(),
        ),
        (_, Some((parent, to))) => (
            format!("{column} of {table} has to refer to {parent}, and {rows} lie beyond the first or the last key there"),
            format!(
                "mend them in an earlier migration; they are SELECT * FROM {table} c WHERE c.{column} IS NOT NULL AND NOT \
                 EXISTS (SELECT FROM {parent} p WHERE p.{} = c.{column})",
                quote(to)
            ),
        ),
        (Some(condition), None) => (
            format!("{column} of {table} has to satisfy {condition}, and {rows} do not"),
            format!("mend them in an earlier migration; they are SELECT * FROM {table} WHERE NOT {condition}"),
        ),
        (None, None) => {
            let cannot = match broken.code.as_str() {
                "22001" => "are too long",
                "22003" => "are out of that range",
                "22P02" => "cannot be read as that",
                _ => "cannot become that",
            };
            (
                format!("{column} of {table} becomes {kind}, and {rows} {cannot}"),
                "mend them in an earlier migration, or say with USING what becomes of them".to_owned(),
            )
        }
    };
    found.why = "the statement fails: the values were there when production was last analysed".to_owned();
    if let Some(share) = broken.share {
        found.evidence.push(Evidence::data("rows, estimated", share, "of all"));
    }
    found.evidence.push(Evidence::text("SQLSTATE", broken.code.clone()));
    Some(found)
}

/// Different values of a column, in so many rows that have one.
struct Different {
    values: f64,
    rows: f64,
}

fn different(spread: &Spread) -> Different {
    let values = if spread.distinct < 0.0 { -spread.distinct * spread.rows } else { spread.distinct };
    // Zero: unknown.
    let rows = spread.rows * (1.0 - spread.nulls);
    Different { values: if spread.distinct == 0.0 { rows } else { values }, rows }
}
