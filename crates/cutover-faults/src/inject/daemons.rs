//! The daemon killed, started anew, and started more than once.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::Failure;
use crate::processes::Role;
use crate::scene::Scene;

/// A daemon that is not in charge after this time is reported.
const PATIENCE: Duration = Duration::from_secs(20);

/// The last daemon that the proxy obeyed.
fn epoch(scene: &Scene<'_>) -> u64 {
    scene.world.ask_proxy("/v1/state").and_then(|state| state["epoch"].as_u64()).unwrap_or_default()
}

/// Kills the daemon, if one runs; gives the epoch it had.
pub(super) fn end(scene: &Scene<'_>) -> u64 {
    let before = epoch(scene);
    if let Some(daemon) = scene.world.one(Role::Daemon) {
        daemon.kill();
    }
    before
}

pub(super) fn kill(scene: &mut Scene<'_>) -> Result<(), Failure> {
    let before = end(scene);
    start(scene, before)
}

/// Starts a daemon as a person would, and measures until it is in charge. Whoever follows a release
/// may be faster, which makes no difference.
fn start(scene: &mut Scene<'_>, before: u64) -> Result<(), Failure> {
    let begun = Instant::now();
    let command = scene.world.start(scene.world.folder(), "daemon start")?;
    wait_for_charge(scene, before, begun);
    let ran = command.wait(PATIENCE)?;
    if ran.code != Some(0) {
        scene.effect.wrong.push(format!("no daemon could be started: {ran}"));
    }
    Ok(())
}

/// Waits until a daemon newer than `before` answers with every app, and the proxy obeys it.
fn wait_for_charge(scene: &mut Scene<'_>, before: u64, begun: Instant) {
    loop {
        let apps = scene.world.ask_daemon("/v1/apps");
        let all = apps.is_some_and(|apps| {
            let known = |name: &str| {
                let mine =
                    apps.as_array().and_then(|apps| apps.iter().find(|app| app["subject"] == name));
                mine.is_some_and(is_complete)
            };
            scene.apps.iter().all(|app| known(&app.name))
        });
        if all && epoch(scene) > before {
            scene.effect.back = Some(begun.elapsed());
            return;
        }
        if begun.elapsed() > PATIENCE {
            scene.effect.wrong.push(format!("no daemon is in charge after {PATIENCE:?}"));
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Is the app shown with what it has: a release that is live, and instances? In the middle of a big
/// bang there are none.
fn is_complete(app: &Value) -> bool {
    let runs = app["instances"].as_array().is_some_and(|all| !all.is_empty());
    app["live"].is_object() && (runs || app["rollout"].is_object())
}

pub(super) fn restart(scene: &mut Scene<'_>) -> Result<(), Failure> {
    let before = epoch(scene);
    let ran = scene.world.run("daemon stop")?;
    if ran.code != Some(0) {
        scene.effect.wrong.push(format!("the daemon could not be stopped: {ran}"));
    }
    start(scene, before)
}

/// Kills the daemon and starts four in the same moment.
pub(super) fn start_many(scene: &mut Scene<'_>) -> Result<(), Failure> {
    let before = end(scene);
    let begun = Instant::now();
    for _ in 0..4 {
        let daemon = scene.world.start(scene.world.folder(), "daemon run --detached")?;
        scene.effect.daemons.push(daemon);
    }
    wait_for_charge(scene, before, begun);
    Ok(())
}
