//! From samples to a verdict: medians, a bootstrap interval on their ratio, and thresholds with names.
//!
//! Refuses to be swayed by drift: the runs before and the runs after undoing are one sample, so a machine that
//! merely became faster meanwhile widens the interval.

use super::{Method, Outcome, Sample, Trial};

/// A remedy must make the statement at least this much faster (median ratio) to be confirmed.
/// Below 1.2 two builds of one index differ as much, by cache state and page layout alone.
pub const MIN_SPEEDUP: f64 = 1.2;
/// A single run after the change must be this much faster: one sample has no spread to resample.
pub const MIN_SPEEDUP_OF_ONE: f64 = 2.0;
/// Resamples of the bootstrap; the interval's ends move by under 1 % beyond this.
const RESAMPLES: usize = 2_000;
/// The seed is fixed so that a capture gives the same verdict, to the byte, every time.
const SEED: u64 = 0x7067_7072_6f6f_6600;

/// A ratio with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// The verdict on one trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub method: Method,
    /// All runs without the change: before, and after it was undone.
    pub before: Vec<Sample>,
    pub after: Vec<Sample>,
    /// before / after; `None` unless both sides ran.
    pub speedup: Option<Interval>,
    pub build_ms: Option<f64>,
    /// Why the outcome is what it is, where the numbers do not say it.
    pub reason: Option<String>,
}

/// Decides what a trial showed.
pub fn judge(trial: &Trial) -> Verdict {
    let before: Vec<Sample> = trial.before.iter().chain(&trial.again).copied().collect();
    let speedup = speedup(&before, &trial.after);
    let (outcome, reason) = decide(trial, speedup);
    Verdict {
        outcome,
        method: trial.method,
        before,
        after: trial.after.clone(),
        speedup,
        build_ms: trial.build_ms,
        reason,
    }
}

fn decide(trial: &Trial, speedup: Option<Interval>) -> (Outcome, Option<String>) {
    if trial.method == Method::None {
        return (Outcome::NotTried, trial.stopped.clone());
    }
    if let Some(rows) = trial.rows.filter(|rows| !rows.equal) {
        let reason = match rows.rows == rows.rewritten {
            true => format!("both return {} rows here, but not the same ones", rows.rows),
            false => format!("it returns {} rows here, the statement {}", rows.rewritten, rows.rows),
        };
        return (Outcome::ResultsDiffer, Some(reason));
    }
    if trial.used == Some(false) && trial.not_yet_usable {
        let reason = "the planner may not use the new index yet: it was built over row versions that an older \
                      open transaction still sees (pg_index.indcheckxmin); try again when old transactions have \
                      ended, or use --prove concurrently, which waits for them";
        return (Outcome::Undecided, Some(reason.to_owned()));
    }
    if trial.used == Some(false) {
        let costs = match (trial.cost_before, trial.cost_after) {
            (Some(before), Some(_)) => format!(" (cost {before:.1})"),
            _ => String::new(),
        };
        return (Outcome::PlannerDeclined, Some(format!("the planner kept to its plan without it{costs}")));
    }
    if let Some(reason) = trial.stopped.as_ref().filter(|_| trial.again.is_empty()) {
        // Cut off in the middle: the machine's drift is unknown.
        let outcome = if speedup.is_some() { Outcome::Undecided } else { Outcome::NotTried };
        return (outcome, Some(reason.clone()));
    }
    if let Some(speedup) = speedup {
        return match speedup {
            s if s.low >= MIN_SPEEDUP && (trial.after.len() > 1 || s.median >= MIN_SPEEDUP_OF_ONE) => {
                (Outcome::Confirmed, trial.stopped.clone())
            }
            s if s.median < MIN_SPEEDUP => {
                (Outcome::NoBetter, Some(format!("{:.2} times as fast is not worth a change", s.median)))
            }
            _ => (
                Outcome::Undecided,
                Some(
                    "the runs differ too much among themselves: try --runs 15, or a quieter moment"
                        .to_owned(),
                ),
            ),
        };
    }
    match (trial.method, trial.cost_before, trial.cost_after, &trial.stopped) {
        (_, _, _, Some(reason)) => (Outcome::NotTried, Some(reason.clone())),
        (_, Some(before), Some(after), None) if after * MIN_SPEEDUP > before => (
            Outcome::PlannerDeclined,
            Some(format!("the estimated cost stays about what it is: {before:.1} before, {after:.1} after")),
        ),
        (_, Some(before), Some(after), None) => (
            Outcome::Predicted,
            Some(format!("estimated cost {before:.1} before, {after:.1} after; not executed")),
        ),
        _ => (Outcome::NotTried, Some("nothing was measured".to_owned())),
    }
}

