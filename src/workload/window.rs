//! What happened between two readings of pg_stat_statements.
//!
//! Refuses to subtract what cannot be subtracted, and to take a counter that fell for one that ran backwards:
//! it starts from zero, and the entry is marked.

use super::{Counters, Entry, Reading};
use std::collections::HashMap;

/// The counters of an entry within a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta<'a> {
    pub entry: &'a Entry,
    pub counters: Counters,
    /// What the entry had counted when the window began.
    pub earlier: Option<Counters>,
    /// The entry was thrown out, or reset, and came back: what it counted before that is lost.
    pub partial: bool,
    /// The window is all that the entry ever counted.
    pub lifetime: bool,
}

/// What happened, and what about it could not be seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window<'a> {
    /// Entries that counted something.
    pub deltas: Vec<Delta<'a>>,
    /// Seconds between the readings, or since the last reset; `None` where nobody knows when that was.
    pub seconds: Option<f64>,
    /// Times that entries were thrown out within the window; `None` where the extension does not say.
    pub evictions: Option<i64>,
    /// All counters were reset within the window: it starts there.
    pub reset: bool,
    /// The server was started anew within the window.
    pub restarted: bool,
}

type Key = (i64, Option<i64>, Option<bool>);

fn key(entry: &Entry) -> Key {
    (entry.user, entry.query_id, entry.toplevel)
}

/// The window between two readings, or all that the later one counted where there is no earlier one.
pub fn window<'a>(before: Option<&Reading>, after: &'a Reading) -> Window<'a> {
    let source = &after.source;
    let Some(before) = before else {
        let deltas = after.entries.iter().map(|entry| whole(entry, false)).collect();
        return Window {
            deltas,
            seconds: since(after).map(|since| source.at - since),
            evictions: source.evictions,
            ..Window::default()
        };
    };
    let earlier: HashMap<Key, &Entry> =
        before.entries.iter().filter(|e| e.query_id.is_some()).map(|e| (key(e), e)).collect();
    let reset = match (before.source.reset, source.reset) {
        (Some(before), Some(after)) => after > before,
        // Before 1.9 nothing tells, but that nearly every entry fell at once.
        _ => {
            let known = after.entries.iter().filter_map(|e| Some((e, *earlier.get(&key(e))?)));
            let (all, fell) = known.fold((0, 0), |(all, fell), (now, then)| {
                (all + 1, fell + usize::from(now.counters.calls < then.counters.calls))
            });
            all > 0 && fell * 2 > all
        }
    };
    let deltas = after.entries.iter().filter_map(|entry| {
        let delta = match earlier.get(&key(entry)).filter(|_| !reset) {
            None => whole(entry, reset),
            Some(then) => {
                // A number that went through a file may come back a last digit off.
                let anew = entry.counters.calls < then.counters.calls
                    || entry.counters.total_ms < then.counters.total_ms * (1.0 - 1e-9) - 1e-6
                    || matches!((entry.since, then.since), (Some(now), Some(then)) if now > then + 1e-3);
                match anew {
                    true => whole(entry, true),
                    false => Delta {
                        entry,
                        counters: entry.counters.minus(then.counters),
                        earlier: Some(then.counters),
                        partial: false,
                        lifetime: false,
                    },
                }
            }
        };
        (delta.counters.calls > 0.0).then_some(delta)
    });
    let from = if reset { source.reset.unwrap_or(before.source.at) } else { before.source.at };
    Window {
        deltas: deltas.collect(),
        seconds: Some(source.at - from),
        evictions: match (before.source.evictions, source.evictions) {
            // A reset starts this count anew as well.
            (Some(then), Some(now)) => Some(if reset || now < then { now } else { now - then }),
            _ => None,
        },
        reset,
        restarted: source.started > before.source.started + 1.0,
    }
}

/// When counting began. A reset of one database alone shows in its entries only, and in those from 1.11 on.
fn since(reading: &Reading) -> Option<f64> {
    let oldest = reading.entries.iter().map(|e| e.since).reduce(|a, b| Some(a?.min(b?))).flatten();
    match (reading.source.reset, oldest) {
        (Some(reset), Some(oldest)) => Some(reset.max(oldest)),
        (reset, _) => reset,
    }
}

fn whole(entry: &Entry, partial: bool) -> Delta<'_> {
    Delta { entry, counters: entry.counters, earlier: None, partial, lifetime: true }
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    fn reading(at: f64, reset: Option<f64>, evictions: i64, entries: &[(i64, f64, f64)]) -> Reading {
        let entry = |&(id, calls, total_ms): &(i64, f64, f64)| Entry {
            query_id: Some(id),
            text: Some(format!("select {id}")),
            counters: Counters { calls, total_ms, ..Counters::default() },
            ..Entry::default()
        };
        let source = Source {
            server: "15".into(),
            database: "d".into(),
            system: None,
            extension: "1.10".into(),
            at,
            started: 1.0,
            reset,
            evictions: reset.map(|_| evictions),
            max: None,
            track: None,
            planning: false,
            io_timing: false,
        };
        Reading { format: 1, source, entries: entries.iter().map(entry).collect() }
    }

    fn calls(window: &Window) -> Vec<(f64, bool)> {
        window.deltas.iter().map(|d| (d.counters.calls, d.partial)).collect()
    }

    #[test]
    fn counters_are_subtracted_and_what_stood_still_is_left_out() {
        let before = reading(100.0, Some(5.0), 1, &[(1, 10.0, 9.0), (2, 5.0, 5.0)]);
        let after = reading(160.0, Some(5.0), 3, &[(1, 15.0, 10.0), (2, 5.0, 5.0), (3, 2.0, 1.0)]);
        let window = window(Some(&before), &after);
        assert_eq!(calls(&window), [(5.0, false), (2.0, false)]);
        assert_eq!((window.seconds, window.evictions, window.reset), (Some(60.0), Some(2), false));
    }

    #[test]
    fn a_last_digit_is_no_reset() {
        let before = reading(100.0, Some(5.0), 0, &[(1, 10.0, 29.811771999999999)]);
        let after = reading(160.0, Some(5.0), 0, &[(1, 10.0, 29.811771999999998)]);
        assert_eq!(calls(&window(Some(&before), &after)), []);
    }

    #[test]
    fn an_entry_that_fell_starts_from_zero_and_says_so() {
        let before = reading(100.0, Some(5.0), 0, &[(1, 10.0, 9.0), (2, 5.0, 5.0)]);
        let after = reading(160.0, Some(5.0), 1, &[(1, 3.0, 2.0), (2, 6.0, 6.0)]);
        assert_eq!(calls(&window(Some(&before), &after)), [(3.0, true), (1.0, false)]);
    }

    #[test]
    fn after_a_reset_the_window_starts_at_it() {
        let before = reading(100.0, Some(5.0), 7, &[(1, 10.0, 9.0)]);
        let after = reading(160.0, Some(120.0), 1, &[(1, 30.0, 20.0)]);
        let found = window(Some(&before), &after);
        assert_eq!(calls(&found), [(30.0, true)]);
        assert_eq!((found.seconds, found.evictions, found.reset), (Some(40.0), Some(1), true));
        // Before 1.9 nothing but the counters tells.
        let before = reading(100.0, None, 0, &[(1, 10.0, 9.0), (2, 8.0, 9.0)]);
        let after = reading(160.0, None, 0, &[(1, 3.0, 2.0), (2, 1.0, 1.0)]);
        assert!(window(Some(&before), &after).reset);
    }
}
