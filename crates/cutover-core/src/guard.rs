//! The guard: a verdict on absolute bounds, from what the data plane counted.

use std::time::Duration;

use cutover_judge::limit;

use crate::record::Verdict;
use crate::sample::Sample;
use crate::spec::Guard;

/// So sure a bound must be broken: once in a hundred stages at most it looks so and is not, however
/// often it is looked at.
const SURE: f64 = 100.0;
/// The thousandths of answers that may be slower than the bound of p99.
const SLOWEST: u32 = 10;

/// The guard's verdict, and why in one line.
///
/// Too few requests are inconclusive, never a pass: no data proves nothing. So are counts above a
/// bound that chance alone may explain; see [`cutover_judge::limit`].
#[must_use]
pub fn judge(guard: &Guard, sample: &Sample) -> (Verdict, String) {
    let (requests, bad) = sample.proof();
    let needed = guard.min_requests.max(1);
    if requests < needed {
        let text = format!("{requests} of {needed} requests needed");
        return (Verdict::Inconclusive, text);
    }
    let share = percent(bad, requests);
    if let Some(verdict) = beyond(bad, requests, guard.errors.permille()) {
        let text = format!("errors {share} > {} ({bad} of {requests} requests)", guard.errors);
        return (verdict, text + unsure(verdict));
    }
    let p99 = sample.quantile(0.99).unwrap_or_default();
    if let Some(bound) = guard.p99.filter(|bound| p99 > bound.0) {
        let (slow, answered) = slower(sample, bound.0);
        let verdict = beyond(slow, answered, SLOWEST).unwrap_or(Verdict::Inconclusive);
        let text = format!("p99 {} ms > {} ({requests} requests)", p99.as_millis(), bound);
        return (verdict, text + unsure(verdict));
    }
    let text = format!(
        "errors {share} ≤ {}, p99 {} ms, {requests} requests",
        guard.errors,
        p99.as_millis()
    );
    (Verdict::Pass, text)
}

/// Are more than so many thousandths of them bad? `None` if not; inconclusive while chance may
/// explain it.
fn beyond(bad: u64, all: u64, permille: u32) -> Option<Verdict> {
    let evidence = limit::log_above(bad, all, f64::from(permille) / 1000.0);
    let above = u128::from(bad) * 1000 > u128::from(permille) * u128::from(all);
    let verdict = if evidence >= SURE.ln() { Verdict::Fail } else { Verdict::Inconclusive };
    above.then_some(verdict)
}

fn unsure(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Inconclusive => ", which chance may explain",
        Verdict::Pass | Verdict::Fail | Verdict::Error => "",
    }
}

/// Answers that took longer, and all of them.
fn slower(sample: &Sample, bound: Duration) -> (u64, u64) {
    let bound = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    let slow = sample.latency.iter().filter(|(upper, _)| *upper > bound);
    let count = |(_, count): &(u64, u64)| *count;
    (slow.map(count).sum(), sample.latency.iter().map(count).sum())
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
        let (verdict, why) = judge(&guard(), &sample(100, 10, 10));
        assert_eq!(
            (verdict, why.as_str()),
            (Verdict::Fail, "errors 10.00% > 1% (10 of 100 requests)")
        );
        assert_eq!(judge(&guard(), &sample(100, 0, 500_001)).0, Verdict::Fail);
    }

    #[test]
    fn what_chance_may_explain_is_not_held_against_a_release() {
        let (verdict, why) = judge(&guard(), &sample(100, 2, 10));
        assert_eq!(verdict, Verdict::Inconclusive);
        assert_eq!(why, "errors 2.00% > 1% (2 of 100 requests), which chance may explain");
        let mut slow = sample(100, 0, 10);
        slow.latency = vec![(10, 98), (600_000, 2)];
        assert_eq!(judge(&guard(), &slow).0, Verdict::Inconclusive);
        slow.latency = vec![(10, 980), (600_000, 30)];
        assert_eq!(judge(&guard(), &slow).0, Verdict::Fail);
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
        bad.counts.failed = 10;
        bad.counts.lost = 10;
        assert_eq!(judge(&guard(), &bad).0, Verdict::Fail);
    }
}
