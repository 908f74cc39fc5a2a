//! Access paths that changed, those of many partitions in one sentence.
//!
//! Refuses to put relations together that stand in different places.

use super::label::kind;
use super::names::{Names, method};
use crate::compare::{Change, Moved, Pair, Spent};
use crate::report::Planned;
use crate::words::count;
use std::collections::HashMap;

/// So many alike below one node are told in one sentence.
const ALIKE: usize = 4;

/// The sentences, in the order of the changes; `spent` writes out what was spent.
pub(super) fn accesses(
    changes: &[Change],
    was: &Planned,
    is: &Planned,
    spent: &dyn Fn(&Spent) -> String,
) -> Vec<String> {
    let all: Vec<(Pair, Spent)> = changes
        .iter()
        .filter_map(|change| match change {
            Change::AccessPath { at, spent } => Some((*at, *spent)),
            _ => None,
        })
        .collect();
    let place = |at: Pair| {
        let (base, head) = (was.plan.nodes.get(at.base)?, is.plan.nodes.get(at.head)?);
        Some((base.parent?, kind(base), kind(head)))
    };
    let mut groups: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, (at, _)) in all.iter().enumerate() {
        if let Some(place) = place(*at) {
            groups.entry(place).or_default().push(index);
        }
    }
    let names = Names::of(was);
    let sentence = |(index, (at, own)): (usize, &(Pair, Spent))| {
        let place = place(*at);
        let group = place.as_ref().and_then(|place| groups.get(place)).filter(|group| group.len() >= ALIKE);
        let (Some(group), Some((_, one, other))) = (group, &place) else {
            let (one, other) = (method(was, at.base), method(is, at.head));
            return Some(format!("{}: {one} → {other}{}", names.name(at.base), spent(own)));
        };
        // The first of them speaks for all.
        if group.first() != Some(&index) {
            return None;
        }
        let members = || group.iter().filter_map(|&member| all.get(member));
        let sum = |of: fn(&Spent) -> Option<Moved>| {
            members()
                .filter_map(|(_, spent)| of(spent))
                .reduce(|a, b| Moved { base: a.base + b.base, head: a.head + b.head })
        };
        let total = Spent { ms: sum(|spent| spent.ms), blocks: sum(|spent| spent.blocks) };
        let first = members().map(|(at, _)| at.base).min().map_or(String::new(), |id| names.name(id));
        let last = members().map(|(at, _)| at.base).max().map_or(String::new(), |id| names.name(id));
        let many = count(group.len() as f64);
        Some(format!("{many} × {first} … {last}: {one} → {other}{}", spent(&total)))
    };
    all.iter().enumerate().filter_map(sentence).collect()
}
