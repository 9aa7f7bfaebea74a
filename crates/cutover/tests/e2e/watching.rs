//! `cutover status --watch`, on a terminal and elsewhere.

use std::process::Stdio;

use crate::harness::{Pane, World, get_tcp, signal, wait_until};

const SIZE: (u16, u16) = (100, 30);

/// The terminal says afterwards how the command ended and whether it is as it was.
const WATCH: &str = "cutover status --watch; echo \"it ended with $?\"; stty -a";

fn live(world: &World) -> String {
    let status = world.run("status --json").expect_ok().json();
    status["apps"][0]["live"]["version"].as_str().unwrap_or_default().to_owned()
}

/// v1 is live, and v2 waits for its approval.
fn waiting() -> World {
    let world = World::new();
    let approve = "patterns: { blue-green: { approve: true, soak: 0s, keep: 0s } }";
    world.spec().pattern("blue-green").more(approve).write();
    world.deploy("v1").expect_ok();
    world.deploy("v2 --detach").expect_ok();
    wait_until("it waits", || {
        world.run("status --json").json()["apps"][0]["rollout"]["waiting"] == true
    });
    world
}

/// The screen is given back, with the modes that a shell needs.
#[track_caller]
fn is_restored(pane: Pane, code: i32) {
    wait_until("the screen is given back", || !pane.is_full_screen());
    let raw = pane.raw();
    let text = pane.ends();
    assert!(raw.contains("\x1b[?1049h") && raw.contains("\x1b[?1049l"), "alternate screen");
    assert!(raw.rfind("\x1b[?25h") > raw.rfind("\x1b[?25l"), "the cursor is there again");
    assert!(text.contains(&format!("it ended with {code}")), "{text}");
    let words: Vec<&str> = text.split_whitespace().collect();
    for mode in ["icanon", "echo", "isig", "icrnl", "opost"] {
        assert!(words.contains(&mode), "{mode} is missing: {text}");
    }
}

/// The process that draws, among those of this world.
fn watcher(world: &World) -> u32 {
    let is_it = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|text| text.ends_with("status\0--watch\0"))
    };
    world.processes().into_iter().find(is_it).expect("it runs")
}

#[test]
fn a_key_gives_the_approval_and_the_new_version_goes_live() {
    let world = waiting();
    let pane = world.pane(WATCH, SIZE);
    pane.shows("WAITS FOR YOU").shows("v1 live").shows("blue-green  v1 → v2").shows("v2.1");
    assert!(pane.is_full_screen());
    pane.press("p").shows("v2 live").shows("no rollout; the last one").shows("v1 → v2 succeeded");
    assert_eq!(live(&world), "v2");
    pane.press("q");
    is_restored(pane, 0);
}

#[test]
fn an_abort_is_asked_about_and_turns_back() {
    let world = waiting();
    let pane = world.pane(WATCH, SIZE);
    pane.shows("WAITS FOR YOU").press("a").shows("turn shop #").shows("to v2 back? y/n");
    pane.press("n").hides("y/n").shows("WAITS FOR YOU");
    pane.press("ay").shows("turned back (somebody asked for it)").shows("v1 live");
    assert_eq!(live(&world), "v1");
    pane.press("\x03");
    is_restored(pane, 130);
}

#[test]
fn space_pauses_and_lets_it_go_on() {
    let world = waiting();
    let pane = world.pane(WATCH, SIZE);
    pane.shows("WAITS FOR YOU").press(" ").shows("PAUSED").shows("space resume");
    pane.press("p").shows("approved by").shows("PAUSED");
    assert_eq!(live(&world), "v1", "the pause holds");
    pane.press(" ").shows("v2 live");
    pane.press("p").shows("no rollout is running");
    pane.press("?").shows("Leaving changes nothing").press("\x1b").hides("Leaving changes nothing");
    pane.press("\x1b");
    is_restored(pane, 0);
}

#[test]
fn what_the_daemon_refuses_is_said_with_its_reason() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let health = "{ interval: 200ms, deadline: 60s, settle: 500ms }";
    world.spec().env("CUTOVER_DEMO_READY_AFTER", "60s").health(health).write();
    world.deploy("v2 --detach").expect_ok();
    let pane = world.pane(WATCH, SIZE);
    pane.shows("on the way: v2 0 of 1 ready").press("p").shows("nobody is waited for");
    pane.press("y").shows("not done: shop: the stage is not reached yet");
    pane.press("ay").shows("turned back (somebody asked for it)").press("q");
    is_restored(pane, 0);
}

#[test]
fn requests_and_their_errors_are_drawn_for_each_release() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let pane = world.pane(WATCH, SIZE);
    pane.shows("A v1 100%");
    wait_until("requests are counted", || {
        (0..20).for_each(|_| drop(get_tcp(&world.address(), "/")));
        pane.text().lines().any(|line| line.contains(" A v1 ") && line.contains('█'))
    });
    assert!(pane.text().contains(" ms "), "{}", pane.text());
    pane.press("q");
    is_restored(pane, 0);
}

