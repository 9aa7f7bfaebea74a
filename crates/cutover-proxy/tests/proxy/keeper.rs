//! Processes that are killed.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cutover_files::Lock;
use rustix::process::Signal;

use crate::support::client::{User, get};
use crate::support::instance::Instance;
use crate::support::{PROGRAM, Proxy, even, signal, until};

/// Opens connections, one request each, until told to stop.
struct Load {
    done: Arc<AtomicBool>,
    /// Answered requests.
    served: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<u64>>,
}

impl Load {
    fn start(proxy: &Proxy) -> Load {
        let (done, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let listen = proxy.listen;
        let threads = (0..4).map(|_| {
            let (done, served) = (done.clone(), served.clone());
            std::thread::spawn(move || {
                let mut refused = 0;
                while !done.load(Ordering::SeqCst) {
                    match TcpStream::connect(listen) {
                        Ok(stream) => {
                            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                            // A request inside a proxy that is killed is lost; that is no refusal.
                            if let Ok(answer) =
                                (User { stream }).request("GET", "/", "connection: close\r\n")
                            {
                                assert_eq!(answer.status, 200);
                                served.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                        Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
                refused
            })
        });
        Load { threads: threads.collect(), done, served }
    }

    fn goes_on(&self) {
        let before = self.served.load(Ordering::SeqCst);
        until("requests are served", || self.served.load(Ordering::SeqCst) > before + 50);
    }

    /// The number of refused connections.
    fn stop(self) -> u64 {
        self.done.store(true, Ordering::SeqCst);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    }
}

#[test]
fn a_killed_proxy_is_started_again_and_no_connection_is_refused() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let load = Load::start(&proxy);
    load.goes_on();
    for _ in 0..3 {
        let pid = proxy.state().pid;
        proxy.kill_proxy();
        until("another proxy serves", || proxy.try_state().is_some_and(|state| state.pid != pid));
        load.goes_on();
    }
    // TERM is a restart too, in which not even a request is lost.
    let pid = proxy.state().pid;
    signal(pid, Signal::TERM);
    until("another proxy serves", || proxy.try_state().is_some_and(|state| state.pid != pid));
    load.goes_on();
    assert_eq!(load.stop(), 0);
}

#[test]
fn a_proxy_that_is_told_to_stop_ends_its_requests() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let user = User::connect(proxy.listen);
    user.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    until("it is inside", || proxy.requests_in("r1.0") == 1);
    let pid = proxy.state().pid;
    signal(pid, Signal::TERM);
    // Taken by the old proxy or by the next one, in any case answered.
    let other = std::thread::spawn({
        let listen = proxy.listen;
        move || get(listen, "/")
    });
    one.step();
    assert_eq!(user.read().unwrap().text(), "one");
    assert_eq!(other.join().unwrap().text(), "one");
    until("another proxy serves", || proxy.try_state().is_some_and(|state| state.pid != pid));
}

#[test]
fn a_killed_keeper_leaves_the_proxy_serving_and_the_next_one_adopts_it() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    let pid = proxy.state().pid;
    let load = Load::start(&proxy);
    load.goes_on();
    proxy.kill_keeper();
    load.goes_on();
    proxy.start_keeper();
    until("the sockets are adopted", || proxy.keeper_holds_users());
    assert_eq!(proxy.state().pid, pid, "the same proxy");
    load.goes_on();
    // The new keeper does for this proxy what the old one did.
    proxy.kill_proxy();
    until("another proxy serves", || proxy.try_state().is_some_and(|state| state.pid != pid));
    load.goes_on();
    assert_eq!(load.stop(), 0);
}

#[test]
fn a_proxy_whose_program_was_removed_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("proxy");
    std::fs::copy(PROGRAM, &program).unwrap();
    let mut proxy = Proxy::start_as(tempfile::tempdir().unwrap(), program.clone());
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    std::fs::remove_file(&program).unwrap();
    // The second time by a keeper and a proxy that both run from a file that is gone.
    for _ in 0..2 {
        let pid = proxy.state().pid;
        proxy.kill_proxy();
        until("another proxy serves", || proxy.try_state().is_some_and(|state| state.pid != pid));
        assert_eq!(get(proxy.listen, "/").text(), "one");
    }
}

#[test]
fn an_adopted_proxy_ends_with_its_keeper() {
    let mut proxy = Proxy::start();
    let one = Instance::start("one");
    proxy.publish(even(&[("r1.0", one.address)]));
    proxy.kill_keeper();
    proxy.start_keeper();
    until("the sockets are adopted", || proxy.keeper_holds_users());
    let begin = Instant::now();
    proxy.stop();
    assert!(begin.elapsed() < Duration::from_secs(8), "by TERM, not by its grace running out");
    assert!(!Lock::is_held(&proxy.folders.proxy_lock()).unwrap());
    assert!(!proxy.folders.control_socket().exists() && !proxy.folders.keeper_socket().exists());
    assert!(std::net::TcpListener::bind(proxy.listen).is_ok());
}

#[test]
fn a_second_keeper_is_no_keeper_and_a_second_proxy_is_an_error() {
    let proxy = Proxy::start();
    let pid = proxy.state().pid;
    assert!(proxy.spawn("keep").wait().unwrap().success());
    assert!(!proxy.spawn("serve").wait().unwrap().success());
    assert_eq!(proxy.state().pid, pid);
}
