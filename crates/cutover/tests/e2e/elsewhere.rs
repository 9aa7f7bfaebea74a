//! What went wrong in other tools. The list, with their issues: docs/testing.md, "What goes wrong
//! elsewhere".

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{PROGRAM, World, get_tcp, idle, served, signal, status, wait_until, write};

fn script(world: &World, name: &str, text: &str) {
    let path = world.app().join(name);
    write(&path, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// v1 is live, and these lines are in the spec from then on.
fn live(more: &str) -> World {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.spec().more(more).write();
    world
}

/// Users who come all the time, until they are dropped.
struct Users(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Users {
    fn of(world: &World) -> Users {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, address) = (Arc::clone(&stop), world.address());
        let come = move || {
            while !told.load(Ordering::SeqCst) {
                // How they fare is not the question here.
                let _ = get_tcp(&address, "/");
            }
        };
        Users(stop, Some(std::thread::spawn(come)))
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        let _ = self.1.take().map(JoinHandle::join);
    }
}

/// The processes of the demo app that answer here, after many requests.
fn answering(address: &str) -> BTreeSet<String> {
    let pid = |_| get_tcp(address, "/").unwrap().body.split(' ').nth(2).unwrap().to_owned();
    (0..60).map(pid).collect()
}

#[test]
fn the_instances_that_were_looked_at_are_the_ones_that_serve() {
    let world = live("patterns: { blue-green: { approve: true, soak: 0s, keep: 0s } }");
    let deploy = world.start("deploy v2 --pattern blue-green");
    wait_until("it waits", || status(&world)["rollout"]["waiting"] == true);
    let preview = status(&world)["preview"].as_str().unwrap().to_owned();
    let looked_at = answering(&preview);
    assert_eq!(looked_at.len(), 2, "{looked_at:?}");
    world.run("promote").expect_ok();
    deploy.wait().expect_ok();
    assert_eq!(answering(&world.address()), looked_at);
    assert_eq!(served(&world).as_deref(), Some("v2"));
}

#[test]
fn a_retry_after_a_failed_verdict_is_judged_anew() {
    let world = live(
        "patterns: { canary: { steps: [50%], bake: 1s } }\n\
         judge: { compare: false, min-requests: 0, metrics: [{ name: depth, interval: 1s, \
         command: [./probe.sh], max: 10, failures: 2 }] }",
    );
    script(&world, "probe.sh", "#!/bin/sh\nexec cat value\n");
    let depth = world.app().join("value");
    write(&depth, "11\n");
    let _users = Users::of(&world);
    world.deploy("v2 --pattern canary").expect_code(6).complains("depth 11 > 10");
    assert_eq!(served(&world).as_deref(), Some("v1"));
    write(&depth, "3\n");
    world.start("retry").wait().expect_ok().says("v2 is live");
    assert_eq!(served(&world).as_deref(), Some("v2"));
}

#[test]
fn an_abort_does_not_wait_for_a_hook() {
    let world = live("hooks: { after-ready: [{ run: [./smoke.sh], deadline: 1h }] }");
    script(&world, "smoke.sh", "#!/bin/sh\n: > begun\nexec sleep 3600\n");
    let deploy = world.start("deploy v2");
    wait_until("the hook runs", || world.app().join("begun").exists());
    let begun = Instant::now();
    world.start("abort").wait().expect_ok();
    deploy.wait().expect_code(5).complains("v1 is live as before");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(served(&world).as_deref(), Some("v1"));
    // And it holds nothing: the next one does not wait for it either.
    world.spec().write();
    world.deploy("v3").expect_ok();
}

#[test]
fn a_hook_may_ask_cutover_itself() {
    let world = live("hooks: { after-ready: [{ run: [./ask.sh] }] }");
    let ask = format!(
        "#!/bin/sh\n{PROGRAM} status --json > status || exit 1\n\
         {PROGRAM} deploy v9\necho $? > deploy\n"
    );
    script(&world, "ask.sh", &ask);
    world.start("deploy v2").wait().expect_ok();
    let told = |name: &str| fs::read_to_string(world.app().join(name)).unwrap();
    let seen: Value = serde_json::from_str(&told("status")).unwrap();
    assert_eq!(seen["apps"][0]["rollout"]["to"]["version"], "v2", "{seen}");
    assert_eq!(told("deploy").trim(), "8", "told who holds the app, and not left waiting");
}

#[test]
fn a_failing_hook_after_the_end_changes_neither_outcome_nor_reason() {
    let hooks = "hooks: { after: [{ run: [./no.sh] }], on-failure: [{ run: [./no.sh] }] }";
    let world = live(hooks);
    script(&world, "no.sh", "#!/bin/sh\necho $CUTOVER_EVENT >> told\nexit 7\n");
    let told = || fs::read_to_string(world.app().join("told")).unwrap_or_default();
    world.deploy("v2").expect_ok().says("v2 is live");
    wait_until("the hook has run", || told() == "succeeded\n");
    world.spec().env("CUTOVER_DEMO_HEALTH_STATUS", "500").more(hooks).write();
    let ran = world.deploy("v3").expect_code(5).complains("500");
    assert!(!ran.stderr.contains("exit status: 7"), "not its reason: {ran}");
    wait_until("the hook has run", || told() == "succeeded\nrolled-back\n");
    let past = world.run("history --json").expect_ok().json()["rollouts"].clone();
    assert_eq!((&past[0]["exit_code"], &past[1]["exit_code"]), (&5.into(), &0.into()));
    assert_eq!(served(&world).as_deref(), Some("v2"));
}

#[test]
fn a_hook_that_fails_later_does_not_hide_why_the_release_was_turned_back() {
    let world = live("");
    let hooks = "hooks: { after-ready: [{ run: [./smoke.sh] }] }";
    world
        .spec()
        .env("CUTOVER_DEMO_HEALTH_FAILS_AFTER", "1s")
        .env("CUTOVER_DEMO_IGNORE_TERM", "1")
        .more(hooks)
        .write();
    let late = "#!/bin/sh\nuntil [ -f go ]; do sleep 0.02; done\necho the cart is empty\nexit 9\n";
    script(&world, "smoke.sh", late);
    let deploy = world.start("deploy v2");
    // Its instance does not obey, so that there is time until the end.
    wait_until("it is turned back", || deploy.stderr().contains("no longer healthy"));
    wait_until("it stops", || deploy.stderr().contains("stopping"));
    write(&world.app().join("go"), "");
    wait_until("the hook has failed", || deploy.stderr().contains("the cart is empty"));
    assert!(!idle(&world), "the rollout was still going on");
    deploy.wait().expect_code(5);
    let reason = world.run("history --json").expect_ok().json()["rollouts"][0]["reason"].clone();
    let reason = reason.as_str().unwrap();
    assert!(reason.contains("no longer healthy"), "{reason}");
    assert!(!reason.contains("cart"), "{reason}");
}

#[test]
fn a_rollback_brings_back_what_the_release_ran_with() {
    let world = World::new();
    let with = |name: &str| {
        let text = world.spec().env("CUTOVER_DEMO_INSTANCE", name).text();
        let secret = "secrets: { TOKEN: { file: token } }\n  env: {";
        world.write_spec(&text.replace("env: {", secret));
        write(&world.app().join("token"), &format!("token of {name}\n"));
    };
    let answers = || get_tcp(&world.address(), "/").unwrap().body;
    with("first");
    world.deploy("v1").expect_ok();
    with("second");
    world.deploy("v2").expect_ok();
    assert!(answers().contains(" second"), "{}", answers());
    world.run("rollback --to v9").expect_code(2).complains("no good release v9");
    assert!(answers().contains("v2"), "nothing was changed");
    // The file says something else by now, or nothing.
    fs::remove_file(world.app().join("cutover.yaml")).unwrap();
    let ran = world.run("rollback").expect_ok().says("v1 is live (was v2)");
    ran.complains("secret TOKEN is not what it was when v1 was made");
    assert!(answers().contains("v1") && answers().contains(" first"), "{}", answers());
}

#[test]
fn a_first_version_that_is_bad_is_removed_and_told_by_the_exit_code() {
    let world = World::new();
    world.spec().env("CUTOVER_DEMO_HEALTH_STATUS", "500").write();
    world.deploy("v1").expect_code(5).complains("500");
    let left = || {
        let line = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let all = world.processes();
        let apps = all.iter().filter(|pid| String::from_utf8_lossy(&line(pid)).contains("--port"));
        apps.count()
    };
    wait_until("nothing of it is left", || left() == 0);
    assert_eq!(served(&world), None);
    world.spec().write();
    world.deploy("v2").expect_ok();
    assert_eq!(served(&world).as_deref(), Some("v2"));
}

/// As when the machine loses its power: nobody can tell anybody anything.
#[test]
fn all_processes_killed_in_the_middle_end_in_one_whole_release() {
    let settings = "patterns: { rolling: { pause: 2s }, canary: { steps: [25%], bake: 2s } }\n\
                    judge: { min-requests: 0, compare: false }";
    for pattern in ["rolling", "canary", "big-bang"] {
        let world = live(settings);
        let _users = Users::of(&world);
        world.deploy(&format!("v2 --pattern {pattern} --detach")).expect_ok();
        wait_until("v2 is there", || {
            let status = status(&world);
            let instances = status["instances"].as_array().unwrap();
            instances.iter().any(|one| one["release"]["version"] == "v2")
        });
        let daemon = world.signal_daemon("KILL");
        // Again and again: a keeper starts what was killed before it was killed itself.
        wait_until("nothing runs", || {
            let left = world.processes();
            left.iter().for_each(|pid| signal(*pid, "KILL"));
            left.is_empty()
        });
        world.run("daemon start").expect_ok();
        assert_ne!(world.daemon_pid(), Some(daemon));
        wait_until("the rollout is over", || idle(&world));
        wait_until("one release is whole and nothing else is there", || {
            let status = status(&world);
            let instances = status["instances"].as_array().unwrap();
            let live = &status["live"]["version"];
            let good = |one: &&Value| one["release"]["version"] == *live && one["state"] == "ready";
            instances.iter().filter(good).count() == 2 && instances.len() == 2
        });
        let live = status(&world)["live"]["version"].as_str().unwrap().to_owned();
        assert_eq!(served(&world), Some(live), "{pattern}");
    }
}

/// The sockets that processes listen at: address and port in hex, as the kernel lists them.
fn listening(pids: &[u32]) -> Vec<String> {
    let held: BTreeSet<String> = pids
        .iter()
        .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten())
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    let mut found = vec![];
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(Path::new(table)).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            if fields[3] == "0A" && held.contains(&format!("socket:[{}]", fields[9])) {
                found.push(fields[1].to_owned());
            }
        }
    }
    found
}

#[test]
fn nothing_listens_beyond_this_machine_unless_the_spec_says_so() {
    let world = live("patterns: { blue-green: { approve: true } }");
    let deploy = world.start("deploy v2 --pattern blue-green");
    wait_until("it waits", || status(&world)["rollout"]["waiting"] == true);
    let found = listening(&world.processes());
    // Users' door, the preview, and four instances.
    assert!(found.len() >= 6, "{found:?}");
    let here = |address: &String| address.starts_with("0100007F:");
    assert!(found.iter().all(here), "{found:?}");
    world.run("abort").expect_ok();
    deploy.wait().expect_code(5);
}

#[test]
fn what_the_spec_passes_must_be_there_before_anything_begins() {
    let world = World::new();
    let text = world.spec().text();
    world.write_spec(&text.replace("env: {", "pass: [SHOP_TOKEN]\n  env: {"));
    world.deploy("v1").expect_code(2).complains("SHOP_TOKEN").complains("release.pass");
    assert!(!world.state().exists(), "no daemon was needed to say that");
}
