//! Sample ratio mismatch: are units (users, requests) assigned to the arms in the shares they were
//! meant to be?
//!
//! If not, the arms' units differ in more than the release they got, and no comparison of the arms
//! means anything: the verdict is invalid. Test units where they are assigned, and again where
//! their outcome is counted: what crashes before it is counted shows here.
//!
//! # The e-process
//! At each tick the shares θ were set before the units came, so under the null hypothesis the
//! tick's counts are multinomial with these shares, whatever was counted before. Let Q be any
//! distribution of the counts that depends on the past only. Then E[Q(x)/P(x) | past] = 1, and the
//! product of the ticks' ratios is a martingale that exceeds 1/α with a probability of at most α,
//! however often one looks and for whatever reason one stops (Ville). A bad Q costs power, never
//! validity: that is why shares may change from tick to tick, and why the ticks' number of units
//! may depend on anything.
//!
//! Q is a Dirichlet mixture of multinomials. While the shares stay the same it is that of Lindon
//! and Malek (*Anytime-valid inference for multinomial count data*, `NeurIPS` 2022) with the
//! concentrations c·θᵢ, and the product is its closed form. When they change (a ramp from 5 % to
//! 50 %), what was learnt is carried over as how many times its expected count each arm got,
//! rᵢ = (cθᵢ+Sᵢ)/(cθᵢ+Eᵢ) with S units counted and E expected so far: predicted are the shares
//! θᵢrᵢ/Σθr. Their concentration is the greatest that claims no more knowledge of any arm than its
//! cθᵢ+Sᵢ pseudo-units; with unchanged shares that is c plus the units so far, as it must be.

mod dirichlet;

use std::fmt;

use serde::{Deserialize, Serialize};

use dirichlet::{Cell, log_ratio};

/// The level at which a mismatch is called one: of 1000 sound experiments at most one is.
pub const ALPHA: f64 = 0.001;
/// The default concentration: mismatches of about 1/√c of a share are found soonest.
pub const CONCENTRATION: f64 = 1e4;
/// The most arms.
pub const MOST_ARMS: usize = 64;
/// The most units of an arm in one tick: beyond, rounding could pass for evidence.
pub const MOST_UNITS: u64 = 1_000_000_000_000;

/// Evidence against the shares that units were meant to be assigned in; starts with none.
///
/// Its serialised state is a few numbers per arm: stored and read back, a run keeps its evidence
/// and its error budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SampleRatio {
    concentration: f64,
    arms: Vec<Arm>,
    log_e: f64,
    peak: f64,
    impossible: bool,
}

/// What an arm got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Arm {
    /// Units counted.
    pub units: u64,
    /// Units expected by the shares.
    pub expected: f64,
}

/// Why counts were not taken. The evidence is as before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum InvalidCounts {
    /// There are not as many counts, shares and arms so far.
    Arms {
        /// Counts given.
        counts: usize,
        /// Shares given.
        shares: usize,
        /// Arms so far; none before the first counts.
        arms: Option<usize>,
    },
    /// A share is negative or not a number, or all are zero.
    Shares,
    /// More than [`MOST_UNITS`] in one tick.
    Units,
}

impl Default for SampleRatio {
    fn default() -> SampleRatio {
        SampleRatio::with_concentration(CONCENTRATION)
    }
}

impl SampleRatio {
    /// No evidence yet, looking for mismatches of about 1/√`concentration` of a share.
    ///
    /// Held within 1 and 1e9; [`CONCENTRATION`] if it is not a number.
    #[must_use]
    pub fn with_concentration(concentration: f64) -> SampleRatio {
        let concentration =
            if concentration.is_nan() { CONCENTRATION } else { concentration.clamp(1.0, 1e9) };
        SampleRatio { concentration, arms: Vec::new(), log_e: 0.0, peak: 0.0, impossible: false }
    }

    /// Takes a tick: how many units were newly assigned to each arm while these were the shares.
    ///
    /// The shares may be any weights (90 and 10); those of the time of assignment, as they were
    /// set, not as they turned out. The first tick decides how many arms there are.
    ///
    /// # Errors
    /// If counts and shares do not fit the arms, the shares are no weights, or there are too many
    /// units. Nothing changes.
    pub fn observe(&mut self, counts: &[u64], shares: &[f64]) -> Result<(), InvalidCounts> {
        let known = (!self.arms.is_empty()).then_some(self.arms.len());
        let fits =
            known.map_or((2..=MOST_ARMS).contains(&counts.len()), |arms| arms == counts.len());
        if !fits || counts.len() != shares.len() {
            let (counts, shares) = (counts.len(), shares.len());
            return Err(InvalidCounts::Arms { counts, shares, arms: known });
        }
        let sum: f64 = shares.iter().sum();
        if !sum.is_finite() || sum <= 0.0 || shares.iter().any(|share| *share < 0.0) {
            return Err(InvalidCounts::Shares);
        }
        if counts.iter().any(|count| *count > MOST_UNITS) {
            return Err(InvalidCounts::Units);
        }
        self.arms.resize(counts.len(), Arm::default());
        let shares: Vec<f64> = shares.iter().map(|share| share / sum).collect();
        self.weigh(counts, &shares);
        self.count(counts, &shares);
        Ok(())
    }

