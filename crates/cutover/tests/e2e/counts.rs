//! `GET /v1/apps/{subject}/seconds`: what the proxy counted, as the daemon passes it on.

use serde_json::Value;

use crate::harness::{Answer, World, get_tcp, request, signal, wait_until};

fn ask(world: &World, subject: &str, after: u64) -> Answer {
    let path = format!("/v1/apps/{subject}/seconds?after={after}");
    request(&world.socket(), "GET", &path, "").unwrap()
}

/// Requests in finished seconds, of all releases.
fn requests(seconds: &Value) -> u64 {
    let of_second = |second: &Value| -> u64 {
        let releases = second["releases"].as_object().unwrap().values();
        let instances = releases.flat_map(|one| one["instances"].as_object().unwrap().values());
        instances.map(|counts| counts["requests"].as_u64().unwrap()).sum()
    };
    seconds["seconds"].as_array().unwrap().iter().map(of_second).sum()
}

#[test]
fn every_request_is_in_one_second_and_the_cursor_leads_on() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    (0..7).for_each(|_| drop(get_tcp(&world.address(), "/").unwrap()));
    wait_until("the seconds are over", || requests(&ask(&world, "shop", 0).json()) == 7);
    let first = ask(&world, "shop", 0).json();
    let cursor = first["cursor"].as_u64().unwrap();
    get_tcp(&world.address(), "/").unwrap();
    wait_until("one more is over", || requests(&ask(&world, "shop", cursor).json()) == 1);
    assert_eq!(requests(&ask(&world, "shop", 0).json()), 8, "reading resets nothing");
    assert_eq!(ask(&world, "shop", 0).json()["epoch"], first["epoch"]);
}

#[test]
fn an_app_without_users_has_no_counts_and_that_is_said() {
    let world = World::new();
    world.write_spec(
        "app: worker\ninstances: 1\nrelease: { command: [sleep, '1000'] }\n\
         health: { settle: 200ms }\ndrain: { stop: 1s }\n",
    );
    world.deploy("v1").expect_ok();
    let is_told = || {
        let answer = ask(&world, "worker", 0);
        assert_eq!((answer.status, &answer.json()["kind"]), (400, &"usage".into()), "{answer:?}");
        assert!(answer.body.contains("nobody counts requests of worker"), "{answer:?}");
        assert!(answer.body.contains("`listen`"), "{answer:?}");
    };
    is_told();
    // The same with a proxy that runs for another app.
    world.spec().write();
    world.deploy("v1").expect_ok();
    is_told();
    let answer = ask(&world, "nothing", 0);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("there is no app nothing"), "{answer:?}");
    let path = "/v1/apps/shop/seconds?after=x";
    assert_eq!(request(&world.socket(), "GET", path, "").unwrap().status, 400);
}

#[test]
fn a_proxy_that_does_not_answer_is_told() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let status = world.run("proxy status --json").expect_ok().json();
    let proxy = u32::try_from(status["pid"].as_u64().unwrap()).unwrap();
    signal(proxy, "STOP");
    let answer = ask(&world, "shop", 0);
    signal(proxy, "CONT");
    assert_eq!((answer.status, &answer.json()["kind"]), (500, &"internal".into()), "{answer:?}");
    assert!(answer.body.contains("the proxy does not answer"), "{answer:?}");
    assert!(answer.body.contains("cutover proxy status"), "{answer:?}");
    wait_until("it answers again", || ask(&world, "shop", 0).status == 200);
}
