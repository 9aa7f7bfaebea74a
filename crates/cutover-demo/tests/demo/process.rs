//! One running demo and a bare HTTP client, on blocking sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Demo {
    child: Child,
    lines: Receiver<String>,
    pub(crate) address: String,
    pub(crate) pid: i32,
}

impl Demo {
    /// Starts `cutover-demo --version v1 ARGS` and waits until it listens.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    pub(crate) fn start_with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut demo = Self::spawn(args, env);
        let started = demo.line("started ");
        demo.address = word(&started, "address=");
        demo
    }

    /// Starts it without waiting.
    pub(crate) fn spawn(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cutover-demo"))
            .args(["--version", "v1"])
            .args(args)
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let pid = i32::try_from(child.id()).unwrap();
        let address = String::new();
        Self { child, lines, address, pid }
    }

    /// Waits for the line on stdout that begins like this.
    pub(crate) fn line(&self, beginning: &str) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.starts_with(beginning) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line {beginning:?}: {error}"),
            }
        }
    }

    /// All lines on stdout until its end.
    pub(crate) fn lines_to_end(&self) -> Vec<String> {
        std::iter::from_fn(|| match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("stdout never ends"),
        })
        .collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid).unwrap(), signal).unwrap();
    }

    /// Waits for the end; its status and what it wrote on stderr.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut status = None;
        until("the demo ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        (status.unwrap(), stderr)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// One request on a connection of its own; the whole answer as text.
    pub(crate) fn ask(&self, request: &str, headers: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "{request} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n{headers}\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn status(&self, request: &str) -> u16 {
        self.ask(request, "")[9..12].parse().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rest of the word that begins like this.
pub(crate) fn word(line: &str, beginning: &str) -> String {
    let word = line.split(' ').find_map(|word| word.strip_prefix(beginning));
    word.unwrap().to_owned()
}

/// Looks again and again until it is so, or the deadline has passed.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !so() {
        assert!(Instant::now() < end, "in {DEADLINE:?} never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The sleeper of a demo told to `--fork`; ended for good when dropped.
pub(crate) struct Sleeper(pub(crate) Pid);

impl Sleeper {
    pub(crate) fn of(demo: &Demo) -> Self {
        let line = demo.line("sleeper ");
        Self(Pid::from_raw(word(&line, "pid=").parse().unwrap()).unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

pub(crate) fn is_running(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    matches!(state, Some(state) if state != 'Z')
}

/// Reads up to these bytes and no further.
pub(crate) fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    let mut byte = [0; 1];
    while !seen.ends_with(end.as_bytes()) {
        let read = stream.read(&mut byte).unwrap();
        assert_ne!(read, 0, "ended before {end:?}: {}", String::from_utf8_lossy(&seen));
        seen.extend(byte);
    }
    String::from_utf8(seen).unwrap()
}
