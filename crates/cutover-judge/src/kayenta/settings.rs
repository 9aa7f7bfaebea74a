//! What is compared, how strictly, and what the groups weigh.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The group of the metrics that name none.
pub const UNGROUPED: &str = "ungrouped";

/// A configuration of the judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// The metrics by name.
    pub metrics: BTreeMap<String, Metric>,
    /// What groups weigh, adding up to 100; those not named share what is left equally.
    pub group_weights: BTreeMap<String, Percent>,
    /// The least score that passes.
    pub pass: Percent,
    /// The least score that does not fail.
    pub marginal: Percent,
}

/// How one metric is compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "KayentaMetric", rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Metric {
    /// The groups whose scores it counts in; [`UNGROUPED`] if there are none.
    pub groups: BTreeSet<String>,
    /// Which changes are bad.
    pub direction: Direction,
    /// What a bucket without a value means.
    pub nan_strategy: NanStrategy,
    /// What happens to values far from the others of their arm.
    pub outliers: Outliers,
    /// If it fails or cannot be compared, the run scores 0.
    pub critical: bool,
    /// Without data it counts as failed in its groups (a critical metric fails the run anyway).
    pub must_have_data: bool,
    /// It is compared and reported, but scores nothing.
    pub muted: bool,
    /// How large a change must be.
    pub effect_size: EffectSize,
}

/// Which changes of a metric are bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Only higher values.
    Increase,
    /// Only lower values.
    Decrease,
    /// Both.
    #[default]
    Either,
}

/// What a bucket without a value means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NanStrategy {
    /// Nothing is known of it.
    #[default]
    Remove,
    /// Zero, as for counts of errors that exist only once there are some.
    Replace,
}

/// What happens to values far from the others of their arm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Outliers {
    /// Are they dropped?
    pub strategy: OutlierStrategy,
    /// How many interquartile ranges beyond the quartiles is far. Values between the 1st and the
    /// 99th percentile are never far.
    pub factor: f64,
}

/// Whether outliers are dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutlierStrategy {
    /// They count like all values.
    #[default]
    Keep,
    /// They are dropped, in each arm by itself.
    Remove,
}

/// How large a change must be, beyond being significant.
///
/// The thresholds default to "no change" of their measure: 1 for the ratio of means, 0.5 for CLES.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct EffectSize {
    /// What is compared with the thresholds.
    pub measure: Measure,
    /// The least effect that is high: 1.1 is ten percent more.
    pub allowed_increase: Option<f64>,
    /// The greatest effect that is low: 0.9 is ten percent less.
    pub allowed_decrease: Option<f64>,
    /// The least effect by which a critical metric that is high fails the run.
    pub critical_increase: Option<f64>,
    /// The greatest effect by which a critical metric that is low fails the run.
    pub critical_decrease: Option<f64>,
}

/// A measure of the size of a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The experiment's mean by the control's; unknown where either is 0, and misleading for
    /// negative values: of these the lower has the greater ratio.
    #[default]
    MeanRatio,
    /// The common language effect size: how probably a value of the experiment is greater than one
    /// of the control, ties counting half (Vargha and Delaney 2000).
    Cles,
}

/// A number from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64")]
pub struct Percent(f64);

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub enum InvalidSettings {
    /// A number that had to be a percentage.
    Percent(f64),
    /// There is no metric, or all are muted.
    NoMetrics,
    /// The marginal threshold is above the pass threshold.
    Thresholds {
        /// The marginal one.
        marginal: Percent,
        /// The pass one.
        pass: Percent,
    },
    /// A weight is given to a group that no metric that counts is in.
    UnknownGroup(String),
    /// All groups have weights, or the weights exceed 100, and this is what they add up to.
    Weights(f64),
    /// This metric's outlier factor is not a number above 0.
    OutlierFactor(String),
    /// This metric has a threshold of its effect size that is not a number.
    EffectSize(String),
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            metrics: BTreeMap::new(),
            group_weights: BTreeMap::new(),
            pass: Percent(95.0),
            marginal: Percent(75.0),
        }
    }
}

impl Default for Outliers {
    fn default() -> Outliers {
        Outliers { strategy: OutlierStrategy::Keep, factor: 3.0 }
    }
}

