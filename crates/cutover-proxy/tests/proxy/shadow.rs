//! Copies of requests, and that they cost users nothing.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use cutover_core::dataplane::Frontend;
use cutover_core::table::Table;
use cutover_core::units::Span;

use crate::support::client::{User, get, read_chunk, read_head};
use crate::support::instance::Instance;
use crate::support::{Proxy, even, free, mirror, until};

/// r1.0 serves, and r2.0 gets copies of this many thousandths.
fn shadow(share: u32, live: SocketAddr, copy: SocketAddr) -> Table {
    mirror(share, &[("r2.0", copy)], even(&[("r1.0", live)]))
}

fn copying(proxy: &Proxy, methods: &[&str]) -> Frontend {
    let mut frontend = proxy.frontend();
    frontend.mirror.methods = methods.iter().map(|method| (*method).to_owned()).collect();
    frontend
}

/// How many ends of connections to this address are not closed. Looked up in `/proc`: the third
/// field of `net/tcp` is the other side's `ADDRESS:PORT` in hex, the fourth the state (01 is
/// ESTABLISHED).
fn connected_to(address: SocketAddr) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ending = format!(":{:04X}", address.port());
    let is_one = |line: &&str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        fields[2].ends_with(&ending) && fields[3] == "01"
    };
    table.lines().filter(is_one).count()
}

#[test]
fn copies_that_hang_cost_users_nothing_and_are_bounded() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    copy.always(Some("/wait"));
    proxy.publish(shadow(1000, live.address, copy.address));
    let begin = Instant::now();
    for user in 0..3 {
        let user = (User::connect(proxy.listen), user);
        for number in 0..100 {
            assert_eq!(user.0.get(&format!("/{}/{number}", user.1)).text(), "live");
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(9), "no copy may have reached its limit yet");
    // All users have their answers while all copies still hang; those beyond 256 were not sent.
    until("all copies are inside", || copy.seen().len() == 256);
    assert_eq!((proxy.requests_in("r2.0"), copy.ended()), (256, 0));
    assert_eq!(connected_to(copy.address), 256);
    until("the others are counted", || proxy.copies().behind == 44);
    assert_eq!(proxy.copies().sent, 0, "a copy is counted once both ends are known");

    until("those that hang are given up", || proxy.copies().sent == 256);
    assert!(begin.elapsed() >= Duration::from_secs(10));
    let copies = proxy.copies();
    assert_eq!((copies.unanswered, copies.alone, copies.behind), (256, 0, 44));
    assert_eq!((copies.copy.counts.requests, copies.copy.counts.failed), (256, 256));
    until("their connections are closed", || connected_to(copy.address) == 0);
    assert_eq!(proxy.requests_in("r2.0"), 0);
    let (all, none) = proxy.count_to(300);
    assert_eq!((all.failed, all.errors, all.retried, none.requests), (0, 0, 0, 0));
    // Nothing is left of it.
    copy.always(None);
    (0..256).for_each(|_| copy.step());
    assert_eq!(get(proxy.listen, "/after").text(), "live");
    until("copies go on", || copy.seen().last().is_some_and(|seen| seen.path == "/after"));
}

#[test]
fn a_copy_of_what_takes_long_anyway_is_no_failure() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    proxy.publish(shadow(1000, live.address, copy.address));
    let user = User::connect(proxy.listen);
    user.send("GET /chunks HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut reader = BufReader::new(&user.stream);
    read_head(&mut reader).unwrap();
    until("the copy has reached its limit", || proxy.copies().sent == 1);
    let copies = proxy.copies();
    assert_eq!((copies.alone, copies.unanswered, copies.copy.counts.failed), (1, 0, 0));
    // The stream goes on.
    (0..3).for_each(|_| live.step());
    for number in 0..3 {
        let chunk = read_chunk(&mut reader).unwrap().unwrap();
        assert_eq!(chunk, format!("event {number}\n").as_bytes());
    }
}

