//! Changes of served flags: kept, published, undone, approved.

use crate::harness::{World, free_port, post, request, signal, wait_until, write};
use serde_json::{Value, json};

/// A world whose flags are served from `flags.yaml`, and where.
fn world() -> (World, String) {
    let world = World::new();
    write(&world.app().join("flags.yaml"), &document(""));
    let address = format!("127.0.0.1:{}", free_port());
    world.run(&format!("flag serve --listen {address} flags.yaml")).expect_ok();
    (world, address)
}

fn document(more: &str) -> String {
    format!(
        "metadata: {{ cutover.bucketing: v3 }}
flags:
  new-checkout:
    state: ENABLED
    variants: {{ on: true, off: false }}
    defaultVariant: off
  color:
    state: ENABLED
    variants: {{ red: red, blue: blue, green: green }}
    defaultVariant: red
{more}"
    )
}

fn ask(address: &str, key: &str, user: &str) -> Value {
    let body = json!({"context": {"targetingKey": user}}).to_string();
    let path = format!("/ofrep/v1/evaluate/flags/{key}");
    post(address, &path, "", &body).map_or(Value::Null, |answer| answer.json())
}

fn is_on(address: &str, user: &str) -> bool {
    ask(address, "new-checkout", user)["value"] == true
}

fn proxy(world: &World) -> u32 {
    let pid = world.run("proxy status --json").expect_ok().json()["pid"].as_u64();
    u32::try_from(pid.unwrap()).unwrap()
}

#[test]
fn changes_hold_over_restarts_and_new_files_and_can_be_undone() {
    let (world, address) = world();
    world.run("flag set color --default blue -m sales").expect_ok().says("change 1");
    assert_eq!(ask(&address, "color", "u")["value"], "blue");
    // A new version of the file changes what nobody changed by hand.
    let more = "  third: { state: ENABLED, variants: { a: 1 }, defaultVariant: a }\n";
    write(&world.app().join("flags.yaml"), &document(more));
    wait_until("the new file is served", || ask(&address, "third", "u")["value"] == 1);
    assert_eq!(ask(&address, "color", "u")["value"], "blue");
    // Neither the daemon nor the proxy forget it.
    world.kill_daemon();
    signal(proxy(&world), "KILL");
    assert_eq!(ask(&address, "color", "u")["value"], "blue");
    world.run("flag eval color --user u").expect_ok().says("blue");
    world.run("daemon start").expect_ok();
    world.run("flag kill new-checkout -m broken").expect_ok().says("killed");
    assert_eq!(ask(&address, "new-checkout", "u")["reason"], "DISABLED");
    // Whatever else is set, it stays killed.
    world.run("flag ramp new-checkout --to 100").expect_ok().complains("nobody gets anything else");
    assert!(!is_on(&address, "u"));
    world.run("flag restore new-checkout").expect_ok().says("change 4");
    assert!(is_on(&address, "u"));
    world.run("flag restore new-checkout").expect_ok().says("nothing was changed");

    let history = world.run("flag history --json").expect_ok().json();
    let numbers: Vec<u64> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    let first = &history["changes"][3];
    assert_eq!((&first["reason"], &first["flag"]), (&json!("sales"), &json!("color")));
    assert!(first["by"].as_str().unwrap().contains("uid"), "{first}");
    world
        .run("flag history color")
        .expect_ok()
        .says("set: default blue (was its source's default)");

    // A later change of the same thing is in the way; of another thing it is not.
    world.run("flag set color --default green").expect_ok();
    world.run("flag revert 1").expect_code(2).complains("change 5 set the same after it");
    world.run("flag revert 5").expect_ok().says("default blue (was default green)");
    world.run("flag revert 1").expect_code(2).complains("change 6");
    world.run("flag set color --clear").expect_ok();
    assert_eq!(ask(&address, "color", "u")["value"], "red");
    world.run("flag revert 9").expect_code(2).complains("there is no change 9");
    // To undo an undoing.
    world.run("flag revert 7").expect_ok().says("default blue");
    assert_eq!(ask(&address, "color", "u")["value"], "blue");
}

#[test]
fn a_change_is_published_by_the_next_daemon_if_one_died_before() {
    let (world, address) = world();
    world.run("flag ramp new-checkout --to 100").expect_ok();
    assert!(is_on(&address, "u"));
    let proxy = proxy(&world);
    // The proxy answers nobody: the change is kept, and cannot be published.
    signal(proxy, "STOP");
    let kill = world.start("flag kill new-checkout -m fails");
    let kept = world.state().join("flag-changes/default.json");
    wait_until("it is kept", || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("fails"))
    });
    world.kill_daemon();
    // What the daemon may have sent is lost with the process that never read it.
    signal(proxy, "KILL");
    kill.wait().expect_code(10);
    wait_until("the proxy is back", || ask(&address, "new-checkout", "u")["value"].is_boolean());
    assert!(is_on(&address, "u"), "nobody has told the proxy yet");
    // On top of that the file is broken now.
    write(&world.app().join("flags.yaml"), "flags: [");
    world.run("daemon start").expect_ok();
    wait_until("it is off", || !is_on(&address, "u"));
    world.run("flag history").expect_ok().says("fails");
    world.run("flag list").expect_ok().complains("the newest definitions are not served");
    // With the file still broken, changes go on.
    world.run("flag restore new-checkout").expect_ok();
    assert!(is_on(&address, "u"));
    write(&world.app().join("flags.yaml"), &document(""));
    wait_until("the file is served again", || {
        !world.run("flag list").stderr.contains("not served")
    });
    assert!(is_on(&address, "u"));
}

