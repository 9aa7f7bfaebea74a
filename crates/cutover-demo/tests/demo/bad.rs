//! Every way of being late, slow or failing.

use std::time::{Duration, Instant};

use crate::process::{Demo, until};

#[test]
fn it_is_told_by_the_environment_too() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port().to_string()
    };
    let env = [
        ("PORT", port.as_str()),
        ("CUTOVER_DEMO_FAIL", "1"),
        ("CUTOVER_DEMO_HEALTH_STATUS", "418"),
        ("CUTOVER_DEMO_FORK", "0"),
    ];
    let demo = Demo::start_with(&[], &env);
    assert_eq!(demo.address, format!("127.0.0.1:{port}"));
    assert_eq!(demo.status("GET /"), 500);
    assert_eq!(demo.status("GET /health"), 418);
}

#[test]
fn nonsense_is_a_usage_error() {
    for bad in [["--fail", "1.5"], ["--latency", "fast"], ["--health-status", "99"]] {
        let (status, stderr) = Demo::spawn(&bad, &[]).end();
        assert_eq!(status.code(), Some(2), "{bad:?}: {stderr}");
    }
}

#[test]
fn start_after_listens_late() {
    let since = Instant::now();
    let demo = Demo::start(&["--start-after", "300ms"]);
    assert!(since.elapsed() >= Duration::from_millis(300));
    assert_eq!(demo.status("GET /health"), 200);
}

#[test]
fn ready_after_is_unready_at_first() {
    let demo = Demo::start(&["--ready-after", "2s"]);
    assert_eq!(demo.status("GET /health"), 503);
    assert_eq!(demo.status("GET /"), 200);
    until("ready", || demo.status("GET /health") == 200);
}

#[test]
fn health_fails_after_having_been_good() {
    let demo = Demo::start(&["--health-fails-after", "2s"]);
    assert_eq!(demo.status("GET /health"), 200);
    until("unhealthy", || demo.status("GET /health") == 500);
}

#[test]
fn health_answers_as_told() {
    assert_eq!(Demo::start(&[]).ask("GET /health", "").lines().last(), Some("ok"));
    let demo = Demo::start(&["--health-status", "500"]);
    assert_eq!(demo.status("GET /health"), 500);
    let demo = Demo::start(&["--health-redirect", "https://elsewhere.example/login"]);
    let answer = demo.ask("GET /health", "");
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
    assert!(answer.contains("location: https://elsewhere.example/login\r\n"), "{answer}");
}

#[test]
fn fail_spares_health() {
    let demo = Demo::start(&["--fail", "1"]);
    assert_eq!(demo.status("GET /"), 500);
    assert_eq!(demo.status("GET /health"), 200);

    let demo = Demo::start(&["--fail", "0.5"]);
    let failed = (0..200).filter(|_| demo.status("GET /") == 500).count();
    // Outside this range once in 10^8 runs.
    assert!((60..=140).contains(&failed), "{failed} of 200");
}

#[test]
fn latency_is_added() {
    let demo = Demo::start(&["--latency", "250ms"]);
    let since = Instant::now();
    assert_eq!(demo.status("GET /"), 200);
    assert!(since.elapsed() >= Duration::from_millis(250));
}
