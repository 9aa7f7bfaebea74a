//! What a killed keeper has left running.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::super::files::{Kept, MARK};
use super::super::paths::Folder;
use super::super::processes::{self, GIVE_UP, Process};

/// From the first look at what is left to the second; each further one comes twice as late, as each
/// goes through all processes of the machine.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_LOOK: Duration = Duration::from_millis(200);
/// Who is there so long after KILL is worth telling.
const STUBBORN: Duration = Duration::from_secs(1);

/// The processes of an instance that has no keeper.
#[derive(Debug, Clone)]
pub(super) struct Leftovers {
    folder: Folder,
    kept: Option<Kept>,
}

impl Leftovers {
    pub(super) fn of(folder: &Folder, kept: Option<&Kept>) -> Leftovers {
        Leftovers { folder: folder.clone(), kept: kept.cloned() }
    }

    /// Returns when none is left, or after a while.
    pub(super) async fn last(&self, longest: Duration) {
        let end = Instant::now() + longest;
        while Instant::now() < end && !self.look().await.is_empty() {
            sleep(LONGEST_LOOK.min(end.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// Ends all: TERM, and KILL after `grace`. Gives up on those that nothing ends, and names them;
    /// they are told to `stubborn` before.
    pub(super) async fn end(&self, grace: Duration, stubborn: impl Fn(&[i32])) -> Vec<i32> {
        let kill_at = Instant::now() + grace;
        let mut asked = BTreeSet::new();
        let mut is_forced = false;
        let mut pause = FIRST_LOOK;
        loop {
            let left = self.look().await;
            let pids: Vec<i32> = left.iter().map(|process| process.pid).collect();
            let now = Instant::now();
            if left.is_empty() || now >= kill_at + GIVE_UP {
                return pids;
            }
            if now >= kill_at + STUBBORN {
                stubborn(&pids);
            }
            let force = now >= kill_at;
            if force && !is_forced {
                (is_forced, pause) = (true, FIRST_LOOK);
            }
            for process in left {
                if force {
                    processes::signal(process, Signal::KILL);
                } else if asked.insert((process.pid, process.started)) {
                    processes::signal(process, Signal::TERM);
                }
            }
            let next = now + pause;
            tokio::time::sleep_until(if force { next } else { next.min(kill_at) }).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    /// Those that are there now. `/proc` is read on a thread that may wait for it.
    async fn look(&self) -> Vec<Process> {
        let leftovers = self.clone();
        let found = tokio::task::spawn_blocking(move || leftovers.find()).await;
        // It fails only when the runtime ends, and this task with it.
        found.unwrap_or_default()
    }

    /// Those that carry the instance's mark, those of the keeper's session, the recorded app
    /// itself, and everything below these.
    fn find(&self) -> Vec<Process> {
        let kept = self.kept.as_ref();
        let all = processes::all();
        let mark = self.folder.path().to_string_lossy();
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        // While a session has members its number is given to no other process; if there is a
        // process with that number, and it is not the dead keeper, the session is somebody else's.
        let session = kept
            .filter(|kept| !all.iter().any(|process| process.pid == kept.keeper && !process.ended));
        let is_ours = |process: &Process| {
            let recorded = kept.is_some_and(|kept| {
                process.pid == kept.child && process.started == kept.child_started
            });
            let in_session = session.is_some_and(|kept| {
                process.session == kept.keeper && process.started >= kept.child_started
            });
            recorded || in_session || processes::carries(process.pid, MARK, &mark)
        };
        let mut ours: Vec<Process> = all
            .iter()
            .filter(|process| !process.ended && process.pid != me && is_ours(process))
            .copied()
            .collect();
        for root in ours.clone() {
            ours.extend(processes::descendants(&all, root.pid));
        }
        ours.sort_unstable_by_key(|process| process.pid);
        ours.dedup_by_key(|process| process.pid);
        ours
    }
}
