//! How much more counts scatter than chance alone makes them: the design effect of a block.
//!
//! Instances differ for a while (a noisy neighbour, a full cache) without being worse. Without
//! allowing for it, exact tests turn back most healthy releases at a thousand requests a second.
//! What is learned here comes from stable instances: each in turn is compared with the others, as if
//! it were the candidate. With one instance only, or for latencies, the candidate's own blocks are
//! compared with the ones just before them, which a constant difference does not show in.

use serde::{Deserialize, Serialize};

use crate::counts::{Counts, float};
use crate::tempering::Correlation;

/// Blocks that scatter beyond chance by so much tell of a change, not of noise.
const MOST_SURPRISE: f64 = 25.0;

/// How many standard errors are taken for chance where noise is as usual.
const CHANCE: f64 = 0.2;
/// How many of them it may be larger by where there are many more bad answers than usual.
const MOST: f64 = 3.0;
/// By how many of its standard errors noise may be larger than it was.
const DOUBT: f64 = 2.0;

/// The scatter of bad answers: the intraclass correlation of the labels "whose bad answer is this?".
///
/// Of N bad answers in a block, X are the candidate's; Var X = N·θ(1−θ)·(1 + (N−1)·icc), and
/// icc = θ(1−θ)·v, where v is the variance of the ratio of both sides' rates. v does not depend on
/// how large the sides are or how many answers are bad, so it is what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct RateNoise {
    surplus: f64,
    weight: f64,
    /// The sum of the squares of what makes up `weight`.
    squares: f64,
    /// The variance of `surplus`, if there were nothing but chance.
    chance: f64,
}

impl RateNoise {
    /// Before anything is seen: rates of both sides differ by about 30 % from block to block, worth
    /// a few blocks with many bad answers.
    pub(crate) fn new() -> RateNoise {
        RateNoise { surplus: 0.1 * 4.0, weight: 4.0, squares: 4.0, chance: 0.0 }
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
        // χ² has a mean of 1 + v·pairs and a variance of twice its square: these weights are best for
        // v = 0.5. Blocks with many bad answers say more, but an incident does not outweigh the rest.
        let trust = pairs / (1.0 + 0.5 * pairs).powi(2);
        self.surplus += trust * (chi - 1.0);
        self.weight += trust * pairs;
        self.squares += (trust * pairs).powi(2);
        // The variance of χ² with one degree of freedom, and the kurtosis of a binomial number.
        self.chance += trust * trust * (2.0 + (1.0 - 6.0 * spread).max(0.0) / (bad * spread));
    }
    /// The variance of the ratio. Less a part of its standard error: what chance alone may have made
    /// is no reason to be slow. What is left is noise, and known by few blocks only: it may be larger
    /// by standard errors of its own.
    pub(crate) fn variance(self) -> f64 {
        let sure = self.surplus - CHANCE * self.chance.sqrt();
        (sure / self.weight).max(0.0) * self.doubt()
    }
    fn doubt(self) -> f64 {
        let blocks = self.weight * self.weight / self.squares;
        1.0 + DOUBT * (2.0 / blocks).sqrt()
    }
    /// The correlation of labels, for a candidate with this share.
    pub(crate) fn correlation(self, share: f64) -> Correlation {
        let spread = share * (1.0 - share);
        let most = (self.surplus.max(0.0) + MOST * self.chance.sqrt()) / self.weight * self.doubt();
        Correlation { likely: spread * self.variance(), largest: spread * most }
    }
}

/// The scatter of a share that is about known (answers slower than a quantile): κ, by which the
/// difference of both sides' shares varies beyond p(1−p)/m, with m = 1/(1/n + 1/n') requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShareNoise {
    surplus: f64,
    weight: f64,
    before: Option<[f32; 3]>,
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
        if let (Some((gap, variance, size)), Some(before)) = (now, self.before) {
            let [past, its, its_size] = before.map(f64::from);
            let change = gap - past;
            self.take(change * change / (variance + its), 2.0 / (1.0 / size + 1.0 / its_size));
        }
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough here")]
        let stored = now.map(|(gap, variance, size)| [gap, variance, size].map(|x| x as f32));
        self.before = stored.or(self.before);
    }
    fn take(&mut self, chi: f64, size: f64) {
        let trust = 1.0 / (1.0 + 0.02 * size);
        self.surplus += trust * (chi.min(MOST_SURPRISE) - 1.0);
        self.weight += trust * size;
    }
    /// The correlation of answers to both sides, for a candidate with this share.
    pub(crate) fn correlation(self, share: f64) -> Correlation {
        let likely = (self.surplus / self.weight).max(0.0) * share * (1.0 - share);
        Correlation { likely, largest: likely }
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
        let effect = 1.0 + 4000.0 * noise.correlation(0.1).likely;
        assert!(effect < 1.2, "{effect}");
    }
}
