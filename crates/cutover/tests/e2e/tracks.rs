//! What clients track, from the proxy through the daemon into a report.

use serde_json::{Value, json};

use crate::harness::{World, free_port, post, signal, wait_until, write};

fn document() -> String {
    json!({
        "metadata": {"cutover.bucketing": "v3"},
        "flags": {"new": {"state": "ENABLED", "variants": {"on": true, "off": false},
            "defaultVariant": "off", "targeting": {"fractional": [["on", 50], ["off", 50]]}}}
    })
    .to_string()
}

/// Exposures of users with these numbers, every second of them `on`, and outcomes of those of whom
/// the function says so.
fn tell(address: &str, users: std::ops::Range<u32>, pays: impl Fn(u32) -> bool) {
    let mut events = vec![];
    for user in users {
        let key = format!("u{user}");
        let variant = if user % 2 == 0 { "on" } else { "off" };
        let plan = if user % 3 == 0 { "gold" } else { "tin" };
        events.push(json!({"kind": "exposure", "targetingKey": key, "flag": "new",
            "variant": variant, "attributes": {"plan": plan}}));
        if pays(user) {
            events
                .push(json!({"kind": "outcome", "targetingKey": key, "name": "paid", "value": 2}));
        }
    }
    for part in events.chunks(1000) {
        let body = json!({ "events": part }).to_string();
        let answer = post(address, "/v1/track", "", &body).unwrap();
        assert_eq!(answer.status, 200);
    }
}

const REPORT: &str = "experiment report --flag new --outcome paid --env production";

fn report(world: &World) -> Value {
    world.run(&format!("{REPORT} --json")).expect_ok().json()
}

fn users(report: &Value) -> u64 {
    let variants = report["variants"].as_array().unwrap();
    variants.iter().map(|variant| variant["users"].as_u64().unwrap()).sum()
}

#[test]
fn what_clients_tell_survives_both_processes_and_becomes_a_verdict() {
    let world = World::new();
    write(&world.app().join("flags.json"), &document());
    let address = format!("127.0.0.1:{}", free_port());
    world.run(&format!("flag serve --env production --listen {address} flags.json")).expect_ok();
    world.run(REPORT).expect_ok().says("nobody was exposed yet");
    tell(&address, 0..1000, |user| user % 20 == 0 || user % 20 == 1);
    wait_until("it is read", || users(&report(&world)) == 1000);
    // What is told while no daemon runs is read by the next one.
    world.kill_daemon();
    tell(&address, 1000..1500, |user| user % 20 == 0 || user % 20 == 1);
    world.run("daemon start").expect_ok();
    wait_until("the next daemon reads on", || users(&report(&world)) == 1500);
    let found = report(&world);
    assert_eq!(found["verdict"]["kind"], "undecided", "{found}");
    assert_eq!(found["sample_ratio"]["kind"], "fits");
    // A proxy that dies takes at most what was not read yet; that it did is told.
    let pid = world.run("proxy status --json").expect_ok().json()["pid"].as_u64().unwrap();
    signal(u32::try_from(pid).unwrap(), "KILL");
    wait_until("another proxy answers", || {
        world.run("proxy status --json").stdout.contains("\"pid\"")
            && post(&address, "/v1/track", "", "{\"events\":[]}").is_ok_and(|it| it.status == 200)
    });
    // Now everybody who is on pays.
    tell(&address, 1500..3000, |user| user % 2 == 0);
    wait_until("the other process is read from its beginning", || users(&report(&world)) == 3000);
    let found = report(&world);
    assert_eq!(found["losses"]["restarts"], 1);
    assert_eq!(found["verdict"], json!({"kind": "different", "better": ["on"], "worse": []}));
    let text = world.run(&format!("{REPORT} --by plan")).expect_ok();
    let text = text.says("verdict: on converts more than off").says("by plan").says("gold");
    assert!(text.stdout.contains("sample ratio: as it was to be"), "{}", text.stdout);
    // Half of those who are off come again and are on: they count where they were.
    let again: Vec<Value> = (1..1500)
        .step_by(4)
        .map(|user| {
            json!({"kind": "exposure", "targetingKey": format!("u{user}"), "flag": "new",
            "variant": "on"})
        })
        .collect();
    let body = json!({ "events": again }).to_string();
    assert_eq!(post(&address, "/v1/track", "", &body).unwrap().status, 200);
    wait_until("they are counted as contaminated", || report(&world)["contaminated"] == 375);
    assert_eq!(users(&report(&world)), 3000);
    // Only one side tells: nothing can be said any more.
    let lost: Vec<Value> = (0..900)
        .map(|user| {
            json!({"kind": "exposure", "targetingKey": format!("x{user}"), "flag": "new",
            "variant": "on"})
        })
        .collect();
    post(&address, "/v1/track", "", &json!({ "events": lost }).to_string()).unwrap();
    wait_until("the sample ratio is wrong", || report(&world)["verdict"]["kind"] == "invalid");
    world.run(REPORT).expect_ok().says("sample ratio: WRONG").says("verdict: none");
    world.run(&format!("{REPORT} --shares on=x")).expect_code(2).complains("--shares");
}