#[test]
fn a_proxy_that_does_not_answer_gets_it_later() {
    let (world, address) = world();
    let proxy = proxy(&world);
    signal(proxy, "STOP");
    let set = world.run("flag set color --default blue").expect_code(9);
    signal(proxy, "CONT");
    set.says("is going to be default blue").complains("published as soon as that is possible");
    wait_until("it is published", || ask(&address, "color", "u")["value"] == "blue");
}

#[test]
fn a_look_ahead_tells_what_evaluations_come_to() {
    let (world, address) = world();
    world.run("flag ramp new-checkout --to 10").expect_ok();
    let users: Vec<String> = (0..1500).map(|user| format!("customer-{user}")).collect();
    let before: Vec<bool> = users.iter().map(|user| is_on(&address, user)).collect();
    // Nobody is tracked yet.
    let made_up = world.run("flag ramp new-checkout --to 22 --dry-run").expect_ok();
    made_up.says("made-up users (nobody was tracked lately) move off -> on, 0 move back");
    for some in users.chunks(500) {
        let event = |user: &String| {
            json!({"kind": "exposure", "targetingKey": user, "flag": "new-checkout",
                "variant": "on"})
        };
        let events: Vec<Value> = some.iter().map(event).collect();
        let body = json!({"events": events}).to_string();
        assert!(post(&address, "/v1/track", "", &body).unwrap().status < 300);
    }
    let ahead = world.run("flag ramp new-checkout --to 22 --dry-run --json").expect_ok().json();
    assert_eq!((&ahead["dry_run"], &ahead["published"]), (&json!(true), &json!(false)));
    assert_eq!(before, users.iter().map(|user| is_on(&address, user)).collect::<Vec<_>>());
    world.run("flag ramp new-checkout --to 22").expect_ok().says("1,500 users of the last hour");
    let after: Vec<bool> = users.iter().map(|user| is_on(&address, user)).collect();
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    let back = before.iter().zip(&after).filter(|(before, after)| **before && !**after).count();
    assert!(moved > 100 && back == 0, "{moved} {back}");
    let expected = json!({"users": 1500, "who": "tracked",
        "moves": [{"from": "off", "to": "on", "users": moved}]});
    assert_eq!(ahead["moves"], expected);
    // Back again, the same users leave.
    let back = world.run("flag ramp new-checkout --to 10 --dry-run --json").expect_ok().json();
    let group = json!([{"from": "on", "to": "off", "users": moved}]);
    assert_eq!(back["moves"]["moves"], group);
}

#[test]
fn a_protected_environment_needs_two_people() {
    let (world, address) = world();
    for (name, text) in [("people", "ana aaaa\nbea bbbb\n"), ("ana", "aaaa\n"), ("bea", "bbbb\n")] {
        write(&world.app().join(name), text);
    }
    write(&world.app().join("one"), "ana aaaa\n");
    let serve = format!("flag serve --listen {address} flags.yaml");
    world.run(&format!("{serve} --people one")).expect_code(2).complains("fewer than two people");
    world.run(&format!("{serve} --people people")).expect_ok();
    let ramp = "flag ramp new-checkout --to 100";
    world.run(ramp).expect_code(2).complains("it has to be known who asks");
    world.run(&format!("{ramp} --dry-run")).expect_ok().says("would be");
    world.run(&format!("{ramp} --token people")).expect_code(2).complains("belongs to nobody");
    world
        .run(&format!("{ramp} --token ana"))
        .expect_ok()
        .says("change 1 waits for a second person");
    assert!(!is_on(&address, "u"));
    world.run("flag approve 1").expect_code(2).complains("another person than ana");
    world.run("flag approve 1 --token ana").expect_code(2).complains("another person than ana");
    // It waits over restarts, and serving anew does not take the protection away.
    world.kill_daemon();
    world.run(&serve).expect_ok();
    world.run("flag approve 1 --token bea").expect_ok().says("on for 100%");
    assert!(is_on(&address, "u"));
    world.run("flag history").expect_ok().says("by ana, as ").says("approved by bea, as ");
    world.run("flag approve 1 --token bea").expect_code(2).complains("does not wait");
    // Off is for everybody who sees a fire; on again is not.
    world.run("flag kill new-checkout").expect_ok();
    assert!(!is_on(&address, "u"));
    world.run("flag restore new-checkout --token bea").expect_ok().says("change 3 waits");
    world.run("flag revert 3 --token bea").expect_ok().says("taken back");
    world.run("flag approve 3 --token ana").expect_code(2).complains("does not wait");
    assert!(!is_on(&address, "u"));
    for name in ["flags.json", "flag-changes/default.json"] {
        let text = std::fs::read_to_string(world.state().join(name)).unwrap();
        assert!(!text.contains("aaaa") && !text.contains("bbbb"), "{name}");
    }
}

