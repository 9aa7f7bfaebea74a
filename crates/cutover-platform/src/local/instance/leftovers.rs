//! What a killed keeper has left running.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use super::super::files::{Kept, MARK};
use super::super::paths::Folder;
use super::super::processes::{self, Process};

/// Between two looks at what is left.
const LOOK: Duration = Duration::from_millis(20);

/// Ends every process of an instance that has no keeper: TERM, and KILL after `grace`.
pub(super) async fn end(folder: &Folder, kept: Option<&Kept>, grace: Duration) {
    let deadline = Instant::now() + grace;
    let mut asked = BTreeSet::new();
    loop {
        let left = find(folder, kept);
        if left.is_empty() {
            return;
        }
        for process in left {
            if Instant::now() >= deadline {
                processes::signal(process, Signal::KILL);
            } else if asked.insert((process.pid, process.started)) {
                processes::signal(process, Signal::TERM);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Those that carry the instance's mark, those of the keeper's session, the recorded app itself,
/// and everything below these.
fn find(folder: &Folder, kept: Option<&Kept>) -> Vec<Process> {
    let all = processes::all();
    let mark = folder.path().to_string_lossy();
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    // While a session has members its number is given to no other process; if there is a process
    // with that number, and it is not the dead keeper, the session is somebody else's.
    let session =
        kept.filter(|kept| !all.iter().any(|process| process.pid == kept.keeper && !process.ended));
    let is_ours = |process: &Process| {
        let recorded = kept
            .is_some_and(|kept| process.pid == kept.child && process.started == kept.child_started);
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
