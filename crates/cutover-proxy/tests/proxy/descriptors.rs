//! A proxy that has no descriptor left.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::support::client::User;
use crate::support::instance::Instance;
use crate::support::{Proxy, even, until};

#[test]
fn without_a_descriptor_users_wait_and_nobody_is_turned_away() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let kept = User::connect(proxy.listen);
    assert_eq!(kept.get("/").text(), "one");
    let pid = Pid::from_raw(i32::try_from(proxy.state().pid).unwrap()).unwrap();
    let limit = |current| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum }).unwrap()
    };
    // The limit is on the number of a descriptor, and the lowest one that is free comes next.
    let free = || {
        let taken = |number: &u64| {
            fs::exists(format!("/proc/{}/fd/{number}", pid.as_raw_nonzero())).unwrap()
        };
        (0..).find(|number| !taken(number)).unwrap()
    };
    // Room for one user, and none for the instance behind.
    let room = free() + 1;
    let before = limit(Some(room));
    let users: Vec<User> = (0..8).map(|_| User::connect(proxy.listen)).collect();
    users
        .iter()
        .for_each(|user| user.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"));
    // The one who is there already is served over the connection that is there already.
    assert_eq!(kept.get("/").status, 200);
    until("the room is taken", || free() >= room);
    limit(before.current);
    let statuses: Vec<u16> = users.iter().map(|user| user.read().unwrap().status).collect();
    assert_eq!(statuses, [200; 8]);
}
