//! Samples: what requests of one kind were like, in counts and latencies.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataplane::Counters;

/// What requests of one kind were like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sample {
    /// Counts.
    pub counts: Counters,
    /// Latencies: (upper bound in microseconds, how many), ascending.
    pub latency: Latencies,
}

/// Latencies: (upper bound in microseconds, how many), ascending.
pub type Latencies = Vec<(u64, u64)>;

impl Sample {
    /// Adds another sample to this one.
    pub fn add(&mut self, other: &Sample) {
        self.counts.add(&other.counts);
        add_latencies(&mut self.latency, &other.latency);
    }
    /// Requests that got no good answer: 5xx, none at all, or lost with their instance.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.counts.bad()
    }
    /// Requests that prove something, and those of them that got no good answer. Those whose user
    /// left prove nothing.
    #[must_use]
    pub fn proof(&self) -> (u64, u64) {
        let answered: u64 = self.latency.iter().map(|(_, count)| count).sum();
        (answered + self.counts.failed + self.counts.lost, self.bad())
    }
    /// The latency that `share` (0 to 1) of the requests stay under; `None` without any.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        quantile(&self.latency, share)
    }
}

/// Adds latencies to others, bucket by bucket.
pub fn add_latencies(sum: &mut Latencies, more: &[(u64, u64)]) {
    for (upper, count) in more {
        match sum.binary_search_by_key(upper, |(upper, _)| *upper) {
            Ok(place) => {
                if let Some((_, known)) = sum.get_mut(place) {
                    *known += count;
                }
            }
            Err(place) => sum.insert(place, (*upper, *count)),
        }
    }
}

/// The upper bound that `share` (0 to 1) of ascending latencies stay under; `None` without any.
#[must_use]
pub fn quantile(latency: &[(u64, u64)], share: f64) -> Option<Duration> {
    let total: u64 = latency.iter().map(|(_, n)| n).sum();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of one stage are far below 2^52"
    )]
    let rank = ((total as f64) * share).ceil() as u64;
    let mut seen = 0;
    latency.iter().find_map(|(upper, n)| {
        seen += n;
        (seen >= rank.max(1)).then(|| Duration::from_micros(*upper))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_the_bucket_that_holds_its_rank() {
        let sample = Sample { latency: vec![(1000, 98), (9000, 2)], ..Sample::default() };
        assert_eq!(sample.quantile(0.98), Some(Duration::from_micros(1000)));
        assert_eq!(sample.quantile(0.99), Some(Duration::from_micros(9000)));
        assert_eq!(Sample::default().quantile(0.99), None);
    }

    #[test]
    fn samples_add_up_in_order() {
        let mut sum = vec![(10, 1), (30, 1)];
        add_latencies(&mut sum, &[(30, 2), (20, 5), (40, 1)]);
        assert_eq!(sum, [(10, 1), (20, 5), (30, 3), (40, 1)]);
    }
}
