//! Releases under open-loop load: half of the requests over kept connections, one in five a POST
//! with an id of its own, one in fifty slow. Whatever happens, no request fails and none is done
//! twice, although the app ends at once when it is told to stop.
//!
//! `CUTOVER_TEST_RATE` (requests per second, default 150) turns it up; the figures of the README
//! were measured at 500 with a release build.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{World, status, wait_until};
use cutover_load::{Load, Report, Settings};

/// Load on one world's app, in a runtime of its own.
struct Users {
    runtime: tokio::runtime::Runtime,
    load: Option<Load>,
    orders: PathBuf,
}

fn rate() -> f64 {
    let asked = std::env::var("CUTOVER_TEST_RATE").ok();
    asked.and_then(|rate| rate.parse().ok()).unwrap_or(150.0)
}

impl Users {
    fn of(world: &World) -> Users {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let mut settings = Settings::new(format!("http://{}/", world.address()).parse().unwrap());
        settings.rate = rate();
        settings.keep_alive = 0.5;
        settings.posts = 0.2;
        settings.slow = 0.02;
        let load = runtime.block_on(Load::start(settings)).unwrap();
        Users { runtime, load: Some(load), orders: orders(world) }
    }

    fn so_far(&self) -> Report {
        self.load.as_ref().unwrap().snapshot()
    }

    /// Waits until as many slow requests are under way as there will ever be.
    fn come(&self) {
        self.a_while((rate() * 2.2) as u64);
    }

    /// Waits until some more requests have been answered.
    fn a_while(&self, answered: u64) {
        let begin = self.so_far().completed;
        wait_until("users are served", || self.so_far().completed >= begin + answered);
    }

    /// Ends the load and looks at what became of every request.
    fn leave(mut self, what: &str) -> Report {
        let load = self.load.take().unwrap();
        let report = self.runtime.block_on(load.stop());
        let orders = fs::read_to_string(&self.orders).unwrap();
        let summary = report.summary();
        assert_eq!(report.failed.total, 0, "{what}: requests failed\n{summary}\n{report:?}");
        assert_eq!(report.unsent, 0, "{what}: {summary}");
        assert_eq!(
            cutover_load::duplicates(&orders),
            Vec::<String>::new(),
            "{what}: POSTs done twice"
        );
        let missing = cutover_load::missing(&orders, &report.posts.acknowledged);
        assert_eq!(missing, Vec::<String>::new(), "{what}: acknowledged and not done");
        assert!(report.posts.created > 0, "{what}: {summary}");
        report
    }
}

fn orders(world: &World) -> PathBuf {
    world.app().join("orders")
}

const SETTINGS: &str = "patterns: { rolling: { batch: 2 }, blue-green: { soak: 1s, keep: 1s }, \
     canary: { steps: [25%, 50%], bake: 1s }, shadow: { mirror: 25%, for: 1s, then: rolling }, \
     ab-testing: { split: 25% }, feature-flag: { flag: new, steps: [25%, 50%], bake: 1s } }\n\
     judge: { guard: { errors: 5% }, min-requests: 20, compare: false }";

/// A world in which v1 of the demo app is live, four times.
fn world() -> World {
    let world = World::new();
    write(&world, &[]);
    world.deploy("v1").expect_ok();
    world
}

/// The spec, with more of the app's environment.
fn write(world: &World, env: &[(&str, &str)]) {
    let file = orders(world).to_string_lossy().into_owned();
    let mut spec = world
        .spec()
        .n(4)
        .env("CUTOVER_DEMO_ORDERS", &file)
        .env("CUTOVER_DEMO_ABRUPT", "true")
        .more(SETTINGS);
    for (name, value) in env {
        spec = spec.env(name, value);
    }
    spec.write();
}

fn is_live(world: &World, version: &str) {
    let status = status(world);
    assert_eq!(status["live"]["version"], version, "{status}");
    assert!(status["rollout"].is_null(), "{status}");
}

/// An experiment that is under way goes on to the new version.
fn conclude(world: &World) {
    wait_until("the experiment is on", || status(world)["rollout"]["reached"] == true);
    world.run("experiment conclude --keep b --detach").expect_ok();
}

