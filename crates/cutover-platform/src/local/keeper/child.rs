//! The app's main process.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::super::files::{MARK, Start};
use super::super::paths::Folder;
use super::output::Output;

/// Taken over from the keeper's own environment; nothing else is.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// Why the app could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("there is no command to run")]
    NoCommand,
    #[error("the directory {0} does not exist")]
    NoDirectory(String),
    #[error("{program}: {reason}")]
    Spawn { program: String, reason: String },
    #[error("cannot follow its output: {0}")]
    Output(io::Error),
}

/// Starts the app in a process group of its own and follows its output; gives its process id.
pub(super) fn start(folder: &Folder, start: &Start) -> Result<(i32, Output), StartError> {
    let (program, arguments) = start.argv.split_first().ok_or(StartError::NoCommand)?;
    // A missing directory would look like a missing program.
    if !start.directory.is_dir() {
        return Err(StartError::NoDirectory(start.directory.display().to_string()));
    }
    let (reader, writer) = io::pipe().map_err(StartError::Output)?;
    let output = Output::follow(reader, folder, start.log_limit).map_err(StartError::Output)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&start.directory)
        .env_clear()
        .envs(inherited())
        .envs(&start.env)
        .env("CUTOVER_INSTANCE", folder.name())
        .env(MARK, folder.path())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(StartError::Output)?)
        .stderr(writer);
    if let Some(port) = start.port {
        command.env("PORT", port.to_string());
    }
    let child = command
        .spawn()
        .map_err(|error| StartError::Spawn { program: program.clone(), reason: reason(&error) })?;
    // `Child` is let go on purpose: all processes below are waited for in one place.
    let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
    Ok((pid, output))
}

fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    INHERITED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "command not found (or the interpreter named in its first line)".to_owned()
        }
        io::ErrorKind::PermissionDenied => "not executable: permission denied".to_owned(),
        _ => error.to_string(),
    }
}
