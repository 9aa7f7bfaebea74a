//! How much more counts scatter than chance alone makes them: the design effect of a block.
//!
//! Instances differ for a while (a noisy neighbour, a full cache) without being worse. Without
//! allowing for it, exact tests turn back most healthy releases at a thousand requests a second.
//! What is learned here comes from stable instances: each in turn is compared with the others, as if
//! it were the candidate. With one instance only, or for latencies, the candidate's own blocks are
//! compared with the ones just before them, which a constant difference does not show in.

use serde::{Deserialize, Serialize};

use crate::counts::{Counts, float};

/// Blocks that scatter beyond chance by so much tell of a change, not of noise.
const MOST_SURPRISE: f64 = 25.0;

/// The scatter of bad answers: the intraclass correlation of the labels "whose bad answer is this?".
///
/// Of N bad answers in a block, X are the candidate's; Var X = N·θ(1−θ)·(1 + (N−1)·icc), and
/// icc = θ(1−θ)·v, where v is the variance of the ratio of both sides' rates. v does not depend on
/// how large the sides are or how many answers are bad, so it is what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct RateNoise {
    surplus: f64,
    weight: f64,
}

impl RateNoise {
    /// Before anything is seen: rates of both sides differ by about 10 % from block to block, worth
    /// a few blocks with many bad answers.
    pub(crate) fn new() -> RateNoise {
        RateNoise { surplus: 0.01 * 4.0, weight: 4.0 }
    }
    /// Two sides that are known to be alike did this in one block.
    pub(crate) fn learn(&mut self, one: Counts, other: Counts) {
        self.learn_shared(one, other, float(one.requests) / float(one.requests + other.requests));
    }
    /// ... where the first one's share of bad answers is expected to be `theta`.
    pub(crate) fn learn_shared(&mut self, one: Counts, other: Counts, theta: f64) {
        let bad = float(one.bad + other.bad);
        let spread = theta * (1.0 - theta);
        if bad < 2.0 || one.requests == 0 || other.requests == 0 || spread <= 0.0 {
            return;
        }
        let off = float(one.bad) - bad * theta;
        let chi = (off * off / (bad * spread)).min(MOST_SURPRISE * (1.0 + bad * spread));
        let pairs = (bad - 1.0) * spread;
        // Blocks with many bad answers say more, but not in proportion.
        let trust = 1.0 / (1.0 + 0.02 * pairs);
        self.surplus += trust * (chi - 1.0);
        self.weight += trust * pairs;
    }
    fn variance(self) -> f64 {
        (self.surplus / self.weight).max(0.0)
    }
    /// The design effect of a block with so many bad answers, for a candidate with this share.
    pub(crate) fn effect(self, bad: f64, share: f64) -> f64 {
        1.0 + (bad - 1.0).max(0.0) * share * (1.0 - share) * self.variance()
    }
}

/// The scatter of a share that is about known (answers slower than a quantile): κ, by which the
/// difference of both sides' shares varies beyond p(1−p)/m, with m = 1/(1/n + 1/n') requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShareNoise {
    surplus: f64,
    weight: f64,
    before: Option<(f64, f64, f64)>,
}

impl ShareNoise {
    /// Before anything is seen: worth a few blocks.
    pub(crate) fn new() -> ShareNoise {
        ShareNoise { surplus: 0.002 * 20.0, weight: 20.0, before: None }
    }
    /// Two sides that are known to be alike did this in one block.
    pub(crate) fn learn(&mut self, one: Counts, other: Counts) {
        if let Some((gap, variance, size)) = difference(one, other) {
            self.take(gap * gap / variance, size);
        }
    }
    /// Candidate and stable did this in one block: what counts is how their difference changed since
    /// the one before, which a constant difference does not show in.
    pub(crate) fn follow(&mut self, candidate: Counts, stable: Counts) {
        let now = difference(candidate, stable);
        if let (Some((gap, variance, size)), Some((past, its, its_size))) = (now, self.before) {
            let change = gap - past;
            self.take(change * change / (variance + its), 2.0 / (1.0 / size + 1.0 / its_size));
        }
        self.before = now.or(self.before);
    }
    fn take(&mut self, chi: f64, size: f64) {
        let trust = 1.0 / (1.0 + 0.02 * size);
        self.surplus += trust * (chi.min(MOST_SURPRISE) - 1.0);
        self.weight += trust * size;
    }
    /// The design effect of a block of these sizes.
    pub(crate) fn effect(self, candidate: u64, stable: u64) -> f64 {
        if candidate == 0 || stable == 0 {
            return 1.0;
        }
        let size = 1.0 / (1.0 / float(candidate) + 1.0 / float(stable));
        1.0 + (self.surplus / self.weight).max(0.0) * size
    }
}

/// (difference of the shares, its variance by chance, its size m); `None` where one side says too
/// little.
fn difference(one: Counts, other: Counts) -> Option<(f64, f64, f64)> {
    if one.requests < 5 || other.requests < 5 {
        return None;
    }
    // Half a request of each kind keeps the variance from being none.
    let share = |side: Counts| (float(side.bad) + 0.5) / (float(side.requests) + 1.0);
    let variance = |side: Counts| share(side) * (1.0 - share(side)) / float(side.requests);
    let size = 1.0 / (1.0 / float(one.requests) + 1.0 / float(other.requests));
    Some((one.rate() - other.rate(), variance(one) + variance(other), size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binomial(rng: &mut fastrand::Rng, n: u64, p: f64) -> u64 {
        (0..n).filter(|_| rng.f64() < p).count() as u64
    }

    #[test]
    fn the_variance_of_rates_is_found_whatever_the_sizes() {
        let mut rng = fastrand::Rng::with_seed(3);
        for (size, wide) in [(2000, 0.3), (2000, 0.0), (500, 0.3)] {
            let mut noise = RateNoise::new();
            for _ in 0..2000 {
                // Factors with a coefficient of variation of `wide`.
                let mut rate =
                    || if rng.bool() { 0.05 * (1.0 + wide) } else { 0.05 * (1.0 - wide) };
                let (a, b) = (rate(), rate());
                let one = Counts::new(size, binomial(&mut rng, size, a));
                let other = Counts::new(4 * size, binomial(&mut rng, 4 * size, b));
                noise.learn(one, other);
            }
            let wanted = 2.0 * wide * wide;
            let found = noise.variance();
            assert!((found - wanted).abs() < 0.12 * wanted + 0.02, "{found} for {wanted}");
        }
    }

    #[test]
    fn a_constant_difference_is_no_noise() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mut noise = ShareNoise::new();
        for _ in 0..500 {
            let candidate = Counts::new(400, binomial(&mut rng, 400, 0.3));
            noise.follow(candidate, Counts::new(3600, binomial(&mut rng, 3600, 0.1)));
        }
        assert!(noise.effect(400, 3600) < 1.2, "{}", noise.effect(400, 3600));
    }
}
