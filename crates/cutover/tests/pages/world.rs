//! Where a page is played: a folder, a state and ports of its own, and a shell in it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::left;

/// The longest that one command may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Begins the line that tells the exit code of a command.
const END: char = '\u{1e}';
/// Where pages say that users reach their apps.
const PORTS: [u16; 3] = [8080, 8081, 8082];
/// The folder of the app, in pages.
const APP: &str = "/srv/shop";
/// The state folder, in pages.
const STATE: &str = "~/.local/state/cutover";

/// What hidden commands may use: wait until a command says something, and until the proxy has
/// counted all that was.
const PRELUDE: &str = r#"
until_says() {
  local text=$1 limit=$((SECONDS + 30)); shift
  until "$@" 2>&1 | grep -qF -- "$text"; do
    if [ $SECONDS -gt $limit ]; then echo "in vain: $text"; "$@"; return 1; fi
    sleep 0.05
  done
}
cursor() {
  curl -s --unix-socket "$CUTOVER_STATE/proxy.sock" 'http://x/v1/apps/shop/seconds?after=0' |
    grep -o '"cursor":[0-9]*'
}
counted() {
  local was limit=$((SECONDS + 30)); was=$(cursor)
  while [ "$(cursor)" = "$was" ]; do
    if [ $SECONDS -gt $limit ]; then echo "in vain: the next second"; return 1; fi
    sleep 0.05
  done
}
"#;

pub(crate) struct World {
    folder: TempDir,
    /// As pages call them, and as they are.
    ports: Vec<(u16, u16)>,
    shell: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

/// What a command printed, and its exit code.
pub(crate) struct Ran {
    pub(crate) lines: Vec<String>,
    pub(crate) code: i32,
}

impl World {
    pub(crate) fn new() -> io::Result<World> {
        // Sockets have short paths; the default folder for temporary files may not.
        let folder = tempfile::Builder::new().prefix("cutover-p").tempdir_in("/tmp")?;
        fs::create_dir(folder.path().join("app"))?;
        let taken = PORTS.map(|_| TcpListener::bind("127.0.0.1:0"));
        let free = |listener: io::Result<TcpListener>| listener?.local_addr();
        let ports = PORTS.into_iter().zip(taken).map(|(port, real)| Ok((port, free(real)?.port())));
        let ports = ports.collect::<io::Result<_>>()?;
        let (reader, writer) = io::pipe()?;
        let mut shell = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder.path().join("app"))
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin().display()))
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("LANG", "C.UTF-8")
            .env("CUTOVER_STATE", folder.path().join("state"))
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        let mut input = shell.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(PRELUDE.as_bytes())?;
        Ok(World { folder, ports, shell, input, output: lines_of(reader) })
    }

    /// Writes a file of the page.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.app().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        cutover_files::write_atomic(&path, self.real(text).as_bytes()).map_err(io::Error::other)
    }

    /// Runs a command; what it prints is as a page would show it.
    pub(crate) fn run(&mut self, command: &str) -> Result<Ran, String> {
        // A command that reads would read those that follow. The exit code stays that of the command
        // for the next one.
        let line = format!(
            "{{ {}\n}} </dev/null; code=$?; printf '{END}%d\\n' $code; (exit $code)\n",
            self.real(command)
        );
        self.input.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
        let limit = Instant::now() + LIMIT;
        let mut lines = Vec::new();
        loop {
            match self.output.recv_timeout(limit.saturating_duration_since(Instant::now())) {
                Ok(line) => match line.split_once(END) {
                    Some((rest, code)) => {
                        lines.extend(Some(rest).filter(|rest| !rest.is_empty()).map(str::to_owned));
                        let code = code.parse().map_err(|_| format!("no exit code: {line:?}"))?;
                        let lines = lines.iter().map(|line| self.shown(line)).collect();
                        return Ok(Ran { lines, code });
                    }
                    None => lines.push(line),
                },
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "not done after {LIMIT:?}; until then:\n{}",
                        lines.join("\n")
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => return Err("the shell has ended".to_owned()),
            }
        }
    }

    fn app(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    /// A text of the page with ports as they are here.
    fn real(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (port, real)| {
            text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{real}"))
        })
    }

    /// What was printed, as a page would show it.
    fn shown(&self, line: &str) -> String {
        let folder = |name: &str| self.folder.path().join(name).display().to_string();
        let line = line.replace(&folder("app"), APP).replace(&folder("state"), STATE);
        self.ports.iter().fold(line, |text, (port, real)| {
            text.replace(&format!("127.0.0.1:{real}"), &format!("127.0.0.1:{port}"))
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        left::end(self.folder.path());
    }
}

/// The folder of the program under test.
fn bin() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cutover")).parent().unwrap_or(Path::new("/"))
}

/// What comes through the pipe, line by line.
fn lines_of(reader: io::PipeReader) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1024);
    std::thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            // The page may be over.
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
