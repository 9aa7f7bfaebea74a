//! Bad programs, bad input, conflicts and crashes: each ends with one live release, a reason and
//! the right exit code.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{World, idle, served, status, wait_until};

/// A world in which v1 is live, and the next version behaves badly.
fn with_bad(name: &str, value: &str) -> World {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.spec().env(name, value).write();
    world
}

fn only_v1_is_left(world: &World) {
    assert_eq!(served(world).as_deref(), Some("v1"));
    let status = status(world);
    let instances = status["instances"].as_array().unwrap();
    assert!(instances.iter().all(|i| i["release"]["version"] == "v1"), "{status}");
}

#[test]
fn an_instance_that_exits_at_once_fails_in_seconds_and_tells_why() {
    let world = with_bad("CUTOVER_DEMO_EXIT_AFTER", "0s");
    world
        .spec()
        .env("CUTOVER_DEMO_EXIT_AFTER", "0s")
        .env("CUTOVER_DEMO_EXIT_CODE", "3")
        .health("{ interval: 200ms, deadline: 60s, settle: 500ms }")
        .write();
    let begun = Instant::now();
    let ran = world.deploy("v2").expect_code(5);
    assert!(begun.elapsed() < Duration::from_secs(20), "not at the deadline: {ran}");
    ran.complains("exited with code 3").complains("  | ");
    only_v1_is_left(&world);
}

#[test]
fn an_instance_that_binds_late_is_waited_for() {
    let world = with_bad("CUTOVER_DEMO_START_AFTER", "1500ms");
    world.deploy("v2").expect_ok();
    assert_eq!(served(&world).as_deref(), Some("v2"));
}

#[test]
fn a_redirect_is_not_healthy_and_is_shown() {
    let world = with_bad("CUTOVER_DEMO_HEALTH_REDIRECT", "https://example.test/login");
    let ran = world.deploy("v2").expect_code(5);
    ran.complains("https://example.test/login").complains("redirects are not healthy");
    only_v1_is_left(&world);
}

#[test]
fn healthy_once_and_then_failing_turns_back_after_users_met_it() {
    let world = World::new();
    let health = "{ interval: 100ms, deadline: 5s, settle: 3s, unhealthy-after: 2 }";
    world.spec().health(health).write();
    world.deploy("v1").expect_ok();
    world.spec().health(health).env("CUTOVER_DEMO_HEALTH_FAILS_AFTER", "1s").write();
    let deploy = world.start("deploy v2");
    wait_until("v2 gets a request, or is gone again", || {
        served(&world).as_deref() == Some("v2") || idle(&world)
    });
    deploy.wait().expect_code(6).complains("v1 is live as before");
    only_v1_is_left(&world);
}

#[test]
fn a_program_deaf_to_term_with_a_child_of_its_own_is_ended_whole() {
    let world = World::new();
    world.spec().env("CUTOVER_DEMO_IGNORE_TERM", "true").env("CUTOVER_DEMO_FORK", "true").write();
    world.deploy("v1").expect_ok();
    let sleepers = || {
        let line = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let all = world.processes();
        all.into_iter()
            .filter(|pid| String::from_utf8_lossy(&line(pid)).contains("--sleeper"))
            .count()
    };
    assert_eq!(sleepers(), 2);
    world.spec().write();
    world.deploy("v2").expect_ok();
    assert_eq!(sleepers(), 0, "nobody is orphaned");
}

