//! Listening sockets of users and previews.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::plane::Plane;

/// The open listeners by name.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    open: Mutex<BTreeMap<String, Listener>>,
}

#[derive(Debug)]
struct Listener {
    address: SocketAddr,
    /// For a keeper that has to adopt it.
    fd: OwnedFd,
    close: CancellationToken,
    task: JoinHandle<()>,
}

impl Listeners {
    /// Where this one listens, if it does.
    pub(crate) fn address(&self, name: &str) -> Option<SocketAddr> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(name).map(|listener| listener.address)
    }

    /// All names.
    pub(crate) fn names(&self) -> Vec<String> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.keys().cloned().collect()
    }

    /// All of them, for a keeper that has to adopt them.
    pub(crate) fn duplicates(&self) -> Vec<(String, SocketAddr, OwnedFd)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let duplicate = |(name, listener): (&String, &Listener)| {
            Some((name.clone(), listener.address, listener.fd.try_clone().ok()?))
        };
        open.iter().filter_map(duplicate).collect()
    }

    /// Begins to accept; each connection is given to `welcome`, which returns at once.
    pub(crate) fn open(
        &self,
        plane: &Arc<Plane>,
        name: String,
        socket: OwnedFd,
        welcome: impl Fn(TcpStream, SocketAddr) + Send + Sync + 'static,
    ) -> io::Result<SocketAddr> {
        let socket = TcpListener::from(socket);
        let address = socket.local_addr()?;
        let fd = socket.as_fd().try_clone_to_owned()?;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let close = CancellationToken::new();
        let task = plane.tasks.spawn(accept(plane.stop.clone(), socket, welcome, close.clone()));
        let listener = Listener { address, fd, close, task };
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(name, listener);
        Ok(address)
    }

    /// Accepts what is queued and closes this process's descriptors of it.
    pub(crate) async fn close(&self, name: &str) {
        let closed = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(listener) = closed {
            listener.close.cancel();
            // It does not fail, and is not aborted.
            let _ = listener.task.await;
        }
    }
}

async fn accept(
    stop: CancellationToken,
    socket: tokio::net::TcpListener,
    welcome: impl Fn(TcpStream, SocketAddr),
    close: CancellationToken,
) {
    let welcome = |accepted: io::Result<(TcpStream, SocketAddr)>| {
        let (stream, from) = accepted?;
        welcome(stream, from);
        io::Result::Ok(())
    };
    loop {
        tokio::select! {
            biased;
            // What is queued stays there for the next proxy: the keeper holds the socket.
            () = stop.cancelled() => return,
            () = close.cancelled() => break,
            accepted = socket.accept() => {
                if welcome(accepted).is_err() {
                    // Out of descriptors, say. They queue meanwhile.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
    while let Some(accepted) = socket.accept().now_or_never() {
        if welcome(accepted).is_err() {
            break;
        }
    }
}
