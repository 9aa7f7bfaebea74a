//! Leaving a rollout that goes on: the second Ctrl-C of `deploy`.

use crate::harness::{World, get_tcp, wait_until};

fn served(world: &World) -> String {
    let answer = get_tcp(&world.address(), "/").unwrap();
    answer.header("x-version").unwrap_or("-").to_owned()
}

/// v1 is live; v2 is never ready, and takes long to stop.
fn stubborn() -> World {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let spec = world
        .spec()
        .env("CUTOVER_DEMO_READY_AFTER", "60s")
        .env("CUTOVER_DEMO_IGNORE_TERM", "1")
        .health("{ deadline: 60s, settle: 500ms }");
    // While the first one is told to stop it goes on for so long.
    world.write_spec(&spec.text().replace("stop: 2s", "stop: 8s"));
    world
}

#[test]
fn a_second_interrupt_leaves_turning_back_to_the_daemon() {
    let world = stubborn();
    let deploy = world.start("deploy v2");
    wait_until("a new instance starts", || deploy.stderr().contains("v2.0  starting"));
    deploy.interrupt();
    wait_until("it is told", || deploy.stderr().contains("turning back as you asked"));
    deploy.interrupt();
    let ran = deploy.wait().expect_code(130);
    let ran = ran.complains("the rollout goes on without this command");
    ran.complains("attach again: cutover status --watch --app shop");
    let going = world.run("status --json").expect_ok().json();
    assert!(!going["apps"][0]["rollout"].is_null(), "it was left before the end: {going}");
    wait_until("the daemon turns it back", || {
        world.run("status --json").json()["apps"][0]["rollout"].is_null()
    });
    assert_eq!(served(&world), "v1");
    world.run("history").expect_ok().says("v1 → v2").says("asked for it");
}

#[test]
fn a_second_interrupt_is_heard_while_the_daemon_does_not_answer() {
    let world = stubborn();
    let deploy = world.start("deploy v2");
    wait_until("a new instance starts", || deploy.stderr().contains("v2.0  starting"));
    let pid = world.signal_daemon("STOP");
    let before = connections(&world);
    deploy.interrupt();
    // Nobody answers the first one; whether it was taken shows in nothing but the connection.
    wait_until("it asks the daemon", || connections(&world) > before);
    deploy.interrupt();
    let ran = deploy.wait();
    crate::harness::signal(pid, "CONT");
    ran.expect_code(130).complains("the rollout goes on without this command");
}

/// Sockets at the daemon's end, the listening one included, as the kernel lists them.
fn connections(world: &World) -> usize {
    let path = world.socket();
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let own = path.to_string_lossy().into_owned();
    table.lines().filter(|line| line.ends_with(&own)).count()
}