#[test]
fn dead_resetting_and_failing_copies_cost_users_nothing_and_are_told_apart() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    let mut total = 0;
    let mut ask = |proxy: &Proxy| {
        let user = User::connect(proxy.listen);
        for _ in 0..100 {
            assert_eq!(user.get("/").text(), "live");
        }
        total += 100;
        until("all pairs are counted", || proxy.copies().sent == total);
        proxy.copies()
    };
    proxy.publish(shadow(1000, live.address, free()));
    assert_eq!(ask(&proxy).unanswered, 100);
    copy.always(Some("/reset"));
    proxy.publish(shadow(1000, live.address, copy.address));
    assert_eq!(ask(&proxy).unanswered, 200);
    copy.always(Some("/half-and-close"));
    assert_eq!(ask(&proxy).unanswered, 300);
    copy.always(Some("/error"));
    let copies = ask(&proxy);
    assert_eq!((copies.unanswered, copies.behind, copies.alone), (300, 0, 0));
    assert_eq!(copies.statuses, [("200 → 503".to_owned(), 100)].into());
    let counts = copies.copy.counts;
    assert_eq!((counts.requests, counts.failed, counts.errors), (400, 300, 100));
    let (all, none) = proxy.count_to(400);
    assert_eq!((all.failed, all.errors, all.lost, all.retried), (0, 0, 0, 0));
    assert_eq!(none.requests, 0);
    let releases: Vec<_> =
        proxy.seconds(0).seconds.into_iter().flat_map(|second| second.releases).collect();
    assert!(releases.iter().all(|(release, _)| release.0 == 1), "copies are no users' requests");
}

#[test]
fn what_copies_meet_says_nothing_to_users_requests() {
    let mut proxy = Proxy::start();
    let live = Instance::start("live");
    let address = free();
    proxy.publish(shadow(1000, live.address, address));
    get(proxy.listen, "/");
    until("the copy was refused", || proxy.copies().unanswered == 1);
    get(proxy.listen, "/once-more");
    let begin = Instant::now();
    let next = Instance::start_at("next", address);
    let both = even(&[("r1.0", live.address), ("r2.0", address)]);
    proxy.publish(mirror(1000, &[("r2.0", address)], both));
    let user = User::connect(proxy.listen);
    let names: Vec<String> = (0..40).map(|_| user.get("/").text()).collect();
    // Nothing is passed over for longer than a second.
    if begin.elapsed() < Duration::from_millis(900) {
        assert!(names.iter().any(|name| name == "next"), "it is passed over");
    }
    drop(next);
}

