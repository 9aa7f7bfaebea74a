//! Amounts: how much users did.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Variant;
use super::moments::Moments;

/// Fewer users per variant have no interval: it rests on means being about normal.
pub const LEAST_USERS: u64 = 100;
/// How many users the interval is made for if nothing else is said.
const TUNED_FOR: u64 = 5000;
/// The level it is made for. It is right at every level, and nearly as narrow.
const TUNED_AT: f64 = 0.05;

/// Amounts per user of two variants: an interval for the difference of their means that may be
/// looked at any time.
///
/// **CUPED** (Deng, Xu, Kohavi and Walker 2013): the part of an amount that follows from what the
/// user did *before* the experiment is taken out, y - slope·x with the slope of both variants
/// together. It cannot depend on the variant, so the difference stays the same; the variance falls
/// by the square of the correlation. Nothing is lost if there is none.
///
/// The interval is an asymptotic confidence sequence (Waudby-Smith and others 2021): with D the
/// difference, V its variance, N all users and s tuned to about [`Amounts::tuned_for`] users,
/// D ± √(V·N)·√(2(Ns+1)/(N²s)·ln(√(Ns+1)/α)).
///
/// Its state is thirteen numbers, however many users there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Amounts {
    treatment: Moments,
    control: Moments,
    tuned_for: u64,
}

/// By how much more the treatment's users did than the control's, per user.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// The treatment's mean less the control's, adjusted.
    pub estimate: f64,
    /// At least this.
    pub low: f64,
    /// At most this.
    pub high: f64,
    /// What share of the variance the adjustment took away.
    pub explained: f64,
}

/// An amount that is not a finite number; it was not taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InvalidAmount(pub f64);

impl Default for Amounts {
    fn default() -> Amounts {
        Amounts::tuned_for(TUNED_FOR)
    }
}

impl Amounts {
    /// No users yet, with intervals that are narrowest at about this many users of both variants.
    #[must_use]
    pub fn tuned_for(users: u64) -> Amounts {
        Amounts {
            treatment: Moments::default(),
            control: Moments::default(),
            tuned_for: users.max(1),
        }
    }

    /// Takes one user: the amount, and the same or a related amount `before` the first exposure.
    ///
    /// Take each user once, when the amount is final: a fixed time (a week) after the first
    /// exposure, the same for all. `before` must not depend on the variant; for users without a
    /// past give one number for all, such as 0 or the mean. Cap amounts at a bound fixed beforehand
    /// if single users can outweigh thousands.
    ///
    /// # Errors
    /// If a number is not finite. Nothing changes.
    pub fn observe(
        &mut self,
        variant: Variant,
        amount: f64,
        before: f64,
    ) -> Result<(), InvalidAmount> {
        for number in [amount, before] {
            // Beyond this, squares overflow.
            if !number.is_finite() || number.abs() > 1e100 {
                return Err(InvalidAmount(number));
            }
        }
        match variant {
            Variant::Treatment => self.treatment.add(amount, before),
            Variant::Control => self.control.add(amount, before),
        }
        Ok(())
    }

    /// Users taken of a variant.
    #[must_use]
    pub fn users(&self, variant: Variant) -> u64 {
        match variant {
            Variant::Treatment => self.treatment.count(),
            Variant::Control => self.control.count(),
        }
    }

    /// The difference per user with an interval that, at all times together, holds the true one
    /// with a probability of about 1 - α or more.
    ///
    /// None with fewer than [`LEAST_USERS`] in a variant, if no amount differs from the others, and
    /// for levels outside 0 to 1.
    #[must_use]
    pub fn difference(&self, alpha: f64) -> Option<Difference> {
        let fewest = self.treatment.count().min(self.control.count());
        let is_level = alpha > 0.0 && alpha < 1.0;
        if fewest < LEAST_USERS || !is_level {
            return None;
        }
        let slope = self.slope();
        let raw = self.variance(0.0);
        let variance = self.variance(slope);
        if variance <= 0.0 || raw <= 0.0 {
            return None;
        }
        let estimate = self.treatment.adjusted_mean(slope) - self.control.adjusted_mean(slope);
        let all = self.treatment.count() as f64 + self.control.count() as f64;
        let tuning = tuning(self.tuned_for as f64);
        let grown = all * tuning + 1.0;
        let width = 2.0 * grown / (all * all * tuning) * (grown.sqrt() / alpha).ln();
        let half = (variance * all * width).sqrt();
        let explained = (1.0 - variance / raw).max(0.0);
        Some(Difference { estimate, low: estimate - half, high: estimate + half, explained })
    }

    /// The least squares slope within both variants together.
    fn slope(&self) -> f64 {
        let (ours, theirs) = (self.treatment.spread(), self.control.spread());
        let squares = ours.1 + theirs.1;
        if squares > 0.0 { (ours.0 + theirs.0) / squares } else { 0.0 }
    }

    /// The variance of the difference of the adjusted means.
    fn variance(&self, slope: f64) -> f64 {
        self.treatment.variance_of_mean(slope) + self.control.variance_of_mean(slope)
    }
}

/// The s by which the interval is narrowest at this many users.
fn tuning(users: f64) -> f64 {
    let level = -2.0 * TUNED_AT.ln();
    (level + (level + 1.0).ln()) / users
}

impl fmt::Display for InvalidAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no amount: it must be a finite number of sensible size", self.0)
    }
}
impl std::error::Error for InvalidAmount {}
