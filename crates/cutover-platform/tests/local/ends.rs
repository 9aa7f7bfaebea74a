//! Stopping, and what must not be left behind.

use std::time::{Duration, Instant};

use cutover_core::observed::State;
use rustix::process::Signal;

use crate::ground::{Ground, lives, signal};

/// The grandchild's process id, once it has printed it.
pub(crate) async fn grandchild(ground: &Ground, id: &str) -> i32 {
    let begun = Instant::now();
    loop {
        for line in ground.lines(id).await {
            if let Some(pid) = line.strip_prefix("grandchild ") {
                return pid.parse().unwrap();
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no grandchild");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_stop_ends_the_whole_tree_also_those_who_ignore_it_and_left_the_session() {
    let ground = Ground::new();
    let release = ground.release(&["stubborn"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    let (child, grandchild) = (ground.child("r1.0"), grandchild(&ground, "r1.0").await);
    assert!(lives(child) && lives(grandchild));
    let begun = Instant::now();
    ground.want(&[]).await;
    let seen = ground.see("r1.0").await.unwrap();
    assert_eq!(seen.state, State::Stopping, "accepted at once");
    ground.until_gone("r1.0").await;
    assert!(begun.elapsed() >= Duration::from_millis(300), "the grace was granted");
    assert!(!lives(child) && !lives(grandchild));
    assert!(!ground.instance("r1.0").exists());
    assert_eq!(ground.processes(), [0; 0]);
}

#[tokio::test]
async fn an_app_that_obeys_is_gone_long_before_the_grace_ends() {
    let ground = Ground::new();
    let slow = serde_json::json!({"drain": {"stop": "60s"}});
    let release = ground.release_with(&["serve", "200 OK"], slow);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    let begun = Instant::now();
    ground.want(&[]).await;
    ground.until_gone("r1.0").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_an_app_leaves_when_it_exits_is_ended_before_it_counts_as_exited() {
    let ground = Ground::new();
    let release = ground.release(&["leave"]);
    ground.want(&[("r1.0", &release)]).await;
    let seen = ground.until_state("r1.0", State::Exited).await;
    assert!(seen.detail.unwrap().starts_with("exited with code 3"));
    assert_eq!(ground.processes(), [0; 0]);
}

#[tokio::test]
async fn what_a_killed_keeper_leaves_is_ended_before_the_app_starts_again() {
    let ground = Ground::new();
    let release = ground.release(&["parent"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    let (child, grandchild) = (ground.child("r1.0"), grandchild(&ground, "r1.0").await);
    signal(ground.keeper("r1.0"), Signal::KILL);
    let seen = ground.until_state("r1.0", State::Exited).await;
    assert_eq!(seen.detail.as_deref(), Some("its keeper died"));
    assert_eq!(seen.exits.len(), 1);
    let again = ground.until_started("r1.0").await;
    assert!(!lives(child) && !lives(grandchild), "they are ended first");
    assert_eq!(again.exits.len(), 1);
    ground.until_state("r1.0", State::Ready).await;
    assert_ne!(ground.child("r1.0"), child);
}

#[tokio::test]
async fn an_instance_without_a_keeper_can_be_stopped() {
    let ground = Ground::new();
    let release = ground.release(&["stubborn"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    grandchild(&ground, "r1.0").await;
    signal(ground.keeper("r1.0"), Signal::KILL);
    ground.want(&[]).await;
    ground.until_gone("r1.0").await;
    assert_eq!(ground.processes(), [0; 0]);
    assert!(!ground.instance("r1.0").exists());
}

#[tokio::test]
async fn one_that_is_wanted_again_while_it_stops_is_stopped_and_started_anew() {
    let ground = Ground::new();
    let release = ground.release(&["stubborn"]);
    ground.want(&[("r1.0", &release)]).await;
    let before = ground.until_state("r1.0", State::Ready).await;
    let child = ground.child("r1.0");
    ground.want(&[]).await;
    ground.want(&[("r1.0", &release)]).await;
    assert_eq!(ground.see("r1.0").await.unwrap().state, State::Stopping);
    ground.until_started("r1.0").await;
    assert!(!lives(child));
    let after = ground.until_state("r1.0", State::Ready).await;
    assert_ne!(after.address, before.address, "its port rests");
    assert_eq!(after.exits.len(), 0, "a stop is no exit");
    assert_eq!(ground.kept("r1.0")["attempt"], 1);
}
