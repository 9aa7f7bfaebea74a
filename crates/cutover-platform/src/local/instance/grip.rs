//! A hold on a keeper: to notice its end at once, and to signal it and nobody else.

use std::io;
use std::os::fd::OwnedFd;

use cutover_files::Lock;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::unix::AsyncFd;

use super::super::files::Kept;
use super::super::paths::Folder;

/// A process descriptor of a keeper that was alive when it was taken.
#[derive(Debug)]
pub(super) struct Grip {
    descriptor: AsyncFd<OwnedFd>,
}

impl Grip {
    /// `None` if the keeper is gone.
    ///
    /// The descriptor is taken first and the lock looked at then: as the lock dies with its keeper,
    /// the descriptor belongs to the keeper and not to a later process with its id.
    pub(super) fn take(folder: &Folder, kept: &Kept) -> io::Result<Option<Grip>> {
        let Some(pid) = Pid::from_raw(kept.keeper) else {
            return Ok(None);
        };
        let descriptor = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            // Before Linux 5.10 there was no such flag, and nothing here reads the descriptor.
            Err(rustix::io::Errno::INVAL) => pidfd_open(pid, PidfdFlags::empty()),
            other => other,
        };
        let descriptor = match descriptor {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !Lock::is_held(&folder.lock()).map_err(|error| error.source)? {
            return Ok(None);
        }
        Ok(Some(Grip { descriptor: registered(descriptor)? }))
    }
    /// Returns when the keeper has ended.
    pub(super) async fn gone(&self) {
        // An error means that the runtime ends; then nobody waits for the answer.
        let _ = self.descriptor.readable().await;
    }
    pub(super) fn signal(&self, signal: Signal) {
        // It may have ended by now, which is noticed anyway.
        let _ = pidfd_send_signal(self.descriptor.get_ref(), signal);
    }
}

#[expect(
    deprecated,
    reason = "its successor is `unsafe`, which is forbidden here; what it asks for is true: an \
              `OwnedFd` stays open and the same until the `AsyncFd` is dropped, and nothing here \
              takes it out or replaces it"
)]
fn registered(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}
