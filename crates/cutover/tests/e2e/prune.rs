//! Pruning: what goes, what stays, and that everything goes on as before.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Ran, World, free_port, served, wait_until, write};

/// The version that users of the app get.
fn versions(list: &Value, of: fn(&Value) -> &Value) -> Vec<String> {
    let versions = list.as_array().unwrap().iter().map(of);
    versions.map(|version| version.as_str().unwrap().to_owned()).collect()
}

/// Versions that the rollouts in history led to, newest first.
fn past(world: &World, more: &str) -> Vec<String> {
    let json = world.run(&format!("history -n 100 --json {more}")).expect_ok().json();
    versions(&json["rollouts"], |rollout| &rollout["to"]["version"])
}

/// The events of rollouts that ended.
fn ends(world: &World) -> Vec<String> {
    let events = world.run("events --json").expect_ok();
    let ends = events.stdout.lines().filter(|line| line.contains("rollout-finished"));
    ends.map(str::to_owned).collect()
}

fn kept(ran: &Ran) -> Vec<String> {
    versions(&ran.json()["kept"], |kept| &kept["release"]["version"])
}

fn gone(ran: &Ran) -> Vec<String> {
    versions(&ran.json()["releases"], |gone| &gone["release"]["version"])
}

/// `shop` with releases v1 to v8, all good, and a bad one among them.
fn eight_deployments() -> World {
    let world = World::new();
    write(
        &world.app().join("cutover.production.yaml"),
        &format!("listen: 127.0.0.1:{}\n", free_port()),
    );
    for version in 1..=8 {
        if version == 4 {
            world.spec().n(1).env("CUTOVER_DEMO_HEALTH_STATUS", "500").write();
            world.deploy("bad --set health.deadline=1s").expect_code(5);
        }
        world.spec().n(1).write();
        world.deploy(&format!("v{version}")).expect_ok();
    }
    world
}

#[test]
fn five_good_releases_stay_and_of_the_others_the_names() {
    let world = eight_deployments();
    for version in ["v1", "v2", "v3"] {
        world.deploy(&format!("{version} --env production")).expect_ok();
    }
    let (before, events) = (past(&world, ""), world.run("events --json").stdout);
    let would = world.run("prune --keep 5 --dry-run --json").expect_ok();
    assert_eq!(gone(&would), ["v1", "v2", "v3", "bad"]);
    assert_eq!(kept(&would), ["v4", "v5", "v6", "v7", "v8"]);
    let text = world.run("prune --dry-run").expect_ok().says("would remove").says("4 releases");
    text.says("v1, v2, v3, bad").says("where rollback leads").says("nothing was removed");
    assert_eq!(world.run("events --json").stdout, events);
    assert_eq!(gone(&world.run("prune --dry-run --json")), gone(&would), "nothing had changed");
    world.run("rollback --to v1 --dry-run").expect_ok();

    let done = world.run("prune --json").expect_ok();
    assert_eq!((gone(&done), kept(&done)), (gone(&would), kept(&would)));
    let sizes = done.json()["releases"].as_array().unwrap().clone();
    assert!(sizes.iter().all(|gone| gone["bytes"].as_u64().unwrap() > 100), "{sizes:?}");
    assert_eq!(past(&world, ""), before, "history is complete");
    assert_eq!(world.run("events --json").stdout, events, "none of them is a year old");
    world.run("prune").expect_ok().says("shop: nothing to remove").says("v8  live");

    let ran = world.run("rollback --to v1").expect_code(2);
    ran.complains("shop: v1 was pruned at 2").complains(" by root").complains("deploy v1");
    world.run("rollback --to v5").expect_ok().says("shop v5 is live (was v8)");
    assert_eq!(served(&world).as_deref(), Some("v5"));
    world.run("rollback").expect_ok().says("shop v4 is live (was v5)");
    world.run("rollback").expect_code(2).complains("v3 was pruned at");

    // Another environment of the same app has all it had.
    assert_eq!(past(&world, "--app shop.production"), ["v3", "v2", "v1"]);
    world.run("rollback --to v1 --env production").expect_ok().says("v1 is live (was v3)");
}