fn releases(world: &World, pattern: &str) {
    let world_of = world;
    let users = Users::of(world_of);
    users.come();
    let deploy = world.start(&format!("deploy v2 --pattern {pattern}"));
    if pattern == "ab-testing" {
        conclude(world);
    }
    let ran = deploy.wait().expect_ok();
    assert!(ran.stdout.contains("failed 0"), "{ran}");
    users.a_while(50);
    is_live(world, "v2");
    let report = users.leave(pattern);
    assert!(report.by_version.contains_key("v1") && report.by_version.contains_key("v2"));
    assert_eq!(report.errors, 0, "{}", report.summary());
}

fn aborts_at_each_stage(pattern: &str, stages: usize) {
    for stage in 0..stages {
        let world = world();
        let users = Users::of(&world);
        users.come();
        world.deploy(&format!("v2 --pattern {pattern} --detach")).expect_ok();
        if pattern == "ab-testing" && stage > 0 {
            conclude(&world);
        }
        wait_until("the stage comes", || {
            let now = status(&world)["rollout"]["stage"].as_u64();
            now.is_none_or(|now| now >= stage as u64)
        });
        world.run("abort");
        wait_until("the rollout is over", || status(&world)["rollout"].is_null());
        users.a_while(30);
        is_live(&world, "v1");
        let report = users.leave(&format!("{pattern} aborted at stage {}", stage + 1));
        assert_eq!(report.errors, 0, "{}", report.summary());
    }
}

/// The candidate answers a third of its requests with 500: the guard turns it back.
fn returns_by_itself(pattern: &str) {
    let report = turned_back(pattern, ("CUTOVER_DEMO_FAIL", "0.34"), 6);
    assert!(report.errors > 0, "the app's own errors are told: {}", report.summary());
}

fn turned_back(pattern: &str, bad: (&str, &str), code: i32) -> Report {
    let world = world();
    let users = Users::of(&world);
    users.come();
    write(&world, &[bad, ("CUTOVER_DEMO_FLAG", "new")]);
    world.deploy(&format!("v2 --pattern {pattern}")).expect_code(code).complains("errors");
    users.a_while(30);
    is_live(&world, "v1");
    users.leave(&format!("{pattern} returns"))
}

#[test]
fn rolling() {
    releases(&world(), "rolling");
    aborts_at_each_stage("rolling", 2);
    returns_by_itself("rolling");
}

#[test]
fn blue_green() {
    releases(&world(), "blue-green");
    aborts_at_each_stage("blue-green", 3);
    returns_by_itself("blue-green");
}

#[test]
fn canary() {
    releases(&world(), "canary");
    aborts_at_each_stage("canary", 4);
    returns_by_itself("canary");
}

#[test]
fn shadow() {
    releases(&world(), "shadow");
    aborts_at_each_stage("shadow", 3);
    // Only answers to copies were bad: no user met the new version.
    let report = turned_back("shadow", ("CUTOVER_DEMO_FAIL", "0.34"), 5);
    assert_eq!(report.errors, 0, "{}", report.summary());
    assert!(!report.by_version.contains_key("v2"), "{}", report.summary());
}

#[test]
fn ab_testing() {
    releases(&world(), "ab-testing");
    aborts_at_each_stage("ab-testing", 4);
    returns_by_itself("ab-testing");
}

#[test]
fn feature_flag() {
    releases(&world(), "feature-flag");
    aborts_at_each_stage("feature-flag", 5);
    // The code is good everywhere, and bad where the flag is on.
    let report = turned_back("feature-flag", ("CUTOVER_DEMO_FLAG_FAIL", "0.5"), 6);
    assert!(report.errors > 0, "{}", report.summary());
}

#[test]
fn big_bang_holds_requests() {
    let world = world();
    let users = Users::of(&world);
    users.come();
    let ran = world.deploy("v2 --pattern big-bang").expect_ok();
    assert!(ran.stdout.contains("nobody served for"), "downtime is told: {ran}");
    users.a_while(50);
    is_live(&world, "v2");
    users.leave("big bang");
}

#[test]
fn back_to_the_last_good_release() {
    let world = world();
    world.deploy("v2").expect_ok();
    let users = Users::of(&world);
    users.come();
    world.run("rollback").expect_ok();
    users.a_while(30);
    is_live(&world, "v1");
    users.leave("rollback");
}

/// Who serves is in one table: no request meets a release that is not there any more, or not yet.
#[test]
fn a_third_version_takes_over_in_the_middle() {
    for pattern in ["rolling", "blue-green", "canary"] {
        let world = world();
        let users = Users::of(&world);
        users.come();
        let second = world.start(&format!("deploy v2 --pattern {pattern}"));
        wait_until("v2 serves", || users.so_far().by_version.contains_key("v2"));
        world.deploy(&format!("v3 --pattern {pattern} --supersede")).expect_ok();
        second.wait().expect_code(8);
        users.a_while(30);
        is_live(&world, "v3");
        let report = users.leave(&format!("{pattern}, taken over"));
        assert_eq!(report.errors, 0, "{}", report.summary());
    }
}