#[test]
fn what_cannot_be_changed_is_told_and_nothing_happens() {
    let (world, address) = world();
    world.run("flag kill nope").expect_code(2).complains("there is no flag nope");
    world.run("flag set color").expect_code(2).complains("nothing to set is given");
    world
        .run("flag set color --default pink")
        .expect_code(2)
        .complains("color has no variant pink");
    world.run("flag ramp color --to 5").expect_code(2).complains("which variant of color?");
    world.run("flag ramp color --to 5 --variant pink").expect_code(2).complains("no variant pink");
    world.run("flag set color --variant blue").expect_code(2).complains("share of users");
    world.run("flag ramp color --to 101").expect_code(2);
    world
        .run("flag kill color --env other")
        .expect_code(2)
        .complains("no flags of other are served");
    world.run("flag kill color --token none").expect_code(2).complains("cannot be read");
    world.run("flag ramp color --to 5 --variant blue").expect_ok();
    // Two sets with the same key.
    write(
        &world.app().join("two.yaml"),
        &document("").replace("metadata: {", "metadata: { flagSetId: two,"),
    );
    let serve = format!("flag serve --listen {address} flags.yaml two.yaml");
    world.run(&serve).expect_ok();
    world.run("flag kill new-checkout").expect_code(2).complains("the sets \"\", two have it");
    world
        .run("flag kill new-checkout --set two")
        .expect_ok()
        .says("new-checkout of set two is killed");
    let context = "{\"context\":{\"targetingKey\":\"u\"}}";
    let of_set = |selector: &str| {
        let head = format!("flagd-selector: {selector}\r\n");
        let path = "/ofrep/v1/evaluate/flags/new-checkout";
        post(&address, path, &head, context).unwrap().json()["reason"].clone()
    };
    assert_eq!(
        (of_set("flagSetId=two"), of_set("flagSetId=")),
        (json!("DISABLED"), json!("STATIC"))
    );
    // The daemon reads requests of others, too.
    let socket = world.socket();
    let body = json!({"flag": "x".repeat(2000), "edit": "kill"}).to_string();
    let answer = request(&socket, "POST", "/v1/flags/default/changes", &body).unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer = request(&socket, "POST", "/v1/flags/default/changes", "{").unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn a_change_of_a_flag_that_vanished_waits_for_it() {
    let (world, address) = world();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.run("flag set color --default blue").expect_ok();
    write(&world.app().join("flags.yaml"), &document("").replace("  color:", "  colour:"));
    wait_until("it is told", || {
        world.run("flag list").stderr.contains("defined by no source now: color")
    });
    wait_until("an event warns", || {
        world.run("events --json").stdout.contains("the change waits for it")
    });
    assert_eq!(ask(&address, "colour", "u")["value"], "red");
    world.run("flag kill color").expect_code(2).complains("there is no flag color");
    write(&world.app().join("flags.yaml"), &document(""));
    wait_until("it is back, as it was", || ask(&address, "color", "u")["value"] == "blue");
    write(&world.app().join("flags.yaml"), &document("").replace("  color:", "  colour:"));
    wait_until("it is gone again", || ask(&address, "color", "u")["errorCode"].is_string());
    world.run("flag revert 1").expect_ok().complains("no source defines color now");
    wait_until("nothing waits any longer", || {
        !world.run("flag list").stderr.contains("defined by no source")
    });
}

#[test]
fn flags_that_look_finished_are_listed() {
    let (world, address) = world();
    world.run("flag stale").expect_ok().says("0 of 2 flags look finished, unchanged for 30 days");
    ask(&address, "new-checkout", "u");
    world.run("flag ramp new-checkout --to 100").expect_ok();
    let found = world.run("flag stale --days 0 --json").expect_ok().json();
    let of = |at: usize| (&found["stale"][at]["flag"], &found["stale"][at]["because"]);
    let (flag, because) = of(0);
    assert_eq!((flag, because.as_array().unwrap().len()), (&json!("new-checkout"), 1));
    assert!(because[0].as_str().unwrap().contains("the ramp is at 100%"));
    let (flag, because) = of(1);
    assert_eq!(flag, "color");
    assert!(because.to_string().contains("nobody asked for it"), "{because}");
    assert_eq!(found["stale"][0]["evaluations"], 1);
    // One that is asked for with all others is not counted, and that is said.
    post(&address, "/ofrep/v1/evaluate/flags", "", "{}").unwrap();
    let told = world.run("flag stale --days 0").expect_ok().complains("cannot be told");
    assert!(!told.stdout.contains("nobody asked for it"), "{told}");
}
