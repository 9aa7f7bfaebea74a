//! What platform and keeper write for each other.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cutover_core::spec::Health;
use cutover_core::units::Span;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::boottime::Moment;

/// The number of this form of the files.
pub(crate) const SCHEMA: u32 = 1;

/// The environment variable that marks every process of an instance with its folder.
///
/// The folder is unique on the machine; the name alone (`shop/r1.0`) is not, as there may be
/// several state folders.
pub(crate) const MARK: &str = "CUTOVER_INSTANCE_FOLDER";

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is damaged: {source}", path.display())]
    Form { path: PathBuf, source: serde_json::Error },
}

/// Reads a JSON file; `None` if there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ReadError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| ReadError::Form { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ReadError::Io { path: path.to_owned(), source }),
    }
}

/// Writes a JSON file in one step.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
    cutover_files::write_atomic(path, &bytes)
        .map_err(|error| io::Error::new(error.source.kind(), format!("{error}: {}", error.source)))
}

/// `start.json`: everything a keeper needs to start the app once. Holds secrets: 0600, never shown.
#[derive(Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) schema: u32,
    /// Which start of this instance it is, from 1. A keeper starts each at most once.
    pub(crate) attempt: u32,
    /// Program and arguments, ready to use.
    pub(crate) argv: Vec<String>,
    pub(crate) directory: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    /// The port leased for it, on loopback.
    pub(crate) port: Option<u16>,
    /// From TERM to KILL.
    pub(crate) grace: Span,
    /// How it is probed, also by a platform that was started later.
    pub(crate) health: Option<Health>,
    /// A log larger than this many bytes is rotated.
    pub(crate) log_limit: u64,
}

/// `keeper.json`: the processes of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) schema: u32,
    pub(crate) attempt: u32,
    /// Process id of the keeper, which is also the session of the app.
    pub(crate) keeper: i32,
    /// Process id of the app, which is also its process group.
    pub(crate) child: i32,
    /// When the app started, in clock ticks since boot as in `/proc/PID/stat`: with the process id
    /// it names one process for ever.
    pub(crate) child_started: u64,
    pub(crate) port: Option<u16>,
    /// The keeper's descriptor of the pipe that the app prints to.
    #[serde(default)]
    pub(crate) output: Option<i32>,
    /// When the app started.
    pub(crate) at: Moment,
}

/// `stop`: a stop was asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StopAsked {
    pub(crate) at: Moment,
}

/// `ready`: what the last change of readiness was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Readiness {
    /// For which attempt.
    pub(crate) attempt: u32,
    /// Ready, or no longer.
    pub(crate) ready: bool,
    pub(crate) at: Moment,
}
