//! What users see while nobody serves.

use std::time::{Duration, Instant};

use cutover_core::dataplane::WhileDown;
use cutover_core::table::Table;
use cutover_core::units::Span;
use rustix::process::Signal;

use crate::support::client::{User, get};
use crate::support::instance::Instance;
use crate::support::{Proxy, even, signal, until};

#[test]
fn those_who_leave_are_dropped_also_with_their_body_unread() {
    let mut proxy = Proxy::start();
    proxy.publish(Table::default());
    for (number, method) in (0..6).zip(["GET", "POST"].iter().cycle()) {
        let user = User::connect(proxy.listen);
        let head = format!("{method} /{number} HTTP/1.1\r\nhost: x\r\n");
        // A whole body fits into hyper's buffer; of a longer one the rest stays in the socket, and
        // the end of the connection behind it.
        let length = if *method == "GET" { 5 } else { 500_000 };
        user.send(&format!("{head}content-length: {length}\r\n\r\n12345"));
        until("it is held", || proxy.app().held == 1);
        drop(user);
        until("it is dropped", || proxy.app().held == 0);
    }
    let (_, none) = proxy.count_to(6);
    assert_eq!((none.held, none.failed), (6, 0));
}

#[test]
fn a_table_that_serves_answers_those_who_wait() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(Table::default());
    let users: Vec<User> = (0..10)
        .map(|number| {
            let user = User::connect(proxy.listen);
            user.send(&format!("GET /{number} HTTP/1.1\r\nhost: x\r\n\r\n"));
            until("it is held", || proxy.app().held == number + 1);
            user
        })
        .collect();
    // Another table that serves nobody changes nothing.
    proxy.publish(Table { mirror: cutover_core::units::Share::FULL, ..Table::default() });
    assert_eq!(proxy.app().held, 10);
    proxy.publish(even(&[("r1.0", one.address)]));
    for user in &users {
        assert_eq!(user.read().unwrap().text(), "one");
    }
    let (all, none) = proxy.count_to(10);
    assert_eq!((all.held, all.failed, none.requests), (10, 0, 0));
}

#[test]
fn a_proxy_that_is_told_to_stop_still_holds_those_inside_for_a_while() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let held = |proxy: &mut Proxy| {
        proxy.publish(Table::default());
        let user = User::connect(proxy.listen);
        user.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        until("it is held", || proxy.app().held == 1);
        signal(proxy.state().pid, Signal::TERM);
        user
    };
    let user = held(&mut proxy);
    let pid = proxy.state().pid;
    proxy.publish(even(&[("r1.0", one.address)]));
    assert_eq!(user.read().unwrap().text(), "one");
    until("another proxy serves", || proxy.try_state().is_some_and(|state| state.pid != pid));
    // Where no server comes, that is said, and the connection is not just cut.
    let user = held(&mut proxy);
    let answer = user.read().unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("the proxy is stopping"), "{answer:?}");
}

#[test]
fn only_so_many_are_held_and_only_so_long() {
    let mut proxy = Proxy::start();
    let mut frontend = proxy.frontend();
    frontend.hold_most = 2;
    frontend.hold_limit = Span::millis(600);
    proxy.publish_with(frontend, Table::default());
    let begin = Instant::now();
    let users: Vec<User> = (0..2)
        .map(|number| {
            let user = User::connect(proxy.listen);
            user.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
            until("it is held", || proxy.app().held == number + 1);
            user
        })
        .collect();
    let answer = get(proxy.listen, "/");
    assert!(begin.elapsed() < Duration::from_millis(500), "the third is told at once");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    for user in users {
        let answer = user.read().unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    }
    assert!(begin.elapsed() >= Duration::from_millis(600));
    let (all, none) = proxy.count_to(3);
    assert_eq!((all.requests, none.failed, none.held), (0, 3, 2));
}

#[test]
fn the_notice_page_comes_at_once_and_releases_those_who_wait() {
    let mut proxy = Proxy::start();
    proxy.publish(Table::default());
    let waiting = User::connect(proxy.listen);
    waiting.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    until("it is held", || proxy.app().held == 1);
    let mut frontend = proxy.frontend();
    frontend.while_down = WhileDown::Notice;
    proxy.publish_with(frontend, Table::default());
    let answer = waiting.read().unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert!(answer.text().contains("<!doctype html>"));
    let json = waiting.request("GET", "/", "accept: application/json\r\n").unwrap();
    assert_eq!(json.header("content-type"), Some("application/json"));
    serde_json::from_slice::<serde_json::Value>(&json.body).unwrap();
}
