//! Points in time and spans as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cutover_core::units::At;
use jiff::Timestamp;

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn time(at: At) -> String {
    written(at, "%Y-%m-%dT%H:%M:%S.%3fZ")
}

/// `2026-11-23 18:13`, in UTC.
pub(super) fn minute(at: At) -> String {
    written(at, "%Y-%m-%d %H:%M")
}

fn written(at: At, form: &str) -> String {
    let milliseconds = i64::try_from(at.0).unwrap_or(i64::MAX);
    match Timestamp::from_millisecond(milliseconds) {
        Ok(stamp) => stamp.strftime(form).to_string(),
        Err(_) => format!("{milliseconds} ms"),
    }
}

pub(crate) fn now() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// `850 ms`, `12.3 s`, `4m 10s`.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{:.1} s", span.as_secs_f64()),
        seconds => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_read_well() {
        assert_eq!(time(At(1_795_457_600_123)), "2026-11-23T18:13:20.123Z");
        assert_eq!(minute(At(1_795_457_600_123)), "2026-11-23 18:13");
        assert_eq!(span(Duration::from_millis(850)), "850 ms");
        assert_eq!(span(Duration::from_millis(12_345)), "12.3 s");
        assert_eq!(span(Duration::from_secs(250)), "4m 10s");
    }
}
