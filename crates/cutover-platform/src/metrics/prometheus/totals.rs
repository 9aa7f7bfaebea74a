//! What counters have grown by, and what that says of both sides.

use std::collections::BTreeMap;

use cutover_core::dataplane::Counters;
use cutover_core::id::ReleaseId;
use cutover_core::metric::{Counts, UNBOUNDED};
use cutover_core::sample::{Latencies, Sample, add_latencies};
use cutover_core::units::Span;

use super::question::Counted;
use super::series::{Bucket, Series};

/// What all counters of both sides have grown by.
#[derive(Debug, Default)]
pub(super) struct Totals {
    releases: BTreeMap<ReleaseId, Total>,
}

/// What the counters of one release have grown by.
#[derive(Debug, Default)]
struct Total {
    /// Are requests counted, and not latencies alone?
    requests: bool,
    /// (requests, errors) by instance.
    instances: BTreeMap<String, (f64, f64)>,
    /// By histogram: what its buckets have grown by, cumulative, by the bits of their bounds. The
    /// bits of numbers that are not negative are in the order of the numbers.
    histograms: BTreeMap<String, BTreeMap<u64, f64>>,
}

impl Totals {
    /// Counts what one series has grown by.
    pub(super) fn add(&mut self, series: &Series, grown: f64) {
        let total = self.releases.entry(series.release).or_default();
        match (series.counted, &series.bucket) {
            (Counted::Requests, _) => {
                total.instance(&series.instance).0 += grown;
                total.requests = true;
            }
            (Counted::Errors, _) => total.instance(&series.instance).1 += grown,
            (Counted::Latency, Some(Bucket { histogram, bound })) => {
                let buckets = total.histograms.entry(histogram.clone()).or_default();
                *buckets.entry(bound.abs().to_bits()).or_default() += grown;
            }
            (Counted::Latency, None) => {}
        }
    }

    /// What happened on both sides, and what is odd about it.
    pub(super) fn counts(
        &self,
        candidate: ReleaseId,
        stable: ReleaseId,
        span: Span,
    ) -> (Counts, Vec<String>) {
        let none = Total::default();
        let of = |release| self.releases.get(&release).unwrap_or(&none);
        let mut warnings = Vec::new();
        let told_apart = of(stable).instances.iter().filter(|(name, _)| !name.is_empty());
        let counts = Counts {
            candidate: of(candidate).sample("candidate", &mut warnings),
            stable: of(stable).sample("stable", &mut warnings),
            per_instance_stable: told_apart.map(|(_, counts)| whole(*counts)).collect(),
            span,
        };
        (counts, warnings)
    }
}

impl Total {
    fn instance(&mut self, name: &str) -> &mut (f64, f64) {
        self.instances.entry(name.to_owned()).or_default()
    }

    fn sample(&self, side: &str, warnings: &mut Vec<String>) -> Sample {
        let add = |sum: (f64, f64), one: &(f64, f64)| (sum.0 + one.0, sum.1 + one.1);
        let sum = self.instances.values().fold((0.0, 0.0), add);
        let mut latency = Latencies::new();
        for buckets in self.histograms.values() {
            add_latencies(&mut latency, &single(buckets));
        }
        let (mut requests, errors) = whole(sum);
        if !self.requests {
            requests = latency.iter().map(|(_, count)| count).sum();
        }
        if sum.1 > sum.0 {
            warnings.push(format!(
                "{side}: more errors than requests ({} and {}), so some do not count",
                sum.1, sum.0
            ));
        }
        Sample { counts: Counters { requests, errors, ..Counters::default() }, latency }
    }
}

/// Whole numbers; never more errors than requests.
fn whole((requests, errors): (f64, f64)) -> (u64, u64) {
    (count(requests), count(errors.min(requests)))
}

fn count(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of what is not within u64 gives its nearest bound"
    )]
    let count = number.round() as u64;
    count
}

/// From cumulative buckets to single ones: (upper bound in µs, how many).
fn single(buckets: &BTreeMap<u64, f64>) -> Latencies {
    let (mut single, mut below) = (Latencies::new(), 0.0_f64);
    for (bound, cumulative) in buckets {
        // Buckets of one scrape fit; after a restart in its middle they may not.
        let inside = (cumulative - below).max(0.0);
        below = below.max(*cumulative);
        if inside > 0.0 {
            add_latencies(&mut single, &[(micros(f64::from_bits(*bound)), count(inside))]);
        }
    }
    single
}

fn micros(seconds: f64) -> u64 {
    if seconds.is_finite() { count(seconds * 1e6) } else { UNBOUNDED }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(all: &[(f64, f64)]) -> BTreeMap<u64, f64> {
        all.iter().map(|(bound, count)| (bound.to_bits(), *count)).collect()
    }

    #[test]
    fn cumulative_buckets_become_single_ones_in_microseconds() {
        let all = [(0.005, 2.0), (0.1, 2.0), (1.0, 7.0), (f64::INFINITY, 8.0)];
        assert_eq!(single(&buckets(&all)), [(5000, 2), (1_000_000, 5), (UNBOUNDED, 1)]);
        // Without `+Inf`, and with buckets that do not fit together.
        assert_eq!(
            single(&buckets(&[(0.5, 3.0), (1.0, 2.0), (2.0, 4.0)])),
            [(500_000, 3), (2_000_000, 1)]
        );
        assert_eq!(single(&buckets(&[(1e-7, 1.0), (2e-7, 3.0)])), [(0, 3)]);
        assert_eq!(single(&buckets(&[])), []);
    }

    #[test]
    fn there_are_never_more_errors_than_requests() {
        let mut totals = Totals::default();
        let series = |counted| Series {
            release: ReleaseId(2),
            counted,
            instance: "a".to_owned(),
            key: String::new(),
            bucket: None,
        };
        totals.add(&series(Counted::Requests), 3.0);
        totals.add(&series(Counted::Errors), 5.0);
        let (counts, warnings) = totals.counts(ReleaseId(2), ReleaseId(1), Span::secs(1));
        assert_eq!((counts.candidate.counts.requests, counts.candidate.counts.errors), (3, 3));
        assert_eq!((counts.stable, counts.per_instance_stable), (Sample::default(), vec![]));
        assert!(warnings[0].starts_with("candidate: more errors than requests (5 and 3)"));
    }
}
