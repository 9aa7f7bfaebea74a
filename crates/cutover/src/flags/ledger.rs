//! The changes of one environment, on disk before anybody is told of them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cutover_core::units::At;
use cutover_files::{FileError, private_folder, write_atomic};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change::{Change, Decision, FlagId, Setting, Settings, Standing};
use crate::failure::Failure;

/// The number of this form of the file.
const SCHEMA: u32 = 1;
/// Changes that are kept; what older ones came to stays in force.
const MOST_KEPT: usize = 5000;
/// Changes that may wait for a second person.
const MOST_WAITING: usize = 100;
/// Flags that may have settings.
const MOST_FLAGS: usize = 10_000;

/// The changes of one environment.
#[derive(Debug)]
pub(super) struct Ledger {
    file: PathBuf,
    kept: Kept,
    /// Grows with every write.
    revision: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    schema: u32,
    /// The number of the newest change.
    number: u64,
    /// How many were made.
    made: u64,
    /// What is set now.
    now: Vec<Current>,
    /// Oldest first.
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Current {
    #[serde(flatten)]
    of: FlagId,
    settings: Settings,
}

/// Why a change cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    #[error("there are {MOST_WAITING} changes already that wait for a second person")]
    TooManyWaiting,
    #[error("{MOST_FLAGS} flags have settings already")]
    TooManyFlags,
    #[error("the change cannot be stored")]
    File(#[from] FileError),
}

impl Ledger {
    /// Takes up what was changed.
    pub(super) fn open(file: PathBuf) -> Result<Ledger, Failure> {
        let unreadable = |error: &(dyn std::error::Error + 'static)| {
            Failure::internal(format!("{} cannot be read", file.display()), error)
                .help("move it away: all changes of flags are forgotten then, kills as well. The proxy serves on")
        };
        let kept = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Kept { schema: SCHEMA, number: 0, made: 0, now: vec![], changes: vec![] }
            }
            Err(error) => return Err(unreadable(&error)),
        };
        if kept.schema != SCHEMA {
            let form = format!("its form is {}, this program knows {SCHEMA}", kept.schema);
            return Err(unreadable(&io::Error::other(form)));
        }
        Ok(Ledger { file, kept, revision: 0 })
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The number that the next change gets.
    pub(super) fn next_number(&self) -> u64 {
        self.kept.number + 1
    }

    /// All that are kept, oldest first.
    pub(super) fn changes(&self) -> &[Change] {
        &self.kept.changes
    }

    pub(super) fn change(&self, number: u64) -> Option<&Change> {
        self.kept.changes.iter().find(|change| change.number == number)
    }

    /// What is set of a flag.
    pub(super) fn settings(&self, of: &FlagId) -> Settings {
        let current = self.kept.now.iter().find(|current| current.of == *of);
        current.map(|current| current.settings.clone()).unwrap_or_default()
    }

    /// The flags that have settings.
    pub(super) fn set_flags(&self) -> impl Iterator<Item = &FlagId> {
        self.kept.now.iter().map(|current| &current.of)
    }

    /// The last change made of a flag's same setting after this one.
    pub(super) fn later(&self, change: &Change) -> Option<&Change> {
        let Standing::Made(order) = change.standing else { return None };
        let touches = |other: &&Change| {
            let is_later = matches!(other.standing, Standing::Made(made) if made > order);
            let same = |a: &Setting| change.settings.iter().any(|b| a.is_like(b));
            is_later && other.of == change.of && other.settings.iter().any(same)
        };
        self.kept.changes.iter().rfind(touches)
    }

    /// When a flag was last changed.
    pub(super) fn last_made(&self, of: &FlagId) -> Option<At> {
        let made = self
            .kept
            .changes
            .iter()
            .filter(|change| change.of == *of && matches!(change.standing, Standing::Made(_)));
        made.map(|change| change.decided.as_ref().map_or(change.at, |it| it.at)).max()
    }

    /// What is laid over documents of a set, as a merge patch; nothing where nothing is set.
    /// `more` is set for this once, beyond what is kept.
    pub(super) fn patch(
        &self,
        set: Option<&str>,
        more: Option<(&FlagId, &[Setting])>,
    ) -> BTreeMap<String, Value> {
        let mut now: BTreeMap<&FlagId, Settings> =
            self.kept.now.iter().map(|current| (&current.of, current.settings.clone())).collect();
        if let Some((of, settings)) = more {
            let flag = now.entry(of).or_default();
            settings.iter().for_each(|setting| drop(flag.put(setting.clone())));
        }
        let of_set = now.into_iter().filter(|(of, _)| of.set.as_deref() == set);
        let of_set = of_set.filter(|(_, settings)| !settings.is_empty());
        of_set.map(|(of, settings)| (of.flag.clone(), settings.patch())).collect()
    }

    /// Keeps a change that waits.
    pub(super) fn wait(&mut self, change: Change) -> Result<(), NotKept> {
        let waiting = self.kept.changes.iter().filter(|it| it.standing == Standing::Waiting);
        if waiting.count() >= MOST_WAITING {
            return Err(NotKept::TooManyWaiting);
        }
        let mut kept = self.kept.clone();
        kept.number = change.number;
        kept.changes.push(change);
        self.write(kept)
    }

