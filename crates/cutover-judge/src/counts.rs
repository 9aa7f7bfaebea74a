//! What is fed to the judge: requests, and how many of them were bad.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests of one side in one span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Counts {
    /// Requests that were answered, or that failed.
    pub requests: u64,
    /// Those of them with a bad answer or none; never more than `requests`.
    pub bad: u64,
}

impl Counts {
    /// Counts in which no more requests are bad than there are.
    #[must_use]
    pub fn new(requests: u64, bad: u64) -> Counts {
        Counts { requests: requests.max(bad), bad }
    }
    /// The share of bad ones; 0 without any request.
    #[must_use]
    pub fn rate(self) -> f64 {
        if self.requests == 0 { 0.0 } else { float(self.bad) / float(self.requests) }
    }
    /// Adds others to these.
    pub fn add(&mut self, more: Counts) {
        self.requests += more.requests;
        self.bad += more.bad;
    }
}

/// One side in one tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arm<'a> {
    /// How many requests, and how many of them bad.
    pub counts: Counts,
    /// Latencies: (upper bound in microseconds, how many), ascending. Requests without an answer
    /// are not among them.
    pub latency: &'a [(u64, u64)],
}

/// What both sides did in the same span of time, of one second or several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick<'a> {
    /// How long it was, in seconds.
    pub seconds: u32,
    /// The candidate's share of requests, by which they were dealt (0 to 1, exclusive).
    pub share: f64,
    /// The new side.
    pub candidate: Arm<'a>,
    /// The old side.
    pub stable: Arm<'a>,
    /// The candidate is still cold: its latencies say nothing yet.
    pub cold: bool,
}

/// A count as a float.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of one rollout are far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
