//! How often flags were evaluated, and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};

use cutover_flags::ofrep::Said;
use cutover_flags::{ErrorCode, Reason};

/// Flags that have counts of their own; those beyond share one.
pub(super) const MOST_FLAGS: usize = 1000;

/// Evaluations of one flag, by what the answer said.
#[derive(Debug, Default)]
pub(crate) struct FlagCounts([AtomicU64; 8]);

/// Everything that an answer can say, as metrics call it.
pub(super) const SAID: [&str; 8] = [
    "STATIC",
    "TARGETING_MATCH",
    "DEFAULT",
    "DISABLED",
    "FLAG_NOT_FOUND",
    "PARSE_ERROR",
    "INVALID_CONTEXT",
    "GENERAL",
];

impl FlagCounts {
    #[inline]
    pub(super) fn add(&self, said: Said) {
        let at = match said {
            Ok(Reason::Static) => 0,
            Ok(Reason::TargetingMatch) => 1,
            Ok(Reason::Default) => 2,
            Ok(Reason::Disabled) => 3,
            Err(ErrorCode::FlagNotFound) => 4,
            Err(ErrorCode::ParseError) => 5,
            Err(ErrorCode::InvalidContext) => 6,
            Err(ErrorCode::General) => 7,
        };
        if let Some(count) = self.0.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was said at least once, and how often.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        SAID.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }
}

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
