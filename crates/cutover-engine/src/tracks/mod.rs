//! Who saw which variant of a flag, and what came of it: kept beyond the data plane that was told,
//! and compared.
//!
//! The unit is the user, counted in the variant of the first exposure; one who sees another variant
//! later stays there and is counted as contaminated. Kept are users and outcomes, not single
//! exposures, so that a page that is looked at a thousand times takes no more room than one.
//!
//! Bounded: what is older than [`KEPT`] goes, and the oldest when there are more than
//! [`MOST_BYTES`]. What was lost is counted, and every report tells it.

mod amounts;
mod analysis;
mod cohort;
mod comparison;
mod question;
mod report;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cutover_core::id::Environment;
use cutover_core::served_flags::Tracks;
use cutover_core::units::At;

use crate::journal::JournalError;
pub use analysis::analyse;
pub use cohort::{Cohort, Person, Split};
pub use question::Question;
pub use report::{
    Difference, ExperimentReport, Interval, Lift, Losses, SampleRatioCheck, Segment, Tally,
    VariantCount, Verdict,
};
use store::Store;

/// How long users and outcomes are kept after they were last heard of.
pub const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How much room they may take.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// So many tracks may come before room is looked at again.
const UNTIDIED: usize = 100_000;

/// Where reading goes on: a process of the data plane, and a place in what it was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The process; `None` before anything was read.
    pub epoch: Option<u64>,
    /// Pass this as `after`.
    pub after: u64,
}

/// Users and outcomes of all environments.
#[derive(Debug)]
pub struct TrackLog {
    store: Mutex<(Store, usize)>,
}

impl TrackLog {
    /// Opens or makes the log in the state folder.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(state: &Path) -> Result<TrackLog, JournalError> {
        Ok(TrackLog { store: Mutex::new((Store::open(state)?, UNTIDIED)) })
    }

    /// Where reading an environment goes on.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn cursor(&self, env: &Environment) -> Result<Cursor, JournalError> {
        self.with(|store| store.cursor(&env.to_string()))
    }

    /// Keeps what was read, and where to go on, in one transaction: what is said twice counts once.
    /// `splits` are how each flag deals its users out now. How many tracks are known to be lost, and
    /// whether the process was another one than before, so that some may be.
    ///
    /// # Errors
    /// Nothing was kept then, and the cursor is where it was.
    pub fn keep(
        &self,
        env: &Environment,
        tracks: &Tracks,
        splits: &BTreeMap<String, Split>,
    ) -> Result<(u64, bool), JournalError> {
        let mut locked = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, untidied) = &mut *locked;
        let lost = store.keep(&env.to_string(), tracks, splits)?;
        *untidied += tracks.tracks.len();
        Ok(lost)
    }

    /// Drops what is too old, and the oldest if there is too much; cheap if nothing came since.
    /// `really` looks even if little came.
    ///
    /// # Errors
    /// Nothing was dropped then.
    pub fn tidy(&self, now: At, really: bool) -> Result<(), JournalError> {
        let mut locked = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, untidied) = &mut *locked;
        if really || *untidied >= UNTIDIED {
            store.tidy(before(now), MOST_BYTES)?;
            *untidied = 0;
        }
        Ok(())
    }

    /// What there is of each variant of a flag, of users first exposed at `since` or later: how many,
    /// how many of them had the outcome afterwards, and how much that was together. For a judge of a
    /// flag's ramp: exposed users are the trials and converted ones the successes.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn by_variant(
        &self,
        env: &Environment,
        flag: &str,
        outcome: &str,
        since: At,
    ) -> Result<BTreeMap<String, Tally>, JournalError> {
        let question = Question {
            outcome: Some(outcome.to_owned()),
            since: Some(since),
            ..Question::of(flag)
        };
        let cohort = self.with(|store| store.cohort(&env.to_string(), &question))?;
        let mut found: BTreeMap<String, Tally> = BTreeMap::new();
        for person in &cohort.people {
            let Some(variant) = cohort.variants.get(person.variant) else { continue };
            let tally = found.entry(variant.clone()).or_default();
            tally.users += 1;
            tally.converted += u64::from(person.converted.is_some());
            tally.amount += person.amount;
        }
        Ok(found)
    }

    /// Compares a flag's variants.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn report(
        &self,
        env: &Environment,
        question: &Question,
        now: At,
    ) -> Result<ExperimentReport, JournalError> {
        let name = env.to_string();
        let (cohort, losses, outcomes) = self.with(|store| {
            Ok((store.cohort(&name, question)?, store.losses(&name)?, store.outcomes(&name)?))
        })?;
        let report = analyse(&cohort, question, now);
        Ok(ExperimentReport { environment: env.clone(), losses, outcomes, ..report })
    }

    fn with<T>(
        &self,
        ask: impl FnOnce(&mut Store) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        ask(&mut self.store.lock().unwrap_or_else(PoisonError::into_inner).0)
    }
}

fn before(now: At) -> At {
    At(now.0.saturating_sub(u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX)))
}
