//! Sums: all requests so far, by share, tempered; what bounds and non-inferiority are worked out of.
//!
//! For a constant share the logarithm of what a stake is worth is linear in the counts, so that four
//! numbers per scale and share answer every question about every difference at any time.

use serde::{Deserialize, Serialize};

use crate::bets::log_mean;
use crate::counts::{Counts, float};
use crate::stakes::{Effects, SCALES};

/// Shares that are told apart; beyond them the last one takes all.
const MOST_SHARES: usize = 4;
/// Stakes that are held side by side, when a difference is asked for.
const GRID: usize = 12;

/// Requests of both sides, by share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    steps: Vec<Step>,
    /// Without tempering, for the figures that are shown.
    candidate: Counts,
    stable: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Step {
    share: f64,
    scales: [Scale; SCALES.len()],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Scale {
    closed: Weights,
    open: Weights,
}

/// Counts divided by the design effect of their block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Weights {
    candidate: f64,
    candidate_bad: f64,
    stable: f64,
    stable_bad: f64,
}

impl Weights {
    fn add(&mut self, more: Weights, effect: f64) {
        self.candidate += more.candidate / effect;
        self.candidate_bad += more.candidate_bad / effect;
        self.stable += more.stable / effect;
        self.stable_bad += more.stable_bad / effect;
    }
}

/// Which way is bet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    /// "The candidate is at most so much worse."
    AtMost,
    /// "The candidate is at least so much worse."
    AtLeast,
}

impl Sums {
    /// Takes in a tick.
    pub(crate) fn add(&mut self, share: f64, candidate: Counts, stable: Counts) {
        self.candidate.add(candidate);
        self.stable.add(stable);
        let odds = |share: f64| (share / (1.0 - share)).ln();
        let near = |step: &Step| (odds(step.share) - odds(share)).abs() < 0.25;
        if !self.steps.last().is_some_and(near) && self.steps.len() < MOST_SHARES {
            self.steps.push(Step { share, scales: Default::default() });
        }
        let Some(step) = self.steps.last_mut() else { return };
        let open = step.scales.first().map(|scale| scale.open.candidate + scale.open.stable);
        let all = open.unwrap_or_default()
            + step.scales.first().map_or(0.0, |s| s.closed.candidate + s.closed.stable);
        let new = float(candidate.requests + stable.requests);
        if all + new > 0.0 {
            step.share += (share - step.share) * new / (all + new);
        }
        let more = Weights {
            candidate: float(candidate.requests),
            candidate_bad: float(candidate.bad),
            stable: float(stable.requests),
            stable_bad: float(stable.bad),
        };
        for scale in &mut step.scales {
            scale.open.add(more, 1.0);
        }
    }

    /// A block of this scale is over; it had this design effect.
    pub(crate) fn close(&mut self, scale: usize, effect: f64) {
        for step in &mut self.steps {
            if let Some(scale) = step.scales.get_mut(scale) {
                let open = std::mem::take(&mut scale.open);
                scale.closed.add(open, effect);
            }
        }
    }

    /// Requests of both sides: the candidate's, stable's.
    pub(crate) fn counts(&self) -> (Counts, Counts) {
        (self.candidate, self.stable)
    }

    /// The difference of both rates.
    pub(crate) fn effect(&self) -> f64 {
        self.candidate.rate() - self.stable.rate()
    }

    /// Evidence that the candidate's rate is less than stable's and `margin` more.
    pub(crate) fn not_worse_by(&self, margin: f64, effects: Effects) -> Evidence {
        self.evidence(Against::AtLeast, margin, effects)
    }

    /// The largest difference of which the evidence says that the candidate is worse by more;
    /// `None` where there is none.
    pub(crate) fn at_least(&self, threshold: f64, effects: Effects) -> Option<f64> {
        let holds = |by: f64| self.log_e(Against::AtMost, by, effects) >= threshold;
        if !holds(0.0) {
            return None;
        }
        let (mut low, mut high) = (0.0, 0.99);
        for _ in 0..20 {
            let middle = 0.5 * (low + high);
            if holds(middle) { low = middle } else { high = middle }
        }
        Some(low)
    }

    /// The smallest difference of which the evidence says that the candidate is worse by less.
    pub(crate) fn at_most(&self, threshold: f64, effects: Effects) -> f64 {
        let (mut low, mut high) = (-0.99, 0.99);
        for _ in 0..20 {
            let middle = 0.5 * (low + high);
            let holds = self.log_e(Against::AtLeast, middle, effects) >= threshold;
            if holds { high = middle } else { low = middle }
        }
        high
    }

