//! Ends what still runs for one state folder.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, exit};
use crate::folders::{INSTANCE, STATE};

const POLITE: Duration = Duration::from_secs(6);
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks every process of the folder to end, and makes those end that do not.
pub(crate) async fn end(state: &Path) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut asked = Vec::new();
    loop {
        let left = of(state);
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            let pids: Vec<String> =
                left.iter().map(|left| left.pid.as_raw_nonzero().to_string()).collect();
            return Err(Failure::new(
                exit::INTERNAL,
                format!("the processes {} do not end", pids.join(", ")),
            ));
        }
        for Left { pid, handle } in left {
            // A failure means that it has ended just now.
            if begun.elapsed() > POLITE {
                let _ = pidfd_send_signal(&handle, Signal::KILL);
            } else if !asked.contains(&pid) {
                asked.push(pid);
                let _ = pidfd_send_signal(&handle, Signal::TERM);
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// A process of the folder. The number could be another process's by the time of a signal, the
/// handle cannot.
struct Left {
    pid: Pid,
    handle: OwnedFd,
}

fn of(state: &Path) -> Vec<Left> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.map(|process| process.file_name());
    let others = names.filter(|name| name.to_str() != Some(&own));
    let pids = others.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?));
    pids.filter_map(|pid| left(state, pid)).collect()
}

/// The process, if it is one of the folder.
fn left(state: &Path, pid: Pid) -> Option<Left> {
    if !belongs(state, pid) {
        return None;
    }
    let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // What was seen may have ended before the handle was there.
    belongs(state, pid).then_some(Left { pid, handle })
}

/// Daemon, keepers and proxy carry their state folder in their environment and are this program;
/// so does whatever they started that was left. The caller's shell has the folder in its
/// environment, too, and is not theirs.
fn belongs(state: &Path, pid: Pid) -> bool {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let variable = |name: &str| {
        let mut entries = environment.split(|byte| *byte == 0);
        let value =
            entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        value.map(|value| Path::new(OsStr::from_bytes(value)))
    };
    if variable(INSTANCE).is_some_and(|folder| folder.starts_with(state.join("instances"))) {
        return true;
    }
    let is_told = variable(STATE)
        .is_some_and(|told| told == state || told.canonicalize().is_ok_and(|told| told == state));
    let program = fs::read_link(process.join("exe")).unwrap_or_default();
    is_told && program.starts_with(state.join("bin"))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeper(program: &Path, variable: (&str, &Path)) -> Child {
        Command::new(program).arg("60").env(variable.0, variable.1).spawn().unwrap()
    }

    #[tokio::test]
    async fn what_belongs_to_the_folder_ends_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().canonicalize().unwrap().join("state");
        fs::create_dir_all(state.join("bin")).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&state, &link).unwrap();
        let sleep = Path::new("/bin/sleep");
        let kept = state.join("bin/sleep");
        fs::copy(sleep, &kept).unwrap();
        let ours = [
            sleeper(&kept, (STATE, &state)),
            sleeper(&kept, (STATE, &link)),
            sleeper(sleep, (INSTANCE, &state.join("instances/shop"))),
        ];
        let others = [
            sleeper(sleep, (STATE, &state)),
            sleeper(&kept, (STATE, folder.path())),
            sleeper(sleep, (INSTANCE, &state.join("instances2/shop"))),
        ];
        let waited = ours.map(|mut child| std::thread::spawn(move || child.wait()));
        let ended = end(&state).await;
        let mut alive = 0;
        for mut other in others {
            alive += usize::from(other.try_wait().unwrap().is_none());
            other.kill().unwrap();
            other.wait().unwrap();
        }
        ended.unwrap();
        for child in waited {
            assert!(!child.join().unwrap().unwrap().success());
        }
        assert_eq!(alive, 3);
    }
}
