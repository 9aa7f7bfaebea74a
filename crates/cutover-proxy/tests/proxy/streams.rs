//! Bodies that flow, and connections that stop being HTTP.

use std::io::{BufReader, ErrorKind, Write};
use std::time::{Duration, Instant};

use cutover_core::units::Span;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{User, read_answer, read_chunk, read_head};
use crate::support::instance::Instance;
use crate::support::{Proxy, even, until};

#[test]
fn events_arrive_one_by_one() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    user.send("GET /chunks HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut reader = BufReader::new(&user.stream);
    // The head comes before the first event, and each event before the next one is made.
    assert_eq!(read_head(&mut reader).unwrap().status, 200);
    for number in 0..3 {
        one.step();
        let chunk = read_chunk(&mut reader).unwrap().unwrap();
        assert_eq!(chunk, format!("event {number}\n").as_bytes());
    }
    assert_eq!(read_chunk(&mut reader).unwrap(), None);
}

/// The time itself is what is tried here.
#[test]
fn an_answer_may_take_longer_than_half_a_minute() {
    let mut proxy = Proxy::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.publish(even(&[("r1.0", listener.local_addr().unwrap())]));
    let user = User::connect(proxy.listen);
    user.stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    user.send("GET /report HTTP/1.1\r\nhost: x\r\n\r\n");
    let (mut stream, _) = listener.accept().unwrap();
    read_head(&mut BufReader::new(&stream)).unwrap();
    std::thread::sleep(Duration::from_secs(31));
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate").unwrap();
    assert_eq!(user.read().unwrap().text(), "late");
}

#[test]
fn a_large_upload_flows_no_faster_than_the_instance_reads() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    user.send("POST /slow-reader HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    const TOTAL: usize = 64 * 1024 * 1024;
    user.stream.set_write_timeout(Some(Duration::from_millis(1500))).unwrap();
    let mut stuck = chunk.as_bytes();
    let mut whole = 0;
    let error = loop {
        match (&user.stream).write(stuck) {
            Ok(count) if count == stuck.len() => (stuck, whole) = (chunk.as_bytes(), whole + 1),
            Ok(count) => stuck = &stuck[count..],
            Err(error) => break error,
        }
        assert!(whole * 0x1_0000 < TOTAL, "nothing held the user back");
    };
    assert!([ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()), "{error}");
    one.step();
    user.stream.set_write_timeout(None).unwrap();
    (&user.stream).write_all(stuck).unwrap();
    for _ in whole + 1..TOTAL / 0x1_0000 {
        (&user.stream).write_all(chunk.as_bytes()).unwrap();
    }
    user.send("0\r\n\r\n");
    assert_eq!(user.read().unwrap().text(), "one");
    assert_eq!(one.seen()[0].body.len(), TOTAL);
}

#[test]
fn a_user_who_asks_first_is_told_to_continue() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    user.send(
        "POST /size HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
    );
    let mut reader = BufReader::new(&user.stream);
    assert_eq!(read_head(&mut reader).unwrap().status, 100);
    user.send("12345");
    let answer = read_answer(&mut reader, false).unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "5"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_outlives_a_table_and_is_closed_at_its_limit() {
    let mut proxy = Proxy::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(echo(listener));
    let two = Instance::start("two");
    let mut frontend = proxy.frontend();
    frontend.drain_requests = Span::millis(1);
    frontend.drain_upgraded = Span::millis(1200);
    proxy.publish_with(frontend.clone(), even(&[("r1.0", address)]));
    let url = format!("ws://{}/chat", proxy.listen);
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(tokio_tungstenite::connect_async(&url).await.unwrap().0);
    }
    until("they are upgraded", || proxy.upgraded_in("r1.0") == 3);
    assert_eq!(proxy.requests_in("r1.0"), 0);
    let begin = Instant::now();
    proxy.publish_with(frontend, even(&[("r2.0", two.address)]));
    for socket in &mut sockets {
        for size in [1, 200_000] {
            let message = Message::text("x".repeat(size));
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), message);
        }
    }
    let mut ends = Vec::new();
    for socket in &mut sockets {
        // Politely: whoever is told so comes back, and to the new one.
        let last = socket.next().await.unwrap().unwrap();
        let Message::Close(Some(close)) = last else { panic!("{last:?}") };
        assert_eq!(u16::from(close.code), 1001);
        ends.push(begin.elapsed());
        assert!(!matches!(socket.next().await, Some(Ok(_))), "nothing more comes");
    }
    // One after the other over the limit.
    ends.sort();
    assert!(ends[2] >= Duration::from_millis(1200) && ends[0] >= Duration::from_millis(400));
    assert!(ends[2] - ends[0] >= Duration::from_millis(300), "{ends:?}");
    until("it is empty", || proxy.upgraded_in("r1.0") == 0);
    assert_eq!(proxy.count_to(3).0.cut, 3);
}

/// A WebSocket server that sends each message back.
async fn echo(listener: tokio::net::TcpListener) {
    let mut tasks = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        tasks.spawn(async move {
            let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
            while let Some(Ok(message)) = socket.next().await {
                if message.is_close() || socket.send(message).await.is_err() {
                    return;
                }
            }
        });
    }
}
