//! A Cutover of its own for one run: folders, ports, environment; nothing is left behind.

mod app;
mod command;
mod ports;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

pub(crate) use app::{App, Pattern, Version};
pub(crate) use command::{Ran, Started};
pub(crate) use ports::Ports;

use crate::client;
use crate::failure::{Failure, cannot};
use crate::processes::{self, Process, Role};

/// How long a call of a socket may take before it counts as no answer.
const CALL: Duration = Duration::from_secs(2);

/// One Cutover and the apps it releases.
#[derive(Debug)]
pub(crate) struct World {
    folder: PathBuf,
    program: PathBuf,
    /// Beside the usual variables.
    environment: Vec<(String, String)>,
    mounted: bool,
    kept: bool,
}

impl World {
    /// A world in a folder of its own below /tmp: sockets have short paths.
    pub(crate) fn new(program: &Path) -> Result<World, Failure> {
        let folder = tempfile::Builder::new().prefix("cutover-f").tempdir_in("/tmp");
        let folder = folder.map_err(cannot("make a folder"))?.keep();
        let folder = folder.canonicalize().map_err(cannot("find the folder"))?;
        let program = program.to_owned();
        Ok(World { folder, program, environment: Vec::new(), mounted: false, kept: false })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }
    /// A file of the proxy.
    pub(crate) fn proxy_file(&self, name: &str) -> PathBuf {
        self.state().join("proxy").join(name)
    }

    /// A variable for every command from now on, and so for daemon and proxy.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    /// The folder stays when the world ends.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// Puts the state folder on a disk of its own, which can be filled.
    pub(crate) fn mount(&mut self, megabytes: u32) -> Result<(), Failure> {
        let state = self.state();
        fs::create_dir(&state).map_err(cannot("make the state folder"))?;
        let size = format!("size={megabytes}m,mode=0700");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&state).output();
        match mount {
            Ok(output) if output.status.success() => {
                self.mounted = true;
                Ok(())
            }
            _ => Err(Failure::Skipped("a small disk needs root and mounts".to_owned())),
        }
    }

    /// Every process of this world.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::of(&self.folder)
    }
    /// The processes with one role, oldest first. A child that has not begun its own program yet
    /// looks like its parent and is younger.
    pub(crate) fn with_role(&self, role: Role) -> Vec<Process> {
        let mut found = self.processes();
        found.retain(|process| process.role == role);
        found
    }
    pub(crate) fn one(&self, role: Role) -> Option<Process> {
        self.with_role(role).into_iter().next()
    }

    /// What the daemon answers, without starting one.
    pub(crate) fn ask_daemon(&self, path: &str) -> Option<Value> {
        client::get_unix(&self.state().join("daemon.sock"), path, CALL).ok()?.json()
    }
    /// What the proxy answers.
    pub(crate) fn ask_proxy(&self, path: &str) -> Option<Value> {
        client::get_unix(&self.state().join("proxy.sock"), path, CALL).ok()?.json()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let left = processes::end(&self.folder);
        if self.kept && self.mounted {
            // The disk goes with its mount; what it holds stays as a copy beside.
            let copy = self.folder.join("state-kept");
            let _ = Command::new("cp").arg("-a").arg(self.state()).arg(copy).status();
        }
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.state()).status();
        }
        if !self.kept && left.is_empty() {
            // A folder that cannot be removed harms nobody; its name says whose it is.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
