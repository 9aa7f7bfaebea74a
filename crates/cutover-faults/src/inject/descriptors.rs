//! No descriptor is left to a process.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::failure::{Failure, cannot};
use crate::fault::Part;
use crate::processes::Role;
use crate::scene::Scene;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(4);

/// A limit that is set back when this is dropped.
struct Lowered {
    pid: Pid,
    before: Rlimit,
}

impl Drop for Lowered {
    fn drop(&mut self) {
        // A process that has ended needs no limit.
        let _ = prlimit(Some(self.pid), Resource::Nofile, self.before);
    }
}

pub(super) fn exhaust(scene: &mut Scene<'_>, part: Part) -> Result<(), Failure> {
    let role = match part {
        Part::Daemon => Role::Daemon,
        Part::Proxy => Role::Proxy,
    };
    let process = scene.world.one(role).and_then(|it| Some((Pid::from_raw(it.pid)?, it)));
    let Some((pid, process)) = process else {
        return Err(Failure::Said(format!("there is no {role:?}")));
    };
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    // None, or just one: the limit is on the number, and the lowest free one comes next.
    let free = process.free_descriptor() + u64::from(scene.choices.also);
    let low = Rlimit { current: Some(free), maximum };
    let before = prlimit(Some(pid), Resource::Nofile, low)
        .map_err(|error| cannot("lower a limit")(error.into()))?;
    let lowered = Lowered { pid, before };
    std::thread::sleep(scene.choices.between(SHORTEST, LONGEST));
    drop(lowered);
    Ok(())
}
