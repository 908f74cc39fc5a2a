//! Entries put together by what they ask, and ranked.
//!
//! Refuses to rank nested statements: their time is inside their caller's.

use super::{Counters, Window};
use crate::sql;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What statements are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Execution time.
    #[default]
    Total,
    Calls,
    /// Execution time per call.
    Mean,
    /// Time of reading and writing blocks; blocks, where it is not measured.
    Io,
    /// Blocks of temporary files.
    Temp,
    /// Bytes of write-ahead log.
    Wal,
    /// Planning time.
    Planning,
    /// Standard deviation of the execution time, over the entry's life, as a multiple of its mean.
    Variation,
}

/// A statement with everything that was counted of it, by whichever role and under whichever queryid.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    pub fingerprint: u64,
    /// `None`: the server lost it.
    pub text: Option<String>,
    pub query_ids: Vec<i64>,
    pub counters: Counters,
    /// Calls and execution time before the window began, of entries that were there then.
    pub earlier: (f64, f64),
    /// Milliseconds per call over the life of its entries, as the following are.
    pub lifetime_mean_ms: f64,
    pub max_ms: f64,
    pub min_ms: f64,
    pub deviation_ms: f64,
    /// Part of it was lost to an eviction or a reset within the window.
    pub partial: bool,
    /// It was not there when the window began.
    pub new: bool,
}

/// All statements of a window, first in rank first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranking {
    pub statements: Vec<Ranked>,
    /// Of all of them.
    pub all: Counters,
    /// Of entries whose text this role may not see.
    pub hidden: Share,
    /// Of entries that are nested in others, and of those of our own sessions.
    pub nested: Share,
    pub ours: Share,
}

/// Entries that are counted and not told.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Share {
    pub entries: usize,
    pub calls: f64,
    pub total_ms: f64,
}

impl Share {
    fn add(&mut self, counters: &Counters) {
        self.entries += 1;
        self.calls += counters.calls;
        self.total_ms += counters.total_ms;
    }
}

/// Puts the entries of a window together by fingerprint and ranks them.
pub fn rank(window: &Window, by: By) -> Ranking {
    let mut ranking = Ranking::default();
    let mut places: HashMap<(u64, Option<i64>), usize> = HashMap::new();
    let mut squares: Vec<f64> = Vec::new();
    let mut lives: Vec<(f64, f64)> = Vec::new();
    // Optional counters stay known where every entry knows them.
    let zero = Counters {
        plans: Some(0.0),
        planning_ms: Some(0.0),
        wal_bytes: Some(0.0),
        jit_ms: Some(0.0),
        ..Counters::default()
    };
    ranking.all = zero;
    for delta in &window.deltas {
        let entry = delta.entry;
        if entry.hidden {
            ranking.hidden.add(&delta.counters);
            continue;
        }
        if entry.toplevel == Some(false) {
            ranking.nested.add(&delta.counters);
            continue;
        }
        let text = entry.text.as_deref().map(str::trim);
        if entry.ours {
            ranking.ours.add(&delta.counters);
            continue;
        }
        // Without a text there is but the server's own identifier.
        let key = match text {
            Some(text) => (sql::fingerprint(text), None),
            None => (0, entry.query_id),
        };
        let place = *places.entry(key).or_insert_with(|| {
            ranking.statements.push(Ranked {
                fingerprint: key.0,
                text: text.map(str::to_owned),
                query_ids: Vec::new(),
                counters: zero,
                earlier: (0.0, 0.0),
                lifetime_mean_ms: 0.0,
                max_ms: 0.0,
                min_ms: f64::INFINITY,
                deviation_ms: 0.0,
                partial: false,
                new: true,
            });
            squares.push(0.0);
            lives.push((0.0, 0.0));
            ranking.statements.len() - 1
        });
        ranking.all = ranking.all.plus(delta.counters);
        let statement = &mut ranking.statements[place];
        statement.counters = statement.counters.plus(delta.counters);
        if let Some(earlier) = delta.earlier {
            statement.earlier.0 += earlier.calls;
            statement.earlier.1 += earlier.total_ms;
        }
        statement.query_ids.extend(entry.query_id.filter(|id| !statement.query_ids.contains(id)));
        statement.max_ms = statement.max_ms.max(entry.max_ms);
        statement.min_ms = statement.min_ms.min(entry.min_ms);
        statement.partial |= delta.partial;
        statement.new &= delta.lifetime && !delta.partial;
        // Sums of squares add up where deviations do not: E[x²] = sd² + mean².
        let life = entry.counters;
        let mean = life.mean_ms().unwrap_or(0.0);
        squares[place] += life.calls * (entry.deviation_ms.powi(2) + mean.powi(2));
        lives[place].0 += life.calls;
        lives[place].1 += life.total_ms;
    }
    for ((statement, squares), (calls, total)) in ranking.statements.iter_mut().zip(squares).zip(lives) {
        let mean = total / calls.max(1.0);
        statement.lifetime_mean_ms = mean;
        statement.deviation_ms = (squares / calls.max(1.0) - mean.powi(2)).max(0.0).sqrt();
    }
    let timed = ranking.statements.iter().any(|s| s.counters.read_ms + s.counters.write_ms > 0.0);
    ranking.statements.sort_by(|a, b| {
        let (one, other) = (a.measure(by, timed), b.measure(by, timed));
        other.total_cmp(&one).then(b.counters.total_ms.total_cmp(&a.counters.total_ms))
    });
    ranking
}

