//! Points in time as people give them to `--since`.

use std::str::FromStr;

use cutover_core::units::{At, Span};
use jiff::Timestamp;

/// A span back from now, or a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// So long ago.
    Ago(Span),
    /// Then.
    Then(At),
}

impl Since {
    pub(super) fn before(self, now: At) -> At {
        match self {
            Since::Ago(span) => {
                At(now.0.saturating_sub(u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX)))
            }
            Since::Then(at) => at,
        }
    }
}

impl FromStr for Since {
    type Err = String;
    fn from_str(text: &str) -> Result<Since, String> {
        if let Ok(span) = text.parse() {
            return Ok(Since::Ago(span));
        }
        // A date alone is its first moment in UTC, as times are shown in UTC.
        let day = || format!("{text}T00:00:00Z").parse::<Timestamp>();
        let stamp = text.parse::<Timestamp>().or_else(|_| day()).ok();
        let milliseconds = stamp.and_then(|stamp| u64::try_from(stamp.as_millisecond()).ok());
        milliseconds.map(|milliseconds| Since::Then(At(milliseconds))).ok_or_else(|| {
            "write a span like 30d or 12h, or a time like 2026-11-23 or 2026-11-23T18:00:00Z".into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_dates_and_times_are_understood() {
        let now = At(1_795_457_600_123);
        let before = |text: &str| text.parse::<Since>().unwrap().before(now).0;
        assert_eq!(before("1h"), now.0 - 3_600_000);
        assert_eq!(before("30d"), now.0 - 30 * 86_400_000);
        assert_eq!(before("99y"), 0, "before the beginning of time");
        assert_eq!(before("2026-11-23"), 1_795_392_000_000);
        assert_eq!(before("2026-11-23T18:13:20Z"), 1_795_457_600_000);
        assert_eq!(before("2026-11-23T20:13:20+02:00"), 1_795_457_600_000);
        for bad in ["", "soon", "23.11.2026", "2026-13-01", "1969-01-01", "-3d"] {
            assert!(bad.parse::<Since>().is_err(), "{bad:?} must be refused");
        }
    }
}
