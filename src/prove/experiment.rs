//! The protocol of a trial as a step machine: warm, measure before; build; look at the plan, warm, measure
//! after; undo; warm, measure before again.
//!
//! Refuses to ask anybody: `app` answers its requests, and an answer may be an error. However it ends, a
//! change that was made is undone before [`Step::Done`].

use super::{Method, Outcome, RowsCompared, Sample, Trial, judge};
use serde_json::value::RawValue;

/// What the experiment wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// EXPLAIN the statement without executing it.
    Plan,
    /// Execute the statement once under EXPLAIN (ANALYZE, TIMING OFF).
    Measure,
    /// Make the change. Who answers bounds how long its lock is held: by the clock, not by samples.
    Build,
    /// Execute the statement and its rewrite on one snapshot and compare their rows.
    Compare,
    /// Undo the change.
    Undo,
    /// The change helped and the user asked to keep it: give it its final name.
    Keep,
}

/// What came back.
#[derive(Debug, Clone)]
pub enum Answer {
    Planned {
        plan: Box<RawValue>,
        cost: f64,
        uses_change: Option<bool>,
    },
    Measured(Sample),
    Built {
        ms: f64,
        size_bytes: Option<i64>,
        not_yet_usable: bool,
    },
    Compared(RowsCompared),
    Undone,
    Kept,
    /// The request failed; the reason is fit for the report.
    Failed(String),
    /// As [`Answer::Failed`], and nothing more can be measured: interrupted, or the connection is lost.
    Ended(String),
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    Ask(Request),
    Done(Box<Trial>),
}

/// How much a trial may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Runs per phase (before, after, before again).
    pub runs: usize,
    /// Wall time for the whole trial in ms; runs are left out to stay within.
    pub budget_ms: f64,
    /// How long a lock that blocks others may be held, in ms; `None` where the change blocks nobody.
    pub block_ms: Option<f64>,
    /// How long the build is expected to take, in ms.
    pub expected_build_ms: f64,
    /// Keep the change where the runs confirm it.
    pub keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    PlanBefore,
    Warm(Side),
    Runs(Side, usize),
    Build,
    PlanAfter,
    Compare,
    Undo,
    Keep,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Before,
    After,
    Again,
}

/// One trial in progress.
#[derive(Debug)]
pub struct Experiment {
    limits: Limits,
    /// Execute the statement; otherwise only plans are compared.
    execute: bool,
    phase: Phase,
    trial: Trial,
    built: bool,
    ended: bool,
    blocked_ms: f64,
    spent_ms: f64,
}

impl Experiment {
    /// A trial of `proposal` (its first `apply` line) on statement `statement`.
    pub fn new(proposal: &str, statement: usize, method: Method, execute: bool, limits: Limits) -> Self {
        Experiment {
            limits,
            execute,
            phase: Phase::PlanBefore,
            trial: Trial::empty(proposal, statement, method),
            built: false,
            ended: false,
            blocked_ms: 0.0,
            spent_ms: 0.0,
        }
    }

    /// Takes the answer to the last request and the wall time that it took in ms (none at the start), and says
    /// what to do next.
    pub fn step(&mut self, answered: Option<(Answer, f64)>) -> Step {
        if let Some((answer, took_ms)) = answered {
            self.spent_ms += took_ms;
            // A lock blocks others from the moment that we queue for it.
            if self.built || self.phase == Phase::Build {
                self.blocked_ms += took_ms;
            }
            self.take(answer, took_ms);
        }
        match self.phase {
            Phase::PlanBefore | Phase::PlanAfter => Step::Ask(Request::Plan),
            Phase::Warm(_) | Phase::Runs(..) => Step::Ask(Request::Measure),
            Phase::Build => Step::Ask(Request::Build),
            Phase::Compare => Step::Ask(Request::Compare),
            Phase::Undo => Step::Ask(Request::Undo),
            Phase::Keep => Step::Ask(Request::Keep),
            Phase::Over => {
                Step::Done(Box::new(std::mem::replace(&mut self.trial, Trial::empty("", 0, Method::None))))
            }
        }
    }

