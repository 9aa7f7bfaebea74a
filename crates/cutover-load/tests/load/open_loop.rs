//! Requests come due whatever happens, and their latency counts from then.

use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use cutover_load::{Load, LoadError, Settings};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::server::{Server, answer, check, request, run, until};

#[tokio::test]
async fn the_rate_is_held() {
    let server = Server::answering(|_, _| ready(answer(200, ""))).await;
    let mut settings = server.settings(2000);
    settings.rate = 500.0;
    let report = run(settings).await;
    assert_eq!((report.due, report.ok), (1000, 1000), "{report:?}");
    // Request 999 is due at 1.998 s, and not earlier.
    assert!(report.elapsed_ms >= 1998, "{report:?}");
}

#[tokio::test]
async fn a_server_that_stalls_is_seen_to_stall() {
    // All answers wait for one second after the first request.
    let first = Arc::new(std::sync::OnceLock::new());
    let server = Server::answering(move |_, _| {
        let end = *first.get_or_init(|| Instant::now() + Duration::from_secs(1));
        async move {
            sleep_until(end).await;
            answer(200, "")
        }
    })
    .await;
    let report = run(server.settings(1500)).await;
    assert_eq!((report.started, report.ok), (300, 300), "{report:?}");
    // Two thirds came due during the stall and waited for half of it on average.
    assert!(report.latency.p50 >= 200_000, "{report:?}");
    assert!(report.latency.max >= 990_000, "{report:?}");
    assert!(report.longest_gap.ms >= 990, "{report:?}");
}

#[tokio::test]
async fn a_load_that_stalls_itself_does_not_hide_it() {
    let server = Server::answering(|_, _| ready(answer(200, ""))).await;
    let load = Load::start(server.settings(500)).await.unwrap();
    // Blocks the whole runtime, as a busy machine would.
    std::thread::sleep(Duration::from_millis(300));
    let report = load.finish().await;
    check(&report);
    assert_eq!((report.started, report.ok), (100, 100), "{report:?}");
    assert!(report.late >= 50, "{report:?}");
    assert!(report.latency.max >= 290_000, "{report:?}");
}

#[tokio::test]
async fn what_is_too_much_is_not_sent_and_counted() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        pending::<()>().await;
    })
    .await;
    let mut settings = server.settings(200);
    settings.most_under_way = 10;
    settings.timeout = Duration::from_secs(2);
    let report = run(settings).await;
    assert_eq!((report.due, report.started, report.unsent), (40, 10, 30), "{report:?}");
}

#[tokio::test]
async fn stop_waits_for_what_is_under_way() {
    let (open, gate) = watch::channel(false);
    let server = Server::answering(move |_, _| {
        let mut gate = gate.clone();
        async move {
            let _ = gate.wait_for(|open| *open).await;
            answer(200, "")
        }
    })
    .await;
    let mut settings = server.settings(0);
    settings.duration = None;
    let load = Load::start(settings).await.unwrap();
    until("some are under way", || load.snapshot().under_way >= 5).await;
    check(&load.snapshot());
    let stopping = load.stop();
    let opening = async { open.send_replace(true) };
    let (report, _) = tokio::join!(stopping, opening);
    check(&report);
    assert!(report.ok >= 5, "{report:?}");
    assert_eq!(report.ok, report.due, "{report:?}");
}

#[tokio::test]
async fn connections_are_kept_as_told() {
    let server = Server::answering(|_, _| ready(answer(200, ""))).await;
    let mut settings = server.settings(500);
    settings.keep_alive = 0.0;
    assert_eq!(run(settings).await.ok, 100);
    assert_eq!(server.accepted(), 100);

    assert_eq!(run(server.settings(500)).await.ok, 100);
    let kept = server.accepted() - 100;
    assert!(kept < 50, "{kept} connections");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let refused = async |change: fn(&mut Settings)| {
        let mut settings = Settings::new("http://127.0.0.1:1".parse().unwrap());
        change(&mut settings);
        Load::start(settings).await.err().unwrap()
    };
    assert!(matches!(refused(|it| it.rate = 0.0).await, LoadError::Rate(_)));
    assert!(matches!(refused(|it| it.rate = f64::NAN).await, LoadError::Rate(_)));
    let both = refused(|it| (it.posts, it.slow) = (0.6, 0.6)).await;
    assert_eq!(both.to_string(), "the share of posts and slow, 1.2, is not between 0 and 1");
    let share = refused(|it| it.keep_alive = -0.1).await;
    assert!(matches!(share, LoadError::Share { .. }));
    let tls = refused(|it| it.url = "https://127.0.0.1/".parse().unwrap()).await;
    assert!(matches!(tls, LoadError::Url(_)));
    let host = refused(|it| {
        it.headers.insert("host", "other".parse().unwrap());
    });
    assert!(matches!(host.await, LoadError::Header(_)));
}