#[test]
fn a_daemon_started_after_pruning_is_in_charge_and_gives_no_name_twice() {
    let world = eight_deployments();
    let told = ends(&world);
    world.run("prune --keep 2 --history 0s").expect_ok().says("7 releases").says("8 rollouts");
    assert_eq!(past(&world, ""), ["v8"], "all others are older than 0 s");
    world.kill_daemon();
    let status = world.run("status --json").expect_ok().json()["apps"][0].clone();
    assert_eq!(
        (&status["live"]["version"], &status["troubles"]),
        (&"v8".into(), &Value::Array(vec![]))
    );
    assert_eq!(served(&world).as_deref(), Some("v8"));
    assert_eq!(ends(&world), told[told.len() - 1..], "the end that is left is not told again");
    world.run("scale 2").expect_ok();
    wait_until("two are ready", || world.run("status").stdout.contains("v8 live  2/2 ready"));
    world.run("rollback").expect_ok().says("shop v7 is live (was v8)");

    // The very same release gets its old name, another one under that version a new one.
    world.spec().n(1).write();
    let json = world.deploy("v2 --json").expect_ok().json();
    assert_eq!((&json["live"], &json["from"]), (&"v2".into(), &"v7".into()));
    let live = |world: &World| world.run("status --json").json()["apps"][0]["live"].clone();
    assert_eq!(live(&world)["id"], "r2");
    world.spec().n(1).env("COLOUR", "blue").write();
    world.deploy("v3").expect_ok().says("shop v3 (2) is live");
    assert_eq!(live(&world)["id"], "r10", "nine there were, the bad one included");
}

#[test]
fn what_a_live_rollout_needs_is_kept_and_its_history_whole() {
    let world = World::new();
    for version in ["v1", "v2"] {
        world.spec().n(1).write();
        world.deploy(version).expect_ok();
    }
    let slow = world.spec().n(1).env("CUTOVER_DEMO_READY_AFTER", "60s");
    slow.health("{ deadline: 90s, settle: 500ms }").write();
    let deploy = world.start("deploy v3");
    wait_until("a new instance starts", || deploy.stderr().contains("v3.0  starting"));
    let done = world.run("prune --keep 1 --history 0s").expect_ok();
    let done = done.says("v3  in a rollout that is live").says("history is left whole");
    assert!(!done.stdout.contains("records"), "{done}");
    assert_eq!(past(&world, ""), ["v3", "v2", "v1"]);
    world.run("abort").expect_ok();
    deploy.wait().expect_code(5);
    assert_eq!(served(&world).as_deref(), Some("v2"));
    world.run("prune --keep 1 --history 0s").expect_ok().says("v3  of the last rollout");
    assert_eq!(past(&world, ""), ["v3"]);
    world.run("rollback").expect_ok().says("shop v1 is live (was v2)");
}

#[test]
fn pruning_may_be_killed_at_any_moment() {
    let world = World::new();
    world.spec().n(1).write();
    for version in 1..=6 {
        world.deploy(&format!("v{version}")).expect_ok();
    }
    for (round, keep) in [6, 5, 4, 3, 2, 1].into_iter().enumerate() {
        let prune = world.start(&format!("prune --keep {keep} --history 0s"));
        // Not to wait for something, but to be there at another moment each time.
        std::thread::sleep(Duration::from_millis(7 * round as u64));
        world.kill_daemon();
        prune.wait();
        let app = world.run("status --json").expect_ok().json()["apps"][0].clone();
        assert_eq!(app["live"]["version"], "v6", "{app:#}");
        assert_eq!(app["troubles"], Value::Array(vec![]), "{app:#}");
        let past = past(&world, "");
        assert!(past == ["v6"] || past.len() == 6, "all or nothing: {past:?}");
    }
    let done = world.run("prune --keep 1 --history 0s --json").expect_ok();
    assert_eq!(kept(&done), ["v5", "v6"], "live, and where rollback leads");
    world.run("rollback").expect_ok().says("shop v5 is live (was v6)");
    assert_eq!(served(&world).as_deref(), Some("v5"));
}

#[test]
fn an_app_is_named_and_has_to_exist() {
    let world = World::new();
    world.run("prune").expect_code(2).complains("there is no app");
    world.run("prune --app shop").expect_code(2).complains("there is no app shop");
    world.run("prune --keep 0").expect_code(2);
    world.spec().n(1).write();
    world.deploy("v1").expect_ok();
    world.run("down").expect_ok();
    world.run("prune").expect_ok().says("nothing to remove").says("v1  of the last rollout, good");
}
