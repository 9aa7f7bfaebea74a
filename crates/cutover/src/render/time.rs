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

/// The time of day in UTC: `18:13:20`.
pub(crate) fn clock(at: At) -> String {
    time(at).get(11..19).unwrap_or_default().to_owned()
}

/// `12 s`, `4m 10s`, `3h 5m`, `2d 4h`: for what is looked at once a second.
pub(crate) fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let (large, small) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3600 => (format!("{minutes}m"), format!("{}s", seconds % 60)),
        3600..86_400 => (format!("{hours}h"), format!("{}m", minutes % 60)),
        _ => (format!("{days}d"), format!("{}h", hours % 24)),
    };
    if small.starts_with('0') { large } else { format!("{large} {small}") }
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
        assert_eq!(clock(At(1_795_457_600_123)), "18:13:20");
        let spans = [0, 59, 120, 250, 11_100, 187_200];
        let texts = spans.map(|seconds| rough(Duration::from_secs(seconds)));
        assert_eq!(texts, ["0 s", "59 s", "2m", "4m 10s", "3h 5m", "2d 4h"]);
    }
}
