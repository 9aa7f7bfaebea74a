//! `cutover logs`, of one instance and of all, once and on and on.

use crate::harness::{World, get_tcp, wait_until};

/// An app whose instances say when they start, and that they will not stop when told to.
fn talking() -> World {
    let world = World::new();
    world.spec().env("CUTOVER_DEMO_IGNORE_TERM", "1").write();
    world.deploy("v1").expect_ok();
    world
}

/// The names in front of the lines.
fn names(text: &str) -> std::collections::BTreeSet<&str> {
    text.lines().filter_map(|line| line.split_once(" | ")).map(|(name, _)| name).collect()
}

#[test]
fn all_instances_are_followed_those_to_come_included() {
    let world = talking();
    let logs = world.start("logs --follow");
    wait_until("both are read", || names(&logs.stdout()).len() == 2);
    assert_eq!(names(&logs.stdout()).into_iter().collect::<Vec<_>>(), ["v1.0", "v1.1"]);
    world.deploy("v2").expect_ok();
    wait_until("the new ones are read, too", || {
        let text = logs.stdout();
        names(&text).is_superset(&["v2.0", "v2.1"].into())
    });
    logs.interrupt();
    let ran = logs.wait().expect_code(130);
    let starts = |name: &str| {
        let of = ran.stdout.lines().filter(|line| line.starts_with(&format!("{name} | ")));
        of.filter(|line| line.contains("started")).count()
    };
    let counts = ["v1.0", "v1.1", "v2.0", "v2.1"].map(starts);
    assert_eq!(counts, [1, 1, 1, 1], "each line is there once: {ran}");
}

#[test]
fn one_instance_is_followed_without_its_name_and_to_its_end() {
    let world = talking();
    let logs = world.start("logs v1.0 --follow");
    wait_until("it is read", || logs.stdout().contains("started"));
    world.deploy("v2").expect_ok();
    // Its last words are read, too, and there is nothing to wait for after them.
    let ran = logs.wait().expect_ok().says("ignoring SIGTERM").complains("v1.0 is gone");
    assert!(names(&ran.stdout).is_empty(), "{ran}");
}

#[test]
fn following_goes_on_when_the_daemon_is_started_again() {
    let world = talking();
    let logs = world.start("logs --follow");
    wait_until("both are read", || names(&logs.stdout()).len() == 2);
    world.kill_daemon();
    world.deploy("v2").expect_ok();
    wait_until("the new ones are read", || {
        names(&logs.stdout()).is_superset(&["v2.0", "v2.1"].into())
    });
    assert_eq!(get_tcp(&world.address(), "/").unwrap().header("x-version"), Some("v2"));
    logs.interrupt();
    logs.wait().expect_code(130);
}
