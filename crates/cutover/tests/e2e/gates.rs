//! Gates and the smaller promises: hooks, approval, holds, preview, standby, sticky users, notice
//! page, workers, environments, several apps on one address.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{Answer, World, get_tcp, status, wait_until};
use serde_json::Value;

fn version(answer: &Answer) -> &str {
    answer.header("x-version").unwrap_or("-")
}

fn served(world: &World) -> String {
    let answer = get_tcp(&world.address(), "/").unwrap();
    version(&answer).to_owned()
}

fn script(world: &World, name: &str, text: &str) {
    let path = world.app().join(name);
    crate::harness::write(&path, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// v1 live, and the hooks of this YAML in the spec from then on.
fn with_hooks(hooks: &str) -> World {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.spec().more(&format!("hooks: {hooks}")).write();
    world
}

#[test]
fn a_hook_sees_the_candidate_on_its_preview_before_any_user_does() {
    let world =
        with_hooks("{ after-ready: [{ run: [./smoke.sh] }], after: [{ run: [./after.sh] }] }");
    script(
        &world,
        "smoke.sh",
        "#!/bin/sh\nexec 3<>/dev/null\ncurl -s -o seen -D - $CUTOVER_PREVIEW/ > head\n\
         echo $CUTOVER_APP $CUTOVER_VERSION $CUTOVER_EVENT >> told\n",
    );
    script(&world, "after.sh", "#!/bin/sh\necho $CUTOVER_VERSION $CUTOVER_EVENT >> told\n");
    for pattern in ["rolling", "blue-green"] {
        let version = format!("v-{pattern}");
        world
            .deploy(&format!("{version} --pattern {pattern} --set patterns.blue-green.soak=0s"))
            .expect_ok();
        let head = fs::read_to_string(world.app().join("head")).unwrap();
        assert!(head.contains(&format!("x-version: {version}")), "{pattern}: {head}");
        let told = world.app().join("told");
        wait_until("the hook after the end has run", || {
            fs::read_to_string(&told).is_ok_and(|told| told.lines().count() == 2)
        });
        let told_text = fs::read_to_string(&told).unwrap();
        assert_eq!(
            told_text,
            format!("shop {version} after-ready\n{version} succeeded\n"),
            "each ran once"
        );
        fs::remove_file(&told).unwrap();
    }
}

#[test]
fn a_failing_or_hanging_hook_turns_back_before_users_are_met() {
    let world = with_hooks("{ after-ready: [{ run: [./smoke.sh], deadline: 1s }] }");
    script(&world, "smoke.sh", "#!/bin/sh\necho the cart is empty >&2\nexit 3\n");
    world.deploy("v2").expect_code(5).complains("smoke.sh").complains("the cart is empty");
    script(&world, "smoke.sh", "#!/bin/sh\nexec sleep 60\n");
    world.deploy("v2").expect_code(5).complains("not done after 1s");
    assert_eq!(served(&world), "v1");
}

#[test]
fn an_http_hook_gets_the_facts_and_decides() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let world =
        with_hooks(&format!("{{ after-ready: [{{ http: \"http://127.0.0.1:{port}/go\" }}] }}"));
    let answers = std::thread::spawn(move || {
        let mut bodies = vec![];
        for status in ["500 No", "204 Yes"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = String::new();
            let mut part = [0; 4096];
            while !text.contains('}') {
                let n = stream.read(&mut part).unwrap();
                text.push_str(&String::from_utf8_lossy(&part[..n]));
            }
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            bodies.push(text);
        }
        bodies
    });
    world.deploy("v2").expect_code(5).complains("500");
    world.deploy("v2").expect_ok();
    let bodies = answers.join().unwrap();
    assert!(bodies[0].starts_with("POST /go HTTP/1.1") && bodies[0].contains("\"version\":\"v2\""));
}

#[test]
fn an_approval_is_waited_for_and_the_old_side_stays_warm() {
    let world = World::new();
    let blue_green = "patterns: { blue-green: { approve: true, soak: 0s, keep: 60s } }";
    world.spec().pattern("blue-green").more(blue_green).write();
    world.deploy("v1").expect_ok();
    let deploy = world.start("deploy v2");
    wait_until("it waits", || status(&world)["rollout"]["waiting"] == true);
    assert_eq!(served(&world), "v1");
    let preview = status(&world)["preview"].as_str().unwrap().to_owned();
    assert_eq!(version(&get_tcp(&preview, "/").unwrap()), "v2");
    world.run("promote").expect_ok();
    deploy.wait().expect_ok();
    assert_eq!(served(&world), "v2");

    let warm = status(&world);
    assert_eq!(warm["standby"][0]["version"], "v1", "{warm}");
    let before: Vec<Value> = warm["instances"].as_array().unwrap().clone();
    world.run("rollback").expect_ok();
    assert_eq!(served(&world), "v1");
    let after = status(&world);
    for instance in after["instances"].as_array().unwrap() {
        let kept = before.iter().any(|old| old["address"] == instance["address"]);
        assert!(kept, "nothing was started: {after}");
    }
}

#[test]
fn on_failure_hold_asks_a_person() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let health = "{ interval: 100ms, deadline: 1s, settle: 300ms }";
    world
        .spec()
        .health(health)
        .more("on-failure: hold")
        .env("CUTOVER_DEMO_HEALTH_STATUS", "503")
        .write();
    let deploy = world.start("deploy v2");
    wait_until("it waits", || status(&world)["rollout"]["waiting"] == true);
    assert_eq!(served(&world), "v1");
    world.run("abort").expect_ok();
    deploy.wait().expect_code(5);
    assert_eq!(served(&world), "v1");
}

