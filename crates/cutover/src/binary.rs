//! One copy of this program per version, so that a rebuild breaks nothing that runs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::folders::Folders;

/// Copies younger than this are never removed.
const YOUNG: Duration = Duration::from_secs(60);

/// This very program.
pub(crate) fn own() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::internal("cannot find the path of this program", &error))
}

/// The path of a copy of this program that nobody will change; made if it is not there.
pub(crate) fn kept(folders: &Folders) -> Result<PathBuf, Failure> {
    let own = own()?;
    let bin = folders.binaries();
    if own.parent() == Some(&bin) {
        return Ok(own);
    }
    cutover_files::private_folder(&bin)?;
    let copy = || -> io::Result<PathBuf> {
        let target = bin.join(format!("cutover-{}", digest(&own)?));
        if target.exists() {
            return Ok(target);
        }
        // The name must never stand for half a program, so the copy gets it last.
        let beside = bin.join(format!(".new-{}", std::process::id()));
        let result = copy_synced(&own, &beside).and_then(|()| fs::rename(&beside, &target));
        if result.is_err() {
            let _ = fs::remove_file(&beside);
        }
        result.map(|()| target)
    };
    copy().map_err(|error| {
        Failure::internal(
            format!("cannot keep a copy of this program in {}", bin.display()),
            &error,
        )
    })
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

/// Removes copies that no running process was started from.
pub(crate) fn remove_unused(folders: &Folders) -> io::Result<()> {
    let mut used = BTreeSet::new();
    for process in fs::read_dir("/proc")? {
        // Processes end while we look, and those of others cannot be read: neither is ours.
        if let Ok(exe) = fs::read_link(process?.path().join("exe")) {
            used.insert(exe);
        }
    }
    for entry in fs::read_dir(folders.binaries())? {
        let entry = entry?;
        // A young one may be a copy that another command is about to start.
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if age > YOUNG && !used.contains(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