/// Kills with -9 in the middle of each pattern.
fn survives(pattern: &str, victim: &str, name: &str) {
    let world = world();
    let users = Users::of(&world);
    users.come();
    let deploy = world.start(&format!("deploy v2 --pattern {pattern}"));
    wait_until("the candidate comes up", || {
        let status = status(&world);
        let instances = status["instances"].as_array().cloned().unwrap_or_default();
        instances.iter().any(|i| i["release"]["version"] == "v2" && i["state"] == "ready")
    });
    let pids: Vec<u32> = world.processes().into_iter().filter(|pid| is(*pid, victim)).collect();
    assert!(!pids.is_empty(), "there is a {name}");
    // Of the instances one loses its keeper.
    let pids = if victim == " keeper " { pids.into_iter().take(1).collect() } else { pids };
    for pid in pids {
        Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    }
    let ran = deploy.wait();
    assert!(matches!(ran.code, Some(0 | 5 | 6)), "{ran}");
    wait_until("the rollout is over", || status(&world)["rollout"].is_null());
    let live = if ran.code == Some(0) { "v2" } else { "v1" };
    is_live(&world, live);
    wait_until("all of one release is ready and nothing else is there", || {
        let status = status(&world);
        let instances = status["instances"].as_array().cloned().unwrap_or_default();
        let good =
            instances.iter().filter(|i| i["release"]["version"] == live && i["state"] == "ready");
        good.count() == 4 && instances.len() == 4
    });
    users.a_while(30);
    let load = {
        let mut users = users;
        let load = users.load.take().unwrap();
        users.runtime.block_on(load.stop())
    };
    let what = format!("{pattern}, {name} killed\n{}", load.summary());
    if victim.contains("proxy-serve") {
        // What was inside the proxy is lost with it; later requests queue and are served.
        let most = (rate() * 0.5) as u64 + 40;
        assert!(load.failed.total <= most, "{what}");
    } else if victim == " keeper " {
        // The instance is off the route at once and ended two seconds later: a slow request that
        // began just before may still be inside.
        assert!(load.failed.total <= 3, "{what}\n{load:?}");
    } else {
        assert_eq!(load.failed.total, 0, "{what}\n{load:?}");
    }
    let orders = fs::read_to_string(orders(&world)).unwrap();
    assert_eq!(cutover_load::duplicates(&orders), Vec::<String>::new(), "{what}");
}

fn is(pid: u32, victim: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    line.contains(victim)
}

#[test]
fn a_killed_daemon_changes_nothing_for_users() {
    for pattern in ["rolling", "blue-green", "canary", "big-bang"] {
        survives(pattern, " daemon run", "daemon");
    }
}

#[test]
fn a_killed_proxy_comes_back_at_once() {
    for pattern in ["rolling", "blue-green", "canary"] {
        survives(pattern, " proxy-serve", "proxy");
    }
}

#[test]
fn a_killed_proxy_keeper_is_replaced() {
    for pattern in ["rolling", "canary"] {
        survives(pattern, " proxy-keeper", "proxy keeper");
    }
}

#[test]
fn an_instance_may_lose_its_keeper_in_the_middle() {
    for pattern in ["rolling", "blue-green", "canary", "big-bang"] {
        survives(pattern, " keeper ", "keeper of an instance");
    }
}

/// The instance goes on, is taken out of the route, and is then replaced.
#[test]
fn killed_keepers_are_replaced() {
    let world = world();
    world.deploy("v2").expect_ok();
    let users = Users::of(&world);
    users.come();
    let pids: Vec<u32> = world.processes().into_iter().filter(|pid| is(*pid, " keeper ")).collect();
    assert_eq!(pids.len(), 4);
    Command::new("kill").args(["-9", &pids[0].to_string()]).status().unwrap();
    wait_until("it is seen", || {
        let status = status(&world);
        status["instances"].as_array().unwrap().iter().any(|i| i["state"] != "ready")
    });
    wait_until("all are ready again", || {
        let status = status(&world);
        status["instances"].as_array().unwrap().iter().all(|i| i["state"] == "ready")
    });
    drop(users);
}
