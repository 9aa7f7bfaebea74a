//! Requests of both sides by stretches of time: values for Kayenta's judge.

use cutover_core::sample::{Latencies, add_latencies, quantile};
use cutover_core::spec::{Kayenta, SERIES};
use cutover_judge::kayenta::{self, Grounds, Outcome, Report, Series};
use cutover_judge::{Arm, Counts, Tick, Verdict};
use serde::{Deserialize, Serialize};

/// Requests of one side in a stretch of time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) seconds: u32,
    pub(crate) counts: Counts,
    pub(crate) latency: Latencies,
}

impl Block {
    pub(crate) fn add(&mut self, seconds: u32, arm: Arm<'_>) {
        self.seconds += seconds;
        self.counts.add(arm.counts);
        add_latencies(&mut self.latency, arm.latency);
    }
    pub(crate) fn arm(&self) -> Arm<'_> {
        Arm { counts: self.counts, latency: &self.latency }
    }
    /// In the order of [`SERIES`]; not a number where there is nothing.
    fn values(&self) -> [f64; SERIES.len()] {
        let at = |share| {
            let latency = quantile(&self.latency, share);
            latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
        };
        let errors = if self.counts.requests == 0 { f64::NAN } else { self.counts.rate() };
        [errors, at(0.5), at(0.99)]
    }
}

/// Stretches that are kept, the newest: a day of minutes.
const MOST: usize = 1440;

/// Values of each metric, by stretch of time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Buckets {
    candidate: Block,
    stable: Block,
    /// Of the candidate, of stable.
    values: Vec<(Values, Values)>,
}

/// One value of each metric. JSON has no NaN.
type Values = [Option<f64>; SERIES.len()];

impl Buckets {
    /// Takes in a tick; so many seconds are one stretch.
    pub(crate) fn take(&mut self, tick: &Tick<'_>, length: u64) {
        self.candidate.add(tick.seconds, tick.candidate);
        self.stable.add(tick.seconds, tick.stable);
        if u64::from(self.candidate.seconds) >= length {
            let known =
                |block: &Block| block.values().map(|value| Some(value).filter(|v| v.is_finite()));
            self.values.push((known(&self.candidate), known(&self.stable)));
            (self.candidate, self.stable) = Default::default();
            let over = self.values.len().saturating_sub(MOST);
            self.values.drain(..over);
        }
    }

    /// What Kayenta's judge says of all stretches so far.
    pub(crate) fn judge(&self, settings: &Kayenta) -> (Verdict, String) {
        let value = |values: &Values, metric: usize| {
            values.get(metric).copied().flatten().unwrap_or(f64::NAN)
        };
        let arms: Vec<(Vec<f64>, Vec<f64>)> = (0..SERIES.len())
            .map(|metric| {
                let both = self.values.iter();
                both.map(|(ours, theirs)| (value(ours, metric), value(theirs, metric))).unzip()
            })
            .collect();
        let series: Vec<Series<'_>> = SERIES
            .iter()
            .zip(&arms)
            .filter(|(name, _)| settings.metrics.contains_key(**name))
            .map(|(name, (experiment, control))| Series { name, experiment, control })
            .collect();
        words(&kayenta::judge(&settings.settings(), &series), self.values.len())
    }
}

/// A score in the judge's words: only a pass promotes, and want of data is no verdict.
fn words(report: &Report, buckets: usize) -> (Verdict, String) {
    let verdict = match (report.outcome, report.grounds) {
        (_, Grounds::WantOfData) => Verdict::NoData,
        (_, Grounds::Settings) => Verdict::Invalid,
        (Outcome::Pass, Grounds::Score | Grounds::CriticalMetric) => Verdict::Promote,
        (Outcome::Marginal, Grounds::Score | Grounds::CriticalMetric) => Verdict::Continue,
        (Outcome::Fail, Grounds::Score | Grounds::CriticalMetric) => Verdict::Rollback,
    };
    (verdict, format!("kayenta: score {}, {}; {buckets} values", report.score, report.reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(buckets: u64, bad: u64) -> (Verdict, String) {
        let settings = Kayenta::default();
        let mut all = Buckets::default();
        for minute in 0..buckets {
            let latency = [(20_000 + minute % 7 * 100, 1000)];
            let side = |bad| Arm { counts: Counts::new(1000, bad), latency: &latency };
            let (candidate, stable) = (side(bad + minute % 3), side(5 + minute * 5 % 3));
            all.take(&Tick { seconds: 60, share: 0.5, candidate, stable, cold: false }, 60);
        }
        let text = serde_json::to_string(&all).unwrap();
        let again: Buckets = serde_json::from_str(&text).unwrap();
        again.judge(&settings)
    }

    #[test]
    fn few_values_are_no_data_and_then_harm_is_found() {
        assert_eq!(after(4, 5).0, Verdict::NoData);
        assert_eq!(after(12, 5).0, Verdict::Promote, "{:?}", after(12, 5));
        let (verdict, reason) = after(12, 50);
        assert_eq!(verdict, Verdict::Rollback, "{reason}");
        assert!(reason.contains("12 values"), "{reason}");
    }

    #[test]
    fn a_stretch_without_requests_has_no_values() {
        let mut all = Buckets::default();
        let nothing = Tick {
            seconds: 60,
            share: 0.5,
            candidate: Arm::default(),
            stable: Arm::default(),
            cold: false,
        };
        for _ in 0..9 {
            all.take(&nothing, 60);
        }
        assert_eq!(all.judge(&Kayenta::default()).0, Verdict::NoData);
    }
}
