//! Where state and sockets are.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, exit};

/// Environment variable with the state folder.
pub(crate) const STATE: &str = "CUTOVER_STATE";
/// Environment variable with the folder for sockets; set for the daemon and its children.
pub(crate) const RUN: &str = "CUTOVER_RUN";

/// Environment variable that every process of an instance has; it is set by the local platform.
pub(crate) const INSTANCE: &str = "CUTOVER_INSTANCE_FOLDER";

/// The longest path a Unix socket can be bound to on Linux: `sun_path` less the final zero.
const LONGEST_SOCKET: usize = 107;
/// The longest name of any socket in the run folder.
const LONGEST_NAME: &str = "proxy-keeper.sock";

/// One of these in a folder shows that it is a Cutover's.
const TRACES: [&str; 4] = ["daemon.lock", "daemon.sock", "proxy.sock", LONGEST_NAME];

/// The folders of one Cutover: everything it knows, and the sockets it is reached by. The paths
/// are free of symlinks: they are compared with what the kernel says of running processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folders {
    pub(crate) state: PathBuf,
    pub(crate) run: PathBuf,
}

impl Folders {
    /// As the environment says.
    pub(crate) fn from_env() -> Result<Folders, Failure> {
        let told = Folders::told(|name| env::var_os(name).filter(|value| !value.is_empty()))?;
        Ok(Folders::new(told.state, told.run))
    }

    /// Those of these paths, with symlinks resolved.
    pub(crate) fn new(state: PathBuf, run: PathBuf) -> Folders {
        // A symlink may be there to make a path short enough for sockets.
        let resolved = resolved(&run);
        let run = if fits(&run) && !fits(&resolved) { run } else { resolved };
        Folders { state: self::resolved(&state), run }
    }

    fn told<T: AsRef<OsStr>>(var: impl Fn(&str) -> Option<T>) -> Result<Folders, Failure> {
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
        if !fits(&self.run) {
            let longest = self.run.join(LONGEST_NAME);
            let length = longest.as_os_str().len();
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

/// Can every socket be bound in this folder?
fn fits(run: &Path) -> bool {
    run.join(LONGEST_NAME).as_os_str().len() <= LONGEST_SOCKET
}

/// The path with every symlink followed; what is not there yet cannot be one.
fn resolved(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                real.pop();
            }
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::Normal(_) => {
                real.push(part);
                if let Ok(followed) = real.canonicalize() {
                    real = followed;
                }
            }
        }
    }
    real
}

/// Makes a folder that only this user can look into.
fn private(folder: &Path) -> Result<(), Failure> {
    let refused = |why: &str| Failure::new(exit::PREFLIGHT, format!("{} {why}", folder.display()));
    cutover_files::private_folder(folder).map_err(|error| {
        refused("cannot be a folder for state")
            .because(&error)
            .help(format!("set {STATE} to a folder that you can write"))
    })?;
    let meta = fs::metadata(folder).map_err(|error| {
        Failure::internal(format!("cannot look at {}", folder.display()), &error)
    })?;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(refused(&format!("belongs to uid {}, not to you (uid {me})", meta.uid()))
            .help(format!("set {STATE} to a folder of your own")));
    }
    if meta.mode() & 0o077 == 0 {
        return Ok(());
    }
    let open = || {
        refused("is open to other users")
            .help(format!("set {STATE} to a folder of its own, or chmod 700 {}", folder.display()))
    };
    // To close a folder that holds something else, like / or /tmp, could break a lot.
    if !is_ours(folder) {
        return Err(open());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .map_err(|error| open().because(&error))
}

/// Is the folder empty, or a Cutover's?
fn is_ours(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
        || TRACES.iter().any(|name| folder.join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vars: &[(&str, &str)]) -> Folders {
        Folders::told(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
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

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn an_empty_folder_or_one_of_a_cutover_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        for (open, trace) in [(0o777, None), (0o755, Some("daemon.lock"))] {
            if let Some(name) = trace {
                fs::create_dir(folder.path().join(name)).unwrap();
            }
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(open)).unwrap();
            private(folder.path()).unwrap();
            assert_eq!(mode(folder.path()), 0o700);
        }
    }

    #[test]
    fn an_open_folder_with_something_else_in_it_is_refused_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("photos")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(private(folder.path()).unwrap_err().code, exit::PREFLIGHT);
        assert_eq!(mode(folder.path()), 0o755);
    }

    #[test]
    fn symlinks_are_followed_also_to_what_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir(real.join("real")).unwrap();
        std::os::unix::fs::symlink(real.join("real"), real.join("link")).unwrap();
        assert_eq!(resolved(&real.join("link/a/b")), real.join("real/a/b"));
        assert_eq!(resolved(&real.join("none/../link")), real.join("real"));
        assert_eq!(resolved(&real.join("link/..")), real);
    }

    #[test]
    fn a_symlink_that_makes_the_run_folder_short_enough_stays() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(100));
        fs::create_dir(&long).unwrap();
        let short = folder.path().join("s");
        std::os::unix::fs::symlink(&long, &short).unwrap();
        let folders = Folders::new(short.clone(), short.clone());
        assert_eq!(folders, Folders { state: long.canonicalize().unwrap(), run: short });
        folders.prepare().unwrap();
    }

    #[test]
    fn a_socket_path_that_linux_cannot_bind_is_refused() {
        let state = PathBuf::from(format!("/tmp/{}", "x".repeat(100)));
        let folders = Folders { run: state.clone(), state };
        assert!(folders.prepare().unwrap_err().message.contains("too long"));
    }
}
