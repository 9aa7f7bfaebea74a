//! Means, variances and covariance of amounts and what came before them, in constant memory.

use serde::{Deserialize, Serialize};

/// Running sums of pairs, by Welford's updates: no large squares that cancel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Moments {
    count: u64,
    mean: f64,
    mean_before: f64,
    /// Σ(y - ȳ)².
    squares: f64,
    /// Σ(x - x̄)².
    squares_before: f64,
    /// Σ(y - ȳ)(x - x̄).
    products: f64,
}

impl Moments {
    /// Takes one user's amount y, and x from before the experiment.
    pub(super) fn add(&mut self, amount: f64, before: f64) {
        self.count = self.count.saturating_add(1);
        let count = self.count as f64;
        let (off, off_before) = (amount - self.mean, before - self.mean_before);
        self.mean += off / count;
        self.mean_before += off_before / count;
        self.squares += off * (amount - self.mean);
        self.squares_before += off_before * (before - self.mean_before);
        self.products += off * (before - self.mean_before);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Σ(y - ȳ)(x - x̄) and Σ(x - x̄)².
    pub(super) fn spread(&self) -> (f64, f64) {
        (self.products, self.squares_before)
    }

    /// The mean of y - slope·x.
    pub(super) fn adjusted_mean(&self, slope: f64) -> f64 {
        self.mean - slope * self.mean_before
    }

    /// The variance of that mean.
    pub(super) fn variance_of_mean(&self, slope: f64) -> f64 {
        let count = self.count as f64;
        let squares =
            self.squares - 2.0 * slope * self.products + slope * slope * self.squares_before;
        squares.max(0.0) / (count - 1.0) / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two-pass formulas, on amounts far from zero.
    #[test]
    fn running_sums_are_those_of_two_passes() {
        let pairs: Vec<(f64, f64)> =
            (0..50_u32).map(|i| (1e6 + f64::from(i * i % 17), f64::from(i % 5))).collect();
        let mut moments = Moments::default();
        pairs.iter().for_each(|(amount, before)| moments.add(*amount, *before));
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / 50.0;
        let (y, x) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
        let products = 50.0 * mean(&|pair| (pair.0 - y) * (pair.1 - x));
        let squares = 50.0 * mean(&|pair| (pair.1 - x).powi(2));
        assert!((moments.spread().0 - products).abs() < 1e-6);
        assert!((moments.spread().1 - squares).abs() < 1e-9);
        let slope = 0.7;
        let adjusted = |pair: &(f64, f64)| pair.0 - slope * pair.1;
        let middle = mean(&adjusted);
        assert!((moments.adjusted_mean(slope) - middle).abs() < 1e-6);
        let variance = mean(&|pair| (adjusted(pair) - middle).powi(2)) / 49.0;
        assert!((moments.variance_of_mean(slope) - variance).abs() < 1e-9);
    }
}
