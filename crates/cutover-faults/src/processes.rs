//! The processes of one world, found by what only they can have: its folder.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// What a process is to Cutover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Daemon,
    Proxy,
    ProxyKeeper,
    /// Keeps one instance.
    Keeper,
    /// A copy of the app.
    Instance,
    /// A command that somebody typed, or anything else.
    Client,
}

/// A process that was seen in a world.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) role: Role,
    /// In clock ticks since boot; with the pid it names one process for ever.
    pub(crate) started: u64,
    pub(crate) line: String,
    handle: OwnedFd,
}

/// Every living process whose folder or environment lies in `folder`, oldest first; never this one.
pub(crate) fn of(folder: &Path) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut found: Vec<Process> =
        pids.filter(|pid| *pid != own).filter_map(|pid| Process::find(folder, pid)).collect();
    found.sort_by_key(|process| (process.started, process.pid));
    found
}

impl Process {
    fn find(folder: &Path, pid: i32) -> Option<Process> {
        if !belongs(folder, pid) {
            return None;
        }
        let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        // What was seen may have ended before the handle was there, and the number be another's.
        let started = started(pid).filter(|_| belongs(folder, pid))?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<String> = line
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .filter(|word| !word.is_empty())
            .collect();
        Some(Process { pid, role: role(&words), started, line: words.join(" "), handle })
    }

    /// Sends a signal; one that has ended needs none.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Waits until it has ended; false if it does not in time.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let span = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], span.as_ref()) {
                Ok(ready) => return ready > 0,
                Err(rustix::io::Errno::INTR) if !left.is_zero() => {}
                Err(_) => return false,
            }
        }
    }

    /// `kill -9`, and gone when this returns.
    pub(crate) fn kill(&self) -> bool {
        self.signal(Signal::KILL);
        self.ends_within(Duration::from_secs(10))
    }

    /// The number of the next descriptor that it opens.
    pub(crate) fn free_descriptor(&self) -> u64 {
        let is_taken =
            |number: &u64| fs::symlink_metadata(format!("/proc/{}/fd/{number}", self.pid)).is_ok();
        (0..u64::MAX).find(|number| !is_taken(number)).unwrap_or_default()
    }
}

fn belongs(folder: &Path, pid: i32) -> bool {
    let inside = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    let told = || {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let folder = folder.as_os_str().as_encoded_bytes();
        environment.windows(folder.len().max(1)).any(|part| part == folder)
    };
    inside || told()
}

/// When it started; `None` if it has ended, also if nobody has asked yet how (`man 5
/// proc_pid_stat`: the name may hold parentheses, so the last one counts).
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn role(words: &[String]) -> Role {
    match (words.get(1).map(String::as_str), words.get(2).map(String::as_str)) {
        (Some("daemon"), Some("run")) => Role::Daemon,
        (Some("proxy-serve"), _) => Role::Proxy,
        (Some("proxy-keeper"), _) => Role::ProxyKeeper,
        (Some("keeper"), _) => Role::Keeper,
        (Some("demo-app"), _) => Role::Instance,
        _ => Role::Client,
    }
}

/// Ends every process of a world: the daemon first, because it would start things again. Gives
/// those that nothing ends.
pub(crate) fn end(folder: &Path) -> Vec<Process> {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let left = of(folder);
        if left.is_empty() || Instant::now() > limit {
            return left;
        }
        let daemons = left.iter().filter(|process| process.role == Role::Daemon);
        let victims: Vec<&Process> = match daemons.clone().next() {
            Some(_) => daemons.collect(),
            None => left.iter().collect(),
        };
        for process in &victims {
            process.signal(Signal::KILL);
        }
        for process in victims {
            process.ends_within(Duration::from_millis(500));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeper(folder: &Path) -> Child {
        Command::new("/bin/sleep")
            .arg("60")
            .env("CUTOVER_STATE", folder.join("state"))
            .spawn()
            .unwrap()
    }

    #[test]
    fn a_process_is_found_by_its_folder_and_ended_alone() {
        let (mine, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut ours, mut theirs) = (sleeper(mine.path()), sleeper(other.path()));
        let found = of(mine.path());
        let pids: Vec<u32> = found.iter().map(|process| process.pid.unsigned_abs()).collect();
        let left = end(mine.path());
        let alone = theirs.try_wait().unwrap().is_none();
        theirs.kill().unwrap();
        theirs.wait().unwrap();
        assert_eq!(pids, [ours.id()]);
        assert!(left.is_empty() && alone);
        assert!(!ours.wait().unwrap().success());
        assert!(of(mine.path()).is_empty());
    }

    #[test]
    fn roles_follow_from_the_words() {
        let role =
            |line: &str| super::role(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(role("/s/bin/cutover-1 daemon run --detached"), Role::Daemon);
        assert_eq!(role("/s/bin/cutover-1 daemon start"), Role::Client);
        assert_eq!(role("/s/bin/cutover-1 keeper shop/r1.0"), Role::Keeper);
        assert_eq!(role("cutover demo-app --port 1"), Role::Instance);
        assert_eq!(role("cutover deploy v2"), Role::Client);
    }
}
