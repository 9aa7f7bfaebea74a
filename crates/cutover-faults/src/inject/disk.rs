//! A disk without room.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};

use crate::failure::{Failure, cannot};
use crate::fault::Since;
use crate::scene::Scene;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(6);

/// What takes the room, like a log that grows; it is given back when this is dropped.
struct Filler {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Filler {
    fn new(path: PathBuf) -> Result<Filler, Failure> {
        let file = File::create(&path).map_err(cannot("fill the disk"))?;
        Ok(Filler { path, file, length: 0 })
    }

    /// Takes all there is, and what others give back meanwhile.
    fn take_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            for size in [1 << 22, 1 << 16, 1 << 12] {
                let flags = FallocateFlags::empty();
                while fallocate(&self.file, flags, self.length, size).is_ok() {
                    self.length += size;
                }
            }
            if Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // Without it the run's checks fail, which says enough.
        let _ = fs::remove_file(&self.path);
    }
}

pub(super) fn fill(scene: &mut Scene<'_>, since: Since) -> Result<(), Failure> {
    let mut filler = Filler::new(scene.world.state().join("filler"))?;
    filler.take_for(Duration::ZERO);
    if since == Since::Before {
        scene.release()?;
    }
    filler.take_for(scene.choices.between(SHORTEST, LONGEST));
    if since == Since::During && scene.choices.also {
        abort(scene)?;
    }
    if !scene.users_are_served() {
        scene.effect.wrong.push("users are not served while the disk is full".to_owned());
    }
    drop(filler);
    Ok(())
}

/// An abort works without room. A rollout that is over cannot be aborted, which is no fault.
fn abort(scene: &mut Scene<'_>) -> Result<(), Failure> {
    let Some(app) = scene.apps.first() else { return Ok(()) };
    let ran = scene.world.run_in(&app.folder, "abort")?;
    let over = ran.stderr.contains("no rollout");
    if ran.code != Some(0) && !over {
        scene.effect.wrong.push(format!("no abort while the disk is full: {ran}"));
    }
    Ok(())
}
