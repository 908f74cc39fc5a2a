//! Whether values of production do what migrations ask of them: those in the statistics of a pack are tried.
//!
//! Refuses to try values that were replaced, and to take what cannot be tried for a failure: only what the server says of
//! a value as such counts.

use super::HEAD;
use super::queries::Comparison;
use crate::error::Result;
use crate::migrate::demands::{Broken, Demand};
use crate::migrate::traced::Traced;
use crate::pack::{Column, Pack, Relation, RelationKind, array, kind};
use crate::postgres::plans::{Question, held};
use crate::postgres::{Session, trace};
use crate::sql::ident::{literal, qualified, quote};
use crate::sql::retype::retyped;
use std::collections::HashMap;

/// Values of one statistic that are tried: a target of 10,000 would take seconds.
const TRIED: usize = 1_000;

/// Adds to what was traced what values of the pack break.
///
/// # Errors
/// A lost connection.
pub async fn hold(on: &Comparison<'_>, traced: &mut [Traced]) -> Result<()> {
    let Some(pack) = on.pack.filter(|pack| !pack.redacted) else { return Ok(()) };
    let asks = |demand: &Demand| demand.kinds.is_some() && demand.was.is_some();
    if !traced.iter().flat_map(|t| &t.effects).flat_map(|e| &e.demands).any(asks) {
        return Ok(());
    }
    on.progress.step("trying values of production");
    let tables: HashMap<String, &Relation> = tables(pack);
    let server = on.ground.connect(HEAD).await?;
    let session = server.session("hold").await?;
    for traced in traced {
        let text = &on.sides.new[traced.migration].steps[traced.step].text;
        for effect in &mut traced.effects {
            let Some(relation) = tables.get(&effect.relation) else { continue };
            for demand in effect.demands.iter_mut().filter(|demand| asks(demand)) {
                let condition = match &demand.refers {
                    Some((parent, column)) => between(demand, tables.get(parent).copied(), column),
                    None => demand.condition.clone(),
                };
                demand.broken = broken(&session, relation, demand, condition, text).await?;
            }
        }
    }
    Ok(())
}

fn tables(pack: &Pack) -> HashMap<String, &Relation> {
    let of = pack.relations.iter().filter(|relation| relation.table.is_none());
    of.map(|relation| (qualified(&relation.schema, &relation.name), relation)).collect()
}

async fn broken(
    session: &Session,
    relation: &Relation,
    demand: &Demand,
    condition: Option<String>,
    text: &str,
) -> Result<Option<Broken>> {
    let Some((now, then)) = &demand.kinds else { return Ok(None) };
    let Some(column) = demand.was.as_ref().and_then(|name| column(relation, name)) else { return Ok(None) };
    let tried = values(column);
    if tried.values.is_empty() {
        return Ok(None);
    }
    let retyped = retyped(text);
    let table = retyped.as_ref().map_or(&relation.name, |retyped| &retyped.table);
    let expression = retyped.as_ref().and_then(|retyped| {
        let (_, using) = retyped.columns.iter().find(|(column, _)| *column == demand.column)?;
        Some(using.clone().unwrap_or_else(|| quote(&demand.column)))
    });
    let (read_as, question) = match (&condition, then, &expression) {
        (Some(condition), ..) => (now, Question::Condition(condition)),
        (None, Some(then), Some(expression)) => (then, Question::Becomes { expression, kind: now }),
        _ => return Ok(None),
    };
    // Labels of an enum that is gone by now are read as text.
    let labels = column.slots.iter().any(|slot| slot.labels).then_some("text");
    let mut answer = None;
    for read_as in std::iter::once(read_as.as_str()).chain(labels) {
        match held(session, &tried.values, (table, &demand.column, read_as), question).await {
            Ok(codes) => {
                let unknown = codes.iter().flatten().any(|code| code == "42704");
                answer = Some(codes);
                if !unknown {
                    break;
                }
            }
            Err(error) if trace::ends(&error) => return Err(error),
            // It cannot be asked so: of what else it asks, the statistics know nothing.
            Err(_) => session.batch("try values of the statistics", "ROLLBACK; RESET ALL").await?,
        }
    }
    let Some(codes) = answer else { return Ok(None) };
    // Data exceptions and broken constraints; a name that is unknown here says nothing of the values.
    let breaks = |code: &&String| code.starts_with("22") || code.starts_with("23");
    let failing: Vec<usize> = codes
        .iter()
        .enumerate()
        .filter(|(_, code)| code.as_ref().filter(breaks).is_some())
        .map(|(at, _)| at)
        .collect();
    let Some(code) = failing.first().and_then(|at| codes[*at].clone()) else { return Ok(None) };
    let share = tried.share(&failing);
    Ok(Some(Broken { share: (share > 0.0).then_some(share), code }))
}

