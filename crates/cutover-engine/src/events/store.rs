//! The event log on disk: events, and beside them the tallies and ticks of rollouts. In SQLite;
//! losing any of it loses no decision.

use std::path::Path;

use cutover_core::event::Event;
use cutover_core::units::At;
use rusqlite::{Connection, params};

use crate::journal::{JournalError, compact, open_private};
use crate::prune::Stored;

/// Ticks of a rollout that are kept: two hours of seconds.
const MOST_TICKS: usize = 7200;
/// Rollouts of an app whose ticks are kept.
const TICKED: u32 = 10;
/// Events kept; older ones are dropped at start.
const KEPT: u64 = 100_000;

/// Events of an app before a time that belong to no rollout or to one before a number.
const OLD: &str = "FROM events WHERE subject = ?1 AND json_extract(body, '$.at') < ?2
                   AND (rollout IS NULL OR rollout < ?3)";

#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
}

impl Store {
    /// Opens or makes it, with the index of the newest event.
    pub(super) fn open(state: &Path) -> Result<(Store, u64), JournalError> {
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
        Ok((Store { connection }, last))
    }

    pub(super) fn keep(&self, event: &Event) -> Result<(), JournalError> {
        let body = serde_json::to_value(event)?;
        let name = body.get("type").and_then(|name| name.as_str()).unwrap_or_default();
        let subject = event.subject.to_string();
        self.connection.execute(
            "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)",
            params![event.index, subject, event.rollout, name, body.to_string()],
        )?;
        Ok(())
    }

    pub(super) fn since(
        &self,
        subject: Option<&str>,
        after: u64,
        most: usize,
    ) -> Result<Vec<Event>, JournalError> {
        self.read(
            "SELECT body FROM events WHERE idx > ?1 AND (?2 IS NULL OR subject = ?2)
             ORDER BY idx LIMIT ?3",
            params![after, subject, i64::try_from(most).unwrap_or(i64::MAX)],
        )
    }

    pub(super) fn before_newest(
        &self,
        subject: Option<&str>,
        most: usize,
    ) -> Result<u64, JournalError> {
        let mut query = self.connection.prepare_cached(
            "SELECT COALESCE(MIN(idx), 1) - 1 FROM (
                 SELECT idx FROM events WHERE ?1 IS NULL OR subject = ?1
                 ORDER BY idx DESC LIMIT ?2)",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        Ok(query.query_row(params![subject, most], |row| row.get(0))?)
    }

    pub(super) fn finished(&self, subject: &str) -> Result<Vec<Event>, JournalError> {
        self.read(
            "SELECT body FROM events WHERE type = 'rollout-finished' AND subject = ?1",
            params![subject],
        )
    }

    pub(super) fn compared(&self, subject: &str, most: usize) -> Result<Vec<Event>, JournalError> {
        self.read(
            "SELECT body FROM events WHERE type = 'compared' AND subject = ?1
             ORDER BY idx DESC LIMIT ?2",
            params![subject, i64::try_from(most).unwrap_or(i64::MAX)],
        )
    }

    pub(super) fn judged(&self, rollout: u64, most: usize) -> Result<Vec<Event>, JournalError> {
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

    pub(super) fn keep_tally(
        &self,
        subject: &str,
        rollout: u64,
        body: &str,
    ) -> Result<(), JournalError> {
        self.connection.execute(
            "INSERT OR REPLACE INTO tallies VALUES (?1, ?2, ?3)",
            params![subject, rollout, body],
        )?;
        Ok(())
    }

    pub(super) fn kept_tally(&self, subject: &str, rollout: u64) -> Result<String, JournalError> {
        let query = "SELECT body FROM tallies WHERE subject = ?1 AND rollout = ?2";
        Ok(self.connection.query_row(query, params![subject, rollout], |row| row.get(0))?)
    }

    pub(super) fn keep_ticks(
        &mut self,
        subject: &str,
        rollout: u64,
        lines: &[String],
    ) -> Result<(), JournalError> {
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
        Ok(whole.commit()?)
    }

    pub(super) fn ticks(&self, subject: &str, rollout: u64) -> Result<Vec<String>, JournalError> {
        let mut found = self
            .connection
            .prepare("SELECT line FROM ticks WHERE subject = ?1 AND rollout = ?2 ORDER BY rowid")?;
        let lines = found.query_map(params![subject, rollout], |row| row.get(0))?;
        Ok(lines.collect::<Result<_, _>>()?)
    }

    pub(super) fn old(&self, subject: &str, before: At, from: u64) -> Result<Stored, JournalError> {
        let sql = format!("SELECT COUNT(*), COALESCE(SUM(OCTET_LENGTH(body)), 0) {OLD}");
        let with = params![subject, before.0, from];
        let stored =
            |row: &rusqlite::Row<'_>| Ok(Stored { count: row.get(0)?, bytes: row.get(1)? });
        Ok(self.connection.query_row(&sql, with, stored)?)
    }

    pub(super) fn prune(&self, subject: &str, before: At, from: u64) -> Result<(), JournalError> {
        self.connection.execute(&format!("DELETE {OLD}"), params![subject, before.0, from])?;
        Ok(())
    }

    pub(super) fn compact(&self) -> Result<(), JournalError> {
        Ok(compact(&self.connection)?)
    }

    fn read(&self, sql: &str, with: &[&dyn rusqlite::ToSql]) -> Result<Vec<Event>, JournalError> {
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map(with, |row| row.get::<_, String>(0))?;
        let bodies = rows.collect::<Result<Vec<_>, _>>()?;
        // Events of a newer build that this one does not know are skipped.
        Ok(bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
    }
}
