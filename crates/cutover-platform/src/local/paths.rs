//! Where the files of the local platform are.

use std::path::{Path, PathBuf};

use cutover_core::id::{InstanceId, InvalidName, Subject};

/// The folder of all instances.
pub(crate) fn instances(state: &Path) -> PathBuf {
    state.join("instances")
}

/// The folder of one instance; what its files mean is told in [`crate::local`].
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    name: String,
}

impl Folder {
    pub(crate) fn new(state: &Path, subject: &Subject, instance: InstanceId) -> Folder {
        let name = format!("{subject}/{instance}");
        Folder { path: instances(state).join(&name), name }
    }
    /// From `<subject>/<instance>`, as it stands in a keeper's arguments.
    ///
    /// # Errors
    /// Anything that is not a subject and an instance, so that no other folder can be named.
    pub(crate) fn named(state: &Path, name: &str) -> Result<Folder, InvalidName> {
        let (subject, instance) = name.split_once('/').unwrap_or((name, ""));
        Ok(Folder::new(state, &subject.parse()?, instance.parse()?))
    }
    /// `<subject>/<instance>`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
    pub(crate) fn start(&self) -> PathBuf {
        self.path.join("start.json")
    }
    pub(crate) fn kept(&self) -> PathBuf {
        self.path.join("keeper.json")
    }
    pub(crate) fn exits(&self) -> PathBuf {
        self.path.join("exits.jsonl")
    }
    pub(crate) fn stop(&self) -> PathBuf {
        self.path.join("stop")
    }
    pub(crate) fn ready(&self) -> PathBuf {
        self.path.join("ready")
    }
    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }
    pub(crate) fn older_log(&self) -> PathBuf {
        self.path.join("log.1")
    }
    pub(crate) fn keeper_log(&self) -> PathBuf {
        self.path.join("keeper.log")
    }
    pub(crate) fn secrets(&self) -> PathBuf {
        self.path.join("secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_instances_have_folders() {
        let state = Path::new("/state");
        let folder = Folder::named(state, "shop.blue/r3.0").unwrap();
        assert_eq!(folder.path(), Path::new("/state/instances/shop.blue/r3.0"));
        for bad in ["shop", "shop/", "../x/r1.0", "shop/../r1.0", "shop/r1.0/x", "/r1.0"] {
            assert!(Folder::named(state, bad).is_err(), "{bad:?} must be refused");
        }
    }
}
