//! Why an instance is not ready, in one line.

use super::super::exits::{Ending, Exit};
use super::super::logs;
use super::super::paths::Folder;

/// How an attempt ended, and what is left of it.
pub(super) fn ended(folder: &Folder, exit: &Exit) -> String {
    match stubborn(&exit.left) {
        Some(left) => format!("{}; {left}", how(folder, exit)),
        None => how(folder, exit),
    }
}

/// Which processes cannot be ended; `None` if there are none.
pub(super) fn stubborn(left: &[i32]) -> Option<String> {
    let pids: Vec<String> = left.iter().map(i32::to_string).collect();
    match pids.as_slice() {
        [] => None,
        [pid] => Some(format!("its process {pid} does not end, even by KILL")),
        pids => Some(format!("its processes {} do not end, even by KILL", pids.join(", "))),
    }
}

/// How an attempt ended, with the last thing it said.
fn how(folder: &Folder, exit: &Exit) -> String {
    let ran = seconds(exit.ran_ms);
    let how = match &exit.ending {
        Ending::Code(code) => format!("exited with code {code} after {ran} s"),
        Ending::Signal(signal) => format!("killed by signal {signal} after {ran} s"),
        Ending::NotStarted(reason) => return format!("cannot start: {reason}"),
        Ending::KeeperDied => return "its keeper died".to_owned(),
        Ending::Rebooted => return "the machine was restarted".to_owned(),
        Ending::Asked => return "stopped".to_owned(),
    };
    let began = exit.at.unix_ms.saturating_sub(exit.ran_ms);
    match logs::last_line(folder, began) {
        Some(line) => format!("{how}: {line}"),
        None => how,
    }
}

/// Tenths up to ten seconds, whole ones beyond.
fn seconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{}", ms / 1000, ms % 1000 / 100),
        _ => format!("{}", ms / 1000),
    }
}
