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
use crate::prune::Stored;
use crate::pruned;
use crate::tally::Tally;

/// Live events that a slow reader may lag behind before it has to read the log.
/// Ticks of a rollout that are kept: two hours of seconds.
const MOST_TICKS: usize = 7200;
/// Rollouts of an app whose ticks are kept.
const TICKED: u32 = 10;
const LIVE: usize = 1024;
/// Events kept; older ones are dropped at start.
const KEPT: u64 = 100_000;

/// Events of an app before a time that belong to no rollout or to one before a number.
const OLD: &str = "FROM events WHERE subject = ?1 AND json_extract(body, '$.at') < ?2
                   AND (rollout IS NULL OR rollout < ?3)";

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

impl Inner {
    fn keep_ticks(
        &mut self,
        subject: &str,
        rollout: u64,
        lines: &[String],
    ) -> Result<(), rusqlite::Error> {
        let whole = self.connection.transaction()?;
        let known: usize = whole.query_row(
            "SELECT COUNT(*) FROM ticks WHERE subject = ?1 AND rollout = ?2",
            params![subject, rollout],
            |row| row.get(0),
        )?;
        for line in lines.iter().take(MOST_TICKS.saturating_sub(known)) {
            whole.execute(
                "INSERT INTO ticks VALUES (?1, ?2, ?3)",
                params![subject, rollout, line],
            )?;
        }
        whole.execute(
            "DELETE FROM ticks WHERE subject = ?1 AND rollout NOT IN
                 (SELECT DISTINCT rollout FROM ticks WHERE subject = ?1
                  ORDER BY rollout DESC LIMIT ?2)",
            params![subject, TICKED],
        )?;
        whole.commit()
    }
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
             CREATE INDEX IF NOT EXISTS events_by_type ON events (type, rollout);
             CREATE TABLE IF NOT EXISTS tallies (
                 subject TEXT PRIMARY KEY, rollout INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS ticks (
                 subject TEXT NOT NULL, rollout INTEGER NOT NULL, line TEXT NOT NULL) STRICT;
             CREATE INDEX IF NOT EXISTS ticks_of ON ticks (subject, rollout);",
        )?;
        let last: u64 =
            connection.query_row("SELECT COALESCE(MAX(idx), 0) FROM events", [], |r| r.get(0))?;
        // By number of rows: indices jump at each start. How rollouts ended stays.
        connection.execute(
            "DELETE FROM events WHERE type NOT IN ('rollout-finished', 'compared') AND idx <
                 (SELECT idx FROM events ORDER BY idx DESC LIMIT 1 OFFSET ?1)",
            [KEPT],
        )?;
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

