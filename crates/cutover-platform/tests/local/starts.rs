//! Starting, and starting again.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use cutover_core::observed::State;
use cutover_engine::ports::Platform;
use rustix::process::Signal;
use serde_json::json;

use crate::ground::{APP, Ground, KEEPER, signal};

#[tokio::test]
async fn a_start_is_ready_in_less_than_half_a_second() {
    let ground = Ground::new();
    let release = ground.release(&["serve", "200 OK"]);
    let mut took = Vec::new();
    // The machine may be busy with something else once or twice.
    for slot in ["r1.0", "r1.1", "r1.2"] {
        let begun = Instant::now();
        ground.want(&[(slot, &release)]).await;
        assert_eq!(ground.see(slot).await.unwrap().state, State::Starting, "accepted at once");
        ground.until_state(slot, State::Ready).await;
        took.push(begun.elapsed());
    }
    assert!(took.iter().min().unwrap() < &Duration::from_millis(500), "{took:?}");
}

#[tokio::test]
async fn every_instance_has_a_port_of_its_own_and_wanting_again_is_free() {
    let ground = Ground::new();
    let release = ground.release(&["serve", "200 OK"]);
    let wanted = [("r1.0", &release), ("r1.1", &release), ("r1.2", &release)];
    ground.want(&wanted).await;
    let mut ports = BTreeSet::new();
    for (id, _) in wanted {
        ports.insert(ground.until_state(id, State::Ready).await.address.unwrap());
    }
    assert_eq!(ports.len(), 3);
    let children = [ground.child("r1.0"), ground.child("r1.1"), ground.child("r1.2")];
    let (one, other) = tokio::join!(ground.want(&wanted), ground.want(&wanted));
    assert_eq!((one, other), ((), ()));
    for (id, _) in wanted {
        assert_eq!(ground.see(id).await.unwrap().state, State::Ready);
    }
    assert_eq!(children, [ground.child("r1.0"), ground.child("r1.1"), ground.child("r1.2")]);
}

#[tokio::test]
async fn an_app_that_dies_is_started_again_in_place_on_the_same_port() {
    let ground = Ground::new();
    let release = ground.release(&["serve", "200 OK"]);
    ground.want(&[("r1.0", &release)]).await;
    let before = ground.until_state("r1.0", State::Ready).await;
    let begun = Instant::now();
    signal(ground.child("r1.0"), Signal::KILL);
    let exited = ground.until_state("r1.0", State::Exited).await;
    assert!(begun.elapsed() < Duration::from_millis(900), "noticed after {:?}", begun.elapsed());
    assert!(exited.detail.unwrap().starts_with("killed by signal 9"));
    assert_eq!(exited.exits, [exited.since]);
    let after = ground.until_state("r1.0", State::Ready).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "it waits for a second");
    assert_eq!(after.address, before.address);
    assert_eq!(after.exits.len(), 1);
    assert!(after.exits[0].0.abs_diff(exited.exits[0].0) < 100, "{after:?} {:?}", exited.exits);
}

