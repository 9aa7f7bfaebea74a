//! What each metric is called, and why.

use std::collections::BTreeSet;

use super::Series;
use super::clean::clean;
use super::mann_whitney::{self, NoShift};
use super::report::{Classification, Comparison, MetricReport, Short, Summary};
use super::settings::{Direction, Measure, Metric, Settings};

/// The fewest values per arm that are compared. With fewer, arms that merely do not overlap would
/// be called high or low (Kayenta does, in 24 % of comparisons without a change at two values).
pub const LEAST_VALUES: usize = 5;
/// The most values per arm: ten weeks of minutes. Beyond this, tie corrections lose exactness.
const MOST_VALUES: usize = 100_000;
/// The interval must be further from zero than this share of the estimated shift: Kayenta's.
const MARGIN: f64 = 0.25;
/// How widely constant arms are spread, as a share of their value.
const SPREAD: f64 = 1e-5;

/// A label and what led to it.
struct Finding {
    label: Classification,
    reason: String,
    critical: bool,
    comparison: Option<Comparison>,
}

/// Compares all metrics of the settings; series without settings come last.
pub(super) fn all(settings: &Settings, series: &[Series<'_>]) -> Vec<MetricReport> {
    let known = settings.metrics.iter().map(|(name, metric)| one(name, metric, series));
    let mut names = BTreeSet::new();
    let unknown = series
        .iter()
        .filter(|series| !settings.metrics.contains_key(series.name) && names.insert(series.name));
    known.chain(unknown.map(|series| without_settings(series.name))).collect()
}

fn one(name: &str, metric: &Metric, series: &[Series<'_>]) -> MetricReport {
    let mut given = series.iter().filter(|series| series.name == name);
    let first = given.next();
    let [experiment, control] = first.map_or_else(Default::default, |series| {
        [series.experiment, series.control].map(|values| {
            // Sorting millions of values would only delay the same answer.
            let values = values.get(..MOST_VALUES + 1).unwrap_or(values);
            clean(values, metric)
        })
    });
    let finding = if first.is_none() {
        without_data(metric, "there is no such series".to_owned())
    } else if given.next().is_some() {
        error(metric, "two series have this name")
    } else {
        compare(metric, &experiment, &control)
    };
    MetricReport {
        name: name.to_owned(),
        classification: finding.label,
        reason: finding.reason,
        critical_failure: finding.critical,
        scored: !metric.muted,
        groups: metric.group_names().map(str::to_owned).collect(),
        experiment: summary(&experiment),
        control: summary(&control),
        comparison: finding.comparison,
    }
}

fn without_settings(name: &str) -> MetricReport {
    MetricReport {
        name: name.to_owned(),
        classification: Classification::Error,
        reason: "there are no settings for this series".to_owned(),
        critical_failure: false,
        scored: false,
        groups: BTreeSet::new(),
        experiment: Summary::default(),
        control: Summary::default(),
        comparison: None,
    }
}

/// Everything short of the test: arms without enough to test, or nothing to find.
fn compare(metric: &Metric, experiment: &[f64], control: &[f64]) -> Finding {
    if experiment.len().max(control.len()) > MOST_VALUES {
        return error(metric, &format!("an arm has more than {MOST_VALUES} values"));
    }
    if [experiment, control].into_iter().flatten().any(|value| value.is_infinite()) {
        return error(metric, "a value is infinite");
    }
    let fewest = experiment.len().min(control.len());
    if fewest < LEAST_VALUES {
        let counts = format!("{} and {}", experiment.len(), control.len());
        return without_data(metric, format!("{counts} values: at least {LEAST_VALUES} needed"));
    }
    if experiment == control {
        return pass("experiment and control are identical");
    }
    match (constant(experiment), constant(control)) {
        (Some(ours), Some(theirs)) if ours == theirs => pass("all values are equal"),
        (Some(ours), Some(theirs)) => {
            test(metric, &spread(ours, experiment.len()), &spread(theirs, control.len()))
        }
        (None, _) | (_, None) => test(metric, experiment, control),
    }
}

/// Tests for a shift; both arms in ascending order and not constant.
fn test(metric: &Metric, experiment: &[f64], control: &[f64]) -> Finding {
    let shift = match mann_whitney::shift(experiment, control) {
        Ok(shift) => shift,
        Err(NoShift::AllTied) => return error(metric, "all values are tied"),
        Err(NoShift::TooFarApart) => return error(metric, "the values are too large"),
    };
    let effect = match metric.effect_size.measure {
        Measure::MeanRatio => mean_ratio(experiment, control),
        Measure::Cles => Some(mann_whitney::cles(experiment, control)),
    };
    let (low, high) = (shift.low, shift.high);
    label(metric, Comparison { shift: shift.estimate, low, high, effect })
}

fn label(metric: &Metric, comparison: Comparison) -> Finding {
    let Comparison { shift, low, high, effect } = comparison;
    let margin = MARGIN * shift.abs();
    let found = format!(
        "{} (98 % interval {} to {}){}",
        Short(shift),
        Short(low),
        Short(high),
        in_words(metric.effect_size.measure, effect)
    );
    let size = &metric.effect_size;
    let (label, critical, reason) = if low > margin {
        let called = metric.direction != Direction::Decrease && size.is_high(effect);
        let label = if called { Classification::High } else { Classification::Pass };
        (label, size.is_critically_high(effect), format!("higher than the control by {found}"))
    } else if high < -margin {
        let called = metric.direction != Direction::Increase && size.is_low(effect);
        let label = if called { Classification::Low } else { Classification::Pass };
        (label, size.is_critically_low(effect), format!("lower than the control by {found}"))
    } else {
        (Classification::Pass, false, format!("no clear shift: {found}"))
    };
    let passes = label == Classification::Pass;
    let allowed = passes && (low > margin || high < -margin);
    let reason = if allowed { format!("{reason}, which is allowed") } else { reason };
    let critical = metric.critical && critical && !passes;
    Finding { label, reason, critical, comparison: Some(comparison) }
}

fn in_words(measure: Measure, effect: Option<f64>) -> String {
    match (measure, effect) {
        (Measure::MeanRatio, Some(effect)) => format!(", ratio of means {}", Short(effect)),
        (Measure::Cles, Some(effect)) => format!(", CLES {}", Short(effect)),
        (Measure::MeanRatio | Measure::Cles, None) => ", a mean is 0".to_owned(),
    }
}

fn pass(reason: &str) -> Finding {
    let reason = reason.to_owned();
    Finding { label: Classification::Pass, reason, critical: false, comparison: None }
}
fn error(metric: &Metric, reason: &str) -> Finding {
    let (label, reason) = (Classification::Error, format!("cannot be compared: {reason}"));
    Finding { label, reason, critical: metric.critical, comparison: None }
}
fn without_data(metric: &Metric, reason: String) -> Finding {
    let label = if metric.must_have_data && !metric.critical {
        Classification::NodataFail
    } else {
        Classification::Nodata
    };
    Finding { label, reason, critical: metric.critical, comparison: None }
}

/// The value that all of an arm, in ascending order, have.
fn constant(sorted: &[f64]) -> Option<f64> {
    let (first, last) = (sorted.first()?, sorted.last()?);
    (first == last).then_some(*first)
}

/// Values spread evenly around one, so that constant arms can be ranked; zero stays zero.
fn spread(value: f64, count: usize) -> Vec<f64> {
    let half_width = (SPREAD * value).abs();
    let place = |place: usize| (2 * place + 1) as f64 / count as f64 - 1.0;
    (0..count).map(|at| value + half_width * place(at)).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let rough = values.iter().sum::<f64>() / count;
    // The second pass takes back what rounding did to the first.
    let mean = rough + values.iter().map(|value| value - rough).sum::<f64>() / count;
    mean.is_finite().then_some(mean)
}

fn mean_ratio(experiment: &[f64], control: &[f64]) -> Option<f64> {
    let (ours, theirs) = (mean(experiment)?, mean(control)?);
    (ours != 0.0 && theirs != 0.0).then(|| ours / theirs)
}

fn summary(sorted: &[f64]) -> Summary {
    let finite = |value: Option<&f64>| value.copied().filter(|value| value.is_finite());
    Summary {
        count: sorted.len(),
        mean: mean(sorted),
        min: finite(sorted.first()),
        max: finite(sorted.last()),
    }
}