    fn take(&mut self, answer: Answer, took_ms: f64) {
        self.phase = match (self.phase, answer) {
            (phase, Answer::Failed(reason)) => self.failed(phase, reason),
            (phase, Answer::Ended(reason)) => {
                self.ended = true;
                self.failed(phase, reason)
            }
            (Phase::PlanBefore, Answer::Planned { cost, .. }) => {
                self.trial.cost_before = Some(cost);
                match self.execute {
                    true => Phase::Warm(Side::Before),
                    false => self.build_if_it_fits(0.0),
                }
            }
            (Phase::PlanAfter, Answer::Planned { plan, cost, uses_change }) => {
                self.trial.cost_after = Some(cost);
                self.trial.plan_after = Some(plan);
                self.trial.used = uses_change;
                match self.execute && uses_change != Some(false) {
                    true if self.trial.method == Method::Rewrite => Phase::Compare,
                    true => Phase::Warm(Side::After),
                    false => Phase::Undo,
                }
            }
            (Phase::Compare, Answer::Compared(rows)) => {
                self.trial.rows = Some(rows);
                // Other rows: how fast they come is no matter.
                if rows.equal { Phase::Warm(Side::After) } else { Phase::Undo }
            }
            (Phase::Warm(Side::Before), Answer::Measured(_)) => match self.build_if_it_fits(took_ms) {
                Phase::Build => Phase::Runs(Side::Before, 0),
                refused => refused,
            },
            (Phase::Warm(Side::After), Answer::Measured(_)) if self.lock_is_spent(took_ms) => {
                self.stop(
                    "the lock had been held for as long as --max-block allows before a run was measured"
                        .into(),
                );
                Phase::Undo
            }
            (Phase::Warm(side), Answer::Measured(_)) => Phase::Runs(side, 0),
            (Phase::Runs(side, done), Answer::Measured(sample)) => {
                self.samples(side).push(sample);
                let enough = self.enough(side, done + 1, took_ms);
                match (enough, side) {
                    (false, _) => Phase::Runs(side, done + 1),
                    (true, Side::Before) => Phase::Build,
                    (true, Side::After)
                        if self.limits.keep && judge(&self.trial).outcome == Outcome::Confirmed =>
                    {
                        Phase::Keep
                    }
                    (true, Side::After) => Phase::Undo,
                    (true, Side::Again) => Phase::Over,
                }
            }
            (Phase::Build, Answer::Built { ms, size_bytes, not_yet_usable }) => {
                self.built = true;
                self.trial.build_ms = Some(ms);
                self.trial.size_bytes = size_bytes;
                self.trial.not_yet_usable = not_yet_usable;
                Phase::PlanAfter
            }
            (Phase::Keep, _) => {
                self.trial.kept = true;
                Phase::Over
            }
            (Phase::Undo, _) => {
                self.built = false;
                let compare = self.execute && !self.ended && !self.trial.after.is_empty();
                if compare { Phase::Warm(Side::Again) } else { Phase::Over }
            }
            (phase, answer) => {
                debug_assert!(false, "answer {answer:?} in phase {phase:?}");
                if self.built { Phase::Undo } else { Phase::Over }
            }
        };
    }

    /// Where a failure leads: to the undoing of whatever may stand, then to the end. What was measured stands.
    fn failed(&mut self, phase: Phase, reason: String) -> Phase {
        self.stop(reason);
        match phase {
            Phase::Build
            | Phase::PlanAfter
            | Phase::Compare
            | Phase::Warm(Side::After)
            | Phase::Runs(Side::After, _)
            | Phase::Keep => {
                self.built = true;
                Phase::Undo
            }
            _ => Phase::Over,
        }
    }

    fn stop(&mut self, reason: String) {
        self.trial.stopped.get_or_insert(reason);
    }

    /// Whether another run as long as the last would hold the lock for longer than it may be.
    fn lock_is_spent(&self, run_ms: f64) -> bool {
        self.built && self.limits.block_ms.is_some_and(|limit| self.blocked_ms + run_ms > limit)
    }

    /// The build, unless it, a plan, a warm-up and one run are expected to hold a lock for too long.
    fn build_if_it_fits(&mut self, run_ms: f64) -> Phase {
        let Some(limit) = self.limits.block_ms else { return Phase::Build };
        let expected = self.limits.expected_build_ms + 2.0 * run_ms;
        if expected <= limit {
            return Phase::Build;
        }
        self.stop(format!(
            "building and measuring would hold a lock that blocks writers for up to {:.1} s, more than \
             --max-block {:.1} s: use --prove concurrently, or --prove clone",
            expected / 1000.0,
            limit / 1000.0
        ));
        Phase::Over
    }

    /// Whether a side has its runs: all that were asked for, or as many as the lock and the budget leave room for
    /// when every side that is still to come gets as many.
    fn enough(&self, side: Side, done: usize, run_ms: f64) -> bool {
        let (sides_to_come, build_ms) = match side {
            Side::Before => (2.0, self.limits.expected_build_ms),
            Side::After => (1.0, 0.0),
            Side::Again => (0.0, 0.0),
        };
        let needed = run_ms + sides_to_come * (done as f64 + 2.0) * run_ms + build_ms;
        done >= self.limits.runs
            || self.limits.budget_ms - self.spent_ms < needed
            || (side == Side::After && self.lock_is_spent(run_ms))
    }

