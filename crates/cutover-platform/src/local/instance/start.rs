//! The start of one attempt.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use cutover_core::id::Subject;
use cutover_core::release::Release;
use cutover_files::{FileError, Program};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::super::command;
use super::super::files::{self, SCHEMA, Start};
use super::super::paths::Folder;
use super::super::ports::{PortError, Ports};
use super::super::secrets::{self, SecretError};

/// A log larger than this is rotated.
const LOG_LIMIT: u64 = 10 * 1024 * 1024;
/// How long a keeper may take to say that the app runs.
const COME_UP: Duration = Duration::from_secs(10);

/// What all instances of the platform share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) state: PathBuf,
    /// The program that is started as keeper.
    pub(crate) program: Program,
    pub(crate) ports: Ports,
}

/// Why there is no app.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("{0}: {source}", source = .0.source)]
    File(#[from] FileError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("cannot write start.json: {0}")]
    Write(io::Error),
    #[error("cannot start its keeper {}: {source}", program.display())]
    Keeper { program: PathBuf, source: io::Error },
    #[error("its keeper does not come up")]
    Late,
}

/// Writes down everything the keeper needs. Blocks.
pub(super) fn prepare(
    world: &World,
    folder: &Folder,
    subject: &Subject,
    release: &Release,
    attempt: u32,
) -> Result<(), StartError> {
    cutover_files::private_folder(folder.path())?;
    let port = match command::needs_port(release) {
        true => Some(world.ports.lease(folder.name())?),
        false => None,
    };
    let resolved = command::resolve(release, port);
    let mut env = release.passed.clone();
    env.extend(release.spec.release.env.clone());
    env.extend(secrets::place(release, folder)?);
    for (name, value) in [
        ("CUTOVER_APP", subject.app.as_str()),
        ("CUTOVER_ENV", subject.env.as_str()),
        ("CUTOVER_VERSION", release.version.as_str()),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    let start = Start {
        schema: SCHEMA,
        attempt,
        argv: resolved.argv,
        directory: resolved.directory,
        env,
        port,
        grace: release.spec.drain.stop,
        health: release.spec.health.clone(),
        log_limit: LOG_LIMIT,
    };
    files::write(&folder.start(), &start).map_err(StartError::Write)
}

/// A keeper that was started.
pub(super) struct Started {
    /// To be waited for once the keeper has gone, so that no zombie stays.
    pub(super) keeper: Child,
    /// Does the app run? Else the keeper has ended, or is about to.
    pub(super) runs: bool,
}

/// Starts a keeper and waits until it says that the app runs, or goes.
pub(super) async fn spawn(world: &World, folder: &Folder) -> Result<Started, StartError> {
    let failed = |source| StartError::Keeper { program: world.program.path().to_owned(), source };
    let log = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(folder.keeper_log())
        .map_err(failed)?;
    let with = |command: &mut std::process::Command| {
        command
            .arg("keeper")
            .arg(folder.name())
            .env_clear()
            .envs(inherited())
            .env("CUTOVER_STATE", &world.state)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.try_clone()?);
        Ok(())
    };
    let started = world.program.spawn(with, |command| Command::from(command).spawn());
    let mut keeper = started.map_err(failed)?;
    let mut said = [0];
    let runs = match keeper.stdout.take() {
        Some(mut stdout) => tokio::time::timeout(COME_UP, stdout.read(&mut said)).await,
        None => Ok(Ok(0)),
    };
    match runs {
        Ok(read) => Ok(Started { keeper, runs: read.is_ok_and(|bytes| bytes > 0) }),
        Err(_) => {
            // It has not told of an app; if there is one, it carries the mark.
            keeper.kill().await.map_err(failed)?;
            Err(StartError::Late)
        }
    }
}

/// What a keeper, and through it an app, gets of our environment: never the whole of it.
fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    ["PATH", "HOME", "LANG", "TZ"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)))
}
