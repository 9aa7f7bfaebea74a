//! The numbers and words of the account.

use std::future::ready;
use std::sync::{Arc, Mutex};

use cutover_load::{duplicates, missing};

use crate::server::{Server, answer, header, run};

#[tokio::test]
async fn versions_are_told_apart_in_time() {
    let server = Server::answering(|number, _| {
        let version = if number < 40 { "v1" } else { "v2" };
        ready(answer(200, &format!("x-version: {version}\r\n")))
    })
    .await;
    let report = run(server.settings(500)).await;
    let (v1, v2) = (&report.by_version["v1"], &report.by_version["v2"]);
    assert_eq!((v1.by_status[&200], v2.by_status[&200]), (40, 60));
    assert!(v1.first < v1.last && v1.last < v2.last, "{report:?}");
    let since = report.began_unix_ms;
    assert_eq!(v2.last.unix_ms, since + v2.last.offset_ms);
}

#[tokio::test]
async fn the_longest_gap_is_when_nothing_good_came() {
    let server = Server::answering(|number, _| {
        let bad = (40..100).contains(&number);
        ready(answer(if bad { 500 } else { 200 }, ""))
    })
    .await;
    let report = run(server.settings(1000)).await;
    assert_eq!((report.ok, report.errors), (140, 60));
    // 60 requests at 200 per second are 300 ms, from 195 ms on.
    let gap = report.longest_gap;
    assert!((200..600).contains(&gap.ms), "{gap:?}");
    assert!((100..400).contains(&gap.from.offset_ms), "{gap:?}");
}

#[tokio::test]
async fn slow_answers_do_not_hide_a_gap() {
    let server = Server::answering(|number, head| {
        let slow = head.starts_with("GET /slow");
        ready(answer(if slow || number < 20 { 200 } else { 500 }, ""))
    })
    .await;
    let mut settings = server.settings(1000);
    settings.slow = 0.3;
    let report = run(settings).await;
    // The last good answer came to one of the first 20 requests, all due before 100 ms.
    assert!(report.longest_gap.ms >= 600, "{report:?}");
}

#[tokio::test]
async fn orders_can_be_accounted_for() {
    let orders = Arc::new(Mutex::new(String::new()));
    let file = orders.clone();
    let server = Server::answering(move |number, head| {
        if !head.starts_with("POST /orders ") {
            return ready(answer(200, ""));
        }
        let id = header(&head, "x-request-id").unwrap();
        if number % 10 == 0 {
            return ready(answer(500, ""));
        }
        *file.lock().unwrap() += &format!("{id} v1\n");
        ready(answer(201, ""))
    })
    .await;
    let mut settings = server.settings(1000);
    settings.posts = 0.5;
    let report = run(settings).await;
    let posts = &report.posts;
    assert!((60..140).contains(&posts.sent), "{report:?}");
    assert_eq!(posts.created, report.by_status[&201]);
    assert_eq!(posts.sent, posts.created + report.errors);
    assert_eq!(posts.acknowledged.len() as u64, posts.created);

    let mut orders = orders.lock().unwrap().clone();
    assert_eq!(duplicates(&orders), Vec::<String>::new());
    assert_eq!(missing(&orders, &posts.acknowledged), Vec::<String>::new());
    let lost = orders.lines().next().unwrap().to_owned();
    let id = lost.split(' ').next().unwrap();
    orders = orders.replace(&format!("{lost}\n"), "");
    assert_eq!(missing(&orders, &posts.acknowledged), [id]);
    orders += &format!("{lost}\n{lost}\n");
    assert_eq!(duplicates(&orders), [id]);
}

#[tokio::test]
async fn it_reads_well_and_is_json() {
    let server = Server::answering(|number, _| {
        ready(match number % 4 {
            0 => answer(503, "server: cutover\r\n"),
            1 => answer(500, "x-version: v1\r\n"),
            _ => answer(200, "x-version: v2\r\n"),
        })
    })
    .await;
    let report = run(server.settings(500)).await;
    let summary = report.summary();
    for words in [
        "due           100 in 0.5 s, 200/s asked for\n",
        "sent          100 of 100 begun, 0 under way\n",
        "answered      75: 50 ok, 0 rejected (4xx), 25 errors (5xx)\n",
        "failed        25 (proxy-503 × 25)\n",
        "version       v1  25 (500 × 25), from +",
        "version       v2  50 (200 × 50), from +",
        "longest gap   ",
    ] {
        assert!(summary.contains(words), "{words:?} in\n{summary}");
    }
    assert!(summary.lines().count() <= 24, "{summary}");
    assert!(summary.lines().all(|line| line.chars().count() <= 100), "{summary}");

    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["failed"]["by_reason"]["proxy-503"], 25);
    assert_eq!(json["by_version"]["v2"]["by_status"]["200"], 50);
    assert!(json["posts"].get("acknowledged").is_none());
}
