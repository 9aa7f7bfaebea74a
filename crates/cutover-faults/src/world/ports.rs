//! Ports for users, each given to one world only.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use crate::failure::Failure;

/// Below those that Cutover leases to instances, and those of outgoing connections.
const RANGE: RangeInclusive<u16> = 10_000..=19_999;

/// The ports that worlds of this process use now.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    taken: Mutex<BTreeSet<u16>>,
}

impl Ports {
    /// A port that is free and stays the caller's until it is given back.
    pub(crate) fn take(&self, random: &mut fastrand::Rng) -> Result<SocketAddr, Failure> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..1000 {
            let port = random.u16(RANGE);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if !taken.contains(&port) && is_free(address) {
                taken.insert(port);
                return Ok(address);
            }
        }
        Err(Failure::Said("no port from 10000 to 19999 is free".to_owned()))
    }

    pub(crate) fn give_back(&self, address: SocketAddr) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&address.port());
    }
}

/// Does nobody listen there?
pub(crate) fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_one_user() {
        let ports = Ports::default();
        let mut random = fastrand::Rng::with_seed(1);
        let first = ports.take(&mut random).unwrap();
        let second = ports.take(&mut fastrand::Rng::with_seed(1)).unwrap();
        assert_ne!(first, second);
        ports.give_back(first);
        let listener = TcpListener::bind(first).unwrap();
        assert!(!is_free(first));
        assert_ne!(ports.take(&mut fastrand::Rng::with_seed(1)).unwrap(), first);
        drop(listener);
    }
}
