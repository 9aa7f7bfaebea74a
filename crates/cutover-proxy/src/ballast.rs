//! Room on the disk that is kept for the moment when there is none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use crate::Folders;

/// Several times what the state of many apps needs.
const SIZE: usize = 64 * 1024;

/// Makes it whole again, as far as there is room: also a part of it is kept from others who write.
pub(crate) fn refill(folders: &Folders) -> io::Result<()> {
    let path = folders.ballast();
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let there = usize::try_from(file.metadata()?.len()).unwrap_or(SIZE);
    let mut missing = vec![0; SIZE.saturating_sub(there)];
    // Random, or a file system that compresses would keep next to no room for it.
    fastrand::fill(&mut missing);
    file.write_all(&missing)
}

/// Gives the room back; false if there was none.
pub(crate) fn release(folders: &Folders) -> bool {
    let released = fs::remove_file(folders.ballast()).is_ok();
    // Some file systems free blocks only with this; where it fails, the write that follows tells.
    let _ = File::open(&folders.state).and_then(|folder| folder.sync_all());
    released
}

/// Is it room that was missing?
pub(crate) fn would_help(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
