//! The program of the keepers, held open: it starts also when its file is gone.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use tokio::process::{Child, Command};

/// A program that was there when it was opened.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    /// `None` if it could not be opened: then there is only the path.
    file: Option<File>,
}

impl Program {
    pub(crate) fn open(path: PathBuf) -> Program {
        let own = || std::env::current_exe().is_ok_and(|own| own == path);
        let file = match File::open(&path) {
            // We were started from a file that is gone already.
            Err(_) if own() => File::open("/proc/self/exe").ok(),
            opened => opened.ok(),
        };
        Program { path, file }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it as `with` says: by its path, and where that fails by what was opened.
    pub(crate) fn spawn(&self, with: impl Fn(&mut Command) -> io::Result<()>) -> io::Result<Child> {
        let spawn = |mut command: Command| {
            with(&mut command)?;
            command.spawn()
        };
        spawn(Command::new(&self.path)).or_else(|by_path| {
            let Some(file) = &self.file else {
                return Err(by_path);
            };
            // The child still has our descriptors when the system looks for the program, and loses
            // this one when the program begins.
            let mut command = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
            command.arg0(&self.path);
            spawn(command).map_err(|_| by_path)
        })
    }
}
