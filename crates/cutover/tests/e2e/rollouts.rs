//! Whole rollouts: real daemon, proxy, keepers and app.

use crate::harness::{World, get_tcp, served, wait_until};

/// The version that users get.
/// The events that a command printed.
fn events(ran: &crate::harness::Ran) -> Vec<serde_json::Value> {
    ran.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn two_versions_go_live_one_after_the_other_and_back() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok().says("shop v1 is live: 2 instances");
    assert_eq!(served(&world).as_deref(), Some("v1"));
    world.deploy("v1").expect_ok().says("nothing to do");

    let json = world.deploy("v2 --json").expect_ok().json();
    assert_eq!(
        (&json["outcome"], &json["from"], &json["live"]),
        (&"succeeded".into(), &"v1".into(), &"v2".into())
    );
    assert_eq!((&json["exit_code"], &json["counts"]["failed"]), (&0.into(), &0.into()));
    assert_eq!(served(&world).as_deref(), Some("v2"));

    world.run("status").expect_ok().says("v2 live  2/2 ready").says("v2.0");
    world.run("logs v2.0").expect_ok().says("started");
    world.run("history").expect_ok().says("v1 → v2");
    world.run("rollback --dry-run").expect_ok();
    world.run("rollback").expect_ok().says("shop v1 is live (was v2)");
    assert_eq!(served(&world).as_deref(), Some("v1"));

    world.run("down").expect_ok().says("shop is down");
    assert!(get_tcp(&world.address(), "/").is_err(), "the port is free");
}

#[test]
fn a_version_that_is_never_ready_is_turned_back_with_its_reason() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.spec().env("CUTOVER_DEMO_HEALTH_STATUS", "500").write();
    let ran = world.deploy("v2").expect_code(5);
    let ran = ran.complains("v2 was turned back").complains("/health").complains("500");
    ran.complains("unchanged: v1 is live as before");
    assert_eq!(served(&world).as_deref(), Some("v1"));
}

#[test]
fn the_daemon_may_die_in_the_middle_and_the_command_still_sees_the_end() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.spec().env("CUTOVER_DEMO_READY_AFTER", "1s").write();
    let deploy = world.start("deploy v2 --output ndjson");
    wait_until("a new instance starts", || deploy.stdout().contains(r#""instance":"r2.0""#));
    world.kill_daemon();
    let ran = deploy.wait().expect_ok();
    let indices: Vec<u64> = events(&ran).iter().filter_map(|one| one["index"].as_u64()).collect();
    assert!(indices.is_sorted_by(|one, next| one < next), "none twice: {indices:?}");
    assert_eq!(events(&ran).last().unwrap()["type"], "rollout-finished");
    assert_eq!(served(&world).as_deref(), Some("v2"));
}

#[test]
fn a_stopped_daemon_leaves_apps_and_traffic_alone() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let before = world.run("status --json").expect_ok().json()["apps"][0]["instances"].clone();
    world.run("daemon stop").expect_ok().says("shop runs on: 2 instances");
    assert_eq!(served(&world).as_deref(), Some("v1"));
    world.run("proxy status").expect_ok().says("shop  127.0.0.1:");
    let after = world.run("status --json").expect_ok().json()["apps"][0]["instances"].clone();
    let addresses = |apps: &serde_json::Value| -> Vec<String> {
        apps.as_array().unwrap().iter().map(|one| one["address"].to_string()).collect()
    };
    assert_eq!(addresses(&before), addresses(&after), "the same instances, not new ones");
}

#[test]
fn people_pause_promote_and_scale() {
    let world = World::new();
    world
        .spec()
        .pattern("blue-green")
        .more("patterns: { blue-green: { approve: true, soak: 0s, keep: 0s } }")
        .write();
    world.deploy("v1").expect_ok();
    let deploy = world.start("deploy v2");
    wait_until("it asks", || deploy.stderr().contains("waits for your approval: cutover promote"));
    world.run("status").expect_ok().says("waits for you");
    world.deploy("v3").expect_code(8);
    assert_eq!(served(&world).as_deref(), Some("v1"));
    world.run("promote").expect_ok().says("goes on");
    deploy.wait().expect_ok().says("shop v2 is live (was v1)");
    world.run("scale 3").expect_ok().says("shop: 2 → 3 instances");
    wait_until("three are ready", || {
        world.run("status").stdout.contains("v2 live  3/3 ready (scaled)")
    });
}

#[test]
fn an_interrupt_turns_back_and_names_the_end() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world
        .spec()
        .env("CUTOVER_DEMO_READY_AFTER", "30s")
        .health("{ deadline: 60s, settle: 500ms }")
        .write();
    let deploy = world.start("deploy v2");
    wait_until("a new instance starts", || deploy.stderr().contains("v2.0  starting"));
    deploy.interrupt();
    let ran = deploy.wait().expect_code(130);
    ran.complains("turning back as you asked").complains("unchanged: v1 is live as before");
    assert_eq!(served(&world).as_deref(), Some("v1"));
}

#[test]
fn waiting_no_longer_leaves_the_rollout_to_the_daemon() {
    let world = World::new();
    world.spec().env("CUTOVER_DEMO_READY_AFTER", "1s").write();
    let ran = world.deploy("v1 --timeout 200ms").expect_code(9);
    ran.complains("the rollout goes on").complains("cutover abort --app shop");
    wait_until("v1 goes live all the same", || served(&world).as_deref() == Some("v1"));
    let attached = world.run("deploy v1 --wait").expect_ok();
    attached.says("nothing to do");
}

#[test]
fn events_can_be_read_again_from_an_index_on() {
    let world = World::new();
    world.spec().n(1).write();
    let live = world.deploy("v1 --output ndjson").expect_ok();
    let live = events(&live);
    assert_eq!(live[0]["type"], "rollout-begun");
    assert_eq!(live.last().unwrap()["type"], "rollout-finished");
    let middle = live[live.len() / 2]["index"].as_u64().unwrap();
    let stored =
        events(&world.run(&format!("events --after {middle} --output ndjson")).expect_ok());
    let indices = |all: &[serde_json::Value]| -> Vec<u64> {
        all.iter().filter_map(|event| event["index"].as_u64()).collect()
    };
    let (after, again) = (indices(&live[live.len() / 2 + 1..]), indices(&stored));
    assert!(after.len() > 1);
    assert_eq!(after[..], again[..after.len()]);
}