#[test]
fn a_command_that_is_not_there_changes_nothing() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let text = world.spec().text();
    let text = text.replace(crate::harness::PROGRAM, "./no/such/program");
    world.write_spec(&text);
    world.deploy("v2").expect_code(4).complains("no/such/program");
    only_v1_is_left(&world);
    assert_eq!(
        world.run("history --json").expect_ok().json()["rollouts"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn a_port_of_somebody_else_is_told_at_once_with_its_owner() {
    let world = World::new();
    world.spec().write();
    world.run("status").expect_ok();
    let taken = TcpListener::bind(("127.0.0.1", world.port)).unwrap();
    let begun = Instant::now();
    let ran = world.deploy("v1").expect_code(4);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let ran = ran.complains(&format!("127.0.0.1:{}", world.port));
    ran.complains(&format!("pid {}", std::process::id()));
    drop(taken);
    world.deploy("v1").expect_ok();
}

#[test]
fn a_second_deploy_is_told_who_holds_the_app_or_waits_or_takes_over() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    world.spec().env("CUTOVER_DEMO_READY_AFTER", "2s").write();
    let first = world.start("deploy v2");
    wait_until("it runs", || !idle(&world));
    world.deploy("v3").expect_code(8).complains("v2").complains("has been running for");
    let waiting = world.start("deploy v3 --wait");
    first.wait().expect_ok();
    waiting.wait().expect_ok();
    assert_eq!(served(&world).as_deref(), Some("v3"));

    world.spec().env("CUTOVER_DEMO_READY_AFTER", "60s").write();
    let stuck = world.start("deploy v4");
    wait_until("it runs", || !idle(&world));
    world.spec().write();
    world.deploy("v5 --supersede").expect_ok();
    stuck.wait().expect_code(8);
    assert_eq!(served(&world).as_deref(), Some("v5"));
    let status = status(&world);
    let instances = status["instances"].as_array().unwrap();
    assert!(instances.iter().all(|i| i["release"]["version"] == "v5"), "{status}");
}

#[test]
fn the_death_of_the_client_changes_nothing() {
    let world = with_bad("CUTOVER_DEMO_READY_AFTER", "1s");
    let mut deploy = world.start("deploy v2");
    wait_until("it runs", || !idle(&world));
    deploy.child.kill().unwrap();
    deploy.child.wait().unwrap();
    wait_until("the rollout ends without it", || idle(&world));
    assert_eq!(served(&world).as_deref(), Some("v2"));
}

#[test]
fn crashed_instances_come_back_and_apps_come_back_with_the_daemon() {
    let world = World::new();
    world.spec().write();
    world.deploy("v1").expect_ok();
    let apps = || {
        let line = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let all = world.processes();
        all.into_iter()
            .filter(|pid| String::from_utf8_lossy(&line(pid)).contains("demo-app\0--port"))
            .collect::<Vec<u32>>()
    };
    let first = apps();
    assert_eq!(first.len(), 2);
    Command::new("kill").args(["-9", &first[0].to_string()]).status().unwrap();
    wait_until("another one is there", || {
        let now = apps();
        now.len() == 2 && !now.contains(&first[0])
    });
    wait_until("it is ready", || {
        status(&world)["instances"].as_array().unwrap().iter().all(|i| i["state"] == "ready")
    });

    // As after a boot: everything is gone, and the daemon starts.
    world.kill_daemon();
    for pid in world.processes() {
        Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    }
    wait_until("nothing runs", || world.processes().is_empty());
    world.run("daemon start").expect_ok();
    wait_until("v1 serves again", || served(&world).as_deref() == Some("v1"));
}

#[test]
fn a_rebuilt_binary_breaks_nothing_that_runs() {
    let world = World::new();
    world.spec().write();
    // A copy in the place of the build's output, which the "rebuild" then overwrites.
    let program = world.app().join("cutover");
    fs::copy(crate::harness::PROGRAM, &program).unwrap();
    let run = |line: &str| {
        let mut command = Command::new(&program);
        command.args(line.split(' ')).current_dir(world.app()).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", world.app());
        command.env("CUTOVER_STATE", world.state());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    };
    run("deploy v1");
    fs::remove_file(&program).unwrap();
    let mut rebuilt = fs::read(crate::harness::PROGRAM).unwrap();
    rebuilt.extend_from_slice(b"another build");
    cutover_files::write_atomic_mode(&program, &rebuilt, 0o700).unwrap();
    // Keepers, proxy and daemon start from the kept copy: a crash and a release need it.
    let keeper = world.processes().into_iter().find(|pid| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("proxy-serve"))
    });
    Command::new("kill").args(["-9", &keeper.unwrap().to_string()]).status().unwrap();
    wait_until("the proxy is back", || served(&world).as_deref() == Some("v1"));
    run("deploy v2");
    assert_eq!(served(&world).as_deref(), Some("v2"));
}

/// A state folder on a disk of its own that can be filled. Needs root and mounts.
struct SmallDisk(World);

impl SmallDisk {
    fn new() -> Option<SmallDisk> {
        let world = World::new();
        fs::create_dir(world.state()).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256m,mode=0700", "tmpfs"])
            .arg(world.state())
            .output()
            .ok()?;
        mount.status.success().then(|| SmallDisk(world))
    }
    fn fill(&self) {
        let path = self.0.state().join("filler");
        let mut file = fs::File::create(path).unwrap();
        let block = vec![0_u8; 65536];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        // To the last byte.
        while std::io::Write::write_all(&mut file, b"0").is_ok() {}
    }
    fn free(&self) {
        fs::remove_file(self.0.state().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        crate::harness::end(&self.0);
        let _ = Command::new("umount").arg("-l").arg(self.0.state()).status();
    }
}

#[test]
fn a_full_disk_keeps_the_old_version_and_lets_abort_work() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("skipped: needs root and mounts; run the tests as root to switch it on");
        return;
    };
    let world = &disk.0;
    world.spec().write();
    world.deploy("v1").expect_ok();
    world
        .spec()
        .env("CUTOVER_DEMO_READY_AFTER", "60s")
        .health("{ deadline: 90s, settle: 500ms }")
        .write();
    world.run("deploy v2 --detach").expect_ok();
    wait_until("the candidate is there", || {
        let status = status(world);
        status["instances"].as_array().unwrap().iter().any(|i| i["release"]["version"] == "v2")
    });
    disk.fill();
    assert_eq!(served(world).as_deref(), Some("v1"));
    world.deploy("v3 --supersede").expect_code(4).complains("KiB are left");
    world.run("abort").expect_ok();
    wait_until("the candidate is gone", || {
        let status = status(world);
        status["instances"].as_array().unwrap().iter().all(|i| i["release"]["version"] == "v1")
    });
    assert_eq!(served(world).as_deref(), Some("v1"));
    disk.free();
    wait_until("the end is recorded", || idle(world));
    world.spec().write();
    world.deploy("v3").expect_ok();
    assert_eq!(served(world).as_deref(), Some("v3"));
}
