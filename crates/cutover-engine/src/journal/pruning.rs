//! Pruning the journal on disk.

use std::collections::BTreeMap;

use cutover_core::id::ReleaseId;
use cutover_core::record::Record;
use cutover_core::release::ReleaseName;
use cutover_core::units::At;
use rusqlite::{Connection, Transaction, params};

use super::sqlite::Shared;
use super::{JournalError, PrunedRelease};
use crate::cut::Cut;
use crate::prune::Stored;

impl Shared {
    /// Releases of one subject that were pruned.
    pub(super) fn pruned(
        &self,
        subject: &str,
    ) -> Result<BTreeMap<ReleaseId, PrunedRelease>, JournalError> {
        let connection = self.lock();
        let mut query = connection.prepare(
            "SELECT id, version, ordinal, digest, at, actor FROM pruned WHERE subject = ?1",
        )?;
        let rows = query.query_map([subject], |row| {
            let version: String = row.get(1)?;
            let id = ReleaseId(row.get(0)?);
            let (ordinal, digest, at, actor) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
            Ok((id, version, ordinal, digest, At(at), actor))
        })?;
        let mut found = BTreeMap::new();
        for row in rows {
            let (id, version, ordinal, digest, at, actor) = row?;
            // Only valid versions are written.
            if let Ok(version) = version.parse() {
                let name = ReleaseName { id, version, ordinal };
                found.insert(id, PrunedRelease { name, digest, at, actor });
            }
        }
        Ok(found)
    }

    /// All in one transaction: after a crash everything is there or nothing of it has gone.
    pub(super) fn prune(
        &self,
        subject: &str,
        releases: &[PrunedRelease],
        cut: Option<&Cut>,
    ) -> Result<(), JournalError> {
        let base = cut.map(|cut| Record::Base(Box::new(cut.base.clone())));
        let base = base.map(|base| serde_json::to_string(&base)).transpose()?;
        self.retry(|connection| {
            let transaction = connection.transaction()?;
            for release in releases {
                forget(&transaction, subject, release)?;
            }
            if let (Some(cut), Some(base)) = (cut, &base) {
                replace(&transaction, subject, cut.last, base)?;
            }
            transaction.commit()
        })
    }

