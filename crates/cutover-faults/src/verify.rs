//! Looks at the world after the fault, and has it checked.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::checks::{self, Course, Span};
use crate::client;
use crate::failure::Failure;
use crate::fault::{Fault, Part};
use crate::journal::Journal;
use crate::processes::Role;
use crate::run::Outcome;
use crate::scene::{Scene, unix_ms};
use crate::world::{Ran, Version};

/// The longest a world may take to come to rest once the fault is over.
const PATIENCE: Duration = Duration::from_secs(60);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until everything is as it should be, and gives what is not in the end.
pub(crate) fn rest(scene: &mut Scene<'_>) -> Result<Vec<String>, Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        let wrong = look(scene)?;
        if wrong.is_empty() || Instant::now() > end {
            return Ok(wrong);
        }
        std::thread::sleep(LOOK);
    }
}

fn look(scene: &Scene<'_>) -> Result<Vec<String>, Failure> {
    let ran = scene.world.run("status --json")?;
    let Some(status) = ran.json().filter(|_| ran.code == Some(0)) else {
        return Ok(vec![format!("no status: {ran}")]);
    };
    let apps = scene.apps.iter();
    let mut wrong: Vec<String> =
        apps.flat_map(|app| checks::wrong_status(&status, &app.name, app.n)).collect();
    let all = status["apps"].as_array().map_or(0, Vec::len);
    if all != scene.apps.len() {
        wrong.push(format!("status names {all} apps, not {}", scene.apps.len()));
    }
    let roles: Vec<Role> = scene.world.processes().iter().map(|process| process.role).collect();
    wrong.extend(checks::wrong_processes(&roles, scene.apps.iter().map(|app| app.n).sum()));
    Ok(wrong)
}

/// Users are served to the end, and leave; what they met is looked at.
pub(crate) fn users(scene: &mut Scene<'_>, outcome: &mut Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    if !scene.users.iter().all(|users| users.a_while(5, Duration::from_secs(20))) {
        wrong.push("users are not served at the end".to_owned());
    }
    for users in scene.users.drain(..) {
        let account = users.leave();
        let report = &account.report;
        outcome.requests += report.started;
        outcome.failed += report.failed.total;
        outcome.refused += report
            .failed
            .by_reason
            .get(&cutover_load::Reason::Refused)
            .copied()
            .unwrap_or_default();
        let mut found = checks::wrong_traffic(&account, &scene.effect.allowed);
        if scene.choices.version == Version::Bad && report.by_version.contains_key("v2") {
            found.push("users met the version that was never healthy".to_owned());
        }
        if !found.is_empty() {
            found.push(format!("\n{}", report.summary()));
        }
        wrong.extend(found);
    }
    wrong
}

/// The history has an end for every beginning, and all say the same.
pub(crate) fn past(
    scene: &Scene<'_>,
    said: &[Ran],
    outcome: &mut Outcome,
) -> Result<Vec<String>, Failure> {
    let status = scene.world.run("status --json")?.json().unwrap_or_default();
    let history = scene.world.run("history --json -n 1000")?.json().unwrap_or_default();
    let entries = Journal::open(&scene.world.state())?.entries()?;
    let span = Span { from: scene.from, to: unix_ms() };
    let mut wrong = Vec::new();
    for (app, ran) in scene.apps.iter().zip(said) {
        let live = checks::live(&status, &app.name).unwrap_or_default();
        wrong.extend(served(app.listen, &live));
        let (mut course, found) = checks::wrong_history(&history, &entries, &app.name, &live, span);
        wrong.extend(found);
        let mine = |index: &u64| *index > scene.mark;
        let begun = entries.iter().filter(|e| e.subject == app.name && e.kind() == "begun");
        if !begun.map(|entry| entry.index).any(|index| mine(&index)) {
            course = Some(Course::Refused);
        }
        if let Some(other) = other_codes(scene.choices.fault) {
            wrong.extend(checks::wrong_result(ran, course, other));
        }
        if scene.choices.version == Version::Good
            && course == Some(Course::TurnedBack)
            && !may_turn_back(scene.choices.fault)
        {
            wrong.push(format!("{}: a good version was turned back", app.name));
        }
        if scene.choices.version == Version::Bad && live != "v1" {
            wrong.push(format!("{live} is live and was never healthy"));
        }
        outcome.course = outcome.course.or(course);
    }
    Ok(wrong)
}

