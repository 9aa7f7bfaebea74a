//! One environment whose flags are served.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use cutover_core::served_flags::{FlagsState, RefusedFlags};
use cutover_core::units::At;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::counts::{Count, FlagCounts};
use super::events::Told;
use super::ring::Ring;
use super::served::Served;

/// What is served, and what is counted of it.
#[derive(Debug)]
pub(crate) struct Serving {
    served: ArcSwap<Served>,
    /// The version that is served; none at the end.
    pub(super) changes: watch::Sender<Option<Told>>,
    /// Cancelled when it is served no longer, or the proxy stops.
    pub(super) end: CancellationToken,
    /// Clients that wait for changes.
    pub(super) listeners: AtomicU32,
    listening: AtomicBool,
    confirmed: AtomicU64,
    refused: Mutex<Option<RefusedFlags>>,
    pub(super) ring: Mutex<Ring>,
    pub(super) counts: Counts,
}

/// Counts of an environment, besides those of its flags.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Evaluations of flags beyond those that are counted each for itself.
    pub(super) others: FlagCounts,
    /// ... of flags that do not exist, or before it was known of which.
    pub(super) unknown: FlagCounts,
    pub(super) bulk: Count,
    pub(super) bulk_unchanged: Count,
    pub(super) bulk_refused: Count,
    pub(super) unauthorized: Count,
    pub(super) publications_refused: Count,
    pub(super) tracks: Count,
    pub(super) tracks_refused: Count,
}

impl Serving {
    pub(super) fn new(served: Served, end: CancellationToken) -> Serving {
        Serving {
            changes: watch::Sender::new(Some(Told::of(&served.version))),
            confirmed: AtomicU64::new(served.since.0),
            served: ArcSwap::from_pointee(served),
            end,
            listeners: AtomicU32::new(0),
            listening: AtomicBool::new(false),
            refused: Mutex::default(),
            ring: Mutex::default(),
            counts: Counts::default(),
        }
    }

    /// What is served now.
    #[inline]
    pub(super) fn served(&self) -> arc_swap::Guard<Arc<Served>> {
        self.served.load()
    }

    /// Serves something newer, and tells those who wait if their answers change.
    pub(super) fn swap(&self, new: Served) {
        let (new, old) = (Arc::new(new), self.served());
        self.confirm(now());
        self.served.store(Arc::clone(&new));
        if new.differs(&old) {
            self.changes.send_replace(Some(Told::of(&new.version)));
        }
    }

    /// Ends all streams once it is served no longer.
    pub(super) async fn see_out(&self) {
        self.end.cancelled().await;
        self.changes.send_replace(None);
    }

    /// What is served is still the newest.
    pub(super) fn confirm(&self, now: At) {
        self.confirmed.store(now.0, Ordering::Relaxed);
        self.set_refused(None);
    }

    /// Something newer cannot be used.
    pub(super) fn refuse(&self, refused: RefusedFlags) {
        self.counts.publications_refused.add(1);
        self.set_refused(Some(refused));
    }

    pub(super) fn is_behind(&self) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn set_refused(&self, refused: Option<RefusedFlags>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }

    pub(super) fn set_listening(&self) {
        self.listening.store(true, Ordering::Relaxed);
    }

    pub(super) fn confirmed(&self) -> At {
        At(self.confirmed.load(Ordering::Relaxed))
    }

    pub(super) fn state(&self, listen: Option<std::net::SocketAddr>) -> FlagsState {
        let served = self.served();
        FlagsState {
            generation: served.generation,
            listen: listen.unwrap_or(served.listen),
            listening: self.listening.load(Ordering::Relaxed),
            guarded: !served.tokens.is_empty(),
            version: served.version.clone(),
            flags: served.flags,
            since: served.since,
            confirmed: self.confirmed(),
            problems: served.problems.clone(),
            refused: self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            listeners: self.listeners.load(Ordering::Relaxed),
        }
    }
}

/// Now, for people.
pub(super) fn now() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Now, for rules: seconds since 1970.
pub(super) fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