impl Settings {
    /// Are these settings free of contradictions?
    ///
    /// # Errors
    /// The first thing that is wrong. [`judge`](super::judge) asks this itself.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        if self.scored().next().is_none() {
            return Err(InvalidSettings::NoMetrics);
        }
        if self.marginal > self.pass {
            return Err(InvalidSettings::Thresholds { marginal: self.marginal, pass: self.pass });
        }
        for (name, metric) in &self.metrics {
            metric.check(name)?;
        }
        self.check_weights()
    }

    fn scored(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.values().filter(|metric| !metric.muted)
    }

    fn check_weights(&self) -> Result<(), InvalidSettings> {
        let groups: BTreeSet<&str> = self.scored().flat_map(Metric::group_names).collect();
        for group in self.group_weights.keys() {
            if !groups.contains(group.as_str()) {
                return Err(InvalidSettings::UnknownGroup(group.clone()));
            }
        }
        let sum: f64 = self.group_weights.values().map(|weight| weight.0).sum();
        let all_have_one = self.group_weights.len() == groups.len();
        if sum > 100.0 + 1e-6 || (all_have_one && sum < 100.0 - 1e-6) {
            return Err(InvalidSettings::Weights(sum));
        }
        Ok(())
    }
}

impl Metric {
    /// A metric of which only more is bad.
    #[must_use]
    pub fn harm_is_more() -> Metric {
        Metric { direction: Direction::Increase, ..Metric::default() }
    }

    /// The groups whose scores it counts in: at least one.
    pub(super) fn group_names(&self) -> impl Iterator<Item = &str> {
        let own = self.groups.is_empty().then_some(UNGROUPED);
        self.groups.iter().map(String::as_str).chain(own)
    }

    fn check(&self, name: &str) -> Result<(), InvalidSettings> {
        let factor = self.outliers.factor;
        if !factor.is_finite() || factor <= 0.0 {
            return Err(InvalidSettings::OutlierFactor(name.to_owned()));
        }
        let size = &self.effect_size;
        let thresholds = [
            size.allowed_increase,
            size.allowed_decrease,
            size.critical_increase,
            size.critical_decrease,
        ];
        if thresholds.into_iter().flatten().any(|threshold| !threshold.is_finite()) {
            return Err(InvalidSettings::EffectSize(name.to_owned()));
        }
        Ok(())
    }
}

impl EffectSize {
    /// Is an effect, if it is known, at least what counts as high?
    pub(super) fn is_high(&self, effect: Option<f64>) -> bool {
        effect.is_none_or(|effect| effect >= self.or_no_change(self.allowed_increase))
    }
    /// Is an effect, if it is known, at most what counts as low?
    pub(super) fn is_low(&self, effect: Option<f64>) -> bool {
        effect.is_none_or(|effect| effect <= self.or_no_change(self.allowed_decrease))
    }
    /// Is an increase so large that a critical metric fails the run?
    pub(super) fn is_critically_high(&self, effect: Option<f64>) -> bool {
        effect.is_none_or(|effect| effect >= self.or_no_change(self.critical_increase))
    }
    /// Is a decrease so large that a critical metric fails the run?
    pub(super) fn is_critically_low(&self, effect: Option<f64>) -> bool {
        effect.is_none_or(|effect| effect <= self.or_no_change(self.critical_decrease))
    }

    fn or_no_change(&self, threshold: Option<f64>) -> f64 {
        threshold.unwrap_or(match self.measure {
            Measure::MeanRatio => 1.0,
            Measure::Cles => 0.5,
        })
    }
}

