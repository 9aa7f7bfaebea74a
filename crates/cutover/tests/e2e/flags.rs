//! Feature flags: the code first, then the flag; back the other way round.

use crate::harness::{World, get_with, status, wait_until};
use serde_json::Value;

/// The demo app knows one flag; a release that brings another one says so.
fn write(world: &World, flag: &str) {
    world
        .spec()
        .env("CUTOVER_DEMO_FLAG", flag)
        .more(&format!(
            "patterns: {{ feature-flag: {{ flag: {flag}, steps: [50%, 100%], bake: 1h }} }}\n\
             judge: {{ min-requests: 100000 }}"
        ))
        .write();
}

/// (version, flag, cookie) that a user gets.
fn visit(world: &World, lines: &str) -> (String, String, Option<String>) {
    let answer = get_with(&world.address(), "/", lines).unwrap();
    let set = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    let header = |name: &str| answer.header(name).unwrap_or("-").to_owned();
    (header("x-version"), header("x-flag"), set.map(str::to_owned))
}

/// v1 is live; the flag of v2 is on for half of its users.
fn half_way(key: &str) -> World {
    let world = World::new();
    write(&world, key);
    world.deploy("v1").expect_ok();
    world.deploy("v2 --pattern feature-flag --detach").expect_ok();
    wait_until("the flag is on for half of the users", || {
        let status = status(&world);
        status["flags"][key]["share"] == "50%" && status["rollout"]["reached"] == true
    });
    world
}

#[test]
fn half_of_the_users_then_all_and_nobody_goes_back() {
    let world = half_way("new");
    let users: Vec<(String, String)> = (0..100)
        .map(|_| {
            let (version, flag, cookie) = visit(&world, "");
            assert_eq!(version, "v2");
            (flag, cookie.expect("a new user gets an identity"))
        })
        .collect();
    assert_eq!(users.iter().filter(|(flag, _)| flag == "on").count(), 50);
    for (flag, cookie) in &users {
        let again = visit(&world, &format!("cookie: {cookie}\r\n"));
        assert_eq!((&again.1, &again.2), (flag, &None));
    }
    // What a client says of flags is not believed.
    let (_, off) = users.iter().find(|(flag, _)| flag == "off").map(|(f, c)| (f, c)).unwrap();
    let lines = format!("cookie: {off}\r\nbaggage: flag.new=on\r\n");
    assert_eq!(visit(&world, &lines).1, "off");
    wait_until("sides are counted", || {
        let json = world.run("experiment report --json").expect_ok().json();
        let sides = &json["comparisons"][0]["comparison"];
        sides["a"]["counts"]["requests"] == 101 && sides["b"]["counts"]["requests"] == 100
    });
    world.run("promote").expect_ok();
    wait_until("it is over", || status(&world)["rollout"].is_null());
    let status = status(&world);
    assert_eq!(status["flags"]["new"]["share"], "100%", "{status}");
    for (_, cookie) in &users {
        assert_eq!(visit(&world, &format!("cookie: {cookie}\r\n")).1, "on");
    }
    assert_eq!(visit(&world, "").2, None, "nobody needs an identity any more");
}

#[test]
fn turning_back_drops_the_flag_before_the_code() {
    let world = half_way("new");
    world.run("abort").expect_ok();
    wait_until("it is over", || status(&world)["rollout"].is_null());
    let (version, flag, _) = visit(&world, "");
    assert_eq!((version.as_str(), flag.as_str()), ("v1", "off"));
    let events = world.run("events --json").expect_ok();
    let routed: Vec<Value> = events
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["type"] == "routed")
        .collect();
    let dropped = routed.iter().rposition(|event| event["flags"]["new"] == "0%");
    let old = routed.iter().rposition(|event| event["shares"].get("r1").is_some());
    assert!(dropped.is_some() && old.is_some(), "{events}");
    let first_old = routed
        .iter()
        .enumerate()
        .skip(dropped.unwrap())
        .find(|(_, event)| event["shares"].get("r1").is_some())
        .map(|(place, _)| place);
    assert!(first_old >= dropped, "{routed:?}");
    let on_with_old = routed.iter().any(|event| {
        event["flags"].get("new").is_some_and(|share| share != "0%")
            && event["shares"].get("r1").is_some()
    });
    assert!(!on_with_old, "{routed:?}");
}

#[test]
fn flags_outlive_later_rollouts_and_not_the_release_that_brought_them() {
    let world = half_way("one");
    world.run("promote").expect_ok();
    wait_until("it is over", || status(&world)["rollout"].is_null());
    write(&world, "two");
    world.deploy("v3 --pattern feature-flag --detach").expect_ok();
    wait_until("the second flag is half on", || {
        let status = status(&world);
        status["flags"]["two"]["share"] == "50%" && status["flags"]["one"]["share"] == "100%"
    });
    world.run("abort").expect_ok();
    wait_until("it is over", || status(&world)["rollout"].is_null());
    let flags = status(&world)["flags"].clone();
    assert!(flags["one"]["share"] == "100%" && flags.get("two").is_none(), "{flags}");
    // The same flag again: it is on for everybody, and stays so.
    write(&world, "one");
    let ran = world.deploy("v4 --pattern feature-flag").expect_ok();
    assert!(ran.stderr.contains("on for everybody already"), "{ran}");
    assert_eq!(status(&world)["flags"]["one"]["share"], "100%");
    // v1 does not know the flag.
    world.run("rollback --to v1").expect_ok();
    let status = status(&world);
    assert_eq!(status["flags"], serde_json::json!({}), "{status}");
    let (version, flag, _) = visit(&world, "");
    assert_eq!((version.as_str(), flag.as_str()), ("v1", "off"));
}
