//! Verdicts on real processes behind the real proxy: what is not worse goes on by itself, what is
//! worse is turned back, and what cannot be seen proves nothing.

use std::path::Path;

use crate::harness::{Ran, World, wait_until, write as put};
use cutover_load::{Load, Settings};
use serde_json::Value;

/// Load on one world's app, in a runtime of its own; ends when it is dropped.
struct Users(tokio::runtime::Runtime, Option<Load>);

impl Users {
    fn of(world: &World, rate: f64) -> Users {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut settings = Settings::new(format!("http://{}/", world.address()).parse().unwrap());
        settings.rate = rate;
        let load = runtime.block_on(Load::start(settings)).unwrap();
        Users(runtime, Some(load))
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        if let Some(load) = self.1.take() {
            self.0.block_on(load.stop());
        }
    }
}

/// Bounds are out of the way: what judges is the comparison.
const CANARY: &str = "patterns: { canary: { steps: [50%], bake: 2s }, blue-green: { soak: 2s } }\n\
     judge: { guard: { errors: 100% }, min-requests: 20";

fn write(world: &World, fail: &str, more: &str) {
    let settings = format!("{CANARY}{more} }}");
    world.spec().n(2).env("CUTOVER_DEMO_FAIL", fail).more(&settings).write();
}

/// v1 is live and has users.
fn world(more: &str) -> (World, Users) {
    let world = World::new();
    write(&world, "0", more);
    world.deploy("v1").expect_ok();
    let users = Users::of(&world, 150.0);
    (world, users)
}

fn deploy(world: &World, line: &str) -> Ran {
    world.start(&format!("deploy {line}")).wait()
}

/// All looks of the judge that were told.
fn looks(world: &World) -> Vec<Value> {
    let ran = world.run("events --output ndjson").expect_ok();
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["type"] == "judged").collect()
}

#[test]
fn what_is_not_worse_goes_on_by_itself_and_every_look_is_told() {
    let (world, _users) = world("");
    let ran = deploy(&world, "v2 --pattern canary").expect_ok();
    assert!(ran.stderr.contains("not worse than v1: "), "{ran}");
    let looks = looks(&world);
    let growing: Vec<f64> =
        looks.iter().filter_map(|look| look["evidence"]["log_not_worse"].as_f64()).collect();
    assert!(growing.len() >= 4, "a look a second: {looks:?}");
    assert!(growing.last() > growing.first(), "{growing:?}");
}

#[test]
fn what_is_a_little_worse_is_turned_back_although_no_bound_is_broken() {
    let (world, _users) = world("");
    write(&world, "0.1", "");
    let deploy = world.start("deploy v2 --pattern canary");
    wait_until("it is compared", || deploy.stderr().contains("against"));
    // The evidence so far and its budget outlive the daemon.
    world.kill_daemon();
    let ran = deploy.wait().expect_code(6);
    assert!(ran.stderr.contains("worse than v1: errors"), "{ran}");
    assert!(ran.stderr.contains("at least +"), "{ran}");
}

#[test]
fn after_the_switch_stable_s_last_minutes_are_what_is_compared() {
    let (world, users) = world("");
    wait_until("there is a past", || {
        let load = users.1.as_ref().unwrap().snapshot();
        load.completed > 150 * 16
    });
    write(&world, "0.3", "");
    let ran = deploy(&world, "v2 --pattern blue-green").expect_code(6);
    assert!(ran.stderr.contains("worse than v1: errors"), "{ran}");
    write(&world, "0", "");
    deploy(&world, "v3 --pattern blue-green").expect_ok();
}

#[test]
fn kayenta_judges_where_the_spec_asks_for_it() {
    let kayenta = ", kayenta: { bucket: 1s, metrics: { errors: { direction: increase } } }";
    let (world, _users) = world(kayenta);
    let ran = deploy(&world, "v2 --pattern canary").expect_ok();
    assert!(ran.stderr.contains("kayenta: score 100"), "{ran}");
    write(&world, "0.4", kayenta);
    let ran = deploy(&world, "v3 --pattern canary").expect_code(6);
    assert!(ran.stderr.contains("kayenta: score 0"), "{ran}");
}

/// A program that prints what stands in a file; without the file it cannot look.
fn probe(folder: &Path) {
    let script = b"#!/bin/sh\nexec cat value\n";
    cutover_files::write_atomic_mode(&folder.join("probe.sh"), script, 0o755).unwrap();
}

#[test]
fn a_metric_that_cannot_be_read_holds_and_one_out_of_bounds_turns_back() {
    let metric = ", compare: false, metrics: [{ name: depth, interval: 1s, \
                  command: [./probe.sh], max: 10, failures: 2 }]";
    let (world, _users) = world(metric);
    probe(&world.app());
    let ran = world.start("deploy v2 --pattern canary");
    wait_until("it cannot look", || ran.stderr().contains("verdict error"));
    put(&world.app().join("value"), "3\n");
    ran.wait().expect_ok();
    put(&world.app().join("value"), "11\n");
    let ran = deploy(&world, "v3 --pattern canary").expect_code(6);
    assert!(ran.stderr.contains("depth 11 > 10, 2 looks in a row"), "{ran}");
}

#[test]
fn what_a_rollout_s_judge_was_fed_with_can_be_judged_again() {
    let (world, _users) = world("");
    deploy(&world, "v2 --pattern canary").expect_ok();
    let number = world.run("history --json").expect_ok().json()["rollouts"][0]["number"].clone();
    let line = format!("judge replay --rollout {number} --check --until-decided");
    let ran = world.run(&line).expect_ok();
    let steps: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(steps.last().unwrap()["verdict"], "promote", "{ran}");
    world.run("judge replay --rollout 999").expect_code(2).complains("nothing is kept");
}
