//! The daemon: started, found, stopped, reached.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::harness::{PROGRAM, Ran, World, request, wait_until};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn starting_and_stopping_twice_is_no_error() {
    let world = World::new();
    world.run("daemon status").expect_code(10).says("no daemon runs");
    world.run("daemon start").expect_ok().says("the daemon runs: pid");
    let pid = world.daemon_pid().unwrap();
    world.run("daemon start").expect_ok().says(&format!("runs already: pid {pid}"));
    world.run("daemon status").expect_ok().says(&format!("pid {pid}"));
    let json = world.run("daemon status --json").expect_ok().json();
    assert_eq!((&json["running"], &json["daemon"]["protocol"]), (&true.into(), &2.into()));
    world.run("daemon stop").expect_ok().says(&format!("stopped the daemon (pid {pid})"));
    assert!(!Path::new(&format!("/proc/{pid}/exe")).exists());
    world.run("daemon stop").expect_ok().says("no daemon runs");
}

#[test]
fn the_first_command_that_needs_it_starts_it_from_a_copy_of_its_own() {
    let world = World::new();
    world.run("status").expect_ok().says("no app is deployed");
    let pid = world.daemon_pid().expect("it runs");
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert!(program.starts_with(world.state().join("bin")), "{}", program.display());
    assert_eq!(mode(&world.state()), 0o700);
    assert_eq!(mode(&world.socket()), 0o600);
    assert_eq!(mode(&program), 0o700);
}

#[test]
fn many_first_commands_at_once_start_one_daemon() {
    let world = World::new();
    let started: Vec<_> = (0..6).map(|_| world.start("status")).collect();
    for command in started {
        command.wait().expect_ok();
    }
    let is_daemon = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|text| text.contains("daemon\0run"))
    };
    wait_until("one daemon is left", || {
        world.processes().iter().filter(|pid| is_daemon(pid)).count() == 1
    });
}

#[test]
fn a_killed_daemon_is_started_again_by_the_next_command() {
    let world = World::new();
    world.run("status").expect_ok();
    let first = world.daemon_pid().unwrap();
    world.kill_daemon();
    world.run("status").expect_ok();
    assert_ne!(world.daemon_pid().unwrap(), first);
}

#[test]
fn terminated_in_the_foreground_it_ends_well() {
    let world = World::new();
    let running = world.start("daemon run");
    wait_until("it answers", || world.daemon_pid().is_some());
    assert_eq!(
        world.daemon_pid(),
        Some(running.child.id()),
        "it told its folders by starting anew"
    );
    let second = world.run("daemon run").expect_ok();
    second.says("a daemon runs already");
    let status = Command::new("kill").arg(running.child.id().to_string()).status().unwrap();
    assert!(status.success());
    running.wait().expect_ok().says("stopped; apps and the proxy run on");
    assert!(!world.socket().exists());
}

#[test]
fn every_route_of_the_description_answers() {
    let world = World::new();
    world.run("daemon start").expect_ok();
    let description = request(&world.socket(), "GET", "/v1/openapi.json", "").unwrap().json();
    assert_eq!(description["openapi"], "3.1.0");
    let mut seen = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if path == "/v1/stop" {
                continue;
            }
            let concrete = path
                .replace("{subject}", "shop")
                .replace("{environment}", "production")
                .replace("{instance}", "r1.0")
                .replace("{rollout}", "1")
                .replace("{number}", "first");
            let body = if method == "post" { "{}" } else { "" };
            let answer = request(&world.socket(), &method.to_uppercase(), &concrete, body).unwrap();
            assert!(![404, 405].contains(&answer.status), "{method} {path}: {answer:?}");
            assert_eq!(answer.header("x-cutover-protocol"), Some("2"), "{method} {path}");
            assert!(answer.header("x-cutover-version").is_some());
            if path != "/v1/events" {
                answer.json();
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 26);
    // Every schema that is referred to is there.
    let text = description.to_string();
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(description["components"]["schemas"][name].is_object(), "{name} is missing");
    }
    assert_eq!(request(&world.socket(), "GET", "/v1/nothing", "").unwrap().status, 404);
    assert_eq!(request(&world.socket(), "POST", "/v1/stop", "").unwrap().status, 200);
    wait_until("it is gone", || world.processes().is_empty());
}

#[test]
fn requests_that_are_too_large_or_no_json_are_refused() {
    let world = World::new();
    world.run("daemon start").expect_ok();
    let large = "x".repeat((1 << 20) + 1);
    let answer = request(&world.socket(), "POST", "/v1/deploy", &large).unwrap();
    assert_eq!(answer.status, 413);
    let answer = request(&world.socket(), "POST", "/v1/deploy", "{").unwrap();
    assert_eq!((answer.status, &answer.json()["kind"]), (400, &"usage".into()));
}

#[test]
fn a_daemon_of_another_protocol_is_named_with_the_way_out() {
    let world = World::new();
    fs::create_dir(world.state()).unwrap();
    chmod(&world.state(), 0o700);
    let listener = UnixListener::bind(world.socket()).unwrap();
    let serving = std::thread::spawn(move || {
        loop {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines();
            // A command looks first whether anybody answers at all, and says nothing then.
            let Some(Ok(first)) = lines.next() else { continue };
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let body = r#"{"pid":1}"#;
            let head = "HTTP/1.1 200 OK\r\nx-cutover-protocol: 99\r\nx-cutover-version: 9.9.9";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            // In one piece: the command leaves as soon as it has seen the head.
            (&stream).write_all(answer.as_bytes()).unwrap();
            return first;
        }
    });
    let ran = world.run("status").expect_code(10);
    ran.complains("9.9.9").complains("protocol 99").complains("cutover daemon stop");
    assert!(serving.join().unwrap().starts_with("GET /v1/apps"));
}

