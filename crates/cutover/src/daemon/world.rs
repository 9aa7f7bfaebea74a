//! What the daemon's engine works on: one alias and one way to open it.

use cutover_engine::Engine;
use cutover_engine::clock::SystemClock;
use cutover_platform::{LocalPlatform, ProxyClient};

use crate::binary;
use crate::failure::Failure;
use crate::folders::Folders;

/// The engine of this build.
pub(crate) type World = Engine<LocalPlatform, ProxyClient, SystemClock>;

/// Opens the journal and takes every app up where it was.
pub(crate) async fn open(folders: &Folders) -> Result<World, Failure> {
    // Keepers and the proxy are started from the kept copy, too: they outlive a rebuild.
    let program = binary::kept(folders)?;
    let platform = LocalPlatform::new(folders.state.clone(), program.clone())
        .map_err(|error| Failure::internal("the local platform cannot be opened", &error))?;
    let proxy = ProxyClient::new(folders.proxy_socket(), program, folders.state.clone());
    Ok(Engine::start(&folders.state, platform, proxy, SystemClock::continuing).await?)
}
