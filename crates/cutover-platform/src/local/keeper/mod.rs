//! The keeper: a small process above each instance, which survives the daemon.
//!
//! No runtime, one thread besides the main one. It starts the app, writes its output to a log,
//! notes how it ended, and on SIGTERM ends the app and everything the app has started. When the
//! app's main process ends, what is left below it is ended too, so an app must stay in the
//! foreground.
//!
//! A keeper that is killed takes the pipe with it that the app prints to. While a platform watches,
//! it reads on in the keeper's place; without one the app gets SIGPIPE when it next prints, which
//! ends most programs.

mod child;
mod ending;
mod output;
mod signals;

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{getpid, set_child_subreaper, setsid};

use super::boottime::Moment;
use super::exits::{self, Ending, Exit};
use super::files::{self, Kept, Readiness, SCHEMA, Start};
use super::paths::Folder;
use super::processes;
use cutover_files::{FileError, Lock};
use ending::{Ended, Tree};
pub(super) use output::Output;
use signals::Signals;

/// A keeper that could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The id names no instance.
    #[error(transparent)]
    Id(#[from] cutover_core::id::InvalidName),
    /// The files of the instance cannot be used.
    #[error("cannot read what to start")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// Something else that the system refused.
    #[error("cannot {0}")]
    System(&'static str, #[source] io::Error),
}

fn refused(what: &'static str) -> impl FnOnce(io::Error) -> KeepError {
    move |error| KeepError::System(what, error)
}

/// How long another process may hold the lock for a moment, only to see whether it is held.
const LOCK_PATIENCE: Duration = Duration::from_millis(200);
/// How long output is awaited after the last process has ended. It only lasts that long if somebody
/// outside the instance holds the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Keeps one instance (`<subject>/<instance>`) from start to end; returns when nothing of it is
/// left. To be called in a process of its own, before there are threads.
///
/// Writes one byte to standard output once the app runs, and closes nothing else.
///
/// # Errors
/// Where there is nothing to keep, or the system does not let it. An app that cannot be started is
/// no error but an exit, which is recorded.
pub fn keep(state: &Path, id: &str) -> Result<(), KeepError> {
    let state = std::path::absolute(state).map_err(refused("find the state folder"))?;
    let folder = Folder::named(&state, id)?;
    // It fails for a process that leads its group already, which then is apart enough.
    let _ = setsid();
    set_child_subreaper(Some(getpid())).map_err(|e| refused("become subreaper")(e.into()))?;
    let Some(_lock) = take_lock(&folder)? else {
        return Ok(());
    };
    let start: Start = files::read(&folder.start())
        .and_then(|start| start.ok_or_else(|| missing(&folder)))
        .map_err(|error| KeepError::Read(error.into()))?;
    if is_over(&folder, &start)? {
        return Ok(());
    }
    let signals = Signals::install().map_err(refused("listen for signals"))?;
    run(&folder, &start, &signals)
}

fn missing(folder: &Folder) -> files::ReadError {
    files::ReadError::Io { path: folder.start(), source: io::ErrorKind::NotFound.into() }
}

/// A second start is no start: whoever holds the lock keeps the instance.
fn take_lock(folder: &Folder) -> Result<Option<Lock>, KeepError> {
    let begun = Instant::now();
    loop {
        match Lock::try_take(&folder.lock())? {
            Some(lock) => return Ok(Some(lock)),
            None if begun.elapsed() > LOCK_PATIENCE => return Ok(None),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Was this attempt made before, or is the instance not wanted any more?
fn is_over(folder: &Folder, start: &Start) -> Result<bool, KeepError> {
    let kept: Option<Kept> =
        files::read(&folder.kept()).map_err(|error| KeepError::Read(error.into()))?;
    Ok(folder.stop().exists()
        || kept.is_some_and(|kept| kept.attempt >= start.attempt)
        || exits::read(folder).iter().any(|exit| exit.attempt >= start.attempt))
}

fn run(folder: &Folder, start: &Start, signals: &Signals) -> Result<(), KeepError> {
    let at = Moment::now();
    let (pid, output) = match child::start(folder, start) {
        Ok(started) => started,
        Err(error) => {
            let how = Ending::NotStarted(error.to_string());
            return record(folder, start, &at, Ended { how, left: Vec::new() });
        }
    };
    let tree = Tree::of(pid, folder, signals);
    let kept = Kept {
        schema: SCHEMA,
        attempt: start.attempt,
        keeper: getpid().as_raw_nonzero().get(),
        child: pid,
        child_started: processes::find(pid).map_or(0, |process| process.started),
        port: start.port,
        output: Some(output.descriptor()),
        at: at.clone(),
    };
    if let Err(error) = files::write(&folder.kept(), &kept) {
        // Nobody could find or stop this app again. If it does not end, nobody can be told.
        drop(tree.kill());
        return Err(KeepError::System("note which processes there are", error));
    }
    // The platform may be gone; the app runs on without it.
    let _ = io::stdout().write_all(b"\n").and_then(|()| io::stdout().flush());
    let ended = tree.outlive(start.grace.0);
    output.last_words(LAST_WORDS);
    record(folder, start, &at, ended)
}

fn record(folder: &Folder, start: &Start, began: &Moment, ended: Ended) -> Result<(), KeepError> {
    let at = Moment::now();
    let ready = files::read::<Readiness>(&folder.ready())
        .ok()
        .flatten()
        .filter(|readiness| readiness.ready && readiness.attempt == start.attempt);
    let exit = Exit {
        attempt: start.attempt,
        ending: ended.how,
        ran_ms: millis(at.since(began)),
        ready_ms: ready.map(|readiness| millis(at.since(&readiness.at))),
        left: ended.left,
        at,
    };
    exits::append(folder, &exit).map_err(refused("record how the app ended"))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
