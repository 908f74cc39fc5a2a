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

/// A search for all queries at once: each answer serves every query with suspects on either side of it.
#[derive(Debug, Clone)]
pub struct Search {
    open: BTreeMap<usize, Suspects>,
}

/// The statements that can have changed a query's plan, in order, and which of them still can: a range of them, with one
/// at least.
#[derive(Debug, Clone)]
struct Suspects {
    statements: Vec<usize>,
    from: usize,
    to: usize,
}

impl Suspects {
    /// How many of them have run after so many statements, where that tells something new.
    fn cut(&self, prefix: usize) -> Option<usize> {
        let ran = self.statements.partition_point(|statement| *statement < prefix);
        (self.from < ran && ran < self.to).then_some(ran)
    }
}

impl Search {
    /// By query: the statements that can have changed its plan, counted from 0, in order. Without one it is not searched
    /// for.
    pub fn new(queries: impl Iterator<Item = (usize, Vec<usize>)>) -> Search {
        let suspects = |statements: Vec<usize>| Suspects { from: 0, to: statements.len(), statements };
        let some = queries.filter(|(_, statements)| !statements.is_empty());
        Search { open: some.map(|(query, statements)| (query, suspects(statements))).collect() }
    }

    /// The next question, or the end.
    pub fn step(&self) -> Step {
        let undecided = self.open.values().find(|suspects| suspects.to - suspects.from > 1);
        match undecided {
            Some(suspects) => {
                let prefix = suspects.statements[suspects.from + (suspects.to - suspects.from) / 2];
                let served = self.open.iter().filter(|(_, suspects)| suspects.cut(prefix).is_some());
                Step::Ask { prefix, queries: served.map(|(query, _)| *query).collect() }
            }
            None => Step::Done(
                self.open
                    .iter()
                    .map(|(query, suspects)| (*query, suspects.statements[suspects.from]))
                    .collect(),
            ),
        }
    }

    /// What became of the queries after `prefix` statements: whether each is another one.
    pub fn answer(&mut self, prefix: usize, other: &BTreeMap<usize, bool>) {
        for (query, other) in other {
            let Some(suspects) = self.open.get_mut(query) else { continue };
            let Some(ran) = suspects.cut(prefix) else { continue };
            match other {
                true => suspects.to = ran,
                false => suspects.from = ran,
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
                let mut search = Search::new(truth.keys().map(|query| (*query, (0..statements).collect())));
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

    #[test]
    fn only_suspects_are_asked_about() {
        let suspects = BTreeMap::from([(1, vec![5]), (2, vec![2, 90]), (3, vec![]), (4, vec![2, 50, 90])]);
        let truth = BTreeMap::from([(1, 5), (2, 90), (4, 2)]);
        let mut search = Search::new(suspects.into_iter());
        let mut asked = Vec::new();
        let found = loop {
            match search.step() {
                Step::Done(found) => break found,
                Step::Ask { prefix, queries } => {
                    let answers = queries.iter().map(|q| (*q, truth[q] < prefix)).collect();
                    search.answer(prefix, &answers);
                    asked.push((prefix, queries));
                }
            }
        };
        assert_eq!(found, truth);
        assert_eq!(asked, [(90, vec![2, 4]), (50, vec![4])]);
    }
}
