//! The proxy process as its keeper sees it: started here, or found running.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cutover_files::Lock;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Folders;
use cutover_files::Program;

/// How often an adopted proxy is looked at until it has said which process it is.
const LOOK: Duration = Duration::from_millis(50);
const LOG_LIMIT: u64 = 10 * 1024 * 1024;

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The proxy has exited.
    Exited,
    /// Someone wants the keeper to stop.
    Signalled,
    /// The time is over.
    TimedOut,
}

/// A running proxy.
pub(super) struct Proxy {
    /// Names the process without the danger that its number is used again.
    pidfd: Option<OwnedFd>,
    /// Only of a proxy that was started here; it must be waited for.
    child: Option<Child>,
}

impl Proxy {
    /// Starts one; what it prints goes to the log.
    pub(super) fn start(
        folders: &Folders,
        program: &Program,
        args: &[OsString],
    ) -> io::Result<Proxy> {
        let log = folders.log();
        if fs::metadata(&log).is_ok_and(|log| log.len() > LOG_LIMIT) {
            // One old log is enough; where it cannot be moved, the log goes on growing.
            let _ = fs::rename(&log, log.with_extension("1"));
        }
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(&log)?;
        let with = |command: &mut Command| {
            command.args(args).stdin(Stdio::null());
            command.stdout(log.try_clone()?).stderr(log.try_clone()?);
            Ok(())
        };
        let child = program.spawn(with, |mut command| command.spawn())?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pidfd = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())).transpose()?;
        Ok(Proxy { pidfd, child: Some(child) })
    }

    /// Takes over one that outlived the keeper before.
    pub(super) fn adopt() -> Proxy {
        Proxy { pidfd: None, child: None }
    }

    /// The adopted proxy has said which process it is.
    pub(super) fn is_process(&mut self, pid: Pid) {
        if self.pidfd.is_none() {
            self.pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        }
    }

    /// Is it known which process it is?
    pub(super) fn is_known(&self) -> bool {
        self.pidfd.is_some()
    }

    /// Waits for its exit, a signal, or the end of `limit`.
    pub(super) fn wait(
        &mut self,
        folders: &Folders,
        signals: Option<BorrowedFd<'_>>,
        limit: Option<Duration>,
    ) -> io::Result<Waited> {
        let Some(pidfd) = &self.pidfd else {
            let limit = limit.map_or(LOOK, |limit| limit.min(LOOK));
            if !Lock::is_held(&folders.proxy_lock()).map_err(io::Error::other)? {
                return Ok(Waited::Exited);
            }
            return Ok(match signals {
                Some(signals) if ready(&[signals], Some(limit))?.first() == Some(&true) => {
                    Waited::Signalled
                }
                Some(_) => Waited::TimedOut,
                None => {
                    std::thread::sleep(limit);
                    Waited::TimedOut
                }
            });
        };
        let mut fds = vec![pidfd.as_fd()];
        fds.extend(signals);
        let ready = ready(&fds, limit)?;
        Ok(match ready.as_slice() {
            [true, ..] => {
                if let Some(child) = &mut self.child {
                    child.wait()?;
                }
                Waited::Exited
            }
            [_, true] => Waited::Signalled,
            _ => Waited::TimedOut,
        })
    }

    /// Sends a signal; a process that is gone already needs none.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pidfd) = &self.pidfd {
            let _ = pidfd_send_signal(pidfd, signal);
        }
    }
}

/// Which of these can be read, once one can.
pub(super) fn ready(fds: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<Vec<bool>> {
    let limit = limit.map(|limit| Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    match rustix::event::poll(&mut polled, limit.as_ref()) {
        Ok(_) => Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect()),
        Err(rustix::io::Errno::INTR) => Ok(vec![false; fds.len()]),
        Err(errno) => Err(errno.into()),
    }
}
