//! What is said of instances that are not ready.

use cutover_core::observed::State;
use cutover_engine::ports::Platform;
use serde_json::json;

use crate::ground::{Ground, now};

#[tokio::test]
async fn an_answer_that_is_not_2xx_is_told_with_its_first_words() {
    let ground = Ground::new();
    let bad = ground.release(&["serve", "503 Unavailable", "db warming"]);
    let moved = ground.release(&["serve", "301 Moved", "header:Location: https://shop.example/"]);
    ground.want(&[("r1.0", &bad), ("r1.1", &moved)]).await;
    let seen = ground.until_detail("r1.0", "503").await;
    assert_eq!(seen.state, State::Starting);
    let detail = seen.detail.unwrap();
    let start = format!("GET http://{}/health → 503 \"db warming\" (try ", seen.address.unwrap());
    assert!(detail.starts_with(&start), "{detail}");
    let seen = ground.until_detail("r1.1", "301").await;
    let detail = seen.detail.unwrap();
    let part = "→ 301 to https://shop.example/: redirects are not healthy (try ";
    assert!(detail.contains(part), "{detail}");
}

#[tokio::test]
async fn an_app_that_listens_late_is_refused_first_and_noticed_soon() {
    let ground = Ground::new();
    let release = ground.release(&["late", "400"]);
    ground.want(&[("r1.0", &release)]).await;
    let seen = ground.until_detail("r1.0", "connection refused (try ").await;
    assert_eq!(seen.state, State::Starting);
    let began = seen.since;
    let ready = ground.until_state("r1.0", State::Ready).await;
    let took = ready.since.since(began).as_millis();
    assert!((400..1500).contains(&took), "{took} ms");
}

#[tokio::test]
async fn an_app_without_health_is_ready_when_it_can_be_connected_to() {
    let ground = Ground::new();
    let release = ground.release_with(&["serve", "500 No"], json!({"health": null}));
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
}

#[tokio::test]
async fn an_app_that_does_not_answer_in_time_is_not_ready() {
    let ground = Ground::new();
    // It listens through a backlog that nobody serves.
    let release = ground.release_with(&["mute"], json!({"health": {"timeout": "100ms"}}));
    ground.want(&[("r1.0", &release)]).await;
    ground.until_detail("r1.0", "→ no answer within 100ms (try ").await;
}

#[tokio::test]
async fn a_command_that_cannot_be_run_is_told_before_and_after() {
    let ground = Ground::new();
    let missing = ground.release_with(
        &[],
        json!({"release": {"command": ["./bin/{version}/serve"], "directory": "nowhere",
            "secrets": {"KEY": {"file": "no-key"}}}}),
    );
    let error = ground.platform.preflight(&ground.subject, &missing).await.unwrap_err();
    let base = ground.folder.path().display().to_string();
    let lines: Vec<&str> = error.message.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert_eq!(lines[0], format!("the command {base}/bin/v1/serve of version v1 does not exist"));
    assert_eq!(lines[1], format!("the directory {base}/nowhere does not exist"));
    assert!(lines[2].starts_with(&format!("cannot read the secret KEY from {base}/no-key: ")));
    assert_eq!(error.help.unwrap().lines().count(), 3);

    let unknown = ground.release_with(&[], json!({"release": {"command": ["no-such-program"]}}));
    let error = ground.platform.preflight(&ground.subject, &unknown).await.unwrap_err();
    assert!(error.message.contains("no-such-program of version v1 is not in PATH"), "{error}");

    ground.want(&[("r1.0", &unknown), ("r1.1", &missing)]).await;
    let seen = ground.until_state("r1.0", State::Exited).await;
    let detail = seen.detail.unwrap();
    assert!(detail.starts_with("cannot start: no-such-program: command not found"), "{detail}");
    assert_eq!(seen.exits.len(), 1);
    let seen = ground.until_state("r1.1", State::Exited).await;
    assert!(seen.detail.unwrap().starts_with("cannot start: cannot read the secret KEY"));
}

#[tokio::test]
async fn a_subject_that_has_nothing_shows_nothing() {
    let ground = Ground::new();
    let other = "other".parse().unwrap();
    assert!(ground.platform.observe(&other, now()).await.unwrap().is_empty());
    let logs = ground.platform.logs(&other, "r1.0".parse().unwrap(), 5).await;
    assert_eq!(logs.unwrap_err().to_string(), "other has no instance r1.0");
}