#[test]
fn an_open_state_folder_is_closed_and_one_of_others_refused() {
    let world = World::new();
    fs::create_dir(world.state()).unwrap();
    let log = world.state().join("daemon.log");
    chmod(&world.state(), 0o777);
    world.run("status").expect_ok();
    assert_eq!(mode(&world.state()), 0o700);
    world.kill_daemon();
    chmod(&log, 0o644);
    world.run("status").expect_ok();
    assert_eq!(mode(&log), 0o600);

    let world = World::new();
    fs::create_dir_all(world.state().join("photos")).unwrap();
    chmod(&world.state(), 0o755);
    world.run("status").expect_code(4).complains("is open to other users");
    assert_eq!(mode(&world.state()), 0o755);
}

#[test]
fn through_a_symlink_the_running_program_stays_and_everything_ends() {
    let world = World::new();
    fs::create_dir(world.state()).unwrap();
    let link = world.state().with_file_name("link");
    std::os::unix::fs::symlink(world.state(), &link).unwrap();
    let run = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = world.command(&arguments).env("CUTOVER_STATE", &link).output().unwrap();
        Ran::of(line, &output)
    };
    run("status").expect_ok();
    for copy in fs::read_dir(world.state().join("bin")).unwrap() {
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        File::open(copy.unwrap().path()).unwrap().set_modified(long_ago).unwrap();
    }
    // This daemon is the one that sees an old copy, and runs from it.
    world.kill_daemon();
    let program = fs::read_dir(world.state().join("bin")).unwrap().next().unwrap().unwrap().path();
    let mut running = Command::new(&program)
        .args(["daemon", "run"])
        .env("CUTOVER_STATE", &link)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it answers", || world.daemon_pid().is_some());
    assert!(program.exists());
    world.spec().n(1).write();
    run("deploy v1").expect_ok();
    run("down --all --yes").expect_ok();
    running.wait().unwrap();
    assert_eq!(world.processes(), Vec::<u32>::new());
}

/// As after a rebuild or an upgrade between the start of a command and its first look at itself.
#[test]
fn a_program_whose_file_is_gone_still_starts_the_daemon() {
    let world = World::new();
    let path = world.app().join("tool");
    fs::copy(PROGRAM, &path).unwrap();
    let tool = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let tool = format!("/proc/{}/fd/{}", std::process::id(), tool.as_raw_fd());
    let mut running = Command::new(tool)
        .args(["daemon", "run"])
        .env("CUTOVER_STATE", world.state())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it answers", || world.daemon_pid().is_some());
    world.spec().n(1).write();
    world.deploy("v1").expect_ok();
    world.run("down --all --yes").expect_ok();
    running.wait().unwrap();
}

#[test]
fn inside_an_instance_a_daemon_is_used_and_not_started() {
    let world = World::new();
    let inside = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut command = world.command(&arguments);
        Ran::of(line, &command.env("CUTOVER_INSTANCE_FOLDER", "/x").output().unwrap())
    };
    for line in ["status", "daemon start", "daemon run"] {
        inside(line).expect_code(10).complains("would end with it").complains("start it outside");
    }
    assert_eq!(world.processes(), Vec::<u32>::new());
    world.run("daemon start").expect_ok();
    inside("status").expect_ok();
}

#[test]
fn a_daemon_that_is_stopped_is_named_with_the_way_out() {
    let world = World::new();
    world.spec().write();
    world.run("daemon start").expect_ok();
    let pid = world.signal_daemon("STOP");
    let ran = world.deploy("v1 --wait").expect_code(10);
    ran.complains("does not answer").complains(&format!("kill -CONT {pid}"));
}

#[test]
fn a_spec_that_makes_no_sense_is_refused_whoever_sends_it() {
    let world = World::new();
    world.run("daemon start").expect_ok();
    let body = serde_json::json!({
        "subject": "shop", "version": "v1", "base": "/tmp", "passed": {}, "conflict": "refuse",
        "spec": {"app": "shop", "instances": 0, "release": {"command": ["true"]}},
    });
    for path in ["/v1/deploy", "/v1/plan"] {
        let answer = request(&world.socket(), "POST", path, &body.to_string()).unwrap();
        assert_eq!((answer.status, &answer.json()["kind"]), (422, &"spec".into()), "{answer:?}");
        assert!(answer.body.contains("from 1 to 1000"), "{answer:?}");
    }
}

/// The proxy keeper is the hidden subcommand of the same binary: it serves before any app is there,
/// and `proxy status` asks it without a daemon.
#[test]
fn the_proxy_runs_under_its_keeper_and_is_reached_without_a_daemon() {
    let world = World::new();
    world.run("proxy status").expect_code(10).says("no proxy runs");
    let keeper = world.start("proxy-keeper");
    wait_until("the proxy answers", || world.run("proxy status").code == Some(0));
    let json = world.run("proxy status --json").expect_ok().json();
    assert_eq!(json["apps"].as_object().unwrap().len(), 0);
    assert!(world.daemon_pid().is_none());
    let status = Command::new("kill").arg(keeper.child.id().to_string()).status().unwrap();
    assert!(status.success());
    keeper.wait().expect_ok();
    assert_eq!(world.processes(), Vec::<u32>::new());
}
