//! What is supposed of the instances and of users' requests.

use std::time::Duration;

/// What is supposed of the instances and of users' requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppose {
    /// An instance is ready after a time between these.
    pub ready: (Duration, Duration),
    /// So many of a thousand starts fail: the instance exits instead of getting ready.
    pub start_fails: u32,
    /// So many of a thousand hooks fail.
    pub hook_fails: u32,
    /// Requests a second of the whole app.
    pub rate: u32,
    /// Errors in a million answers of a release that is as it should be.
    pub errors: u32,
    /// More errors in a million answers of one that is worse.
    pub worse: u32,
    /// How long an answer takes.
    pub latency: Duration,
    /// ... of a release that is worse, in hundredths of that.
    pub slower: u32,
    /// Somebody gives each approval at once.
    pub approved: bool,
    /// Seconds whose counts the data plane still knows.
    pub counted: u64,
}

impl Default for Suppose {
    /// Starts of up to 3 s that never fail by themselves, and plain differences.
    fn default() -> Suppose {
        Suppose {
            ready: (Duration::ZERO, Duration::from_secs(3)),
            start_fails: 0,
            hook_fails: 100,
            rate: 400,
            errors: 20,
            worse: 330_000,
            latency: Duration::from_millis(20),
            slower: 100,
            approved: false,
            counted: 600,
        }
    }
}
