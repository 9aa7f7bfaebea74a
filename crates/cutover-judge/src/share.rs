//! The share that requests were really dealt by, where no plan says it.

use serde::{Deserialize, Serialize};

use crate::counts::float;

/// How much of what was counted still counts after one second; half after 30.
const KEPT: f64 = 0.977;
/// Shares nearer to none or all than this say nothing.
const LEAST: f64 = 0.001;

/// The candidate's share of requests in the last half minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Realised {
    candidate: f64,
    stable: f64,
}

impl Realised {
    /// Takes in one tick; the share, or `None` while one side has nothing.
    pub fn take(&mut self, seconds: u32, candidate: u64, stable: u64) -> Option<f64> {
        let kept = KEPT.powi(i32::try_from(seconds).unwrap_or(i32::MAX));
        self.candidate = self.candidate * kept + float(candidate);
        self.stable = self.stable * kept + float(stable);
        let share = self.candidate / (self.candidate + self.stable);
        (share > LEAST && share < 1.0 - LEAST).then_some(share)
    }
}
