//! The event log: what clients are told, with an index they can go on from. Losing an event loses
//! no decision, so a failed write only costs its place in the log.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cutover_core::event::{Event, EventKind};
use cutover_core::id::Subject;
use cutover_core::units::At;
use rusqlite::{Connection, params};
use tokio::sync::broadcast;

use crate::journal::{JournalError, open_private};

/// Live events that a slow reader may lag behind before it has to read the log.
const LIVE: usize = 1024;
/// Events kept; older ones are dropped at start.
const KEPT: u64 = 100_000;

/// The event log of all subjects.
#[derive(Debug)]
pub struct EventLog {
    inner: Mutex<Inner>,
    live: broadcast::Sender<Arc<Event>>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    last: u64,
}

impl EventLog {
    /// Opens or makes the log in the state folder, for the engine's start of this number.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(state: &Path, epoch: u32) -> Result<EventLog, JournalError> {
        let connection = open_private(&state.join("events.db"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS events (
                 idx INTEGER PRIMARY KEY, subject TEXT NOT NULL, rollout INTEGER,
                 type TEXT NOT NULL, body TEXT NOT NULL) STRICT;
             CREATE INDEX IF NOT EXISTS events_of ON events (subject, idx);
             CREATE INDEX IF NOT EXISTS events_by_type ON events (type, rollout);",
        )?;
        let last: u64 =
            connection.query_row("SELECT COALESCE(MAX(idx), 0) FROM events", [], |r| r.get(0))?;
        connection.execute("DELETE FROM events WHERE idx <= ?1", [last.saturating_sub(KEPT)])?;
        // Events that could not be stored had numbers, too: each start goes on above them.
        let last = last.max(u64::from(epoch) << 20);
        let (live, _) = broadcast::channel(LIVE);
        Ok(EventLog { inner: Mutex::new(Inner { connection, last }), live })
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
        if let Ok(body) = serde_json::to_value(&event) {
            let name = body.get("type").and_then(|name| name.as_str()).unwrap_or_default();
            // On a full disk the log has a hole, and whoever listens still hears it.
            let _ = inner.connection.execute(
                "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)",
                params![index, subject.to_string(), rollout, name, body.to_string()],
            );
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
        self.read(
            "SELECT body FROM events WHERE idx > ?1 AND (?2 IS NULL OR subject = ?2)
             ORDER BY idx LIMIT ?3",
            params![after, subject, i64::try_from(most).unwrap_or(i64::MAX)],
        )
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
        let inner = self.lock();
        let mut query = inner.connection.prepare_cached(
            "SELECT COALESCE(MIN(idx), 1) - 1 FROM (
                 SELECT idx FROM events WHERE ?1 IS NULL OR subject = ?1
                 ORDER BY idx DESC LIMIT ?2)",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        Ok(query.query_row(params![subject, most], |row| row.get(0))?)
    }

    /// Stored `rollout-finished` events.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn finished(&self, subject: &Subject) -> Result<Vec<Event>, JournalError> {
        self.read(
            "SELECT body FROM events WHERE type = 'rollout-finished' AND subject = ?1",
            params![subject.to_string()],
        )
    }

    fn read(&self, sql: &str, with: &[&dyn rusqlite::ToSql]) -> Result<Vec<Event>, JournalError> {
        let inner = self.lock();
        let mut query = inner.connection.prepare_cached(sql)?;
        let rows = query.query_map(with, |row| row.get::<_, String>(0))?;
        let bodies = rows.collect::<Result<Vec<_>, _>>()?;
        // Events of a newer build that this one does not know are skipped.
        Ok(bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_goes_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let subject: Subject = "shop".parse().unwrap();
        let warning = |text: &str| EventKind::Warning { text: text.to_owned() };
        let log = EventLog::open(folder.path(), 1).unwrap();
        let first = log.tell(At(1), &subject, None, warning("one"));
        drop(log);
        let log = EventLog::open(folder.path(), 2).unwrap();
        let second = log.tell(At(2), &subject, Some(7), warning("two"));
        assert!(second > first);
        let events = log.since(Some(&subject), first, 10).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].index, events[0].rollout), (second, Some(7)));
        assert!(log.since(Some(&"other".parse().unwrap()), 0, 10).unwrap().is_empty());
    }

    #[test]
    fn the_newest_events_of_one_app_are_found_among_those_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let (shop, cart): (Subject, Subject) = ("shop".parse().unwrap(), "cart".parse().unwrap());
        let log = EventLog::open(folder.path(), 1).unwrap();
        assert_eq!(log.before_newest(Some(&shop), 2).unwrap(), 0, "there are none yet");
        let warning = || EventKind::Warning { text: "x".to_owned() };
        for _ in 0..3 {
            log.tell(At(1), &shop, None, warning());
            log.tell(At(1), &cart, None, warning());
        }
        let read = |of: &Subject, most| {
            let after = log.before_newest(Some(of), most).unwrap();
            log.since(Some(of), after, 10).unwrap().len()
        };
        assert_eq!((read(&shop, 2), read(&cart, 1), read(&shop, 9)), (2, 1, 3));
        let after = log.before_newest(None, 4).unwrap();
        assert_eq!(log.since(None, after, 10).unwrap().len(), 4);
    }
}
