//! The end of the app and of everything it has started.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process_group, wait};

use super::super::exits::Ending;
use super::super::files::MARK;
use super::super::paths::Folder;
use super::super::processes::{self, GIVE_UP};
use super::signals::Signals;

/// From the first look at what is left after KILL to the second; each further one comes twice as
/// late.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LONGEST_LOOK: Duration = Duration::from_millis(200);

/// How the app ended.
pub(super) struct Ended {
    pub(super) how: Ending,
    /// Processes that nothing could end.
    pub(super) left: Vec<i32>,
}

/// All processes of an instance: those below the keeper, which as subreaper inherits every
/// orphan, and those that carry the instance's mark.
pub(super) struct Tree<'a> {
    main: i32,
    folder: &'a Folder,
    signals: &'a Signals,
}

/// What one round of waiting has shown.
struct Reaped {
    main: Option<Ending>,
    nobody_left: bool,
}

impl<'a> Tree<'a> {
    pub(super) fn of(main: i32, folder: &'a Folder, signals: &'a Signals) -> Tree<'a> {
        Tree { main, folder, signals }
    }

    /// Waits until the app ends by itself or a stop is asked, and leaves nothing behind that can be
    /// ended.
    pub(super) fn outlive(&self, grace: Duration) -> Ended {
        loop {
            let reaped = self.reap();
            if self.signals.stop_asked() {
                return Ended { how: Ending::Asked, left: self.stop(grace, reaped.nobody_left) };
            }
            if let Some(how) = reaped.main {
                let left = if reaped.nobody_left { Vec::new() } else { self.kill() };
                return Ended { how, left };
            }
            self.signals.wait(None);
        }
    }

    /// TERM to all, then KILL to those that are left.
    fn stop(&self, grace: Duration, nobody_left: bool) -> Vec<i32> {
        let deadline = Instant::now() + grace;
        let mut nobody_left = nobody_left;
        if !nobody_left {
            self.term();
        }
        while !nobody_left {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.signals.wait(Some(left));
            nobody_left = self.reap().nobody_left;
        }
        self.kill()
    }

    /// Asks every process to end, each once.
    fn term(&self) {
        // The list is made first: a parent that ends at once may take its group's traces with it.
        let below = self.below();
        if let Some(group) = Pid::from_raw(self.main) {
            // No group left means that nobody is in it.
            let _ = kill_process_group(group, Signal::TERM);
        }
        for process in below {
            if process.group != self.main {
                processes::signal(process, Signal::TERM);
            }
        }
    }

    /// Ends every process by force; returns when none is left, or with those that do not end.
    pub(super) fn kill(&self) -> Vec<i32> {
        let end = Instant::now() + GIVE_UP;
        let mut pause = FIRST_LOOK;
        loop {
            let below = self.below();
            for process in &below {
                processes::signal(*process, Signal::KILL);
            }
            let nobody_left = self.reap().nobody_left && below.is_empty();
            if nobody_left || Instant::now() >= end {
                return below.iter().map(|process| process.pid).collect();
            }
            self.signals.wait(Some(pause));
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    fn below(&self) -> Vec<processes::Process> {
        let me = getpid().as_raw_nonzero().get();
        let all = processes::all();
        let mut below = processes::descendants(&all, me);
        let folder = self.folder.path().to_string_lossy();
        below.extend(
            all.iter()
                .filter(|process| !process.ended && process.pid != me)
                .filter(|process| processes::carries(process.pid, MARK, &folder)),
        );
        below.sort_unstable_by_key(|process| process.pid);
        below.dedup_by_key(|process| process.pid);
        below
    }

    fn reap(&self) -> Reaped {
        let mut reaped = Reaped { main: None, nobody_left: false };
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == self.main => {
                    reaped.main = ending(status);
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return reaped,
                // No child at all means no descendant at all: orphans become our children.
                Err(_) => {
                    reaped.nobody_left = true;
                    return reaped;
                }
            }
        }
    }
}

fn ending(status: WaitStatus) -> Option<Ending> {
    status
        .exit_status()
        .map(Ending::Code)
        .or_else(|| status.terminating_signal().map(Ending::Signal))
}
