//! The guard: a verdict on absolute bounds, from what the data plane counted.

use crate::record::Verdict;
use crate::sample::Sample;
use crate::spec::Guard;

/// The guard's verdict, and why in one line.
///
/// Too few requests are inconclusive, never a pass: no data proves nothing.
#[must_use]
pub fn judge(guard: &Guard, sample: &Sample) -> (Verdict, String) {
    let (requests, bad) = sample.proof();
    let needed = guard.min_requests.max(1);
    if requests < needed {
        let text = format!("{requests} of {needed} requests needed");
        return (Verdict::Inconclusive, text);
    }
    let bad_permille_of_limit = u128::from(bad) * 1000;
    let limit = u128::from(requests) * u128::from(guard.errors.permille());
    let share = percent(bad, requests);
    if bad_permille_of_limit > limit {
        let text = format!("errors {share} > {} ({bad} of {requests} requests)", guard.errors);
        return (Verdict::Fail, text);
    }
    let p99 = sample.quantile(0.99).unwrap_or_default();
    if let Some(bound) = guard.p99
        && p99 > bound.0
    {
        let text = format!("p99 {} ms > {} ({requests} requests)", p99.as_millis(), bound);
        return (Verdict::Fail, text);
    }
    let text = format!(
        "errors {share} ≤ {}, p99 {} ms, {requests} requests",
        guard.errors,
        p99.as_millis()
    );
    (Verdict::Pass, text)
}

/// A share as people read it.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0%".to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::Counters;
    use crate::units::{Share, Span};

    fn guard() -> Guard {
        Guard { errors: Share::from_permille(10), p99: Some(Span::millis(500)), min_requests: 100 }
    }
    fn sample(requests: u64, errors: u64, micros: u64) -> Sample {
        let counts = Counters { requests, errors, ..Counters::default() };
        Sample { counts, latency: vec![(micros, requests)] }
    }

    #[test]
    fn too_few_requests_prove_nothing_either_way() {
        assert_eq!(judge(&guard(), &sample(0, 0, 0)).0, Verdict::Inconclusive);
        assert_eq!(judge(&guard(), &sample(99, 99, 10)).0, Verdict::Inconclusive);
    }

    #[test]
    fn bounds_are_inclusive() {
        assert_eq!(judge(&guard(), &sample(100, 1, 500_000)).0, Verdict::Pass);
        let (verdict, why) = judge(&guard(), &sample(100, 2, 10));
        assert_eq!(
            (verdict, why.as_str()),
            (Verdict::Fail, "errors 2.00% > 1% (2 of 100 requests)")
        );
        assert_eq!(judge(&guard(), &sample(100, 0, 500_001)).0, Verdict::Fail);
    }

    #[test]
    fn users_who_left_prove_nothing() {
        let counts = Counters { requests: 500, ..Counters::default() };
        let hangs = Sample { counts, latency: vec![] };
        assert_eq!(judge(&guard(), &hangs).0, Verdict::Inconclusive);
    }

    #[test]
    fn requests_without_an_answer_count_as_errors() {
        let mut bad = sample(100, 0, 10);
        bad.counts.failed = 1;
        bad.counts.lost = 1;
        assert_eq!(judge(&guard(), &bad).0, Verdict::Fail);
    }
}