#[test]
fn it_goes_on_when_the_daemon_is_back_and_starts_none_itself() {
    let world = waiting();
    let pane = world.pane(WATCH, SIZE);
    pane.shows("WAITS FOR YOU");
    world.run("daemon stop").expect_ok();
    pane.shows("DAEMON AWAY").shows("daemon.log").shows("WAITS FOR YOU");
    pane.press("p").shows("the daemon is away; nothing was done");
    pane.shows("for 3 s");
    assert_eq!(world.daemon_pid(), None, "whoever stopped it did not want it to run");
    world.run("daemon start").expect_ok();
    pane.hides("DAEMON AWAY").press("p").shows("v2 live");
    pane.press("q");
    is_restored(pane, 0);
}

#[test]
fn it_fits_every_size_and_says_when_one_is_too_small() {
    let world = waiting();
    let pane = world.pane(WATCH, (60, 15));
    pane.shows("WAITS FOR YOU").shows("q quit");
    pane.resize((50, 10));
    pane.shows("too small").hides("WAITS FOR YOU");
    pane.resize((120, 40));
    pane.shows("WAITS FOR YOU").hides("too small").shows("address").shows("127.0.0.1:");
    pane.press("q");
    is_restored(pane, 0);
}

#[test]
fn a_signal_gives_the_terminal_back_too() {
    let world = waiting();
    for name in ["TERM", "INT"] {
        let pane = world.pane(WATCH, SIZE);
        pane.shows("WAITS FOR YOU");
        signal(watcher(&world), name);
        is_restored(pane, 130);
    }
}

#[test]
fn the_shell_has_the_terminal_while_it_is_stopped() {
    let world = waiting();
    let pane = world.pane(&format!("({WATCH})"), SIZE);
    pane.shows("WAITS FOR YOU").press("\x1a");
    wait_until("the screen is given back", || !pane.is_full_screen());
    signal(watcher(&world), "CONT");
    pane.shows("WAITS FOR YOU");
    assert!(pane.is_full_screen());
    pane.press("q");
    is_restored(pane, 0);
}

#[test]
fn one_of_several_apps_is_chosen_by_key() {
    let world = World::new();
    let spec =
        |app: &str| world.spec().text().replace("app: shop", &format!("app: {app}\nhost: {app}"));
    for app in ["blog", "shop"] {
        world.write_spec(&spec(app));
        world.deploy("v1").expect_ok();
    }
    let pane = world.pane(WATCH, SIZE);
    pane.shows("[shop]").shows("tab next app");
    pane.press("\t").shows("[blog]").shows("blog  v1 live").press("\x1b[D").shows("[shop]");
    pane.press("q");
    is_restored(pane, 0);
}

#[test]
fn an_app_that_is_not_there_yet_is_shown_as_soon_as_it_is() {
    let world = World::new();
    world.spec().write();
    let pane = world.pane(WATCH, SIZE);
    pane.shows("shop  is not deployed");
    world.deploy("v1 --detach").expect_ok();
    pane.shows("v1 live  2/2 ready").shows("(first) → v1 succeeded");
    pane.press("q");
    is_restored(pane, 0);
}

#[test]
fn no_colour_is_written_where_none_is_wanted() {
    let world = waiting();
    let pane = world.pane(WATCH, SIZE);
    pane.shows("WAITS FOR YOU");
    assert!(pane.coloured() > 20);
    drop(pane);
    let pane = world.pane(&format!("export NO_COLOR=1; {WATCH}"), SIZE);
    pane.shows("WAITS FOR YOU");
    assert_eq!(pane.coloured(), 0, "{:?}", pane.raw());
}

#[test]
fn where_there_is_no_screen_it_is_plain_lines() {
    let world = waiting();
    let plain = |script: &str| {
        let pane = world.pane(script, SIZE);
        pane.shows("waits for you: cutover promote");
        assert!(!pane.raw().contains('\x1b'), "{:?}", pane.raw());
    };
    plain("TERM=dumb cutover status --watch");
    plain("cutover status --watch --output plain");
    plain("cutover status --watch | cat");
    plain("cutover status --watch < /dev/null");
    world.run("status --watch --json").expect_code(2).complains("--watch never ends");
}

#[test]
fn without_a_screen_it_is_printed_only_when_something_has_changed() {
    let world = waiting();
    let watch = world.start("status --watch --output ndjson");
    let lines = || -> Vec<serde_json::Value> {
        watch.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    wait_until("the first look", || !lines().is_empty());
    world.run("promote").expect_ok();
    wait_until("v2 is live and alone", || {
        lines().last().is_some_and(|last| {
            let app = &last["apps"][0];
            let all = app["instances"].as_array().unwrap();
            app["rollout"].is_null() && all.len() == 2
        })
    });
    watch.interrupt();
    let ran = watch.wait().expect_code(130);
    let mut seen: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for instance in
        seen.iter_mut().flat_map(|line| line["apps"][0]["instances"].as_array_mut().unwrap())
    {
        instance["since"].take();
        instance["in_flight"].take();
    }
    assert!(seen.len() > 1 && seen.windows(2).all(|pair| pair[0] != pair[1]), "{ran}");
}

#[test]
fn a_reader_that_leaves_ends_it() {
    let world = waiting();
    let mut command = world.command(&["status", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    world.run("promote").expect_ok();
    wait_until("it ends", || child.try_wait().unwrap().is_some());
}
