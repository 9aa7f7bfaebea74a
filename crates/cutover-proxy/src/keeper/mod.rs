//! The proxy keeper: holds the listening sockets, and starts the proxy again when it dies.
//!
//! It has no runtime and next to no logic, so that it has no reason to die itself. Should it be
//! killed, the proxy serves on with its own descriptors, and gives them to the next keeper.

mod listeners;
mod process;
pub(crate) mod protocol;
mod service;

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_files::{FileError, Lock, private_folder};
use rustix::process::Signal;

use crate::Folders;
use crate::log::Log;
use cutover_files::Program;
use process::{Proxy, Waited};
use service::Desk;

/// A proxy that lived shorter than this has a reason to die, and is started again more slowly.
const SHORT_LIFE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the proxy may take to end its requests before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// A keeper that cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Its folders or lock.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its socket.
    #[error("cannot listen on {}", path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The proxy does not start at all.
    #[error("cannot start the proxy {}", program.display())]
    Start {
        /// What was started.
        program: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A system call that does not fail.
    #[error("cannot wait for the proxy")]
    Wait(#[from] io::Error),
}

/// Keeps a proxy (`program args`) alive until it gets TERM, and its listening sockets open. The
/// program is opened once and starts also when its file is gone.
///
/// Returns at once if these folders have a keeper already. Call it before any thread is started: it
/// becomes the leader of a session of its own.
///
/// # Errors
/// Where the keeper cannot begin. Once it keeps, it returns only for TERM.
pub fn keep(folders: &Folders, program: &Path, args: &[OsString]) -> Result<(), KeepError> {
    // Fails for the leader of a session, which is just as good.
    let _ = rustix::process::setsid();
    private_folder(&folders.state)?;
    private_folder(&folders.run)?;
    let Some(_lock) = take_lock(&folders.keeper_lock())? else {
        return Ok(());
    };
    let signals = termination()?;
    let desk = Arc::new(Desk::default());
    let socket = own_socket(&folders.keeper_socket())?;
    let clerk = Arc::clone(&desk);
    std::thread::Builder::new().spawn(move || service::serve(&clerk, &socket))?;

    let ended = supervise(folders, &Program::open(program), args, &signals, &desk);
    for socket in [folders.control_socket(), folders.keeper_socket()] {
        // A socket that is gone already is as wanted.
        let _ = fs::remove_file(socket);
    }
    ended
}

fn supervise(
    folders: &Folders,
    program: &Program,
    args: &[OsString],
    signals: &UnixStream,
    desk: &Desk,
) -> Result<(), KeepError> {
    let log = Log(folders.log());
    let mut pause = FIRST_PAUSE;
    let mut proxy = if Lock::is_held(&folders.proxy_lock())? {
        log.line("keeper: adopted the proxy that is running");
        Proxy::adopt()
    } else {
        let failed = |source| KeepError::Start { program: program.path().to_owned(), source };
        Proxy::start(folders, program, args).map_err(failed)?
    };
    let mut started = Instant::now();
    loop {
        if let Some(pid) = desk.watcher() {
            proxy.is_process(pid);
        }
        match proxy.wait(folders, Some(signals.as_fd()), None)? {
            Waited::TimedOut => continue,
            Waited::Signalled => return stop(folders, desk, &mut proxy),
            Waited::Exited => {}
        }
        if started.elapsed() >= SHORT_LIFE {
            pause = FIRST_PAUSE;
        } else {
            if process::ready(&[signals.as_fd()], Some(pause))?.contains(&true) {
                return Ok(());
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        log.line("keeper: the proxy has exited; starting it again");
        started = Instant::now();
        proxy = loop {
            match Proxy::start(folders, program, args) {
                Ok(proxy) => break proxy,
                // The system is short of something.
                Err(error) => log.line(&format!("keeper: cannot start the proxy: {error}")),
            }
            if process::ready(&[signals.as_fd()], Some(LONGEST_PAUSE))?.contains(&true) {
                return Ok(());
            }
        };
    }
}

fn stop(folders: &Folders, desk: &Desk, proxy: &mut Proxy) -> Result<(), KeepError> {
    let end = Instant::now() + GRACE;
    let mut told = false;
    loop {
        // An adopted proxy may say only now which process it is.
        if let Some(pid) = desk.watcher() {
            proxy.is_process(pid);
        }
        if !told && proxy.is_known() {
            proxy.signal(Signal::TERM);
            told = true;
        }
        let left = end.saturating_duration_since(Instant::now());
        match proxy.wait(folders, None, Some(left))? {
            Waited::Exited => return Ok(()),
            Waited::Signalled | Waited::TimedOut if left.is_zero() => break,
            Waited::Signalled | Waited::TimedOut => {}
        }
    }
    proxy.signal(Signal::KILL);
    proxy.wait(folders, None, Some(GRACE))?;
    Ok(())
}

/// Whoever asks whether the lock is held holds it for a moment, so one refusal proves little.
pub(crate) fn take_lock(path: &Path) -> Result<Option<Lock>, FileError> {
    for _ in 0..5 {
        if let Some(lock) = Lock::try_take(path)? {
            return Ok(Some(lock));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(None)
}

/// Readable once TERM or INT has come.
fn termination() -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, write.try_clone()?)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, write)?;
    Ok(read)
}

/// Listens on a Unix socket for this user only; the caller holds the lock that makes a socket that
/// is there a dead one.
pub(crate) fn own_socket(path: &Path) -> Result<UnixListener, KeepError> {
    let failed = |source| KeepError::Socket { path: path.to_owned(), source };
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let socket = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(socket)
}
