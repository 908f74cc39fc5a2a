//! The protocol of a trial as a step machine: warm, measure before; build; look at the plan, warm, measure
//! after; undo; warm, measure before again.
//!
//! Refuses to ask anybody: `app` answers its requests, and an answer may be an error. However it ends, a
//! change that was made is undone before [`Step::Done`].

use super::{Method, Outcome, Sample, Trial, judge, median};
use serde_json::value::RawValue;

/// What the experiment wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// EXPLAIN the statement without executing it.
    Plan,
    /// Execute the statement once under EXPLAIN (ANALYZE, TIMING OFF), for at most `limit_ms`.
    Measure { limit_ms: Option<f64> },
    /// Make the change, within `limit_ms` where a lock blocks others meanwhile.
    Build { limit_ms: Option<f64> },
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
    Undone,
    Kept,
    /// The request failed; the reason is fit for the report.
    Failed(String),
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
            blocked_ms: 0.0,
            spent_ms: 0.0,
        }
    }

    /// Takes the answer to the last request (none at the start) and says what to do next.
    pub fn step(&mut self, answer: Option<Answer>) -> Step {
        if let Some(answer) = answer {
            self.take(answer);
        }
        match self.phase {
            Phase::PlanBefore | Phase::PlanAfter => Step::Ask(Request::Plan),
            Phase::Warm(_) | Phase::Runs(..) => Step::Ask(Request::Measure { limit_ms: self.block_left() }),
            Phase::Build => Step::Ask(Request::Build { limit_ms: self.block_left() }),
            Phase::Undo => Step::Ask(Request::Undo),
            Phase::Keep => Step::Ask(Request::Keep),
            Phase::Over => {
                Step::Done(Box::new(std::mem::replace(&mut self.trial, Trial::empty("", 0, Method::None))))
            }
        }
    }

    fn take(&mut self, answer: Answer) {
        self.phase = match (self.phase, answer) {
            (Phase::Undo, Answer::Failed(reason)) => {
                self.stop(reason);
                Phase::Over
            }
            (Phase::Keep, Answer::Failed(reason)) => {
                self.stop(reason);
                Phase::Undo
            }
            (phase, Answer::Failed(reason)) => {
                // A run that the lock budget cut short is no failure of the remedy; what was measured stands.
                self.stop(reason);
                match phase {
                    Phase::Build
                    | Phase::PlanAfter
                    | Phase::Warm(Side::After)
                    | Phase::Runs(Side::After, _) => {
                        self.built = true;
                        Phase::Undo
                    }
                    _ => Phase::Over,
                }
            }
            (Phase::PlanBefore, Answer::Planned { cost, .. }) => {
                self.trial.cost_before = Some(cost);
                if self.execute { Phase::Warm(Side::Before) } else { Phase::Build }
            }
            (Phase::PlanAfter, Answer::Planned { plan, cost, uses_change }) => {
                self.trial.cost_after = Some(cost);
                self.trial.plan_after = Some(plan);
                self.trial.used = uses_change;
                if self.execute && uses_change != Some(false) {
                    Phase::Warm(Side::After)
                } else {
                    Phase::Undo
                }
            }
            (Phase::Warm(side), Answer::Measured(sample)) => {
                self.spend(sample.ms);
                if side == Side::Before && !self.may_build(sample.ms) {
                    Phase::Over
                } else {
                    Phase::Runs(side, 0)
                }
            }
            (Phase::Runs(side, done), Answer::Measured(sample)) => {
                self.spend(sample.ms);
                self.samples(side).push(sample);
                let enough = done + 1 >= self.runs(sample.ms);
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
                self.spend(ms);
                Phase::PlanAfter
            }
            (Phase::Keep, _) => {
                self.trial.kept = true;
                Phase::Over
            }
            (Phase::Undo, _) => {
                self.built = false;
                let compare = self.execute && !self.trial.after.is_empty();
                if compare { Phase::Warm(Side::Again) } else { Phase::Over }
            }
            (phase, answer) => {
                debug_assert!(false, "answer {answer:?} in phase {phase:?}");
                Phase::Over
            }
        };
    }

    fn stop(&mut self, reason: String) {
        self.trial.stopped.get_or_insert(reason);
    }

    /// Time counts against the lock budget while the change is in place.
    fn spend(&mut self, ms: f64) {
        self.spent_ms += ms;
        if self.built {
            self.blocked_ms += ms;
        }
    }

    fn block_left(&self) -> Option<f64> {
        let inside =
            matches!(self.phase, Phase::Build | Phase::Warm(Side::After) | Phase::Runs(Side::After, _));
        self.limits.block_ms.filter(|_| inside).map(|limit| (limit - self.blocked_ms).max(1.0))
    }

    /// Whether the build and one warm-up and one run after it are expected to fit the lock budget.
    fn may_build(&mut self, run_ms: f64) -> bool {
        let Some(limit) = self.limits.block_ms else { return true };
        let expected = self.limits.expected_build_ms + 2.0 * run_ms;
        if expected > limit {
            self.stop(format!(
                "building and measuring would hold a lock that blocks writers for up to {:.1} s, more than \
                 --max-block {:.1} s: use --prove concurrently, or --prove clone",
                expected / 1000.0,
                limit / 1000.0
            ));
        }
        expected <= limit
    }

    /// Runs that fit: the budget is shared by three phases of one warm-up and the runs.
    fn runs(&self, run_ms: f64) -> usize {
        let fits = self.limits.budget_ms / (3.0 * run_ms.max(0.001)) - 1.0;
        (fits.max(1.0) as usize).min(self.limits.runs.max(1))
    }

    fn samples(&mut self, side: Side) -> &mut Vec<Sample> {
        match side {
            Side::Before => &mut self.trial.before,
            Side::After => &mut self.trial.after,
            Side::Again => &mut self.trial.again,
        }
    }

    /// The median of the runs before the change, in ms, once there are any.
    pub fn median_before(&self) -> Option<f64> {
        median(&self.trial.before.iter().map(|s| s.ms).collect::<Vec<_>>())
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
    fn drive(mut fail_at: Option<usize>, run_ms: f64, used: Option<bool>) -> (Vec<&'static str>, Trial) {
        let mut experiment = Experiment::new("CREATE", 0, Method::Rollback, true, limits());
        let mut asked = Vec::new();
        let mut answer = None;
        loop {
            match experiment.step(answer.take()) {
                Step::Done(trial) => return (asked, *trial),
                Step::Ask(request) => {
                    if fail_at == Some(asked.len()) {
                        fail_at = None;
                        answer = Some(Answer::Failed("lost".into()));
                    }
                    let (word, reply) = match request {
                        Request::Plan => {
                            let plan = RawValue::from_string("[]".into()).unwrap();
                            ("plan", Answer::Planned { plan, cost: 1.0, uses_change: used })
                        }
                        Request::Measure { .. } => {
                            ("run", Answer::Measured(Sample { ms: run_ms, blocks: None }))
                        }
                        Request::Build { .. } => {
                            ("build", Answer::Built { ms: 1.0, size_bytes: None, not_yet_usable: false })
                        }
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
