//! The keeper's socket: one thread per connection, of which there are one or two.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::Pid;

use super::listeners::Listeners;
use super::protocol::{Ask, Held, Refused, Reply};
use crate::fd_passing::{Messages, send};

/// What the threads share.
#[derive(Default)]
pub(super) struct Desk {
    listeners: Mutex<Listeners>,
    watcher: Mutex<Option<Pid>>,
}

impl Desk {
    /// The process that said it is the proxy and whose connection is open.
    pub(super) fn watcher(&self) -> Option<Pid> {
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the process ends.
pub(super) fn serve(desk: &Arc<Desk>, socket: &UnixListener) {
    for stream in socket.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors, say; the proxy asks again.
            std::thread::sleep(std::time::Duration::from_millis(20));
            continue;
        };
        let desk = Arc::clone(desk);
        let spawned = std::thread::Builder::new().spawn(move || {
            // A broken connection concerns nobody but its peer, which asks again.
            let _ = converse(&desk, &stream);
        });
        drop(spawned);
    }
}

fn converse(desk: &Desk, stream: &UnixStream) -> io::Result<()> {
    let peer = rustix::net::sockopt::socket_peercred(stream)?.pid;
    let mut messages = Messages::new(stream);
    let mut watching = false;
    while let Some((ask, fd)) = messages.next::<Ask>()? {
        let mut listeners = desk.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match (ask, fd) {
            (Ask::Bind { name, address }, _) => match listeners.bind(name, address) {
                Ok((held, fd)) => {
                    drop(listeners);
                    send(stream, &Reply::Ok(held), Some(fd.as_fd()))?;
                    continue;
                }
                Err(refused) => Reply::Error(refused),
            },
            (Ask::Close { name }, _) => {
                listeners.close(&name);
                Reply::Ok(Held::default())
            }
            (Ask::Adopt { name, address }, Some(fd)) => {
                listeners.adopt(name, address, fd);
                Reply::Ok(Held::default())
            }
            (Ask::Adopt { .. }, None) => {
                Reply::Error(Refused { reason: "no socket came with it".into(), taken: None })
            }
            (Ask::Watch {}, _) => {
                watching = true;
                *desk.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer);
                Reply::Ok(Held::default())
            }
        };
        drop(listeners);
        send(stream, &answer, None)?;
    }
    if watching {
        let mut watcher = desk.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if *watcher == Some(peer) {
            *watcher = None;
        }
    }
    Ok(())
}
