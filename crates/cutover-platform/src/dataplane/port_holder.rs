//! Which process listens on a port.

use std::net::SocketAddr;
use std::path::Path;

/// A process that listens.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) pid: i32,
    /// Its short name.
    pub(super) name: String,
}

/// Looks in `/proc`; `None` where that shows nobody, as for processes of other users.
pub(super) fn find(address: SocketAddr) -> Option<Holder> {
    let mut sockets = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = std::fs::read_to_string(table) else {
            continue;
        };
        sockets.extend(listening(&text, address.port()));
    }
    let links: Vec<String> = sockets.iter().map(|inode| format!("socket:[{inode}]")).collect();
    if links.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.into_iter().find(|pid| holds(*pid, &links)).map(|pid| Holder {
        pid,
        name: std::fs::read_to_string(format!("/proc/{pid}/comm"))
            .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned()),
    })
}

/// The inodes of the sockets that listen on this port, on any address: `man 5 proc_pid_net`. The
/// second field is `ADDRESS:PORT` in hex, the fourth the state (0A is LISTEN), the tenth the inode.
fn listening(table: &str, port: u16) -> impl Iterator<Item = u64> {
    let ending = format!(":{port:04X}");
    table.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&ending) && *fields.get(3)? == "0A";
        listens.then(|| fields.get(9)?.parse().ok()).flatten()
    })
}

fn holds(pid: i32, links: &[String]) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        let target = std::fs::read_link(descriptor.path());
        target.is_ok_and(|target| links.iter().any(|link| target == Path::new(link)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_port_is_found_by_either_family() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = std::net::TcpListener::bind(address) else {
                assert_ne!(address, "127.0.0.1:0");
                continue;
            };
            let found = find(listener.local_addr().unwrap()).unwrap();
            assert_eq!(u32::try_from(found.pid), Ok(std::process::id()));
            assert!(!found.name.is_empty());
        }
    }
}
