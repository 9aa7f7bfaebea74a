//! Bets on the error rate: how much each possible stake wins or loses by one request.
//!
//! A tick scores each request with Z = A·h/ρ − r·(1−A)·h/(1−ρ) − δ, where A is 1 for the candidate,
//! h is 1 for a bad answer, ρ is the candidate's share, r and δ the tolerated ratio and extra rate.
//! "No harm beyond the tolerance" says E[Z | past] ≤ 0, whatever the rates of both sides do together,
//! so Π(1 + λZ) is a non-negative supermartingale for 0 ≤ λ < 1/(r/(1−ρ) + δ). For r = 1, δ = 0 this
//! is the conditional test of Lindon and Malek, "Anytime-valid inference for multinomial count data"
//! (NeurIPS 2022); betting as a way of testing is in Waudby-Smith and Ramdas, "Estimating means of
//! bounded random variables by betting" (JRSS-B 2024).

use serde::{Deserialize, Serialize};

/// How many stakes are held side by side.
pub(crate) const STAKES: usize = 12;

/// How much worse a candidate may be than stable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    /// Its error rate may be this many times stable's; at least 1.
    pub ratio: f64,
    /// ... and this much more, as a share of its requests (0.001 is 0.1 percentage points).
    pub extra: f64,
}

impl Margin {
    /// Not worse at all.
    pub const ZERO: Margin = Margin { ratio: 1.0, extra: 0.0 };
    /// What production needs: 1.2 times stable's rate and 0.1 percentage points.
    pub const DEFAULT: Margin = Margin { ratio: 1.2, extra: 0.001 };
}

/// What each stake wins (as a logarithm) by one request, for one share and margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Odds {
    pub(crate) share: f64,
    /// By a bad answer of the candidate.
    candidate_bad: [f64; STAKES],
    /// By a bad answer of stable.
    stable_bad: [f64; STAKES],
    /// By a good answer of either.
    good: [f64; STAKES],
}

impl Odds {
    /// The odds of stakes that are best for candidates that are from a quarter more than what is
    /// tolerated to 40 times as bad as stable.
    pub(crate) fn new(share: f64, margin: Margin) -> Odds {
        let first = margin.ratio * 1.25;
        Odds::between(share, margin, first, (40.0 / first).max(1.01))
    }

    /// λ = ρ·(θ/θ₀ − 1) with θ = Rρ/(Rρ + 1 − ρ), θ₀ the same for the tolerated ratio, R = `first`
    /// to `first`·`range` in equal steps; at most 0.98 of what may be staked.
    fn between(share: f64, margin: Margin, first: f64, range: f64) -> Odds {
        let most = 0.98 / (margin.ratio / (1.0 - share) + margin.extra);
        let theta = |times: f64| times * share / (times * share + 1.0 - share);
        let mut odds = Odds::flat(share);
        for k in 0..STAKES {
            let step = crate::counts::float(k as u64) / crate::counts::float(STAKES as u64 - 1);
            let stake = share * (theta(first * range.powf(step)) / theta(margin.ratio) - 1.0);
            odds.set(k, stake.min(most), margin);
        }
        odds
    }

    fn flat(share: f64) -> Odds {
        let zero = [0.0; STAKES];
        Odds { share, candidate_bad: zero, stable_bad: zero, good: zero }
    }

    fn set(&mut self, k: usize, stake: f64, margin: Margin) {
        let share = self.share;
        let places =
            (self.candidate_bad.get_mut(k), self.stable_bad.get_mut(k), self.good.get_mut(k));
        if let (Some(candidate), Some(stable), Some(good)) = places {
            *candidate = (stake * (1.0 / share - margin.extra)).ln_1p();
            *stable = (-stake * (margin.ratio / (1.0 - share) + margin.extra)).ln_1p();
            *good = (-stake * margin.extra).ln_1p();
        }
    }

    /// What each stake wins by these requests: bad ones of the candidate and of stable, good ones.
    pub(crate) fn win(&self, candidate_bad: f64, stable_bad: f64, good: f64) -> [f64; STAKES] {
        let mut won = [0.0; STAKES];
        let odds = self.candidate_bad.iter().zip(&self.stable_bad).zip(&self.good);
        for (won, ((candidate, stable), none)) in won.iter_mut().zip(odds) {
            *won = candidate_bad * candidate + stable_bad * stable + good * none;
        }
        won
    }
}

/// ln(e^a + e^b).
pub(crate) fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// The logarithm of the mean of e^x.
pub(crate) fn log_mean(logs: &[f64]) -> f64 {
    let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if high == f64::NEG_INFINITY {
        return high;
    }
    // What is 40 below the largest changes nothing that a float could show.
    let near = logs.iter().map(|log| log - high).filter(|gap| *gap > -40.0);
    let sum: f64 = near.map(f64::exp).sum();
    high + sum.ln() - crate::counts::float(logs.len() as u64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stakes::Stakes;

    #[derive(serde::Deserialize)]
    struct Golden {
        name: String,
        rho: f64,
        r: f64,
        delta: f64,
        ticks: Vec<(u64, u64, u64, u64)>,
        log_e: Vec<f64>,
    }

    /// The stakes of the golden vectors: λ = θ − ρ, R = 1.15·1.38^k.
    fn reference(share: f64, margin: Margin) -> Odds {
        let most = 0.98 / (margin.ratio / (1.0 - share) + margin.extra);
        let mut odds = Odds::flat(share);
        let mut times = 1.15;
        for k in 0..STAKES {
            let theta = times * share / (times * share + 1.0 - share);
            odds.set(k, (theta - share).min(most), margin);
            times *= 1.38;
        }
        odds
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn golden_vectors_to_nine_digits() {
        let golden: Vec<Golden> =
            serde_json::from_str(include_str!("../tests/eprocess_golden.json")).unwrap();
        assert!(golden.len() >= 7);
        for golden in golden {
            let odds = reference(golden.rho, Margin { ratio: golden.r, extra: golden.delta });
            let mut stakes: Stakes<STAKES> = Stakes::new(0.0);
            assert_eq!(golden.ticks.len(), golden.log_e.len());
            for ((bad, n, stable_bad, stable), wanted) in golden.ticks.into_iter().zip(golden.log_e)
            {
                let good = (n + stable - bad - stable_bad) as f64;
                stakes.win(&odds.win(bad as f64, stable_bad as f64, good), [1.0; 2]);
                let found = stakes.log_e();
                assert!((found - wanted).abs() < 1e-9, "{}: {found} for {wanted}", golden.name);
            }
        }
    }
}
