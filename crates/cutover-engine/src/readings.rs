//! Metrics of one's own, as far as they were read for one rollout; stored with the tally.

use std::collections::BTreeMap;

use cutover_core::id::MetricName;
use cutover_core::metric::{Counts, Found, InARow, Reading};
use cutover_core::record::Verdict;
use cutover_core::spec::Metric;
use cutover_core::units::At;
use serde::{Deserialize, Serialize};

use crate::ports::{Memory, MetricError};

/// What was read of each metric.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Readings(BTreeMap<MetricName, Reader>);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Reader {
    memory: Memory,
    row: InARow,
    last: Option<Last>,
    /// What its source had to say at the last look.
    #[serde(skip)]
    warnings: Vec<String>,
    /// When it is looked at next.
    #[serde(skip)]
    due: At,
    #[serde(skip)]
    under_way: bool,
}

/// How the last look ended.
#[derive(Debug, Serialize, Deserialize)]
enum Last {
    /// Counts, or a value within its bounds.
    Fine,
    /// No data, and why.
    Nothing(String),
    /// A value out of its bounds, in one line.
    Bad(String),
    /// It could not be looked at, and why.
    Error(String),
}

impl Readings {
    /// Metrics to look at now, each with what its source remembers. Each is under way until
    /// [`Readings::take`].
    pub(crate) fn due<'a>(&mut self, metrics: &'a [Metric], now: At) -> Vec<(&'a Metric, Memory)> {
        let mut due = vec![];
        for metric in metrics {
            let reader = self.0.entry(metric.name.clone()).or_default();
            if !reader.under_way && reader.due <= now {
                reader.under_way = true;
                reader.due = now + metric.interval.0;
                due.push((metric, reader.memory.clone()));
            }
        }
        due
    }

    /// Takes in the end of a look; counts that are to be compared.
    pub(crate) fn take(
        &mut self,
        metric: &Metric,
        memory: Memory,
        read: Result<Reading, MetricError>,
    ) -> Option<Counts> {
        let reader = self.0.entry(metric.name.clone()).or_default();
        reader.under_way = false;
        reader.memory = memory;
        let (last, counts) = match read.map(|reading| reading.found) {
            Ok(Found::Nothing(why)) => (Last::Nothing(why), None),
            Ok(Found::Counts(counts)) => (Last::Fine, Some(counts)),
            Ok(Found::Value(value)) => match reader.row.count(metric, value) {
                Some(why) => (Last::Bad(why), None),
                None => (Last::Fine, None),
            },
            Err(error) => {
                let help =
                    error.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
                (Last::Error(format!("{error}{help}")), None)
            }
        };
        reader.last = Some(last);
        counts
    }

    /// What a source has to say and did not say at the look before.
    pub(crate) fn news(&mut self, metric: &Metric, warnings: &[String]) -> Vec<String> {
        let reader = self.0.entry(metric.name.clone()).or_default();
        let new = warnings.iter().filter(|text| !reader.warnings.contains(text)).cloned().collect();
        reader.warnings = warnings.to_vec();
        new
    }

    /// The worst of what they show; `None` where all are fine.
    pub(crate) fn verdict(&self, metrics: &[Metric]) -> Option<(Verdict, String)> {
        let judged = metrics.iter().filter_map(|metric| {
            let last = self.0.get(&metric.name).and_then(|reader| reader.last.as_ref());
            match last {
                Some(Last::Bad(why)) => Some((Verdict::Fail, why.clone())),
                Some(Last::Fine) => None,
                _ if !metric.required => None,
                Some(Last::Error(why)) => Some((Verdict::Error, why.clone())),
                Some(Last::Nothing(why)) => {
                    let name = &metric.name;
                    Some((Verdict::Inconclusive, format!("metric {name} has no data: {why}")))
                }
                None => {
                    let name = &metric.name;
                    Some((Verdict::Inconclusive, format!("metric {name} was not read yet")))
                }
            }
        });
        judged.max_by_key(|(verdict, _)| severity(*verdict))
    }
}

/// Which of several verdicts counts.
pub(crate) fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Inconclusive => 1,
        Verdict::Error => 2,
        Verdict::Fail => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(more: &str) -> Metric {
        let text = format!("{{\"name\":\"queue\",\"command\":[\"x\"],\"max\":2{more}}}");
        serde_json::from_str(&text).unwrap()
    }
    fn error() -> MetricError {
        let metric = "queue".parse().unwrap();
        MetricError { metric, from: "x".into(), reason: "it is down".into(), help: None }
    }
    fn value(value: f64) -> Result<Reading, MetricError> {
        Ok(Reading::of(Found::Value(value)))
    }

    #[test]
    fn a_metric_is_read_once_at_a_time_and_not_before_its_time() {
        let metrics = [metric("")];
        let mut readings = Readings::default();
        assert_eq!(readings.due(&metrics, At(0)).len(), 1);
        assert_eq!(readings.due(&metrics, At(60_000)).len(), 0, "still under way");
        readings.take(&metrics[0], Memory::default(), value(1.0));
        assert_eq!(readings.due(&metrics, At(14_999)).len(), 0);
        assert_eq!(readings.due(&metrics, At(15_000)).len(), 1);
    }

    #[test]
    fn nothing_and_errors_are_no_pass_and_only_bounds_fail() {
        let metrics = [metric("")];
        let mut readings = Readings::default();
        let mut after = |read| {
            readings.take(&metrics[0], Memory::default(), read);
            readings.verdict(&metrics).map(|(verdict, _)| verdict)
        };
        assert_eq!(
            after(Ok(Reading::of(Found::Nothing("none".into())))),
            Some(Verdict::Inconclusive)
        );
        assert_eq!(after(Err(error())), Some(Verdict::Error));
        assert_eq!(after(value(1.0)), None);
        assert_eq!([after(value(3.0)), after(value(3.0))], [None, None]);
        assert_eq!(after(value(3.0)), Some(Verdict::Fail));
        assert_eq!(after(Err(error())), Some(Verdict::Error), "an outage does not turn back");
        assert_eq!(Readings::default().verdict(&metrics).unwrap().0, Verdict::Inconclusive);
        assert_eq!(Readings::default().verdict(&[metric(",\"required\":false")]), None);
    }
}