#[test]
fn statuses_bodies_and_latencies_are_compared() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("same"), Instance::start("same"));
    proxy.publish(shadow(1000, live.address, copy.address));
    let user = User::connect(proxy.listen);
    for path in ["/", "/size", "/no-content", "/not-modified", "/error"] {
        user.get(path);
    }
    user.request("HEAD", "/", "").unwrap();
    // The answer holds the marks of the request, so it differs.
    user.get("/echo");
    user.get("/then-close");
    until("all pairs are counted", || proxy.copies().sent == 8);
    let copies = proxy.copies();
    assert_eq!((copies.same_status, copies.other_status()), (8, 0));
    assert_eq!((copies.same_body, copies.other_body), (7, 1));
    assert_eq!(copies.copy.counts.errors, 1);
    let count = |latency: &[(u64, u64)]| latency.iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!((count(&copies.original), count(&copies.copy.latency)), (8, 8));

    // Without comparing bodies nothing is said about them; an original that broke is no measure.
    let mut frontend = proxy.frontend();
    frontend.mirror.compare_body = false;
    proxy.publish_with(frontend, shadow(1000, live.address, copy.address));
    user.get("/echo");
    copy.always(Some("/"));
    assert_eq!(user.get("/broken").status, 502);
    until("all pairs are counted", || proxy.copies().sent == 10);
    let copies = proxy.copies();
    assert_eq!((copies.same_body, copies.other_body, copies.alone), (7, 1, 1));
    let text = proxy.call("GET", "/metrics", "").text();
    for line in [
        r#"cutover_copies_total{app="shop",result="same_status"} 9"#,
        r#"cutover_copies_total{app="shop",result="alone"} 1"#,
        r#"cutover_copy_bodies_total{app="shop",body="other"} 1"#,
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn the_share_is_exact_and_only_listed_methods_are_copied() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    proxy.publish(shadow(300, live.address, copy.address));
    let user = User::connect(proxy.listen);
    for number in 0..200 {
        user.get(&format!("/get/{number}"));
        user.request("POST", &format!("/post/{number}"), "content-length: 0\r\n").unwrap();
    }
    until("all pairs are counted", || proxy.copies().sent == 60);
    assert_eq!(copy.seen().len(), 60);
    assert!(copy.seen().iter().all(|seen| seen.method == "GET"));
    // A table with the same share goes on where the one before was.
    for half in 1..=2 {
        proxy.publish(mirror(
            300,
            &[("r2.0", copy.address)],
            even(&[("r1.0", live.address), (["r1.1", "r1.2"][half - 1], live.address)]),
        ));
        (0..50).for_each(|_| drop(user.get("/")));
    }
    until("all pairs are counted", || proxy.copies().sent == 90);
    for method in ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"] {
        for _ in 0..100 {
            let path = format!("/{method}");
            user.request(method, &path, "content-length: 0\r\n").unwrap();
        }
    }
    until("all pairs are counted", || proxy.copies().sent == 150);
    let seen = copy.seen();
    assert!(seen.iter().all(|seen| ["GET", "HEAD", "OPTIONS"].contains(&seen.method.as_str())));
    assert_eq!(live.seen().iter().filter(|seen| seen.path.starts_with("/post/")).count(), 200);
}