/// The statistics of a column; a partitioned table has rows in its partitions alone.
fn column<'a>(relation: &'a Relation, name: &str) -> Option<&'a Column> {
    let whole = relation.kind == RelationKind::Partitioned;
    relation.columns.iter().find(|column| column.name == name && column.inherited == whole)
}

/// What no value that refers to a column can break: it lies between that column's ends.
fn between(demand: &Demand, parent: Option<&Relation>, to: &str) -> Option<String> {
    let (low, high) = column(parent?, to)?.ends.as_ref()?;
    Some(format!("({} BETWEEN {} AND {})", quote(&demand.column), literal(low), literal(high)))
}

/// Values of a column out of its statistics.
struct Tried {
    /// The most common ones, the ends of the histogram's buckets, the two ends of an index.
    values: Vec<String>,
    /// Shares of the rows that the most common ones stand in.
    common: Vec<f64>,
    /// Ends of the histogram's buckets.
    ends: usize,
    /// The share of the rows that the histogram is of.
    rest: f64,
}

impl Tried {
    /// The share of the rows that some of the values stand for: of so many ends of buckets, at least the buckets between.
    fn share(&self, some: &[usize]) -> f64 {
        let common: f64 = some.iter().filter_map(|at| self.common.get(*at)).sum();
        let first = self.common.len();
        let ends = some.iter().filter(|at| (first..first + self.ends).contains(*at)).count();
        let buckets = self.ends.saturating_sub(1).max(1) as f64;
        common + ends.saturating_sub(1) as f64 / buckets * self.rest
    }
}

fn values(column: &Column) -> Tried {
    let of = |wanted: i16| {
        let slot = column.slots.iter().find(|slot| slot.kind == wanted);
        let values = slot.and_then(|slot| array::parse(slot.values.as_deref()?)).unwrap_or_default();
        let numbers = slot.and_then(|slot| array::parse(slot.numbers.as_deref()?)).unwrap_or_default();
        (values, numbers)
    };
    let (known, numbers) = of(kind::COMMON);
    let shares = numbers.into_iter().map(|number| number?.parse::<f64>().ok());
    let known: Vec<(String, f64)> =
        known.into_iter().zip(shares).filter_map(|(value, share)| Some((value?, share?))).collect();
    let rest = 1.0 - column.null_fraction - known.iter().map(|(_, share)| share).sum::<f64>();
    let (mut values, common): (Vec<String>, Vec<f64>) = known.into_iter().take(TRIED).unzip();
    let (ends, _) = of(kind::HISTOGRAM);
    // Evenly over the histogram, its two ends among them.
    let (step, last) = (ends.len().div_ceil(TRIED).max(1), ends.len().saturating_sub(1));
    let even = ends.into_iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    values.extend(even.filter_map(|(_, value)| value));
    let ends = values.len() - common.len();
    values.extend(column.ends.iter().flat_map(|(smallest, largest)| [smallest.clone(), largest.clone()]));
    Tried { values, common, ends, rest: rest.max(0.0) }
}