    fn log_e(&self, against: Against, by: f64, effects: Effects) -> f64 {
        self.evidence(against, by, effects).log_e
    }

    /// The mean over the stakes; the smaller of both scales.
    fn evidence(&self, against: Against, by: f64, effects: Effects) -> Evidence {
        let scales = effects.iter().enumerate().map(|(scale, effect)| {
            let mut worth = [0.0; GRID];
            for step in &self.steps {
                if let Some(its) = step.scales.get(scale) {
                    let mut sum = its.closed;
                    sum.add(its.open, *effect);
                    step.win(&sum, against, by, &mut worth);
                }
            }
            Evidence { log_e: log_mean(&worth), best: worth.into_iter().fold(0.0, f64::max) }
        });
        let smaller = |a: Evidence, b: Evidence| if a.log_e <= b.log_e { a } else { b };
        scales.reduce(smaller).unwrap_or_default()
    }
}

/// What stakes came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Evidence {
    /// All of them together (a logarithm).
    pub(crate) log_e: f64,
    /// The best one alone, at least 0: how fast evidence grows.
    pub(crate) best: f64,
}

impl Evidence {
    /// How long until the evidence is `wanted`, if it took so long until now; `None` if it does not
    /// grow.
    pub(crate) fn left(self, wanted: f64, seconds: f64) -> Option<f64> {
        let missing = wanted - self.log_e;
        (missing <= 0.0 || self.best > 0.1).then(|| (missing * seconds / self.best).max(0.0))
    }
}

impl Step {
    /// Z as in [`crate::bets`] with r = 1, δ = `by`; stakes are on Z or on −Z.
    fn win(&self, sum: &Weights, against: Against, by: f64, worth: &mut [f64; GRID]) {
        let (of_candidate, of_stable) = (1.0 / self.share - by, 1.0 / (1.0 - self.share) + by);
        let good = sum.candidate + sum.stable - sum.candidate_bad - sum.stable_bad;
        let (sign, most) = match against {
            Against::AtMost => (1.0, 1.0 / of_stable.max(by)),
            Against::AtLeast => (-1.0, 1.0 / of_candidate.max(-by)),
        };
        let mut part = 0.95;
        for worth in worth {
            let stake = sign * part * most;
            *worth += sum.candidate_bad * (stake * of_candidate).ln_1p()
                + sum.stable_bad * (-stake * of_stable).ln_1p()
                + good * (-stake * by).ln_1p();
            part *= 0.72;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(candidate: Counts, stable: Counts) -> Sums {
        let mut sums = Sums::default();
        let requests = candidate.requests + stable.requests;
        sums.add(float(candidate.requests) / float(requests), candidate, stable);
        sums
    }

    #[test]
    fn bounds_are_on_both_sides_of_what_is_seen_and_close_with_more_requests() {
        let limits = |times: u64| {
            let sums =
                sums(Counts::new(1000 * times, 30 * times), Counts::new(9000 * times, 45 * times));
            (sums.at_least(20_f64.ln(), [1.0; 2]).unwrap(), sums.at_most(20_f64.ln(), [1.0; 2]))
        };
        let (few, many) = (limits(1), limits(10));
        assert!(
            few.0 < many.0 && many.0 < 0.025 && 0.025 < many.1 && many.1 < few.1,
            "{few:?} {many:?}"
        );
        assert!(many.0 > 0.018 && many.1 < 0.032, "{many:?}");
    }

    #[test]
    fn no_bound_without_evidence() {
        let few = sums(Counts::new(10, 1), Counts::new(90, 1));
        assert_eq!(few.at_least(20_f64.ln(), [1.0; 2]), None);
        assert!(few.at_most(20_f64.ln(), [1.0; 2]) > 0.3);
        assert!(Sums::default().at_most(3.0, [1.0; 2]) > 0.98);
    }

    #[test]
    fn shares_that_grow_are_kept_apart_and_no_request_is_lost() {
        let mut sums = Sums::default();
        for share in [0.01, 0.05, 0.25, 0.5, 0.75, 0.9] {
            sums.add(share, Counts::new(100, 1), Counts::new(100, 1));
        }
        assert_eq!(sums.steps.len(), MOST_SHARES);
        assert_eq!(sums.counts(), (Counts::new(600, 6), Counts::new(600, 6)));
    }
}
