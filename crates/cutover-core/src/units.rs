//! Counts, shares, points in time, durations.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of instances.
pub type Count = u32;

/// A point in time: milliseconds since the Unix epoch that never run backwards.
///
/// The engine makes it from `CLOCK_BOOTTIME`, so that a stepped wall clock moves no limit.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct At(pub u64);

impl At {
    /// How long ago `earlier` was; zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: At) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
impl Add<Duration> for At {
    type Output = At;
    fn add(self, span: Duration) -> At {
        At(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A share of traffic in thousandths, 0 to 1000; as text a percentage (`5%`, `0.5%`).
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Share(u16);

/// A text that is no percentage between 0 and 100.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a share: write a percentage from 0% to 100% in steps of 0.1%")]
pub struct InvalidShare(String);

impl Share {
    /// Nothing.
    pub const ZERO: Share = Share(0);
    /// Everything.
    pub const FULL: Share = Share(1000);

    /// `parts` of `whole`, rounded down; full where `parts` exceeds `whole`, nothing of nothing.
    #[must_use]
    pub fn of(parts: Count, whole: Count) -> Share {
        if whole == 0 {
            return Share::ZERO;
        }
        let thousandths = u64::from(parts) * 1000 / u64::from(whole);
        Share(u16::try_from(thousandths.min(1000)).unwrap_or(1000))
    }
    /// From thousandths, capped at full.
    #[must_use]
    pub fn from_permille(thousandths: u32) -> Share {
        Share(u16::try_from(thousandths.min(1000)).unwrap_or(1000))
    }
    /// In thousandths.
    #[must_use]
    pub fn permille(self) -> u32 {
        u32::from(self.0)
    }
    /// As many of `n` as this share stands for, rounded up.
    #[must_use]
    pub fn ceil_of(self, n: Count) -> Count {
        let exact = u64::from(n) * u64::from(self.0);
        u32::try_from(exact.div_ceil(1000)).unwrap_or(u32::MAX)
    }
    /// What is missing to full.
    #[must_use]
    pub fn rest(self) -> Share {
        Share(1000 - self.0)
    }
}
impl Add for Share {
    type Output = Share;
    fn add(self, other: Share) -> Share {
        Share((self.0 + other.0).min(1000))
    }
}
impl Sub for Share {
    type Output = Share;
    fn sub(self, other: Share) -> Share {
        Share(self.0.saturating_sub(other.0))
    }
}
impl Sum for Share {
    fn sum<I: Iterator<Item = Share>>(shares: I) -> Share {
        shares.fold(Share::ZERO, Add::add)
    }
}
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.0 / 10, self.0 % 10) {
            (whole, 0) => format!("{whole}%"),
            (whole, tenth) => format!("{whole}.{tenth}%"),
        };
        f.pad(&text)
    }
}
impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
impl FromStr for Share {
    type Err = InvalidShare;
    fn from_str(text: &str) -> Result<Share, InvalidShare> {
        let invalid = || InvalidShare(text.chars().take(80).collect());
        let number = text.strip_suffix('%').ok_or_else(invalid)?;
        let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str, longest: usize| {
            (1..=longest).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit())
        };
        if !digits(whole, 3) || !digits(tenth, 1) {
            return Err(invalid());
        }
        let whole: u16 = whole.parse().map_err(|_| invalid())?;
        let tenth: u16 = tenth.parse().map_err(|_| invalid())?;
        match whole * 10 + tenth {
            permille @ 0..=1000 => Ok(Share(permille)),
            _ => Err(invalid()),
        }
    }
}
impl TryFrom<String> for Share {
    type Error = InvalidShare;
    fn try_from(text: String) -> Result<Share, InvalidShare> {
        text.parse()
    }
}
impl From<Share> for String {
    fn from(share: Share) -> String {
        share.to_string()
    }
}

/// A span of time that people write: `250ms`, `30s`, `1h 30m`, `14d`.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Span(pub Duration);

/// A text that is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration: write it like 250ms, 30s, 10m or 1h 30m")]
pub struct InvalidSpan(String);

impl Span {
    /// Whole seconds.
    #[must_use]
    pub const fn secs(seconds: u64) -> Span {
        Span(Duration::from_secs(seconds))
    }
    /// Whole milliseconds.
    #[must_use]
    pub const fn millis(milliseconds: u64) -> Span {
        Span(Duration::from_millis(milliseconds))
    }
}
impl From<Span> for Duration {
    fn from(span: Span) -> Duration {
        span.0
    }
}
impl FromStr for Span {
    type Err = InvalidSpan;
    fn from_str(text: &str) -> Result<Span, InvalidSpan> {
        // A century is longer than any wait here means, and keeps sums of spans far from overflow.
        const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
        match humantime::parse_duration(text) {
            Ok(duration) if duration <= LONGEST => Ok(Span(duration)),
            Ok(_) | Err(_) => Err(InvalidSpan(text.chars().take(80).collect())),
        }
    }
}
impl TryFrom<String> for Span {
    type Error = InvalidSpan;
    fn try_from(text: String) -> Result<Span, InvalidSpan> {
        text.parse()
    }
}
impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&humantime::format_duration(self.0).to_string())
    }
}
impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_outside_0_to_100_percent_are_refused() {
        for bad in ["101%", "-1%", "5", "", "%", "1.25%", "1e2%", "100.1%", " 5%", "999999%"] {
            assert!(bad.parse::<Share>().is_err(), "{bad:?} must be refused");
        }
        for (good, permille) in [("0%", 0), ("0.5%", 5), ("5%", 50), ("100%", 1000)] {
            assert_eq!(good.parse::<Share>().unwrap().permille(), permille);
            assert_eq!(good.parse::<Share>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn shares_round_up_to_instances_and_down_from_them() {
        assert_eq!(Share::from_permille(50).ceil_of(4), 1);
        assert_eq!(Share::FULL.ceil_of(4), 4);
        assert_eq!(Share::of(1, 3).permille(), 333);
        assert_eq!(Share::of(5, 4), Share::FULL);
        assert_eq!(Share::of(0, 0), Share::ZERO);
    }

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!("1h 30m".parse::<Span>().unwrap(), Span::secs(5400));
        assert_eq!(Span::millis(1500).to_string(), "1s 500ms");
        assert!("soon".parse::<Span>().is_err());
        assert!("99999999999y".parse::<Span>().is_err());
    }
}
