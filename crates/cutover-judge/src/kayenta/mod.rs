//! The judge of Spinnaker's Kayenta (`NetflixACAJudge-v1.0`), for teams that come from there.
//!
//! Values per time bucket of an experiment (the new release) and a control (the old one) are
//! compared by a Mann-Whitney test; what share of the metrics pass is the score. The procedure and
//! its constants are those of `spinnaker/kayenta` at a69573b (modules `kayenta-judge` and
//! `kayenta-mannwhitney`), so a configuration brought along gives the same labels and scores, but:
//!
//! - **Fewer than five values in an arm are no data.** The original takes arms that merely do not
//!   overlap as proof: with two values in each, a fifth of all runs without any change are called
//!   high or low.
//! - **No data is never a pass.** A critical metric that cannot be compared fails the run, as one
//!   without data does, and a run in which nothing could be compared scores 0. The original passes
//!   both. Nor does a failed critical metric or want of data pass where the threshold is 0, or
//!   an arm without any value under [`NanStrategy::Replace`].
//! - **No randomness.** Where both arms are constant the original adds random noise of a
//!   hundred-thousandth of the value; here it is an even spread of that width, the same every time.
//! - Metrics in no group form a group of their own ([`UNGROUPED`]) instead of counting for nothing;
//!   infinite values are an error of their metric.
//!
//! What it cannot do, and the sequential tests of this crate can: say anything within the first
//! five buckets; be asked often without more false alarms; weigh buckets by their traffic; see a
//! change in metrics whose values differ by less than 1e-4 (the tolerance of its root finder is
//! absolute: give percent, not fractions; for the same reason small counts with many ties are called
//! high or low by a rounding now and then). And "no evidence of harm" is a pass here.
//!
//! Measured on N(10, 2) without a change: 0.2 to 0.3 % of comparisons called high or low with 5 to
//! 60 buckets; on Poisson counts 0 to 0.9 %.

mod classify;
mod clean;
mod mann_whitney;
mod report;
mod root;
mod score;
mod settings;

pub use classify::LEAST_VALUES;
pub use report::{
    Classification, Comparison, Grounds, GroupScore, MetricReport, Outcome, Report, Summary, Tally,
};
pub use settings::{
    Direction, EffectSize, InvalidSettings, Measure, Metric, NanStrategy, OutlierStrategy,
    Outliers, Percent, Settings, UNGROUPED,
};

/// What was measured of one metric: a value per time bucket, NaN where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Series<'a> {
    /// The metric's name, as in [`Settings::metrics`].
    pub name: &'a str,
    /// Of the new release.
    pub experiment: &'a [f64],
    /// Of the old one, over the same time.
    pub control: &'a [f64],
}

/// Compares all metrics and scores the run.
///
/// A metric in the settings without a series has no data; a series without settings is reported as
/// an error but scores nothing. Wrong settings fail the run ([`Grounds::Settings`]).
#[must_use]
pub fn judge(settings: &Settings, metrics: &[Series<'_>]) -> Report {
    if let Err(wrong) = settings.check() {
        return Report::of_wrong_settings(&wrong);
    }
    score::report(settings, classify::all(settings, metrics))
}
