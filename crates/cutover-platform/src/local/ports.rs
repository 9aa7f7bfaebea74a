//! Leases of ports on loopback, so that no two instances get the same one.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::boottime::Moment;
use super::files;
use super::paths;

/// Below the ports that the system gives to outgoing connections.
const RANGE: RangeInclusive<u16> = 20000..=29999;
/// A port given back rests this long: late requests for its last user must not reach another app.
const REST: Duration = Duration::from_secs(60);

/// The leases, kept in `ports.json`.
#[derive(Debug)]
pub(crate) struct Ports {
    path: PathBuf,
    book: Mutex<Book>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Book {
    /// By `<subject>/<instance>`.
    leases: BTreeMap<String, u16>,
    /// Ports given back, and when.
    resting: BTreeMap<u16, Moment>,
    /// Where the search goes on, so that a port comes round again as late as possible.
    #[serde(skip)]
    next: u16,
}

/// No port to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PortError {
    #[error("every port from 20000 to 29999 is leased, resting or taken")]
    None,
    #[error("cannot note the port: {0}")]
    Note(io::Error),
}

impl Ports {
    /// Reads the leases. A file that is damaged is begun anew: a port is tried before it is leased,
    /// so those of running instances are not given away.
    pub(crate) fn open(state: &Path) -> Ports {
        let path = state.join("ports.json");
        let mut book: Book = files::read(&path).ok().flatten().unwrap_or_default();
        book.next = fastrand::u16(RANGE);
        let instances = paths::instances(state);
        let gone: Vec<String> =
            book.leases.keys().filter(|name| !instances.join(name).is_dir()).cloned().collect();
        for name in gone {
            book.give_back(&name);
        }
        Ports { path, book: Mutex::new(book) }
    }

    /// Leases a port: the one the instance has, if it can be used now, else another.
    pub(crate) fn lease(&self, name: &str) -> Result<u16, PortError> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = book.leases.get(name).copied() {
            if is_free(port) {
                return Ok(port);
            }
            book.give_back(name);
        }
        book.resting.retain(|_, since| since.age() < REST);
        let port = book.find().ok_or(PortError::None)?;
        book.leases.insert(name.to_owned(), port);
        files::write(&self.path, &*book).map_err(PortError::Note)?;
        Ok(port)
    }

    /// Ends a lease.
    pub(crate) fn give_back(&self, name: &str) -> io::Result<()> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if book.give_back(name) {
            files::write(&self.path, &*book)?;
        }
        Ok(())
    }
}

impl Book {
    fn give_back(&mut self, name: &str) -> bool {
        let Some(port) = self.leases.remove(name) else {
            return false;
        };
        self.resting.insert(port, Moment::now());
        true
    }
    fn find(&mut self) -> Option<u16> {
        for _ in RANGE {
            let port = self.next;
            self.next = if port == *RANGE.end() { *RANGE.start() } else { port + 1 };
            let leased = self.leases.values().any(|other| *other == port);
            if !leased && !self.resting.contains_key(&port) && is_free(port) {
                return Some(port);
            }
        }
        None
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_leased_once_rests_when_given_back_and_both_survive_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let open = || Ports::open(state.path());
        std::fs::create_dir_all(state.path().join("instances/shop/r1.0")).unwrap();
        let ports = open();
        let mine = ports.lease("shop/r1.0").unwrap();
        assert_eq!(ports.lease("shop/r1.0").unwrap(), mine);
        ports.book.lock().unwrap().next = mine;
        let other = ports.lease("shop/r1.1").unwrap();
        assert_ne!(other, mine);

        let ports = open();
        assert_eq!(ports.lease("shop/r1.0").unwrap(), mine);
        ports.give_back("shop/r1.0").unwrap();
        for ports in [ports, open()] {
            ports.book.lock().unwrap().next = mine;
            let next = ports.lease("shop/r2.0").unwrap();
            assert!(next != mine && next != other, "{next} still rests");
            ports.give_back("shop/r2.0").unwrap();
        }
        let ports = open();
        let mut book = ports.book.lock().unwrap();
        let rested = book.resting.get_mut(&mine).unwrap();
        rested.boottime_ms = rested.boottime_ms.saturating_sub(60_000);
        book.next = mine;
        drop(book);
        assert_eq!(ports.lease("shop/r3.0").unwrap(), mine);
    }

    #[test]
    fn a_taken_port_is_passed_over_also_by_the_one_who_had_it() {
        let state = tempfile::tempdir().unwrap();
        let ports = Ports::open(state.path());
        let mine = ports.lease("shop/r1.0").unwrap();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, mine)).unwrap();
        assert_ne!(ports.lease("shop/r1.0").unwrap(), mine);
        drop(taken);
    }
}
