//! Experiments: two groups of users, each on its side, until a person or the time ends it.

use crate::harness::{World, get_tcp, get_with, status, wait_until};

const SETTINGS: &str =
    "patterns: { ab-testing: { split: 50%, match: { header: { x-beta: '1' } } } }";

/// v1 is live, and v2 is tried out beside it.
fn experiment(settings: &str) -> World {
    let world = World::new();
    world.spec().more(settings).write();
    world.deploy("v1").expect_ok();
    world.deploy("v2 --pattern ab-testing --detach").expect_ok();
    wait_until("the experiment is on", || status(&world)["rollout"]["reached"] == true);
    world
}

/// The version that a user gets, and the cookie that the proxy knows them by.
fn visit(world: &World, cookie: Option<&str>) -> (String, Option<String>) {
    let lines = cookie.map_or_else(String::new, |cookie| format!("cookie: {cookie}\r\n"));
    let answer = get_with(&world.address(), "/", &lines).unwrap();
    let set = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    (answer.header("x-version").unwrap().to_owned(), set.map(str::to_owned))
}

#[test]
fn users_keep_their_side_and_all_get_the_winner() {
    let world = experiment(SETTINGS);
    let users: Vec<(String, String)> = (0..100)
        .map(|_| {
            let (version, cookie) = visit(&world, None);
            (version, cookie.expect("a new user gets an identity"))
        })
        .collect();
    let b = users.iter().filter(|(version, _)| version == "v2").count();
    assert_eq!(b, 50, "the split of new users is exact in each block of 100");
    for (version, cookie) in &users {
        assert_eq!(visit(&world, Some(cookie)), (version.clone(), None), "{cookie}");
    }
    for _ in 0..5 {
        let marked = get_with(&world.address(), "/", "x-beta: 1\r\n").unwrap();
        assert_eq!(marked.header("x-version"), Some("v2"));
    }
    world.run("promote").expect_code(2).complains("experiment conclude");
    let report = || world.run("experiment report --json").expect_ok().json();
    wait_until("all requests are counted", || {
        let sides = &report()["comparisons"][0]["comparison"];
        sides["a"]["counts"]["requests"] == 100 && sides["b"]["counts"]["requests"] == 105
    });
    world.run("experiment report").expect_ok().says("a v1").says("b v2").says("so far");
    let ran = world.run("experiment conclude --keep b").expect_ok();
    assert!(ran.stdout.contains("v2 is live (was v1)"), "{ran}");
    assert!(users.iter().all(|(_, cookie)| visit(&world, Some(cookie)).0 == "v2"));
    world.run("experiment report").expect_ok().says("b v2").says("in all");
    world.run("experiment conclude --keep b").expect_code(2).complains("no experiment is running");
    world.run("rollback").expect_ok().says("v1 is live (was v2)");
}

#[test]
fn the_old_version_may_win() {
    let world = experiment(SETTINGS);
    let ran = world.run("experiment conclude --keep a").expect_ok();
    assert!(ran.stdout.contains("v1 stays live, v2 was observed"), "{ran}");
    let status = status(&world);
    assert_eq!(status["live"]["version"], "v1", "{status}");
    assert!(status["rollout"].is_null(), "{status}");
    assert_eq!(status["instances"].as_array().unwrap().len(), 2);
    world.run("history").expect_ok().says("v2");
}

/// The spec of the new version asks for fewer instances and for people in case of doubt; it is bad.
#[test]
fn a_held_experiment_is_concluded_and_the_old_version_keeps_its_size() {
    let world = World::new();
    world.spec().n(3).write();
    world.deploy("v1").expect_ok();
    world
        .spec()
        .n(2)
        .env("CUTOVER_DEMO_FAIL", "1")
        .more("on-failure: hold\njudge: { min-requests: 5 }")
        .more("patterns: { ab-testing: { split: 50% } }")
        .write();
    world.deploy("v2 --pattern ab-testing --detach").expect_ok();
    wait_until("it holds", || {
        get_tcp(&world.address(), "/").unwrap();
        status(&world)["rollout"]["waiting"] == true
    });
    world.run("experiment conclude --keep a").expect_ok().says("v1 stays live");
    world.run("experiment conclude --keep b").expect_code(2);
    wait_until("three are ready again", || {
        let status = status(&world);
        let instances = status["instances"].as_array().unwrap();
        instances.len() == 3 && instances.iter().all(|one| one["state"] == "ready")
    });
    assert_eq!(status(&world)["n"], 3);
}

#[test]
fn time_ends_it_with_the_old_version() {
    let world = World::new();
    world.spec().more("patterns: { ab-testing: { for: 500ms } }").write();
    world.deploy("v1").expect_ok();
    let json = world.deploy("v2 --pattern ab-testing --json").expect_ok().json();
    assert_eq!((json["outcome"].as_str(), json["live"].as_str()), (Some("observed"), Some("v1")));
    assert_eq!(json["exit_code"], 0);
}

#[test]
fn who_takes_over_ends_it_with_its_report() {
    let world = experiment(SETTINGS);
    for _ in 0..10 {
        visit(&world, None);
    }
    world.deploy("v3").expect_code(8).complains("--supersede");
    world.deploy("v3 --supersede").expect_ok();
    let json = world.run("experiment report --json").expect_ok().json();
    let stage = &json["comparisons"][0];
    assert_eq!(stage["live"], false);
    assert_eq!(stage["comparison"]["of"], "experiment");
    assert_eq!(stage["comparison"]["b"]["release"]["version"], "v2");
    assert_eq!(visit(&world, None).0, "v3");
}

/// The daemon is killed in the middle: what was counted is still there, and nothing twice.
#[test]
fn counts_survive_the_daemon() {
    let world = experiment(SETTINGS);
    for _ in 0..40 {
        get_tcp(&world.address(), "/").unwrap();
    }
    let counted = || {
        let json = world.run("experiment report --json").expect_ok().json();
        let sides = &json["comparisons"][0]["comparison"];
        let side = |name: &str| sides[name]["counts"]["requests"].as_u64().unwrap();
        side("a") + side("b")
    };
    wait_until("all are counted", || counted() == 40);
    // Stored every other second.
    let begun = std::time::Instant::now();
    wait_until("they are stored", || begun.elapsed() > std::time::Duration::from_secs(3));
    let pid = world.daemon_pid().unwrap().to_string();
    std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
    for _ in 0..7 {
        get_tcp(&world.address(), "/").unwrap();
    }
    wait_until("those meanwhile, too", || counted() == 47);
    world.run("abort").expect_ok();
}
