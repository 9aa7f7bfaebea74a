//! Tolerances: how much worse than the old release a new one may be.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Share, Span};

/// Bounds relative to the old release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Tolerance {
    /// How much more of its requests may be answered 5xx or not at all, like `1.2x+0.1pp`: 1.2 times
    /// as many and 0.1 percentage points.
    pub errors: Worse,
    /// How much longer its answers may take, like `10%`.
    pub latency: Share,
}

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance {
            errors: Worse { times: 1200, points: Points(100) },
            latency: Share::from_permille(100),
        }
    }
}

/// The comparison with the old release as a plan carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Against {
    /// How much worse the new release may be.
    pub tolerance: Tolerance,
    /// It goes on once its error rate is shown to be less than this above the old one's.
    pub not_worse_by: Points,
    /// How long latencies of fresh instances are left out; `None`: half of the time that a stage
    /// collects evidence, a minute at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<Span>,
    /// Fewer requests than this show nothing.
    pub min_requests: u64,
    /// Kayenta's judge compares, by what the release's spec says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_kayenta: bool,
}

/// So many times as much, and so much more: `1.2x`, `0.1pp`, `1.2x+0.1pp`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Worse {
    /// In thousandths; 1000 to 10,000.
    times: u32,
    points: Points,
}

impl Worse {
    /// How many times as much.
    #[must_use]
    pub fn times(self) -> f64 {
        f64::from(self.times) / 1000.0
    }
    /// How much more, as a share.
    #[must_use]
    pub fn more(self) -> f64 {
        self.points.share()
    }
}

/// Percentage points, in thousandths: `1pp`, `0.05pp`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Points(u32);

impl Points {
    /// One percentage point.
    pub const ONE: Points = Points(1000);
    /// As a share: one percentage point is 0.01.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }
}

/// A text that is no tolerance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no tolerance: write 1.2x, 0.1pp or 1.2x+0.1pp (1x to 10x, 0pp to 50pp)")]
pub struct InvalidWorse(String);

/// A text that is no number of percentage points.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no number of percentage points: write it like 1pp or 0.5pp (0.001pp to 50pp)")]
pub struct InvalidPoints(String);

/// A number with at most three digits after the point, in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let short = (1..=3).contains(&whole.len()) && part.len() <= 3;
    if !short || !digits(whole) || !digits(part) || text.ends_with('.') {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    Some(whole.parse::<u32>().ok()? * 1000 + part)
}

fn points(text: &str) -> Option<Points> {
    let points = thousandths(text.strip_suffix("pp")?)?;
    (points <= 50_000).then_some(Points(points))
}

fn times(text: &str) -> Option<u32> {
    thousandths(text.strip_suffix('x')?).filter(|times| (1000..=10_000).contains(times))
}

impl FromStr for Points {
    type Err = InvalidPoints;
    fn from_str(text: &str) -> Result<Points, InvalidPoints> {
        let invalid = || InvalidPoints(text.chars().take(80).collect());
        points(text).filter(|points| points.0 > 0).ok_or_else(invalid)
    }
}

impl FromStr for Worse {
    type Err = InvalidWorse;
    fn from_str(text: &str) -> Result<Worse, InvalidWorse> {
        let whole = match text.split_once('+') {
            Some((left, right)) => times(left).zip(points(right)),
            None if text.ends_with('x') => times(text).map(|times| (times, Points(0))),
            None => points(text).map(|points| (1000, points)),
        };
        let (times, points) = whole.ok_or_else(|| InvalidWorse(text.chars().take(80).collect()))?;
        Ok(Worse { times, points })
    }
}

fn decimal(thousandths: u32) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}pp", decimal(self.0)))
    }
}

impl fmt::Display for Worse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.times, self.points.0) {
            (times, 0) => format!("{}x", decimal(times)),
            (1000, _) => self.points.to_string(),
            (times, _) => format!("{}x+{}", decimal(times), self.points),
        };
        f.pad(&text)
    }
}

/// Texts in specs, both ways.
macro_rules! by_text {
    ($type:ty, $error:ty) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
        impl TryFrom<String> for $type {
            type Error = $error;
            fn try_from(text: String) -> Result<$type, $error> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    };
}
by_text!(Points, InvalidPoints);
by_text!(Worse, InvalidWorse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances_read_as_people_write_them() {
        for text in ["1.2x+0.1pp", "1.25x", "0.1pp", "2x", "10x+50pp", "1x+0.001pp", "1x"] {
            let worse: Worse = text.parse().unwrap();
            let shown = worse.to_string();
            assert_eq!(shown.parse::<Worse>().unwrap(), worse);
            assert!(shown == text || text.starts_with("1x+"), "{shown} of {text}");
        }
        assert_eq!("1.2x+0.1pp".parse(), Ok(Tolerance::default().errors));
        let worse: Worse = "1.5x+0.25pp".parse().unwrap();
        assert!((worse.times() - 1.5).abs() < 1e-12 && (worse.more() - 0.0025).abs() < 1e-12);
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in
            ["", "x", "pp", "0.9x", "11x", "51pp", "1.2345x", "1.x", "-1x", "1.2x 0.1pp", "1%"]
        {
            assert!(bad.parse::<Worse>().is_err(), "{bad:?} must be refused");
        }
        for bad in ["", "0pp", "1", "51pp", "1e1pp", "0.0001pp"] {
            assert!(bad.parse::<Points>().is_err(), "{bad:?} must be refused");
        }
    }
}
