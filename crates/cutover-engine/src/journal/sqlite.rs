//! The journal on disk: SQLite in WAL mode with `synchronous = FULL`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cutover_core::id::{ReleaseId, Subject};
use cutover_core::record::Record;
use cutover_core::release::Release;
use cutover_core::units::At;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::pruning::compact;
use super::{Entry, Journal, JournalError, PrunedRelease};
use crate::clock::Stamp;
use crate::cut::Cut;
use crate::prune::Stored;

/// The number of the newest layout this build reads and writes.
pub const SCHEMA: u32 = 2;

/// Freed when the disk is full, so that an abort can still be recorded.
const BALLAST: usize = 1024 * 1024;

/// The journal of all subjects.
#[derive(Debug, Clone)]
pub struct SqliteJournal {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    connection: Mutex<Connection>,
    ballast: PathBuf,
}

/// Layout 1 was without the table `pruned` and the record `base`.
const LAYOUT: &str = "
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS releases (
    subject TEXT NOT NULL, id INTEGER NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (subject, id)) STRICT;
CREATE TABLE IF NOT EXISTS records (
    idx INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, at INTEGER NOT NULL,
    boottime INTEGER NOT NULL, boot TEXT NOT NULL, actor TEXT, body TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS records_of ON records (subject, idx);
CREATE TABLE IF NOT EXISTS pruned (
    subject TEXT NOT NULL, id INTEGER NOT NULL, version TEXT NOT NULL, ordinal INTEGER NOT NULL,
    digest TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL,
    PRIMARY KEY (subject, id)) STRICT;
";

impl SqliteJournal {
    /// Opens or makes the journal in the state folder, and counts this start.
    ///
    /// # Errors
    /// Where it cannot be opened, written, or was written by a newer build.
    pub fn open(state: &Path) -> Result<(SqliteJournal, u32), JournalError> {
        let connection = open_private(&state.join("journal.db"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found > SCHEMA {
            return Err(JournalError::Newer { found });
        }
        connection.execute_batch(LAYOUT)?;
        connection.pragma_update(None, "user_version", SCHEMA)?;
        let epoch: Option<String> = connection
            .query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0))
            .optional()?;
        let epoch = epoch.and_then(|text| text.parse::<u32>().ok()).unwrap_or(0) + 1;
        connection
            .execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?1)", [epoch.to_string()])?;
        let ballast = state.join("ballast");
        let journal =
            SqliteJournal { shared: Arc::new(Shared { connection: connection.into(), ballast }) };
        journal.keep_ballast();
        Ok((journal, epoch))
    }

    /// Makes the ballast file if there is room for it.
    fn keep_ballast(&self) {
        if !self.shared.ballast.exists() {
            // Without room there is none, and appends will tell.
            let _ = cutover_files::write_atomic(&self.shared.ballast, &vec![0x5a; BALLAST]);
        }
    }
}

impl Journal for SqliteJournal {
    async fn append(
        &self,
        subject: &Subject,
        stamp: Stamp,
        actor: Option<String>,
        records: Vec<Record>,
    ) -> Result<u64, JournalError> {
        let (shared, subject) = (Arc::clone(&self.shared), subject.to_string());
        let write = move || shared.append(&subject, &stamp, actor.as_deref(), &records);
        tokio::task::spawn_blocking(write).await.map_err(|_| JournalError::Cancelled)?
    }

    async fn store(&self, subject: &Subject, release: Release) -> Result<(), JournalError> {
        let (shared, subject) = (Arc::clone(&self.shared), subject.to_string());
        let write = move || -> Result<(), JournalError> {
            let body = serde_json::to_string(&release)?;
            shared.retry(|connection| {
                let transaction = connection.transaction()?;
                transaction.execute(
                    "INSERT INTO releases VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (subject, id) DO UPDATE SET body = excluded.body",
                    params![subject, release.id.0, release.version.as_str(), release.digest, body],
                )?;
                transaction.execute(
                    "DELETE FROM pruned WHERE subject = ?1 AND id = ?2",
                    params![subject, release.id.0],
                )?;
                transaction.commit()
            })?;
            Ok(())
        };
        tokio::task::spawn_blocking(write).await.map_err(|_| JournalError::Cancelled)?
    }

    fn records(&self, subject: &Subject) -> Result<Vec<Entry>, JournalError> {
        let connection = self.shared.lock();
        let mut query = connection
            .prepare("SELECT idx, at, actor, body FROM records WHERE subject = ?1 ORDER BY idx")?;
        let rows = query.query_map([subject.to_string()], |row| {
            Ok((
                row.get::<_, u64>(0)?,
                row.get::<_, u64>(1)?,
                row.get::<_, Option<String>>(2)?,
                row.get::<_, String>(3)?,
            ))
        })?;
        let entry = |row: rusqlite::Result<(u64, u64, Option<String>, String)>| {
            let (index, at, actor, body) = row?;
            Ok(Entry { index, at: At(at), actor, record: serde_json::from_str(&body)? })
        };
        rows.map(entry).collect()
    }

    fn releases(&self, subject: &Subject) -> Result<Vec<Release>, JournalError> {
        let connection = self.shared.lock();
        let mut query =
            connection.prepare("SELECT body FROM releases WHERE subject = ?1 ORDER BY id")?;
        let rows = query.query_map([subject.to_string()], |row| row.get::<_, String>(0))?;
        rows.map(|body| Ok(serde_json::from_str(&body?)?)).collect()
    }

