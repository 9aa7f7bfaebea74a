//! What is known of the instances of one subject, and what is wished of each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cutover_core::id::{InstanceId, Subject};
use cutover_core::observed::State;
use cutover_core::release::Release;
use tokio::sync::watch;

use super::super::boottime::Moment;

/// What the platform was told about one instance.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// To stop. It stays until the stop is done, whatever is wished meanwhile.
    pub(crate) stop: bool,
    /// To exist, from this release; after the stop, if both are wished. Neither: nothing was
    /// wished since the platform was started, so the instance is only watched.
    pub(crate) run: Option<Arc<Release>>,
}

/// What is known of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) state: State,
    pub(crate) since: Moment,
    pub(crate) address: Option<SocketAddr>,
    /// When it exited by itself, oldest first.
    pub(crate) exits: Vec<Moment>,
    pub(crate) detail: Option<String>,
}

impl Status {
    /// Of one that is about to be started for the first time.
    pub(crate) fn starting() -> Status {
        Status {
            state: State::Starting,
            since: Moment::now(),
            address: None,
            exits: Vec::new(),
            detail: Some("starting".to_owned()),
        }
    }
}

/// One instance on the board.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) status: Status,
    pub(crate) wish: watch::Sender<Wish>,
}

/// The instances of one subject.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) subject: Subject,
    /// Held by one `converge` at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
    entries: Mutex<BTreeMap<InstanceId, Entry>>,
    version: watch::Sender<u64>,
    /// The version at which `changed` last returned.
    told: AtomicU64,
}

impl Board {
    pub(crate) fn new(subject: Subject) -> Board {
        Board {
            subject,
            turn: tokio::sync::Mutex::new(()),
            entries: Mutex::new(BTreeMap::new()),
            version: watch::Sender::new(0),
            told: AtomicU64::new(0),
        }
    }
    pub(crate) fn entries(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Changes what is known of an instance; those who wait are told if `change` says so.
    pub(crate) fn update(&self, id: InstanceId, change: impl FnOnce(&mut Status) -> bool) {
        let told = match self.entries().get_mut(&id) {
            Some(entry) => change(&mut entry.status),
            None => false,
        };
        if told {
            self.tell();
        }
    }
    /// Something may be different now.
    pub(crate) fn tell(&self) {
        self.version.send_modify(|version| *version += 1);
    }
    /// Returns once something was told since the last return. A change between two calls is never
    /// missed, as versions are compared; several callers at one time all return.
    pub(crate) async fn changed(&self) {
        let told = self.told.load(Ordering::SeqCst);
        let mut version = self.version.subscribe();
        // The sender lives as long as we do.
        if let Ok(now) = version.wait_for(|version| *version != told).await {
            self.told.fetch_max(*now, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn soon(board: &Board) -> Result<(), tokio::time::error::Elapsed> {
        tokio::time::timeout(Duration::from_millis(20), board.changed()).await
    }

    #[tokio::test]
    async fn a_change_between_two_waits_is_not_missed_and_told_once() {
        let board = Board::new("shop".parse().unwrap());
        board.tell();
        board.tell();
        assert!(soon(&board).await.is_ok());
        assert!(soon(&board).await.is_err());
        board.tell();
        // A wait that is given up takes nothing away from the next one.
        drop(board.changed());
        assert!(soon(&board).await.is_ok());
        let tell = async { board.tell() };
        let waits = async { tokio::join!(soon(&board), soon(&board), tell) };
        let (one, other, ()) = waits.await;
        assert!(one.is_ok() && other.is_ok());
        assert!(soon(&board).await.is_err());
    }
}
