//! Finds the daemon, starts it when it is not there, and stops it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cutover_files::Lock;
use http::Method;
use tokio::time::{Instant, sleep};

use super::Status;
use crate::binary;
use crate::client::{CallError, Client};
use crate::failure::{Failure, exit};
use crate::folders::{Folders, INSTANCE};

const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(5);

/// A daemon that answers.
pub(crate) struct Found {
    pub(crate) client: Client,
    /// Was it started just now?
    pub(crate) started: bool,
}

/// The running daemon, or a new one.
pub(crate) async fn find_or_start(folders: &Folders) -> Result<Found, Failure> {
    folders.prepare()?;
    let client = Client::new(folders.socket());
    if client.answers().await {
        return Ok(Found { client, started: false });
    }
    refuse_inside_instance()?;
    let mut child = spawn(folders)?;
    let limit = Instant::now() + PATIENCE;
    loop {
        if client.answers().await {
            return Ok(Found { client, started: true });
        }
        // One that found the lock taken ends well; the holder is about to answer then.
        if let Ok(Some(status)) = child.try_wait()
            && !status.success()
        {
            return Err(not_started(folders, &format!("it ended with {status}")));
        }
        if Instant::now() > limit {
            return Err(not_started(folders, "it does not answer after 5 s"));
        }
        sleep(POLL).await;
    }
}

/// A keeper is a subreaper and ends its whole tree: a daemon below it would go with the instance.
pub(super) fn refuse_inside_instance() -> Result<(), Failure> {
    if std::env::var_os(INSTANCE).is_none() {
        return Ok(());
    }
    let message = "a daemon started inside an instance would end with it";
    Err(Failure::new(exit::UNREACHABLE, message).help("start it outside: cutover daemon start"))
}

fn spawn(folders: &Folders) -> Result<Child, Failure> {
    let program = binary::kept(folders)?;
    let log = open_log(&folders.log())?;
    let error_log = log
        .try_clone()
        .map_err(|error| Failure::internal("cannot open the daemon's log", &error))?;
    let mut command = Command::new(program);
    command
        .args(["daemon", "run", "--detached"])
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(error_log)
        // It must not keep the folder of its first caller busy.
        .current_dir("/");
    folders.tell(&mut command);
    command.spawn().map_err(|error| Failure::internal("cannot start the daemon", &error))
}

fn open_log(path: &Path) -> Result<File, Failure> {
    const LARGE: u64 = 10 << 20;
    if fs::metadata(path).is_ok_and(|meta| meta.len() > LARGE) {
        // Best effort: a log that cannot be put aside just grows on.
        let _ = fs::rename(path, path.with_extension("log.1"));
    }
    let open = || -> io::Result<File> {
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        // An older one may have been made in another way.
        log.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(log)
    };
    open().map_err(|error| Failure::internal(format!("cannot open {}", path.display()), &error))
}

fn not_started(folders: &Folders, why: &str) -> Failure {
    let log = folders.log();
    let text = fs::read_to_string(&log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(10)..).unwrap_or_default();
    let mut failure =
        Failure::new(exit::UNREACHABLE, format!("the daemon could not be started: {why}"));
    if !last.is_empty() {
        failure.causes.push(format!("{} says:\n{}", log.display(), last.join("\n")));
    }
    failure.unchanged("apps and their traffic run on").help("cutover daemon run shows what it says")
}

/// Stops the daemon and waits until it is gone; `None` if none runs.
pub(crate) async fn stop(folders: &Folders) -> Result<Option<u32>, Failure> {
    let client = Client::new(folders.socket());
    let pid = match client.stop().await {
        Ok(pid) => pid,
        Err(CallError::Gone(_)) if !Lock::is_held(&folders.lock())? => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let limit = Instant::now() + Duration::from_secs(15);
    while Lock::is_held(&folders.lock())? {
        if Instant::now() > limit {
            return Err(Failure::new(
                exit::TIMED_OUT,
                format!("the daemon (pid {pid}) was told to stop and still runs after 15 s"),
            )
            .help(format!("kill -TERM {pid}")));
        }
        sleep(POLL).await;
    }
    Ok(Some(pid))
}

impl Client {
    /// Tells the daemon to stop, whatever protocol it speaks.
    async fn stop(&self) -> Result<u32, CallError> {
        let status: Status = self.call_any(Method::POST, "/v1/stop").await?;
        Ok(status.pid)
    }
}