#[test]
fn a_copy_is_marked_and_otherwise_the_same() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    let frontend = copying(&proxy, &["POST", "PUT"]);
    proxy.publish_with(frontend, shadow(1000, live.address, copy.address));
    let body: String = (0..3000).map(|number| format!("{number:07}\n")).collect();
    let user = User::connect(proxy.listen);
    let headers = "cookie: a=b; c=d\r\nx-request-id: 7\r\nconnection: x-secret\r\nx-secret: 1\r\n\
                   x-cutover-shadow: 1\r\nX_Cutover_Shadow: 1\r\nte: trailers\r\n";
    let length = body.len();
    user.send(&format!(
        "POST /size?a=%20b HTTP/1.1\r\nhost: shop.test\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(user.read().unwrap().text(), length.to_string());
    user.send(&format!(
        "PUT /size HTTP/1.1\r\nhost: shop.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
    ));
    assert_eq!(user.read().unwrap().text(), (length + 5).to_string());
    until("both copies came", || copy.seen().len() == 2);
    let seen = live.seen();
    assert_eq!(seen.iter().filter(|seen| seen.header("x-request-id").is_some()).count(), 1);
    assert_eq!(
        (seen[0].header("x-cutover-shadow"), seen[0].header("x_cutover_shadow")),
        (None, None)
    );
    // Each copy goes its own way: which comes first is not promised.
    let mut copied = copy.seen();
    copied.sort_by(|one, other| one.head.cmp(&other.head));
    assert!(copied[0].head.starts_with("POST /size?a=%20b HTTP/1.1\r\n"));
    for (name, value) in [
        ("x-cutover-shadow", Some("1")),
        ("x_cutover_shadow", None),
        ("cookie", Some("a=b; c=d")),
        ("x-request-id", Some("7")),
        ("host", Some("shop.test")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-secret", None),
        ("connection", None),
        ("te", None),
    ] {
        assert_eq!(copied[0].header(name).as_deref(), value, "{name}");
    }
    assert_eq!(copied[0].body, body.as_bytes());
    assert_eq!(copied[1].body, format!("hello{body}").as_bytes());
    assert_eq!(copied[1].header("content-length"), Some((length + 5).to_string()));
}

#[test]
fn what_is_too_large_is_not_copied_and_arrives_whole() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    let frontend = copying(&proxy, &["POST"]);
    proxy.publish_with(frontend, shadow(1000, live.address, copy.address));
    let user = User::connect(proxy.listen);
    let (most, more) = ("x".repeat(65_536), "y".repeat(65_537));
    let post = |user: &User, body: &str| {
        let length = body.len();
        user.send(&format!("POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"));
        user.send(body);
        assert_eq!(user.read().unwrap().text(), length.to_string());
    };
    post(&user, &most);
    post(&user, &more);
    // Of unknown length, in pieces that are small.
    user.send("POST /size HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    (0..65).for_each(|_| user.send(&format!("400\r\n{}\r\n", "z".repeat(1024))));
    user.send("0\r\n\r\n");
    assert_eq!(user.read().unwrap().text(), (65 * 1024).to_string());
    until("all are counted", || proxy.copies().too_large == 2 && proxy.copies().sent == 1);
    assert_eq!(copy.seen().len(), 1);
    assert_eq!(copy.seen()[0].body, most.as_bytes());
    let bodies: Vec<_> = live.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [most.into_bytes(), more.into_bytes(), vec![b'z'; 65 * 1024]]);
}

#[test]
fn copies_share_so_much_room_and_no_more() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    let mut frontend = copying(&proxy, &["POST"]);
    frontend.mirror.most_body = 16 * 1024 * 1024;
    proxy.publish_with(frontend, shadow(1000, live.address, copy.address));
    // Five uploads that are nearly through: four have all the room.
    const LENGTH: usize = 16 * 1024 * 1024;
    let users: Vec<User> = (0..5)
        .map(|_| {
            let user = User::connect(proxy.listen);
            user.send(&format!(
                "POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: {LENGTH}\r\n\r\n"
            ));
            (0..15).for_each(|_| user.send(&"x".repeat(1024 * 1024)));
            user
        })
        .collect();
    until("one is not copied", || proxy.copies().behind == 1);
    for user in &users {
        user.send(&"x".repeat(1024 * 1024));
        assert_eq!(user.read().unwrap().text(), LENGTH.to_string());
    }
    until("the others are", || proxy.copies().sent == 4);
    assert!(copy.seen().iter().all(|seen| seen.body.len() == LENGTH));
    // The room is free again.
    for user in &users[..2] {
        user.send(&format!("POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: {LENGTH}\r\n\r\n"));
        (0..16).for_each(|_| user.send(&"x".repeat(1024 * 1024)));
        assert_eq!(user.read().unwrap().text(), LENGTH.to_string());
    }
    until("they are copied", || proxy.copies().sent == 6);
    assert_eq!((proxy.copies().behind, proxy.copies().too_large), (1, 0));
}

/// A server that reads one request in the test's own steps.
struct Steps(TcpListener);

impl Steps {
    fn read(&self, stream: &mut impl Read, wanted: &str) {
        let mut bytes = vec![0; wanted.len()];
        stream.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), wanted);
    }
}

#[test]
fn an_upload_streams_to_the_primary_while_it_is_copied() {
    let mut proxy = Proxy::start();
    let live = Steps(TcpListener::bind("127.0.0.1:0").unwrap());
    let copy = Instance::start("copy");
    let frontend = copying(&proxy, &["POST"]);
    let address = live.0.local_addr().unwrap();
    proxy.publish_with(frontend, shadow(1000, address, copy.address));
    let user = User::connect(proxy.listen);
    user.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst");
    let mut stream = BufReader::new(live.0.accept().unwrap().0);
    stream.get_ref().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    read_head(&mut stream).unwrap();
    live.read(&mut stream, "first");
    assert_eq!(copy.connections(), 0, "nothing before the request is whole");
    user.send("-last");
    live.read(&mut stream, "-last");
    // The copy is answered before the original is.
    until("the copy came", || copy.seen().len() == 1);
    assert_eq!(copy.seen()[0].body, b"first-last");
    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
    assert_eq!(user.read().unwrap().text(), "ok");

    // A user who leaves in the middle of it: there is no whole request to copy.
    user.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
    read_head(&mut stream).unwrap();
    live.read(&mut stream, "half");
    drop(user);
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap_or(0), 0);
    proxy.count_to(2);
    assert_eq!(copy.seen().len(), 1);
}