fn speedup(before: &[Sample], after: &[Sample]) -> Option<Interval> {
    let a: Vec<f64> = before.iter().map(|s| s.ms).collect();
    let b: Vec<f64> = after.iter().map(|s| s.ms).collect();
    let ratio = |a: &[f64], b: &[f64]| Some(median(a)? / median(b)?.max(0.0005));
    let point = ratio(&a, &b)?;
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut resample =
        |from: &[f64]| -> Vec<f64> { (0..from.len()).map(|_| from[random.usize(..from.len())]).collect() };
    let mut ratios: Vec<f64> = (0..RESAMPLES).filter_map(|_| ratio(&resample(&a), &resample(&b))).collect();
    ratios.sort_by(f64::total_cmp);
    Some(Interval { median: point, low: sorted_at(&ratios, 0.025), high: sorted_at(&ratios, 0.975) })
}

fn sorted_at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// The median; the mean of the two middle values for an even count; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The value below which `share` of the sample lies (nearest rank); `None` of nothing.
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(before: &[f64], after: &[f64], again: &[f64]) -> Trial {
        let samples = |ms: &[f64]| ms.iter().map(|&ms| Sample { ms, blocks: Some(1) }).collect();
        let mut trial = Trial::empty("x", 0, Method::Rollback);
        trial.used = Some(true);
        trial.before = samples(before);
        trial.after = samples(after);
        trial.again = samples(again);
        trial
    }

    #[test]
    fn the_verdict_follows_the_interval() {
        let fast = judge(&trial(&[100.0, 101.0, 99.0], &[1.0, 1.1, 0.9], &[102.0, 98.0, 100.0]));
        assert_eq!(fast.outcome, Outcome::Confirmed);
        let s = fast.speedup.unwrap();
        assert!(s.low > 80.0 && s.low <= s.median && s.median <= s.high, "{s:?}");
        let same = judge(&trial(&[100.0, 101.0, 99.0], &[99.0, 100.0, 101.0], &[102.0, 98.0, 100.0]));
        assert_eq!(same.outcome, Outcome::NoBetter);
        // The machine became three times as fast meanwhile: not the remedy's merit.
        let drift = judge(&trial(&[300.0, 290.0, 310.0], &[100.0, 99.0, 101.0], &[101.0, 100.0, 99.0]));
        assert_eq!(drift.outcome, Outcome::Undecided);
    }

    #[test]
    fn an_unused_index_is_declined_unless_it_could_not_be_used_yet() {
        let mut t = trial(&[100.0], &[], &[]);
        t.used = Some(false);
        assert_eq!(judge(&t).outcome, Outcome::PlannerDeclined);
        t.not_yet_usable = true;
        assert_eq!(judge(&t).outcome, Outcome::Undecided);
    }

    #[test]
    fn medians_and_percentiles_of_small_samples() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0]), Some(2.0));
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95), Some(5.0));
    }

    #[test]
    fn judging_twice_gives_the_same_bytes() {
        let t = trial(&[100.0, 120.0, 99.0], &[60.0, 70.0, 80.0], &[102.0, 98.0, 100.0]);
        assert_eq!(judge(&t), judge(&t));
    }
}
