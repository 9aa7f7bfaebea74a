//! The control socket: order, memory, measurements.

use std::time::Instant;

use cutover_core::dataplane::Publication;
use cutover_core::table::{Generation, Table};

use crate::support::client::{User, get};
use crate::support::instance::Instance;
use crate::support::{Proxy, even, free, id, until};

fn generation(epoch: u32, seq: u32) -> Generation {
    Generation { epoch, seq }
}

#[test]
fn older_engines_and_older_tables_are_refused() {
    let proxy = Proxy::start();
    let one = Instance::start("one");
    let put = |generation, table| {
        let publication = Publication { generation, frontend: proxy.frontend(), table };
        proxy.put_generation("shop", publication).0
    };
    let table = even(&[("r1.0", one.address)]);
    assert_eq!(proxy.call("POST", "/v1/hello", r#"{"epoch":3}"#).status, 200);
    assert_eq!(proxy.call("POST", "/v1/hello", r#"{"epoch":2}"#).status, 409);
    assert_eq!(put(generation(2, 9), table.clone()), 409);
    assert_eq!(put(generation(3, 5), table.clone()), 200);
    assert_eq!(put(generation(3, 5), table.clone()), 200, "a repeat");
    assert_eq!(put(generation(3, 5), Table::default()), 409);
    assert_eq!(put(generation(3, 4), table.clone()), 409);
    assert_eq!(proxy.app().table, table);
    assert_eq!(proxy.call("POST", "/v1/hello", r#"{"epoch":4}"#).status, 200);
    assert_eq!(put(generation(3, 6), table), 409);
    assert_eq!(proxy.call("DELETE", "/v1/apps/shop?epoch=3", "").status, 409);
    assert_eq!(proxy.call("DELETE", "/v1/apps/shop", "").status, 400);
    assert_eq!(proxy.call("PUT", "/v1/apps/shop", "{").status, 400);
    assert_eq!(proxy.call("DELETE", "/v1/apps/shop?epoch=4", "").status, 204);
    assert!(proxy.state().apps.is_empty());
    // The listener was given back.
    assert!(std::net::TcpListener::bind(proxy.listen).is_ok());
}

#[test]
fn a_port_that_is_taken_is_named_and_changes_nothing() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let before = proxy.publish(even(&[("r1.0", one.address)]));
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut frontend = proxy.frontend();
    frontend.listen = foreign.local_addr().unwrap();
    let refusal = proxy.put("shop", frontend.clone(), Table::default()).unwrap_err();
    assert_eq!(refusal.taken, Some(frontend.listen));
    assert_eq!(proxy.app(), before);
    assert_eq!(get(proxy.listen, "/").text(), "one");
    // Another free address moves the users there.
    frontend.listen = free();
    proxy.publish_with(frontend.clone(), even(&[("r1.0", one.address)]));
    assert_eq!(get(frontend.listen, "/").text(), "one");
    assert!(std::net::TcpListener::bind(proxy.listen).is_ok());
}

#[test]
fn everything_acknowledged_is_there_after_a_restart() {
    let mut proxy = Proxy::start();
    let (one, next) = (Instance::start("one"), Instance::start("next"));
    let preview = [(id("r2.0"), next.address)].into();
    let table = Table { preview, ..even(&[("r1.0", one.address)]) };
    proxy.call("POST", "/v1/hello", r#"{"epoch":1}"#);
    let before = proxy.publish(table);
    // Both processes end, so nothing is left but the file.
    proxy.stop();
    proxy.start_keeper();
    assert_eq!(proxy.app(), before, "the port of the preview included");
    assert_eq!(proxy.state().epoch, 1);
    assert_eq!(get(proxy.listen, "/").text(), "one");
    assert_eq!(get(before.preview.unwrap(), "/").text(), "next");

    // A damaged file falls back to the one before.
    proxy.publish(even(&[("r1.0", one.address), ("r1.1", next.address)]));
    let newest = proxy.publish(Table::default());
    proxy.stop();
    cutover_files::write_atomic(&proxy.folders.state_file(), b"{\"schema\":1").unwrap();
    proxy.start_keeper();
    let generation = proxy.app().generation;
    assert_eq!(generation.seq, newest.generation.seq - 1);

    // Two damaged ones never start empty.
    proxy.stop();
    for path in [proxy.folders.state_file(), proxy.folders.previous_state_file()] {
        cutover_files::write_atomic(&path, b"{").unwrap();
    }
    let mut serve = proxy.spawn("serve");
    assert!(!serve.wait().unwrap().success());
}

#[test]
fn who_queued_before_the_first_table_is_served_by_it() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    for path in [proxy.folders.state_file(), proxy.folders.previous_state_file()] {
        let _ = std::fs::remove_file(path);
    }
    let pid = proxy.state().pid;
    proxy.kill_proxy();
    until("a proxy without a table", || proxy.try_state().is_some_and(|state| state.pid != pid));
    // The keeper holds the socket, so they queue.
    let users: Vec<User> = (0..50).map(|_| User::connect(proxy.listen)).collect();
    users.iter().for_each(|user| user.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
    proxy.publish(even(&[("r1.0", one.address)]));
    let statuses: Vec<u16> = users.iter().map(|user| user.read().unwrap().status).collect();
    assert_eq!(statuses, [200; 50]);
}

#[test]
fn an_old_table_is_used_only_where_no_newer_one_comes() {
    let mut proxy = Proxy::start();
    let (gone, one) = (Instance::start("gone"), Instance::start("one"));
    proxy.publish(even(&[("r1.0", gone.address)]));
    proxy.publish(even(&[("r2.0", one.address)]));
    let damage = |proxy: &Proxy| {
        cutover_files::write_atomic(&proxy.folders.state_file(), b"{").unwrap();
        let pid = proxy.state().pid;
        proxy.kill_proxy();
        until("the next proxy", || proxy.try_state().is_some_and(|state| state.pid != pid));
    };
    damage(&proxy);
    // Who comes now would meet an instance that the newest table does not name.
    let user = User::connect(proxy.listen);
    user.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    proxy.publish(even(&[("r2.0", one.address)]));
    assert_eq!(user.read().unwrap().text(), "one");
    // Without a daemon the old one is better than none.
    proxy.publish(even(&[("r3.0", gone.address)]));
    damage(&proxy);
    assert_eq!(get(proxy.listen, "/").text(), "one");
}

#[test]
fn a_listener_that_was_taken_meanwhile_is_opened_when_it_is_free() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    proxy.stop();
    let foreign = std::net::TcpListener::bind(proxy.listen).unwrap();
    proxy.start_keeper();
    drop(foreign);
    until("users are served again", || std::net::TcpStream::connect(proxy.listen).is_ok());
    assert_eq!(get(proxy.listen, "/").text(), "one");
}

#[test]
fn seconds_are_read_by_cursor_with_latencies_and_prometheus_sees_them_too() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    (0..50).for_each(|_| drop(user.get("/")));
    proxy.count_to(50);
    let first = proxy.seconds(0);
    let counted = |seconds: &cutover_core::dataplane::Seconds| -> (u64, u64) {
        let measured = seconds.seconds.iter().flat_map(|second| second.releases.values());
        measured.fold((0, 0), |(requests, latencies), measured| {
            let count: u64 = measured.instances.values().map(|counts| counts.requests).sum();
            let timed: u64 = measured.latency.iter().map(|(_, count)| count).sum();
            (requests + count, latencies + timed)
        })
    };
    assert_eq!(counted(&first), (50, 50));
    assert!(!first.gap);
    user.get("/");
    until("the next second is over", || counted(&proxy.seconds(first.cursor)).0 == 1);
    let second = proxy.seconds(first.cursor);
    assert_eq!((second.epoch, second.gap), (first.epoch, false));
    assert_eq!(second.seconds[0].number, first.cursor + 1);
    assert_eq!(proxy.seconds(0).seconds[0], first.seconds[0], "reading resets nothing");
    let text = proxy.call("GET", "/metrics", "").text();
    let line = r#"cutover_requests_total{app="shop",release="r1",instance="r1.0"} 51"#;
    assert!(text.contains(line), "{text}");
    assert_eq!(proxy.call("GET", "/v1/apps/other/seconds?after=0", "").status, 404);
}

#[test]
fn the_state_is_cheap() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let names: Vec<String> = (0..50).map(|slot| format!("r1.{slot}")).collect();
    let serving: Vec<_> = names.iter().map(|name| (name.as_str(), one.address)).collect();
    proxy.publish(even(&serving));
    let begin = Instant::now();
    (0..50).for_each(|_| drop(proxy.state()));
    // Polled every 20 ms by the engine; a debug build on a busy machine has to be well below.
    assert!(begin.elapsed().as_millis() < 50 * 20, "{:?}", begin.elapsed());
}
