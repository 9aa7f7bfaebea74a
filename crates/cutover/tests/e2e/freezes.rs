//! Freezes, confirmations, and the words that people leave behind.

use crate::harness::{World, get_tcp, status, wait_until};

fn served(world: &World) -> String {
    let answer = get_tcp(&world.address(), "/").unwrap();
    answer.header("x-version").unwrap_or("-").to_owned()
}

fn two_releases() -> World {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.deploy("v2").expect_ok();
    world
}

#[test]
fn a_freeze_refuses_new_releases_and_no_way_back() {
    let world = two_releases();
    world.run("freeze -m sale-on-friday").expect_ok().says("until `cutover unfreeze`");
    for line in ["v3", "v3 --wait", "v3 --supersede"] {
        world.deploy(line).expect_code(8).complains("sale-on-friday").complains("unfreeze");
    }
    world.run("status").expect_ok().says("sale-on-friday");
    assert_eq!(status(&world)["frozen"]["reason"], "sale-on-friday");
    // It is in the journal, not in the memory of a daemon.
    world.run("daemon stop").expect_ok();
    world.deploy("v3").expect_code(8);
    world.run("scale 3").expect_ok();
    world.run("rollback").expect_ok().says("v1 is live");
    assert_eq!(served(&world), "v1");
    world.run("unfreeze").expect_ok();
    world.run("unfreeze").expect_code(2).complains("is not frozen");
    world.deploy("v3").expect_ok();
    let events = world.run("events").expect_ok();
    assert!(events.stdout.contains("frozen by") && events.stdout.contains("unfrozen by"));
}

#[test]
fn a_freeze_may_end_by_itself() {
    let world = two_releases();
    world.run("freeze --for 1s --all").expect_ok().says("shop is frozen for 1s");
    world.deploy("v3").expect_code(8);
    wait_until("it is over", || status(&world)["frozen"].is_null());
    world.deploy("v3").expect_ok();
    world.run("unfreeze --all").expect_ok().says("nothing was changed");
}

#[test]
fn a_running_rollout_goes_on_in_a_freeze() {
    let world = World::new();
    world.spec().more("patterns: { blue-green: { approve: true, soak: 0s } }").write();
    world.deploy("v1").expect_ok();
    let deploy = world.start("deploy v2 --pattern blue-green");
    wait_until("it waits", || status(&world)["rollout"]["waiting"] == true);
    world.run("freeze").expect_ok();
    world.run("promote").expect_ok();
    deploy.wait().expect_ok().says("v2 is live");
}

#[test]
fn what_nobody_confirms_goes_back_by_itself() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let ran = world.deploy("v2 --confirm 1s").expect_code(6);
    assert!(ran.stderr.contains("nobody confirmed in time"), "{ran}");
    assert_eq!(served(&world), "v1");
    world.run("confirm").expect_code(2).complains("no rollout waits for a confirmation");
}

/// A bad release that a person shall be asked about goes back all the same without a word.
#[test]
fn a_hold_does_not_outlast_the_confirmation() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world
        .spec()
        .env("CUTOVER_DEMO_HEALTH_FAILS_AFTER", "1s")
        .health("{ interval: 100ms, deadline: 3s, settle: 1h }")
        .more("on-failure: hold")
        .write();
    let ran = world.deploy("v2 --confirm 4s").expect_code(6);
    assert!(ran.stderr.contains("nobody confirmed in time"), "{ran}");
    assert_eq!(served(&world), "v1");
    // The same again, with the same condition.
    let ran = world.run("retry").expect_code(6);
    assert!(ran.stderr.contains("nobody confirmed in time"), "{ran}");
}

#[test]
fn what_is_confirmed_stays() {
    let world = World::new();
    world.spec().health("{ interval: 200ms, deadline: 3s, settle: 2s }").write();
    world.deploy("v1").expect_ok();
    world.run("plan v2 --confirm 30s").expect_ok().says("confirm within 30s");
    let deploy = world.start("deploy v2 --confirm 30s -m hotfix");
    wait_until("it waits", || status(&world)["rollout"]["confirm_until"].is_u64());
    assert_eq!(served(&world), "v2");
    world.run("confirm").expect_ok().says("is confirmed");
    deploy.wait().expect_ok().says("v2 is live");
    let json = world.run("history --json").expect_ok().json();
    assert_eq!(json["rollouts"][0]["message"], "hotfix");
    world.run("history").expect_ok().says("hotfix");
    world
        .deploy("v3 --pattern shadow --confirm 5s")
        .expect_code(2)
        .complains("shadow alone does not make v3 live");
}
