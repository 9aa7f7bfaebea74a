//! Points in time that two processes and two boots can compare.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cutover_core::units::At;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Milliseconds since this machine was started, suspended time included.
pub(crate) fn boottime_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1000 + nanos / 1_000_000
}

/// What tells this boot from every other one.
pub(crate) fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    })
}

fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// A point in time as it is kept in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// The boot it lies in.
    pub(crate) boot: String,
    /// Within that boot.
    pub(crate) boottime_ms: u64,
    /// By the wall clock, for those who come after another boot.
    pub(crate) unix_ms: u64,
}

impl Moment {
    pub(crate) fn now() -> Moment {
        Moment { boot: boot_id().to_owned(), boottime_ms: boottime_ms(), unix_ms: unix_ms() }
    }
    pub(crate) fn is_of_this_boot(&self) -> bool {
        self.boot == boot_id()
    }
    /// How long ago it was: exact within this boot, by the wall clock before.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(if self.is_of_this_boot() {
            boottime_ms().saturating_sub(self.boottime_ms)
        } else {
            unix_ms().saturating_sub(self.unix_ms)
        })
    }
    /// From an earlier moment to this one.
    pub(crate) fn since(&self, earlier: &Moment) -> Duration {
        Duration::from_millis(if self.boot == earlier.boot {
            self.boottime_ms.saturating_sub(earlier.boottime_ms)
        } else {
            self.unix_ms.saturating_sub(earlier.unix_ms)
        })
    }
}

/// Two readings of two clocks differ by so many milliseconds without meaning anything.
const ROUNDING: i64 = 5;

/// Converts moments into the engine's time.
///
/// The engine's time runs with `CLOCK_BOOTTIME`, so there is one offset. Each `now` it gives was
/// read a little before we read the clock, so the largest offset seen is the truest. Differences
/// that are only those of rounding are ignored, so that the same moment is the same time in every
/// observation.
#[derive(Debug)]
pub(crate) struct Timeline {
    offset: AtomicI64,
}

impl Timeline {
    pub(crate) fn new() -> Timeline {
        Timeline { offset: AtomicI64::new(i64::MIN) }
    }
    /// Learns from the engine what time it is.
    pub(crate) fn note(&self, now: At) {
        let now = i64::try_from(now.0).unwrap_or(i64::MAX);
        let boot = i64::try_from(boottime_ms()).unwrap_or(i64::MAX);
        let offset = now.saturating_sub(boot);
        // The first offset is always larger than none.
        if offset > self.offset.load(Ordering::Relaxed).saturating_add(ROUNDING) {
            self.offset.fetch_max(offset, Ordering::Relaxed);
        }
    }
    pub(crate) fn at(&self, moment: &Moment) -> At {
        let offset = self.offset.load(Ordering::Relaxed);
        if !moment.is_of_this_boot() || offset == i64::MIN {
            return At(moment.unix_ms);
        }
        let boot = i64::try_from(moment.boottime_ms).unwrap_or(i64::MAX);
        At(u64::try_from(boot.saturating_add(offset)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_moment_is_the_same_time_in_every_observation() {
        let timeline = Timeline::new();
        let moment = Moment::now();
        let start = boottime_ms();
        timeline.note(At(1_000_000 + start));
        let first = timeline.at(&moment);
        // A `now` that was read long before it reached us must move nothing.
        timeline.note(At(1_000_000 + start - 500));
        assert_eq!(timeline.at(&moment), first);
        assert!(first.0.abs_diff(1_000_000 + moment.boottime_ms) <= 5, "{first:?}");
    }

    #[test]
    fn a_moment_of_another_boot_counts_by_the_wall_clock() {
        let timeline = Timeline::new();
        timeline.note(At(5_000_000_000));
        let moment = Moment { boot: "another".to_owned(), boottime_ms: 7, unix_ms: 1234 };
        assert_eq!(timeline.at(&moment), At(1234));
    }
}
