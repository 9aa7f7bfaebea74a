//! One copy of this program per version, so that a rebuild breaks nothing that runs.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::folders::Folders;

/// Copies younger than this are never removed.
const YOUNG: Duration = Duration::from_secs(60);

/// What runs in this process, even if its file was removed or replaced.
const RUNNING: &str = "/proc/self/exe";

/// This very program; a kept copy if its file is gone.
pub(crate) fn own(folders: &Folders) -> Result<PathBuf, Failure> {
    match current()? {
        own if own.exists() => Ok(own),
        _gone => kept(folders),
    }
}

fn current() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::internal("cannot find the path of this program", &error))
}

/// The path of a copy of this program that nobody will change; made if it is not there.
pub(crate) fn kept(folders: &Folders) -> Result<PathBuf, Failure> {
    let own = current()?;
    let bin = folders.binaries();
    if own.parent() == Some(&bin) && own.exists() {
        return Ok(own);
    }
    cutover_files::private_folder(&bin)?;
    keep(Path::new(RUNNING), &bin).map_err(|error| {
        Failure::internal(
            format!("cannot keep a copy of this program in {}", bin.display()),
            &error,
        )
    })
}

/// The copy of `program` in `bin`. One that is there is never replaced: a daemon may run from it.
fn keep(program: &Path, bin: &Path) -> io::Result<PathBuf> {
    let target = bin.join(format!("cutover-{}", digest(program)?));
    if let Ok(found) = File::open(&target) {
        // It is about to be started: now is no time to remove it.
        found.set_modified(SystemTime::now())?;
        return Ok(target);
    }
    // The name must never stand for half a program, so the copy gets it last.
    let beside = bin.join(format!(".new-{}", std::process::id()));
    let copied = copy_synced(program, &beside).and_then(|()| publish(&beside, &target));
    // It has its name, or was not needed.
    let _ = fs::remove_file(&beside);
    copied.map(|()| target)
}

/// Gives the copy its name, unless another command was faster.
fn publish(copy: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(copy, target) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn copy_synced(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut copy = File::create(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.set_permissions(fs::Permissions::from_mode(0o700))?;
    copy.sync_all()
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    let hex = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(hex)
}

/// A copy of this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Unused {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Removes copies that no running process was started from.
pub(crate) fn remove_unused(folders: &Folders) -> io::Result<()> {
    for copy in unused(folders)? {
        fs::remove_file(copy.path)?;
    }
    Ok(())
}

/// Copies that no running process was started from.
pub(crate) fn unused(folders: &Folders) -> io::Result<Vec<Unused>> {
    // A file has one identity, and may have many paths.
    let identity = |meta: &Metadata| (meta.dev(), meta.ino());
    let mut used = BTreeSet::new();
    for process in fs::read_dir("/proc")? {
        // Processes end while we look, and those of others cannot be read: neither is ours.
        if let Ok(program) = fs::metadata(process?.path().join("exe")) {
            used.insert(identity(&program));
        }
    }
    let mut unused = Vec::new();
    for entry in fs::read_dir(folders.binaries())? {
        let entry = entry?;
        // A young one may be a copy that another command is about to start.
        let meta = entry.metadata()?;
        let age = meta.modified()?.elapsed().unwrap_or_default();
        if age > YOUNG && !used.contains(&identity(&meta)) {
            unused.push(Unused { path: entry.path(), bytes: meta.len() });
        }
    }
    unused.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(unused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_copy_that_is_there_is_not_replaced_and_nothing_is_left_beside() {
        let bin = tempfile::tempdir().unwrap();
        let program = Path::new("/bin/sh");
        let kept = keep(program, bin.path()).unwrap();
        let inode = || fs::metadata(&kept).unwrap().ino();
        let first = inode();
        // As another command that looked before the copy had its name.
        let beside = bin.path().join(".new-0");
        copy_synced(program, &beside).unwrap();
        publish(&beside, &kept).unwrap();
        fs::remove_file(beside).unwrap();
        assert_eq!(keep(program, bin.path()).unwrap(), kept);
        assert_eq!(inode(), first);
        assert_eq!(fs::read_dir(bin.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_old_copies_that_nothing_runs_from_are_removed_whatever_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("state"), &link).unwrap();
        let folders = Folders { state: link.clone(), run: link };
        let bin = folder.path().join("state/bin");
        fs::create_dir_all(&bin).unwrap();
        let long_ago = SystemTime::now() - 2 * YOUNG;
        for (name, time) in [("used", long_ago), ("unused", long_ago), ("young", SystemTime::now())]
        {
            copy_synced(Path::new("/bin/sleep"), &bin.join(name)).unwrap();
            File::open(bin.join(name)).unwrap().set_modified(time).unwrap();
        }
        let mut running = Command::new(bin.join("used")).arg0("sleep").arg("60").spawn().unwrap();
        remove_unused(&folders).unwrap();
        running.kill().unwrap();
        running.wait().unwrap();
        let mut left: Vec<_> =
            fs::read_dir(&bin).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["used", "young"]);
    }
}
