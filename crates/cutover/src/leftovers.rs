//! Ends what still runs for one state folder.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, exit};
use crate::folders::STATE;

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
                left.iter().map(|pid| pid.as_raw_nonzero().to_string()).collect();
            return Err(Failure::new(
                exit::INTERNAL,
                format!("the processes {} do not end", pids.join(", ")),
            ));
        }
        for pid in left {
            // A failure means that it has ended just now.
            if begun.elapsed() > POLITE {
                let _ = kill_process(pid, Signal::KILL);
            } else if !asked.contains(&pid) {
                asked.push(pid);
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Daemon, keepers and proxy carry their state folder in their environment and are this program;
/// so does whatever they started that was left. The caller's shell has the folder in its
/// environment, too, and is not theirs.
fn of(state: &Path) -> Vec<Pid> {
    let mut entry = format!("{STATE}=").into_bytes();
    entry.extend_from_slice(state.as_os_str().as_bytes());
    let mut instance = b"CUTOVER_INSTANCE_FOLDER=".to_vec();
    instance.extend_from_slice(state.join("instances").as_os_str().as_bytes());
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|name| *name != own) else {
            continue;
        };
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        let variables = || environment.split(|byte| *byte == 0);
        let program = fs::read_link(process.path().join("exe")).unwrap_or_default();
        let is_cutover =
            program.starts_with(state.join("bin")) && variables().any(|variable| variable == entry);
        let is_instance = variables().any(|variable| variable.starts_with(&instance));
        let ours = is_cutover || is_instance;
        if let (true, Some(pid)) = (ours, pid.parse().ok().and_then(Pid::from_raw)) {
            found.push(pid);
        }
    }
    found
}
