//! A Cutover of its own for each test: own folder, own environment, nothing left behind.

mod http;
mod left;
mod look;
mod pty;
mod ran;
mod spec;
mod terminal;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) use http::{Answer, get_tcp, get_with, post, request};
pub(crate) use left::signal;
pub(crate) use look::{idle, served, status};
pub(crate) use pty::Pane;
pub(crate) use ran::Ran;
pub(crate) use spec::SpecText;

/// The longest a test waits for anything that has no time-out of its own.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_cutover");

/// One Cutover and one app folder.
pub(crate) struct World {
    folder: TempDir,
    /// Where the app of [`World::spec`] listens.
    pub(crate) port: u16,
}

impl World {
    pub(crate) fn new() -> World {
        // Sockets have short paths; the default folder for temporary files may not.
        let folder = tempfile::Builder::new().prefix("cutover-t").tempdir_in("/tmp").unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        World { folder, port: free_port() }
    }

    /// The folder that commands run in.
    pub(crate) fn app(&self) -> PathBuf {
        self.folder.path().join("app")
    }
    /// The state folder, with the sockets.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }
    pub(crate) fn socket(&self) -> PathBuf {
        self.state().join("daemon.sock")
    }
    /// Where users reach the app of [`World::spec`].
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A spec for the demo app, to be changed and then written: `world.spec().n(3).write()`.
    pub(crate) fn spec(&self) -> SpecText {
        SpecText::demo(self.app(), self.port)
    }
    /// Any text as `cutover.yaml`.
    pub(crate) fn write_spec(&self, text: &str) {
        write(&self.app().join("cutover.yaml"), text);
    }

    /// A command in a cleared environment, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.app())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("CUTOVER_STATE", self.state())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end: `world.run("deploy v2 --json")`.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let output = self.command(&arguments).output().unwrap();
        Ran::of(line, &output)
    }

    /// Runs a command on a terminal of its own, where somebody types these lines and then leaves.
    /// What it showed is in `stdout`.
    pub(crate) fn on_terminal(&self, line: &str, typed: &[&str]) -> Ran {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        terminal::run(line, self.command(&arguments), typed)
    }

    /// `cutover deploy VERSION`, with more flags if need be.
    pub(crate) fn deploy(&self, line: &str) -> Ran {
        self.run(&format!("deploy {line}"))
    }

    /// Starts a command and goes on; its output is collected in files.
    pub(crate) fn start(&self, line: &str) -> Started {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let number = Instant::now().elapsed().as_nanos() ^ u128::from(rand());
        let file = |name: &str| self.folder.path().join(format!("{name}-{number:x}"));
        let (stdout, stderr) = (file("stdout"), file("stderr"));
        let child = self
            .command(&arguments)
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Started { line: line.to_owned(), child, stdout, stderr }
    }

    /// The pid of the daemon that runs.
    pub(crate) fn daemon_pid(&self) -> Option<u32> {
        let answer = request(&self.socket(), "GET", "/v1/status", "").ok()?;
        answer.json()["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }

    /// Sends the daemon a signal; gives its pid.
    pub(crate) fn signal_daemon(&self, name: &str) -> u32 {
        let pid = self.daemon_pid().expect("a daemon runs");
        left::signal(pid, name);
        pid
    }
    /// Kills the daemon as a crash would.
    pub(crate) fn kill_daemon(&self) {
        let pid = self.signal_daemon("KILL");
        wait_until("the daemon is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    }

    /// Is a folder of the demo left?
    pub(crate) fn leaves_demo_folders(&self) -> bool {
        let entries = fs::read_dir(self.folder.path()).unwrap().flatten();
        entries
            .map(|entry| entry.file_name())
            .any(|name| name.to_string_lossy().starts_with("cutover-demo"))
    }

    /// Every process that belongs to this world.
    pub(crate) fn processes(&self) -> Vec<u32> {
        left::processes(self.folder.path())
    }
}

/// Ends every process of a world before it is dropped.
pub(crate) fn end(world: &World) {
    left::end(world.folder.path());
}

impl Drop for World {
    fn drop(&mut self) {
        left::end(self.folder.path());
    }
}

/// A command that runs.
pub(crate) struct Started {
    line: String,
    pub(crate) child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Started {
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap()
    }
    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        left::signal(self.child.id(), "INT");
    }
    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ran {
        let child = &mut self.child;
        wait_until(&format!("`cutover {}` ends", self.line), || {
            child.try_wait().unwrap().is_some()
        });
        let code = self.child.wait().unwrap().code();
        Ran { line: self.line.clone(), code, stdout: self.stdout(), stderr: self.stderr() }
    }
}

/// Waits for a condition; fails the test when it does not come.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < limit, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn write(path: &Path, text: &str) {
    cutover_files::write_atomic(path, text.as_bytes()).unwrap();
}

fn rand() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("number")
}
