//! Which statement of the migrations changed a query's plan: a search over how many of them were run.
//!
//! Refuses to run any: it says which prefix it wants to see, and is told what became of the queries there. Where a plan
//! flips back and forth, one of its flips is found.

use std::collections::BTreeMap;

/// What is wanted next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Run so many statements, and judge these queries against the base.
    Ask { prefix: usize, queries: Vec<usize> },
    /// By query: the statement, counted from 0, after which it was another one.
    Done(BTreeMap<usize, usize>),
}

/// A search for all queries at once: each answer serves every query whose border lies on either side of it.
#[derive(Debug, Clone)]
pub struct Search {
    /// By query: it is as on base after so many statements, and another one after so many.
    borders: BTreeMap<usize, (usize, usize)>,
}

impl Search {
    /// Each query is as on base after so many statements, and another one after so many.
    pub fn new(queries: impl Iterator<Item = (usize, (usize, usize))>) -> Search {
        Search { borders: queries.collect() }
    }

    /// The next question, or the end.
    pub fn step(&self) -> Step {
        let open = self.borders.values().find(|(as_base, other)| other - as_base > 1);
        match open {
            Some((as_base, other)) => {
                let prefix = as_base + (other - as_base) / 2;
                let within = |(from, to): (usize, usize)| from < prefix && prefix < to;
                let queries = self
                    .borders
                    .iter()
                    .filter(|(_, border)| within(**border))
                    .map(|(query, _)| *query)
                    .collect();
                Step::Ask { prefix, queries }
            }
            None => Step::Done(
                self.borders.iter().map(|(query, (_, other))| (*query, other.saturating_sub(1))).collect(),
            ),
        }
    }

    /// What became of the queries after `prefix` statements: whether each is another one.
    pub fn answer(&mut self, prefix: usize, other: &BTreeMap<usize, bool>) {
        for (query, other) in other {
            if let Some(border) = self.borders.get_mut(query) {
                match other {
                    true => border.1 = prefix,
                    false => border.0 = prefix,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_query_finds_its_statement_and_they_share_their_questions() {
        for statements in [1, 2, 7, 64] {
            for (first, second) in
                [(0, statements - 1), (statements / 2, statements / 2), (statements - 1, 0)]
            {
                let truth = BTreeMap::from([(3, first), (9, second)]);
                let mut search = Search::new(truth.keys().map(|query| (*query, (0, statements))));
                let mut asked = 0;
                let found = loop {
                    match search.step() {
                        Step::Done(found) => break found,
                        Step::Ask { prefix, queries } => {
                            asked += 1;
                            let answers = queries.iter().map(|q| (*q, truth[q] < prefix)).collect();
                            search.answer(prefix, &answers);
                        }
                    }
                };
                assert_eq!(found, truth);
                assert!(asked <= 12, "{asked} questions for {statements} statements");
            }
        }
    }
}
