//! The machine's clock: wall time that a stepped clock cannot move within one boot.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cutover_core::units::At;
use rustix::time::ClockId;

use crate::ports::Clock;

/// When something was written, in all the ways that tell how long ago that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The engine's time.
    pub at: At,
    /// Milliseconds since boot, suspend included.
    pub boottime: u64,
    /// Which boot.
    pub boot: String,
}

/// Wall clock at the first start, `CLOCK_BOOTTIME` from there on.
#[derive(Debug, Clone)]
pub struct SystemClock {
    base: At,
    base_boottime: u64,
    boot: String,
}

impl SystemClock {
    /// Goes on from the newest stamp of the journal: within the same boot by the time since boot,
    /// after another boot by the wall clock, and never backwards.
    #[must_use]
    pub fn continuing(last: Option<&Stamp>) -> SystemClock {
        let (boot, boottime) = (boot_id(), boottime());
        let base = match last {
            Some(last) if last.boot == boot && !boot.is_empty() => {
                last.at + Duration::from_millis(boottime.saturating_sub(last.boottime))
            }
            Some(last) => wall().max(last.at),
            None => wall(),
        };
        SystemClock { base, base_boottime: boottime, boot }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> At {
        self.base + Duration::from_millis(boottime().saturating_sub(self.base_boottime))
    }
    fn stamp(&self) -> Stamp {
        Stamp { at: self.now(), boottime: boottime(), boot: self.boot.clone() }
    }
    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(span)
    }
}

fn wall() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Milliseconds since boot, suspend included.
fn boottime() -> u64 {
    let time = rustix::time::clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
    seconds * 1000 + millis
}

fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_boot_time_goes_by_the_boot_clock_whatever_the_wall_says() {
        let first = SystemClock::continuing(None);
        let mut stamp = first.stamp();
        // As if the wall clock had been an hour ahead when the stamp was written.
        stamp.at = stamp.at + Duration::from_secs(3600);
        let second = SystemClock::continuing(Some(&stamp));
        let ahead = second.now().since(stamp.at);
        assert!(ahead < Duration::from_secs(60), "{ahead:?}");
    }

    #[test]
    fn after_another_boot_time_never_runs_backwards() {
        let future = At(wall().0 + 3_600_000);
        let stamp = Stamp { at: future, boottime: u64::MAX, boot: "another".to_owned() };
        assert!(SystemClock::continuing(Some(&stamp)).now() >= future);
    }
}
