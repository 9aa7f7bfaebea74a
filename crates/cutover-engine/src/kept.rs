//! What an engine keeps from one start to the next.

use std::path::Path;

use crate::api::Refused;
use crate::book::DigestKey;
use crate::engine::internal;
use crate::events::EventLog;
use crate::journal::{Journal, SqliteJournal};

/// What an engine keeps from one start to the next.
#[derive(Debug)]
pub struct Kept<J> {
    pub(crate) journal: J,
    /// The number of this start.
    pub(crate) epoch: u32,
    pub(crate) events: EventLog,
    pub(crate) key: DigestKey,
}

impl Kept<SqliteJournal> {
    /// Opens what the state folder holds, or makes it, and counts this start.
    ///
    /// # Errors
    /// Where it cannot be opened or written, or was written by a newer build.
    pub fn open(state: &Path) -> Result<Kept<SqliteJournal>, Refused> {
        let (journal, epoch) = SqliteJournal::open(state).map_err(|error| internal(&error))?;
        let events = EventLog::open(state, epoch).map_err(|error| internal(&error))?;
        let key = DigestKey::load(state)?;
        Ok(Kept { journal, epoch, events, key })
    }
}

impl<J: Journal> Kept<J> {
    /// A journal of another kind, for an engine's start of this number. Events are told and not
    /// kept, and digests of secrets mean nothing: it is for simulated worlds.
    #[must_use]
    pub fn simulated(journal: J, epoch: u32) -> Kept<J> {
        Kept { journal, epoch, events: EventLog::unkept(epoch), key: DigestKey::unkeyed() }
    }
}
