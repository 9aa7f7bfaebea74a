//! The journal: what was decided, kept before it is done. A port: [`SqliteJournal`] is what an engine
//! writes to a disk, a simulated world has one of its own.

mod pruning;
mod sqlite;

use std::collections::BTreeMap;
use std::future::Future;

use cutover_core::id::{ReleaseId, Subject};
use cutover_core::record::Record;
use cutover_core::release::{Release, ReleaseName};
use cutover_core::units::At;

use crate::clock::Stamp;

pub use crate::cut::Cut;
pub use crate::prune::Stored;
pub use sqlite::{SCHEMA, SqliteJournal};
pub(crate) use {pruning::compact, sqlite::open_private};

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The database failed.
    #[error("the journal failed")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored value could not be read or made.
    #[error("the journal holds a value that this build does not understand")]
    Value(#[from] serde_json::Error),
    /// A newer build wrote it.
    #[error("the journal has layout {found}, this build knows {SCHEMA}: use a newer cutover")]
    Newer {
        /// The layout found.
        found: u32,
    },
    /// A file beside the database failed.
    #[error(transparent)]
    File(#[from] cutover_files::FileError),
    /// The task that wrote was cancelled.
    #[error("the journal's task ended early")]
    Cancelled,
}

/// One entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number; grows over all subjects.
    pub index: u64,
    /// When.
    pub at: At,
    /// Who asked, if a person did.
    pub actor: Option<String>,
    /// What.
    pub record: Record,
}

/// What stays of a release that was pruned: its names, so that history shows them and no other
/// release gets them; its digest, so that it is recognised when it is deployed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedRelease {
    /// Its name.
    pub name: ReleaseName,
    /// Of what it runs.
    pub digest: String,
    /// When it was pruned.
    pub at: At,
    /// By whom.
    pub actor: String,
}

impl PrunedRelease {
    /// What stays of `release`, pruned by `actor`.
    #[must_use]
    pub fn of(release: &Release, at: At, actor: &str) -> PrunedRelease {
        let (digest, actor) = (release.digest.clone(), actor.to_owned());
        PrunedRelease { name: release.name(), digest, at, actor }
    }
}

/// The journal of all subjects. What a write returned for survives a power cut; after a write that
/// failed nothing of it is there.
pub trait Journal: Clone + Send + Sync + 'static {
    /// Writes records of one subject, all or none; the number of the first one.
    fn append(
        &self,
        subject: &Subject,
        stamp: Stamp,
        actor: Option<String>,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<u64, JournalError>> + Send;

    /// Stores a release. What it runs never changes; how it is rolled out may (hooks, patterns). One
    /// that was pruned is whole again.
    fn store(
        &self,
        subject: &Subject,
        release: Release,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// All records of one subject, oldest first.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    fn records(&self, subject: &Subject) -> Result<Vec<Entry>, JournalError>;

    /// All releases of one subject, oldest first.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    fn releases(&self, subject: &Subject) -> Result<Vec<Release>, JournalError>;

    /// Releases of one subject that were pruned.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    fn pruned(&self, subject: &Subject)
    -> Result<BTreeMap<ReleaseId, PrunedRelease>, JournalError>;

    /// All subjects that ever had a record.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    fn subjects(&self) -> Result<Vec<Subject>, JournalError>;

    /// The stamp of the newest record.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    fn newest(&self) -> Result<Option<Stamp>, JournalError>;

    /// Replaces releases by their names and the oldest records by their base, all or none.
    fn prune(
        &self,
        subject: &Subject,
        releases: Vec<PrunedRelease>,
        cut: Option<Cut>,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// How large each stored release is.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    fn sizes(&self, subject: &Subject) -> Result<BTreeMap<ReleaseId, u64>, JournalError>;

    /// How large the records up to this one are.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    fn size_until(&self, subject: &Subject, last: u64) -> Result<Stored, JournalError>;

    /// Gives room that is no longer needed back to the file system.
    ///
    /// # Errors
    /// Nothing is lost then.
    fn compact(&self) -> Result<(), JournalError>;

    /// There was room for a record again: keeps some for the next time there is none.
    fn make_room(&self) -> impl Future<Output = ()> + Send;
}
