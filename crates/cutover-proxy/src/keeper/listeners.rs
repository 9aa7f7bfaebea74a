//! The listening sockets, held for a proxy that may die.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::protocol::{Held, Refused};

/// How many connections may queue while the proxy starts again; the system may cap it
/// (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

struct Socket {
    /// What was asked for; its port may be 0.
    asked: SocketAddr,
    /// What it became.
    address: SocketAddr,
    listener: TcpListener,
}

/// All sockets by name.
#[derive(Default)]
pub(super) struct Listeners {
    sockets: BTreeMap<String, Socket>,
}

impl Listeners {
    /// The socket of this name, bound now if there is none. The descriptor is a duplicate.
    pub(super) fn bind(
        &mut self,
        name: String,
        asked: SocketAddr,
    ) -> Result<(Held, OwnedFd), Refused> {
        let failed = |error: io::Error| Refused {
            reason: match error.kind() {
                io::ErrorKind::AddrInUse => format!("{asked} is used by another process"),
                _ => format!("cannot listen on {asked}: {error}"),
            },
            taken: (error.kind() == io::ErrorKind::AddrInUse).then_some(asked),
        };
        let fits = |held: &Socket| held.asked == asked || held.address == asked;
        if !self.sockets.get(&name).is_some_and(fits) {
            let listener = listen(asked).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            self.sockets.insert(name.clone(), Socket { asked, address, listener });
        }
        let duplicate = self.sockets.get(&name).map(|held| {
            let fd = held.listener.as_fd().try_clone_to_owned()?;
            Ok((Held { address: Some(held.address) }, fd))
        });
        duplicate.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into())).map_err(failed)
    }

    /// Holds a socket that the proxy got from a keeper before this one.
    pub(super) fn adopt(&mut self, name: String, asked: SocketAddr, fd: OwnedFd) {
        let listener = TcpListener::from(fd);
        let address = listener.local_addr().unwrap_or(asked);
        self.sockets.insert(name, Socket { asked, address, listener });
    }

    /// Closes a socket; connections still queued in it are reset, so the proxy asks only once it
    /// has accepted them.
    pub(super) fn close(&mut self, name: &str) {
        self.sockets.remove(name);
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    // Non-blocking is a property of the socket, which the proxy's runtime needs and nobody here
    // minds: the keeper never accepts.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_socket_and_a_foreign_port_is_named() {
        let mut listeners = Listeners::default();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (held, _fd) = listeners.bind("preview".into(), any).unwrap();
        let (again, _fd) = listeners.bind("preview".into(), any).unwrap();
        assert_eq!(held.address, again.address);
        let foreign = TcpListener::bind(any).unwrap();
        let taken = foreign.local_addr().unwrap();
        let refused = listeners.bind("users".into(), taken).unwrap_err();
        assert_eq!(refused.taken, Some(taken));
        assert!(refused.reason.contains(&taken.to_string()), "{}", refused.reason);
        assert_eq!(listeners.sockets.len(), 1);
    }
}
