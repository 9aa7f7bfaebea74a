//! Where the proxy keeps its files and sockets.

use std::path::PathBuf;

/// The two folders of one proxy; both only for this user (0700).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// What outlives a boot: `state.json`, `state.json.prev`, `ballast`, locks, `log`.
    pub state: PathBuf,
    /// The sockets: `proxy.sock` (control) and `proxy-keeper.sock`.
    pub run: PathBuf,
}

impl Folders {
    /// The tables in force, as last acknowledged.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.state.join("state.json")
    }
    /// The copy before that.
    #[must_use]
    pub fn previous_state_file(&self) -> PathBuf {
        self.state.join("state.json.prev")
    }
    /// The definitions of flags that are served: `ENVIRONMENT.json` and the copy before it.
    #[must_use]
    pub fn flags(&self) -> PathBuf {
        self.state.join("flags")
    }
    /// Room for `state.json` on a full disk.
    #[must_use]
    pub fn ballast(&self) -> PathBuf {
        self.state.join("ballast")
    }
    /// Held while a proxy lives.
    #[must_use]
    pub fn proxy_lock(&self) -> PathBuf {
        self.state.join("proxy.lock")
    }
    /// Held while a keeper lives.
    #[must_use]
    pub fn keeper_lock(&self) -> PathBuf {
        self.state.join("keeper.lock")
    }
    /// What the proxy has to say; also its stdout and stderr.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.state.join("log")
    }
    /// The control socket (0600): JSON over HTTP/1.1, see [`cutover_core::dataplane`].
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.run.join("proxy.sock")
    }
    /// The keeper's socket (0600), for the proxy only.
    #[must_use]
    pub fn keeper_socket(&self) -> PathBuf {
        self.run.join("proxy-keeper.sock")
    }
}