    /// Stored `compared` events of one app, newest first.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn compared(&self, subject: &Subject, most: usize) -> Result<Vec<Event>, JournalError> {
        self.read(
            "SELECT body FROM events WHERE type = 'compared' AND subject = ?1
             ORDER BY idx DESC LIMIT ?2",
            params![subject.to_string(), i64::try_from(most).unwrap_or(i64::MAX)],
        )
    }

    /// Stored `judged` events of one rollout, oldest first: of each stage the newest, and of those
    /// before about `most`, evenly.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn judged(&self, rollout: u64, most: usize) -> Result<Vec<Event>, JournalError> {
        self.read(
            "SELECT body FROM (
                 SELECT idx, body, ROW_NUMBER() OVER (stages ORDER BY idx) AS place,
                        COUNT(*) OVER stages AS count
                 FROM events WHERE type = 'judged' AND rollout = ?1
                 WINDOW stages AS (PARTITION BY json_extract(body, '$.stage')))
             WHERE place = count OR place % MAX(1, count / ?2) = 0 ORDER BY idx",
            params![rollout, i64::try_from(most.max(1)).unwrap_or(i64::MAX)],
        )
    }

    /// Keeps the tally of an app's rollout. A lost one only costs counts.
    pub(crate) fn keep_tally(&self, subject: &Subject, rollout: u64, tally: &Tally) {
        if let Ok(body) = serde_json::to_string(tally) {
            let _ = self.lock().connection.execute(
                "INSERT OR REPLACE INTO tallies VALUES (?1, ?2, ?3)",
                params![subject.to_string(), rollout, body],
            );
        }
    }

    /// Keeps what the judge of a rollout was fed with, of the last rollouts of each app. A lost line
    /// only shows in a replay.
    pub(crate) fn keep_ticks(&self, subject: &Subject, rollout: u64, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let mut inner = self.lock();
        let _ = inner.keep_ticks(&subject.to_string(), rollout, lines);
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
        let inner = self.lock();
        let mut found = inner
            .connection
            .prepare("SELECT line FROM ticks WHERE subject = ?1 AND rollout = ?2 ORDER BY rowid")?;
        let lines = found.query_map(params![subject.to_string(), rollout], |row| row.get(0))?;
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// The tally kept for this rollout.
    pub(crate) fn kept_tally(&self, subject: &Subject, rollout: u64) -> Option<Tally> {
        let body: String = self
            .lock()
            .connection
            .query_row(
                "SELECT body FROM tallies WHERE subject = ?1 AND rollout = ?2",
                params![subject.to_string(), rollout],
                |row| row.get(0),
            )
            .ok()?;
        serde_json::from_str(&body).ok()
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
        let sql = format!("SELECT COUNT(*), COALESCE(SUM(OCTET_LENGTH(body)), 0) {OLD}");
        let with = params![subject.to_string(), before.0, from];
        let stored = self
            .lock()
            .connection
            .query_row(&sql, with, |row| Ok(Stored { count: row.get(0)?, bytes: row.get(1)? }))?;
        Ok(stored)
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
        let with = params![subject.to_string(), before.0, from];
        self.lock().connection.execute(&format!("DELETE {OLD}"), with)?;
        Ok(())
    }

    /// Gives room that is no longer needed back to the file system.
    ///
    /// # Errors
    /// Nothing is lost then.
    pub(crate) fn compact(&self) -> Result<(), JournalError> {
        Ok(pruned::compact(&self.lock().connection)?)
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
    fn starts_alone_make_nothing_old() {
        let folder = tempfile::tempdir().unwrap();
        let subject: Subject = "shop".parse().unwrap();
        for epoch in 1..5 {
            let log = EventLog::open(folder.path(), epoch).unwrap();
            let text = epoch.to_string();
            log.tell(At(1), &subject, None, EventKind::Warning { text });
        }
        let log = EventLog::open(folder.path(), 5).unwrap();
        assert_eq!(log.since(None, 0, 10).unwrap().len(), 4);
    }

    #[test]
    fn of_each_stage_the_newest_verdict_is_found_and_some_before() {
        use cutover_core::record::Verdict;
        let folder = tempfile::tempdir().unwrap();
        let subject: Subject = "shop".parse().unwrap();
        let log = EventLog::open(folder.path(), 1).unwrap();
        for at in 0..100 {
            let (stage, verdict) = (usize::from(at >= 70), Verdict::Inconclusive);
            for rollout in [7, 8] {
                let reason = format!("{rollout} {at}");
                let kind = EventKind::Judged { stage, verdict, reason, evidence: None };
                log.tell(At(at), &subject, Some(rollout), kind);
            }
        }
        let found = log.judged(7, 10).unwrap();
        assert!(found.iter().all(|event| event.rollout == Some(7)));
        let times: Vec<u64> = found.iter().map(|event| event.at.0).collect();
        assert_eq!(
            times,
            [6, 13, 20, 27, 34, 41, 48, 55, 62, 69, 72, 75, 78, 81, 84, 87, 90, 93, 96, 99]
        );
        assert!(log.judged(9, 10).unwrap().is_empty());
    }

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
    fn only_old_events_of_the_app_and_of_pruned_rollouts_go() {
        let folder = tempfile::tempdir().unwrap();
        let log = EventLog::open(folder.path(), 1).unwrap();
        let (shop, other): (Subject, Subject) =
            ("shop".parse().unwrap(), "shop.production".parse().unwrap());
        let mut told = vec![];
        for (at, subject, rollout) in [
            (1, &shop, None),
            (2, &shop, Some(3)),
            (3, &shop, Some(7)),
            (4, &other, Some(3)),
            (50, &shop, Some(3)),
            (50, &shop, None),
        ] {
            let text = "x".to_owned();
            told.push(log.tell(At(at), subject, rollout, EventKind::Warning { text }));
        }
        let old = log.old(&shop, At(50), 7).unwrap();
        assert!(old.count == 2 && old.bytes > 100, "{old:?}");
        log.prune(&shop, At(50), 7).unwrap();
        log.compact().unwrap();
        let left: Vec<u64> = log.since(None, 0, 10).unwrap().iter().map(|e| e.index).collect();
        assert_eq!(left, told[2..]);
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
