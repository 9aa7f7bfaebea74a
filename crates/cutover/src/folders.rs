//! Where state and sockets are.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, exit};

/// Environment variable with the state folder.
pub(crate) const STATE: &str = "CUTOVER_STATE";
/// Environment variable with the folder for sockets; set for the daemon and its children.
pub(crate) const RUN: &str = "CUTOVER_RUN";

/// The longest path a Unix socket can be bound to on Linux: `sun_path` less the final zero.
const LONGEST_SOCKET: usize = 107;
/// The longest name of any socket in the run folder.
const LONGEST_NAME: &str = "proxy-keeper.sock";

/// The folders of one Cutover: everything it knows, and the sockets it is reached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folders {
    pub(crate) state: PathBuf,
    pub(crate) run: PathBuf,
}

impl Folders {
    /// As the environment says.
    pub(crate) fn from_env() -> Result<Folders, Failure> {
        Folders::resolve(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn resolve<T: AsRef<OsStr>>(var: impl Fn(&str) -> Option<T>) -> Result<Folders, Failure> {
        let path = |name: &str| var(name).map(|value| PathBuf::from(value.as_ref()));
        let absolute = |path: PathBuf| std::path::absolute(path).map_err(Failure::from);
        let own = path(STATE);
        let state = match (&own, path("XDG_STATE_HOME"), path("HOME")) {
            (Some(own), _, _) => own.clone(),
            (None, Some(xdg), _) => xdg.join("cutover"),
            (None, None, Some(home)) => home.join(".local/state/cutover"),
            (None, None, None) => {
                return Err(Failure::usage("there is no folder to keep state in")
                    .help(format!("set {STATE}, XDG_STATE_HOME or HOME")));
            }
        };
        let state = absolute(state)?;
        let run = match (path(RUN), own, path("XDG_RUNTIME_DIR")) {
            (Some(run), _, _) => absolute(run)?,
            (None, Some(_), _) => state.clone(),
            (None, None, Some(xdg)) => absolute(xdg)?.join("cutover"),
            (None, None, None) => state.clone(),
        };
        Ok(Folders { state, run })
    }

    /// Makes the folders if need be and refuses those that others could meddle with.
    pub(crate) fn prepare(&self) -> Result<(), Failure> {
        let longest = self.run.join(LONGEST_NAME);
        let length = longest.as_os_str().as_bytes().len();
        if length > LONGEST_SOCKET {
            return Err(Failure::usage(format!(
                "the path of the socket {} is too long: {length} bytes, Linux allows {LONGEST_SOCKET}",
                longest.display()
            ))
            .help(format!("set {STATE} to a shorter path")));
        }
        private(&self.state)?;
        private(&self.run)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run.join("daemon.sock")
    }
    pub(crate) fn lock(&self) -> PathBuf {
        self.state.join("daemon.lock")
    }
    pub(crate) fn log(&self) -> PathBuf {
        self.state.join("daemon.log")
    }
    pub(crate) fn binaries(&self) -> PathBuf {
        self.state.join("bin")
    }
    pub(crate) fn proxy_state(&self) -> PathBuf {
        self.state.join("proxy")
    }
    pub(crate) fn proxy_socket(&self) -> PathBuf {
        self.run.join("proxy.sock")
    }

    /// Tells a child where the folders are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env(STATE, &self.state).env(RUN, &self.run);
    }
}

fn private(folder: &Path) -> Result<(), Failure> {
    cutover_files::private_folder(folder).map_err(|error| {
        let message = format!("{} cannot be a folder for state", folder.display());
        Failure::new(exit::PREFLIGHT, message)
            .because(&error)
            .help(format!("set {STATE} to a folder that you can write"))
    })?;
    let meta = std::fs::metadata(folder).map_err(|error| {
        Failure::internal(format!("cannot look at {}", folder.display()), &error)
    })?;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(Failure::new(
            exit::PREFLIGHT,
            format!("{} belongs to uid {}, not to you (uid {me})", folder.display(), meta.uid()),
        )
        .help(format!("set {STATE} to a folder of your own")));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(Failure::new(
            exit::PREFLIGHT,
            format!("{} can be written by other users", folder.display()),
        )
        .help(format!("chmod 700 {}", folder.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vars: &[(&str, &str)]) -> Folders {
        Folders::resolve(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
            .unwrap()
    }

    #[test]
    fn own_state_folder_holds_the_sockets_too() {
        let folders = of(&[("CUTOVER_STATE", "/a"), ("XDG_RUNTIME_DIR", "/run/user/1")]);
        assert_eq!(folders.run, Path::new("/a"));
        let folders = of(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1")]);
        assert_eq!(folders.state, Path::new("/h/.local/state/cutover"));
        assert_eq!(folders.run, Path::new("/run/user/1/cutover"));
        let folders = of(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]);
        assert_eq!(
            (folders.state.clone(), folders.run),
            (folders.state, PathBuf::from("/s/cutover"))
        );
    }

    #[test]
    fn a_folder_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(private(folder.path()).unwrap_err().code, exit::PREFLIGHT);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(private(folder.path()).is_ok());
    }

    #[test]
    fn a_socket_path_that_linux_cannot_bind_is_refused() {
        let state = PathBuf::from(format!("/tmp/{}", "x".repeat(100)));
        let folders = Folders { run: state.clone(), state };
        assert!(folders.prepare().unwrap_err().message.contains("too long"));
    }
}
