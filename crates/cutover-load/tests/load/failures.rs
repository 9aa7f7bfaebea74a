//! Every way of not getting a complete answer.

use std::future::{pending, ready};
use std::time::Duration;

use cutover_load::{Reason, Report};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::server::{Server, answer, request, run, settings};

/// All of the requests failed like this, and so it is told.
fn assert_all_failed(report: &Report, reason: Reason) {
    assert!(report.started > 0);
    assert_eq!(report.failed.total, report.started, "{report:?}");
    assert_eq!(report.failed.by_reason.get(&reason), Some(&report.started), "{report:?}");
    assert_eq!(report.failed.examples.len(), 5);
    assert_eq!(report.failed.examples[0].reason, reason);
    assert!(report.longest_gap.ms >= report.elapsed_ms, "{report:?}");
}

#[tokio::test]
async fn refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = run(settings(address, 100)).await;
    assert_all_failed(&report, Reason::Refused);
    assert_eq!(report.sent, 0);
}

#[tokio::test]
async fn reset_in_the_middle() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        stream.write_all(half).await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let report = run(server.settings(100)).await;
    assert_all_failed(&report, Reason::Reset);
    assert_eq!(report.sent, report.started);
}

#[tokio::test]
async fn closed_in_the_middle() {
    for sent in ["", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        let server = Server::start(move |mut stream| async move {
            request(&mut stream).await;
            stream.write_all(sent.as_bytes()).await.unwrap();
        })
        .await;
        let report = run(server.settings(100)).await;
        assert_all_failed(&report, Reason::ClosedEarly);
        // On a connection of its own a closed request is never sent twice.
        assert_eq!(server.accepted() as u64, report.started);
        assert_eq!(report.reopened, 0);
    }
}

#[tokio::test]
async fn a_request_written_and_not_answered_is_not_sent_twice() {
    // The first request of every connection is answered, the second one is not.
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(answer(200, "").as_bytes()).await.unwrap();
        request(&mut stream).await;
    })
    .await;
    let report = run(server.settings(500)).await;
    assert!(report.failed.total > 0, "{report:?}");
    assert_eq!(report.reopened, 0, "{report:?}");
    assert_eq!(report.ok, server.accepted() as u64);
}

#[tokio::test]
async fn no_answer_in_time() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        pending::<()>().await;
    })
    .await;
    let mut settings = server.settings(100);
    settings.timeout = Duration::from_millis(100);
    let report = run(settings).await;
    assert_all_failed(&report, Reason::Timeout);
    assert_eq!(report.sent, report.started);
}

#[tokio::test]
async fn not_http() {
    let server = Server::answering(|_, _| ready("good day to you\r\n\r\n".to_owned())).await;
    assert_all_failed(&run(server.settings(100)).await, Reason::Malformed);
}

#[tokio::test]
async fn the_proxy_fails_and_the_app_errs() {
    let server = Server::answering(|_, head| {
        ready(match head.split(' ').nth(1) {
            Some("/orders") => answer(500, "x-version: v1\r\n"),
            Some("/slow?ms=2000") => answer(404, "server: cutover\r\n"),
            _ => answer(503, "server: cutover\r\n"),
        })
    })
    .await;
    let mut settings = server.settings(1000);
    (settings.posts, settings.slow) = (0.3, 0.3);
    let report = run(settings).await;
    assert!(report.errors > 20 && report.rejected > 20 && report.failed.total > 20, "{report:?}");
    assert_eq!(report.ok, 0);
    assert_eq!(report.failed.by_reason.get(&Reason::Proxy(503)), Some(&report.failed.total));
    assert_eq!(report.by_version["v1"].by_status.get(&500), Some(&report.errors));
    assert_eq!(report.by_status.get(&503), None);
}
