//! What the judge says of a run, its groups and its metrics.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::settings::InvalidSettings;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The score against the thresholds.
    pub outcome: Outcome,
    /// The weighted share of metrics that pass, 0 to 100, to two decimals.
    pub score: f64,
    /// What the outcome rests on.
    pub grounds: Grounds,
    /// The outcome in words.
    pub reason: String,
    /// The groups by name.
    pub groups: Vec<GroupScore>,
    /// The metrics by name.
    pub metrics: Vec<MetricReport>,
}

/// A score against the thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// At least the pass threshold.
    Pass,
    /// Below it, but at least the marginal threshold.
    Marginal,
    /// Below both.
    Fail,
}

/// What an outcome rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grounds {
    /// Metrics that were compared.
    Score,
    /// A critical metric that is high or low: the score is 0.
    CriticalMetric,
    /// Nothing speaks against the experiment but that data is missing. The score is 0 if a critical
    /// metric lacks it, if half the metrics do, or if nothing could be compared.
    WantOfData,
    /// Settings that contradict themselves: nothing was compared.
    Settings,
}

/// The score of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GroupScore {
    /// Its name.
    pub name: String,
    /// The share of its metrics that pass, 0 to 100; none if none of them counts, in which case the
    /// group does not lower the run's score.
    pub score: Option<f64>,
    /// What it weighs in the run's score, in percent.
    pub weight: f64,
    /// Its metrics.
    pub tally: Tally,
}

/// How many metrics got which label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tally {
    /// [`Classification::Pass`].
    pub pass: usize,
    /// [`Classification::High`].
    pub high: usize,
    /// [`Classification::Low`].
    pub low: usize,
    /// [`Classification::Nodata`].
    pub nodata: usize,
    /// [`Classification::NodataFail`].
    pub nodata_fail: usize,
    /// [`Classification::Error`].
    pub error: usize,
}

/// What a metric is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Classification {
    /// No change that counts.
    Pass,
    /// Higher than the control.
    High,
    /// Lower than the control.
    Low,
    /// Too few values; does not count in its groups.
    Nodata,
    /// Too few values of a metric that must have data: counts as failed in its groups.
    NodataFail,
    /// The values cannot be compared; does not count in its groups.
    Error,
}

/// What became of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetricReport {
    /// Its name.
    pub name: String,
    /// Its label.
    pub classification: Classification,
    /// Why, in words.
    pub reason: String,
    /// Does it fail the run by itself?
    pub critical_failure: bool,
    /// Does it count in the score? Muted metrics and those without settings do not.
    pub scored: bool,
    /// The groups it counts in.
    pub groups: BTreeSet<String>,
    /// The experiment's values that were compared.
    pub experiment: Summary,
    /// The control's.
    pub control: Summary,
    /// How they differ, if they were compared.
    pub comparison: Option<Comparison>,
}

/// The values of an arm after missing ones and outliers were dealt with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// Their mean.
    pub mean: Option<f64>,
    /// The least.
    pub min: Option<f64>,
    /// The greatest.
    pub max: Option<f64>,
}

/// How an experiment differs from its control, in the unit of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// The estimated shift: the median of the differences between the arms (Hodges and Lehmann).
    pub shift: f64,
    /// The lower end of its 98 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The effect by the measure in the settings; unknown if a mean is 0.
    pub effect: Option<f64>,
}

impl Report {
    pub(super) fn of_wrong_settings(wrong: &InvalidSettings) -> Report {
        Report {
            outcome: Outcome::Fail,
            score: 0.0,
            grounds: Grounds::Settings,
            reason: format!("nothing was compared, for the settings are wrong: {wrong}"),
            groups: Vec::new(),
            metrics: Vec::new(),
        }
    }
}

impl Tally {
    /// Counts labels.
    pub(super) fn of(labels: impl Iterator<Item = Classification>) -> Tally {
        let mut tally = Tally::default();
        for label in labels {
            let count = match label {
                Classification::Pass => &mut tally.pass,
                Classification::High => &mut tally.high,
                Classification::Low => &mut tally.low,
                Classification::Nodata => &mut tally.nodata,
                Classification::NodataFail => &mut tally.nodata_fail,
                Classification::Error => &mut tally.error,
            };
            *count += 1;
        }
        tally
    }
    /// How many count in a score.
    pub(super) fn counted(&self) -> usize {
        self.pass + self.high + self.low + self.nodata_fail
    }
    /// All.
    pub(super) fn total(&self) -> usize {
        self.counted() + self.nodata + self.error
    }
}

/// A number to four digits, for people.
pub(super) struct Short(pub(super) f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Short(number) = *self;
        if number == 0.0 {
            return write!(f, "0");
        }
        let digits = number.abs().log10().floor();
        if !(-5.0..15.0).contains(&digits) {
            return write!(f, "{number:.3e}");
        }
        let decimals = (3.0 - digits).max(0.0) as usize;
        write!(f, "{number:.decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::Short;

    #[test]
    fn numbers_have_four_digits() {
        let shown = |number| Short(number).to_string();
        assert_eq!(shown(0.0), "0");
        assert_eq!(shown(-1.234_56), "-1.235");
        assert_eq!(shown(123_456.7), "123457");
        assert_eq!(shown(0.000_123_456), "0.0001235");
        assert_eq!(shown(1e-9), "1.000e-9");
        assert_eq!(shown(f64::INFINITY), "inf");
    }
}