#[tokio::test]
async fn a_crash_loop_is_waited_out_longer_and_longer() {
    let ground = Ground::new();
    let release = ground.release(&["exit", "3", "boom"]);
    ground.want(&[("r1.0", &release)]).await;
    let seen = ground.until("r1.0", |seen| seen.exits.len() == 3).await;
    assert_eq!(seen.state, State::Exited);
    let detail = seen.detail.unwrap();
    assert!(detail.starts_with("exited with code 3 after 0.") && detail.ends_with("s: boom"));
    let waits = [seen.exits[1].since(seen.exits[0]), seen.exits[2].since(seen.exits[1])];
    assert!((1000..1900).contains(&waits[0].as_millis()), "{waits:?}");
    assert!((2000..3500).contains(&waits[1].as_millis()), "{waits:?}");
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_left_to_its_taker() {
    let ground = Ground::new();
    let release = ground.release(&["serve", "200 OK"]);
    ground.want(&[("r1.0", &release)]).await;
    let before = ground.until_state("r1.0", State::Ready).await.address.unwrap();
    signal(ground.child("r1.0"), Signal::KILL);
    ground.until_state("r1.0", State::Exited).await;
    let taker = TcpListener::bind(before).unwrap();
    let after = ground.until_state("r1.0", State::Ready).await.address.unwrap();
    assert_ne!(after, before);
    drop(taker);
}

#[tokio::test]
async fn a_second_keeper_is_no_start() {
    let ground = Ground::new();
    let release = ground.release(&["serve", "200 OK"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    let kept = ground.kept("r1.0");
    let mut second = Command::new(KEEPER);
    second.args(["keeper", "shop/r1.0"]).env("CUTOVER_STATE", ground.folder.path());
    let output = second.output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(ground.kept("r1.0"), kept);
    assert_eq!(ground.processes().len(), 2, "one keeper and one app");
}

#[tokio::test]
async fn an_app_gets_what_its_spec_says_and_nothing_of_our_environment() {
    let ground = Ground::new();
    let secret = ground.folder.path().join("token");
    cutover_files::write_atomic(&secret, b"s3cret-token\n").unwrap();
    std::fs::create_dir(ground.folder.path().join("work-v1")).unwrap();
    let release = ground.release_with(
        &["environment", "{port}", "{version}"],
        json!({"release": {
            "directory": "work-{version}",
            "env": {"MODE": "production", "PORT": "1"},
            "secrets": {"TOKEN": {"file": "token"}, "PLAIN": {"file": "token", "as": "env"}},
        }}),
    );
    ground.platform.preflight(&ground.subject, &release).await.unwrap();
    ground.want(&[("r1.0", &release)]).await;
    let port = ground.until_state("r1.0", State::Ready).await.address.unwrap().port().to_string();
    let lines = ground.lines("r1.0").await;
    let value = |name: &str| {
        let start = format!("{name}=");
        lines.iter().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    };
    assert_eq!(value("PORT").as_deref(), Some(port.as_str()));
    for (name, expected) in [
        ("MODE", "production"),
        ("PASSED", "on"),
        ("CUTOVER_INSTANCE", "shop/r1.0"),
        ("CUTOVER_APP", "shop"),
        ("CUTOVER_ENV", "default"),
        ("CUTOVER_VERSION", "v1"),
        ("PLAIN", "[redacted]"),
    ] {
        assert_eq!(value(name).as_deref(), Some(expected), "{name} in {lines:?}");
    }
    assert!(value("PATH").is_some() && value("CARGO_MANIFEST_DIR").is_none());
    assert!(value("CUTOVER_STATE").is_none(), "what is the keeper's stays the keeper's");
    assert!(lines.contains(&"token file holds [redacted]".to_owned()), "{lines:?}");
    let mode = |path: &str| {
        std::fs::metadata(ground.instance("r1.0").join(path)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("secrets"), mode("secrets/TOKEN"), mode("start.json")), (0o700, 0o600, 0o600));
    let child = ground.child("r1.0");
    let argv = std::fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap();
    assert_eq!(argv, format!("{APP}\0environment\0{port}\0v1\0"));
    let directory = std::fs::read_link(format!("/proc/{child}/cwd")).unwrap();
    assert!(directory.ends_with("work-v1"));
    let keeper = std::fs::read_to_string(format!("/proc/{}/cmdline", ground.keeper("r1.0")));
    assert_eq!(keeper.unwrap(), format!("{KEEPER}\0keeper\0shop/r1.0\0"));
}

#[tokio::test]
async fn a_worker_has_no_port_and_is_ready_when_it_stays_alive() {
    let ground = Ground::new();
    let release =
        ground.release_with(&["work"], json!({"listen": null, "health": {"settle": "300ms"}}));
    ground.want(&[("r1.0", &release)]).await;
    let ready = ground.until_state("r1.0", State::Ready).await;
    assert_eq!(ready.address, None);
    let kept = ground.kept("r1.0");
    let began = kept["at"]["unix_ms"].as_u64().unwrap();
    assert!(ready.since.0 - began >= 290, "{ready:?} began {began}");
}
