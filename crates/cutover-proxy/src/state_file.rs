//! What the proxy must know again after a start: the tables in force and the fence.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cutover_core::dataplane::Publication;
use cutover_core::id::Subject;
use cutover_files::{FileError, write_atomic};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Folders, ballast};

/// The form of the file; a proxy reads no newer one.
const SCHEMA: u32 = 1;

/// All that is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// The oldest engine start that is obeyed.
    pub(crate) fence: u32,
    pub(crate) apps: BTreeMap<Subject, StoredApp>,
}

/// One app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredApp {
    pub(crate) publication: Publication,
    /// Where the preview really listened, to have the same port again.
    pub(crate) preview: Option<SocketAddr>,
}

/// A state file that is there but cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither copy can be used. The proxy does not start, since an empty start would forget every
    /// table.
    #[error("the state in {} is unusable ({current}), and so is the copy before it ({previous})", path.display())]
    Unusable {
        /// The newer copy.
        path: PathBuf,
        /// What is wrong with it.
        current: String,
        /// What is wrong with the other.
        previous: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The copy before cannot be kept.
    #[error("cannot keep the previous state as {}", path.display())]
    Keep {
        /// Where it should be.
        path: PathBuf,
        /// Why it is not.
        source: io::Error,
    },
    /// It cannot be put into words.
    #[error("cannot encode the state")]
    Encode(#[from] serde_json::Error),
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    /// SHA-256 of `state` as compact JSON, in hexadecimal.
    checksum: String,
    state: Value,
}

/// Why the copy before is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fallback {
    /// For the log.
    pub(crate) warning: String,
    /// Was there a newer one, so that what is loaded may not be in force any more?
    pub(crate) is_old: bool,
}

/// The stored state; `None` where nothing was ever stored. Says so where it is not the newest.
pub(crate) fn load(folders: &Folders) -> Result<(Option<Stored>, Option<Fallback>), StateError> {
    load_from(&folders.state_file(), &folders.previous_state_file())
}

/// The same of a file that is stored in this way.
pub(crate) fn load_from<T: DeserializeOwned>(
    path: &Path,
    previous: &Path,
) -> Result<(Option<T>, Option<Fallback>), StateError> {
    let (current, is_old) = match read(path) {
        Ok(Some(stored)) => return Ok((Some(stored), None)),
        // A crash between the two steps of `store` leaves the previous copy only, and the next one
        // is not in force yet.
        Ok(None) => ("it is missing".to_owned(), false),
        Err(wrong) => (wrong, true),
    };
    match read(previous) {
        Ok(Some(stored)) => {
            // At once, or the next `store` would keep the bad copy and drop the good one. It is moved
            // and not copied, so that a full disk does not keep the proxy from starting.
            std::fs::rename(previous, path)
                .map_err(|source| StateError::Keep { path: path.to_owned(), source })?;
            let warning = format!("{}: {current}; using the copy before", path.display());
            Ok((Some(stored), Some(Fallback { warning, is_old })))
        }
        Ok(None) if !path.exists() => Ok((None, None)),
        Ok(None) => {
            let previous = "it is missing".to_owned();
            Err(StateError::Unusable { path: path.to_owned(), current, previous })
        }
        Err(previous) => Err(StateError::Unusable { path: path.to_owned(), current, previous }),
    }
}

/// Stores a new state durably, and keeps the one before. A full disk is no reason to refuse while
/// there is ballast.
pub(crate) fn store(folders: &Folders, stored: &Stored) -> Result<(), StateError> {
    store_to(folders, &folders.state_file(), &folders.previous_state_file(), stored)
}

/// The same for a file that [`load_from`] reads.
pub(crate) fn store_to(
    folders: &Folders,
    path: &Path,
    previous: &Path,
    stored: &impl Serialize,
) -> Result<(), StateError> {
    // One that was damaged meanwhile must not take the place of the good one before it.
    let is_good = matches!(read::<Value>(path), Ok(Some(_)));
    if is_good && let Err(source) = std::fs::rename(path, previous) {
        return Err(StateError::Keep { path: previous.to_owned(), source });
    }
    let written = match write(path, stored) {
        Err(StateError::File(error))
            if ballast::would_help(&error.source) && ballast::release(folders) =>
        {
            write(path, stored)
        }
        written => written,
    };
    if is_good && written.is_err() {
        // What is in force stays what is stored; if it cannot be moved, `load` finds it where it is.
        let _ = std::fs::rename(previous, path);
    }
    // As much of it as there is room for; a disk that is full says so where it matters.
    let _ = ballast::refill(folders);
    written
}

fn write(path: &Path, stored: &impl Serialize) -> Result<(), StateError> {
    let state = serde_json::to_value(stored)?;
    let file = File { schema: SCHEMA, checksum: checksum(&state)?, state };
    Ok(write_atomic(path, &serde_json::to_vec(&file)?)?)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| error.to_string())?,
    };
    let file: File = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if file.schema > SCHEMA {
        return Err(format!("it is of schema {}, and this proxy knows {SCHEMA}", file.schema));
    }
    if checksum(&file.state).map_err(|error| error.to_string())? != file.checksum {
        return Err("its checksum is wrong".to_owned());
    }
    serde_json::from_value(file.state).map(Some).map_err(|error| error.to_string())
}

