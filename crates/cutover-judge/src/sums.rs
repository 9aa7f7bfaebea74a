//! Sums: all requests so far, by share, tempered; what bounds and non-inferiority are worked out of.
//!
//! For a constant share the logarithm of what a stake is worth is linear in the counts, so that four
//! numbers per scale and share answer every question about every difference at any time.

use serde::{Deserialize, Serialize};

use crate::bets::log_mean;
use crate::counts::{Counts, float};
use crate::stakes::{Parts, SCALES};

/// Shares that are told apart; beyond them the last one takes all.
const MOST_SHARES: usize = 4;
/// Stakes that are held side by side, when a difference is asked for.
const GRID: usize = 8;
/// The largest of them, as a part of what may be staked, and how much smaller each next one is.
const MOST: f64 = 0.95;
const NEXT: f64 = 0.6;
/// How much less capital is on each next one: large stakes are best where few answers are bad.
const LESS: f64 = 0.6;

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
    requests: f64,
    scales: [Weights; SCALES.len()],
}

/// Counts as far as they count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Weights {
    candidate: f64,
    candidate_bad: f64,
    stable: f64,
    stable_bad: f64,
}

impl Weights {
    fn add(&mut self, more: Weights, part: f64) {
        self.candidate += more.candidate * part;
        self.candidate_bad += more.candidate_bad * part;
        self.stable += more.stable * part;
        self.stable_bad += more.stable_bad * part;
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
    /// Takes in a tick, as far as it counts.
    pub(crate) fn add(&mut self, share: f64, candidate: Counts, stable: Counts, parts: Parts) {
        self.candidate.add(candidate);
        self.stable.add(stable);
        let Some(step) = self.step(share) else { return };
        let new = float(candidate.requests + stable.requests);
        step.requests += new;
        if new > 0.0 {
            step.share += (share - step.share) * new / step.requests;
        }
        let more = Weights {
            candidate: float(candidate.requests),
            candidate_bad: float(candidate.bad),
            stable: float(stable.requests),
            stable_bad: float(stable.bad),
        };
        for (scale, part) in step.scales.iter_mut().zip(parts) {
            scale.add(more, part);
        }
    }

    /// Where requests are added that were dealt by this share.
    fn step(&mut self, share: f64) -> Option<&mut Step> {
        let near = |step: &Step| {
            // Alike within a quarter in odds; the logarithm is dear.
            step.share.to_bits() == share.to_bits() || {
                let odds = |share: f64| (share / (1.0 - share)).ln();
                (odds(step.share) - odds(share)).abs() < 0.25
            }
        };
        if !self.steps.last().is_some_and(near) && self.steps.len() < MOST_SHARES {
            // Most rollouts have one share.
            self.steps.reserve_exact(1);
            self.steps.push(Step { share, requests: 0.0, scales: Default::default() });
        }
        self.steps.last_mut()
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        self.steps.capacity() * size_of::<Step>()
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
    pub(crate) fn not_worse_by(&self, margin: f64) -> Evidence {
        self.evidence(Against::AtLeast, margin)
    }

    /// The largest difference of which the evidence says that the candidate is worse by more;
    /// `None` where there is none.
    pub(crate) fn at_least(&self, threshold: f64) -> Option<f64> {
        let holds = |by: f64| self.log_e(Against::AtMost, by) >= threshold;
        if self.most() < threshold || !holds(0.0) {
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
    pub(crate) fn at_most(&self, threshold: f64) -> f64 {
        let (mut low, mut high) = (-0.99, 0.99);
        for _ in 0..20 {
            let middle = 0.5 * (low + high);
            let holds = self.log_e(Against::AtLeast, middle) >= threshold;
            if holds { high = middle } else { low = middle }
        }
        high
    }

    /// No stake on "the candidate is worse" is worth more (a logarithm): Σ n·KL, by step.
    fn most(&self) -> f64 {
        let mut most = [0.0; SCALES.len()];
        for step in &self.steps {
            for (most, sum) in most.iter_mut().zip(&step.scales) {
                let all = sum.candidate_bad + sum.stable_bad;
                let part = |bad: f64, share: f64| {
                    if bad > 0.0 { bad * (bad / (all * share)).ln() } else { 0.0 }
                };
                if sum.candidate_bad > all * step.share {
                    *most += part(sum.candidate_bad, step.share)
                        + part(sum.stable_bad, 1.0 - step.share);
                }
            }
        }
        most.into_iter().fold(f64::INFINITY, f64::min)
    }

    fn log_e(&self, against: Against, by: f64) -> f64 {
        self.evidence(against, by).log_e
    }

    /// The mean over the stakes; the smaller of both scales.
    fn evidence(&self, against: Against, by: f64) -> Evidence {
        // Σ LESS^k is (1 − LESS^K)/(1 − LESS); the mean below takes the rest of the normalisation.
        let most = float(GRID as u64) * (1.0 - LESS) / (1.0 - LESS.powi(GRID as i32));
        let mut worth = [powers(most.ln(), LESS.ln()); SCALES.len()];
        for step in &self.steps {
            step.win(against, by, &mut worth);
        }
        let scales = worth.map(|worth| Evidence {
            log_e: log_mean(&worth),
            best: worth.into_iter().fold(0.0, f64::max),
        });
        let smaller = |a: Evidence, b: Evidence| if a.log_e <= b.log_e { a } else { b };
        scales.into_iter().reduce(smaller).unwrap_or_default()
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

/// GRID numbers, each so much more than the one before.
fn powers(first: f64, more: f64) -> [f64; GRID] {
    let mut next = first - more;
    [(); GRID].map(|()| {
        next += more;
        next
    })
}

impl Step {
    /// Z as in [`crate::bets`] with r = 1, δ = `by`; stakes are on Z or on −Z.
    fn win(&self, against: Against, by: f64, worth: &mut [[f64; GRID]; SCALES.len()]) {
        let (of_candidate, of_stable) = (1.0 / self.share - by, 1.0 / (1.0 - self.share) + by);
        let (sign, most) = match against {
            Against::AtMost => (1.0, 1.0 / of_stable.max(by)),
            Against::AtLeast => (-1.0, 1.0 / of_candidate.max(-by)),
        };
        let mut part = MOST;
        for k in 0..GRID {
            let stake = sign * part * most;
            let odds = [
                (1.0 + stake * of_candidate).ln(),
                (1.0 - stake * of_stable).ln(),
                (-stake * by).ln_1p(),
            ];
            for (worth, sum) in worth.iter_mut().zip(&self.scales) {
                if let Some(worth) = worth.get_mut(k) {
                    *worth += sum.win(odds);
                }
            }
            part *= NEXT;
        }
    }
}

impl Weights {
    /// What is won by these, if so much is won by a bad answer of the candidate and of stable, and
    /// by a good one.
    fn win(&self, [bad, stable_bad, good]: [f64; 3]) -> f64 {
        let fine = self.candidate + self.stable - self.candidate_bad - self.stable_bad;
        self.candidate_bad * bad + self.stable_bad * stable_bad + fine * good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(candidate: Counts, stable: Counts) -> Sums {
        let mut sums = Sums::default();
        let requests = candidate.requests + stable.requests;
        sums.add(float(candidate.requests) / float(requests), candidate, stable, [1.0; 2]);
        sums
    }

    #[test]
    fn bounds_are_on_both_sides_of_what_is_seen_and_close_with_more_requests() {
        let limits = |times: u64| {
            let sums =
                sums(Counts::new(1000 * times, 30 * times), Counts::new(9000 * times, 45 * times));
            (sums.at_least(20_f64.ln()).unwrap(), sums.at_most(20_f64.ln()))
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
        assert_eq!(few.at_least(20_f64.ln()), None);
        assert!(few.at_most(20_f64.ln()) > 0.3);
        assert!(Sums::default().at_most(3.0) > 0.98);
    }

    #[test]
    fn shares_that_grow_are_kept_apart_and_no_request_is_lost() {
        let mut sums = Sums::default();
        for share in [0.01, 0.05, 0.25, 0.5, 0.75, 0.9] {
            sums.add(share, Counts::new(100, 1), Counts::new(100, 1), [1.0; 2]);
        }
        assert_eq!(sums.steps.len(), MOST_SHARES);
        assert_eq!(sums.counts(), (Counts::new(600, 6), Counts::new(600, 6)));
    }
}
