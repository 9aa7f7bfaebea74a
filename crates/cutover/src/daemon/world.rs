//! What the daemon's engine works on: one alias and one way to open it.

use cutover_engine::clock::SystemClock;
use cutover_engine::journal::SqliteJournal;
use cutover_engine::ports::{self, Parts};
use cutover_engine::{Engine, HooksHere, Kept};
use cutover_platform::{LocalPlatform, Metrics, ProxyClient};

use crate::binary;
use crate::failure::Failure;
use crate::flags::Flags;
use crate::folders::Folders;

/// The ports of this build.
pub(crate) enum Here {}

impl ports::World for Here {
    type Journal = SqliteJournal;
    type Platform = LocalPlatform;
    type DataPlane = ProxyClient;
    type Metrics = Metrics;
    type Hooks = HooksHere;
    type Clock = SystemClock;
}

/// The engine of this build.
pub(crate) type World = Engine<Here>;

/// A client of the proxy of its own.
pub(crate) fn proxy(folders: &Folders) -> Result<ProxyClient, Failure> {
    let program = binary::kept(folders)?;
    Ok(ProxyClient::new(folders.proxy_socket(), program, folders.state.clone()))
}

/// Takes up the flags that were served, over a connection of their own.
pub(crate) fn open_flags(folders: &Folders) -> Result<Flags, Failure> {
    let changes = folders.state.join("flag-changes");
    Flags::open(folders.state.join("flags.json"), changes, proxy(folders)?)
}

/// Opens the journal and takes every app up where it was.
pub(crate) async fn open(folders: &Folders) -> Result<World, Failure> {
    // Keepers and the proxy are started from the kept copy, too: they outlive a rebuild.
    let program = binary::kept(folders)?;
    let platform = LocalPlatform::new(folders.state.clone(), program.clone())
        .map_err(|error| Failure::internal("the local platform cannot be opened", &error))?;
    let dataplane = ProxyClient::new(folders.proxy_socket(), program, folders.state.clone());
    let parts = Parts { platform, dataplane, metrics: Metrics, hooks: HooksHere };
    let kept = Kept::open(&folders.state)?;
    Ok(Engine::start(kept, parts, SystemClock::continuing).await?)
}