fn checksum(state: &Value) -> serde_json::Result<String> {
    let digest = Sha256::digest(serde_json::to_vec(state)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use cutover_files::write_atomic;

    use super::*;

    fn folders(folder: &Path) -> Folders {
        Folders { state: folder.to_owned(), run: folder.to_owned() }
    }

    fn fence(fence: u32) -> Stored {
        Stored { fence, ..Stored::default() }
    }

    #[test]
    fn a_damaged_state_falls_back_and_two_damaged_ones_never_start_empty() {
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path());
        assert_eq!(load(&folders).unwrap(), (None, None));
        store(&folders, &fence(1)).unwrap();
        store(&folders, &fence(2)).unwrap();
        assert_eq!(load(&folders).unwrap().0, Some(fence(2)));
        let text = std::fs::read_to_string(folders.state_file()).unwrap();
        let changed = text.replace("\"fence\":2", "\"fence\":3");
        assert_ne!(text, changed);
        write_atomic(&folders.state_file(), changed.as_bytes()).unwrap();
        let (stored, fallback) = load(&folders).unwrap();
        let fallback = fallback.unwrap();
        assert_eq!(stored, Some(fence(1)));
        assert!(fallback.warning.contains("checksum") && fallback.is_old);
        // The good copy was put in place of the bad one.
        assert_eq!(load(&folders).unwrap(), (Some(fence(1)), None));
        for path in [folders.state_file(), folders.previous_state_file()] {
            write_atomic(&path, b"{").unwrap();
        }
        assert!(matches!(load(&folders), Err(StateError::Unusable { .. })));
        std::fs::remove_file(folders.previous_state_file()).unwrap();
        assert!(matches!(load(&folders), Err(StateError::Unusable { .. })));
    }

    #[test]
    fn a_damaged_state_never_replaces_the_good_one_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path());
        store(&folders, &fence(1)).unwrap();
        store(&folders, &fence(2)).unwrap();
        write_atomic(&folders.state_file(), b"{").unwrap();
        store(&folders, &fence(3)).unwrap();
        assert_eq!(load(&folders).unwrap(), (Some(fence(3)), None));
        // As a crash in the middle of that would have left it.
        std::fs::remove_file(folders.state_file()).unwrap();
        assert_eq!(load(&folders).unwrap().0, Some(fence(1)));
    }

    #[test]
    fn a_state_from_before_mirrors_and_flags_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path());
        // As it was written then.
        let state = r#"{"apps":{"shop":{"preview":null,"publication":{"frontend":{
            "drain_requests":"30s","drain_upgraded":"30s","hold_limit":"1m","hold_most":1000,
            "host":null,"listen":"127.0.0.1:8080","path":null,"preview":"127.0.0.1:0",
            "while_down":"hold"},"generation":{"epoch":3,"seq":9},"table":{"deal":{"split":{
            "favoured":"r2","shares":{"r1":"90%","r2":"10%"},"sticky":"cookie"}},
            "serving":{"r1.0":"127.0.0.1:20000","r2.0":"127.0.0.1:20001"}}}}},"fence":3}"#;
        let state: Value = serde_json::from_str(state).unwrap();
        let file = File { schema: 1, checksum: checksum(&state).unwrap(), state };
        write_atomic(&folders.state_file(), &serde_json::to_vec(&file).unwrap()).unwrap();
        let (stored, warning) = load(&folders).unwrap();
        assert_eq!(warning, None);
        let publication = &stored.unwrap().apps[&"shop".parse().unwrap()].publication;
        assert_eq!(publication.frontend.mirror, Default::default());
        assert_eq!(publication.frontend.identity, Default::default());
        assert_eq!(publication.table.serving.len(), 2);
        assert!(publication.table.flags.is_empty() && publication.table.mirrored.is_empty());
    }

    #[test]
    fn what_cannot_be_stored_leaves_the_state_and_there_is_ballast() {
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path());
        store(&folders, &fence(1)).unwrap();
        let ballast = || std::fs::metadata(folders.ballast()).unwrap().len();
        assert_eq!(ballast(), 64 * 1024);
        // A folder in the place of the file that is written first.
        let beside = folder.path().join(format!(".state.json.{}.new", std::process::id()));
        std::fs::create_dir(&beside).unwrap();
        assert!(store(&folders, &fence(2)).is_err());
        assert_eq!(load(&folders).unwrap(), (Some(fence(1)), None), "the newest there is");
        std::fs::remove_dir(&beside).unwrap();
        write_atomic(&folders.ballast(), b"too small").unwrap();
        store(&folders, &fence(3)).unwrap();
        assert_eq!(ballast(), 64 * 1024);
    }

    #[test]
    fn a_crash_between_the_two_steps_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path());
        store(&folders, &fence(4)).unwrap();
        std::fs::rename(folders.state_file(), folders.previous_state_file()).unwrap();
        let (stored, fallback) = load(&folders).unwrap();
        assert_eq!(stored, Some(fence(4)));
        assert!(!fallback.unwrap().is_old, "it is what was acknowledged last");
    }
}
