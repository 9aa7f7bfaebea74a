//! Chance, from a seed.

use std::time::Duration;

/// A small generator (splitmix64, Steele et al. 2014): the same seed is the same world on every
/// machine.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 77)
    }
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// From 0 to `sides` - 1.
    pub fn below(&mut self, sides: u32) -> u32 {
        let sides = u64::from(sides.max(1));
        u32::try_from(self.roll() % sides).unwrap_or(0)
    }
    /// True in `of_thousand` of a thousand throws.
    pub fn chance(&mut self, of_thousand: u32) -> bool {
        of_thousand > 0 && self.below(1000) < of_thousand
    }
    /// One of several; `None` of none.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let sides = u32::try_from(from.len()).unwrap_or(1);
        from.get(self.below(sides) as usize).cloned()
    }
    /// Up to `most`, in steps of 250 ms.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        let steps = u32::try_from(most.as_millis() / 250).unwrap_or(0);
        Duration::from_millis(250) * self.below(steps + 1)
    }
    /// How many of `trials` succeed, each in `of_million` of a million cases. Exact for few trials; for
    /// many, by the Poisson distribution where few succeed and by the normal one where many do.
    pub fn successes(&mut self, trials: u32, of_million: u32) -> u32 {
        if trials <= 32 {
            let hits = (0..trials).filter(|_| self.below(1_000_000) < of_million);
            return u32::try_from(hits.count()).unwrap_or(trials);
        }
        let (n, p) = (f64::from(trials), f64::from(of_million) / 1e6);
        if n * p < 8.0 {
            return self.poisson(n * p).min(trials);
        }
        // Twelve uniform numbers less six: mean 0, variance 1.
        let bell: f64 = (0..12).map(|_| f64::from(self.below(1 << 20)) / f64::from(1 << 20)).sum();
        let drawn = n * p + (bell - 6.0) * (n * p * (1.0 - p)).sqrt();
        let sure = drawn.round().clamp(0.0, n);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a u32"
        )]
        let count = sure as u32;
        count
    }
    /// By inversion: the first count whose cumulated probability exceeds a uniform number.
    fn poisson(&mut self, mean: f64) -> u32 {
        let drawn = f64::from(self.below(1 << 30)) / f64::from(1 << 30);
        let (mut count, mut each) = (0, (-mean).exp());
        let mut all = each;
        while drawn > all && count < 100 {
            count += 1;
            each *= mean / f64::from(count);
            all += each;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successes_come_as_often_as_they_should() {
        let mut dice = Dice::new(1);
        for (trials, of_million) in [(10, 300_000), (400, 5000), (400, 330_000), (400, 20)] {
            let times = 20_000;
            let all: u32 = (0..times).map(|_| dice.successes(trials, of_million)).sum();
            let (mean, found) = (
                f64::from(trials) * f64::from(of_million) / 1e6,
                f64::from(all) / f64::from(times),
            );
            let spread = (mean / f64::from(times)).sqrt();
            assert!((found - mean).abs() < 5.0 * spread + 0.001, "{found} and not {mean}");
        }
    }
}
