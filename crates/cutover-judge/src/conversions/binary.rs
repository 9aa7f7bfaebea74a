//! Conversions: whether users did something.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::srm::{MOST_UNITS, SampleRatio};

/// The most distinct shares in one comparison: every step of a ramp is one.
pub const MOST_SHARES: usize = 256;
/// The concentration of the mixture: made for rates that differ by a tenth or more. Smaller
/// differences are found too, somewhat later.
const CONCENTRATION: f64 = 100.0;
/// ln of the rate ratios beyond which there is no bound.
const FURTHEST: f64 = 30.0;
/// Enough halvings of 60 to reach the last bit.
const HALVINGS: u32 = 64;

/// Evidence that users of two variants convert at different rates; starts with none.
///
/// The test looks at the converted users only: if both variants convert alike, each of them is of
/// the treatment with the probability that the treatment's share was, whatever the rate is and
/// however it drifts. That is a label test with a beta-binomial mixture (Lindon and Malek 2022), an
/// e-process: it may be asked at any time. It is nearly as sharp as any test for rates of up to a
/// tenth or so; if most users convert, give those who did not as the converted.
///
/// Its state is a few numbers, and three more for every distinct share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Conversions {
    treatment: Users,
    control: Users,
    labels: SampleRatio,
    steps: Vec<Step>,
}

/// Users of a variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Users {
    /// Those first exposed to it.
    pub exposed: u64,
    /// Of these, how many converted.
    pub converted: u64,
}

/// Converted users who were exposed while the treatment had this share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Step {
    share: f64,
    treatment: u64,
    control: u64,
}

/// The treatment's conversion rate by the control's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RateRatio {
    /// The most likely ratio; none while a variant has no converted user.
    pub estimate: Option<f64>,
    /// At least this.
    pub low: f64,
    /// At most this; none if there is no bound yet.
    pub high: Option<f64>,
}

/// Why users were not taken. The evidence is as before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum InvalidConversions {
    /// The treatment's share must be above 0 and below 1.
    Share(f64),
    /// More users converted than were exposed.
    Converted,
    /// There are already [`MOST_SHARES`] distinct shares.
    TooManyShares,
    /// More than [`MOST_UNITS`] users at once.
    Users,
}

impl Default for Conversions {
    fn default() -> Conversions {
        Conversions::with_concentration(CONCENTRATION)
    }
}

impl Conversions {
    /// No evidence yet, looking for labels that are off by about 1/√`concentration` of a share:
    /// 100 for rates that differ by a tenth or more, 2000 for a twentieth.
    #[must_use]
    pub fn with_concentration(concentration: f64) -> Conversions {
        Conversions {
            treatment: Users::default(),
            control: Users::default(),
            labels: SampleRatio::with_concentration(concentration),
            steps: Vec::new(),
        }
    }

    /// Takes users newly exposed, and users newly converted who were exposed at this share.
    ///
    /// `share` is what part of the users of both variants the treatment was to get when these users
    /// were first exposed, above 0 and below 1. Where shares change and users convert later, give
    /// those of each share by themselves.
    ///
    /// # Errors
    /// If the share is no such part, more users converted than were exposed, or there are too many
    /// of anything. Nothing changes.
    pub fn observe(
        &mut self,
        treatment: Users,
        control: Users,
        share: f64,
    ) -> Result<(), InvalidConversions> {
        if !(share > 0.0 && share < 1.0) {
            return Err(InvalidConversions::Share(share));
        }
        let most = [treatment.exposed, treatment.converted, control.exposed, control.converted];
        if most.iter().any(|count| *count > MOST_UNITS) {
            return Err(InvalidConversions::Users);
        }
        let (all, theirs) = (self.treatment.plus(treatment), self.control.plus(control));
        if all.converted > all.exposed || theirs.converted > theirs.exposed {
            return Err(InvalidConversions::Converted);
        }
        if treatment.converted > 0 || control.converted > 0 {
            let step = self.step(share)?;
            step.treatment += treatment.converted;
            step.control += control.converted;
            let labels = [treatment.converted, control.converted];
            let taken = self.labels.observe(&labels, &[share, 1.0 - share]);
            taken.map_err(|_| InvalidConversions::Share(share))?;
        }
        (self.treatment, self.control) = (all, theirs);
        Ok(())
    }

    /// The treatment's users so far.
    #[must_use]
    pub fn treatment(&self) -> Users {
        self.treatment
    }

