//! What a metric of one's own shows at one look, and when a value is bad.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sample::Sample;
use crate::spec::Metric;
use crate::units::Span;

/// The upper bound of latencies that are above the last bound of their histogram, in microseconds.
pub const UNBOUNDED: u64 = u64::MAX;

/// What one look at a metric has shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// What was found.
    pub found: Found,
    /// What the source had to say about it, and what looks odd; each one line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Reading {
    /// A reading without warnings.
    #[must_use]
    pub fn of(found: Found) -> Reading {
        Reading { found, warnings: vec![] }
    }
}

/// What was found at one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// No data, and why in one line. Not zero: it proves nothing.
    Nothing(String),
    /// What happened on both sides since the look before.
    Counts(Counts),
    /// The candidate's value; finite.
    Value(f64),
}

/// What happened on both sides between two looks.
///
/// Of the counters only `requests` and `errors` are filled, and latencies only where the metric has
/// them: see [`Metric::counts_errors`] and [`Metric::counts_latency`]. With latencies alone,
/// `requests` is how many there are. Latencies above the last bound of their histogram are under
/// [`UNBOUNDED`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// The new release.
    pub candidate: Sample,
    /// The old release.
    pub stable: Sample,
    /// (requests, errors) of each instance of the old release that can be told apart.
    pub per_instance_stable: Vec<(u64, u64)>,
    /// From the look before to this one. More than the metric's interval after an outage.
    pub span: Span,
}

/// How many looks in a row a value was out of bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct InARow(pub u32);

impl InARow {
    /// Counts one value; tells why it is bad once there were as many in a row as the metric says.
    /// Looks without a value change nothing: do not count them.
    pub fn count(&mut self, metric: &Metric, value: f64) -> Option<String> {
        let Some(why) = out_of_bounds(metric, value) else {
            self.0 = 0;
            return None;
        };
        self.0 = self.0.saturating_add(1);
        (self.0 >= metric.failures).then(|| format!("{why}, {} looks in a row", self.0))
    }
}

/// How a value is out of a metric's bounds, like `saturation 120 > 100`; `None` if it is not. What
/// is not finite always is.
#[must_use]
pub fn out_of_bounds(metric: &Metric, value: f64) -> Option<String> {
    let name = &metric.name;
    if !value.is_finite() {
        return Some(format!("{name} is {value}"));
    }
    if let Some(max) = metric.max.filter(|max| value > *max) {
        return Some(format!("{name} {value} > {max}"));
    }
    let min = metric.min.filter(|min| value < *min)?;
    Some(format!("{name} {value} < {min}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(bounds: &str) -> Metric {
        let text = format!("{{ \"name\": \"queue\", \"command\": [\"x\"], {bounds} }}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn bounds_are_inclusive() {
        let both = metric("\"min\": 1, \"max\": 2.5");
        assert_eq!(out_of_bounds(&both, 1.0), None);
        assert_eq!(out_of_bounds(&both, 2.5), None);
        assert_eq!(out_of_bounds(&both, 2.6).as_deref(), Some("queue 2.6 > 2.5"));
        assert_eq!(out_of_bounds(&both, 0.9).as_deref(), Some("queue 0.9 < 1"));
        assert!(out_of_bounds(&both, f64::NAN).is_some());
    }

    #[test]
    fn only_values_in_a_row_are_bad() {
        let metric = metric("\"max\": 2");
        let mut row = InARow::default();
        let mut count = |value| row.count(&metric, value);
        assert_eq!(
            [count(3.0), count(3.0), count(2.0), count(3.0), count(3.0)],
            [const { None }; 5]
        );
        assert_eq!(count(4.0).as_deref(), Some("queue 4 > 2, 3 looks in a row"));
    }

    #[test]
    fn a_reading_survives_the_journal() {
        let counts = Counts {
            candidate: Sample { latency: vec![(5000, 1), (UNBOUNDED, 2)], ..Sample::default() },
            span: Span::millis(15_001),
            ..Counts::default()
        };
        let reading = Reading { found: Found::Counts(counts), warnings: vec!["odd".to_owned()] };
        let text = serde_json::to_string(&reading).unwrap();
        assert_eq!(serde_json::from_str::<Reading>(&text).unwrap(), reading);
    }
}