#[test]
fn an_upload_that_outlives_the_mirror_is_not_copied() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    let frontend = copying(&proxy, &["POST"]);
    proxy.publish_with(frontend.clone(), shadow(1000, live.address, copy.address));
    let user = User::connect(proxy.listen);
    user.send("POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst");
    until("it is inside", || proxy.requests_in("r1.0") == 1);
    proxy.publish_with(frontend, even(&[("r1.0", live.address)]));
    user.send("-last");
    assert_eq!(user.read().unwrap().text(), "10");
    proxy.count_to(1);
    assert_eq!((copy.connections(), proxy.copies().sent), (0, 0));
}

#[test]
fn upgrades_and_previews_are_never_copied() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    let table = shadow(1000, live.address, copy.address);
    let preview = table.serving.clone();
    let state = proxy.publish(Table { preview, ..table });
    let user = User::connect(proxy.listen);
    user.request("GET", "/upgrade", "connection: upgrade\r\nupgrade: websocket\r\n").unwrap();
    get(state.preview.unwrap(), "/preview");
    user.send("CONNECT shop.test:80 HTTP/1.1\r\nhost: shop.test\r\n\r\n");
    assert_eq!(user.read().unwrap().status, 405);
    get(proxy.listen, "/plain");
    until("the plain one is copied", || !copy.seen().is_empty());
    let paths: Vec<_> = copy.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/plain"]);
}

#[test]
fn a_mirrored_instance_that_leaves_is_drained_of_its_copies() {
    let mut proxy = Proxy::start();
    let (live, copy) = (Instance::start("live"), Instance::start("copy"));
    let mut frontend = proxy.frontend();
    proxy.publish_with(frontend.clone(), shadow(1000, live.address, copy.address));
    let user = User::connect(proxy.listen);
    let hang = |count: usize| {
        copy.always(Some("/wait"));
        let before = copy.seen().len();
        (0..count).for_each(|_| assert_eq!(user.get("/").text(), "live"));
        until("the copies are inside", || copy.seen().len() == before + count);
    };
    hang(3);
    copy.step();
    until("one has ended, its connection is idle", || proxy.requests_in("r2.0") == 2);
    let begin = Instant::now();
    let state = proxy.publish_with(frontend.clone(), even(&[("r1.0", live.address)]));
    until("the idle one is closed", || copy.ended() == 1);
    assert!(begin.elapsed() < Duration::from_secs(2), "not by its age");
    assert_eq!(state.in_flight.values().map(|inside| inside.requests).sum::<u32>(), 2);
    assert_eq!(user.get("/").text(), "live");
    copy.step();
    until("one has ended", || proxy.requests_in("r2.0") == 1);
    copy.step();
    until("it is drained", || proxy.requests_in("r2.0") == 0);
    until("its connections are closed", || copy.ended() == copy.connections());
    assert_eq!(copy.seen().len(), 3, "nothing is copied any more");
    until("they are counted", || proxy.copies().same_status == 3);

    // At the limit, those that still are inside are cut, which says nothing about the release.
    frontend.drain_requests = Span::millis(300);
    proxy.publish_with(frontend.clone(), shadow(1000, live.address, copy.address));
    hang(3);
    let begin = Instant::now();
    proxy.publish_with(frontend, even(&[("r1.0", live.address)]));
    assert_eq!(proxy.requests_in("r2.0"), 3);
    until("they are cut", || proxy.requests_in("r2.0") == 0);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert!(begin.elapsed() < Duration::from_secs(8), "not by their own limit");
    until("they are counted", || proxy.copies().sent == 6);
    let copies = proxy.copies();
    assert_eq!((copies.copy.counts.cut, copies.unanswered, copies.alone), (3, 0, 0));
    let (all, _) = proxy.count_to(7);
    assert_eq!((all.cut, all.drained, all.failed), (0, 0, 0));
}
