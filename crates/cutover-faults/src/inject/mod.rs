//! Making things go wrong.

mod clock;
mod daemons;
mod descriptors;
mod disk;
mod files;
mod port;
mod signals;

use crate::failure::Failure;
use crate::fault::{Fault, Part};
use crate::processes::Role;
use crate::scene::Scene;
use crate::world::World;

/// The size of a disk that can be filled, in MiB: room for two copies of the program and the files.
const SMALL_DISK: u32 = 160;

/// What a world needs before anything runs in it.
pub(crate) fn prepare(world: &mut World, fault: Fault) -> Result<(), Failure> {
    match fault {
        Fault::FullDisk(_) => world.mount(SMALL_DISK),
        Fault::Clock(_) => clock::prepare(world),
        Fault::Kill(_)
        | Fault::Stop(_)
        | Fault::Restart(_)
        | Fault::ProxyState(_)
        | Fault::Journal
        | Fault::Port
        | Fault::Descriptors(_)
        | Fault::Daemons
        | Fault::Crowd => Ok(()),
    }
}

/// Makes the fault happen, and ends it where it lasts.
pub(crate) fn inject(scene: &mut Scene<'_>) -> Result<(), Failure> {
    match scene.choices.fault {
        Fault::Kill(Role::Daemon) | Fault::Crowd => daemons::kill(scene),
        Fault::Kill(Role::Proxy) => signals::kill_proxy(scene),
        Fault::Kill(role) => signals::kill(scene, role),
        Fault::Stop(role) => signals::stop(scene, role),
        Fault::Restart(Part::Daemon) => daemons::restart(scene),
        Fault::Restart(Part::Proxy) => signals::restart_proxy(scene),
        Fault::FullDisk(since) => disk::fill(scene, since),
        Fault::ProxyState(damage) => files::damage_proxy(scene, damage),
        Fault::Journal => files::garble_journal(scene),
        Fault::Clock(step) => clock::step(scene, step),
        Fault::Port => port::steal(scene),
        Fault::Descriptors(part) => descriptors::exhaust(scene, part),
        Fault::Daemons => daemons::start_many(scene),
    }
}
