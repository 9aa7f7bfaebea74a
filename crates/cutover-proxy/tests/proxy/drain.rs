//! Instances that leave the table.

use std::time::{Duration, Instant};

use cutover_core::units::Span;

use crate::support::client::User;
use crate::support::instance::Instance;
use crate::support::{Proxy, even, until};

#[test]
fn requests_inside_end_well_and_are_seen_until_then() {
    let mut proxy = Proxy::start();
    let (one, two) = (Instance::start("one"), Instance::start("two"));
    proxy.publish(even(&[("r1.0", one.address)]));
    let (idle, busy) = (User::connect(proxy.listen), User::connect(proxy.listen));
    assert_eq!(idle.get("/").text(), "one");
    busy.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    until("it is inside", || proxy.requests_in("r1.0") == 1);
    let state = proxy.publish(even(&[("r2.0", two.address)]));
    assert_eq!(state.in_flight.values().map(|inside| inside.requests).sum::<u32>(), 1);
    // Users stay connected and get to the new one.
    for _ in 0..20 {
        assert_eq!(idle.get("/").text(), "two");
    }
    assert_eq!(proxy.requests_in("r1.0"), 1);
    one.step();
    assert_eq!(busy.read().unwrap().text(), "one");
    until("it is empty", || proxy.requests_in("r1.0") == 0);
    assert_eq!(busy.get("/").text(), "two");
    let (all, _) = proxy.count_to(23);
    assert_eq!((all.drained, all.cut, all.failed), (1, 0, 0));
}

#[test]
fn idle_connections_to_an_instance_that_left_are_closed_at_once() {
    let mut proxy = Proxy::start();
    let (one, two) = (Instance::start("one"), Instance::start("two"));
    proxy.publish(even(&[("r1.0", one.address)]));
    User::connect(proxy.listen).get("/");
    let begin = Instant::now();
    proxy.publish(even(&[("r2.0", two.address)]));
    until("the connection is closed", || one.ended() == 1);
    assert!(begin.elapsed() < Duration::from_secs(2), "not by its age");
}

#[test]
fn what_is_inside_at_the_limit_is_cut() {
    let mut proxy = Proxy::start();
    let (one, two) = (Instance::start("one"), Instance::start("two"));
    let mut frontend = proxy.frontend();
    frontend.drain_requests = Span::millis(400);
    proxy.publish_with(frontend.clone(), even(&[("r1.0", one.address)]));
    let users = ["/wait", "/half", "/until-close"].map(|path| {
        let user = User::connect(proxy.listen);
        user.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        user
    });
    until("all are inside", || proxy.requests_in("r1.0") == 3 && one.seen().len() == 3);
    let begin = Instant::now();
    proxy.publish_with(frontend, even(&[("r2.0", two.address)]));
    let [wait, half, until_close] = &users;
    assert_eq!(wait.read().unwrap().status, 502);
    assert!(half.read().is_err(), "the answer must not look complete");
    assert!(until_close.read().is_err(), "nor this one");
    assert!(begin.elapsed() >= Duration::from_millis(400));
    until("it is empty", || proxy.requests_in("r1.0") == 0);
    let (all, _) = proxy.count_to(3);
    assert_eq!((all.cut, all.failed, all.lost, all.drained), (3, 0, 0, 0));
}

#[test]
fn an_instance_that_comes_back_in_time_is_not_cut() {
    let mut proxy = Proxy::start();
    let (one, two) = (Instance::start("one"), Instance::start("two"));
    let mut frontend = proxy.frontend();
    frontend.drain_requests = Span::millis(300);
    proxy.publish_with(frontend.clone(), even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    user.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    until("it is inside", || proxy.requests_in("r1.0") == 1);
    proxy.publish_with(frontend.clone(), even(&[("r2.0", two.address)]));
    proxy.publish_with(frontend.clone(), even(&[("r1.0", one.address)]));
    // A second request, on another instance, that is cut proves that the limit has passed.
    let other = User::connect(proxy.listen);
    proxy.publish_with(frontend.clone(), even(&[("r1.0", one.address), ("r2.0", two.address)]));
    // The less busy of the two gets it.
    other.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    until("it is inside the other", || proxy.requests_in("r2.0") == 1);
    proxy.publish_with(frontend, even(&[("r1.0", one.address)]));
    assert_eq!(other.read().unwrap().status, 502);
    assert_eq!(proxy.requests_in("r1.0"), 1);
    one.step();
    assert_eq!(user.read().unwrap().text(), "one");
}
