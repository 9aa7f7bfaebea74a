//! A second reader of what an app prints, for the time after its keeper was killed.

use std::fs::OpenOptions;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{FileType, OFlags, fcntl_setfl, fstat};

use super::super::files::Kept;
use super::super::keeper::Output;
use super::super::paths::Folder;

/// The reading end of an app's pipe, not read while the keeper does.
///
/// A pipe without a reader ends the app with SIGPIPE at its next line. With this one it prints on,
/// and its requests can end.
#[derive(Debug)]
pub(super) struct SpareReader(OwnedFd);

impl SpareReader {
    /// Opens the pipe once more through the keeper's descriptor; `None` where that cannot be done,
    /// as for a keeper of an older version.
    pub(super) fn open(kept: &Kept) -> Option<SpareReader> {
        let path = format!("/proc/{}/fd/{}", kept.keeper, kept.output?);
        // Not to wait for a writer, of which there may be none any more.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
        let end = OwnedFd::from(OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?);
        let kind = FileType::from_raw_mode(fstat(&end).ok()?.st_mode);
        (kind == FileType::Fifo).then_some(SpareReader(end))
    }

    /// Takes the keeper's place: a thread writes the rest to the log, until the last writer is gone.
    pub(super) fn follow(self, folder: &Folder, limit: u64) -> io::Result<()> {
        fcntl_setfl(&self.0, OFlags::empty())?;
        Output::follow(PipeReader::from(self.0), folder, limit).map(drop)
    }
}
