//! What goes on without a keeper, or in spite of one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use cutover_core::observed::State;
use rustix::process::{Signal, geteuid};
use rustix::thread::{
    CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities,
};
use tokio::runtime::Builder;

use crate::ends::grandchild;
use crate::ground::{Ground, KEEPER, lives, signal};

/// Does it answer one request?
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    ask().is_ok_and(|text| text.contains("200 OK"))
}

#[tokio::test]
async fn an_app_that_lost_its_keeper_is_off_duty_at_once_but_serves_and_prints_for_a_while() {
    let ground = Ground::new();
    let release = ground.release(&["chatty"]);
    ground.want(&[("r1.0", &release)]).await;
    let address = ground.until_state("r1.0", State::Ready).await.address.unwrap();
    let (keeper, child) = (ground.keeper("r1.0"), ground.child("r1.0"));
    let killed = Instant::now();
    signal(keeper, Signal::KILL);
    ground.until_state("r1.0", State::Exited).await;
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
    let before = ground.lines("r1.0").await.len();
    let mut answered = 0;
    while killed.elapsed() < Duration::from_millis(1500) {
        assert!(answers(address), "after {answered} answers, {:?}", killed.elapsed());
        answered += 1;
        // Lets the platform go on, which shares this thread.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(lives(child));
    let after = ground.lines("r1.0").await.len();
    assert!(after - before + 1 >= answered, "{answered} answers, {before} to {after} lines");
    let again = ground.until_started("r1.0").await;
    assert!(!lives(child), "it is ended before the next start");
    assert_eq!(again.exits.len(), 1);
    ground.until_state("r1.0", State::Ready).await;
}

#[tokio::test]
async fn a_keeper_starts_also_when_its_program_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("keeper");
    std::fs::copy(KEEPER, &program).unwrap();
    let ground = Ground::with_keeper(&program);
    std::fs::remove_file(&program).unwrap();
    let release = ground.release(&["serve", "200 OK"]);
    ground.want(&[("r1.0", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    ground.want(&[]).await;
    ground.until_gone("r1.0").await;
}

#[test]
fn processes_that_nothing_ends_are_named_and_given_up() {
    if !geteuid().is_root() {
        eprintln!("skipped: needs root, to start a process of another user");
        return;
    }
    // A thread of its own that may not signal processes of other users, nor may anybody it starts.
    let thread = std::thread::spawn(|| {
        remove_capability_from_bounding_set(CapabilitySet::KILL).unwrap();
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::KILL);
        sets.permitted.remove(CapabilitySet::KILL);
        set_capabilities(None, sets).unwrap();
        Builder::new_current_thread().enable_all().build().unwrap().block_on(given_up())
    });
    for pid in thread.join().unwrap() {
        assert!(lives(pid), "or it was no process that nothing ends");
        signal(pid, Signal::KILL);
    }
}

async fn given_up() -> [i32; 2] {
    let ground = Ground::new();
    let release = ground.release(&["foreign"]);
    ground.want(&[("r1.0", &release), ("r1.1", &release)]).await;
    ground.until_state("r1.0", State::Ready).await;
    ground.until_state("r1.1", State::Ready).await;
    let pids = [grandchild(&ground, "r1.0").await, grandchild(&ground, "r1.1").await];

    // One by its keeper, the other without one.
    signal(ground.keeper("r1.1"), Signal::KILL);
    ground.want(&[("r1.1", &release)]).await;
    ground.until_state("r1.1", State::Exited).await;
    ground.until_detail("r1.0", "stopping: some of its processes do not end").await;
    let named = format!("its process {} does not end, even by KILL", pids[1]);
    ground.until_detail("r1.1", &named).await;
    ground.until_gone("r1.0").await;
    ground.until_started("r1.1").await;
    let exits = std::fs::read_to_string(ground.instance("r1.1").join("exits.jsonl")).unwrap();
    assert!(exits.contains(&format!("\"left\":[{}]", pids[1])), "{exits}");
    pids
}
