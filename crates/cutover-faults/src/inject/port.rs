//! A port that somebody else takes.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use super::signals;
use crate::failure::Failure;
use crate::processes::{Process, Role};
use crate::scene::Scene;

/// An instance that crashed is started again after a second; by then its port is taken.
const BEFORE_RESTART: Duration = Duration::from_millis(900);

pub(super) fn steal(scene: &mut Scene<'_>) -> Result<(), Failure> {
    let victim = scene.pick(scene.world.with_role(Role::Instance));
    let robbed = victim.and_then(|victim| Some((address(&victim)?, victim)));
    let Some((address, victim)) = robbed else {
        scene.effect.note = Some("there was no instance to rob".to_owned());
        return Ok(());
    };
    let died = Instant::now();
    signals::with_losses(scene, "under way when an instance was killed", || {
        victim.kill();
    });
    // The thief comes when no request is sent there any more: what he gets is none of Cutover's.
    while routed(scene, address) && died.elapsed() < BEFORE_RESTART {
        std::thread::sleep(Duration::from_millis(5));
    }
    if died.elapsed() < BEFORE_RESTART
        && let Ok(thief) = TcpListener::bind(address)
    {
        scene.effect.thief = Some(thief);
    } else {
        scene.effect.note = Some("the instance was there again before the thief".to_owned());
    }
    Ok(())
}

/// Where an instance of the demo app listens, by its arguments.
fn address(process: &Process) -> Option<SocketAddr> {
    let (_, rest) = process.line.split_once("--port ")?;
    let port: u16 = rest.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Does the proxy send requests there?
fn routed(scene: &Scene<'_>, address: SocketAddr) -> bool {
    let text = address.to_string();
    let state = scene.world.ask_proxy("/v1/state").unwrap_or_default();
    let apps = state["apps"].as_object().cloned().unwrap_or_default();
    let tables = apps.values().map(|app| &app["table"]);
    tables.into_iter().any(|table| table.to_string().contains(&text))
}
