//! Can a release run on this machine? Looked at without changing anything.

use std::ffi::OsString;
use std::path::Path;

use cutover_core::release::Release;
use cutover_engine::ports::PlatformError;
use rustix::fs::{Access, access, statvfs};

use super::{command, paths, secrets};

/// What the files of one release may need: journal, logs, what each instance is started by.
const ROOM: u64 = 4 << 20;

/// What is wrong, and what to do about it.
struct Flaw {
    message: String,
    help: String,
}

fn flaw(message: impl Into<String>, help: impl Into<String>) -> Flaw {
    Flaw { message: message.into(), help: help.into() }
}

/// Looks at command, directory, secrets, the state folder and its disk.
///
/// # Errors
/// Everything that is wrong, as one error with one line for each.
pub(crate) fn check(state: &Path, release: &Release) -> Result<(), PlatformError> {
    let resolved = command::resolve(release, None);
    let mut flaws = Vec::new();
    flaws.extend(program(release, &resolved.argv));
    flaws.extend(directory(&resolved.directory));
    for name in release.spec.release.secrets.keys() {
        if let Err(error) = secrets::read(release, name) {
            flaws.push(flaw(
                error.to_string(),
                format!("make the file readable, or correct release.secrets.{name}"),
            ));
        }
    }
    flaws.extend(writable(&paths::instances(state)));
    flaws.extend(room(&paths::instances(state)));
    if flaws.is_empty() {
        return Ok(());
    }
    let join = |text: fn(Flaw) -> String, flaws: Vec<Flaw>| {
        flaws.into_iter().map(text).collect::<Vec<_>>().join("\n")
    };
    let help = flaws.iter().map(|flaw| flaw.help.clone()).collect::<Vec<_>>().join("\n");
    Err(PlatformError { message: join(|flaw| flaw.message, flaws), help: Some(help), source: None })
}

fn program(release: &Release, argv: &[String]) -> Option<Flaw> {
    let Some(name) = argv.first().filter(|name| !name.is_empty()) else {
        return Some(flaw(
            "release.command is missing, and local instances are started by it",
            "write the program and its arguments as a list, like [\"./serve\", \"{port}\"]",
        ));
    };
    let version = &release.version;
    let path = release
        .spec
        .release
        .env
        .get("PATH")
        .or_else(|| release.passed.get("PATH"))
        .map(OsString::from)
        .or_else(|| std::env::var_os("PATH"))
        .unwrap_or_default();
    match command::find(name, &path) {
        None => Some(flaw(
            format!("the command {name} of version {version} is not in PATH"),
            "install it, or write its path (one with a / starts from the spec's folder)",
        )),
        Some(file) if command::is_executable(&file) => None,
        Some(file) if file.is_dir() => Some(flaw(
            format!("the command {} of version {version} is a folder", file.display()),
            "correct release.command",
        )),
        Some(file) if file.exists() => Some(flaw(
            format!("the command {} of version {version} is not executable", file.display()),
            format!("chmod +x {}", file.display()),
        )),
        Some(file) => Some(flaw(
            format!("the command {} of version {version} does not exist", file.display()),
            "build or copy this version there, or correct release.command",
        )),
    }
}

fn directory(path: &Path) -> Option<Flaw> {
    if !path.exists() {
        return Some(flaw(
            format!("the directory {} does not exist", path.display()),
            "create it, or correct release.directory",
        ));
    }
    if !path.is_dir() {
        return Some(flaw(
            format!("{} is not a folder", path.display()),
            "correct release.directory",
        ));
    }
    if access(path, Access::EXEC_OK).is_err() {
        return Some(flaw(
            format!("the directory {} may not be entered", path.display()),
            "give this user the right to enter it",
        ));
    }
    None
}

/// A release that has stopped old instances must be able to start new ones.
fn room(path: &Path) -> Option<Flaw> {
    // What cannot be asked is not known to be missing.
    let disk = statvfs(path).ok()?;
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    (left < ROOM).then(|| {
        flaw(
            format!("only {} KiB are left on the disk of {}", left / 1024, path.display()),
            format!("make room there: a release needs {} KiB for its files", ROOM / 1024),
        )
    })
}

fn writable(path: &Path) -> Option<Flaw> {
    access(path, Access::WRITE_OK | Access::EXEC_OK).err().map(|error| {
        flaw(
            format!("cannot write to {}: {}", path.display(), std::io::Error::from(error)),
            "make it writable for this user, or choose another CUTOVER_STATE",
        )
    })
}