    fn subjects(&self) -> Result<Vec<Subject>, JournalError> {
        let connection = self.shared.lock();
        let mut query = connection.prepare("SELECT DISTINCT subject FROM records ORDER BY 1")?;
        let rows = query.query_map([], |row| row.get::<_, String>(0))?;
        let subjects = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(subjects.iter().filter_map(|subject| subject.parse().ok()).collect())
    }

    fn newest(&self) -> Result<Option<Stamp>, JournalError> {
        let connection = self.shared.lock();
        let stamp = connection
            .query_row(
                "SELECT at, boottime, boot FROM records ORDER BY idx DESC LIMIT 1",
                [],
                |row| Ok(Stamp { at: At(row.get(0)?), boottime: row.get(1)?, boot: row.get(2)? }),
            )
            .optional()?;
        Ok(stamp)
    }

    fn pruned(
        &self,
        subject: &Subject,
    ) -> Result<BTreeMap<ReleaseId, PrunedRelease>, JournalError> {
        self.shared.pruned(&subject.to_string())
    }

    async fn prune(
        &self,
        subject: &Subject,
        releases: Vec<PrunedRelease>,
        cut: Option<Cut>,
    ) -> Result<(), JournalError> {
        let (shared, subject) = (Arc::clone(&self.shared), subject.to_string());
        let write = move || shared.prune(&subject, &releases, cut.as_ref());
        tokio::task::spawn_blocking(write).await.map_err(|_| JournalError::Cancelled)?
    }

    fn sizes(&self, subject: &Subject) -> Result<BTreeMap<ReleaseId, u64>, JournalError> {
        self.shared.sizes(&subject.to_string())
    }

    fn size_until(&self, subject: &Subject, last: u64) -> Result<Stored, JournalError> {
        self.shared.size_until(&subject.to_string(), last)
    }

    fn compact(&self) -> Result<(), JournalError> {
        Ok(compact(&self.shared.lock())?)
    }

    async fn make_room(&self) {
        let journal = self.clone();
        // Whether there is room for it again is seen at the next full disk.
        let _ = tokio::task::spawn_blocking(move || journal.keep_ballast()).await;
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        // A panic in between leaves no half transaction: SQLite rolls it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(
        &self,
        subject: &str,
        stamp: &Stamp,
        actor: Option<&str>,
        records: &[Record],
    ) -> Result<u64, JournalError> {
        let bodies: Vec<String> =
            records.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let first = self.retry(|connection| {
            let transaction = connection.transaction()?;
            let mut first = None;
            for body in &bodies {
                transaction.execute(
                    "INSERT INTO records (subject, at, boottime, boot, actor, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![subject, stamp.at.0, stamp.boottime, stamp.boot, actor, body],
                )?;
                first = first.or(Some(transaction.last_insert_rowid()));
            }
            transaction.commit()?;
            Ok(first.unwrap_or_default())
        })?;
        Ok(u64::try_from(first).unwrap_or_default())
    }

    /// Tries again once with the ballast's room when the disk is full.
    pub(crate) fn retry<T>(
        &self,
        mut write: impl FnMut(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let mut connection = self.lock();
        match write(&mut connection) {
            Err(error) if is_full(&error) && std::fs::remove_file(&self.ballast).is_ok() => {
                Ok(write(&mut connection)?)
            }
            result => Ok(result?),
        }
    }
}

/// Opens a database that only this user can read: releases hold values that may be confidential.
/// SQLite gives its side files the permissions of the database.
pub(crate) fn open_private(path: &Path) -> Result<Connection, JournalError> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let failed = |source| cutover_files::FileError { verb: "open", path: path.to_owned(), source };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
    let name = path.to_string_lossy();
    for file in [name.to_string(), format!("{name}-wal"), format!("{name}-shm")] {
        match std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error).into());
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Connection::open(path)?)
}

fn is_full(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::ports::Clock;

    #[tokio::test]
    async fn records_come_back_in_order_and_starts_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let subject: Subject = "shop".parse().unwrap();
        let clock = SystemClock::continuing(None);
        let (journal, epoch) = SqliteJournal::open(folder.path()).unwrap();
        assert_eq!(epoch, 1);
        let records = vec![Record::Scaled { n: 3, by_spec: false }, Record::Paused];
        let first = journal
            .append(&subject, clock.stamp(), Some("ana".into()), records.clone())
            .await
            .unwrap();
        drop(journal);
        let (journal, epoch) = SqliteJournal::open(folder.path()).unwrap();
        assert_eq!(epoch, 2);
        let entries = journal.records(&subject).unwrap();
        let stored: Vec<Record> = entries.iter().map(|entry| entry.record.clone()).collect();
        assert_eq!((entries[0].index, stored), (first, records));
        assert_eq!(journal.subjects().unwrap(), vec![subject]);
        assert_eq!(journal.newest().unwrap().unwrap().boot, clock.stamp().boot);
    }

    #[test]
    fn only_this_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::File::create(folder.path().join("journal.db")).unwrap();
        let (_journal, _) = SqliteJournal::open(folder.path()).unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?}", file.file_name());
        }
    }

    #[test]
    fn a_journal_of_a_newer_build_is_refused_and_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        drop(SqliteJournal::open(folder.path()).unwrap());
        let connection = Connection::open(folder.path().join("journal.db")).unwrap();
        connection.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
        drop(connection);
        let error = SqliteJournal::open(folder.path()).unwrap_err();
        assert!(matches!(error, JournalError::Newer { found } if found == SCHEMA + 1), "{error}");
    }
}