#[test]
fn users_with_a_cookie_only_ever_move_forward() {
    let world = World::new();
    let canary = "patterns: { canary: { steps: [30%, 60%], bake: 300ms, sticky: cookie } }\n\
                  judge: { min-requests: 0 }";
    world.spec().n(4).more(canary).write();
    world.deploy("v1").expect_ok();
    let rollout = world.start("deploy v2 --pattern canary");
    wait_until("it has begun", || !status(&world)["rollout"].is_null());
    let mut users: Vec<(String, &str)> = vec![];
    let ask = |cookie: &str| {
        let mut stream = std::net::TcpStream::connect(world.address()).unwrap();
        write!(stream, "GET / HTTP/1.0\r\nhost: x\r\ncookie: {cookie}\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.to_lowercase()
    };
    for user in 0..200_u32 {
        users.push((format!("cutover_id={:032x}", u128::from(user) * 0x9e37_79b9_7f4a_7c15), "v1"));
    }
    let mut moved = [0_usize; 3];
    let mut round = 0;
    while !status(&world)["rollout"].is_null() {
        for (cookie, side) in &mut users {
            let answer = ask(cookie);
            assert!(
                answer.starts_with("http/1.0 200") || answer.starts_with("http/1.1 200"),
                "{answer}"
            );
            let now = if answer.contains("x-version: v2") { "v2" } else { "v1" };
            assert!(
                !(*side == "v2" && now == "v1"),
                "{cookie} went back: {answer}\n{}",
                status(&world)
            );
            if *side == "v1" && now == "v2" {
                moved[round.min(2)] += 1;
            }
            *side = now;
        }
        round += 1;
    }
    rollout.wait().expect_ok();
    assert!(moved.iter().sum::<usize>() > 0, "users moved while it went on: {moved:?}");
}

#[test]
fn big_bang_may_show_the_notice_page() {
    let world = World::new();
    world.spec().more("patterns: { big-bang: { while-down: notice } }").write();
    world.deploy("v1").expect_ok();
    world
        .spec()
        .more("patterns: { big-bang: { while-down: notice } }")
        .env("CUTOVER_DEMO_READY_AFTER", "1s")
        .write();
    let deploy = world.start("deploy v2 --pattern big-bang");
    let mut notice = None;
    wait_until("the notice page is shown", || {
        let answer = get_tcp(&world.address(), "/").unwrap();
        let shown = answer.status == 503;
        notice = shown.then_some(answer);
        shown
    });
    assert!(notice.unwrap().header("retry-after").is_some());
    deploy.wait().expect_ok();
    assert_eq!(served(&world), "v2");
}

#[test]
fn workers_have_no_proxy_and_are_replaced_batch_by_batch() {
    let world = World::new();
    let spec = |pattern: &str| {
        format!(
            "app: worker\ninstances: 3\npattern: {pattern}\nrelease: {{ command: [sleep, '1000'], \
             env: {{ MARK: '{{version}}' }} }}\nhealth: {{ settle: 200ms }}\n\
             drain: {{ stop: 1s }}\n"
        )
    };
    world.write_spec(&spec("rolling"));
    world.deploy("v1").expect_ok();
    world.deploy("v2").expect_ok();
    world.write_spec(&spec("big-bang"));
    world.deploy("v3").expect_ok();
    let status = status(&world);
    let instances = status["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 3);
    assert!(instances.iter().all(|i| i["release"]["version"] == "v3"), "{status}");
    assert!(!Path::new(&world.state().join("proxy.sock")).exists(), "no proxy was needed");
    world.write_spec(&spec("canary"));
    world.deploy("v4").expect_code(3).complains("listen");
}

#[test]
fn two_apps_share_an_address_and_environments_are_apart() {
    let world = World::new();
    let spec = |app: &str, path: &str| {
        world.spec().text().replace("app: shop", &format!("app: {app}\npath: {path}"))
    };
    world.write_spec(&spec("shop", "/shop"));
    world.deploy("s1").expect_ok();
    world.write_spec(&spec("blog", "/blog"));
    world.deploy("b1").expect_ok();
    let at = |path: &str| get_tcp(&world.address(), path).unwrap();
    assert_eq!(version(&at("/shop")), "s1");
    assert_eq!(version(&at("/blog")), "b1");
    assert_eq!(at("/other").status, 404);

    let staging = crate::harness::free_port();
    crate::harness::write(
        &world.app().join("cutover.staging.yaml"),
        &format!("listen: 127.0.0.1:{staging}\ninstances: 1\n"),
    );
    world.deploy("b2 --env staging").expect_ok();
    let other = get_tcp(&format!("127.0.0.1:{staging}"), "/blog").unwrap();
    assert_eq!((version(&other), version(&at("/blog"))), ("b2", "b1"));
    world.run("down blog.staging").expect_ok();
    assert_eq!(version(&at("/blog")), "b1");
}

#[test]
fn the_same_version_with_another_spec_is_told_apart() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.spec().env("CUTOVER_DEMO_INSTANCE", "renamed").write();
    world.deploy("v1").expect_ok().says("v1 (2) is live (was v1)");
    // How many there are is no new release.
    world.spec().env("CUTOVER_DEMO_INSTANCE", "renamed").n(3).write();
    world.deploy("v1").expect_ok();
    wait_until("there are three", || status(&world)["instances"].as_array().unwrap().len() == 3);
    world.run("rollback").expect_ok().says("v1 is live (was v1 (2))");
}

#[test]
fn a_release_that_is_turned_back_takes_its_size_along() {
    let world = World::new();
    world.spec().n(2).write();
    world.deploy("v1").expect_ok();
    world.spec().n(3).env("CUTOVER_DEMO_HEALTH_STATUS", "500").write();
    world.deploy("v2").expect_code(5);
    wait_until("two are left", || status(&world)["instances"].as_array().unwrap().len() == 2);
    assert_eq!(status(&world)["n"], 2);
    world.run("scale 1").expect_ok();
    world.spec().n(2).write();
    world.deploy("v3").expect_ok();
    assert_eq!(status(&world)["n"], 1, "a scale lasts until the spec's value changes");
}

#[test]
fn promoting_early_overrules_nothing() {
    let world = with_hooks("{ after-ready: [{ run: [./smoke.sh] }] }");
    script(&world, "smoke.sh", "#!/bin/sh\nuntil [ -f go ]; do sleep 0.05; done\nexit 1\n");
    let deploy =
        world.start("deploy v2 --pattern blue-green --set patterns.blue-green.approve=true");
    wait_until("the hook runs", || {
        world.run("events --output ndjson").stdout.contains("hook-started")
    });
    // The stage is reached, so an approval is taken; the hook still decides.
    world.run("promote");
    crate::harness::write(&world.app().join("go"), "");
    deploy.wait().expect_code(5).complains("smoke.sh");
    assert_eq!(served(&world), "v1");
}
