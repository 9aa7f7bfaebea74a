//! Flags that OpenFeature clients evaluate: served by the proxy, watched by the daemon.

use crate::harness::{PATIENCE, World, free_port, post, signal, wait_until, write};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

const ONE: &str = "/ofrep/v1/evaluate/flags/color";

fn document(color: &str) -> String {
    json!({
        "metadata": {"cutover.bucketing": "v3"},
        "flags": {
            "color": {"state": "ENABLED", "variants": {"red": "red", "blue": "blue"},
                "defaultVariant": color,
                "targeting": {"if": [{"==": [{"var": "tier"}, "gold"]}, "blue"]}},
            "gone": {"state": "DISABLED", "variants": {"on": true}},
        }
    })
    .to_string()
}

/// A world with `flags/colors.json`, and where its flags are to be served.
fn world() -> (World, String) {
    let world = World::new();
    std::fs::create_dir(world.app().join("flags")).unwrap();
    write(&world.app().join("flags/colors.json"), &document("red"));
    (world, format!("127.0.0.1:{}", free_port()))
}

fn color(address: &str, context: &str) -> Value {
    let body = format!("{{\"context\":{context}}}");
    post(address, ONE, "", &body).map_or(Value::Null, |answer| answer.json()["value"].take())
}

fn served(world: &World) -> Value {
    let socket = world.state().join("proxy.sock");
    let answer = crate::harness::request(&socket, "GET", "/v1/flags", "").unwrap();
    answer.json()
}

#[test]
fn flags_survive_the_daemon_and_the_proxy_and_changes_come_through() {
    let (world, address) = world();
    let serve = format!("flag serve --env production --listen {address} flags");
    world.run(&serve).expect_ok().says("2 flags");
    assert_eq!(color(&address, "{}"), "red");
    assert_eq!(color(&address, r#"{"tier":"gold"}"#), "blue");

    // Without the daemon nothing changes for anybody, nor when the proxy dies on top of that.
    world.kill_daemon();
    assert_eq!(color(&address, "{}"), "red");
    let proxy = world.run("proxy status --json").expect_ok().json()["pid"].as_u64().unwrap();
    signal(u32::try_from(proxy).unwrap(), "KILL");
    assert_eq!(color(&address, "{}"), "red", "the keeper holds the socket");
    world.run("flag eval color --env production --user u1").expect_ok().says("red");

    // The next daemon watches the same files.
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /ofrep/v1/sse HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    world.run("daemon start").expect_ok();
    write(&world.app().join("flags/colors.json"), &document("blue"));
    // One event for the version that was there when it came, one for the change.
    let told = BufReader::new(stream).lines().map(Result::unwrap);
    let told = told.filter(|line| line.contains("refetchEvaluation")).take(2).count();
    assert_eq!(told, 2, "listeners are told");
    assert_eq!(color(&address, "{}"), "blue");

    world.run("flag list --env production").expect_ok().says("color").complains("2 flags");
    world.run("flag unserve --env production").expect_ok().says("no longer");
    assert!(TcpStream::connect(&address).is_err());
    world.run("flag unserve --env production").expect_ok().says("nothing was changed");
    world.run("flag list --env production").expect_code(2).complains("no flags of production");
}

#[test]
fn a_broken_file_is_told_and_the_last_good_one_served_on() {
    let (world, address) = world();
    let file = world.app().join("flags/colors.json");
    write(&file, "{");
    let serve = format!("flag serve --listen {address} flags");
    world.run(&serve).expect_code(3).complains("colors.json:1:2").complains("served on");
    world.run("flag serve nothing.json").expect_code(4).complains("nothing.json cannot be read");
    write(&file, &document("red"));
    world.run(&serve).expect_ok();
    // An app of the environment hears of it.
    world.spec().write();
    world.deploy("v1").expect_ok();
    write(&file, "{\"flags\": 7}");
    wait_until("it is refused", || served(&world)["default"]["refused"].is_object());
    assert_eq!(color(&address, "{}"), "red");
    wait_until("an event warns", || {
        world.run("events --json").stdout.contains("the last good ones are served")
    });
    world.run("flag list").expect_ok().complains("the newest definitions are not served");
    write(&file, &document("blue"));
    wait_until("the repaired one is served", || color(&address, "{}") == "blue");
    assert_eq!(served(&world)["default"]["refused"], Value::Null);
    // A file that goes away takes nothing with it.
    std::fs::remove_file(&file).unwrap();
    wait_until("it is missed", || {
        world.run("flag list").stderr.contains("has no file that ends in")
    });
    assert_eq!(color(&address, "{}"), "blue");
}

#[test]
fn others_need_a_token() {
    let (world, _) = world();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let serve = format!("flag serve --listen 0.0.0.0:{port} flags");
    world.run(&serve).expect_code(3).complains("token");
    write(&world.app().join("empty"), "\n");
    world.run(&format!("{serve} --tokens empty")).expect_code(2).complains("holds no token");
    world.run(&format!("{serve} --tokens none")).expect_code(2).complains("cannot be read");
    write(&world.app().join("tokens"), "one\ntwo\n");
    world.run(&format!("{serve} --tokens tokens")).expect_ok().says("with a token");
    assert_eq!(post(&address, ONE, "", "{}").unwrap().status, 401);
    let answer = post(&address, ONE, "authorization: Bearer two\r\n", "{}").unwrap();
    assert_eq!(answer.json()["value"], "red");
    let mut stored = vec![world.state().join("flags.json")];
    stored.extend(
        std::fs::read_dir(world.state().join("proxy/flags"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    for path in stored {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("\"two\""), "{path:?}");
    }
}

#[test]
fn files_are_looked_at_without_daemon_and_proxy() {
    let (world, _) = world();
    world.run("flag list flags").expect_ok().says("color  red = \"red\" (DEFAULT)");
    world.run("flag eval color flags").expect_ok().says("red = \"red\" (DEFAULT)");
    let json = world.run("flag eval gone --json flags").expect_ok().json();
    assert_eq!((&json["reason"], json.get("value")), (&json!("DISABLED"), None));
    let mut gold = world.command(&["flag", "explain", "color", "flags", "--user", "u1"]);
    let gold = gold.args(["--context", r#"{"tier":"gold"}"#]).output().unwrap();
    let text = String::from_utf8(gold.stdout).unwrap();
    assert!(text.contains("the rule gives") && text.contains("=="), "{text}");
    world.run("flag get color flags").expect_ok().says("\"defaultVariant\": \"red\"");
    world.run("flag lint flags").expect_ok().says("2 flags, 0 errors");
    world.run("flag eval nope flags").expect_code(2).complains("there is no flag nope");
    world.run("flag eval color flags --context [1]").expect_code(2).complains("--context");
    write(&world.app().join("bad.yaml"), "flags:\n  a: {state: ON, variants: {x: 1}}\n");
    world.run("flag lint bad.yaml").expect_code(3).says("bad.yaml:2:").says("1 errors");
    world.run("flag eval a bad.yaml").expect_code(3).says("PARSE_ERROR");
    world.run("flag get a bad.yaml").expect_ok().says("\"state\": \"ON\"");
    write(&world.app().join("none.yaml"), "flags: [\n");
    world.run("flag list none.yaml").expect_ok();
    world.run("flag eval a none.yaml").expect_code(3).complains("the definitions cannot be used");
    assert_eq!(world.processes(), Vec::<u32>::new());
}