impl Ranked {
    /// Milliseconds per call before the window began; `None` where it was not there.
    pub fn earlier_mean_ms(&self) -> Option<f64> {
        (self.earlier.0 > 0.0).then(|| self.earlier.1 / self.earlier.0)
    }

    /// What it is ranked by. `timed`: times of reading were measured.
    pub fn measure(&self, by: By, timed: bool) -> f64 {
        let c = &self.counters;
        match by {
            By::Total => c.total_ms,
            By::Calls => c.calls,
            By::Mean => c.mean_ms().unwrap_or(0.0),
            By::Io if timed => c.read_ms + c.write_ms,
            By::Io => c.read + c.written,
            By::Temp => c.temp_read + c.temp_written,
            By::Wal => c.wal_bytes.unwrap_or(0.0),
            By::Planning => c.planning_ms.unwrap_or(0.0),
            By::Variation if self.lifetime_mean_ms > 0.0 => self.deviation_ms / self.lifetime_mean_ms,
            By::Variation => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Delta, Entry};
    use super::*;

    fn entry(id: i64, text: &str, calls: f64, total_ms: f64) -> Entry {
        let counters = Counters { calls, total_ms, ..Counters::default() };
        Entry { query_id: Some(id), text: Some(text.into()), counters, ..Entry::default() }
    }

    fn window(entries: &[Entry]) -> Window<'_> {
        let deltas = entries.iter().map(|entry| Delta {
            entry,
            counters: entry.counters,
            earlier: None,
            partial: false,
            lifetime: true,
        });
        Window { deltas: deltas.collect(), ..Window::default() }
    }

    #[test]
    fn one_statement_under_several_identifiers_is_one() {
        let entries = [
            entry(1, "SELECT * FROM t WHERE a IN ($1, $2)", 5.0, 5.0),
            entry(2, "SELECT * FROM t WHERE a IN ($1, $2, $3)", 5.0, 6.0),
            entry(3, "SELECT 1", 100.0, 10.0),
        ];
        let ranking = rank(&window(&entries), By::Total);
        assert_eq!(ranking.statements.len(), 2);
        assert_eq!(
            (ranking.statements[0].counters.calls, &ranking.statements[0].query_ids[..]),
            (10.0, &[1, 2][..])
        );
        assert_eq!(ranking.all.total_ms, 21.0);
        assert_eq!(rank(&window(&entries), By::Calls).statements[0].query_ids, [3]);
    }

    #[test]
    fn what_is_nested_ours_or_hidden_is_counted_apart() {
        let mut nested = entry(1, "SELECT 1", 1.0, 1.0);
        nested.toplevel = Some(false);
        let mut hidden = entry(2, "", 1.0, 2.0);
        (hidden.hidden, hidden.text) = (true, None);
        let mut lost = entry(3, "", 1.0, 5.0);
        lost.text = None;
        let mut ours = entry(4, "SELECT 2", 1.0, 4.0);
        ours.ours = true;
        let entries = [nested, hidden, lost, ours];
        let ranking = rank(&window(&entries), By::Total);
        assert_eq!(ranking.statements.len(), 1);
        assert_eq!((&ranking.statements[0].text, &ranking.statements[0].query_ids[..]), (&None, &[3][..]));
        assert_eq!(
            (ranking.nested.total_ms, ranking.hidden.total_ms, ranking.ours.total_ms),
            (1.0, 2.0, 4.0)
        );
    }

    #[test]
    fn deviations_of_several_entries_are_pooled() {
        // Ten calls of 1 ms and ten of 3 ms: a mean of 2 and a deviation of 1.
        let entries = [entry(1, "SELECT 1", 10.0, 10.0), entry(2, "SELECT 2", 10.0, 30.0)];
        let ranking = rank(&window(&entries), By::Total);
        assert!((ranking.statements[0].deviation_ms - 1.0).abs() < 1e-9);
    }
}
