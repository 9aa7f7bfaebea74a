//! Instances that refuse, close or die: what is sent again, and how it is counted.

use cutover_core::plan::Sticky;
use cutover_core::table::Table;

use crate::support::client::{User, get};
use crate::support::instance::Instance;
use crate::support::{Proxy, even, free, full_queue, split, until};

#[test]
fn a_refused_connection_is_tried_elsewhere_also_for_a_post_with_a_body() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address), ("r1.1", free())]));
    let user = User::connect(proxy.listen);
    for _ in 0..30 {
        user.send("POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12345");
        assert_eq!(user.read().unwrap().text(), "5");
    }
    assert_eq!(one.seen().len(), 30, "each exactly once");
    let (all, _) = proxy.count_to(30);
    // Passed over for a second after each refusal, so that it is seldom asked.
    assert!((1..=4).contains(&all.retried), "{all:?}");
    assert_eq!(all.failed, 0);
}

#[test]
fn the_only_instance_of_a_side_is_replaced_by_the_other_side() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    let serving = [("r1.0", one.address), ("r2.0", free())];
    proxy.publish(split(500, Sticky::No, &serving));
    let user = User::connect(proxy.listen);
    for _ in 0..100 {
        assert_eq!(user.get("/").text(), "one");
    }
    assert_eq!(proxy.count_to(100).0.retried, 50);
}

#[test]
fn nobody_reachable_is_a_502_that_says_so() {
    let mut proxy = Proxy::start();
    proxy.publish(even(&[("r1.0", free())]));
    let answer = get(proxy.listen, "/");
    assert_eq!((answer.status, answer.header("server")), (502, Some("cutover")));
    assert!(answer.text().contains("connection to the instance refused"), "{}", answer.text());
    let (all, _) = proxy.count_to(1);
    assert_eq!((all.failed, all.lost, all.errors, all.retried), (1, 0, 0, 1));
}

#[test]
fn a_request_that_waits_for_its_second_try_occupies_no_instance() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    // Connecting there takes its time, and then fails: the queue of the socket is full.
    let (full, _queued) = full_queue();
    proxy.publish(even(&[("r1.0", full)]));
    let user = User::connect(proxy.listen);
    user.send("POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12345");
    until("it is inside", || proxy.requests_in("r1.0") == 1);
    proxy.publish(Table::default());
    until("it is held", || proxy.app().held == 1);
    assert_eq!(proxy.requests_in("r1.0"), 0);
    proxy.publish(even(&[("r2.0", one.address)]));
    assert_eq!(user.read().unwrap().text(), "5");
}

#[test]
fn what_may_have_arrived_is_never_sent_twice() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    // First on a new connection, then on one that was used.
    for method in ["POST", "GET"] {
        assert_eq!(user.request(method, "/broken", "content-length: 0\r\n").unwrap().status, 502);
        assert_eq!(user.get("/").status, 200);
        let before = one.seen().len();
        assert_eq!(user.request("POST", "/broken", "content-length: 0\r\n").unwrap().status, 502);
        assert_eq!(one.seen().len(), before + 1);
    }
    let (all, _) = proxy.count_to(6);
    assert_eq!((all.failed, all.lost, all.retried), (4, 0, 0));
}

#[test]
fn a_get_that_meets_a_closing_connection_is_sent_again_and_a_post_is_not() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    for (method, status, sent) in [("GET", 200, 2), ("HEAD", 200, 2), ("POST", 502, 1)] {
        assert_eq!(user.get("/").status, 200);
        let before = one.seen().len();
        let answer = user.request(method, "/only-first", "").unwrap();
        assert_eq!((answer.status, one.seen().len()), (status, before + sent), "{method}");
    }
    let (all, _) = proxy.count_to(6);
    assert_eq!((all.retried, all.failed), (2, 1));
}

#[test]
fn connections_that_an_idle_instance_closed_fail_nobody() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    for _ in 0..100 {
        // The instance ends the connection right behind its answer, without saying so before, so
        // the next request may meet it in the middle of that. A GET is sent again then.
        assert_eq!(user.get("/then-close").status, 200);
        assert_eq!(user.get("/").status, 200);
        one.close_connections();
        // A POST is not, and must not need it: what is closed by now is not used.
        user.send("POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12345");
        let answer = user.read().unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "5"));
    }
    assert_eq!(proxy.count_to(300).0.failed, 0);
    assert_eq!(one.seen().iter().filter(|seen| seen.method == "POST").count(), 100);
}

#[test]
fn requests_inside_a_process_that_dies_are_lost_not_failed() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let users = ["/wait", "/half"].map(|path| {
        let user = User::connect(proxy.listen);
        user.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        user
    });
    until("both are inside", || one.seen().len() == 2);
    one.die();
    assert_eq!(users[0].read().unwrap().status, 502);
    assert!(users[1].read().is_err());
    let (all, _) = proxy.count_to(2);
    assert_eq!((all.lost, all.failed), (2, 0));
}

#[test]
fn the_apps_own_errors_and_users_who_leave_are_told_apart() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let answer = get(proxy.listen, "/error");
    assert_eq!((answer.status, answer.text().as_str()), (503, "the app's own"));
    for path in ["/wait", "/half"] {
        let user = User::connect(proxy.listen);
        user.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        until("it is inside", || {
            proxy.requests_in("r1.0") == 1
                && one.seen().last().is_some_and(|seen| seen.path == path)
        });
        drop(user);
        until("it has left", || proxy.requests_in("r1.0") == 0);
    }
    let (all, _) = proxy.count_to(3);
    assert_eq!((all.errors, all.failed, all.lost), (1, 0, 0));
}