    /// The control's users so far.
    #[must_use]
    pub fn control(&self) -> Users {
        self.control
    }

    /// ln of the e-value against equal rates.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        self.labels.log_e()
    }

    /// The two-sided p-value of equal rates, valid at any time: the least of the past, so it never
    /// grows.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        self.labels.p_value()
    }

    /// The rate ratios that are not rejected at this level now: at all times together, the true
    /// ratio is among them with a probability of at least 1 - α.
    ///
    /// None for levels outside 0 to 1, and if every ratio is rejected because it was not constant.
    /// Unlike the p-value it does not remember the past, so the two may differ for a while.
    #[must_use]
    pub fn rate_ratio(&self, alpha: f64) -> Option<RateRatio> {
        if !(alpha > 0.0 && alpha < 1.0) {
            return None;
        }
        // ln Q of the labels' mixture less ln 1/α: ratios that make the labels less likely are out.
        let bound = self.log_e() + self.log_likelihood(0.0) + alpha.ln();
        let inside = |log_ratio: f64| self.log_likelihood(log_ratio) > bound;
        let top = boundary(-FURTHEST, FURTHEST, |log_ratio| self.rises_at(log_ratio));
        if !inside(top) {
            return None;
        }
        let low = if inside(-FURTHEST) { 0.0 } else { boundary(top, -FURTHEST, inside).exp() };
        let high = (!inside(FURTHEST)).then(|| boundary(top, FURTHEST, inside).exp());
        let both = self.treatment.converted > 0 && self.control.converted > 0;
        Some(RateRatio { estimate: both.then(|| top.exp()), low, high })
    }

    fn step(&mut self, share: f64) -> Result<&mut Step, InvalidConversions> {
        let place = self.steps.iter().position(|step| step.share == share);
        let place = place.unwrap_or(self.steps.len());
        if place == self.steps.len() {
            if place >= MOST_SHARES {
                return Err(InvalidConversions::TooManyShares);
            }
            self.steps.push(Step { share, treatment: 0, control: 0 });
        }
        self.steps.get_mut(place).ok_or(InvalidConversions::TooManyShares)
    }

    /// The labels' log likelihood if the rates have this ratio (given as its ln).
    fn log_likelihood(&self, log_ratio: f64) -> f64 {
        let of = |step: &Step| {
            let odds = step.log_odds(log_ratio);
            -(step.treatment as f64) * ln_1p_exp(-odds) - step.control as f64 * ln_1p_exp(odds)
        };
        self.steps.iter().map(of).sum()
    }

    /// Does the likelihood rise with the ratio here? It is concave: it rises up to its top.
    fn rises_at(&self, log_ratio: f64) -> bool {
        let slope = |step: &Step| {
            let labels = step.treatment as f64 + step.control as f64;
            step.treatment as f64 - labels / (1.0 + (-step.log_odds(log_ratio)).exp())
        };
        self.steps.iter().map(slope).sum::<f64>() > 0.0
    }
}

impl Users {
    fn plus(self, more: Users) -> Users {
        Users {
            exposed: self.exposed.saturating_add(more.exposed),
            converted: self.converted.saturating_add(more.converted),
        }
    }

    /// The share of users who converted; none if there are no users.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.exposed > 0).then(|| self.converted as f64 / self.exposed as f64)
    }
}

impl Step {
    /// ln of the odds that a converted user is the treatment's, R·ρ to 1-ρ.
    fn log_odds(&self, log_ratio: f64) -> f64 {
        log_ratio + (self.share / (1.0 - self.share)).ln()
    }
}

/// ln(1+eˣ) without overflow.
fn ln_1p_exp(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Where between two places a condition that holds at the first ceases to.
fn boundary(mut holds: f64, mut fails: f64, condition: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = (holds + fails) / 2.0;
        if condition(middle) {
            holds = middle;
        } else {
            fails = middle;
        }
    }
    holds
}

impl fmt::Display for InvalidConversions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidConversions::Share(share) => {
                write!(f, "the treatment's share is {share}, not above 0 and below 1")
            }
            InvalidConversions::Converted => {
                write!(f, "more users of a variant converted than were exposed to it")
            }
            InvalidConversions::TooManyShares => {
                write!(f, "more than {MOST_SHARES} distinct shares in one comparison")
            }
            InvalidConversions::Users => write!(f, "more than {MOST_UNITS} users at once"),
        }
    }
}
impl std::error::Error for InvalidConversions {}
