//! A folder with the files of a project.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// More of a file says nothing about how to start the program.
const LARGEST: u64 = 1024 * 1024;

/// Paths at which programs tell that they are well, the more telling ones first.
pub(super) const HEALTH: [&str; 9] = [
    "/healthz",
    "/health",
    "/readyz",
    "/ready",
    "/livez",
    "/healthcheck",
    "/health_check",
    "/ping",
    "/up",
];

/// A folder with the files of a project.
#[derive(Debug, Clone)]
pub(in crate::cli::init) struct Project {
    folder: PathBuf,
}

impl Project {
    pub(in crate::cli::init) fn new(folder: &Path) -> Project {
        Project { folder: folder.to_owned() }
    }

    /// Is there a file of this name?
    pub(super) fn has(&self, file: &str) -> bool {
        self.folder.join(file).is_file()
    }

    /// Is the project under git?
    pub(super) fn is_git(&self) -> bool {
        self.folder.join(".git").exists()
    }

    /// The text of a file that has to be there.
    pub(super) fn text(&self, file: &str) -> Result<String, Failure> {
        let path = self.folder.join(file);
        let read = || -> io::Result<String> {
            let mut text = String::new();
            File::open(&path)?.take(LARGEST).read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_err(|error| self.unreadable(file, &error))
    }

    /// The text of a file that may be there.
    pub(super) fn text_if_any(&self, file: &str) -> Option<String> {
        self.has(file).then(|| self.text(file).ok()).flatten()
    }

    pub(super) fn unreadable(
        &self,
        file: &str,
        cause: &(dyn std::error::Error + 'static),
    ) -> Failure {
        Failure::usage(format!("cannot read {}", self.folder.join(file).display())).because(cause)
    }

    /// The folders right below one of this project.
    pub(super) fn folders(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join(below)).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let mut names: Vec<String> =
            folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Shell commands that copy the files of this project to where version v1 is looked for.
    pub(in crate::cli::init) fn copy(&self) -> String {
        let make = "mkdir -p releases/v1";
        match self.is_git() {
            true => format!("{make} && git archive HEAD | tar -x -C releases/v1"),
            false => format!("{make} && tar -c --exclude=./releases . | tar -x -C releases/v1"),
        }
    }
}

/// The path of a health check that a source file names, if it names one.
pub(super) fn health_path(source: &str) -> Option<String> {
    let quoted =
        |path: &&str| ['"', '\'', '`'].iter().any(|q| source.contains(&format!("{q}{path}{q}")));
    HEALTH.iter().find(|path| quoted(path)).map(|path| (*path).to_owned())
}

/// A program's path within the folder of its version; bare names are left to `PATH`.
pub(super) fn in_release(program: &str) -> String {
    let inside = program.contains('/') && !program.starts_with('/');
    match inside && !program.contains("{version}") {
        true => format!("./{}/{}", super::VERSIONED, program.trim_start_matches("./")),
        false => program.to_owned(),
    }
}
