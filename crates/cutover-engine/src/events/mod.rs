//! The event log: what clients are told, with an index they can go on from. Losing an event loses
//! no decision, so a failed write only costs its place in the log.

mod store;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cutover_core::event::{Event, EventKind};
use cutover_core::id::Subject;
use cutover_core::units::At;
use tokio::sync::broadcast;

use crate::journal::JournalError;
use crate::prune::Stored;
use crate::tally::Tally;
use store::Store;

/// Live events that a slow reader may lag behind before it has to read the log.
const LIVE: usize = 1024;

/// The event log of all subjects.
#[derive(Debug)]
pub struct EventLog {
    inner: Mutex<Inner>,
    live: broadcast::Sender<Arc<Event>>,
}

#[derive(Debug)]
struct Inner {
    /// `None` for a log that keeps nothing.
    store: Option<Store>,
    last: u64,
}

impl EventLog {
    /// Opens or makes the log in the state folder, for the engine's start of this number.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(state: &Path, epoch: u32) -> Result<EventLog, JournalError> {
        let (store, last) = Store::open(state)?;
        Ok(EventLog::new(Some(store), last, epoch))
    }

    /// A log that tells and keeps nothing, for simulated worlds.
    #[must_use]
    pub fn unkept(epoch: u32) -> EventLog {
        EventLog::new(None, 0, epoch)
    }

    fn new(store: Option<Store>, last: u64, epoch: u32) -> EventLog {
        // Events that could not be stored had numbers, too: each start goes on above them.
        let last = last.max(u64::from(epoch) << 20);
        let (live, _) = broadcast::channel(LIVE);
        EventLog { inner: Mutex::new(Inner { store, last }), live }
    }

    /// The index of the newest event.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    /// Tells everybody; the event's index.
    pub fn tell(&self, at: At, subject: &Subject, rollout: Option<u64>, kind: EventKind) -> u64 {
        let mut inner = self.lock();
        let index = inner.last + 1;
        inner.last = index;
        let event = Event { index, at, subject: subject.clone(), rollout, kind };
        if let Some(store) = &inner.store {
            // On a full disk the log has a hole, and whoever listens still hears it.
            let _ = store.keep(&event);
        }
        // Sent under the lock, so that live events come in order. No receiver is no fault.
        let _ = self.live.send(Arc::new(event));
        index
    }

    /// Events from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.live.subscribe()
    }

    /// Stored events after `after`, oldest first.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn since(
        &self,
        subject: Option<&Subject>,
        after: u64,
        most: usize,
    ) -> Result<Vec<Event>, JournalError> {
        let subject = subject.map(ToString::to_string);
        self.stored(|store| store.since(subject.as_deref(), after, most))
    }

    /// The index that the newest `most` stored events come after.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn before_newest(
        &self,
        subject: Option<&Subject>,
        most: usize,
    ) -> Result<u64, JournalError> {
        let subject = subject.map(ToString::to_string);
        self.stored(|store| store.before_newest(subject.as_deref(), most))
    }

    /// Stored `rollout-finished` events.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn finished(&self, subject: &Subject) -> Result<Vec<Event>, JournalError> {
        self.stored(|store| store.finished(&subject.to_string()))
    }

    /// Stored `compared` events of one app, newest first.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn compared(&self, subject: &Subject, most: usize) -> Result<Vec<Event>, JournalError> {
        self.stored(|store| store.compared(&subject.to_string(), most))
    }

    /// Stored `judged` events of one rollout, oldest first: of each stage the newest, and of those
    /// before about `most`, evenly.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn judged(&self, rollout: u64, most: usize) -> Result<Vec<Event>, JournalError> {
        self.stored(|store| store.judged(rollout, most))
    }

    /// Keeps the tally of an app's rollout. A lost one only costs counts.
    pub(crate) fn keep_tally(&self, subject: &Subject, rollout: u64, tally: &Tally) {
        let keep = |store: &mut Store| {
            store.keep_tally(&subject.to_string(), rollout, &serde_json::to_string(tally)?)
        };
        let _ = self.stored(keep);
    }

    /// The tally kept for this rollout.
    pub(crate) fn kept_tally(&self, subject: &Subject, rollout: u64) -> Option<Tally> {
        let body = self.stored(|store| store.kept_tally(&subject.to_string(), rollout));
        serde_json::from_str(&body.ok()?).ok()
    }

    /// Keeps what the judge of a rollout was fed with, of the last rollouts of each app. A lost line
    /// only shows in a replay.
    pub(crate) fn keep_ticks(&self, subject: &Subject, rollout: u64, lines: &[String]) {
        if !lines.is_empty() {
            let _ = self.stored(|store| store.keep_ticks(&subject.to_string(), rollout, lines));
        }
    }

    /// What the judge of a rollout was fed with, oldest first; empty where that is not known.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub(crate) fn ticks(
        &self,
        subject: &Subject,
        rollout: u64,
    ) -> Result<Vec<String>, JournalError> {
        self.stored(|store| store.ticks(&subject.to_string(), rollout))
    }

    /// How many events of an app are older than `before`, and their bytes; those of the rollout
    /// `from` and of later ones are left out, whatever their age.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub(crate) fn old(
        &self,
        subject: &Subject,
        before: At,
        from: u64,
    ) -> Result<Stored, JournalError> {
        self.stored(|store| store.old(&subject.to_string(), before, from))
    }

    /// Removes what [`EventLog::old`] counts.
    ///
    /// # Errors
    /// Nothing was removed then.
    pub(crate) fn prune(
        &self,
        subject: &Subject,
        before: At,
        from: u64,
    ) -> Result<(), JournalError> {
        self.stored(|store| store.prune(&subject.to_string(), before, from))
    }

    /// Gives room that is no longer needed back to the file system.
    ///
    /// # Errors
    /// Nothing is lost then.
    pub(crate) fn compact(&self) -> Result<(), JournalError> {
        self.stored(|store| store.compact())
    }

    /// Asks the store; a log that keeps nothing has nothing.
    fn stored<T: Default>(
        &self,
        ask: impl FnOnce(&mut Store) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.lock().store.as_mut().map_or_else(|| Ok(T::default()), ask)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
