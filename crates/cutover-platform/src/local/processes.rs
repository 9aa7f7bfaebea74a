//! The processes of this machine, as `/proc` shows them, and signals that hit the right one.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long processes are awaited after KILL. One that waits for a broken disk, or that belongs to
/// another user, may never end; everything else is gone in a moment.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(10);

/// One process. Its id and start time together name it for ever; the id alone is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// In clock ticks since boot.
    pub(crate) started: u64,
    /// It has ended and only waits for its parent to ask how.
    pub(crate) ended: bool,
}

/// Every process now.
pub(crate) fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(find)
        .collect()
}

/// The process with this id, if there is one.
pub(crate) fn find(pid: i32) -> Option<Process> {
    parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `man 5 proc_pid_stat`: `pid (name) state ppid pgrp session tty tpgid flags … starttime …`, where
/// the name may hold spaces and parentheses, so the last parenthesis is what counts.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    // starttime is field 22 of the whole, so 16 fields after the session.
    let started = fields.nth(15)?.parse().ok()?;
    Some(Process { pid, parent, group, session, started, ended: matches!(state, "Z" | "X" | "x") })
}

/// Every living process below one, however deep.
pub(crate) fn descendants(all: &[Process], root: i32) -> Vec<Process> {
    let mut known = BTreeSet::from([root]);
    loop {
        let before = known.len();
        for process in all {
            if known.contains(&process.parent) {
                known.insert(process.pid);
            }
        }
        if known.len() == before {
            break;
        }
    }
    known.remove(&root);
    all.iter().filter(|process| known.contains(&process.pid) && !process.ended).copied().collect()
}

/// Was it started with this variable in its environment?
pub(crate) fn carries(pid: i32, variable: &str, value: &str) -> bool {
    let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    environ.split(|byte| *byte == 0).any(|entry| {
        entry
            .strip_prefix(variable.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            .is_some_and(|found| found == value.as_bytes())
    })
}

/// Sends a signal to exactly this process, never to a later one with the same id.
pub(crate) fn signal(process: Process, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return;
    };
    // The descriptor is taken first: if the process is still the same one after that, the
    // descriptor is its own and stays so.
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if find(process.pid).is_some_and(|now| now.started == process.started) {
        // It may have ended by now, which is all that was wanted.
        let _ = pidfd_send_signal(&descriptor, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 7 8 9 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1";
        let process = parse(42, stat).unwrap();
        assert_eq!((process.parent, process.group, process.session), (7, 8, 9));
        assert_eq!(process.started, 12345);
        assert!(!process.ended);
    }

    #[test]
    fn we_are_among_all_and_descend_from_our_parent() {
        let all = all();
        let me = i32::try_from(std::process::id()).unwrap();
        let process = all.iter().find(|process| process.pid == me).unwrap();
        assert!(descendants(&all, process.parent).contains(process));
        assert!(descendants(&all, 1 << 30).is_empty());
    }
}