impl Percent {
    /// The number, 0 to 100.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}
impl TryFrom<f64> for Percent {
    type Error = InvalidSettings;
    fn try_from(number: f64) -> Result<Percent, InvalidSettings> {
        if (0.0..=100.0).contains(&number) {
            Ok(Percent(number))
        } else {
            Err(InvalidSettings::Percent(number))
        }
    }
}
impl From<Percent> for f64 {
    fn from(percent: Percent) -> f64 {
        percent.0
    }
}
impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidSettings::Percent(number) => {
                write!(f, "{number} is not a number from 0 to 100")
            }
            InvalidSettings::NoMetrics => write!(f, "there is no metric that counts"),
            InvalidSettings::Thresholds { marginal, pass } => {
                write!(f, "marginal ({marginal}) is above pass ({pass})")
            }
            InvalidSettings::UnknownGroup(group) => {
                write!(f, "group-weights names `{group}`, a group that no metric counts in")
            }
            InvalidSettings::Weights(sum) => {
                write!(f, "the group weights add up to {sum} instead of 100")
            }
            InvalidSettings::OutlierFactor(metric) => {
                write!(f, "the outlier factor of `{metric}` is not a number above 0")
            }
            InvalidSettings::EffectSize(metric) => {
                write!(f, "`{metric}` has an effect size that is not a number")
            }
        }
    }
}
impl std::error::Error for InvalidSettings {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Result<(), String> {
        let settings: Settings = serde_json::from_str(json).map_err(|error| error.to_string())?;
        settings.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_kayentas_default() {
        let read: Settings = serde_json::from_str(r#"{"metrics": {"errors": {}}}"#).unwrap();
        let errors = &read.metrics["errors"];
        assert_eq!((read.pass.get(), read.marginal.get()), (95.0, 75.0));
        assert_eq!(errors, &Metric::default());
        assert_eq!(
            (errors.direction, errors.nan_strategy),
            (Direction::Either, NanStrategy::Remove)
        );
        assert_eq!(errors.outliers, Outliers { strategy: OutlierStrategy::Keep, factor: 3.0 });
        assert!(errors.effect_size.is_high(Some(1.0)) && !errors.effect_size.is_high(Some(0.999)));
        let cles = EffectSize { measure: Measure::Cles, ..EffectSize::default() };
        assert!(cles.is_critically_low(Some(0.5)) && !cles.is_critically_low(Some(0.51)));
    }

    #[test]
    fn all_fields_are_read_and_written_alike() {
        let text = r#"{"metrics":{"p99":{"groups":["latency"],"direction":"increase",
            "nan-strategy":"replace","outliers":{"strategy":"remove","factor":2.5},
            "critical":true,"must-have-data":true,"muted":true,"effect-size":{"measure":"cles",
            "allowed-increase":0.6,"allowed-decrease":0.4,"critical-increase":0.8,
            "critical-decrease":0.2}}},"group-weights":{"latency":100.0},
            "pass":90.0,"marginal":50.0}"#;
        let read: Settings = serde_json::from_str(text).unwrap();
        let same: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), same);
    }

    #[test]
    fn wrong_settings_are_named() {
        let wrong = [
            (r"{}", "there is no metric"),
            (r#"{"metrics": {"a": {"direktion": "either"}}}"#, "unknown field `direktion`"),
            (r#"{"metrics": {"a": {"direction": "up"}}}"#, "unknown variant `up`"),
            (r#"{"metrics": {"a": {}}, "pass": 101}"#, "101 is not a number from 0 to 100"),
            (r#"{"metrics": {"a": {}}, "pass": 50}"#, "marginal (75) is above pass (50)"),
            (r#"{"metrics": {"a": {}}, "group-weights": {"b": 10}}"#, "`b`, a group that no"),
            (r#"{"metrics": {"a": {"groups": ["b"]}}, "group-weights": {"b": 90}}"#, "to 90"),
            (r#"{"metrics": {"a": {"outliers": {"factor": 0}}}}"#, "outlier factor of `a`"),
        ];
        for (json, part) in wrong {
            let error = settings(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
        let many = r#"{"metrics": {"a": {"groups": ["b"]}, "c": {"groups": ["d"]}},
            "group-weights": {"b": 60, "d": 60}}"#;
        assert!(settings(many).unwrap_err().contains("add up to 120"));
        let effect_size = EffectSize { allowed_increase: Some(f64::NAN), ..EffectSize::default() };
        let metric = Metric { effect_size, ..Metric::default() };
        let metrics = BTreeMap::from([("a".to_owned(), metric)]);
        let nan = Settings { metrics, ..Settings::default() };
        assert_eq!(nan.check(), Err(InvalidSettings::EffectSize("a".to_owned())));
    }
}
