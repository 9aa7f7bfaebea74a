//! Ramps of a flag on the live release, and served flags that follow them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::harness::{World, free_port, get_with, post, status, wait_until, write};
use serde_json::{Value, json};

/// v1 of an app that knows the flag `new` is live; users say who they are in a header.
fn world(fails: &str) -> World {
    let world = World::new();
    world
        .spec()
        .env("CUTOVER_DEMO_FLAG", "new")
        .env("CUTOVER_DEMO_FLAG_FAIL", fails)
        .more(
            "patterns: { feature-flag: { flag: new, steps: [1%, 50%, 100%], bake: 500ms, \
             sticky: header, header: x-user } }\n\
             judge: { guard: { errors: 5% }, min-requests: 20 }",
        )
        .write();
    world.deploy("v1").expect_ok();
    world
}

/// The flags of `flags.yaml`, which follow the app.
fn served(world: &World) -> String {
    let text = "metadata: { cutover.bucketing: v3 }
flags:
  new: { state: ENABLED, variants: { on: true, off: false }, defaultVariant: off }
  other: { state: ENABLED, variants: { on: true, off: false }, defaultVariant: off }
";
    write(&world.app().join("flags.yaml"), text);
    let address = format!("127.0.0.1:{}", free_port());
    world.run(&format!("flag serve --follow shop --listen {address} flags.yaml")).expect_ok();
    address
}

fn is_on(world: &World, user: &str) -> bool {
    let answer = get_with(&world.address(), "/", &format!("x-user: {user}\r\n")).unwrap();
    answer.header("x-flag") == Some("on")
}

fn is_served(address: &str, user: &str) -> bool {
    let body = json!({"context": {"targetingKey": user}}).to_string();
    let answer = post(address, "/ofrep/v1/evaluate/flags/new", "", &body).unwrap().json();
    answer["value"] == true
}

fn users() -> Vec<String> {
    (0..200).map(|user| format!("user-{user}")).collect()
}

#[test]
fn a_ramp_changes_the_flag_and_no_instance_in_both_worlds() {
    let world = world("0");
    let address = served(&world);
    let instances = |world: &World| {
        let status = status(world);
        let all = status["instances"].as_array().unwrap().clone();
        all.iter().map(|one| (one["id"].clone(), one["since"].clone())).collect::<Vec<_>>()
    };
    let before = instances(&world);
    let plan = world.run("flag ramp new --to 100 --steps 1,50 --judge --app shop --dry-run");
    plan.expect_ok().says("flag new  on v1, 2 instances").says("flag 50%").says("judge");
    let ramp = world.run("flag ramp new --to 50 --steps 1,10 --bake 100ms -m slowly").expect_ok();
    ramp.says("shop flag new is on for 50%");
    assert_eq!(before, instances(&world), "no instance is touched");
    assert_eq!(status(&world)["flags"]["new"]["share"], "50%");
    // The same users have it in both worlds.
    let on: Vec<bool> = users().iter().map(|user| is_on(&world, user)).collect();
    wait_until("it is served", || {
        users().iter().zip(&on).all(|(user, on)| is_served(&address, user) == *on)
    });
    let count = on.iter().filter(|on| **on).count();
    assert!((60..140).contains(&count), "{count}");
    world.run("flag list").expect_ok().complains("new follows the app: on for 50%");
    world
        .run("flag ramp new --to 5")
        .expect_code(2)
        .complains("the share of new follows the app's");
    world.run("history").expect_ok().says("new to 50%").says("\"slowly\"");
    // A restart of the daemon changes nobody.
    world.kill_daemon();
    world.run("daemon start").expect_ok();
    assert!(users().iter().zip(&on).all(|(user, on)| is_served(&address, user) == *on));
    world.run("flag ramp new --to 50 --app shop").expect_ok().says("nothing to do");
    world
        .run("flag ramp new --to 90 --steps 95 --app shop")
        .expect_code(2)
        .complains("do not lead");
    // Later releases keep it, and so do clients; down goes at once.
    world.deploy("v2").expect_ok();
    assert!(users().iter().zip(&on).all(|(user, on)| is_served(&address, user) == *on));
    world.run("flag ramp new --to 0 --app shop").expect_ok();
    assert!(!users().iter().any(|user| is_on(&world, user)));
    wait_until("it is off where it is served", || {
        !users().iter().any(|user| is_served(&address, user))
    });
    // A rollback behind the release that a person said knows it takes it along.
    world.run("flag ramp new --to 100 --app shop --bake 100ms").expect_ok();
    assert_eq!(status(&world)["flags"]["new"]["share"], "100%");
    world.run("rollback").expect_ok().says("v1 is live");
    assert_eq!(status(&world)["flags"], json!({}));
}

