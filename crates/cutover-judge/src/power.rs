//! What can be detected, and how fast: the judge fed with what is expected on average.
//!
//! Half of all runs are a little faster, half a little slower. Exact for counts as large as they are
//! expected; for a handful of bad answers it is a guide.

use serde::{Deserialize, Serialize};

use crate::bets::{Odds, log_mean};
use crate::counts::Counts;
use crate::judge::Settings;
use crate::stakes::Restarts;
use crate::sums::Sums;

/// What goes to an app while a candidate is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests per second, both sides together.
    pub rate: f64,
    /// The candidate's share, 0 to 1, exclusive.
    pub share: f64,
    /// Stable's error rate.
    pub errors: f64,
}

impl Traffic {
    /// Seconds until a candidate whose error rate is `more` above stable's is turned back; `None` if
    /// it takes longer than `most` seconds. The error rate is one of `metrics` that are compared.
    #[must_use]
    pub fn turns_back(
        &self,
        settings: &Settings,
        more: f64,
        metrics: u32,
        most: f64,
    ) -> Option<f64> {
        let odds = Odds::new(self.share, settings.errors?);
        let (candidate, stable) = (self.rate * self.share, self.rate * (1.0 - self.share));
        let bad = candidate * (self.errors + more).min(1.0);
        let stable_bad = stable * self.errors;
        let a_second = odds.win(bad, stable_bad, self.rate - bad - stable_bad);
        let capital = Restarts::over(settings.horizon).first();
        let wanted = -settings.alpha.ln() + f64::from(metrics.max(1)).ln() - capital;
        first(most, |seconds| log_mean(&a_second.map(|won| won * seconds)) >= wanted)
    }

    /// Seconds until a candidate that is like stable is shown not to be worse; `None` if it takes
    /// longer than `most`.
    #[must_use]
    pub fn promotes(&self, settings: &Settings, most: f64) -> Option<f64> {
        let wanted = -settings.beta.ln();
        let long = first(most, |seconds| {
            let sums = self.sums(seconds);
            sums.not_worse_by(settings.not_worse_by).log_e >= wanted
        });
        let enough = f64::from(u32::try_from(settings.min_requests).unwrap_or(u32::MAX));
        Some(long?.max(enough / (self.rate * self.share)))
    }

    /// The smallest rise of the error rate that is turned back within so many seconds; `None` if
    /// none is.
    #[must_use]
    pub fn smallest(&self, settings: &Settings, metrics: u32, seconds: f64) -> Option<f64> {
        let found = |more| self.turns_back(settings, more, metrics, seconds).is_some();
        let (mut low, mut high) = (0.0, 1.0 - self.errors);
        if !found(high) {
            return None;
        }
        for _ in 0..20 {
            let middle = 0.5 * (low + high);
            if found(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }

    /// What is expected on average, as if parts of a request were requests.
    fn sums(&self, seconds: f64) -> Sums {
        let requests = self.rate * seconds;
        let side = |share: f64| {
            let all = requests * share;
            Counts::new(rounded(all), rounded(all * self.errors))
        };
        let mut sums = Sums::default();
        sums.add(self.share, side(self.share), side(1.0 - self.share), [1.0; 2]);
        sums
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of requests")]
fn rounded(count: f64) -> u64 {
    count.round() as u64
}

/// The first of ever more seconds at which something holds; `None` if it does not hold at `most`.
fn first(most: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if !holds(most) {
        return None;
    }
    let (mut low, mut high) = (0.0, most);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if holds(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(rate: f64) -> Traffic {
        Traffic { rate, share: 0.1, errors: 0.005 }
    }

    #[test]
    fn more_traffic_and_more_harm_are_found_sooner() {
        let settings = Settings::default();
        let after = |rate, more| traffic(rate).turns_back(&settings, more, 1, 3600.0);
        let two = after(100.0, 0.02).unwrap();
        assert!((30.0..100.0).contains(&two), "{two}");
        assert!(after(100.0, 0.1).unwrap() < two && after(1000.0, 0.02).unwrap() < two);
        assert_eq!(after(1.0, 0.001), None);
    }

    #[test]
    fn what_is_found_in_the_time_is_the_smallest() {
        let settings = Settings::default();
        let smallest = traffic(100.0).smallest(&settings, 1, 120.0).unwrap();
        assert!((0.005..0.02).contains(&smallest), "{smallest}");
        assert!(traffic(100.0).turns_back(&settings, smallest * 0.98, 1, 120.0).is_none());
        assert_eq!(traffic(0.01).smallest(&settings, 1, 60.0), None);
    }

    #[test]
    fn promotion_needs_enough_requests() {
        let settings = Settings { min_requests: 100_000, ..Settings::default() };
        assert!(traffic(100.0).promotes(&settings, 3600.0).unwrap() >= 9_999.0);
        let quick = traffic(100.0).promotes(&Settings::default(), 3600.0).unwrap();
        assert!((40.0..120.0).contains(&quick), "{quick}");
        assert_eq!(traffic(0.01).promotes(&Settings::default(), 3600.0), None);
    }
}
