//! The proxy's program, held open: it starts also when its file is gone.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A program that was there when it was opened.
pub(super) struct Program {
    path: PathBuf,
    /// `None` if it could not be opened: then there is only the path.
    file: Option<File>,
}

impl Program {
    pub(super) fn open(path: &Path) -> Program {
        let own = || std::env::current_exe().is_ok_and(|own| own == path);
        let file = match File::open(path) {
            // We were started from a file that is gone already.
            Err(_) if own() => File::open("/proc/self/exe").ok(),
            opened => opened.ok(),
        };
        Program { path: path.to_owned(), file }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it as `with` says: by its path, and where that fails by what was opened.
    pub(super) fn spawn(&self, with: impl Fn(&mut Command) -> io::Result<()>) -> io::Result<Child> {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_program_starts_after_its_file_was_removed_and_the_present_file_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::copy("/bin/echo", &path).unwrap();
        let program = Program::open(&path);
        let say = || {
            let child = program.spawn(|command| {
                command.arg("here").stdout(Stdio::piped());
                Ok(())
            });
            child.and_then(Child::wait_with_output).map(|output| output.stdout)
        };
        assert_eq!(say().unwrap(), b"here\n");
        fs::remove_file(&path).unwrap();
        assert_eq!(say().unwrap(), b"here\n");
        fs::copy("/bin/true", &path).unwrap();
        assert_eq!(say().unwrap(), b"");
        let never = Program::open(&folder.path().join("never"));
        assert_eq!(never.spawn(|_| Ok(())).err().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
