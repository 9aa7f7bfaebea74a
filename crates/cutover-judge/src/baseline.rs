//! Stable's latencies of the last minutes, and the thresholds that are taken from them.

use serde::{Deserialize, Serialize};

use crate::counts::float;

/// Quantiles that are watched.
pub(crate) const QUANTILES: [f64; 5] = [0.5, 0.75, 0.9, 0.95, 0.99];

/// Latencies below this, in microseconds, are alike.
const LEAST: f64 = 50.0;
/// How much wider each bucket is than the one before.
const GROWTH: f64 = 1.06;
/// Buckets: up to two minutes.
const BUCKETS: usize = 252;
/// After so many seconds an answer counts half.
const HALF_LIFE: f64 = 200.0;
/// How often thresholds are taken anew, in seconds.
const REFRESH: u32 = 5;
/// Fewer answers than this give no thresholds.
const ENOUGH: f32 = 100.0;

/// A histogram that forgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    buckets: Vec<f32>,
    seconds: u32,
    thresholds: Option<[f64; QUANTILES.len()]>,
}

impl Baseline {
    pub(crate) fn new() -> Baseline {
        Baseline { buckets: vec![0.0; BUCKETS], seconds: 0, thresholds: None }
    }

    /// Thresholds in microseconds, by quantile: of what was before the tick that is compared with
    /// them. Only that makes a bet fair; that they are exact does not matter.
    pub(crate) fn thresholds(&self) -> Option<&[f64; QUANTILES.len()]> {
        self.thresholds.as_ref()
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        self.buckets.capacity() * size_of::<f32>()
    }

    /// Is there anything?
    pub(crate) fn has_any(&self) -> bool {
        self.buckets.iter().any(|bucket| *bucket > 0.0)
    }

    pub(crate) fn add(&mut self, seconds: u32, latency: &[(u64, u64)]) {
        for (upper, count) in latency {
            if let Some(bucket) = self.buckets.get_mut(place(*upper)) {
                #[expect(clippy::cast_possible_truncation, reason = "counts of one tick are small")]
                let count = float(*count) as f32;
                *bucket += count;
            }
        }
        self.seconds += seconds;
        if self.seconds >= REFRESH || self.thresholds.is_none() {
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let all: f32 = self.buckets.iter().sum();
        if all >= ENOUGH {
            self.thresholds = Some(QUANTILES.map(|share| self.quantile(share, f64::from(all))));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a factor between 0 and 1")]
        let kept = 0.5_f64.powf(f64::from(self.seconds) / HALF_LIFE) as f32;
        for bucket in &mut self.buckets {
            *bucket *= kept;
        }
        self.seconds = 0;
    }

    fn quantile(&self, share: f64, all: f64) -> f64 {
        let mut below = 0.0;
        let found = self.buckets.iter().position(|bucket| {
            below += f64::from(*bucket);
            below >= share * all
        });
        upper(found.unwrap_or(BUCKETS))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cut to the buckets there are"
)]
fn place(micros: u64) -> usize {
    let place = (float(micros).max(LEAST) / LEAST).ln() / GROWTH.ln();
    (place.ceil().max(0.0) as usize).min(BUCKETS - 1)
}

fn upper(place: usize) -> f64 {
    // A little more, so that what fell into the bucket is not above its upper end by rounding.
    LEAST * GROWTH.powf(float(place as u64)) * 1.000_001
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_quantiles_within_a_bucket() {
        let mut baseline = Baseline::new();
        let latency: Vec<(u64, u64)> = (1..=1000).map(|n| (n * 1000, 1)).collect();
        assert_eq!(baseline.thresholds(), None);
        baseline.add(1, &latency);
        for (share, threshold) in QUANTILES.iter().zip(baseline.thresholds().unwrap()) {
            let exact = share * 1e6;
            assert!(
                *threshold >= exact * 0.99 && *threshold <= exact * 1.07,
                "{share} {threshold}"
            );
        }
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let mut baseline = Baseline::new();
        for _ in 0..600 {
            baseline.add(1, &[(10_000, 100)]);
        }
        for _ in 0..600 {
            baseline.add(1, &[(50_000, 100)]);
        }
        assert!(baseline.thresholds().unwrap()[0] > 49_000.0);
    }
}
