//! A pack without the values that stood in rows: each is replaced by one of its rank, the same everywhere.
//!
//! Refuses to guess an order: the server says it ([`Family`] is what it is asked), for it depends on the collation. What
//! has no order that a made-up value could keep is left out, and said. Names and definitions stay: they are the schema.

use super::{Column, Pack, Slot, array, kind};
use crate::capture::Gap;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Values that are compared with one another: one type under one collation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    /// As `format_type` prints it.
    pub element: String,
    /// Quoted where needed.
    pub collation: Option<String>,
}

/// The distinct values of a pack, to be ordered: by family.
pub type Values = BTreeMap<Family, BTreeSet<String>>;
/// Their ranks, from 1; values that are equal have one.
pub type Ranks = HashMap<Family, HashMap<String, usize>>;

/// The Julian day of 2000-01-01: dates are made up as Julian days, which the server reads in any DateStyle.
const JULIAN_2000: usize = 2_451_545;

/// The value of a rank, for types whose made-up values sort as their ranks do.
fn made(rank: usize, element: &str) -> Option<String> {
    Some(match element {
        "smallint" if rank > 32_767 => return None,
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => rank.to_string(),
        "text" | "character varying" | "character" | "name" => format!("v{rank:08}"),
        "uuid" => format!("00000000-0000-0000-0000-{rank:012x}"),
        "date" => format!("J{}", JULIAN_2000 + rank),
        "timestamp without time zone" | "timestamp with time zone" => {
            format!("J{} 00:00:00", JULIAN_2000 + rank)
        }
        "interval" => format!("{rank} seconds"),
        "bytea" => format!("\\x{rank:08x}"),
        "inet" => format!("::{:x}:{:x}", rank >> 16, rank & 0xffff),
        _ => return None,
    })
}

/// What a slot's values are.
enum Hides {
    /// Two values only, or no values: nothing that belongs to anybody.
    Nothing,
    Ranked(Family),
    /// The elements of arrays or the lexemes of documents, which stand in their own order.
    InOrder,
    /// No value could be made up that sorts as it does.
    Lost,
}

fn hides(slot: &Slot) -> Hides {
    // The labels of an enum are part of the schema.
    if slot.labels {
        return Hides::Nothing;
    }
    match (&slot.values, slot.element.as_deref()) {
        (None, _) | (_, Some("boolean")) => Hides::Nothing,
        (Some(_), Some("text" | "character varying")) if slot.kind == kind::COMMON_ELEMENTS => Hides::InOrder,
        (Some(_), Some(element)) if made(1, element).is_some() => Hides::Ranked(Family {
            element: ordered_as(element).to_owned(),
            collation: slot.collation.clone(),
        }),
        _ => Hides::Lost,
    }
}

/// Types that are compared with one another are ranked together: a key and what refers to it need not be of one width.
fn ordered_as(element: &str) -> &str {
    match element {
        "smallint" | "integer" => "bigint",
        "character varying" => "text",
        other => other,
    }
}

/// The family that a column's values are of, by its slots.
fn family(column: &Column) -> Option<Family> {
    let ordered = column.slots.iter().filter(|s| s.kind == kind::COMMON || s.kind == kind::HISTOGRAM);
    ordered.map(hides).find_map(|hides| match hides {
        Hides::Ranked(family) => Some(family),
        _ => None,
    })
}

fn columns(pack: &Pack) -> impl Iterator<Item = &Column> {
    let of_tables = pack.relations.iter().flat_map(|r| &r.columns);
    of_tables.chain(pack.extended.iter().flat_map(|e| &e.expressions))
}

/// The values whose order the server is to tell.
pub fn values(pack: &Pack) -> Values {
    let mut values = Values::new();
    for column in columns(pack) {
        for slot in &column.slots {
            let (Hides::Ranked(family), Some(text)) = (hides(slot), &slot.values) else { continue };
            let elements = array::parse(text).into_iter().flatten().flatten();
            values.entry(family).or_default().extend(elements);
        }
        if let (Some(family), Some((low, high))) = (family(column), &column.ends) {
            values.entry(family).or_default().extend([low.clone(), high.clone()]);
        }
    }
    values
}

/// The pack with made-up values, and what had to be left out, as gaps.
pub fn redacted(mut pack: Pack, ranks: &Ranks) -> Pack {
    let mut lost: BTreeSet<String> = BTreeSet::new();
    for relation in &mut pack.relations {
        let name = format!("{}.{}", relation.schema, relation.name);
        for column in &mut relation.columns {
            let named = format!("{name}.{}", column.name);
            redact(column, ranks, &named, &mut lost);
        }
    }
    let mut common = 0;
    for object in &mut pack.extended {
        let name = format!("{}.{}", object.schema, object.name);
        for column in &mut object.expressions {
            redact(column, ranks, &name, &mut lost);
        }
        // Values stand in those bytes, and no made-up ones could be put there.
        common += usize::from(object.common.take().is_some());
    }
    pack.redacted = true;
    if !lost.is_empty() {
        let names: Vec<String> = lost.into_iter().collect();
        pack.gaps.push(gap(format!(
            "values that have no made-up ones of their order were left out: {}",
            names.join(", ")
        )));
    }
    if common > 0 {
        pack.gaps.push(gap(format!(
            "the most common combinations of {common} extended statistics hold values and were left out"
        )));
    }
    pack
}

fn gap(what: String) -> Gap {
    Gap { what, sqlstate: None, disables: vec!["plans that depend on them".to_owned()] }
}

fn redact(column: &mut Column, ranks: &Ranks, name: &str, lost: &mut BTreeSet<String>) {
    let of_column = family(column);
    column.ends = column.ends.take().and_then(|(low, high)| {
        let family = of_column.as_ref()?;
        let end = |value: &str| made(*ranks.get(family)?.get(value)?, &family.element);
        end(&low).zip(end(&high))
    });
    column.slots.retain_mut(|slot| {
        let kept = match hides(slot) {
            Hides::Nothing => return true,
            Hides::Ranked(family) => ranks.get(&family).and_then(|ranks| replaced(slot, ranks)),
            Hides::InOrder => in_order(slot),
            Hides::Lost => None,
        };
        match kept {
            Some(values) => {
                slot.values = Some(values);
                true
            }
            None => {
                lost.insert(name.to_owned());
                false
            }
        }
    });
}

fn replaced(slot: &Slot, ranks: &HashMap<String, usize>) -> Option<String> {
    let element = slot.element.as_deref()?;
    let elements = array::parse(slot.values.as_deref()?)?;
    let replaced: Vec<Option<String>> = elements
        .into_iter()
        .map(|value| match value {
            None => Some(None),
            Some(value) => made(*ranks.get(&value)?, element).map(Some),
        })
        .collect::<Option<_>>()?;
    Some(array::print(replaced.iter().map(Option::as_deref)))
}

fn in_order(slot: &Slot) -> Option<String> {
    let count = array::parse(slot.values.as_deref()?)?.len();
    let replaced: Vec<String> = (1..=count).filter_map(|rank| made(rank, "text")).collect();
    Some(array::print(replaced.iter().map(|v| Some(v.as_str()))))
}
