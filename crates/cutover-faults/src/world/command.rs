//! Commands as a person types them, in one world.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::World;
use crate::failure::{Failure, cannot};

/// The longest a command may take that waits for nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that ended.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) line: String,
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The object that `--json` prints at the end.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_str(self.stdout.lines().last()?).ok()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ran { line, code, stdout, stderr } = self;
        write!(f, "`cutover {line}` ended with {code:?}\n{stdout}{stderr}")
    }
}

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Started {
    line: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl World {
    fn command(&self, line: &str, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(line.split_whitespace())
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.folder)
            .env("TMPDIR", &self.folder)
            .env("CUTOVER_STATE", self.state())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            // Ctrl-C on the harness is no Ctrl-C on what it looks at.
            .process_group(0);
        command
    }

    /// Starts a command in a folder and goes on.
    pub(crate) fn start(&self, folder: &Path, line: &str) -> Result<Started, Failure> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = |kind: &str| self.folder.join(format!("command-{number}.{kind}"));
        let file = |path: &Path| File::create(path).map_err(cannot("keep what a command says"));
        let (stdout, stderr) = (path("out"), path("err"));
        let mut command = self.command(line, folder);
        command.stdout(file(&stdout)?).stderr(file(&stderr)?);
        let child = command.spawn().map_err(cannot(format!("start `cutover {line}`")))?;
        Ok(Started { line: line.to_owned(), child, stdout, stderr })
    }

    /// Runs a command in a folder to its end.
    pub(crate) fn run_in(&self, folder: &Path, line: &str) -> Result<Ran, Failure> {
        self.start(folder, line)?.wait(PATIENCE)
    }
    /// Runs a command that concerns no app.
    pub(crate) fn run(&self, line: &str) -> Result<Ran, Failure> {
        self.run_in(&self.folder, line)
    }
}

impl Started {
    /// Has it ended?
    pub(crate) fn is_over(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; one that does not end is killed, and its code is missing.
    pub(crate) fn wait(mut self, limit: Duration) -> Result<Ran, Failure> {
        let end = Instant::now() + limit;
        while !self.is_over() {
            if Instant::now() > end {
                // It may end just now.
                let _ = self.child.kill();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = self.child.wait().map_err(cannot("wait for a command"))?;
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let (stdout, stderr) = (read(&self.stdout), read(&self.stderr));
        Ok(Ran { line: self.line.clone(), code: status.code(), stdout, stderr })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // One that was waited for has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
