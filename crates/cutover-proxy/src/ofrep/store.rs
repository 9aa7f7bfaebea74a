//! What is served, as it is stored: a file and the copy before it for each environment.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use cutover_core::id::Environment;
use cutover_core::served_flags::FlagPublication;
use cutover_core::units::At;
use cutover_files::private_folder;
use serde::{Deserialize, Serialize};

use crate::Folders;
use crate::state_file::{StateError, load_from, store_to};

const ENDING: &str = ".json";
const PREVIOUS: &str = ".json.prev";

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) publication: FlagPublication,
    /// Since when it is served.
    pub(super) since: At,
}

/// What was stored and a warning, or why it cannot be used.
type Found = Result<(Stored, Option<String>), String>;

fn paths(folders: &Folders, environment: &Environment) -> (PathBuf, PathBuf) {
    let path = |ending: &str| folders.flags().join(format!("{environment}{ending}"));
    (path(ENDING), path(PREVIOUS))
}

/// Stores a publication durably, and keeps the one before.
pub(super) fn store(
    folders: &Folders,
    environment: &Environment,
    stored: &Stored,
) -> Result<(), StateError> {
    private_folder(&folders.flags())?;
    let (path, previous) = paths(folders, environment);
    store_to(folders, &path, &previous, stored)
}

/// Forgets an environment: the older copy first, so that it does not come back.
pub(super) fn remove(folders: &Folders, environment: &Environment) -> io::Result<()> {
    let (path, previous) = paths(folders, environment);
    for path in [previous, path] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    File::open(folders.flags())?.sync_all()
}

/// All that is stored.
pub(super) fn all(folders: &Folders) -> Vec<(Environment, Found)> {
    let entries = fs::read_dir(folders.flags()).into_iter().flatten().flatten();
    let environment = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let name = name.strip_suffix(PREVIOUS).or_else(|| name.strip_suffix(ENDING))?;
        name.parse().ok()
    };
    let found: BTreeSet<Environment> = entries.filter_map(environment).collect();
    let load = |environment: Environment| {
        let loaded = load(folders, &environment);
        (environment, loaded)
    };
    found.into_iter().map(load).collect()
}

/// What is stored of one environment.
pub(super) fn load(folders: &Folders, environment: &Environment) -> Found {
    let (path, previous) = paths(folders, environment);
    match load_from(&path, &previous) {
        Ok((Some(stored), fallback)) => Ok((stored, fallback.map(|known| known.warning))),
        Ok((None, _)) => Err("they are stored no longer".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
