//! Processes that a test started, found by what only they can have: its folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Processes whose working folder or environment lies in `folder`; never this one.
pub(crate) fn processes(folder: &Path) -> Vec<u32> {
    let mut found = Vec::new();
    let text = folder.to_string_lossy().into_owned();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let path = entry.path();
        let inside = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        let told = String::from_utf8_lossy(&environment).contains(&text);
        let zombie = fs::read_to_string(path.join("stat"))
            .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')));
        if (inside || told) && !zombie && pid != std::process::id() {
            found.push(pid);
        }
    }
    found
}

/// Ends them all: the daemon first, because it would start things again.
pub(crate) fn end(folder: &Path) {
    let mut told = Vec::new();
    let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    for pid in processes(folder).into_iter().filter(|pid| name(*pid).contains("daemon\0run")) {
        signal(pid, "KILL");
    }
    let limit = Instant::now() + Duration::from_secs(8);
    loop {
        let left = processes(folder);
        if left.is_empty() {
            return;
        }
        let late = Instant::now() > limit;
        for pid in left {
            if late {
                signal(pid, "KILL");
            } else if !told.contains(&pid) {
                told.push(pid);
                signal(pid, "TERM");
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to one process.
pub(crate) fn signal(pid: u32, name: &str) {
    // It may have ended by itself in the meantime.
    let _ = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .stderr(Stdio::null())
        .status();
}
