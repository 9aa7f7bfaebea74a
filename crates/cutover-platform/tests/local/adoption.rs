//! A platform that finds instances of an earlier one.

use std::time::Duration;

use cutover_core::observed::State;
use rustix::process::Signal;

use crate::ground::{Ground, lives, signal};

#[tokio::test]
async fn what_was_ready_is_ready_at_first_sight_and_is_watched_on() {
    let ground = Ground::new();
    let bad = ground.folder.path().join("bad");
    let release = ground.release(&["unless", bad.to_str().unwrap()]);
    ground.want(&[("r1.0", &release)]).await;
    let before = ground.until("r1.0", |seen| seen.state == State::Ready).await;
    let child = ground.child("r1.0");
    // The record of readiness is written just after it is shown.
    let record = ground.instance("r1.0").join("ready");
    while !record.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let ground = ground.restart().await;
    let after = ground.see("r1.0").await.unwrap();
    assert_eq!((after.state, after.address), (State::Ready, before.address));
    assert!(after.since.0.abs_diff(before.since.0) < 50, "{after:?} {before:?}");
    ground.want(&[("r1.0", &release)]).await;
    assert_eq!(ground.see("r1.0").await.unwrap().state, State::Ready);
    assert_eq!(ground.child("r1.0"), child, "nothing was started");

    cutover_files::write_atomic(&bad, b"").unwrap();
    let unready = ground.until_state("r1.0", State::Unready).await;
    assert!(unready.detail.unwrap().contains("503"));
    std::fs::remove_file(&bad).unwrap();
    ground.until_state("r1.0", State::Ready).await;

    ground.want(&[]).await;
    ground.until_gone("r1.0").await;
    assert!(!lives(child));
}

#[tokio::test]
async fn an_exit_nobody_watched_is_known_and_only_answered_when_wanted() {
    let ground = Ground::new();
    let release = ground.release(&["serve", "200 OK"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    let (keeper, child) = (ground.keeper("r1.0"), ground.child("r1.0"));
    let ground = ground.restart().await;
    // Not looked at yet, so nobody watches.
    signal(child, Signal::KILL);
    while lives(keeper) || ground.is_kept("r1.0") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seen = ground.see("r1.0").await.unwrap();
    assert_eq!((seen.state, seen.exits.len()), (State::Exited, 1));
    assert!(seen.detail.unwrap().starts_with("killed by signal 9"));
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
}

#[tokio::test]
async fn a_keeper_that_died_unwatched_counts_as_an_exit_and_its_app_is_ended() {
    let ground = Ground::new();
    let release = ground.release(&["serve", "200 OK"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    let (keeper, child) = (ground.keeper("r1.0"), ground.child("r1.0"));
    let ground = ground.restart().await;
    signal(keeper, Signal::KILL);
    while lives(keeper) || ground.is_kept("r1.0") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(lives(child), "the app goes on without its keeper");
    let seen = ground.see("r1.0").await.unwrap();
    assert_eq!((seen.state, seen.exits.len()), (State::Exited, 1));
    ground.want(&[("r1.0", &release)]).await;
    ground.until_started("r1.0").await;
    assert!(!lives(child));
    let ready = ground.until_state("r1.0", State::Ready).await;
    assert_eq!(ready.exits.len(), 1);
}

#[tokio::test]
async fn a_stop_goes_on_across_a_restart() {
    let ground = Ground::new();
    let release = ground.release(&["stubborn"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    let child = ground.child("r1.0");
    ground.want(&[]).await;
    let stop = ground.instance("r1.0").join("stop");
    while !stop.exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let ground = ground.restart().await;
    if let Some(seen) = ground.see("r1.0").await {
        assert_eq!(seen.state, State::Stopping);
    }
    ground.until_gone("r1.0").await;
    assert!(!lives(child) && !ground.instance("r1.0").exists());
}
