//! The clock of daemon and proxy stepped by libfaketime; never the machine's own.
//!
//! <https://github.com/wolfcw/libfaketime>; `apt-get install faketime`. Monotonic clocks are left
//! alone, as they are when an administrator sets the time.

use std::path::PathBuf;

use super::daemons;
use crate::failure::Failure;
use crate::fault::Step;
use crate::scene::Scene;
use crate::world::World;

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

fn library() -> Option<PathBuf> {
    let folders = ["/usr/lib", "/usr/local/lib"].into_iter().flat_map(|folder| {
        let inside = std::fs::read_dir(folder).into_iter().flatten().flatten();
        inside.map(|entry| entry.path()).chain([PathBuf::from(folder)])
    });
    folders.map(|folder| folder.join(LIBRARY)).find(|library| library.exists())
}

fn file(world: &World) -> PathBuf {
    world.folder().join("clock")
}

pub(super) fn prepare(world: &mut World) -> Result<(), Failure> {
    let Some(library) = library() else {
        return Err(Failure::Skipped("a stepped clock needs libfaketime".to_owned()));
    };
    set(world, "+0")?;
    let file = file(world).to_string_lossy().into_owned();
    world.set("LD_PRELOAD", library.to_string_lossy());
    world.set("FAKETIME_TIMESTAMP_FILE", file);
    world.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    world.set("FAKETIME_NO_CACHE", "1");
    world.set("NO_FAKE_STAT", "1");
    Ok(())
}

fn set(world: &World, offset: &str) -> Result<(), Failure> {
    Ok(cutover_files::write_atomic(&file(world), format!("{offset}\n").as_bytes())?)
}

pub(super) fn step(scene: &mut Scene<'_>, step: Step) -> Result<(), Failure> {
    set(
        &scene.world,
        match step {
            Step::Forward => "+3600",
            Step::Back => "-3600",
        },
    )?;
    if scene.choices.also { daemons::kill(scene) } else { Ok(()) }
}