    /// Keeps a change and makes it: one that is new, or one that waited. Gives it as it is kept.
    pub(super) fn make(&mut self, mut change: Change) -> Result<Change, NotKept> {
        let mut kept = self.kept.clone();
        kept.made += 1;
        change.standing = Standing::Made(kept.made);
        let mut settings = self.settings(&change.of);
        change.before =
            change.settings.iter().map(|setting| settings.put(setting.clone())).collect();
        kept.now.retain(|current| current.of != change.of);
        if !settings.is_empty() {
            if kept.now.len() >= MOST_FLAGS {
                return Err(NotKept::TooManyFlags);
            }
            kept.now.push(Current { of: change.of.clone(), settings });
        }
        kept.number = kept.number.max(change.number);
        match kept.changes.iter_mut().find(|it| it.number == change.number) {
            Some(waited) => waited.clone_from(&change),
            None => kept.changes.push(change.clone()),
        }
        self.write(kept)?;
        Ok(change)
    }

    /// Takes a change back that waits. Gives it as it is kept.
    pub(super) fn withdraw(
        &mut self,
        number: u64,
        by: Decision,
    ) -> Result<Option<Change>, NotKept> {
        let mut kept = self.kept.clone();
        let Some(change) = kept.changes.iter_mut().find(|it| it.number == number) else {
            return Ok(None);
        };
        change.standing = Standing::Withdrawn;
        change.decided = Some(by);
        let change = change.clone();
        self.write(kept)?;
        Ok(Some(change))
    }

    fn write(&mut self, mut kept: Kept) -> Result<(), NotKept> {
        let surplus = kept.changes.len().saturating_sub(MOST_KEPT);
        // Those that wait are not forgotten; there are few.
        let mut left = surplus;
        kept.changes.retain(|change| {
            let goes = left > 0 && change.standing != Standing::Waiting;
            left -= usize::from(goes);
            !goes
        });
        let bytes = serde_json::to_vec(&kept).unwrap_or_default();
        private_folder(self.file.parent().unwrap_or(Path::new(".")))?;
        write_atomic(&self.file, &bytes)?;
        self.kept = kept;
        self.revision += 1;
        Ok(())
    }
}

/// A merge patch as text; nothing for an empty one.
pub(super) fn text(patch: BTreeMap<String, Value>) -> Option<String> {
    let patch: Map<String, Value> = patch.into_iter().collect();
    (!patch.is_empty()).then(|| Value::Object(patch).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::change::Act;

    fn change(number: u64, flag: &str, setting: Setting) -> Change {
        Change {
            number,
            of: FlagId { set: None, flag: flag.into() },
            act: Act::Set,
            settings: vec![setting],
            before: vec![],
            at: At(number),
            by: "ana".into(),
            person: None,
            reason: None,
            standing: Standing::Waiting,
            decided: None,
        }
    }

    #[test]
    fn what_is_written_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("changes/production.json");
        let mut ledger = Ledger::open(file.clone()).unwrap();
        let one = ledger.make(change(1, "a", Setting::Killed(Some(true)))).unwrap();
        assert_eq!(one.before, [Setting::Killed(None)]);
        ledger.wait(change(2, "a", Setting::Default(Some("on".into())))).unwrap();
        ledger.make(change(3, "a", Setting::Killed(None))).unwrap();
        ledger.make(change(2, "a", Setting::Default(Some("on".into())))).unwrap();
        let again = Ledger::open(file.clone()).unwrap();
        assert_eq!(again.changes(), ledger.changes());
        assert_eq!(again.next_number(), 4);
        assert_eq!(again.changes()[1].standing, Standing::Made(3), "by when it was made");
        assert_eq!(again.later(&one).unwrap().number, 3);
        assert_eq!(text(again.patch(None, None)).unwrap(), r#"{"a":{"defaultVariant":"on"}}"#);
        assert_eq!(text(again.patch(Some("shop"), None)), None);
        write_atomic(&file, "{".as_bytes()).unwrap();
        assert!(Ledger::open(file.clone()).is_err());
        write_atomic(&file, r#"{"schema":9,"number":0,"made":0,"now":[],"changes":[]}"#.as_bytes())
            .unwrap();
        assert!(Ledger::open(file).unwrap_err().causes[0].contains("form is 9"));
    }

    #[test]
    fn old_changes_are_forgotten_and_stay_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path().join("e.json")).unwrap();
        let changes = (1..=MOST_KEPT as u64 + 1).map(|n| change(n, "a", Setting::Killed(None)));
        ledger.kept.changes = changes.collect();
        ledger.kept.number = MOST_KEPT as u64 + 1;
        ledger.kept.changes[1].standing = Standing::Made(1);
        ledger.make(change(ledger.next_number(), "b", Setting::Killed(Some(true)))).unwrap();
        let numbers: Vec<u64> = ledger.changes().iter().take(2).map(|it| it.number).collect();
        assert_eq!(numbers, [1, 3], "the oldest that does not wait goes");
        assert!(matches!(
            ledger.wait(change(ledger.next_number(), "c", Setting::Killed(None))),
            Err(NotKept::TooManyWaiting)
        ));
    }

    #[test]
    fn a_change_that_cannot_be_stored_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("changes");
        write_atomic(&file, "not a folder".as_bytes()).unwrap();
        let mut ledger = Ledger::open(folder.path().join("e.json")).unwrap();
        ledger.file = file.join("e.json");
        assert!(ledger.make(change(1, "a", Setting::Killed(Some(true)))).is_err());
        assert!(ledger.settings(&FlagId { set: None, flag: "a".into() }).is_empty());
        assert_eq!((ledger.revision(), ledger.changes().len()), (0, 0));
    }
}
