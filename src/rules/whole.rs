//! What a statement does to the partitions of a table, told of the table.
//!
//! Refuses to put together what the statement did not reach through the table itself.

use crate::context::TraceContext;
use crate::migrate::Size;
use crate::migrate::traced::{Effect, Traced};

/// One table with what a statement does to all of it.
pub(super) struct Whole {
    /// Of a partitioned table: what is done to any of its parts.
    pub effect: Effect,
    /// With its partitions.
    pub size: Size,
    /// The partitions among the effects; empty for any other table.
    pub parts: Vec<Effect>,
}

impl Whole {
    /// The table as messages name it.
    pub fn name(&self) -> String {
        match self.parts.len() {
            0 => self.effect.relation.clone(),
            1 => format!("{} with its partition", self.effect.relation),
            parts => format!("{} with its {parts} partitions", self.effect.relation),
        }
    }

    /// All partitions belong to the table itself, not to one of its partitions.
    pub fn flat(&self) -> bool {
        self.parts.iter().all(|part| !part.partitioned)
    }
}

/// The tables of the effects that are `wanted`, in the order in which they stand there. A partitioned table stands for
/// parts where the statement reached all of them.
pub(super) fn wholes(ctx: &TraceContext, traced: &Traced, wanted: impl Fn(&Effect) -> bool) -> Vec<Whole> {
    grouped(ctx, traced, wanted, |effect| effect.whole.as_deref())
}

/// The same, where a partitioned table stands for whichever parts of it the statement reached: its rows are what the
/// statement is about.
pub(super) fn rows_of(ctx: &TraceContext, traced: &Traced, wanted: impl Fn(&Effect) -> bool) -> Vec<Whole> {
    grouped(ctx, traced, wanted, |effect| effect.whole.as_deref().or(effect.above.as_deref()))
}

fn grouped(
    ctx: &TraceContext,
    traced: &Traced,
    wanted: impl Fn(&Effect) -> bool,
    above: impl Fn(&Effect) -> Option<&str>,
) -> Vec<Whole> {
    let mut wholes: Vec<Whole> = Vec::new();
    for effect in traced.effects.iter().filter(|effect| wanted(effect)) {
        let root = above(effect).unwrap_or(&effect.relation);
        let known = wholes.iter_mut().find(|whole| whole.effect.relation == root);
        let part = root != effect.relation;
        let size = ctx.sizes.of(&effect.relation);
        match known {
            Some(whole) => {
                whole.effect.lock = whole.effect.lock.max(effect.lock);
                whole.effect.scanned |= effect.scanned;
                whole.effect.rewritten |= effect.rewritten;
                // Where no pack says how large anything is, the table as a whole is assumed to be so.
                if !size.assumed {
                    whole.size.rows += size.rows;
                    whole.size.bytes += size.bytes;
                    whole.size.index_bytes += size.index_bytes;
                }
                whole.parts.extend(part.then(|| effect.clone()));
            }
            None => {
                let own = traced.effects.iter().find(|e| part && e.relation == root);
                let mut whole = own.unwrap_or(effect).clone();
                root.clone_into(&mut whole.relation);
                whole.lock = whole.lock.max(effect.lock);
                whole.scanned |= effect.scanned;
                whole.rewritten |= effect.rewritten;
                let parts = part.then(|| effect.clone()).into_iter().collect();
                wholes.push(Whole { effect: whole, size, parts });
            }
        }
    }
    // What is done to a partitioned table alone is done to no row.
    wholes.retain(|whole| !whole.effect.partitioned || whole.parts.iter().any(|part| !part.partitioned));
    wholes
}
