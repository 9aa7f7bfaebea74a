//! What to run: a release's command with everything filled in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use cutover_core::release::Release;
use rustix::fs::{Access, access};

/// A command ready to be started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) argv: Vec<String>,
    pub(crate) directory: PathBuf,
}

/// Does one instance need a port?
pub(crate) fn needs_port(release: &Release) -> bool {
    let spec = &release.spec;
    spec.listen.is_some() || spec.release.command.iter().any(|part| part.contains("{port}"))
}

/// Fills in `{version}` and `{port}`; relative paths start from the release's folder, bare names
/// are left to `PATH`.
pub(crate) fn resolve(release: &Release, port: Option<u16>) -> Resolved {
    let fill = |text: &str| {
        let text = text.replace("{version}", release.version.as_str());
        match port {
            Some(port) => text.replace("{port}", &port.to_string()),
            None => text,
        }
    };
    let mut argv: Vec<String> =
        release.spec.release.command.iter().map(|part| fill(part)).collect();
    if let Some(program) = argv.first_mut()
        && program.contains('/')
    {
        *program = below(&release.base, &program).display().to_string();
    }
    let directory = fill(&release.spec.release.directory.to_string_lossy());
    Resolved { argv, directory: below(&release.base, &directory) }
}

/// A path of the spec, absolute and without needless dots.
pub(crate) fn below(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    base.join(path).components().collect()
}

/// The file that a program's name stands for, the way `execvp` looks for it.
pub(crate) fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

/// Can this user run it?
pub(crate) fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}
