//! What instances that do not exist any more left on disk.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cutover_core::id::{InstanceId, Subject};
use cutover_engine::ports::{KeepLeft, Left};

use super::instance::{World, remove};
use super::paths::Folder;

/// Of the folders of these instances, those that are not kept; removed unless `dry_run`.
pub(super) fn prune(
    world: &World,
    subject: &Subject,
    instances: Vec<InstanceId>,
    keep: &KeepLeft,
    dry_run: bool,
) -> io::Result<Vec<Left>> {
    let mut pruned = Vec::new();
    for instance in instances {
        let folder = Folder::new(&world.state, subject, instance);
        let Some(content) = Content::of(folder.path())? else { continue };
        let old = content.age() >= keep.logs;
        if keep.releases.contains(&instance.release) && !old {
            continue;
        }
        if !dry_run {
            remove(world, &folder)?;
        }
        pruned.push(Left { instance, bytes: content.bytes });
    }
    Ok(pruned)
}

/// What is in a folder.
struct Content {
    bytes: u64,
    newest: Option<SystemTime>,
}

impl Content {
    /// Looks through a folder; `None` if it has gone, or is none.
    fn of(path: &Path) -> io::Result<Option<Content>> {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut content = Content { bytes: 0, newest: None };
        content.add(path)?;
        Ok(Some(content))
    }

    fn add(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let meta: Metadata = entry.metadata()?;
            if meta.is_dir() {
                self.add(&entry.path())?;
            } else {
                self.bytes += meta.len();
                self.newest = self.newest.max(meta.modified().ok());
            }
        }
        Ok(())
    }

    /// Since the last change of a file; of an empty folder nothing is worth keeping.
    fn age(&self) -> Duration {
        self.newest.map_or(Duration::MAX, |newest| newest.elapsed().unwrap_or_default())
    }
}
