//! The journal: in memory, of one app. It is what survives the death of an engine.

use std::collections::BTreeMap;

use cutover_core::id::{ReleaseId, Subject};
use cutover_core::record::Record;
use cutover_core::release::Release;
use cutover_engine::clock::Stamp;
use cutover_engine::journal::{Cut, Entry, Journal, JournalError, PrunedRelease, Stored};

use super::{Shared, subject};
use crate::strike::Blow;
use crate::world::World;

/// What became of a record.
enum Writing {
    Written(u64),
    NoRoom,
    /// The engine did not live to see it.
    Dead,
}

impl World {
    fn write_or_not(&mut self, stamp: &Stamp, actor: Option<String>, record: Record) -> Writing {
        let blow = self.blow();
        if blow.is_some() {
            self.scenario.strike = None;
        }
        if blow == Some(Blow::DeathBefore) {
            self.kill_engine();
        }
        if blow == Some(Blow::NoRoom) {
            self.full_until = self.now + std::time::Duration::from_secs(3);
        }
        if self.dies() {
            return Writing::Dead;
        }
        if self.is_full() {
            self.not_written(stamp.at, record);
            return Writing::NoRoom;
        }
        let index = self.write(stamp.at, actor, record);
        if let Some(blow) = blow {
            self.strike(blow);
        }
        if self.dies() { Writing::Dead } else { Writing::Written(index) }
    }
}

impl Journal for Shared {
    async fn append(
        &self,
        _subject: &Subject,
        stamp: Stamp,
        actor: Option<String>,
        records: Vec<Record>,
    ) -> Result<u64, JournalError> {
        self.call().await;
        let mut first = None;
        for record in records {
            let writing = self.world().write_or_not(&stamp, actor.clone(), record);
            match writing {
                Writing::Written(index) => first = first.or(Some(index)),
                Writing::NoRoom => return Err(JournalError::Cancelled),
                Writing::Dead => std::future::pending().await,
            }
        }
        Ok(first.unwrap_or_default())
    }

    async fn store(&self, _subject: &Subject, release: Release) -> Result<(), JournalError> {
        self.call().await;
        self.world().releases.insert(release.id, release.into());
        Ok(())
    }

    fn records(&self, _subject: &Subject) -> Result<Vec<Entry>, JournalError> {
        Ok(self.world().journal.clone())
    }

    fn releases(&self, _subject: &Subject) -> Result<Vec<Release>, JournalError> {
        Ok(self.world().releases.values().map(|release| Release::clone(release)).collect())
    }

    fn pruned(
        &self,
        _subject: &Subject,
    ) -> Result<BTreeMap<ReleaseId, PrunedRelease>, JournalError> {
        Ok(BTreeMap::new())
    }

    fn subjects(&self) -> Result<Vec<Subject>, JournalError> {
        let world = self.world();
        let known = (!world.journal.is_empty()).then(|| subject(&world.scenario.spec));
        Ok(known.into_iter().collect())
    }

    fn newest(&self) -> Result<Option<Stamp>, JournalError> {
        let world = self.world();
        let stamp =
            |entry: &Entry| Stamp { at: entry.at, boottime: entry.at.0, boot: String::new() };
        Ok(world.journal.last().map(stamp))
    }

    async fn prune(
        &self,
        _subject: &Subject,
        _releases: Vec<PrunedRelease>,
        _cut: Option<Cut>,
    ) -> Result<(), JournalError> {
        // Nobody prunes here: `cut.rs` of the engine has its own tests.
        Err(JournalError::Cancelled)
    }

    fn sizes(&self, _subject: &Subject) -> Result<BTreeMap<ReleaseId, u64>, JournalError> {
        Ok(BTreeMap::new())
    }

    fn size_until(&self, _subject: &Subject, _last: u64) -> Result<Stored, JournalError> {
        Ok(Stored::default())
    }

    fn compact(&self) -> Result<(), JournalError> {
        Ok(())
    }

    async fn make_room(&self) {}
}