    /// How large each stored release is.
    pub(super) fn sizes(&self, subject: &str) -> Result<BTreeMap<ReleaseId, u64>, JournalError> {
        let connection = self.lock();
        let mut query =
            connection.prepare("SELECT id, OCTET_LENGTH(body) FROM releases WHERE subject = ?1")?;
        let rows = query
            .query_map([subject], |row| Ok((ReleaseId(row.get(0)?), row.get::<_, u64>(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How large the records up to this one are.
    pub(super) fn size_until(&self, subject: &str, last: u64) -> Result<Stored, JournalError> {
        let stored = self.lock().query_row(
            "SELECT COUNT(*), COALESCE(SUM(OCTET_LENGTH(body)), 0) FROM records
             WHERE subject = ?1 AND idx <= ?2",
            params![subject, last],
            |row| Ok(Stored { count: row.get(0)?, bytes: row.get(1)? }),
        )?;
        Ok(stored)
    }
}

/// A release becomes a name.
fn forget(
    transaction: &Transaction<'_>,
    subject: &str,
    PrunedRelease { name, digest, at, actor }: &PrunedRelease,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO pruned VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![subject, name.id.0, name.version.as_str(), name.ordinal, digest, at.0, actor],
    )?;
    transaction.execute(
        "DELETE FROM releases WHERE subject = ?1 AND id = ?2",
        params![subject, name.id.0],
    )?;
    Ok(())
}

/// The base takes the place and the time of the last record that goes.
fn replace(
    transaction: &Transaction<'_>,
    subject: &str,
    last: u64,
    base: &str,
) -> rusqlite::Result<()> {
    transaction
        .execute("DELETE FROM records WHERE subject = ?1 AND idx < ?2", params![subject, last])?;
    transaction.execute(
        "UPDATE records SET body = ?3, actor = NULL WHERE subject = ?1 AND idx = ?2",
        params![subject, last, base],
    )?;
    Ok(())
}

/// Rewrites a database of which a quarter or more is unused. A crash leaves it as it was.
pub(crate) fn compact(connection: &Connection) -> rusqlite::Result<()> {
    let pages = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |r| r.get(0));
    let (unused, all): (u64, u64) = (pages("freelist_count")?, pages("page_count")?);
    if unused > 0 && unused * 4 >= all {
        connection.execute_batch("VACUUM")?;
    }
    // Until then the room is in the side file. Readers may keep it from being cut; no harm.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::journal::{Journal, SqliteJournal};
    use crate::ports::Clock;
    use cutover_core::id::Subject;
    use cutover_core::release::Release;

    /// What a build of layout 1 left behind.
    const LAYOUT_1: &str = "
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        CREATE TABLE releases (
            subject TEXT NOT NULL, id INTEGER NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL,
            body TEXT NOT NULL, PRIMARY KEY (subject, id)) STRICT;
        CREATE TABLE records (
            idx INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, at INTEGER NOT NULL,
            boottime INTEGER NOT NULL, boot TEXT NOT NULL, actor TEXT, body TEXT NOT NULL) STRICT;
        CREATE INDEX records_of ON records (subject, idx);
        INSERT INTO meta VALUES ('epoch', '4');
        INSERT INTO records VALUES (7, 'shop', 1000, 5, 'boot', 'ana', '{\"scaled\":{\"n\":3}}');
        PRAGMA user_version = 1;";

    fn subject() -> Subject {
        "shop".parse().unwrap()
    }

    fn release(id: u32) -> Release {
        let spec = "app: shop\nrelease: { command: [serve] }\n";
        let source = cutover_core::spec::Source { name: "cutover.yaml".into(), text: spec.into() };
        Release {
            id: ReleaseId(id),
            version: format!("v{id}").parse().unwrap(),
            ordinal: 2,
            digest: format!("digest {id}"),
            spec: cutover_core::spec::parse(&source, &[]).unwrap(),
            base: "/".into(),
            passed: BTreeMap::new(),
            secrets: BTreeMap::new(),
            made: At(0),
        }
    }

    /// Two releases and five records of `shop`, one record of another app in between.
    async fn filled(folder: &std::path::Path) -> SqliteJournal {
        let (journal, _) = SqliteJournal::open(folder).unwrap();
        let stamp = || SystemClock::continuing(None).stamp();
        let sizes = |ns: &[u32]| {
            ns.iter().map(|n| Record::Scaled { n: *n, by_spec: false }).collect::<Vec<_>>()
        };
        for id in [1, 2] {
            journal.store(&subject(), release(id)).await.unwrap();
        }
        journal.append(&subject(), stamp(), None, sizes(&[1, 2])).await.unwrap();
        let other = "shop.production".parse().unwrap();
        journal.append(&other, stamp(), None, sizes(&[9])).await.unwrap();
        journal.append(&subject(), stamp(), None, sizes(&[3, 4, 5])).await.unwrap();
        journal
    }

    fn third(journal: &SqliteJournal) -> Cut {
        let last = journal.records(&subject()).unwrap()[2].index;
        Cut { last, records: 3, rollouts: 0, base: cutover_core::base::Base::default() }
    }

    #[test]
    fn a_journal_of_layout_1_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let old = Connection::open(folder.path().join("journal.db")).unwrap();
        old.execute_batch(LAYOUT_1).unwrap();
        drop(old);
        let (journal, epoch) = SqliteJournal::open(folder.path()).unwrap();
        assert_eq!(epoch, 5);
        let entries = journal.records(&subject()).unwrap();
        assert_eq!((entries.len(), entries[0].index), (1, 7));
        assert_eq!(entries[0].record, Record::Scaled { n: 3, by_spec: false });
        assert!(journal.pruned(&subject()).unwrap().is_empty());
        let layout: u32 =
            journal.shared.lock().query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
        assert_eq!(layout, crate::journal::SCHEMA);
    }

    #[tokio::test]
    async fn names_and_the_base_stay_of_what_is_pruned_and_other_apps_are_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let journal = filled(folder.path()).await;
        let cut = third(&journal);
        assert_eq!(journal.size_until(&subject(), cut.last).unwrap().count, 3);
        assert!(journal.sizes(&subject()).unwrap()[&ReleaseId(1)] > 100);
        let pruned = PrunedRelease::of(&release(1), At(77), "ana");
        journal.prune(&subject(), vec![pruned.clone()], Some(cut.clone())).await.unwrap();
        journal.compact().unwrap();
        drop(journal);

        let (journal, _) = SqliteJournal::open(folder.path()).unwrap();
        assert_eq!(journal.pruned(&subject()).unwrap(), [(ReleaseId(1), pruned)].into());
        let left: Vec<ReleaseId> =
            journal.releases(&subject()).unwrap().iter().map(|release| release.id).collect();
        assert_eq!(left, [ReleaseId(2)]);
        let entries = journal.records(&subject()).unwrap();
        assert_eq!(entries[0].record, Record::Base(Box::new(cut.base)));
        assert_eq!((entries.len(), entries[0].index), (3, cut.last));
        assert_eq!(journal.records(&"shop.production".parse().unwrap()).unwrap().len(), 1);
        let next = journal
            .append(&subject(), SystemClock::continuing(None).stamp(), None, vec![Record::Down])
            .await
            .unwrap();
        assert!(next > entries[2].index, "no number is given twice");
        journal.store(&subject(), release(1)).await.unwrap();
        assert!(journal.pruned(&subject()).unwrap().is_empty(), "it is whole again");
    }

    #[tokio::test]
    async fn what_fails_in_the_middle_has_changed_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = filled(folder.path()).await;
        let fails = "CREATE TRIGGER fails BEFORE UPDATE ON records
                     BEGIN SELECT RAISE(ABORT, 'full'); END;";
        journal.shared.lock().execute_batch(fails).unwrap();
        let before = (journal.records(&subject()).unwrap(), journal.releases(&subject()).unwrap());
        let pruned = vec![PrunedRelease::of(&release(1), At(77), "ana")];
        journal.prune(&subject(), pruned, Some(third(&journal))).await.unwrap_err();
        let after = (journal.records(&subject()).unwrap(), journal.releases(&subject()).unwrap());
        assert_eq!(before, after);
        assert!(journal.pruned(&subject()).unwrap().is_empty());
    }
}