/// May a good version be turned back under this fault? Where the fault hits what is released, or
/// leaves no room to start it, nobody can tell it from a bad one.
fn may_turn_back(fault: Fault) -> bool {
    match fault {
        Fault::Kill(Role::Keeper | Role::Instance)
        | Fault::Stop(Role::Keeper | Role::Instance | Role::Proxy)
        | Fault::FullDisk(_)
        | Fault::Port
        | Fault::Descriptors(Part::Daemon) => true,
        Fault::Kill(Role::Daemon | Role::Proxy | Role::ProxyKeeper | Role::Client)
        | Fault::Stop(Role::Daemon | Role::ProxyKeeper | Role::Client)
        | Fault::Restart(_)
        | Fault::ProxyState(_)
        | Fault::Journal
        | Fault::Clock(_)
        | Fault::Descriptors(Part::Proxy)
        | Fault::Daemons
        | Fault::Crowd => false,
    }
}

/// Exit codes of the waiting command that say nothing of how the release went and are in order
/// under this fault; `None` where it was killed.
fn other_codes(fault: Fault) -> Option<&'static [i32]> {
    match fault {
        Fault::Kill(Role::Client) | Fault::Journal => None,
        // The request may have been in the daemon's hands.
        Fault::Kill(Role::Daemon)
        | Fault::Stop(Role::Daemon)
        | Fault::Restart(Part::Daemon)
        | Fault::Descriptors(Part::Daemon)
        | Fault::Clock(_)
        | Fault::Daemons
        | Fault::Crowd => Some(&[10]),
        Fault::FullDisk(_) => Some(&[1, 4, 10]),
        Fault::Kill(_)
        | Fault::Stop(_)
        | Fault::Restart(Part::Proxy)
        | Fault::ProxyState(_)
        | Fault::Port
        | Fault::Descriptors(Part::Proxy) => Some(&[]),
    }
}

/// What users get is the live version.
fn served(address: std::net::SocketAddr, live: &str) -> Vec<String> {
    let look = || match client::get(address, "/", Duration::from_secs(10)) {
        Ok(answer) if answer.header("x-version") == Some(live) => None,
        Ok(answer) => Some(format!("{live} is live and a user got {answer:?}")),
        Err(error) => Some(format!("{live} is live and a user got {error}")),
    };
    (0..4).filter_map(|_| look()).collect()
}

/// Takes everything down; nothing may be left.
pub(crate) fn end(scene: &mut Scene<'_>) -> Result<Vec<String>, Failure> {
    scene.effect.thief = None;
    let ran = scene.world.run("down --all --yes")?;
    let mut wrong = Vec::new();
    if ran.code != Some(0) {
        wrong.push(format!("not everything could be taken down: {ran}"));
    }
    for daemon in scene.effect.daemons.drain(..) {
        let ran = daemon.wait(Duration::from_secs(5))?;
        if ran.code != Some(0) {
            wrong.push(format!("a daemon ended badly: {ran}"));
        }
    }
    for process in scene.world.processes() {
        if !process.ends_within(Duration::from_secs(2)) {
            wrong.push(format!("left behind: {} {}", process.pid, process.line));
        }
    }
    for address in scene.apps.iter().map(|app| app.listen) {
        if let Err(error) = TcpListener::bind(address) {
            wrong.push(format!("{address} is not free: {error}"));
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_user_who_gets_another_version_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            for stream in listener.incoming().take(4) {
                use std::io::{Read, Write};
                let mut stream = stream.unwrap();
                let mut request = [0; 256];
                let _ = stream.read(&mut request).unwrap();
                stream.write_all(b"HTTP/1.0 200 OK\r\nx-version: v1\r\n\r\n").unwrap();
            }
        });
        assert_eq!(served(address, "v2").len(), 4);
        server.join().unwrap();
        assert_eq!(served(address, "v1").len(), 4, "nobody listens there any more");
    }

    #[test]
    fn a_null_status_is_wrong() {
        assert!(!checks::wrong_status(&Value::Null, "shop", 1).is_empty());
    }
}
