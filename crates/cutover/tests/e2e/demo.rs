//! The demo shows what it promises and leaves nothing behind.

use crate::harness::{World, wait_until};

#[test]
fn a_good_and_a_bad_release_without_a_failed_request() {
    let world = World::new();
    let json = world.run("demo rolling --json").expect_ok().json();
    assert_eq!(json["good"]["outcome"], "succeeded");
    assert_eq!(json["bad"]["outcome"], "rolled_back");
    assert_eq!(json["live"], "v2");
    assert_eq!(json["load"]["failed"]["total"], 0);
    assert!(json["load"]["ok"].as_u64().unwrap() > 200);
    assert_eq!(world.processes(), Vec::<u32>::new());
    assert!(!world.leaves_demo_folders());
}

#[test]
fn an_interrupt_cleans_up_too() {
    let world = World::new();
    let demo = world.start("demo canary");
    wait_until("v2 is on its way", || demo.stderr().contains("stage 1/4 reached"));
    demo.interrupt();
    demo.wait().expect_code(130).complains("nothing is left behind");
    assert_eq!(world.processes(), Vec::<u32>::new());
    assert!(!world.leaves_demo_folders());
}