    fn samples(&mut self, side: Side) -> &mut Vec<Sample> {
        match side {
            Side::Before => &mut self.trial.before,
            Side::After => &mut self.trial.after,
            Side::Again => &mut self.trial.again,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            runs: 3,
            budget_ms: 60_000.0,
            block_ms: Some(5_000.0),
            expected_build_ms: 100.0,
            keep: false,
        }
    }

    /// Drives a trial with canned answers and lists what was asked.
    fn drive(fail_at: Option<usize>, run_ms: f64, used: Option<bool>) -> (Vec<&'static str>, Trial) {
        drive_to(fail_at, false, run_ms, used)
    }

    /// As [`drive`]; a failure may end everything.
    fn drive_to(
        mut fail_at: Option<usize>,
        ends: bool,
        run_ms: f64,
        used: Option<bool>,
    ) -> (Vec<&'static str>, Trial) {
        let mut experiment = Experiment::new("CREATE", 0, Method::Rollback, true, limits());
        let mut asked = Vec::new();
        let mut answer = None;
        loop {
            match experiment.step(answer.take().map(|answer| (answer, run_ms))) {
                Step::Done(trial) => return (asked, *trial),
                Step::Ask(request) => {
                    if fail_at == Some(asked.len()) {
                        fail_at = None;
                        answer = Some(if ends {
                            Answer::Ended("lost".into())
                        } else {
                            Answer::Failed("lost".into())
                        });
                    }
                    let same = RowsCompared { rows: 1, rewritten: 1, equal: true };
                    let (word, reply) = match request {
                        Request::Plan => {
                            let plan = RawValue::from_string("[]".into()).unwrap();
                            ("plan", Answer::Planned { plan, cost: 1.0, uses_change: used })
                        }
                        Request::Measure => ("run", Answer::Measured(Sample { ms: run_ms, blocks: None })),
                        Request::Build => {
                            ("build", Answer::Built { ms: 1.0, size_bytes: None, not_yet_usable: false })
                        }
                        Request::Compare => ("compare", Answer::Compared(same)),
                        Request::Undo => ("undo", Answer::Undone),
                        Request::Keep => ("keep", Answer::Kept),
                    };
                    asked.push(word);
                    answer.get_or_insert(reply);
                }
            }
        }
    }

    #[test]
    fn the_whole_protocol_is_before_after_before() {
        let (asked, trial) = drive(None, 10.0, Some(true));
        assert_eq!(asked.join(" "), "plan run run run run build plan run run run run undo run run run run");
        assert_eq!((trial.before.len(), trial.after.len(), trial.again.len()), (3, 3, 3));
    }

    #[test]
    fn whatever_fails_the_change_is_undone() {
        let (whole, _) = drive(None, 10.0, Some(true));
        for at in 0..whole.len() {
            let (asked, trial) = drive(Some(at), 10.0, Some(true));
            assert_eq!(trial.stopped.as_deref(), Some("lost"), "at {at}");
            let built = asked.iter().position(|&w| w == "build");
            let undone = asked.iter().position(|&w| w == "undo");
            assert!(built.is_none() || undone > built, "at {at}: {asked:?}");
        }
    }

    #[test]
    fn after_the_end_nothing_is_asked_but_to_undo() {
        let (whole, _) = drive(None, 10.0, Some(true));
        for at in 0..whole.len() {
            let (asked, trial) = drive_to(Some(at), true, 10.0, Some(true));
            let after: Vec<&str> = asked[at + 1..].to_vec();
            let stands = (5..whole.len()).contains(&at) && at < 11;
            assert_eq!(after, if stands { vec!["undo"] } else { vec![] }, "at {at}: {asked:?}");
            assert_eq!(trial.stopped.as_deref(), Some("lost"), "at {at}");
        }
    }

    #[test]
    fn runs_end_before_the_lock_is_held_too_long() {
        // Build, plan, warm-up and runs of 900 ms each under a lock of at most 5 s.
        let (_, trial) = drive(None, 900.0, Some(true));
        assert_eq!((trial.before.len(), trial.after.len()), (3, 2));
        assert_eq!(trial.stopped, None);
    }

    #[test]
    fn a_long_lock_is_refused_before_it_is_taken() {
        let (asked, trial) = drive(None, 4_000.0, Some(true));
        assert!(!asked.contains(&"build"), "{asked:?}");
        assert!(trial.stopped.unwrap().contains("--prove concurrently"));
    }

    #[test]
    fn a_declined_index_is_not_measured() {
        let (asked, trial) = drive(None, 10.0, Some(false));
        assert_eq!(asked.iter().filter(|&&w| w == "run").count(), 4);
        assert!(trial.after.is_empty() && trial.used == Some(false));
    }
}