/// Users that come without end, until it is dropped.
struct Crowd(Option<std::sync::mpsc::Sender<()>>, Option<std::thread::JoinHandle<()>>);

impl Crowd {
    fn of(address: String) -> Crowd {
        let (stop, stopped) = std::sync::mpsc::channel();
        let come = move || {
            let mut user = 0;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                user += 1;
                let _ = get_with(&address, "/", &format!("x-user: user-{}\r\n", user % 500));
            }
        };
        Crowd(Some(stop), Some(std::thread::spawn(come)))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.0.take());
        self.1.take().map(std::thread::JoinHandle::join);
    }
}

/// How long after an event everybody is off, in both worlds.
fn off_after(world: &World, address: &str, since: Instant) -> Duration {
    wait_until("everybody is off", || {
        !users().iter().any(|user| is_served(address, user) || is_on(world, user))
    });
    since.elapsed()
}

#[test]
fn bad_answers_turn_a_ramp_back_and_everybody_is_off_at_once() {
    let world = world("0.8");
    let address = served(&world);
    let _crowd = Crowd::of(world.address());
    // Somebody who has it on at half, in both worlds.
    let bucket = |user: &String| cutover_flags::sticky::flag_bucket("new", user, 1000);
    let user = users().into_iter().find(|user| bucket(user) < 500).unwrap();
    let ramp = world.start("flag ramp new --to 100 --steps 50 --bake 1h --judge");
    wait_until("it is on", || is_served(&address, &user));
    wait_until("it is off", || !is_served(&address, &user) && !is_on(&world, &user));
    let off = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let events = world.run("events --json").expect_ok();
    let events = events.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let judged = events.rev().find(|event| event["type"] == "turned-back").unwrap();
    let took = off.saturating_sub(judged["at"].as_u64().unwrap());
    println!("turned back; off in both worlds after {took} ms");
    off_after(&world, &address, Instant::now());
    let failed = ramp.wait().expect_code(6);
    let failed = failed.complains("shop flag new was turned back").complains("errors");
    failed.complains("v1 is live as before");
    assert_eq!(status(&world)["flags"], json!({}));
    world.run("history").expect_ok().says("new to 100%").says("turned back");
}

#[test]
fn a_kill_takes_it_off_and_turns_the_rollout_back() {
    let world = world("0");
    let address = served(&world);
    world.run("flag ramp new --to 100 --steps 50 --bake 1h --detach").expect_ok();
    wait_until("half of them are on", || users().iter().any(|user| is_served(&address, user)));
    world.run("flag ramp new --to 20 --app shop").expect_code(8).complains("has been running");
    let since = Instant::now();
    world.run("flag kill new -m fire").expect_ok().complains("shop has it so, too");
    let took = off_after(&world, &address, since);
    println!("from the command on, all were off after {took:?}");
    wait_until("the ramp is over", || status(&world)["rollout"].is_null());
    let text = world.run("status").expect_ok().says("flag new is killed");
    drop(text);
    world.run("events").expect_ok().says("flag new killed by").says("fire");
    world.run("flag ramp new --to 20 --app shop").expect_code(2).complains("flag new is killed");
    world.deploy("v2 --pattern feature-flag").expect_code(2).complains("flag new is killed");
    // It stays so over a crash, and with other releases.
    world.kill_daemon();
    world.deploy("v2").expect_ok();
    world.run("status").expect_ok().says("flag new is killed");
    world.run("flag restore new").expect_ok().says("not killed by hand");
    world.run("flag kill new --app shop").expect_ok().says("is killed");
    world.run("flag kill nope --app shop").expect_code(2).complains("no release has a flag nope");
    world.run("flag restore new --app shop").expect_ok();
    world.run("flag restore new --app shop").expect_code(2).complains("is not killed");
    world.run("flag ramp new --to 100 --bake 100ms").expect_ok();
    wait_until("it is served", || users().iter().all(|user| is_served(&address, user)));
}

#[test]
fn a_deployment_with_the_flag_moves_both_worlds() {
    let world = world("0");
    let address = served(&world);
    assert!(!users().iter().any(|user| is_served(&address, user)));
    let deploy = world.start("deploy v2 --pattern feature-flag --set patterns.feature-flag.steps=[50%,100%] --set patterns.feature-flag.bake=1h");
    wait_until("half are on", || status(&world)["flags"]["new"]["share"] == "50%");
    let on: Vec<bool> = users().iter().map(|user| is_on(&world, user)).collect();
    wait_until("the same ones are served", || {
        users().iter().zip(&on).all(|(user, on)| is_served(&address, user) == *on)
    });
    world.run("promote").expect_ok();
    deploy.wait().expect_ok();
    wait_until("all are served", || users().iter().all(|user| is_served(&address, user)));
}
