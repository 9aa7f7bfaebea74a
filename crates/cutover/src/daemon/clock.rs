//! Time for the engine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cutover_core::units::At;
use cutover_engine::ports::Clock;
use rustix::time::{ClockId, clock_gettime};

/// The wall clock as it was at the start, carried on by the clock that counts suspended time and
/// that nobody can step.
#[derive(Debug)]
pub(crate) struct BootClock {
    wall_at_boot: Duration,
}

impl BootClock {
    pub(crate) fn new() -> BootClock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        BootClock { wall_at_boot: wall.saturating_sub(since_boot()) }
    }
}

fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}

impl Clock for BootClock {
    fn now(&self) -> At {
        let now = self.wall_at_boot + since_boot();
        At(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}
