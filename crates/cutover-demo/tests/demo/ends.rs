//! Every way it ends, or does not.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Pid, Signal, getsid, kill_process};

use crate::process::{Demo, Sleeper, is_running, read_until, until};

#[test]
fn sigterm_before_listening_ends_it_cleanly() {
    // The sleeper is started after the handlers are in place: its line says that they are.
    let demo = Demo::spawn(&["--start-after", "1h", "--fork"], &[]);
    let sleeper = Sleeper::of(&demo);
    demo.signal(Signal::TERM);
    drop(sleeper);
    let (status, stderr) = demo.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn exit_after_exits_with_the_code() {
    let demo = Demo::start(&["--exit-after", "300ms", "--exit-code", "3"]);
    let (status, stderr) = demo.end();
    assert_eq!(status.code(), Some(3));
    assert_eq!(stderr, "cutover-demo: exiting with 3 as told\n");
}

#[test]
fn exit_after_0s_never_listens() {
    let demo = Demo::spawn(&["--exit-after", "0s", "--exit-code", "7"], &[]);
    let never = demo.lines_to_end();
    let (status, stderr) = demo.end();
    assert_eq!(status.code(), Some(7));
    assert_eq!(stderr, "cutover-demo: exiting with 7 as told\n");
    assert_eq!(never, Vec::<String>::new());
}

#[test]
fn ignore_term_serves_on() {
    let demo = Demo::start(&["--ignore-term"]);
    demo.signal(Signal::TERM);
    demo.line("ignoring SIGTERM");
    assert_eq!(demo.status("GET /"), 200);
}

#[test]
fn fork_leaves_a_child_that_survives_sigterm() {
    let demo = Demo::spawn(&["--fork"], &[]);
    let guard = Sleeper::of(&demo);
    let sleeper = guard.0;
    assert_eq!(getsid(Some(sleeper)).unwrap(), sleeper, "a session of its own");
    let status = std::fs::read_to_string(format!("/proc/{sleeper}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
    let caught = u64::from_str_radix(caught.unwrap(), 16).unwrap();
    assert_ne!(caught & (1 << (15 - 1)), 0, "SIGTERM is caught");
    kill_process(sleeper, Signal::TERM).unwrap();
    demo.signal(Signal::TERM);
    until("the demo is gone", || !is_running(Pid::from_raw(demo.pid).unwrap()));
    assert!(is_running(sleeper));

    drop(guard);
    until("the sleeper is gone", || !is_running(sleeper));
    let (status, stderr) = demo.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn sigterm_finishes_what_is_under_way_and_closes_the_rest() {
    let demo = Demo::start(&[]);

    let mut idle = demo.connect();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: d\r\n\r\n").unwrap();
    read_until(&mut idle, "ok\n");

    let mut events = demo.connect();
    events.write_all(b"GET /events HTTP/1.1\r\nhost: d\r\n\r\n").unwrap();
    let seen = read_until(&mut events, "data: 1 v1\n\n");
    assert!(seen.contains("content-type: text/event-stream"), "{seen}");

    // An echo of which the first half came back is surely under way.
    let mut echo = demo.connect();
    echo.write_all(b"POST /echo HTTP/1.1\r\nhost: d\r\ncontent-length: 10\r\n\r\nfirst").unwrap();
    read_until(&mut echo, "first");

    demo.signal(Signal::TERM);
    assert_eq!(demo.line("stopping"), "stopping version=v1 connections=3");
    assert!(TcpStream::connect(&demo.address).is_err(), "still listening");
    let mut rest = String::new();
    idle.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "an idle connection is closed");
    events.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n0\r\n\r\n"), "the event stream ends well: {rest:?}");

    echo.write_all(b"other").unwrap();
    let mut rest = String::new();
    echo.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "other", "the echo is whole");
    let (status, stderr) = demo.end();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn sigterm_waits_less_than_5_seconds() {
    let demo = Demo::start(&[]);
    let mut echo = demo.connect();
    echo.write_all(b"POST /echo HTTP/1.1\r\nhost: d\r\ncontent-length: 10\r\n\r\nfirst").unwrap();
    read_until(&mut echo, "first");
    demo.signal(Signal::TERM);
    let (status, stderr) = demo.end();
    assert_eq!(status.code(), Some(0));
    assert_eq!(stderr, "cutover-demo: cut 1 connections\n");
}