    /// ln of the e-value: 0 is no evidence, ln 1000 rejects at 0.001. Infinite once a unit was
    /// assigned to an arm whose share was 0.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        if self.impossible { f64::INFINITY } else { self.log_e }
    }

    /// Has the evidence ever been enough to reject the shares at this level, such as [`ALPHA`]?
    #[must_use]
    pub fn is_mismatch(&self, alpha: f64) -> bool {
        self.impossible || self.peak >= -alpha.ln()
    }

    /// The least level at which the shares are rejected; never grows.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        if self.impossible { 0.0 } else { (-self.peak).exp() }
    }

    /// What each arm got so far.
    #[must_use]
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// Multiplies the evidence by the tick's ratio of probabilities.
    fn weigh(&mut self, counts: &[u64], shares: &[f64]) {
        let (mut cells, mut known) = (Vec::with_capacity(counts.len()), Vec::new());
        for ((count, share), arm) in counts.iter().zip(shares).zip(&self.arms) {
            if *share == 0.0 {
                self.impossible |= *count > 0;
                continue;
            }
            let pseudo = self.concentration * share;
            let (units, expected) = (pseudo + arm.units as f64, pseudo + arm.expected);
            known.push(units);
            let predicted = share * units / expected;
            cells.push(Cell { count: *count as f64, share: *share, predicted });
        }
        let sum: f64 = cells.iter().map(|cell| cell.predicted).sum();
        let mut concentration = f64::INFINITY;
        for (cell, known) in cells.iter_mut().zip(known) {
            cell.predicted /= sum;
            concentration = concentration.min(known / cell.predicted);
        }
        if cells.len() > 1 {
            self.log_e += log_ratio(&cells, concentration);
        }
        self.peak = self.peak.max(self.log_e);
    }

    fn count(&mut self, counts: &[u64], shares: &[f64]) {
        let total: f64 = counts.iter().map(|count| *count as f64).sum();
        for ((count, share), arm) in counts.iter().zip(shares).zip(&mut self.arms) {
            arm.units = arm.units.saturating_add(*count);
            arm.expected += total * share;
        }
    }
}

impl fmt::Display for InvalidCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidCounts::Arms { counts, shares, arms: Some(arms) } => {
                write!(f, "{counts} counts and {shares} shares for {arms} arms")
            }
            InvalidCounts::Arms { counts, shares, arms: None } => {
                write!(f, "{counts} counts and {shares} shares for 2 to {MOST_ARMS} arms")
            }
            InvalidCounts::Shares => {
                write!(f, "the shares are not numbers of at least 0, one of them above")
            }
            InvalidCounts::Units => write!(f, "more than {MOST_UNITS} units in one tick"),
        }
    }
}
impl std::error::Error for InvalidCounts {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ln_multinomial(counts: &[u64], shares: &[f64]) -> f64 {
        let total: u64 = counts.iter().sum();
        let of = |(count, share): (&u64, &f64)| {
            *count as f64 * share.ln() - libm::lgamma(*count as f64 + 1.0)
        };
        libm::lgamma(total as f64 + 1.0) + counts.iter().zip(shares).map(of).sum::<f64>()
    }

    /// The mean of the next tick's factor under the null hypothesis, over all counts it may have.
    fn mean_factor(ratio: &SampleRatio, units: u64, shares: [f64; 3]) -> f64 {
        let mut mean = 0.0;
        for first in 0..=units {
            for second in 0..=units - first {
                let counts = [first, second, units - first - second];
                let mut next = ratio.clone();
                next.observe(&counts, &shares).unwrap();
                mean += (ln_multinomial(&counts, &shares) + next.log_e - ratio.log_e).exp();
            }
        }
        mean
    }

    /// What makes it an e-process: whatever came before, and whatever the shares become.
    #[test]
    fn every_tick_is_a_fair_bet() {
        let mut ratio = SampleRatio::with_concentration(20.0);
        let history: [([u64; 3], [f64; 3]); 4] = [
            ([3, 40, 57], [0.01, 0.39, 0.6]),
            ([30, 35, 35], [0.3, 0.4, 0.3]),
            ([900, 50, 50], [0.2, 0.4, 0.4]),
            ([5, 3, 2], [0.5, 0.25, 0.25]),
        ];
        for (counts, shares) in history {
            for next in [[0.2, 0.3, 0.5], [0.98, 0.01, 0.01], [1.0 / 3.0; 3]] {
                let mean = mean_factor(&ratio, 12, next);
                assert!((mean - 1.0).abs() < 1e-9, "{mean}");
            }
            ratio.observe(&counts, &shares).unwrap();
        }
        assert!(ratio.log_e > 10.0);
    }
}
