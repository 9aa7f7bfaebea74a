//! Processes that are killed or stopped.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::checks::Allowed;
use crate::client;
use crate::failure::Failure;
use crate::processes::{Process, Role};
use crate::scene::Scene;
use crate::users::Users;
use crate::world::Pattern;

/// From the death of a process until everybody who talked to it has noticed. What is begun
/// meanwhile may still go over a connection to the dead.
const NOTICE: Duration = Duration::from_millis(50);
/// Stops of a process last between these.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);
/// A user who came in the worst moment is served within this time.
const SERVED: Duration = Duration::from_secs(60);

/// Does something deadly, and allows as many failures as there were requests under way.
pub(super) fn with_losses(scene: &mut Scene<'_>, because: &'static str, deadly: impl FnOnce()) {
    let points = |scene: &Scene<'_>| scene.users.first().map(Users::point);
    let before = points(scene);
    deadly();
    std::thread::sleep(NOTICE);
    if let (Some(before), Some(after)) = (before, points(scene)) {
        let failed = before.under_way + after.started.saturating_sub(before.started);
        scene.effect.allowed = Allowed { failed, because };
    }
}

pub(super) fn kill(scene: &mut Scene<'_>, role: Role) -> Result<(), Failure> {
    let Some(victim) = scene.pick(scene.world.with_role(role)) else {
        scene.effect.note = Some(format!("there was no {role:?} to kill"));
        return Ok(());
    };
    let kill = || {
        victim.kill();
    };
    if role == Role::Instance {
        with_losses(scene, "under way when an instance was killed", kill);
    } else {
        kill();
    }
    Ok(())
}

pub(super) fn kill_proxy(scene: &mut Scene<'_>) -> Result<(), Failure> {
    let newcomer = killed_proxy(scene)?;
    newcomer.note(scene);
    Ok(())
}

/// Kills the proxy; the newcomer is a user who comes in that moment.
pub(super) fn killed_proxy(scene: &mut Scene<'_>) -> Result<Newcomer, Failure> {
    let proxy = the_proxy(scene)?;
    let address = listen(scene)?;
    let mut newcomer = None;
    with_losses(scene, "under way when the proxy was killed", || {
        let died = Instant::now();
        proxy.kill();
        newcomer = Some(Newcomer::comes(address, died));
    });
    newcomer.ok_or_else(|| Failure::Said("nobody came".to_owned()))
}

fn the_proxy(scene: &Scene<'_>) -> Result<Process, Failure> {
    scene.world.one(Role::Proxy).ok_or_else(|| Failure::Said("there is no proxy".to_owned()))
}

fn listen(scene: &Scene<'_>) -> Result<SocketAddr, Failure> {
    let first = scene.apps.first().map(|app| app.listen);
    first.ok_or_else(|| Failure::Said("there is no app".to_owned()))
}

/// A user with one new connection, which must queue until somebody takes it.
pub(super) struct Newcomer(JoinHandle<Result<Duration, String>>);

impl Newcomer {
    /// Comes now; `since` is when the proxy went.
    fn comes(address: SocketAddr, since: Instant) -> Newcomer {
        Newcomer(std::thread::spawn(move || {
            let answer = client::get(address, "/", SERVED).map_err(|error| error.to_string())?;
            match answer.status {
                200 => Ok(since.elapsed()),
                status => Err(format!("a user got {status}: {}", answer.body)),
            }
        }))
    }

    /// Waits until that user is served, and notes how long it took.
    pub(super) fn note(self, scene: &mut Scene<'_>) {
        match self.0.join() {
            // Where nobody serves between the versions, an answer says nothing of the proxy.
            Ok(Ok(_)) if scene.choices.pattern == Pattern::BigBang => {}
            Ok(Ok(time)) => scene.effect.back = Some(time),
            Ok(Err(error)) => {
                scene.effect.wrong.push(format!("who came as the proxy went got: {error}"));
            }
            Err(_) => scene.effect.wrong.push("a user of the harness panicked".to_owned()),
        }
    }
}

pub(super) fn restart_proxy(scene: &mut Scene<'_>) -> Result<(), Failure> {
    let proxy = the_proxy(scene)?;
    let told = Instant::now();
    proxy.signal(Signal::TERM);
    let newcomer = Newcomer::comes(listen(scene)?, told);
    if !proxy.ends_within(Duration::from_secs(15)) {
        scene.effect.wrong.push("the proxy does not end on SIGTERM".to_owned());
    }
    newcomer.note(scene);
    Ok(())
}

/// A process that goes on when this is dropped.
struct Stopped(Process);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

pub(super) fn stop(scene: &mut Scene<'_>, role: Role) -> Result<(), Failure> {
    let Some(victim) = scene.pick(scene.world.with_role(role)) else {
        scene.effect.note = Some(format!("there was no {role:?} to stop"));
        return Ok(());
    };
    victim.signal(Signal::STOP);
    let stopped = Stopped(victim);
    std::thread::sleep(scene.choices.between(SHORTEST, LONGEST));
    drop(stopped);
    Ok(())
}
