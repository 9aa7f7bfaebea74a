//! A program held open: it starts also when its file is gone.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that was there when it was opened.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    /// `None` if it could not be opened: then there is only the path.
    file: Option<File>,
}

impl Program {
    /// Opens it; where that fails there is only the path.
    #[must_use]
    pub fn open(path: &Path) -> Program {
        let own = || std::env::current_exe().is_ok_and(|own| own == path);
        let file = match File::open(path) {
            // We were started from a file that is gone already.
            Err(_) if own() => File::open("/proc/self/exe").ok(),
            opened => opened.ok(),
        };
        Program { path: path.to_owned(), file }
    }

    /// Where it was.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a command of it, as `with` says, and starts that by `spawn`: by its path, and where
    /// that fails by what was opened.
    ///
    /// # Errors
    /// Those of `with`, and of the start by its path.
    pub fn spawn<T>(
        &self,
        with: impl Fn(&mut Command) -> io::Result<()>,
        spawn: impl Fn(Command) -> io::Result<T>,
    ) -> io::Result<T> {
        let start = |mut command: Command| {
            with(&mut command)?;
            spawn(command)
        };
        start(Command::new(&self.path)).or_else(|by_path| {
            let Some(file) = &self.file else {
                return Err(by_path);
            };
            // The child still has our descriptors when the system looks for the program, and loses
            // this one when the program begins.
            let mut command = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
            command.arg0(&self.path);
            start(command).map_err(|_| by_path)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Child, Stdio};

    use super::*;

    #[test]
    fn a_program_starts_after_its_file_was_removed_and_the_present_file_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::copy("/bin/echo", &path).unwrap();
        let program = Program::open(&path);
        let say = || {
            let with = |command: &mut Command| {
                command.arg("here").stdout(Stdio::piped());
                Ok(())
            };
            let child = program.spawn(with, |mut command| command.spawn());
            child.and_then(Child::wait_with_output).map(|output| output.stdout)
        };
        assert_eq!(say().unwrap(), b"here\n");
        fs::remove_file(&path).unwrap();
        assert_eq!(say().unwrap(), b"here\n");
        fs::copy("/bin/true", &path).unwrap();
        assert_eq!(say().unwrap(), b"");
        let never = Program::open(&folder.path().join("never"));
        assert_eq!(
            never.spawn(|_| Ok(()), |mut command| command.spawn()).err().unwrap().kind(),
            io::ErrorKind::NotFound
        );
    }
}
