//! Running a program of the spec to its end. Never through a shell, with little of the daemon's own
//! environment, and as a process group that ends when it is given up.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The last bytes of output that are kept.
const OUTPUT: usize = 64 * 1024;
/// Variables of the daemon's own environment that a program gets, too.
const PASSED: [&str; 6] = ["PATH", "HOME", "LANG", "TZ", "CUTOVER_STATE", "CUTOVER_RUN"];
/// How long output may still come once the program has ended: a child left behind may hold it open.
const REST: Duration = Duration::from_millis(200);

/// A program that ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// The last 64 KiB of what it printed, errors among the rest as they came.
    pub output: String,
    /// The last 64 KiB of what it printed to its standard output alone.
    pub stdout: String,
}

/// A program that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// There is none.
    #[error("no program is named")]
    Nothing,
    /// As root, a program that others may write would be theirs to choose.
    #[error("{} can be written by others and is not run as root", .0.display())]
    Unsafe(PathBuf),
    /// It did not start.
    #[error("cannot start {program}: {error}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It started, and is lost.
    #[error("cannot wait for {program}: {error}")]
    Wait {
        /// Which.
        program: String,
        /// Why.
        error: io::Error,
    },
}

/// Runs a program and its arguments in the folder `base` to the end. Of `facts` it gets each as a
/// variable: `app` as `CUTOVER_APP`.
///
/// There is no deadline: dropping the future kills the program with its process group. What a
/// program that ended leaves in the background is its own affair.
///
/// # Errors
/// Where it cannot be run; an exit code other than 0 is no error here.
pub async fn execute(
    run: &[String],
    base: &Path,
    facts: &[(&str, String)],
) -> Result<Ended, ExecuteError> {
    let (program, arguments) = run.split_first().ok_or(ExecuteError::Nothing)?;
    refuse_unsafe(program, base)?;
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .current_dir(base)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for name in PASSED {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    for (name, value) in facts {
        command.env(format!("CUTOVER_{}", name.to_ascii_uppercase()), value);
    }
    let mut child =
        command.spawn().map_err(|error| ExecuteError::Start { program: program.clone(), error })?;
    let mut group =
        Group(child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (output, alone) = (Output::default(), Output::default());
    let (both, errors) = ([&output, &alone], [&output]);
    let reading = async { tokio::join!(keep_last(stdout, &both), keep_last(stderr, &errors)) };
    tokio::pin!(reading);
    let status = tokio::select! {
        status = child.wait() => {
            group.forget();
            let _ = tokio::time::timeout(REST, &mut reading).await;
            status
        }
        _ = &mut reading => child.wait().await,
    };
    let status = status.map_err(|error| ExecuteError::Wait { program: program.clone(), error })?;
    group.forget();
    Ok(Ended { status, output: output.text(), stdout: alone.text() })
}

/// The last lines of a text.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

/// The last [`OUTPUT`] bytes of what came.
#[derive(Default)]
struct Output(Mutex<VecDeque<u8>>);

impl Output {
    fn add(&self, part: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(part);
        let excess = kept.len().saturating_sub(OUTPUT);
        kept.drain(..excess);
    }
    fn text(&self) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(kept.make_contiguous()).into_owned()
    }
}

/// Reads to the end.
async fn keep_last(source: Option<impl AsyncRead + Unpin>, outputs: &[&Output]) {
    let Some(mut source) = source else { return };
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = source.read(&mut part).await {
        let part = part.get(..read).unwrap_or_default();
        outputs.iter().for_each(|output| output.add(part));
    }
}

/// A process group: ended whole when its program is given up.
struct Group(Option<Pid>);

impl Group {
    /// The leader was waited for: its number may become another's.
    fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = rustix::process::kill_process_group(leader, Signal::KILL);
        }
    }
}

fn refuse_unsafe(program: &str, base: &Path) -> Result<(), ExecuteError> {
    use std::os::unix::fs::PermissionsExt;
    let path = base.join(program);
    let others = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0)
    };
    if rustix::process::geteuid().is_root() && program.contains('/') && others(&path) {
        return Err(ExecuteError::Unsafe(path));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn standard_output_is_told_apart_from_errors() {
        let run = ["sh", "-c", "echo $CUTOVER_APP; echo bad >&2; exit 3"].map(str::to_owned);
        let ended = execute(&run, Path::new("/"), &[("app", "shop".to_owned())]).await.unwrap();
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(3), "shop\n"));
        assert!(ended.output.contains("shop\n") && ended.output.contains("bad\n"));
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert!(matches!(execute(&[], Path::new("/"), &[]).await, Err(ExecuteError::Nothing)));
    }
}
